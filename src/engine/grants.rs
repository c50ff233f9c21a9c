//! Who may do what with whose places and apps, ready to be asked.
//!
//! Law 10: a brand reaches its own, and what others granted it.

use std::collections::{HashMap, HashSet};

use super::catalog::Catalog;
use crate::domain::{
    name::{AppName, OrganizationName},
    organization::Permission,
};

/// The grants of one version of the catalog.
#[derive(Debug, Default)]
pub struct Grants {
    /// Networks and the brands that may target their places.
    places: HashMap<OrganizationName, HashSet<OrganizationName>>,
    /// Apps and the brands of others that may reach their people.
    apps: HashMap<AppName, HashSet<OrganizationName>>,
}

/// Who may reach the people of one app.
pub struct Reach<'a> {
    publisher: &'a str,
    brands: Option<&'a HashSet<OrganizationName>>,
}

impl Reach<'_> {
    /// Whether campaigns of the brand of that name may.
    pub fn has(&self, brand: &str) -> bool {
        self.publisher == brand || self.brands.is_some_and(|brands| brands.contains(brand))
    }
}

impl Grants {
    pub fn of(catalog: &Catalog) -> Self {
        let mut grants = Self::default();
        for (name, grant) in catalog.grants.iter() {
            let grantee = grant.value.grantee.clone();
            match &grant.value.permission {
                Permission::TargetPlaces => drop(grants.places.entry(name.organization()).or_default().insert(grantee)),
                Permission::ReachApp(app) if app.organization() == name.organization() => {
                    grants.apps.entry(app.clone()).or_default().insert(grantee);
                }
                Permission::ReachApp(_) => {}
            }
        }
        grants
    }

    /// Whether campaigns of the brand may target places of the network: its own, or by grant.
    pub fn may_target(&self, brand: &OrganizationName, network: &OrganizationName) -> bool {
        self.lets(brand.as_str(), network.as_str())
    }

    /// The networks that granted their places to the brand.
    pub fn networks_of(&self, brand: &OrganizationName) -> impl Iterator<Item = &OrganizationName> {
        self.places.iter().filter(|(_, brands)| brands.contains(brand)).map(|(network, _)| network)
    }

    /// As [`Self::may_target`], by the names as text.
    pub fn lets(&self, brand: &str, network: &str) -> bool {
        brand == network || self.places.get(network).is_some_and(|brands| brands.contains(brand))
    }

    /// Who may reach people of the app.
    pub fn reach<'a>(&'a self, app: &'a AppName) -> Reach<'a> {
        Reach { publisher: app.owner(), brands: self.apps.get(app) }
    }
}
