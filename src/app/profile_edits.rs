//! Changing profiles, but for pings: read the newest, change it, commit under its version, and again if somebody else
//! was faster.
//!
//! Law 1: SQL decides by the version; the turns of this node only save it from deciding in vain. What changes nothing is
//! not committed. What only the cache knew of a profile (a first fix inside, a time last seen) is kept.

use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::{profile_store::ProfileStore, stripes::Stripes};
use crate::{
    domain::{
        name::ProfileName,
        profile::{Profile, Revision},
        time::Timestamp,
    },
    ports::{Clock, Commit, Committed, EngagementMark, ProfileWrite, StoreError},
};

/// How often a change is computed: once, and again for each time that somebody else's came first.
const TRIES: usize = 4;

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ProfileEditError {
    /// There is no such profile, or no more.
    #[error("there is no profile {0}")]
    Gone(ProfileName),
    /// It changed every time we tried.
    #[error("the profile is changing too fast")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// See [`ProfileEdits::tries`].
pub struct Tries<'a> {
    left: usize,
    clock: &'a dyn Clock,
    _turns: Vec<MutexGuard<'a, ()>>,
}

impl Iterator for Tries<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        self.left = self.left.checked_sub(1)?;
        Some(self.clock.now())
    }
}

/// Changes profiles.
pub struct ProfileEdits {
    pub profiles: Arc<ProfileStore>,
    pub clock: Arc<dyn Clock>,
    stripes: Arc<Stripes>,
}

impl ProfileEdits {
    pub fn new(profiles: Arc<ProfileStore>, clock: Arc<dyn Clock>, stripes: Arc<Stripes>) -> Self {
        Self { profiles, clock, stripes }
    }

    /// Changes one profile by `change`, which tells what else to commit; returns the profile as it is then, and what
    /// `change` returned.
    pub async fn one<T, E: From<ProfileEditError>>(
        &self,
        name: &ProfileName,
        change: impl Fn(&mut Profile, Timestamp) -> Result<(T, Vec<EngagementMark>), E> + Sync,
    ) -> Result<(Profile, T), E> {
        for now in self.tries(&[name]).await {
            let before = self.newest(name).await?.ok_or_else(|| ProfileEditError::Gone(name.clone()))?;
            let mut after = before.clone();
            let (result, engagement) = change(&mut after, now)?;
            if after == before && engagement.is_empty() {
                return Ok((before, result));
            }
            let profiles = vec![next(after)];
            let saved = self.save(Commit { at: now, profiles, engagement, ..Commit::default() }).await?;
            if let Some(profile) = saved.and_then(|mut saved| saved.pop()) {
                return Ok((profile, result));
            }
        }
        Err(ProfileEditError::Busy.into())
    }

    /// The times to try a change at; a try has failed if [`Self::save`] finds something stale. Until the tries are
    /// dropped nobody else on this node changes the named profiles.
    pub async fn tries(&self, names: &[&ProfileName]) -> Tries<'_> {
        Tries { left: TRIES, clock: &*self.clock, _turns: self.stripes.turns(names).await }
    }

    /// The profile as last committed, with what the cache knows of it since; none if it is not there.
    pub async fn newest(&self, name: &ProfileName) -> Result<Option<Profile>, ProfileEditError> {
        Ok(self.profiles.newest(name).await?)
    }

    /// Commits. Returns the profiles as written; none if one of them is stale, and then
    /// nothing happened.
    pub async fn save(&self, commit: Commit) -> Result<Option<Vec<Profile>>, ProfileEditError> {
        let written: Vec<Profile> = commit.profiles.iter().map(|write| write.profile.clone()).collect();
        match self.profiles.commit(commit).await? {
            Committed::Done => {}
            Committed::Stale => return Ok(None),
            other => {
                let fault = format!("a change of a profile cannot be {other:?}");
                return Err(StoreError::Corrupt(fault).into());
            }
        }
        Ok(Some(written))
    }
}

/// The write that makes the record have this profile, over the version it was read at.
pub fn next(mut profile: Profile) -> ProfileWrite {
    let expected = profile.revision.version;
    profile.revision = Revision { version: expected + 1, soft: 0 };
    ProfileWrite { expected, profile }
}
