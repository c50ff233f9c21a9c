//! Who may do what with whose places and apps, ready to be asked.
//!
//! Law 10: a brand reaches its own, and what others granted it.

use std::collections::HashSet;

use super::catalog::Catalog;
use crate::domain::{
    name::{AppName, OrganizationName},
    organization::Permission,
};

/// The grants of one version of the catalog.
#[derive(Debug, Default)]
pub struct Grants {
    /// Networks and the brands that may target their places.
    places: HashSet<(OrganizationName, OrganizationName)>,
    /// Brands and the apps of others they may reach.
    apps: HashSet<(OrganizationName, AppName)>,
}

impl Grants {
    pub fn of(catalog: &Catalog) -> Self {
        let mut grants = Self::default();
        for (name, grant) in catalog.grants.iter() {
            let grantee = grant.value.grantee.clone();
            match &grant.value.permission {
                Permission::TargetPlaces => drop(grants.places.insert((name.organization(), grantee))),
                Permission::ReachApp(app) if app.organization() == name.organization() => {
                    grants.apps.insert((grantee, app.clone()));
                }
                Permission::ReachApp(_) => {}
            }
        }
        grants
    }

    /// Whether campaigns of the brand may target places of the network: its own, or by grant.
    pub fn may_target(&self, brand: &OrganizationName, network: &OrganizationName) -> bool {
        brand == network || self.places.contains(&(network.clone(), brand.clone()))
    }

    /// Whether campaigns of this brand may reach people of the app.
    pub fn may_reach(&self, brand: &OrganizationName, app: &AppName) -> bool {
        app.organization() == *brand || self.apps.contains(&(brand.clone(), app.clone()))
    }
}
