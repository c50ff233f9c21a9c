//! Organizations, keys and grants on the wire.
//!
//! Law 10: a key's hash never leaves; nothing here can write it.

use crate::{
    domain::{
        name::{AppName, GrantName, KeyName, OrganizationName, StoreName},
        organization::{Grant, Key, Organization, Permission, Scope},
        text::{MAX_DISPLAY_NAME, line},
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        cap_wire::{brand_limits, brand_limits_to_wire},
        coupon_wire::store_names,
        pb,
        resource::{Patched, Wire},
        wire::{not_one_of, required, timestamp_to_wire},
    },
};

impl Wire for Organization {
    type Message = pb::Organization;
    const FIELD: &'static str = "organization";

    fn read(message: pb::Organization, name: OrganizationName) -> Result<Self, Violations> {
        let pb::Organization { name: _, display_name, etag: _, brand_limits: limits } = message;
        let mut wrong = Violations::default();
        let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
        let brand_limits = wrong.nest("brand_limits", brand_limits(limits));
        let organization = display_name.zip(brand_limits).map(|(display_name, brand_limits)| Self {
            name,
            display_name,
            brand_limits,
        });
        wrong.finish(organization)
    }

    fn write(entry: &Entry<Self>) -> pb::Organization {
        let Organization { name, display_name, brand_limits } = entry.value.as_ref();
        pb::Organization {
            name: name.to_string(),
            display_name: display_name.clone(),
            etag: entry.etag.to_string(),
            brand_limits: brand_limits_to_wire(brand_limits),
        }
    }
}

impl Patched for Organization {
    fn name_of(message: &pb::Organization) -> &str {
        &message.name
    }
    fn etag_of(message: &pb::Organization) -> &str {
        &message.etag
    }
}

/// What a create request says of a key: its display name and scope. The secret is not the caller's to choose.
pub fn new_key(wire: Option<pb::Key>) -> Result<(String, Scope), Violations> {
    let pb::Key { display_name, scope: kind, app, stores, .. } = wire.ok_or_else(|| Violations::one("", required()))?;
    let mut wrong = Violations::default();
    let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
    let scope = wrong.nest("", scope(kind, &app, &stores));
    wrong.finish(display_name.zip(scope))
}

fn scope(kind: i32, app: &str, stores: &[String]) -> Result<Scope, Violations> {
    use pb::key::Scope as Wire;
    let mut wrong = Violations::default();
    let empty = |is_empty: bool| if is_empty { Ok(()) } else { Err(Invalid::new("must be empty for this scope")) };
    if kind != i32::from(Wire::Store) {
        wrong.take("stores", empty(stores.is_empty()));
    }
    let mut alone = |scope: Scope| wrong.take("app", empty(app.is_empty()).map(|()| scope));
    let scope = match Wire::try_from(kind) {
        Ok(Wire::Operator) => alone(Scope::Operator),
        Ok(Wire::Owner) => alone(Scope::Owner),
        Ok(Wire::Network) => alone(Scope::Network),
        Ok(Wire::Brand) => alone(Scope::Brand),
        Ok(Wire::Server) => wrong.take("app", AppName::parse(app).map(Scope::Server)),
        Ok(Wire::App) => wrong.take("app", AppName::parse(app).map(Scope::App)),
        Ok(Wire::Store) => {
            wrong.take("app", empty(app.is_empty()));
            Some(Scope::Store(store_names(&mut wrong, "stores", stores)))
        }
        Ok(Wire::Unspecified) | Err(_) => {
            wrong.add("scope", not_one_of(kind, Wire::as_str_name));
            if !app.is_empty() {
                wrong.take("app", AppName::parse(app));
            }
            None
        }
    };
    wrong.finish(scope)
}

/// A key without its hash.
pub fn key_to_wire(entry: &Entry<Key>) -> pb::Key {
    let Key { name, display_name, scope, secret_hash: _, created_at, revoked_at, retiring } = entry.value.as_ref();
    let (kind, app) = match scope {
        Scope::Operator => (pb::key::Scope::Operator, String::new()),
        Scope::Owner => (pb::key::Scope::Owner, String::new()),
        Scope::Network => (pb::key::Scope::Network, String::new()),
        Scope::Brand => (pb::key::Scope::Brand, String::new()),
        Scope::Server(app) => (pb::key::Scope::Server, app.to_string()),
        Scope::App(app) => (pb::key::Scope::App, app.to_string()),
        Scope::Store(_) => (pb::key::Scope::Store, String::new()),
    };
    let stores = match scope {
        Scope::Store(stores) => stores.iter().map(StoreName::to_string).collect(),
        _ => Vec::new(),
    };
    pb::Key {
        name: name.to_string(),
        display_name: display_name.clone(),
        scope: kind.into(),
        app,
        create_time: Some(timestamp_to_wire(*created_at)),
        revoke_time: revoked_at.map(timestamp_to_wire),
        old_secret_expire_time: retiring.as_ref().map(|old| timestamp_to_wire(old.until)),
        stores,
        etag: entry.etag.to_string(),
    }
}

impl Wire for Key {
    type Message = pb::Key;
    const FIELD: &'static str = "key";

    /// Keys are made by [`new_key`] alone.
    fn read(_: pb::Key, name: KeyName) -> Result<Self, Violations> {
        Err(Violations::one("", format!("{name} cannot be written")))
    }

    fn write(entry: &Entry<Self>) -> pb::Key {
        key_to_wire(entry)
    }
}

impl Wire for Grant {
    type Message = pb::Grant;
    const FIELD: &'static str = "grant";

    fn read(message: pb::Grant, name: GrantName) -> Result<Self, Violations> {
        let pb::Grant { name: _, grantee, permission: wire, etag: _ } = message;
        let mut wrong = Violations::default();
        let grantee = wrong.take("grantee", OrganizationName::parse(&grantee));
        let permission = match wire {
            None => wrong.take("", Err(Invalid::new("needs target_places or reach_app"))),
            Some(pb::grant::Permission::TargetPlaces(pb::TargetPlaces {})) => Some(Permission::TargetPlaces),
            Some(pb::grant::Permission::ReachApp(app)) => {
                wrong.take("reach_app", AppName::parse(&app)).map(Permission::ReachApp)
            }
        };
        let grant = grantee.zip(permission).map(|(grantee, permission)| Grant { name, grantee, permission });
        wrong.finish(grant)
    }

    fn write(entry: &Entry<Self>) -> pb::Grant {
        let Grant { name, grantee, permission } = entry.value.as_ref();
        let permission = match permission {
            Permission::TargetPlaces => pb::grant::Permission::TargetPlaces(pb::TargetPlaces {}),
            Permission::ReachApp(app) => pb::grant::Permission::ReachApp(app.to_string()),
        };
        pb::Grant {
            name: name.to_string(),
            grantee: grantee.to_string(),
            permission: Some(permission),
            etag: entry.etag.to_string(),
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused() {
        let key = |scope: pb::key::Scope, app: &str| scope_of(scope, app).is_ok();
        assert!(key(pb::key::Scope::Brand, "") && !key(pb::key::Scope::Brand, "organizations/a/apps/b"));
        assert!(key(pb::key::Scope::App, "organizations/a/apps/b") && !key(pb::key::Scope::App, ""));
        let till = |kind: pb::key::Scope, stores: &[&str]| {
            let stores: Vec<String> = stores.iter().map(|&store| store.to_owned()).collect();
            scope(kind.into(), "", &stores).is_ok()
        };
        assert!(till(pb::key::Scope::Store, &["organizations/a/stores/1"]) && !till(pb::key::Scope::Store, &[]));
        assert!(!till(pb::key::Scope::Store, &["1"]) && !till(pb::key::Scope::Brand, &["organizations/a/stores/1"]));
    }

    fn scope_of(kind: pb::key::Scope, app: &str) -> Result<Scope, Violations> {
        scope(kind.into(), app, &[])
    }
}
