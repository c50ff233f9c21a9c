//! A profile as a message and back: consents, offers, traits, interests and visits; its devices are in [`super::device`].

use std::sync::Arc;

use super::{ENCODING, Undecodable, at, state};
use crate::domain::{
    audience::TraitValue,
    campaign::Priority,
    consent::{Consent, Consents, Purpose},
    name::{CampaignName, DeviceName, OrganizationName, ProfileName},
    offer::{GivenOffer, OfferId},
    place::PlaceName,
    profile::{Personal, Profile, Revision},
    text::{Topic, TraitKey},
    time::Timestamp,
    visits::{VisitedPlace, Visits},
};

/// In microseconds.
const SECOND: i64 = 1_000_000;

impl From<&Profile> for state::Profile {
    fn from(profile: &Profile) -> Self {
        let personal = profile.personal_of_record();
        Self {
            encoding: ENCODING,
            name: profile.name.to_string(),
            version: profile.revision.version,
            soft: profile.revision.soft,
            created_at: profile.created_at.micros(),
            consents: profile.consents.iter().map(consent).collect(),
            muted: profile.muted.iter().map(ToString::to_string).collect(),
            devices: profile.devices.iter().map(Into::into).collect(),
            offers: profile.offers.iter().map(Into::into).collect(),
            traits: personal.traits.iter().map(a_trait).collect(),
            interests: personal.interests.iter().map(interest).collect(),
            visits: profile.visits_of_record().iter().map(visited).collect(),
            redeemed: profile.redeemed.iter().map(redeemed).collect(),
        }
    }
}

impl TryFrom<state::Profile> for Profile {
    type Error = Undecodable;

    fn try_from(message: state::Profile) -> Result<Self, Undecodable> {
        let name = at("name", ProfileName::parse(&message.name))?;
        let created_at = Timestamp::from_micros(message.created_at);
        let personal = Personal {
            traits: message.traits.into_iter().map(read_trait).collect::<Result<_, _>>()?,
            interests: message.interests.into_iter().map(read_interest).collect::<Result<_, _>>()?,
        };
        let mut profile = Profile::new(name, created_at, read_consents(message.consents)?, personal);
        profile.revision = Revision { version: message.version, soft: message.soft };
        let muted = message.muted.iter().map(|brand| at("muted", OrganizationName::parse(brand)));
        profile.muted = muted.collect::<Result<_, _>>()?;
        profile.devices = message.devices.into_iter().map(super::device::read).collect::<Result<_, _>>()?;
        let visits = message.visits.into_iter().map(read_visited).collect::<Result<_, _>>()?;
        *profile.visits_of_record_mut() = Visits::new(visits);
        profile.offers = Arc::new(message.offers.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?);
        profile.redeemed = Arc::new(message.redeemed.iter().map(read_redeemed).collect::<Result<_, _>>()?);
        Ok(profile)
    }
}

fn consent((purpose, consent): (Purpose, &Consent)) -> state::Consent {
    let purpose = match purpose {
        Purpose::Location => state::Purpose::Location,
        Purpose::Marketing => state::Purpose::Marketing,
        Purpose::Profiling => state::Purpose::Profiling,
    };
    state::Consent {
        purpose: purpose.into(),
        granted: consent.granted,
        text_version: consent.text_version.clone(),
        given_at: consent.given_at.micros(),
    }
}

fn read_consents(messages: Vec<state::Consent>) -> Result<Consents, Undecodable> {
    let mut consents = Consents::default();
    for message in messages {
        let purpose = match message.purpose() {
            state::Purpose::Location => Purpose::Location,
            state::Purpose::Marketing => Purpose::Marketing,
            state::Purpose::Profiling => Purpose::Profiling,
            state::Purpose::Unspecified => return Err(Undecodable::missing("consents.purpose")),
        };
        let given_at = Timestamp::from_micros(message.given_at);
        consents.set(purpose, Consent { granted: message.granted, text_version: message.text_version, given_at });
    }
    Ok(consents)
}

fn a_trait((key, value): (&TraitKey, &TraitValue)) -> state::Trait {
    let value = match value {
        TraitValue::Text(text) => state::r#trait::Value::Text(text.clone()),
        TraitValue::Number(number) => state::r#trait::Value::Number(*number),
        TraitValue::Flag(flag) => state::r#trait::Value::Flag(*flag),
        TraitValue::Date(date) => state::r#trait::Value::Date(date.to_string()),
    };
    state::Trait { key: key.to_string(), value: Some(value) }
}

fn read_trait(message: state::Trait) -> Result<(TraitKey, TraitValue), Undecodable> {
    let value = match message.value.ok_or(Undecodable::missing("traits.value"))? {
        state::r#trait::Value::Text(text) => TraitValue::Text(text),
        state::r#trait::Value::Number(number) => TraitValue::Number(number),
        state::r#trait::Value::Flag(flag) => TraitValue::Flag(flag),
        state::r#trait::Value::Date(date) => at("traits.date", TraitValue::date(&date))?,
    };
    Ok((at("traits.key", TraitKey::new(&message.key))?, value))
}

fn interest((topic, strength): (&Topic, &f64)) -> state::Interest {
    state::Interest { topic: topic.to_string(), strength: *strength }
}

fn read_interest(message: state::Interest) -> Result<(Topic, f64), Undecodable> {
    Ok((at("interests.topic", Topic::new(&message.topic))?, message.strength))
}

/// A name once for all of its visits, and times as steps: a visit takes three bytes then.
fn visited(known: &VisitedPlace) -> state::VisitedPlace {
    let mut last = 0;
    let steps = known.begun.iter().map(|begun| {
        let second = begun.micros().div_euclid(SECOND);
        second - std::mem::replace(&mut last, second)
    });
    state::VisitedPlace { begun: steps.collect(), place: known.place.to_string() }
}

fn read_visited(message: state::VisitedPlace) -> Result<VisitedPlace, Undecodable> {
    let place = at("visits.place", PlaceName::parse(&message.place))?;
    let mut last = 0_i64;
    let begun = message.begun.into_iter().map(|step| {
        last = last.saturating_add(step);
        Timestamp::from_micros(last.saturating_mul(SECOND))
    });
    Ok(VisitedPlace { begun: begun.collect(), place })
}

fn redeemed((campaign, at): (&CampaignName, &Timestamp)) -> state::Redeemed {
    state::Redeemed { campaign: campaign.to_string(), at: at.micros() }
}

fn read_redeemed(message: &state::Redeemed) -> Result<(CampaignName, Timestamp), Undecodable> {
    let campaign = at("redeemed.campaign", CampaignName::parse(&message.campaign))?;
    Ok((campaign, Timestamp::from_micros(message.at)))
}

fn priority(priority: Priority) -> state::Priority {
    match priority {
        Priority::Low => state::Priority::Low,
        Priority::Normal => state::Priority::Unspecified,
        Priority::High => state::Priority::High,
    }
}

fn read_priority(message: state::Priority) -> Priority {
    match message {
        state::Priority::Low => Priority::Low,
        state::Priority::Unspecified => Priority::Normal,
        state::Priority::High => Priority::High,
    }
}

impl From<&GivenOffer> for state::GivenOffer {
    fn from(given: &GivenOffer) -> Self {
        Self {
            id: given.id.to_string(),
            campaign: given.campaign.to_string(),
            device: given.device.to_string(),
            offered_at: given.offered_at.micros(),
            shown_at: given.shown_at.map(Timestamp::micros),
            opened_at: given.opened_at.map(Timestamp::micros),
            dismissed_at: given.dismissed_at.map(Timestamp::micros),
            returned_at: given.returned_at.map(Timestamp::micros),
            claimed_at: given.claimed_at.map(Timestamp::micros),
            redeemed_at: given.redeemed_at.map(Timestamp::micros),
            reversed_at: given.reversed_at.map(Timestamp::micros),
            priority: priority(given.priority).into(),
            ghost: given.ghost,
            trial: given.trial,
        }
    }
}

impl TryFrom<state::GivenOffer> for GivenOffer {
    type Error = Undecodable;

    fn try_from(message: state::GivenOffer) -> Result<Self, Undecodable> {
        Ok(Self {
            priority: read_priority(message.priority()),
            ghost: message.ghost,
            trial: message.trial,
            id: at("offers.id", OfferId::parse(&message.id))?,
            campaign: at("offers.campaign", CampaignName::parse(&message.campaign))?,
            device: at("offers.device", DeviceName::parse(&message.device))?,
            offered_at: Timestamp::from_micros(message.offered_at),
            shown_at: message.shown_at.map(Timestamp::from_micros),
            opened_at: message.opened_at.map(Timestamp::from_micros),
            dismissed_at: message.dismissed_at.map(Timestamp::from_micros),
            returned_at: message.returned_at.map(Timestamp::from_micros),
            claimed_at: message.claimed_at.map(Timestamp::from_micros),
            redeemed_at: message.redeemed_at.map(Timestamp::from_micros),
            reversed_at: message.reversed_at.map(Timestamp::from_micros),
        })
    }
}
