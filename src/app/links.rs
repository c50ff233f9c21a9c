//! Logging in and out on a device: it moves between its anonymous profile and a person's.
//!
//! Law 1: caps and cool-downs do not start anew. That something was offered on a device goes with it, and stays with the
//! person as well. Both profiles change in one commit. Law 4: an erased person is never brought back, and a device that
//! leaves a person takes along nothing that their erasure would have to reach: which campaign was offered when, under an id
//! of its own, and not which offer it was nor what the person did with it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    devices::{new_anonymous, random},
    people::PeopleError,
    profile_edits::{ProfileEdits, next},
    profile_patch::{MAX_INTERESTS, answered},
};
use crate::{
    domain::{
        consent::{Consents, Purpose},
        name::{DeviceName, ProfileName},
        offer::{GivenOffer, OfferId},
        profile::{Device, Personal, Profile},
        time::Timestamp,
    },
    ports::{Absorbed, Commit, Entropy, Handover},
};

/// Most devices of one person: they are read and written with every ping.
pub const MAX_DEVICES: usize = 50;

/// Moves devices, and ends their tokens.
pub struct Links {
    edits: Arc<ProfileEdits>,
    entropy: Arc<dyn Entropy>,
}

impl Links {
    pub fn new(edits: Arc<ProfileEdits>, entropy: Arc<dyn Entropy>) -> Self {
        Self { edits, entropy }
    }

    /// Moves the device to the person's profile, which is made if it is not there; returns that profile.
    pub async fn link(&self, device: &DeviceName, person: &ProfileName) -> Result<Profile, PeopleError> {
        let from = self.profile_of(device).await?;
        for now in self.edits.tries(&[&from, person]).await {
            let from = self.owner(device).await?;
            if from.name == *person {
                return Ok(from);
            }
            let mut to = self.person(person, now).await?;
            if to.devices.len() >= MAX_DEVICES {
                return Err(PeopleError::Refused(format!(
                    "a person has at most {MAX_DEVICES} devices; unlink one first"
                )));
            }
            let commit = self.login(from, &mut to, device, now).ok_or_else(|| missing(device))?;
            if let Some(saved) = self.edits.save(commit).await? {
                return Ok(saved.into_iter().find(|saved| saved.name == *person).unwrap_or(to));
            }
        }
        Err(PeopleError::Busy)
    }

    /// Gives a linked device an anonymous profile again; returns the profile the device has then.
    pub async fn unlink(&self, device: &DeviceName) -> Result<Profile, PeopleError> {
        let from = self.profile_of(device).await?;
        for now in self.edits.tries(&[&from]).await {
            let mut person = self.owner(device).await?;
            if person.name.is_anonymous() {
                return Ok(person);
            }
            let mut anonymous = new_anonymous(&device.app(), now, &*self.entropy);
            let moved = person.devices.remove(device).ok_or_else(|| missing(device))?;
            anonymous.devices.insert(device.clone(), of_somebody_else(moved, now));
            anonymous.offers = Arc::new(self.bare(&person, device));
            let (from, to) = (Some(person.name.clone()), anonymous.name.clone());
            let devices = vec![Handover { device: device.clone(), from, to }];
            let profiles = vec![next(person), next(anonymous)];
            if let Some(mut saved) = self.edits.save(Commit { at: now, profiles, devices, ..Commit::default() }).await?
                && let Some(anonymous) = saved.pop()
            {
                return Ok(anonymous);
            }
        }
        Err(PeopleError::Busy)
    }

    /// Ends all tokens that the device has: it needs to register again, with its secret.
    pub async fn revoke_tokens(&self, device: &DeviceName) -> Result<(), PeopleError> {
        let from = self.profile_of(device).await?;
        for now in self.edits.tries(&[&from]).await {
            let mut profile = self.owner(device).await?;
            profile.devices.get_mut(device).ok_or_else(|| missing(device))?.token_epoch += 1;
            let profiles = vec![next(profile)];
            if self.edits.save(Commit { at: now, profiles, ..Commit::default() }).await?.is_some() {
                return Ok(());
            }
        }
        Err(PeopleError::Busy)
    }

    async fn profile_of(&self, device: &DeviceName) -> Result<ProfileName, PeopleError> {
        let name = self.edits.profiles.records.profile_of(device).await?;
        name.ok_or_else(|| missing(device))
    }

    /// The profile the device belongs to.
    async fn owner(&self, device: &DeviceName) -> Result<Profile, PeopleError> {
        let name = self.profile_of(device).await?;
        let profile = self.edits.newest(&name).await?;
        profile.ok_or_else(|| missing(device))
    }

    /// The person as in the record, or somebody new.
    async fn person(&self, name: &ProfileName, now: Timestamp) -> Result<Profile, PeopleError> {
        if let Some(profile) = self.edits.newest(name).await? {
            return Ok(profile);
        }
        if self.edits.profiles.records.is_erased(name).await? {
            return Err(PeopleError::Refused(format!("{name} was erased, and its name cannot be used again")));
        }
        Ok(Profile::new(name.clone(), now, Consents::default(), Personal::default()))
    }

    /// The device comes to `to` from an anonymous profile, which ends, or from somebody else's; none if it is not there.
    fn login(&self, mut from: Profile, to: &mut Profile, device: &DeviceName, now: Timestamp) -> Option<Commit> {
        // Whoever used the phone before logging in is taken for the person; another person's answers are not theirs.
        if to.revision.version == 0 && from.name.is_anonymous() {
            to.consents = answered(&from.consents, &to.consents);
        }
        let moved = match from.devices.remove(device)? {
            moved if !from.name.is_anonymous() => of_somebody_else(moved, now),
            moved if from.consents.granted(Purpose::Location) => moved,
            moved => Device { presence: moved.presence.unlocated(Some(now)), ..moved },
        };
        to.devices.insert(device.clone(), moved);
        let handover = Handover { device: device.clone(), from: Some(from.name.clone()), to: to.name.clone() };
        let mut commit = Commit { at: now, devices: vec![handover], ..Commit::default() };
        if from.name.is_anonymous() {
            to.muted.append(&mut from.muted);
            to.visits_of_record_mut().join(from.visits_of_record(), now);
            // Of whom visits may not be remembered, those before the login may not be either.
            to.agree(to.consents.clone(), now);
            fill_gaps(to.personal_of_record_mut(), from.personal_of_record());
            join(to, &from.offers);
            from.redeemed.iter().for_each(|(campaign, at)| to.remember_redeemed(campaign, *at));
            let (name, expected, by) = (from.name, from.revision.version, to.name.clone());
            commit.absorbed = Some(Absorbed { name, expected, by });
        } else {
            join(to, &self.bare(&from, device));
            commit.profiles.push(next(from));
        }
        to.forget_old_offers(now);
        commit.profiles.push(next(to.clone()));
        Some(commit)
    }

    /// What caps must know of the person's offers on the device, and nothing more.
    fn bare(&self, person: &Profile, device: &DeviceName) -> Vec<GivenOffer> {
        let offered = person.offers.iter().filter(|offer| offer.device == *device && offer.counts());
        offered.map(|offer| offer.for_caps(OfferId::new(offer.offered_at, random(&*self.entropy)))).collect()
    }
}

/// The device as whoever has it next gets it.
fn of_somebody_else(device: Device, now: Timestamp) -> Device {
    Device { presence: device.presence.without_places(now), ..device }
}

fn missing(device: &DeviceName) -> PeopleError {
    PeopleError::NotFound(device.to_string())
}

/// Adds the offers that the person does not have yet, under whatever id: going in and out again makes none count twice.
fn join(to: &mut Profile, offers: &[GivenOffer]) {
    let key = |offer: &GivenOffer| (offer.offered_at, offer.campaign.clone(), offer.device.clone());
    let known: BTreeSet<_> = to.offers.iter().map(key).collect();
    let new = offers.iter().filter(|offer| !known.contains(&key(offer)));
    let all = Arc::make_mut(&mut to.offers);
    all.extend(new.cloned());
    all.sort_by_key(|offer| (offer.offered_at, offer.id));
}

/// Adds the traits and interests that the person does not have; of interests the strongest, while there is room.
fn fill_gaps(person: &mut Personal, other: &Personal) {
    for (key, value) in &other.traits {
        person.traits.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let mut interests: Vec<_> =
        other.interests.iter().filter(|(topic, _)| !person.interests.contains_key(topic)).collect();
    interests.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let room = MAX_INTERESTS.saturating_sub(person.interests.len());
    let added: Vec<_> = interests.into_iter().take(room).map(|(topic, strength)| (topic.clone(), *strength)).collect();
    person.interests.extend(added);
}
