//! Apps on the wire, with the limits that hold over all campaigns in them.
//!
//! Law 8: every field is decided upon; a default is the domain's and stated in the proto, never a silent zero.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    domain::{
        cap::check_span,
        name::{AppName, OrganizationName},
        organization::{
            App, DAILY_OFFERS, MAX_QUIET_EXEMPT, MAX_TRAITS, Share, Shares, TraitDeclaration, TraitKind, TraitWriter,
            USUAL_DAILY_OFFERS,
        },
        text::{MAX_DISPLAY_NAME, TraitKey, line, quoted},
        time::{QuietHours, TimeOfDay},
        violation::{Invalid, Violations, at_most},
    },
    engine::catalog::Entry,
    grpc::{
        pb,
        place_wire::zone,
        resource::{Patched, Wire},
        wire::{duration_to_wire, not_one_of, optional_duration},
    },
};

/// Quiet hours of an app that does not say.
const USUAL_QUIET: (&str, &str) = ("21:00", "09:00");

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
        Ok(Kind::Unspecified) | Err(_) => Err(not_one_of(wire.kind, Kind::as_str_name)),
    };
    let writer = match Writer::try_from(wire.writer) {
        Ok(Writer::Device) => Ok(TraitWriter::Device),
        Ok(Writer::Server) => Ok(TraitWriter::Server),
        Ok(Writer::System) => Ok(TraitWriter::System),
        Ok(Writer::Unspecified) | Err(_) => Err(not_one_of(wire.writer, Writer::as_str_name)),
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
    fn what_disturbs_is_bounded_and_named() {
        let usual = app(None, None).expect("sound");
        assert!(usual.quiet_exempt.is_empty() && usual.cool_down.is_zero() && usual.shares == Shares::default());
        let message = pb::App {
            display_name: "Shopper".into(),
            time_zone: "Europe/Rome".into(),
            cool_down: Some(prost_types::Duration { seconds: 8_000_000, nanos: 0 }),
            priority_shares: Some(pb::PriorityShares { low_percent: Some(0), normal_percent: Some(101) }),
            quiet_hours_exempt_brands: vec!["organizations/acme".into(), "acme".into()],
            ..Default::default()
        };
        let name = AppName::parse("organizations/acme/apps/shopper").expect("sound");
        let wrong = App::read(message, name).expect_err("four faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let shares = ["priority_shares.low_percent", "priority_shares.normal_percent"];
        assert_eq!(fields, ["cool_down", shares[0], shares[1], "quiet_hours_exempt_brands[1]"]);
    }

    #[test]
    fn contradictions_are_refused() {
        let both = pb::QuietHours { from: "21:00".into(), to: "09:00".into(), off: true };
        assert!(app(Some(both), None).is_err());
        assert!(app(Some(pb::QuietHours::default()), Some(0)).expect_err("three faults").iter().count() == 3);
    }
}
