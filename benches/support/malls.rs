//! A chain's malls at noon: what deciding is measured on.
//!
//! Hundreds of malls at the edges of towns, in a world of geofences. Each mall is a geofence with thirty shops near it: 20 m
//! apart, with one of 60 m each. Two hundred campaigns of five brands are active at every mall, each with an audience of
//! five terms, a topic and a cap: arriving there triggers twenty. Two more meet whoever enters a shop. At each mall somebody
//! is about to arrive who agreed to everything, has ten traits and ten interests, and was given twenty offers in the last
//! weeks. They take turns, so that each finds the processor's caches as the others left them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dintorni::{
    domain::{
        audience::{Audience, Comparison, Rule, TraitValue},
        budget::AccountId,
        campaign::{Campaign, CampaignState, Limits, On, Target, Trigger, Weight},
        cap::Cap,
        catalog::{CatalogChange, Resource},
        consent::{Consent, Consents, Purpose},
        content::Content,
        detection::Detection,
        geo::{METRES_PER_DEGREE, Position},
        name::{AppName, DeviceName, OrganizationName},
        offer::{GivenOffer, OfferId},
        organization::{App, Grant, Permission, TraitDeclaration, TraitKind, TraitWriter},
        ping::{Accuracy, ClockReading, Fix, Ping, PingId},
        place::{Geofence, Store},
        profile::{Device, Personal, Platform, Profile},
        shape::{Circle, Polygons, Shape},
        text::{Tag, Topic, TraitKey},
        time::{QuietHours, TimeOfDay, TimeZone, Timestamp},
    },
    engine::{
        catalog::Catalog,
        decide::{Outcome, Question, decide},
    },
    world::{Plan, World},
};

/// Malls, each with its visitor: more than the caches of a processor hold.
const MALLS: u64 = 400;
/// Metres from a mall's middle to its edge.
const MALL_M: f64 = 400.0;
/// Metres from one to the next, where a town has several.
const NEXT_MALL_M: f64 = 5_000.0;
/// Corners of a mall that is drawn.
const CORNERS: u32 = 24;
/// Shops at each, and metres between two of them.
const SHOPS: u64 = 30;
const APART_M: f64 = 20.0;
/// Campaigns active at every mall; a tenth of them are for who arrives.
const CAMPAIGNS: u64 = 200;
const BRANDS: u64 = 5;
/// Standard deviations from the centre of a town to its edge, where a handful of its geofences are.
const EDGE: f64 = 2.5;
const DAY: Duration = Duration::from_secs(86_400);

pub struct Malls {
    pub catalog: Catalog,
    world: World,
    middles: Vec<Position>,
    app: App,
    device: DeviceName,
    exhausted: BTreeSet<AccountId>,
}

pub fn network() -> OrganizationName {
    OrganizationName::parse("organizations/bench").expect("sound")
}

fn brand(number: u64) -> OrganizationName {
    OrganizationName::parse(&format!("organizations/brand{}", number % BRANDS)).expect("sound")
}

fn app_name() -> AppName {
    network().app("shopper").expect("sound")
}

/// Seconds after noon UTC of 2026-06-01.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_780_315_200 + seconds) * 1_000_000)
}

#[allow(dead_code, reason = "a bench of snapshots takes the campaigns alone")]
impl Malls {
    /// In a world of so many geofences.
    pub fn new(geofences: u64, circles_only: bool) -> Self {
        let world = World::new(Plan { seed: 1, stores: 0, geofences, circles_only });
        let middle = |number| {
            let town = world.town(number).expect("sound");
            let out = (number / world.towns()) as f64 * NEXT_MALL_M;
            east_of(town.centre, EDGE * town.spread_m + out)
        };
        let middles: Vec<Position> = (0..MALLS).map(middle).collect();
        let around = (0..geofences).map(|number| world.geofence(&network(), number).expect("sound").into());
        let malls = middles.iter().enumerate().flat_map(|(number, middle)| mall(number, *middle, circles_only));
        let app = app();
        let resources = around.chain([app.clone().into()]).chain(grants()).chain(malls).chain(campaigns());
        let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
        let catalog = Catalog::default().after(&resources.map(change).collect::<Vec<_>>());
        let device = app_name().device("phone").expect("sound");
        Self { catalog, world, middles, app, device, exhausted: BTreeSet::new() }
    }

    /// What the visitor of each mall is in turn.
    pub fn each<T>(&self, of: impl Fn(usize) -> T) -> Vec<T> {
        (0..self.middles.len()).map(of).collect()
    }

    /// A ping `east_m` of the middle of a mall.
    pub fn ping(&self, mall: usize, second: i64, east_m: f64) -> Ping {
        self.ping_at(east_of(self.middles[mall], east_m), second)
    }

    /// A ping from somewhere in a town, always the same for that number.
    pub fn ping_in_town(&self, number: usize, second: i64) -> Ping {
        self.ping_at(self.world.person(number as u64).expect("sound"), second)
    }

    fn ping_at(&self, position: Position, second: i64) -> Ping {
        let clock = ClockReading { sent_at: at(second), received_at: at(second) };
        let fix = Fix {
            position,
            accuracy: Accuracy::new(5.0).expect("sound"),
            read: clock.reading(at(second)),
            speed_mps: Some(1.2),
            mocked: false,
        };
        let id = PingId::new("0194f3a0-0000-7000-8000-000000000001").expect("sound");
        Ping { id, clock, fixes: vec![fix], sightings: Vec::new(), event: None, max_offers: 3, reported_through: None }
    }

    /// The person before the first ping.
    pub fn person(&self, mall: usize) -> Profile {
        let mut consents = Consents::default();
        for purpose in Purpose::ALL {
            consents.set(purpose, Consent { granted: true, text_version: "1".into(), given_at: at(-1) });
        }
        let mut personal = Personal::default();
        for number in 0..10 {
            personal.interests.insert(Topic::new(&format!("topic-{number}")).expect("sound"), number as f64 / 10.0);
            let key = TraitKey::new(&format!("trait_{number}")).expect("sound");
            personal.traits.insert(key, TraitValue::number(number as f64).expect("sound"));
        }
        let mut profile =
            Profile::new(app_name().profile(&format!("ann{mall}")).expect("sound"), at(-1), consents, personal);
        let device = Device {
            language: "en".into(),
            platform: Platform::Android,
            time_zone: Some(TimeZone::new("Europe/Rome").expect("sound")),
            app_version: None,
            test: false,
            token_epoch: 0,
            registered_at: at(-1),
            presence: Default::default(),
        };
        profile.devices.insert(self.device.clone(), device);
        profile.offers = Arc::new((0..20).map(|number| self.given(number)).collect());
        profile
    }

    fn given(&self, number: u64) -> GivenOffer {
        let offered_at = at(-1) - DAY * (21 - number as u32);
        let campaign = brand(number).campaign(&format!("c{number}")).expect("sound");
        let id = OfferId::new(offered_at, u128::from(number));
        GivenOffer { shown_at: Some(offered_at), ..GivenOffer::new(id, campaign, self.device.clone(), offered_at) }
    }

    pub fn decide(&self, profile: &Profile, ping: &Ping) -> Outcome {
        decide(&Question {
            catalog: &self.catalog,
            app: &self.app,
            profile,
            device: &self.device,
            ping,
            seed: 7,
            exhausted: &self.exhausted,
        })
    }

    /// How many areas hold the fix.
    pub fn matched(&self, ping: &Ping) -> u64 {
        let mut found = 0;
        self.catalog.areas.holding(ping.fixes[0].position, |_| found += 1);
        found
    }
}

fn app() -> App {
    let hour = |hour| TimeOfDay::new(hour, 0).expect("sound");
    App {
        name: app_name(),
        display_name: "Shopper".into(),
        time_zone: TimeZone::new("Europe/Rome").expect("sound"),
        daily_offers: 3,
        quiet_hours: Some(QuietHours { from: hour(21), to: hour(9) }),
        quiet_exempt: Default::default(),
        shares: Default::default(),
        cool_down: Default::default(),
        traits: (0..10).map(declared).collect(),
    }
}

fn declared(number: u64) -> (TraitKey, TraitDeclaration) {
    let key = TraitKey::new(&format!("trait_{number}")).expect("sound");
    (key, TraitDeclaration { kind: TraitKind::Number, writer: TraitWriter::Server })
}

pub fn grants() -> impl Iterator<Item = Resource> {
    let grant = |number: u64, what: &str, permission| Grant {
        name: network().grant(&format!("{what}{number}")).expect("sound"),
        grantee: brand(number),
        permission,
    };
    (0..BRANDS).flat_map(move |number| {
        [grant(number, "places", Permission::TargetPlaces), grant(number, "people", Permission::ReachApp(app_name()))]
            .map(Resource::from)
    })
}

fn east_of(position: Position, metres: f64) -> Position {
    let degree = METRES_PER_DEGREE * position.latitude().to_radians().cos();
    Position::new(position.latitude(), position.longitude() + metres / degree).expect("sound")
}

fn mall(number: usize, middle: Position, is_circle: bool) -> impl Iterator<Item = Resource> {
    let circle = |position, radius_m| Shape::Circle(Circle::new(position, radius_m).expect("sound"));
    let fence = |id: String, shape, store, tag| Geofence {
        name: network().geofence(&id).expect("sound"),
        display_name: id,
        shape,
        store,
        tags: BTreeSet::from([Tag::new(tag).expect("sound")]),
        detection: Detection::default(),
        source: None,
    };
    let shops = (0..SHOPS).flat_map(move |shop| {
        let position = east_of(middle, (shop as f64 - (SHOPS - 1) as f64 / 2.0) * APART_M);
        let store = Store {
            name: network().store(&format!("shop{number}-{shop}")).expect("sound"),
            display_name: format!("Shop {shop}"),
            position,
            time_zone: TimeZone::new("Europe/Rome").expect("sound"),
            address: format!("High Street {shop}"),
            brand: String::new(),
            opening_hours: Default::default(),
            country: None,
            source: None,
            tags: BTreeSet::from([Tag::new("shop").expect("sound")]),
        };
        let around = fence(format!("shop{number}-{shop}"), circle(position, 60.0), Some(store.name.clone()), "fence");
        [Resource::from(store), around.into()]
    });
    let outline = if is_circle { circle(middle, MALL_M) } else { drawn(middle) };
    shops.chain([fence(format!("mall{number}"), outline, None, "mall").into()])
}

/// A mall as a polygon.
fn drawn(middle: Position) -> Shape {
    let corner = |i: u32| {
        let (up, across) = (f64::from(i % CORNERS) / f64::from(CORNERS) * std::f64::consts::TAU).sin_cos();
        let corner = east_of(middle, MALL_M * across);
        [corner.longitude(), corner.latitude() + MALL_M * up / METRES_PER_DEGREE]
    };
    Shape::Polygons(Polygons::new(&vec![vec![(0..=CORNERS).map(corner).collect()]]).expect("sound"))
}

/// A tenth for arriving at a mall, the others for staying and leaving; and three for coming to a shop.
fn campaigns() -> impl Iterator<Item = Resource> {
    let minutes = |minutes: u64| On::Dwelt { after: Duration::from_secs(minutes * 60) };
    // Of every brand.
    let at_mall = move |number: u64| match number / BRANDS % 10 {
        0 => On::Entered,
        1..4 => On::Exited,
        4..7 => minutes(10),
        _ => minutes(30),
    };
    let malls = (0..CAMPAIGNS).map(move |number| campaign(number, at_mall(number), tagged("mall")));
    let at_shop = [On::Entered, On::Entered, On::Near { radius_m: 60 }];
    let shops = (CAMPAIGNS..).zip(at_shop).map(|(number, on)| campaign(number, on, tagged("shop")));
    malls.chain(shops).map(Resource::from)
}

fn tagged(tag: &str) -> Target {
    Target::Tagged { network: network(), tags: BTreeSet::from([Tag::new(tag).expect("sound")]) }
}

pub fn campaign(number: u64, on: On, at: Target) -> Campaign {
    Campaign {
        name: brand(number).campaign(&format!("c{number}")).expect("sound"),
        display_name: format!("Campaign {number}"),
        state: CampaignState::Active,
        audience: Audience::new(rule(number)).expect("sound"),
        content: Content::new("Two for one", "Only today, only here.", "", "https://example.org/two", None)
            .expect("sound"),
        topics: BTreeSet::from([Topic::new(&format!("topic-{}", number % 12)).expect("sound")]),
        trigger: Trigger { on, at, visit: Default::default() },
        limits: Limits { per_profile: vec![Cap::rolling(1, DAY * 7)], cool_down: DAY, ..Limits::default() },
        weight: Weight::new(1.0 + (number % 7) as f64).expect("sound"),
        priority: Default::default(),
        coupon: None,
        experiment: None,
        testers: Default::default(),
    }
}

/// Five terms; two campaigns of three want an interest that the person has.
fn rule(number: u64) -> Rule {
    let compare = |key: &str, comparison, value: f64| Rule::Trait {
        key: TraitKey::new(key).expect("sound"),
        comparison,
        value: TraitValue::Number(value),
    };
    let interest = |topic: &str, at_least| Rule::Interest { topic: Topic::new(topic).expect("sound"), at_least };
    Rule::All(vec![
        Rule::Consent(Purpose::Profiling),
        compare("trait_3", Comparison::AtLeast, 2.0),
        compare("trait_7", Comparison::LessThan, 9.0),
        Rule::Any(vec![
            interest("topic-11", 0.5),
            interest("topic-8", if number.is_multiple_of(3) { 0.9 } else { 0.3 }),
        ]),
    ])
}
