//! A shopping street at noon: what deciding is measured on.
//!
//! Thirty shops, 20 m apart, with a geofence of 60 m each, and a mall around its middle, in a world of 100,000 circles.
//! Two hundred active campaigns of five brands at them, each with an audience of five terms, a topic and a cap; arriving in
//! the middle triggers twenty. The person agreed to everything, has ten traits and ten interests, and was given twenty
//! offers in the last weeks.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dintorni::{
    domain::{
        audience::{Audience, Comparison, Rule, TraitValue},
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
        place::{Geofence, PlaceName, Store},
        profile::{Device, Personal, Platform, Profile},
        shape::{Circle, Shape},
        text::{Topic, TraitKey},
        time::{QuietHours, TimeOfDay, TimeZone, Timestamp},
    },
    engine::{
        catalog::Catalog,
        decide::{Outcome, Question, decide},
    },
    world::{Plan, World},
};

const SHOPS: u64 = 30;
const CAMPAIGNS: u64 = 200;
const BRANDS: u64 = 5;
/// Circles of the world around.
const WORLD: u64 = 100_000;
/// Standard deviations from the centre of a town to its edge.
const EDGE: f64 = 2.5;
const DAY: Duration = Duration::from_secs(86_400);

pub struct Street {
    pub catalog: Catalog,
    middle: Position,
    app: App,
    device: DeviceName,
    exhausted: BTreeSet<dintorni::domain::budget::AccountId>,
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
impl Street {
    pub fn new() -> Self {
        let world = World::new(Plan { seed: 1, stores: 0, geofences: WORLD, circles_only: true });
        // At the edge of a town, where a handful of its circles are: in the centre somebody is inside of sixty.
        let town = world.town(7).expect("sound");
        let middle = east_of(town.centre, EDGE * town.spread_m);
        let around = (0..WORLD).map(|number| world.geofence(&network(), number).expect("sound").into());
        let app = app();
        let resources = around.chain([app.clone().into()]).chain(grants()).chain(places(middle)).chain(campaigns());
        let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
        let catalog = Catalog::default().after(&resources.map(change).collect::<Vec<_>>());
        let device = app_name().device("phone").expect("sound");
        Self { catalog, middle, app, device, exhausted: BTreeSet::new() }
    }

    /// A ping `east_m` of the middle.
    pub fn ping(&self, second: i64, east_m: f64) -> Ping {
        let clock = ClockReading { sent_at: at(second), received_at: at(second) };
        let fix = Fix {
            position: east_of(self.middle, east_m),
            accuracy: Accuracy::new(5.0).expect("sound"),
            read: clock.reading(at(second)),
            speed_mps: Some(1.2),
            mocked: false,
        };
        let id = PingId::new("0194f3a0-0000-7000-8000-000000000001").expect("sound");
        Ping { id, clock, fixes: vec![fix], sightings: Vec::new(), event: None, max_offers: 3, reported_through: None }
    }

    /// The person before the first ping.
    pub fn person(&self) -> Profile {
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
        let mut profile = Profile::new(app_name().profile("ann").expect("sound"), at(-1), consents, personal);
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

fn places(middle: Position) -> impl Iterator<Item = Resource> {
    let circle = |position, radius_m| Shape::Circle(Circle::new(position, radius_m).expect("sound"));
    let fence = |id: String, shape, store| Geofence {
        name: network().geofence(&id).expect("sound"),
        display_name: id,
        shape,
        store,
        tags: BTreeSet::new(),
        detection: Detection::default(),
        source: None,
    };
    let shops = (0..SHOPS).flat_map(move |number| {
        let position = east_of(middle, (number as f64 - 14.5) * 20.0);
        let store = Store {
            name: network().store(&format!("shop{number}")).expect("sound"),
            display_name: format!("Shop {number}"),
            position,
            time_zone: TimeZone::new("Europe/Rome").expect("sound"),
            address: format!("High Street {number}"),
            brand: String::new(),
            opening_hours: Default::default(),
            country: None,
            source: None,
            tags: BTreeSet::new(),
        };
        let around = fence(format!("shop{number}"), circle(position, 60.0), Some(store.name.clone()));
        [Resource::from(store), around.into()]
    });
    shops.chain([fence("mall".into(), circle(middle, 200.0), None).into()])
}

/// Two for arriving at each shop's geofence and one for coming near it, three for leaving and staying; the rest at the mall.
fn campaigns() -> impl Iterator<Item = Resource> {
    let minutes = |minutes: u64| On::Dwelt { after: Duration::from_secs(minutes * 60) };
    let turns = [On::Entered, On::Entered, On::Near { radius_m: 60 }, On::Exited, minutes(10), minutes(30)];
    (0..CAMPAIGNS).map(move |number| {
        let (shop, turn) = (number % SHOPS, (number / SHOPS) as usize);
        let place = |kind: &str, id: &str| format!("{}/{kind}/{id}", network());
        let (on, place) = match turns.get(turn) {
            Some(on @ On::Near { .. }) => (on.clone(), place("stores", &format!("shop{shop}"))),
            Some(on) => (on.clone(), place("geofences", &format!("shop{shop}"))),
            None => (if shop < 2 { On::Entered } else { On::Exited }, place("geofences", "mall")),
        };
        campaign(number, on, PlaceName::parse(&place).expect("sound")).into()
    })
}

pub fn campaign(number: u64, on: On, place: PlaceName) -> Campaign {
    Campaign {
        name: brand(number).campaign(&format!("c{number}")).expect("sound"),
        display_name: format!("Campaign {number}"),
        state: CampaignState::Active,
        audience: Audience::new(rule(number)).expect("sound"),
        content: Content::new("Two for one", "Only today, only here.", "", "https://example.org/two", None)
            .expect("sound"),
        topics: BTreeSet::from([Topic::new(&format!("topic-{}", number % 12)).expect("sound")]),
        trigger: Trigger { on, at: Target::Places(BTreeSet::from([place])), visit: Default::default() },
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
