//! Organizations, apps, keys and grants on the wire.
//!
//! Law 10: a key's hash never leaves; nothing here can write it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    domain::{
        cap::check_span,
        name::{AppName, GrantName, KeyName, OrganizationName, StoreName},
        organization::{
            App, DAILY_OFFERS, Grant, Key, MAX_QUIET_EXEMPT, MAX_TRAITS, Organization, Permission, Scope, Share,
            Shares, TraitDeclaration, TraitKind, TraitWriter, USUAL_DAILY_OFFERS,
        },
        text::{MAX_DISPLAY_NAME, TraitKey, line, quoted},
        time::{QuietHours, TimeOfDay},
        violation::{Invalid, Violations, at_most},
    },
    engine::catalog::Entry,
    grpc::{
        cap_wire::{brand_limits, brand_limits_to_wire},
        coupon_wire::store_names,
        pb,
        place_wire::zone,
        resource::{Patched, Wire},
        wire::{duration_to_wire, optional_duration, required, timestamp_to_wire, unknown},
    },
};

/// Quiet hours of an app that does not say.
const USUAL_QUIET: (&str, &str) = ("21:00", "09:00");

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

impl Wire for App {
    type Message = pb::App;
    const FIELD: &'static str = "app";

    fn read(message: pb::App, name: AppName) -> Result<Self, Violations> {
        let pb::App {
            name: _,
            display_name,
            time_zone,
            daily_offers: daily,
            quiet_hours: quiet,
            traits,
            etag: _,
            cool_down,
            priority_shares,
            quiet_hours_exempt_brands,
        } = message;
        let mut wrong = Violations::default();
        let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
        let time_zone = wrong.take("time_zone", zone(&time_zone));
        let daily_offers = wrong.take("daily_offers", daily_offers(daily));
        let quiet_hours = wrong.nest("quiet_hours", quiet_hours(quiet));
        let traits = self::traits(&mut wrong, traits);
        let cool_down = wrong.take("cool_down", app_cool_down(cool_down));
        let shares = wrong.nest("priority_shares", shares(priority_shares));
        let quiet_exempt = brands(&mut wrong, "quiet_hours_exempt_brands", &quiet_hours_exempt_brands);
        let app = (|| {
            Some(App {
                name,
                display_name: display_name?,
                time_zone: time_zone?,
                daily_offers: daily_offers?,
                shares: shares?,
                cool_down: cool_down?,
                quiet_hours: quiet_hours?,
                quiet_exempt,
                traits,
            })
        })();
        wrong.finish(app)
    }

    fn write(entry: &Entry<Self>) -> pb::App {
        let App { name, display_name, time_zone, daily_offers, shares, cool_down, quiet_hours, quiet_exempt, traits } =
            entry.value.as_ref();
        let declared = |(key, trait_): (&TraitKey, &TraitDeclaration)| (key.to_string(), declaration_to_wire(*trait_));
        pb::App {
            name: name.to_string(),
            display_name: display_name.clone(),
            time_zone: time_zone.name().to_owned(),
            daily_offers: i32::try_from(*daily_offers).ok(),
            quiet_hours: Some(quiet_hours_to_wire(*quiet_hours)),
            traits: traits.iter().map(declared).collect(),
            etag: entry.etag.to_string(),
            cool_down: Some(duration_to_wire(*cool_down)),
            priority_shares: Some(shares_to_wire(*shares)),
            quiet_hours_exempt_brands: quiet_exempt.iter().map(OrganizationName::to_string).collect(),
        }
    }
}

impl Patched for App {
    fn name_of(message: &pb::App) -> &str {
        &message.name
    }
    fn etag_of(message: &pb::App) -> &str {
        &message.etag
    }
}

fn daily_offers(wire: Option<i32>) -> Result<u32, Invalid> {
    let Some(wire) = wire else { return Ok(USUAL_DAILY_OFFERS) };
    let refuse = || Invalid::new(format!("must be {} to {}, was {wire}", DAILY_OFFERS.start(), DAILY_OFFERS.end()));
    u32::try_from(wire).ok().filter(|offers| DAILY_OFFERS.contains(offers)).ok_or_else(refuse)
}

fn app_cool_down(wire: Option<prost_types::Duration>) -> Result<Duration, Invalid> {
    let cool_down = optional_duration(wire)?.unwrap_or_default();
    check_span(cool_down, Duration::ZERO).map(|()| cool_down)
}

fn shares(wire: Option<pb::PriorityShares>) -> Result<Shares, Violations> {
    let pb::PriorityShares { low_percent, normal_percent } = wire.unwrap_or_default();
    let (mut wrong, usual) = (Violations::default(), Shares::default());
    let mut share = |field, wire: Option<i32>, usual| {
        let refuse = |percent| Invalid::new(format!("must be 1 to 100 percent, was {percent}"));
        let read = |percent| u32::try_from(percent).map_err(|_| refuse(percent)).and_then(Share::new);
        wrong.take(field, wire.map_or(Ok(usual), read))
    };
    let low = share("low_percent", low_percent, usual.low);
    let normal = share("normal_percent", normal_percent, usual.normal);
    wrong.finish(low.zip(normal).map(|(low, normal)| Shares { low, normal }))
}

fn shares_to_wire(shares: Shares) -> pb::PriorityShares {
    let percent = |share: Share| i32::try_from(share.percent()).ok();
    pb::PriorityShares { low_percent: percent(shares.low), normal_percent: percent(shares.normal) }
}

/// Names of brands; what is wrong is noted under `field`.
fn brands(wrong: &mut Violations, field: &str, wire: &[String]) -> BTreeSet<OrganizationName> {
    if wrong.take(field, at_most(MAX_QUIET_EXEMPT, wire.len())).is_none() {
        return BTreeSet::new();
    }
    let each = wire.iter().enumerate();
    each.filter_map(|(i, brand)| wrong.take(format!("{field}[{i}]"), OrganizationName::parse(brand))).collect()
}

fn quiet_hours(wire: Option<pb::QuietHours>) -> Result<Option<QuietHours>, Violations> {
    let pb::QuietHours { from, to, off } = wire.unwrap_or_else(|| pb::QuietHours {
        from: USUAL_QUIET.0.to_owned(),
        to: USUAL_QUIET.1.to_owned(),
        off: false,
    });
    if off && (!from.is_empty() || !to.is_empty()) {
        return Err(Violations::one("off", "must not stand beside from and to"));
    }
    if off {
        return Ok(None);
    }
    let mut wrong = Violations::default();
    let from = wrong.take("from", TimeOfDay::parse(&from));
    let to = wrong.take("to", TimeOfDay::parse(&to));
    let quiet = from.zip(to).map(|(from, to)| Some(QuietHours { from, to }));
    wrong.finish(quiet)
}

fn quiet_hours_to_wire(quiet: Option<QuietHours>) -> pb::QuietHours {
    match quiet {
        Some(QuietHours { from, to }) => pb::QuietHours { from: from.to_string(), to: to.to_string(), off: false },
        None => pb::QuietHours { off: true, ..Default::default() },
    }
}

fn traits(
    wrong: &mut Violations,
    wire: std::collections::HashMap<String, pb::TraitDeclaration>,
) -> BTreeMap<TraitKey, TraitDeclaration> {
    if wire.len() > MAX_TRAITS {
        wrong.add("traits", format!("must be at most {MAX_TRAITS}, were {}", wire.len()));
        return BTreeMap::new();
    }
    // In the order of the keys, so that the same request is refused in the same words.
    let sorted: BTreeMap<String, pb::TraitDeclaration> = wire.into_iter().collect();
    let mut traits = BTreeMap::new();
    for (key, wire) in sorted {
        let field = format!("traits[{}]", quoted(&key));
        let declared = wrong.nest(&field, declaration(wire));
        if let (Some(key), Some(declared)) = (wrong.take(field, TraitKey::new(&key)), declared) {
            traits.insert(key, declared);
        }
    }
    traits
}

fn declaration(wire: pb::TraitDeclaration) -> Result<TraitDeclaration, Violations> {
    use pb::trait_declaration::{Kind, Writer};
    let mut wrong = Violations::default();
    let kind = match Kind::try_from(wire.kind) {
        Ok(Kind::Text) => Ok(TraitKind::Text),
        Ok(Kind::Number) => Ok(TraitKind::Number),
        Ok(Kind::Flag) => Ok(TraitKind::Flag),
        Ok(Kind::Date) => Ok(TraitKind::Date),
        Ok(Kind::Unspecified) => Err(required()),
        Err(_) => Err(unknown(wire.kind)),
    };
    let writer = match Writer::try_from(wire.writer) {
        Ok(Writer::Device) => Ok(TraitWriter::Device),
        Ok(Writer::Server) => Ok(TraitWriter::Server),
        Ok(Writer::System) => Ok(TraitWriter::System),
        Ok(Writer::Unspecified) => Err(required()),
        Err(_) => Err(unknown(wire.writer)),
    };
    let (kind, writer) = (wrong.take("kind", kind), wrong.take("writer", writer));
    wrong.finish(kind.zip(writer).map(|(kind, writer)| TraitDeclaration { kind, writer }))
}

fn declaration_to_wire(declared: TraitDeclaration) -> pb::TraitDeclaration {
    use pb::trait_declaration::{Kind, Writer};
    let kind = match declared.kind {
        TraitKind::Text => Kind::Text,
        TraitKind::Number => Kind::Number,
        TraitKind::Flag => Kind::Flag,
        TraitKind::Date => Kind::Date,
    };
    let writer = match declared.writer {
        TraitWriter::Device => Writer::Device,
        TraitWriter::Server => Writer::Server,
        TraitWriter::System => Writer::System,
    };
    pb::TraitDeclaration { kind: kind.into(), writer: writer.into() }
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
        unsaid => {
            let refusal = if unsaid.is_ok() { required() } else { unknown(kind) };
            wrong.add("scope", refusal);
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
    use std::sync::Arc;

    use super::*;

    fn app(quiet: Option<pb::QuietHours>, daily: Option<i32>) -> Result<App, Violations> {
        let declared = pb::TraitDeclaration { kind: 2, writer: 1 };
        let message = pb::App {
            display_name: "Shopper".into(),
            time_zone: "Europe/Rome".into(),
            daily_offers: daily,
            quiet_hours: quiet,
            traits: [("points".to_owned(), declared)].into(),
            ..Default::default()
        };
        App::read(message, AppName::parse("organizations/acme/apps/shopper").expect("sound"))
    }

    #[test]
    fn apps_have_sane_defaults_and_survive_the_wire() {
        let usual = app(None, None).expect("sound");
        let quiet = usual.quiet_hours.expect("on");
        assert_eq!(
            (quiet.from.to_string(), quiet.to.to_string(), usual.daily_offers),
            ("21:00".into(), "09:00".into(), 3)
        );
        let off = app(Some(pb::QuietHours { off: true, ..Default::default() }), Some(50)).expect("sound");
        assert_eq!(off.quiet_hours, None);
        for app in [usual, off] {
            let entry = Entry { etag: 1, value: Arc::new(app) };
            assert_eq!(App::read(App::write(&entry), entry.value.name.clone()).as_ref(), Ok(entry.value.as_ref()));
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let both = pb::QuietHours { from: "21:00".into(), to: "09:00".into(), off: true };
        assert!(app(Some(both), None).is_err());
        assert!(app(Some(pb::QuietHours::default()), Some(0)).expect_err("three faults").iter().count() == 3);
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
