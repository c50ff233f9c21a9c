//! What a decision was made of, but for the catalog and the chance: those are named by its receipt.
//!
//! Law 5: it is all that was seen, so the same decision comes of it. Law 4: positions are in it, so it is of whoever agrees
//! to location, with readings that may tell where they were; and what nobody may decide by is not in it.

use std::collections::BTreeSet;

use super::{
    budget::AccountId,
    consent::{Consented, Location, Profiling},
    decision::Considered,
    name::DeviceName,
    ping::Ping,
    profile::{Personal, Profile},
};

/// The inputs of one decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// As it was before the decision, with what only caches know.
    pub profile: Profile,
    pub device: DeviceName,
    pub ping: Ping,
    /// Accounts of campaigns that were considered, of which nothing was left for this ping.
    pub exhausted: BTreeSet<AccountId>,
}

impl Inputs {
    /// What may be kept. None of a ping with a reading from before the consent to location, or of whoever had the device
    /// before: that reading tells where somebody was who agreed to nothing.
    pub fn of(
        _permit: Consented<Location>,
        profile: &Profile,
        device: &DeviceName,
        ping: &Ping,
        (considered, exhausted): (&[Considered], &BTreeSet<AccountId>),
    ) -> Option<Self> {
        let presence = &profile.devices.get(device)?.presence;
        let fixes = ping.fixes.iter().map(|fix| fix.read);
        let sightings = ping.sightings.iter().map(|sighting| sighting.read);
        let event = ping.event.iter().map(|event| event.read);
        if !fixes.chain(sightings).chain(event).all(|read| presence.may_locate(read)) {
            return None;
        }
        let mut profile = profile.clone();
        if profile.consents.permit::<Profiling>().is_none() {
            *profile.personal_of_record_mut() = Personal::default();
        }
        // No other was asked about.
        let is_asked = |account: &&AccountId| considered.iter().any(|one| account.is_of(&one.campaign));
        let exhausted = exhausted.iter().filter(is_asked).cloned().collect();
        Some(Self { profile, device: device.clone(), ping: ping.clone(), exhausted })
    }

    /// Whether traits, interests or visits may be in it, which are there for profiling alone.
    pub fn is_profiled(&self) -> bool {
        self.profile.consents.permit::<Profiling>().is_some()
    }

    /// Whether this person, whose it is now, agrees to all that is in it.
    pub fn is_agreed_by(&self, profile: &Profile) -> bool {
        let is_profiling_agreed = !self.is_profiled() || profile.consents.permit::<Profiling>().is_some();
        profile.consents.permit::<Location>().is_some() && is_profiling_agreed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        audience::TraitValue,
        consent::{Consent, Consents, Purpose},
        geo::Position,
        name::AppName,
        ping::{Accuracy, ClockReading, Fix, PingId},
        presence::DevicePresence,
        profile::{Device, Platform},
        text::TraitKey,
        time::Timestamp,
    };

    fn now() -> Timestamp {
        Timestamp::from_micros(1_780_315_200_000_000)
    }

    fn person(purposes: &[Purpose], located_since: Option<Timestamp>) -> (Profile, DeviceName) {
        let app = AppName::parse("organizations/acme/apps/shopper").expect("sound");
        let mut consents = Consents::default();
        for purpose in purposes {
            consents.set(*purpose, Consent { granted: true, text_version: "1".into(), given_at: now() });
        }
        let traits = [(TraitKey::new("tier").expect("sound"), TraitValue::Text("gold".into()))].into();
        let personal = Personal { traits, ..Personal::default() };
        let mut profile = Profile::new(app.profile("ann").expect("sound"), now(), consents, personal);
        let device = Device {
            language: "en".into(),
            platform: Platform::Other,
            time_zone: None,
            app_version: None,
            test: false,
            token_epoch: 0,
            registered_at: now(),
            presence: DevicePresence { located_since, ..DevicePresence::default() },
        };
        let name = app.device("phone").expect("sound");
        profile.devices.insert(name.clone(), device);
        (profile, name)
    }

    /// With one fix of a minute ago.
    fn ping() -> Ping {
        let clock = ClockReading { sent_at: now(), received_at: now() };
        let fix = Fix {
            position: Position::new(60.0, 25.0).expect("sound"),
            accuracy: Accuracy::new(5.0).expect("sound"),
            speed_mps: None,
            mocked: false,
            read: clock.reading(now() - Duration::from_secs(60)),
        };
        let id = PingId::new("ping-0001").expect("sound");
        Ping { id, clock, fixes: vec![fix], sightings: vec![], event: None, max_offers: 3, reported_through: None }
    }

    fn kept(purposes: &[Purpose], located_since: Option<Timestamp>) -> Option<Inputs> {
        let (profile, device) = person(purposes, located_since);
        Inputs::of(profile.consents.permit()?, &profile, &device, &ping(), (&[], &BTreeSet::new()))
    }

    #[test]
    fn nothing_is_kept_of_whoever_agrees_to_no_location_nor_of_a_reading_from_before() {
        assert_eq!(kept(&[Purpose::Marketing, Purpose::Profiling], None), None);
        assert_eq!(kept(&Purpose::ALL, Some(now() - Duration::from_secs(59))), None);
        let whole = kept(&Purpose::ALL, Some(now() - Duration::from_secs(60))).expect("kept");
        assert_eq!((&whole.ping, whole.is_profiled()), (&ping(), true));
    }

    #[test]
    fn what_only_profiling_may_read_is_kept_with_that_consent_alone() {
        let (profile, _) = person(&Purpose::ALL, None);
        assert_eq!(kept(&Purpose::ALL, None).expect("kept").profile, profile);
        let shy = kept(&[Purpose::Location, Purpose::Marketing], None).expect("kept");
        assert!(shy.profile.personal_of_record().traits.is_empty() && !shy.is_profiled());
    }
}
