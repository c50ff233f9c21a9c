//! What a brand is told of campaigns that make no offer is the same whoever comes, whatever it probes with.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    decide::{Question, decide},
    fixture::{app, at, campaign, catalog, consents, device_name, geofence, here, metres, person, store},
};
use crate::domain::{
    audience::{Audience, Rule},
    budget::{Budget, Period, Unit},
    campaign::{Campaign, On, Target},
    consent::Purpose,
    decision::Verdict,
    experiment::{Experiment, Variant},
    opening::OpeningHours,
    place::PlaceName,
    profile::Profile,
    reason::Of,
    schedule::{Clock, Weekdays, WhileOpen, Window},
    text::{ExperimentId, Topic, VariantId},
    time::{QuietHours, TimeOfDay, TimeZone},
};

/// Whatever a person may be, as bits: agreed to marketing, to profiling, muted the brand, likes tea, lives far east, has
/// been offered everything.
fn somebody(bits: u8, offered: &[Campaign]) -> Profile {
    let is = |bit: u8| bits >> bit & 1 == 1;
    let mut person = person();
    let all = [(true, Purpose::Location), (is(0), Purpose::Marketing), (is(1), Purpose::Profiling)];
    let agreed: Vec<Purpose> = all.into_iter().filter(|(agreed, _)| *agreed).map(|(_, purpose)| purpose).collect();
    person.consents = consents(&agreed);
    if is(2) {
        person.muted.insert(super::fixture::acme());
    }
    if is(3) {
        person.personal_of_record_mut().interests.insert(Topic::new("tea").expect("sound"), 1.0);
    }
    let device = person.devices.get_mut(&device_name()).expect("there");
    device.time_zone = is(4).then(|| TimeZone::new("Asia/Tokyo").expect("known"));
    if is(5) {
        let given = offered.iter().enumerate().map(|(i, campaign)| {
            let id = crate::domain::offer::OfferId::new(at(-60), i as u128);
            crate::domain::offer::GivenOffer::new(id, campaign.name.clone(), device_name(), at(-60))
        });
        std::sync::Arc::make_mut(&mut person.offers).extend(given);
    }
    person
}

/// A campaign for those who like tea, with whatever else a brand may set, as bits.
fn probe(number: usize, bits: u16) -> Campaign {
    let is = |bit: u8| bits >> bit & 1 == 1;
    let mut probe = campaign(&format!("p{number}"), On::Entered, "geofences/quay");
    if is(0) {
        let kiosk = PlaceName::parse("organizations/acme/stores/kiosk").expect("sound");
        (probe.trigger.on, probe.trigger.at) = (On::Near { radius_m: 100 }, Target::Places(BTreeSet::from([kiosk])));
    }
    let likes_tea = Rule::Interest { topic: Topic::new("tea").expect("sound"), at_least: 0.5 };
    probe.audience = Audience::new(if is(1) { likes_tea } else { Rule::Not(Box::new(likes_tea)) }).expect("sound");
    probe.limits.ends_at = is(2).then(|| at(-10));
    let hours = Window {
        days: Weekdays::ALL,
        from: TimeOfDay::new(11, 0).expect("sound"),
        to: TimeOfDay::new(13, 0).expect("sound"),
    };
    probe.limits.schedule.windows = is(3).then_some(hours).into_iter().collect();
    probe.limits.schedule.clock = if is(4) { Clock::Person } else { Clock::Store };
    probe.limits.schedule.only_while_open = is(5).then_some(WhileOpen { last_call: Duration::ZERO });
    let limit = if is(6) { 0 } else { 5 };
    probe.limits.budgets =
        vec![Budget { unit: Unit::Offers, limit, period: Period::Whole, per_store: false, time_zone: None }];
    let variant = |id| Variant { id: VariantId::new(id).expect("sound"), weight: 1, content: None };
    let experiment = || Experiment {
        id: ExperimentId::new("e").expect("sound"),
        variants: vec![variant("a"), variant("b")],
        holdout_percent: 50,
    };
    probe.experiment = is(7).then(experiment);
    probe.trigger.visit.at_least = if is(8) { 2 } else { 1 };
    probe
}

/// Of each campaign what its brand is told: none if an offer was made, else the code, if it is told one.
fn told(campaigns: &[Campaign], person: &Profile, most: u32) -> Vec<Option<Option<&'static str>>> {
    let mut kiosk = store("kiosk", 0.0);
    kiosk.opening_hours = OpeningHours::new("Mo-Su 14:00-15:00").expect("sound");
    let mut world = vec![geofence("quay", 0.0, 100.0).into(), kiosk.into()];
    world.extend(campaigns.iter().cloned().map(Into::into));
    let quiet_hours =
        Some(QuietHours { from: TimeOfDay::new(21, 0).expect("sound"), to: TimeOfDay::new(9, 0).expect("sound") });
    let (catalog, app, device, exhausted) = (catalog(world), app(), device_name(), BTreeSet::new());
    let app = crate::domain::organization::App { quiet_hours, ..app };
    let ping = &crate::domain::ping::Ping { max_offers: most, ..here(0, metres(0.0, 0.0)) };
    let question = Question {
        catalog: &catalog,
        app: &app,
        profile: person,
        device: &device,
        ping,
        seed: 7,
        exhausted: &exhausted,
    };
    let decision = decide(&question).decision;
    let of = |campaign: &Campaign| {
        let line = decision.considered.iter().find(|line| line.campaign == campaign.name).expect("considered");
        match &line.verdict {
            Verdict::Chosen(_) => None,
            Verdict::Refused(reason) => Some((reason.of() == Of::Campaign).then(|| reason.code())),
        }
    };
    campaigns.iter().map(of).collect()
}

proptest! {
    #[test]
    fn what_gives_nobody_anything_tells_nothing_of_anybody(
        probes in prop::collection::vec(0_u16..512, 1..6), one in 0_u8..64, other in 0_u8..64, most in 0_u32..4,
    ) {
        let campaigns: Vec<Campaign> = probes.iter().enumerate().map(|(i, &bits)| probe(i, bits)).collect();
        let [one, other] = [one, other].map(|bits| told(&campaigns, &somebody(bits, &campaigns), most));
        for ((campaign, one), other) in campaigns.iter().zip(one).zip(other) {
            // Who gets an offer can be told from who gets none, and nobody else from anybody.
            if let (Some(one), Some(other)) = (one, other) {
                prop_assert_eq!(one, other, "{}", campaign.name);
            }
        }
    }
}
