//! Logging in and out on a device: it moves between its anonymous profile and a person's.
//!
//! Law 1: caps and cool-downs do not start anew. What was offered on a device goes with it, and stays with the person as
//! well. Both profiles change in one commit. Law 4: an erased person is never brought back.

use std::sync::Arc;

use super::{
    devices::new_anonymous,
    people::PeopleError,
    profile_edits::{ProfileEdits, next},
    profile_patch::{MAX_INTERESTS, answered},
};
use crate::{
    domain::{
        consent::Consents,
        name::{DeviceName, ProfileName},
        offer::GivenOffer,
        profile::{Device, Personal, Profile},
        time::Timestamp,
    },
    engine::engagement::united,
    ports::{Absorbed, Commit, Entropy},
};

/// Most devices of one person: they are read and written with every ping.
pub const MAX_DEVICES: usize = 50;

/// Moves devices.
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
            let commit = login(from, &mut to, device, now).ok_or_else(|| missing(device))?;
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
            let (moved, offers) = leave(&mut person, device).ok_or_else(|| missing(device))?;
            anonymous.devices.insert(device.clone(), moved);
            anonymous.offers = offers;
            let devices = vec![(device.clone(), anonymous.name.clone())];
            let profiles = vec![next(person), next(anonymous)];
            if let Some(mut saved) = self.edits.save(Commit { at: now, profiles, devices, ..Commit::default() }).await?
                && let Some(anonymous) = saved.pop()
            {
                return Ok(anonymous);
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
}

fn missing(device: &DeviceName) -> PeopleError {
    PeopleError::NotFound(device.to_string())
}

/// The device comes to `to` from an anonymous profile, which ends, or from somebody else's; none if it is not there.
fn login(mut from: Profile, to: &mut Profile, device: &DeviceName, now: Timestamp) -> Option<Commit> {
    // Whoever used the phone before logging in is taken for the person; another person's answers are not theirs.
    if to.revision.version == 0 && from.name.is_anonymous() {
        to.consents = answered(&from.consents, &to.consents);
    }
    let (moved, offers) = leave(&mut from, device)?;
    to.devices.insert(device.clone(), moved);
    let mut commit = Commit { at: now, devices: vec![(device.clone(), to.name.clone())], ..Commit::default() };
    let joining = if from.name.is_anonymous() {
        to.muted.append(&mut from.muted);
        fill_gaps(to.personal_of_record_mut(), from.personal_of_record());
        let (name, expected, by) = (from.name, from.revision.version, to.name.clone());
        commit.absorbed = Some(Absorbed { name, expected, by });
        from.offers
    } else {
        commit.profiles.push(next(from));
        offers
    };
    to.offers = united(std::mem::take(&mut to.offers), joining);
    to.forget_old_offers(now);
    commit.profiles.push(next(to.clone()));
    Some(commit)
}

/// Takes the device out of the profile; returns it with the offers made on it, which the profile keeps as well.
fn leave(profile: &mut Profile, device: &DeviceName) -> Option<(Device, Vec<GivenOffer>)> {
    let moved = profile.devices.remove(device)?;
    let offers = profile.offers.iter().filter(|offer| offer.device == *device).cloned().collect();
    Some((moved, offers))
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
