//! ExplainCampaign on the wire: what is asked, personas, and the explanation.
//!
//! Law 8: every fault of a persona is told with all others.

use crate::{
    app::{
        explanations::{Wanted, Whom},
        profile_patch::MAX_INTERESTS,
    },
    domain::{
        app_version::AppVersion,
        consent::{Consent, Consents, Purpose},
        language::language,
        name::{AppName, CampaignName, DeviceName, OrganizationName, ProfileName},
        offer::{GivenOffer, OfferId},
        organization::MAX_TRAITS,
        place::PlaceName,
        profile::{Device, Personal, Platform, Profile},
        text::{Topic, TraitKey},
        time::{TimeZone, Timestamp},
        violation::{Invalid, Violations, at_most},
    },
    engine::explain::{Answer, Explanation, Flip},
    grpc::{
        audience_wire::trait_value,
        pb::{self, explain_campaign_request::Whom as Wire},
        wire::{optional_timestamp, platform, purpose, timestamp, timestamp_to_wire},
    },
};

/// Most visits and most offers of a persona: what profiles remember of a real person is about as much.
const MAX_PAST: usize = 256;
/// Most brands that a persona mutes.
const MAX_MUTED: usize = 100;
/// Farthest from the place, in metres.
const MAX_DISTANCE_M: f64 = 100_000.0;
/// What comes before the name that experiments draw a persona by: by that of a real person a brand would read their arm.
/// Nobody known has an id that begins like those of anonymous profiles, and those go on with a digit of sixteen.
const NOBODY: &str = "anon-up";

pub fn wanted(request: pb::ExplainCampaignRequest, now: Timestamp) -> Result<Wanted, Violations> {
    let pb::ExplainCampaignRequest { campaign, whom: who, place, time, distance_m, device } = request;
    let mut wrong = Violations::default();
    let campaign = wrong.take("campaign", CampaignName::parse(&campaign));
    let asked_about = optional_timestamp(time).ok().map(|at| at.unwrap_or(now));
    let device = wrong.take("device", unless_empty(&device, DeviceName::parse));
    if matches!(who, Some(Wire::Persona(_))) && device.as_ref().is_some_and(Option::is_some) {
        wrong.add("device", "must be empty with a persona, which has one of its own");
    }
    let whom = match who {
        None => wrong.take("", Err(Invalid::new("needs a profile or a persona"))),
        Some(Wire::Profile(name)) => {
            let name = wrong.take("profile", ProfileName::parse(&name));
            name.zip(device).map(|(name, device)| Whom::Person(name, device))
        }
        Some(Wire::Persona(made_up)) => wrong.nest("persona", persona(*made_up, asked_about)),
    };
    let place = wrong.take("place", PlaceName::parse(&place));
    let at = wrong.take("time", optional_timestamp(time));
    let distance_m = distance_m.unwrap_or_default();
    if !(0.0..=MAX_DISTANCE_M).contains(&distance_m) {
        wrong.add("distance_m", format!("must be 0 to {MAX_DISTANCE_M} metres, was {distance_m}"));
    }
    let wanted = (|| Some(Wanted { campaign: campaign?, whom: whom?, place: place?, at: at?, distance_m }))();
    wrong.finish(wanted)
}

fn unless_empty<T>(text: &str, read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// What was, was until that time, if it is known.
fn persona(wire: pb::Persona, until: Option<Timestamp>) -> Result<Whom, Violations> {
    let pb::Persona {
        app,
        name,
        traits,
        interests,
        without,
        language: tag,
        platform: system,
        time_zone,
        app_version,
        visits,
        offers,
        muted_brands,
    } = wire;
    let mut wrong = Violations::default();
    let app = wrong.take("app", AppName::parse(&app));
    let name = if name.is_empty() { NOBODY.to_owned() } else { format!("{NOBODY}.{name}") };
    let name = app.and_then(|app| {
        let profile = wrong.take("name", app.profile(&name))?;
        Some((app.device(&name).ok()?, profile))
    });
    let consents = consents(&mut wrong, &without);
    let personal = personal(&mut wrong, traits, interests);
    let device = device(&mut wrong, (&tag, system), &time_zone, &app_version);
    let muted = muted(&mut wrong, &muted_brands);
    let visits = past(&mut wrong, "visits", visits, |one| visit(one, until));
    let given_to = name.as_ref().map(|(device, _)| device);
    let offers = past(&mut wrong, "offers", offers, |one| offer(one, given_to, until));
    let whom = name.as_ref().zip(device).map(|((device_name, name), device)| {
        let mut profile = Profile::new(name.clone(), Timestamp::default(), consents, personal);
        profile.devices.insert(device_name.clone(), device.clone());
        profile.muted = muted;
        let mut visits: Vec<(PlaceName, Timestamp)> = visits.into_iter().collect();
        visits.sort_by_key(|(_, at)| *at);
        visits.iter().for_each(|(place, at)| profile.visits_of_record_mut().note(place, *at, *at));
        let mut offers: Vec<GivenOffer> = offers.into_iter().flatten().collect();
        offers.sort_by_key(|offer| offer.offered_at);
        profile.offers = offers.into();
        Whom::Persona(Box::new(profile), Box::new(device))
    });
    wrong.finish(whom)
}

/// Whatever is not refused is agreed to.
fn consents(wrong: &mut Violations, without: &[i32]) -> Consents {
    wrong.take("without", at_most(Purpose::ALL.len(), without.len()));
    let each = without.iter().enumerate().take(Purpose::ALL.len());
    let refused: Vec<Purpose> =
        each.filter_map(|(i, wire)| wrong.take(format!("without[{i}]"), purpose(*wire))).collect();
    let mut consents = Consents::default();
    for purpose in Purpose::ALL {
        let granted = !refused.contains(&purpose);
        consents.set(purpose, Consent { granted, text_version: String::new(), given_at: Timestamp::default() });
    }
    consents
}

fn personal(
    wrong: &mut Violations,
    traits: std::collections::HashMap<String, pb::TraitValue>,
    interests: std::collections::HashMap<String, f64>,
) -> Personal {
    let mut personal = Personal::default();
    wrong.take("traits", at_most(MAX_TRAITS, traits.len()));
    wrong.take("interests", at_most(MAX_INTERESTS, interests.len()));
    for (word, value) in traits.into_iter().take(MAX_TRAITS) {
        let field = format!("traits[{word:?}]");
        let value = wrong.take(field.as_str(), trait_value(Some(value)));
        personal.traits.extend(wrong.take(field, TraitKey::new(&word)).zip(value));
    }
    for (word, strength) in interests.into_iter().take(MAX_INTERESTS) {
        let field = format!("interests[{word:?}]");
        if !(0.0..=1.0).contains(&strength) {
            wrong.add(field.as_str(), format!("must be 0 to 1, was {strength}"));
        }
        personal.interests.extend(wrong.take(field, Topic::new(&word)).map(|topic| (topic, strength)));
    }
    personal
}

fn device(wrong: &mut Violations, (tag, system): (&str, i32), zone: &str, version: &str) -> Option<Device> {
    let language = wrong.take("language", unless_empty(tag, language));
    let platform = match system {
        0 => Some(Platform::Other),
        system => wrong.take("platform", platform(system)),
    };
    let time_zone = wrong.take("time_zone", unless_empty(zone, TimeZone::new));
    let app_version = wrong.take("app_version", unless_empty(version, AppVersion::parse));
    Some(Device {
        language: language?.unwrap_or_else(|| "en".to_owned()),
        platform: platform?,
        time_zone: time_zone?,
        app_version: app_version?,
        test: false,
        token_epoch: 0,
        registered_at: Timestamp::default(),
        presence: Default::default(),
    })
}

fn muted(wrong: &mut Violations, brands: &[String]) -> std::collections::BTreeSet<OrganizationName> {
    wrong.take("muted_brands", at_most(MAX_MUTED, brands.len()));
    let each = brands.iter().enumerate().take(MAX_MUTED);
    each.filter_map(|(i, brand)| wrong.take(format!("muted_brands[{i}]"), OrganizationName::parse(brand))).collect()
}

/// What is too much is refused before it is read.
fn past<W, T>(wrong: &mut Violations, field: &str, wire: Vec<W>, read: impl Fn(W) -> Result<T, Violations>) -> Vec<T> {
    wrong.take(field, at_most(MAX_PAST, wire.len()));
    let each = wire.into_iter().enumerate().take(MAX_PAST);
    each.filter_map(|(i, one)| wrong.nest(format_args!("{field}[{i}]"), read(one))).collect()
}

fn visit(wire: pb::PersonaVisit, until: Option<Timestamp>) -> Result<(PlaceName, Timestamp), Violations> {
    let mut wrong = Violations::default();
    let place = wrong.take("place", PlaceName::parse(&wire.place));
    let at = wrong.take("time", timestamp(wire.time));
    in_order(&mut wrong, ("time", at), ("the time asked about", until));
    wrong.finish(place.zip(at))
}

/// None while the device it was given to has no name.
fn offer(
    wire: pb::PersonaOffer,
    device: Option<&DeviceName>,
    until: Option<Timestamp>,
) -> Result<Option<GivenOffer>, Violations> {
    let pb::PersonaOffer { campaign, time, shown_time, opened_time, redeemed_time } = wire;
    let mut wrong = Violations::default();
    let campaign = wrong.take("campaign", CampaignName::parse(&campaign));
    let at = wrong.take("time", timestamp(time));
    let shown_at = wrong.take("shown_time", optional_timestamp(shown_time)).flatten();
    let opened_at = wrong.take("opened_time", optional_timestamp(opened_time)).flatten();
    let redeemed_at = wrong.take("redeemed_time", optional_timestamp(redeemed_time)).flatten();
    let became = [("shown_time", shown_at), ("opened_time", opened_at), ("redeemed_time", redeemed_at)];
    for (field, then) in [("time", at)].into_iter().chain(became) {
        in_order(&mut wrong, (field, then), ("the time asked about", until));
    }
    became.into_iter().for_each(|(field, then)| in_order(&mut wrong, ("time", at), (field, then)));
    in_order(&mut wrong, ("shown_time", shown_at), ("opened_time", opened_at));
    let offer = campaign.zip(at).map(|(campaign, at)| {
        let given = GivenOffer::new(OfferId::new(at, 0), campaign, device?.clone(), at);
        Some(GivenOffer { shown_at: shown_at.or(opened_at), opened_at, redeemed_at, ..given })
    });
    wrong.finish(offer)
}

/// Refuses a time after what cannot have been before it, if both are known.
fn in_order(wrong: &mut Violations, (field, at): (&str, Option<Timestamp>), (later, then): (&str, Option<Timestamp>)) {
    if let Some((at, then)) = at.zip(then).filter(|(at, then)| then < at) {
        wrong.add(field, format!("must not be after {later}, {then}, was {at}"));
    }
}

pub fn explanation_to_wire(explanation: &Explanation, at: Timestamp) -> pb::Explanation {
    let Explanation { would_offer, place, answers, flips, at: next, variant } = explanation;
    pb::Explanation {
        would_offer: *would_offer,
        time: Some(timestamp_to_wire(at)),
        gates: answers.iter().map(answer_to_wire).collect(),
        changes: flips.iter().map(flip_to_wire).collect(),
        next_time: next.map(timestamp_to_wire),
        variant: variant.clone().unwrap_or_default(),
        place: place.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn answer_to_wire(answer: &Answer) -> pb::GateAnswer {
    let refusal =
        |(code, words): &(&'static str, String)| pb::Refusal { code: (*code).to_owned(), description: words.clone() };
    pb::GateAnswer { gate: answer.gate.to_owned(), refused: answer.refusal.as_ref().map(refusal) }
}

fn flip_to_wire(flip: &Flip) -> pb::RequiredChange {
    pb::RequiredChange {
        gate: flip.gate.to_owned(),
        description: flip.words.clone(),
        time: flip.at.map(timestamp_to_wire),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_told() {
        let app = "organizations/acme/apps/shopper".to_owned();
        let named = |name: &str| {
            let named =
                pb::Persona { app: app.clone(), name: name.into(), language: "en".into(), ..Default::default() };
            persona(named, None)
        };
        assert!(named(&"a".repeat(56)).is_ok());
        for wrong in ["a".repeat(57), "a b".to_owned()] {
            let told = named(&wrong).expect_err("refused");
            assert_eq!(told.iter().map(|violation| violation.field.as_str()).collect::<Vec<_>>(), ["name"]);
        }
    }

    #[test]
    fn too_much_of_a_persona_is_refused_and_not_read() {
        let persona = pb::Persona {
            app: "organizations/acme/apps/shopper".into(),
            without: vec![9; 100_000],
            ..Default::default()
        };
        let request = pb::ExplainCampaignRequest {
            campaign: "organizations/acme/campaigns/rain".into(),
            whom: Some(Wire::Persona(Box::new(persona))),
            place: "organizations/acme/stores/1".into(),
            device: "organizations/acme/apps/shopper/devices/1".into(),
            ..Default::default()
        };
        let wrong = wanted(request, Timestamp::default()).expect_err("too much");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let without = ["persona.without", "persona.without[0]", "persona.without[1]", "persona.without[2]"];
        assert_eq!(fields, [&["device"], &without[..]].concat());
    }

    #[test]
    fn nobody_real_is_called_as_a_persona() {
        for name in ["", "rain", "0198f3a27c1e7abc8def0123456789ab"] {
            let persona =
                pb::Persona { app: "organizations/acme/apps/shopper".into(), name: name.into(), ..Default::default() };
            let request = pb::ExplainCampaignRequest {
                campaign: "organizations/acme/campaigns/rain".into(),
                whom: Some(Wire::Persona(Box::new(persona))),
                place: "organizations/acme/stores/1".into(),
                ..Default::default()
            };
            let Whom::Persona(persona, _) = wanted(request, Timestamp::default()).expect("sound").whom else {
                panic!("it is made up")
            };
            let real = persona.name.app().anonymous_profile(0x0198_f3a2_7c1e_7abc_8def_0123_4567_89ab);
            assert!(persona.name.is_anonymous() && persona.name != real, "{name}");
            assert!(
                persona
                    .name
                    .id()
                    .strip_prefix("anon-")
                    .is_some_and(|id| !id.starts_with(|c: char| c.is_ascii_hexdigit()))
            );
        }
    }

    #[test]
    fn every_fault_of_a_persona_is_named() {
        let persona = pb::Persona {
            app: "shopper".into(),
            traits: [("Tier".to_owned(), pb::TraitValue::default())].into(),
            interests: [("tea".to_owned(), 1.5)].into(),
            without: vec![9],
            language: "italiano".into(),
            time_zone: "Rome".into(),
            visits: vec![pb::PersonaVisit::default()],
            offers: vec![pb::PersonaOffer { campaign: "x".into(), ..Default::default() }],
            ..Default::default()
        };
        let request = pb::ExplainCampaignRequest {
            whom: Some(Wire::Persona(Box::new(persona))),
            distance_m: Some(f64::NAN),
            ..Default::default()
        };
        let wrong = wanted(request, Timestamp::default()).expect_err("all wrong");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let expected = [
            "campaign",
            "persona.app",
            "persona.without[0]",
            "persona.traits[\"Tier\"]",
            "persona.traits[\"Tier\"]",
            "persona.interests[\"tea\"]",
            "persona.language",
            "persona.time_zone",
            "persona.visits[0].place",
            "persona.visits[0].time",
            "persona.offers[0].campaign",
            "persona.offers[0].time",
            "place",
            "distance_m",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_was_was_before_it_is_asked_about_and_in_order() {
        let at = |seconds: i64| Some(timestamp_to_wire(Timestamp::from_micros(seconds * 1_000_000)));
        let visit = |time| pb::PersonaVisit { place: "organizations/acme/stores/1".into(), time: at(time) };
        let offer = |time, shown, opened, redeemed| pb::PersonaOffer {
            campaign: "organizations/acme/campaigns/rain".into(),
            time: at(time),
            shown_time: at(shown),
            opened_time: at(opened),
            redeemed_time: at(redeemed),
        };
        let faults = |time| {
            let persona = pb::Persona {
                app: "organizations/acme/apps/shopper".into(),
                visits: vec![visit(1_000), visit(1_001)],
                offers: vec![offer(900, 900, 1_000, 900), offer(900, 899, 950, 1_001), offer(1_001, 999, 998, 899)],
                ..Default::default()
            };
            let request = pb::ExplainCampaignRequest {
                campaign: "organizations/acme/campaigns/rain".into(),
                whom: Some(Wire::Persona(Box::new(persona))),
                place: "organizations/acme/stores/1".into(),
                time,
                ..Default::default()
            };
            let wrong = wanted(request, Timestamp::from_micros(1_000_000_000)).expect_err("cannot be");
            wrong.iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
        };
        let expected = [
            "persona.visits[1].time",
            "persona.offers[1].redeemed_time",
            "persona.offers[1].time",
            "persona.offers[2].time",
            "persona.offers[2].time",
            "persona.offers[2].time",
            "persona.offers[2].time",
            "persona.offers[2].shown_time",
        ];
        assert_eq!((faults(None), faults(at(1_000))), (expected.map(str::to_owned).to_vec(), faults(None)));
    }
}
