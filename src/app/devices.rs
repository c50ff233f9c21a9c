//! Registers installations of an app: the device, the profile it belongs to, and its token.
//!
//! Law 2: the same installation secret always finds the same device and profile, so registering again is harmless.
//! Law 4: consents are replaced by what the person said last, and an erased profile is never brought back. What a phone
//! repeats need not be that: for somebody who is known elsewhere as well it adds answers and refuses, and revives nothing.

use std::{fmt, sync::Arc};

use ring::digest;

use crate::{
    app::{
        ingest::DeviceCaller,
        profile_edits::{ProfileEditError, ProfileEdits, next},
        profile_patch::{answered_anew, answered_but_refusals},
        tokens::{Token, Tokens},
    },
    domain::{
        app_version::AppVersion,
        consent::Consents,
        name::{AppName, DeviceName, ProfileName},
        presence::DevicePresence,
        profile::{Device, Personal, Platform, Profile},
        time::{TimeZone, Timestamp},
        violation::Invalid,
    },
    ports::{Commit, Entropy, Handover, StoreError},
};

/// What the phone drew once and keeps: whoever has it is that installation.
pub struct InstallationSecret(Vec<u8>);

impl InstallationSecret {
    /// 16 to 32 bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Invalid> {
        if (16..=32).contains(&bytes.len()) {
            return Ok(Self(bytes));
        }
        Err(Invalid::new(format!("must be 16 to 32 random bytes, had {}", bytes.len())))
    }

    /// The id of this installation in `app`: 128 bits in hex, from which the secret cannot be found.
    fn device_id(&self, app: &AppName) -> String {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"dintorni device");
        hash.update(app.as_str().as_bytes());
        hash.update(&[0]);
        hash.update(&self.0);
        hex(&hash.finish().as_ref()[..16])
    }
}

impl fmt::Debug for InstallationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallationSecret(…)")
    }
}

/// What an installation says of itself.
#[derive(Debug)]
pub struct Registration {
    pub secret: InstallationSecret,
    /// Of an anonymous profile purposes without an answer are not granted from now on; a linked person's stay.
    pub consents: Consents,
    pub language: String,
    pub platform: Platform,
    pub time_zone: Option<TimeZone>,
    pub app_version: Option<AppVersion>,
    pub test: bool,
}

/// A registered device.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub device: DeviceName,
    pub profile: ProfileName,
    pub token: Token,
}

#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The profile changed every time we tried.
    #[error("the profile is changing too fast")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProfileEditError> for RegisterError {
    fn from(error: ProfileEditError) -> Self {
        match error {
            ProfileEditError::Gone(_) | ProfileEditError::Busy => Self::Busy,
            ProfileEditError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Invalid> for RegisterError {
    fn from(invalid: Invalid) -> Self {
        Self::Store(StoreError::Corrupt(invalid.to_string()))
    }
}

/// Registers devices.
pub struct Devices {
    edits: Arc<ProfileEdits>,
    entropy: Arc<dyn Entropy>,
    tokens: Arc<Tokens>,
}

impl Devices {
    pub fn new(edits: Arc<ProfileEdits>, entropy: Arc<dyn Entropy>, tokens: Arc<Tokens>) -> Self {
        Self { edits, entropy, tokens }
    }

    /// Registers the device, or finds it again; commits only what changed.
    pub async fn register(&self, app: &AppName, registration: &Registration) -> Result<Registered, RegisterError> {
        let id = registration.secret.device_id(app);
        let device = app.device(&id)?;
        // One after the other for each device, so that two first registrations at once make one profile.
        for now in self.edits.tries(&[&app.profile(&id)?]).await {
            if let Some(profile) = self.attempt(&device, registration, now).await? {
                return Ok(self.registered(device, profile));
            }
        }
        Err(RegisterError::Busy)
    }

    /// The profile as it is now in the record; none if somebody else changed it meanwhile.
    async fn attempt(
        &self,
        device: &DeviceName,
        said: &Registration,
        now: Timestamp,
    ) -> Result<Option<Profile>, RegisterError> {
        let from = self.edits.profiles.records.profile_of(device).await?;
        let known = match &from {
            Some(name) => self.edits.newest(name).await?,
            None => None,
        };
        let mut profile = known.unwrap_or_else(|| new_anonymous(&device.app(), now, &*self.entropy));
        if !apply(&mut profile, device, said, now) {
            return Ok(Some(profile));
        }
        let devices = vec![Handover { device: device.clone(), from, to: profile.name.clone() }];
        let profiles = vec![next(profile)];
        let saved = self.edits.save(Commit { at: now, profiles, devices, ..Commit::default() }).await?;
        Ok(saved.and_then(|mut saved| saved.pop()))
    }

    fn registered(&self, device: DeviceName, profile: Profile) -> Registered {
        let token_epoch = profile.devices.get(&device).map_or(0, |device| device.token_epoch);
        let caller = DeviceCaller { device, profile: profile.name, token_epoch };
        let token = self.tokens.issue(&caller, self.edits.clock.now());
        Registered { device: caller.device, profile: caller.profile, token }
    }
}

/// The profile of a device that nobody has logged in on.
pub fn new_anonymous(app: &AppName, now: Timestamp, entropy: &dyn Entropy) -> Profile {
    Profile::new(app.anonymous_profile(random(entropy)), now, Consents::default(), Personal::default())
}

/// 128 bits for an id.
pub fn random(entropy: &dyn Entropy) -> u128 {
    let mut random = [0; 16];
    random.copy_from_slice(&entropy.bytes()[..16]);
    u128::from_be_bytes(random)
}

/// Makes the profile say what the registration says; false if it did already.
fn apply(profile: &mut Profile, device: &DeviceName, said: &Registration, now: Timestamp) -> bool {
    let heard = if profile.name.is_anonymous() { answered_anew } else { answered_but_refusals };
    let (consents, before) = (heard(&said.consents, &profile.consents), profile.devices.get(device).cloned());
    let has_news = profile.consents != consents;
    // Before a new device is theirs: nobody has had it without consent.
    profile.agree(consents, now);
    let old = profile.devices.get(device);
    let new = Device {
        language: said.language.clone(),
        platform: said.platform,
        time_zone: said.time_zone.clone(),
        app_version: said.app_version,
        test: said.test,
        // A device that comes back after an erasure is past the epochs of all tokens it had.
        token_epoch: old.map_or_else(|| u64::try_from(now.micros()).unwrap_or(0), |old| old.token_epoch),
        registered_at: old.map_or(now, |old| old.registered_at),
        presence: old.map_or_else(DevicePresence::default, |old| old.presence.clone()),
    };
    let changed = before.as_ref() != Some(&new) || has_news;
    profile.devices.insert(device.clone(), new);
    changed
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
