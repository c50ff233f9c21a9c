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
        violation::Violations,
    },
    engine::catalog::Catalog,
    ports::StoreError,
};

/// Most brands muted by one person.
pub const MAX_MUTED: usize = 1_000;

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
    Store(#[from] StoreError),
}

/// Why a device's word does not count.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The token's epoch is over, the device is unknown, or its profile or app is gone.
    #[error("the device token was revoked")]
    Revoked,
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
        let gone_app = !has_app(&*self.catalog.having(has_app).await?);
        let name = self.edits.profiles.records.profile_of(&caller.device).await?;
        let Some(name) = name.filter(|_| !gone_app) else { return Err(CallerError::Revoked) };
        let profile = self.edits.profiles.newest(&name).await?.ok_or(CallerError::Revoked)?;
        let live = profile.devices.get(&caller.device).is_some_and(|device| caller.token_epoch >= device.token_epoch);
        if live { Ok(profile) } else { Err(CallerError::Revoked) }
    }

    pub async fn get(&self, name: &ProfileName) -> Result<Profile, PeopleError> {
        let found = self.edits.profiles.newest(name).await?;
        found.ok_or_else(|| PeopleError::NotFound(name.to_string()))
    }

    /// Makes the profile say what the patch wants, if it is still of its etag.
    pub async fn update(&self, name: &ProfileName, patch: &Patch<'_>) -> Result<Profile, PeopleError> {
        let change = |profile: &mut Profile, now| {
            if patch.etag.is_some_and(|etag| etag != profile.revision.version) {
                return Err(PeopleError::Changed);
            }
            patch.apply(profile, now).map_err(PeopleError::Invalid)?;
            Ok(((), Vec::new()))
        };
        self.edits.one(name, change).await.map(|(profile, ())| profile)
    }

    /// No more offers of the brand.
    pub async fn mute(&self, name: &ProfileName, brand: &OrganizationName) -> Result<Profile, PeopleError> {
        let change = |profile: &mut Profile, _| {
            profile.muted.insert(brand.clone());
            if profile.muted.len() > MAX_MUTED {
                return Err(PeopleError::Refused(format!("at most {MAX_MUTED} brands can be muted")));
            }
            Ok(((), Vec::new()))
        };
        self.edits.one(name, change).await.map(|(profile, ())| profile)
    }

    /// Offers of the brand again.
    pub async fn unmute(&self, name: &ProfileName, brand: &OrganizationName) -> Result<Profile, PeopleError> {
        let change = |profile: &mut Profile, _| {
            profile.muted.remove(brand);
            Ok::<_, PeopleError>(((), Vec::new()))
        };
        self.edits.one(name, change).await.map(|(profile, ())| profile)
    }

    /// Erases the profile with all that hangs on it. A name that nobody has, or no more, is fine.
    pub async fn erase(&self, name: &ProfileName) -> Result<(), PeopleError> {
        let _turn = self.edits.tries(&[name]).await;
        Ok(self.edits.profiles.erase(name, self.edits.clock.now()).await?)
    }
}
