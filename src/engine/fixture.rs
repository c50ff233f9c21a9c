//! A small world for the tests of this floor: one network on the quay of Helsinki, one app, one person.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::catalog::Catalog;
use crate::domain::{
    audience::{Audience, TraitValue},
    campaign::{Campaign, CampaignState, Limits, On, Target, Trigger, Weight},
    catalog::{CatalogChange, Resource},
    consent::{Consent, Consents, Purpose},
    content::Content,
    geo::Position,
    name::{AppName, DeviceName, OrganizationName},
    organization::{App, TraitDeclaration, TraitKind, TraitWriter},
    ping::{Accuracy, ClockReading, Fix, Ping, PingId},
    place::{Beacon, BeaconIdentity, Geofence, PlaceName, Store},
    profile::{Device, Personal, Platform, Profile},
    shape::{Circle, Shape},
    text::{Topic, TraitKey},
    time::{TimeZone, Timestamp},
};

/// Noon UTC of 2026-06-01, a Monday.
pub const NOON: i64 = 1_780_315_200;

/// `seconds` after noon.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((NOON + seconds) * 1_000_000)
}

/// A position so many metres north and east of the quay.
pub fn metres(north: f64, east: f64) -> Position {
    let degree = crate::domain::geo::METRES_PER_DEGREE;
    let latitude = 60.0 + north / degree;
    Position::new(latitude, 25.0 + east / (degree * 60.0_f64.to_radians().cos())).expect("near the quay")
}

/// Any position, often beside the antimeridian and the poles.
pub fn anywhere() -> impl Strategy<Value = Position> {
    let edge = prop_oneof![Just(179.999), Just(-179.999), Just(0.0), -180.0..180.0f64];
    (prop_oneof![Just(89.99), Just(-89.99), -90.0..90.0f64], edge)
        .prop_map(|(lat, lng)| Position::new(lat, lng).expect("sound"))
}

pub fn acme() -> OrganizationName {
    OrganizationName::parse("organizations/acme").expect("sound")
}

pub fn app_name() -> AppName {
    acme().app("shopper").expect("sound")
}

pub fn device_name() -> DeviceName {
    app_name().device("phone").expect("sound")
}

pub fn app() -> App {
    App {
        name: app_name(),
        display_name: "Shopper".into(),
        time_zone: TimeZone::utc(),
        daily_offers: 3,
        quiet_hours: None,
        quiet_exempt: Default::default(),
        shares: Default::default(),
        cool_down: Default::default(),
        traits: Default::default(),
    }
}

/// The app, declaring whatever the person has.
pub fn declaring(app: &App, person: &Profile) -> App {
    let declared = |(key, value): (&TraitKey, &TraitValue)| {
        (key.clone(), TraitDeclaration { kind: TraitKind::of(value), writer: TraitWriter::Server })
    };
    App { traits: person.personal_of_record().traits.iter().map(declared).collect(), ..app.clone() }
}

/// A circle of that radius around the quay, moved east.
pub fn geofence(id: &str, east: f64, radius_m: f64) -> Geofence {
    Geofence {
        name: acme().geofence(id).expect("sound"),
        display_name: id.into(),
        shape: Shape::Circle(Circle::new(metres(0.0, east), radius_m).expect("sound")),
        store: None,
        tags: BTreeSet::new(),
        detection: Default::default(),
        source: None,
    }
}

pub fn store(id: &str, east: f64) -> Store {
    Store {
        name: acme().store(id).expect("sound"),
        display_name: id.into(),
        position: metres(0.0, east),
        time_zone: TimeZone::utc(),
        address: String::new(),
        brand: String::new(),
        opening_hours: Default::default(),
        country: None,
        source: None,
        tags: BTreeSet::new(),
    }
}

pub fn beacon(id: &str) -> Beacon {
    Beacon {
        name: acme().beacon(id).expect("sound"),
        display_name: id.into(),
        identity: BeaconIdentity::IBeacon { uuid: [7; 16], major: 1, minor: 2 },
        store: None,
        tags: BTreeSet::new(),
    }
}

/// An active campaign for everyone.
pub fn campaign(id: &str, on: On, place: &str) -> Campaign {
    let place = PlaceName::parse(&format!("organizations/acme/{place}")).expect("sound");
    Campaign {
        name: acme().campaign(id).expect("sound"),
        display_name: id.into(),
        state: CampaignState::Active,
        audience: Audience::everyone(),
        content: Content::new(id, "", "", "", None).expect("sound"),
        topics: BTreeSet::new(),
        trigger: Trigger { on, at: Target::Places(BTreeSet::from([place])), visit: Default::default() },
        limits: Limits::default(),
        weight: Weight::default(),
        priority: Default::default(),
        coupon: None,
        experiment: None,
        testers: Default::default(),
    }
}

/// Version 1 of a catalog of these.
pub fn catalog(resources: Vec<Resource>) -> Catalog {
    let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
    Catalog::default().after(&resources.into_iter().map(change).collect::<Vec<_>>())
}

pub fn consents(purposes: &[Purpose]) -> Consents {
    let mut consents = Consents::default();
    for purpose in purposes {
        consents.set(*purpose, Consent { granted: true, text_version: "1".into(), given_at: at(0) });
    }
    consents
}

/// A person with one phone who agreed to everything and likes coffee.
pub fn person() -> Profile {
    let mut personal = Personal::default();
    personal.interests.insert(Topic::new("coffee").expect("sound"), 0.8);
    let name = app_name().profile("ann").expect("sound");
    let mut profile = Profile::new(name, at(0), consents(&Purpose::ALL), personal);
    let device = Device {
        language: "en".into(),
        platform: Platform::Other,
        time_zone: None,
        app_version: None,
        test: false,
        token_epoch: 0,
        registered_at: at(0),
        presence: Default::default(),
    };
    profile.devices.insert(device_name(), device);
    profile
}

/// A ping received at `seconds` by a phone of the same clock, with fixes of (seconds, position, accuracy).
pub fn ping(seconds: i64, fixes: &[(i64, Position, f64)]) -> Ping {
    let clock = ClockReading { sent_at: at(seconds), received_at: at(seconds) };
    let fix = |&(read, position, accuracy): &(i64, Position, f64)| Fix {
        position,
        accuracy: Accuracy::new(accuracy).expect("sound"),
        speed_mps: None,
        mocked: false,
        read: clock.reading(at(read)),
    };
    let id = PingId::new(&format!("ping-{seconds:06}")).expect("sound");
    let fixes = fixes.iter().map(fix).collect();
    Ping { id, clock, fixes, sightings: Vec::new(), event: None, max_offers: 3, reported_through: None }.in_order()
}

/// One accurate fix, received at once.
pub fn here(seconds: i64, position: Position) -> Ping {
    ping(seconds, &[(seconds, position, 5.0)])
}

pub const DAY: Duration = Duration::from_secs(86_400);
