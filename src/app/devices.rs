//! Registers installations of an app: the device, the profile it belongs to, and its token.
//!
//! Law 2: the same installation secret always finds the same device and profile, so registering again is harmless.
//! Law 4: consents are replaced by what the person said last, and an erased profile is never brought back.

use std::{fmt, sync::Arc};

use ring::digest;

use crate::{
    app::{
        ingest::DeviceCaller,
        profile_store::{ProfileStore, Read},
        stripes::Stripes,
        tokens::{Token, Tokens},
    },
    domain::{
        consent::{Consent, Consents, Purpose},
        name::{AppName, DeviceName, ProfileName},
        presence::DevicePresence,
        profile::{Device, Personal, Platform, Profile, Revision},
        time::{TimeZone, Timestamp},
        violation::Invalid,
    },
    ports::{Clock, Commit, Committed, Entropy, ProfileWrite, StoreError},
};

/// How often a registration is tried when its profile changes meanwhile.
const TRIES: usize = 4;

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
    /// Purposes without an answer are not granted from now on.
    pub consents: Consents,
    pub language: String,
    pub platform: Platform,
    pub time_zone: Option<TimeZone>,
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

impl From<Invalid> for RegisterError {
    fn from(invalid: Invalid) -> Self {
        Self::Store(StoreError::Corrupt(invalid.to_string()))
    }
}

/// Why a device's word does not count.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The token's epoch is over, the device is unknown, or its profile was erased.
    #[error("the device token was revoked")]
    Revoked,
    /// The cache is away and too many read the record already.
    #[error("too many callers at once")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Registers devices, and knows whose they are.
pub struct Devices {
    profiles: Arc<ProfileStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tokens: Arc<Tokens>,
    stripes: Arc<Stripes>,
}

impl Devices {
    pub fn new(
        profiles: Arc<ProfileStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tokens: Arc<Tokens>,
        stripes: Arc<Stripes>,
    ) -> Self {
        Self { profiles, clock, entropy, tokens, stripes }
    }

    /// Registers the device, or finds it again; commits only what changed.
    pub async fn register(&self, app: &AppName, registration: &Registration) -> Result<Registered, RegisterError> {
        let id = registration.secret.device_id(app);
        let device = app.device(&id)?;
        // One after the other for each device, so that two first registrations at once make one profile.
        let _turn = self.stripes.turn(&app.profile(&id)?).await;
        for _ in 0..TRIES {
            if let Some(profile) = self.attempt(&device, registration).await? {
                return Ok(self.registered(device, profile));
            }
        }
        Err(RegisterError::Busy)
    }

    /// The profile the calling device belongs to now, which its token may not know yet.
    pub async fn person(&self, caller: &DeviceCaller) -> Result<Arc<Profile>, CallerError> {
        let now = self.clock.now();
        let named = self.profiles.read(&caller.profile, now).await?;
        let found = match with_device(named, &caller.device)? {
            Some(profile) => profile,
            None => {
                let current = self.profiles.records.profile_of(&caller.device).await?.ok_or(CallerError::Revoked)?;
                let read = self.profiles.read(&current, now).await?;
                with_device(read, &caller.device)?.ok_or(CallerError::Revoked)?
            }
        };
        let live = found.devices.get(&caller.device).is_some_and(|device| caller.token_epoch >= device.token_epoch);
        if live { Ok(found) } else { Err(CallerError::Revoked) }
    }

    /// The profile as it is now in the record; none if somebody else changed it meanwhile.
    async fn attempt(&self, device: &DeviceName, said: &Registration) -> Result<Option<Profile>, RegisterError> {
        let now = self.clock.now();
        let mut profile = match self.known(device).await? {
            Some(profile) => profile,
            None => {
                let id = hex(&self.entropy.bytes()[..16]);
                Profile::new(device.app().profile(&id)?, now, Consents::default(), Personal::default())
            }
        };
        let expected = profile.revision.version;
        if !apply(&mut profile, device, said, now) {
            return Ok(Some(profile));
        }
        profile.revision = Revision { version: expected + 1, soft: 0 };
        let write = ProfileWrite { expected, profile: profile.clone() };
        let devices = vec![(device.clone(), profile.name.clone())];
        match self
            .profiles
            .records
            .commit(Commit { at: now, profiles: vec![write], devices, ..Commit::default() })
            .await?
        {
            Committed::Done => {}
            Committed::Stale => return Ok(None),
            other => return Err(StoreError::Corrupt(format!("a registration cannot be {other:?}")).into()),
        }
        self.profiles.keep(Arc::new(profile.clone()), now).await;
        Ok(Some(profile))
    }

    /// The profile the device belongs to, as last committed; none if it is new or was erased. What only the cache knew
    /// of it (a first fix inside, a time last seen) is given up if the registration changes anything.
    async fn known(&self, device: &DeviceName) -> Result<Option<Profile>, StoreError> {
        match self.profiles.records.profile_of(device).await? {
            Some(name) => self.profiles.records.profile(&name).await,
            None => Ok(None),
        }
    }

    fn registered(&self, device: DeviceName, profile: Profile) -> Registered {
        let token_epoch = profile.devices.get(&device).map_or(0, |device| device.token_epoch);
        let caller = DeviceCaller { device, profile: profile.name, token_epoch };
        let token = self.tokens.issue(&caller, self.clock.now());
        Registered { device: caller.device, profile: caller.profile, token }
    }
}

fn with_device(read: Read, device: &DeviceName) -> Result<Option<Arc<Profile>>, CallerError> {
    match read {
        Read::Found(profile) if profile.devices.contains_key(device) => Ok(Some(profile)),
        Read::Found(_) | Read::Absent => Ok(None),
        Read::Overloaded => Err(CallerError::Overloaded),
    }
}

/// Makes the profile say what the registration says; false if it did already.
fn apply(profile: &mut Profile, device: &DeviceName, said: &Registration, now: Timestamp) -> bool {
    let consents = with_first_times(&said.consents, &profile.consents);
    let old = profile.devices.get(device);
    let new = Device {
        language: said.language.clone(),
        platform: said.platform,
        time_zone: said.time_zone.clone(),
        test: said.test,
        token_epoch: old.map_or(0, |old| old.token_epoch),
        registered_at: old.map_or(now, |old| old.registered_at),
        presence: old.map_or_else(DevicePresence::default, |old| old.presence.clone()),
    };
    let changed = old != Some(&new) || profile.consents != consents;
    profile.consents = consents;
    profile.devices.insert(device.clone(), new);
    changed
}

/// The new answers; one that says the same as before keeps the time it was first given.
fn with_first_times(new: &Consents, old: &Consents) -> Consents {
    let mut kept = Consents::default();
    for (purpose, consent) in new.iter() {
        let same = |(p, before): &(Purpose, &Consent)| {
            *p == purpose && before.granted == consent.granted && before.text_version == consent.text_version
        };
        let first = old.iter().find(same).map_or(consent, |(_, before)| before);
        kept.set(purpose, first.clone());
    }
    kept
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
