//! People, as they and their publishers see and change them.
//!
//! Law 4: erasure leaves a tombstone and nothing else. Law 10: a device acts for the person it belongs to now, by the
//! record and not by a copy that may be old.

use std::sync::Arc;

use super::{
    ingest::DeviceCaller,
    live_catalog::LiveCatalog,
    profile_edits::{ProfileEditError, ProfileEdits},
    profile_patch::Patch,
};
use crate::{
    domain::{
        name::{AppName, OrganizationName, ProfileName},
        organization::App,
        profile::Profile,
        time::Timestamp,
        violation::Violations,
    },
    engine::catalog::Catalog,
    ports::{EngagementMark, StoreError},
};

/// Most brands muted by one person.
pub const MAX_MUTED: usize = 1_000;
/// How often a device's own profile is looked for anew because a log-in or log-out took the device elsewhere meanwhile.
const TRIES: usize = 4;

/// Whose profile is meant.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    Named(&'a ProfileName),
    /// That of whoever the device belongs to when it is done; nobody's, if that is another one than it expects.
    Own(&'a DeviceCaller, Option<&'a ProfileName>),
}

/// Why a use case on people did not happen.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such profile, device or app.
    #[error("there is no {0}, or no more")]
    NotFound(String),
    /// It was changed since the etag was read.
    #[error("the profile was changed meanwhile; read it again")]
    Changed,
    #[error("{0}")]
    Invalid(Violations),
    /// What is there already forbids it.
    #[error("{0}")]
    Refused(String),
    #[error("the profile is changing too fast")]
    Busy,
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a device's word does not count.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The token's epoch is over, or the app is gone.
    #[error("the device token was revoked")]
    Revoked,
    /// Nobody has the device: whoever had it was erased.
    #[error("the profile of the device was erased")]
    Erased,
    /// The device belongs to another person than it names.
    #[error("a device token opens the profile its device belongs to, and no other")]
    Anothers,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProfileEditError> for PeopleError {
    fn from(error: ProfileEditError) -> Self {
        match error {
            ProfileEditError::Gone(name) => Self::NotFound(name.to_string()),
            ProfileEditError::Busy => Self::Busy,
            ProfileEditError::Store(error) => Self::Store(error),
        }
    }
}

/// Reads, changes and erases profiles.
pub struct People {
    edits: Arc<ProfileEdits>,
    catalog: Arc<LiveCatalog>,
}

impl People {
    pub fn new(edits: Arc<ProfileEdits>, catalog: Arc<LiveCatalog>) -> Self {
        Self { edits, catalog }
    }

    /// The app whose people they are.
    pub async fn app(&self, name: &AppName) -> Result<Arc<App>, PeopleError> {
        let snapshot = self.catalog.having(|catalog| catalog.apps.contains_key(name)).await?;
        let entry = snapshot.apps.get(name).ok_or_else(|| PeopleError::NotFound(name.to_string()))?;
        Ok(entry.value.clone())
    }

    /// The profile the calling device belongs to now, which its token may not know yet.
    pub async fn own(&self, caller: &DeviceCaller) -> Result<Profile, CallerError> {
        let app = caller.device.app();
        let has_app = |catalog: &Catalog| catalog.apps.contains_key(&app);
        if !has_app(&*self.catalog.having(has_app).await?) {
            return Err(CallerError::Revoked);
        }
        let mut looked_at = None;
        loop {
            let name = self.edits.profiles.records.profile_of(&caller.device).await?.ok_or(CallerError::Erased)?;
            let profile = self.edits.profiles.newest(&name).await?;
            if let Some(profile) = profile.filter(|profile| is_of(caller, profile)) {
                return Ok(profile);
            }
            // Between the two looks it may have become another's.
            if looked_at.replace(name.clone()) == Some(name) {
                return Err(CallerError::Revoked);
            }
        }
    }

    async fn name_of(&self, whose: Whose<'_>) -> Result<ProfileName, CallerError> {
        match whose {
            Whose::Named(name) => Ok(name.clone()),
            Whose::Own(caller, expected) => {
                let own = self.own(caller).await?.name;
                if expected.is_some_and(|expected| *expected != own) { Err(CallerError::Anothers) } else { Ok(own) }
            }
        }
    }

    /// Changes the profile by `change`, as [`ProfileEdits::one`]. A device's own is the one that it belongs to at that very
    /// moment: a report or a consent that comes while somebody logs in is not lost.
    pub async fn edit<T>(
        &self,
        whose: Whose<'_>,
        change: impl Fn(&mut Profile, Timestamp) -> Result<(T, Vec<EngagementMark>), PeopleError> + Sync,
    ) -> Result<(Profile, T), PeopleError> {
        let change = |profile: &mut Profile, now| match whose {
            Whose::Own(caller, _) if !is_of(caller, profile) => Err(PeopleError::NotFound(profile.name.to_string())),
            Whose::Own(..) | Whose::Named(_) => change(profile, now),
        };
        for _ in 0..TRIES {
            let name = self.name_of(whose).await?;
            match (self.edits.one(&name, change).await, whose) {
                (Err(PeopleError::NotFound(_)), Whose::Own(..)) => {}
                (done, _) => return done,
            }
        }
        Err(PeopleError::Busy)
    }

    /// The profile that is meant.
    pub async fn read(&self, whose: Whose<'_>) -> Result<Profile, PeopleError> {
        match whose {
            Whose::Named(name) => self.get(name).await,
            Whose::Own(caller, None) => Ok(self.own(caller).await?),
            Whose::Own(..) => self.get(&self.name_of(whose).await?).await,
        }
    }

    pub async fn get(&self, name: &ProfileName) -> Result<Profile, PeopleError> {
        let found = self.edits.profiles.newest(name).await?;
        found.ok_or_else(|| PeopleError::NotFound(name.to_string()))
    }

    /// Makes the profile say what the patch wants, if it is still of its etag.
    pub async fn update(&self, whose: Whose<'_>, patch: &Patch<'_>) -> Result<Profile, PeopleError> {
        let change = |profile: &mut Profile, now| {
            if patch.etag.is_some_and(|etag| etag != profile.revision.version) {
                return Err(PeopleError::Changed);
            }
            patch.apply(profile, now).map_err(PeopleError::Invalid)?;
            Ok(((), Vec::new()))
        };
        self.edit(whose, change).await.map(|(profile, ())| profile)
    }

    /// No more offers of the brand.
    pub async fn mute(&self, whose: Whose<'_>, brand: &OrganizationName) -> Result<Profile, PeopleError> {
        let change = |profile: &mut Profile, _| {
            profile.muted.insert(brand.clone());
            if profile.muted.len() > MAX_MUTED {
                return Err(PeopleError::Refused(format!("at most {MAX_MUTED} brands can be muted")));
            }
            Ok(((), Vec::new()))
        };
        self.edit(whose, change).await.map(|(profile, ())| profile)
    }

    /// Offers of the brand again.
    pub async fn unmute(&self, whose: Whose<'_>, brand: &OrganizationName) -> Result<Profile, PeopleError> {
        let change = |profile: &mut Profile, _| {
            profile.muted.remove(brand);
            Ok(((), Vec::new()))
        };
        self.edit(whose, change).await.map(|(profile, ())| profile)
    }

    /// Erases the profile with all that hangs on it. A name that nobody has, or no more, is fine; and so is a device whose
    /// person is erased.
    pub async fn erase(&self, whose: Whose<'_>) -> Result<(), PeopleError> {
        for _ in 0..TRIES {
            let name = match self.name_of(whose).await {
                Err(CallerError::Erased) => return Ok(()),
                found => found?,
            };
            let _turn = self.edits.tries(&[&name]).await;
            let erased = self.edits.profiles.erase(&name, self.edits.clock.now()).await?;
            // Whoever logged in meanwhile took along what shall be erased, and the name has ended already.
            if erased || matches!(whose, Whose::Named(_)) {
                return Ok(());
            }
        }
        Err(PeopleError::Busy)
    }
}

/// Whether the device is the person's, and the caller's token still good.
fn is_of(caller: &DeviceCaller, profile: &Profile) -> bool {
    profile.devices.get(&caller.device).is_some_and(|device| caller.token_epoch >= device.token_epoch)
}
