//! Organizations, apps, keys and grants.
//!
//! Laws: only an operator makes what reaches beyond one organization; a secret leaves here once, when it is made.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    keys,
    resources::{EditError, Obstacle, Resources, find},
};
use crate::{
    domain::{
        name::{AppName, GrantName, KeyName, OrganizationName, StoreName},
        organization::{App, Grant, Key, Organization, Permission, RetiringSecret, Scope},
        violation::{Invalid, Violations},
    },
    engine::catalog::{Catalog, Entry},
    ports::Entropy,
};

/// Longest time two secrets of a key are good together.
pub const MAX_OVERLAP: Duration = Duration::from_secs(7 * 86_400);

/// A key as it is asked for.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub name: KeyName,
    pub display_name: String,
    pub scope: Scope,
}

/// A key, and its secret for the only time.
pub struct Issued {
    pub key: Entry<Key>,
    pub secret: String,
}

/// Edits organizations and what belongs to them but places and campaigns.
pub struct Organizations {
    resources: Arc<Resources>,
    entropy: Arc<dyn Entropy>,
}

impl Organizations {
    pub fn new(resources: Arc<Resources>, entropy: Arc<dyn Entropy>) -> Self {
        Self { resources, entropy }
    }

    /// For reading, which asks for nothing more.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    pub async fn create(&self, organization: Organization, author: &str) -> Result<Entry<Organization>, EditError> {
        self.resources.create(organization, author, |_| Ok(())).await
    }

    /// As [`Resources::update`].
    pub async fn update(
        &self,
        name: &OrganizationName,
        etag: Option<u64>,
        author: &str,
        change: impl Fn(&Organization) -> Result<Organization, Violations>,
    ) -> Result<Entry<Organization>, EditError> {
        let change = |organization: &Organization, _: &Catalog| change(organization).map_err(EditError::Invalid);
        self.resources.update(name, etag, author, change).await
    }

    pub async fn create_app(&self, app: App, author: &str) -> Result<Entry<App>, EditError> {
        let owner = app.name.organization();
        self.resources.create(app, author, move |catalog| find::<Organization>(catalog, &owner).map(drop)).await
    }

    /// As [`Resources::update`].
    pub async fn update_app(
        &self,
        name: &AppName,
        etag: Option<u64>,
        author: &str,
        change: impl Fn(&App) -> Result<App, Violations>,
    ) -> Result<Entry<App>, EditError> {
        self.resources.update(name, etag, author, |app, _| change(app).map_err(EditError::Invalid)).await
    }

    /// Makes a key for `maker`, who cannot give more than it has: only an operator makes operators.
    pub async fn create_key(&self, new: NewKey, maker: &Scope, author: &str) -> Result<Issued, EditError> {
        if new.scope == Scope::Operator && *maker != Scope::Operator {
            return Err(EditError::Denied("only an operator key makes operator keys"));
        }
        let (secret, secret_hash) = keys::mint(self.entropy.bytes());
        let NewKey { name, display_name, scope } = new;
        let created_at = self.resources.now();
        let wanted = scope.clone();
        let owner = name.organization();
        let key = Key { name, display_name, scope, secret_hash, created_at, revoked_at: None, retiring: None };
        let check = move |catalog: &Catalog| {
            find::<Organization>(catalog, &owner)?;
            match &wanted {
                Scope::Server(app) | Scope::App(app) => check_app(app, &owner, catalog, "key.app"),
                Scope::Store(stores) => check_stores(stores, &owner, catalog),
                Scope::Operator | Scope::Owner | Scope::Network | Scope::Brand => Ok(()),
            }
        };
        let key = self.resources.create(key, author, check).await?;
        Ok(Issued { key, secret })
    }

    /// Refuses the key from now on; one that was revoked stays as it is.
    pub async fn revoke_key(&self, name: &KeyName, maker: &Scope, author: &str) -> Result<Entry<Key>, EditError> {
        let now = self.resources.now();
        self.resources
            .update(name, None, author, |key: &Key, _| {
                check_reach(key, maker)?;
                let revoked_at = key.revoked_at.map_or(now, |at| at.min(now));
                Ok(Key { revoked_at: Some(revoked_at), retiring: None, ..key.clone() })
            })
            .await
    }

    /// Gives the key a new secret; the present one is good for `overlap` more, at most [`MAX_OVERLAP`]. With an etag only if
    /// it is still that of the key, so that a repetition does not end a secret that is in use.
    pub async fn rotate_key(
        &self,
        name: &KeyName,
        etag: Option<u64>,
        overlap: Duration,
        maker: &Scope,
        author: &str,
    ) -> Result<Issued, EditError> {
        if let Err(invalid) = check_overlap(overlap) {
            return Err(EditError::Invalid(Violations::one("overlap", invalid)));
        }
        let now = self.resources.now();
        let (secret, secret_hash) = keys::mint(self.entropy.bytes());
        let rotated = self.resources.update(name, etag, author, |key: &Key, _| {
            check_reach(key, maker)?;
            if key.revoked_at.is_some() {
                let why = format!("{name} was revoked; create another key");
                return Err(EditError::Refused(vec![Obstacle::new("KEY_REVOKED", name, why)]));
            }
            let old = RetiringSecret { secret_hash: key.secret_hash, until: now + overlap };
            let retiring = (overlap > Duration::ZERO).then_some(old);
            Ok(Key { secret_hash, retiring, ..key.clone() })
        });
        Ok(Issued { key: rotated.await?, secret })
    }

    pub async fn create_grant(&self, grant: Grant, author: &str) -> Result<Entry<Grant>, EditError> {
        let wanted = grant.clone();
        self.resources.create(grant, author, move |catalog| check_grant(&wanted, catalog)).await
    }

    pub async fn delete_grant(&self, name: &GrantName, etag: Option<u64>, author: &str) -> Result<(), EditError> {
        self.resources.delete(name, etag, author, |_: &Grant, _| Ok(Vec::new())).await
    }
}

fn check_reach(key: &Key, maker: &Scope) -> Result<(), EditError> {
    if key.scope == Scope::Operator && *maker != Scope::Operator {
        return Err(EditError::Denied("only an operator key changes operator keys"));
    }
    Ok(())
}

fn check_grant(grant: &Grant, catalog: &Catalog) -> Result<(), EditError> {
    let owner = grant.name.organization();
    find::<Organization>(catalog, &owner)?;
    if grant.grantee == owner {
        let said = "must be another organization: nobody needs a grant from itself";
        return Err(EditError::Invalid(Violations::one("grant.grantee", said)));
    }
    if !catalog.organizations.contains_key(&grant.grantee) {
        let said = format!("{} does not exist", grant.grantee);
        return Err(EditError::Invalid(Violations::one("grant.grantee", said)));
    }
    match &grant.permission {
        Permission::TargetPlaces => Ok(()),
        Permission::ReachApp(app) => check_app(app, &owner, catalog, "grant.reach_app"),
    }
}

fn check_app(app: &AppName, owner: &OrganizationName, catalog: &Catalog, field: &str) -> Result<(), EditError> {
    if app.organization() != *owner {
        return Err(EditError::Invalid(Violations::one(field, format!("must be an app of {owner}, was {app}"))));
    }
    if catalog.apps.contains_key(app) {
        return Ok(());
    }
    Err(EditError::Invalid(Violations::one(field, format!("{app} does not exist"))))
}

fn check_stores(stores: &BTreeSet<StoreName>, owner: &OrganizationName, catalog: &Catalog) -> Result<(), EditError> {
    let mut wrong = Violations::default();
    for store in stores {
        if store.owner() != owner.as_str() {
            wrong.add("key.stores", format!("must be stores of {owner}, was {store}"));
        } else if !catalog.stores.contains_key(store) {
            wrong.add("key.stores", format!("{store} does not exist"));
        }
    }
    wrong.finish(Some(())).map_err(EditError::Invalid)
}

/// How long the secret before a rotation may stay good: at most [`MAX_OVERLAP`].
pub fn check_overlap(overlap: Duration) -> Result<(), Invalid> {
    if overlap <= MAX_OVERLAP {
        return Ok(());
    }
    let (most, was) = (MAX_OVERLAP.as_secs(), overlap.as_secs_f64());
    Err(Invalid::new(format!("must be at most {most} seconds, was {was}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fakes::{AUTHOR, Counting, node, owner},
        domain::time::TimeZone,
    };

    fn key(id: &str, scope: Scope) -> NewKey {
        NewKey { name: owner("acme").key(id).expect("sound"), display_name: "Till".into(), scope }
    }

    /// The organizations at a time, over the same catalog.
    async fn at(store: &Arc<crate::app::fakes::FakeCatalog>, now: i64) -> Organizations {
        Organizations::new(node(store, now).await, Arc::new(Counting::default()))
    }

    async fn acme(store: &Arc<crate::app::fakes::FakeCatalog>) -> Organizations {
        let organizations = at(store, 1_000).await;
        for id in ["acme", "brand"] {
            let organization =
                Organization { name: owner(id), display_name: id.into(), brand_limits: Default::default() };
            organizations.create(organization, AUTHOR).await.expect("made");
        }
        organizations
    }

    #[tokio::test]
    async fn an_owner_makes_no_operator() {
        let organizations = acme(&Arc::default()).await;
        let stolen = organizations.create_key(key("k", Scope::Operator), &Scope::Owner, AUTHOR).await;
        assert!(matches!(stolen, Err(EditError::Denied(_))));
        organizations.create_key(key("k", Scope::Operator), &Scope::Operator, AUTHOR).await.expect("made");
        let name = key("k", Scope::Operator).name;
        let taken = organizations.rotate_key(&name, None, Duration::ZERO, &Scope::Owner, AUTHOR).await;
        assert!(matches!(taken, Err(EditError::Denied(_))));
        assert!(matches!(organizations.revoke_key(&name, &Scope::Owner, AUTHOR).await, Err(EditError::Denied(_))));
    }

    #[tokio::test]
    async fn both_secrets_open_while_a_key_is_rotated() {
        let store = Arc::default();
        let organizations = acme(&store).await;
        let old = organizations.create_key(key("k", Scope::Brand), &Scope::Owner, AUTHOR).await.expect("made").secret;
        let name = key("k", Scope::Brand).name;
        let too_long = organizations.rotate_key(&name, None, MAX_OVERLAP * 2, &Scope::Owner, AUTHOR).await;
        assert!(matches!(too_long, Err(EditError::Invalid(_))));
        let overlap = Duration::from_secs(60);
        let new = organizations.rotate_key(&name, None, overlap, &Scope::Owner, AUTHOR).await.expect("rotated").secret;
        let opens = |secret: &str, now: i64| {
            let catalog = organizations.resources().snapshot();
            keys::authenticate(&catalog, secret, crate::app::fakes::at(now)).is_some()
        };
        assert!(opens(&old, 1_059) && opens(&new, 1_059));
        assert!(!opens(&old, 1_060) && opens(&new, 1_060));
        organizations.revoke_key(&name, &Scope::Owner, AUTHOR).await.expect("revoked");
        assert!(!opens(&old, 1_059) && !opens(&new, 1_059));
        let again = organizations.rotate_key(&name, None, overlap, &Scope::Owner, AUTHOR).await;
        assert!(matches!(again, Err(EditError::Refused(_))));
    }

    #[tokio::test]
    async fn keys_and_grants_name_apps_of_their_owner() {
        let organizations = acme(&Arc::default()).await;
        let shopper = owner("brand").app("shopper").expect("sound");
        let app = App {
            name: shopper.clone(),
            display_name: "Shopper".into(),
            time_zone: TimeZone::utc(),
            daily_offers: 3,
            quiet_hours: None,
            quiet_exempt: Default::default(),
            shares: Default::default(),
            cool_down: Default::default(),
            traits: Default::default(),
        };
        organizations.create_app(app, AUTHOR).await.expect("made");
        let foreign = organizations.create_key(key("k", Scope::App(shopper.clone())), &Scope::Owner, AUTHOR).await;
        assert!(matches!(foreign, Err(EditError::Invalid(_))));
        let grant = |owner_id: &str, grantee: &str| Grant {
            name: owner(owner_id).grant("g").expect("sound"),
            grantee: owner(grantee),
            permission: Permission::ReachApp(shopper.clone()),
        };
        assert!(matches!(organizations.create_grant(grant("acme", "brand"), AUTHOR).await, Err(EditError::Invalid(_))));
        assert!(matches!(
            organizations.create_grant(grant("brand", "brand"), AUTHOR).await,
            Err(EditError::Invalid(_))
        ));
        assert!(matches!(organizations.create_grant(grant("brand", "gone"), AUTHOR).await, Err(EditError::Invalid(_))));
        organizations.create_grant(grant("brand", "acme"), AUTHOR).await.expect("made");
    }
}
