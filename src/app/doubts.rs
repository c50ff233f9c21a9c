//! Profiles whose cached copy may be older than the record: a commit's result is unknown, or could not be put.
//!
//! Law 3: an old copy would hide what happened (a person who left would still be inside), so nothing is decided on it.
//! Bounded: when there are too many names to remember, every copy confirmed until then is in doubt.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    domain::{name::ProfileName, time::Timestamp},
    ports::CachedProfile,
};

/// Most names remembered; about 10 MiB. Of more the other servers learn nothing before they ask SQL by themselves.
const MOST: usize = 100_000;

/// What of the cache this node must not believe.
#[derive(Debug, Default)]
pub struct Doubts(Mutex<Doubted>);

#[derive(Debug, Default)]
struct Doubted {
    names: HashSet<ProfileName>,
    /// Copies confirmed at or before this are in doubt, whosesoever they are.
    until: Option<Timestamp>,
}

impl Doubts {
    /// Copies of this profile are in doubt from now on.
    pub fn add(&self, name: &ProfileName, now: Timestamp) {
        let mut doubted = self.lock();
        if doubted.names.len() >= MOST {
            doubted.names.clear();
            doubted.until = doubted.until.max(Some(now));
        }
        doubted.names.insert(name.clone());
    }

    /// The cache has what the record has.
    pub fn settle(&self, name: &ProfileName) {
        self.lock().names.remove(name);
    }

    /// The profiles in doubt, by name.
    pub fn all(&self) -> Vec<ProfileName> {
        self.lock().names.iter().cloned().collect()
    }

    /// Whether the profile is in doubt by name.
    pub fn has(&self, name: &ProfileName) -> bool {
        self.lock().names.contains(name)
    }

    /// Whether this copy is in doubt.
    pub fn concern(&self, copy: &CachedProfile) -> bool {
        let doubted = self.lock();
        doubted.until.is_some_and(|until| copy.confirmed_at <= until) || doubted.names.contains(&copy.profile.name)
    }

    fn lock(&self) -> MutexGuard<'_, Doubted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        app::fakes::at,
        domain::{consent::Consents, name::AppName, profile::Personal, profile::Profile},
    };

    fn copy(number: usize, confirmed_at: i64) -> CachedProfile {
        let app = AppName::parse("organizations/acme/apps/town").expect("sound");
        let name = app.profile(&format!("p{number}")).expect("sound");
        let profile = Profile::new(name, at(0), Consents::default(), Personal::default());
        CachedProfile { profile: Arc::new(profile), confirmed_at: at(confirmed_at) }
    }

    #[test]
    fn a_doubt_is_of_one_profile_until_it_is_settled() {
        let doubts = Doubts::default();
        doubts.add(&copy(1, 0).profile.name, at(5));
        assert!(doubts.concern(&copy(1, 9)) && !doubts.concern(&copy(2, 0)));
        doubts.settle(&copy(1, 0).profile.name);
        assert!(!doubts.concern(&copy(1, 9)));
    }

    #[test]
    fn too_many_doubts_are_a_doubt_of_all_until_then() {
        let doubts = Doubts::default();
        (0..=MOST).for_each(|number| doubts.add(&copy(number, 0).profile.name, at(5)));
        assert!(doubts.concern(&copy(MOST + 7, 5)) && !doubts.concern(&copy(MOST + 7, 6)));
        assert!(doubts.lock().names.len() <= MOST);
    }
}
