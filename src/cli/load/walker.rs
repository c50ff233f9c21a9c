//! The devices of a load: registered through the public API, each in the pocket of somebody who moves.
//!
//! Law: the same seed is the same people again, so that a second run registers nobody anew.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ring::digest::{SHA256, digest};
use tokio::task::JoinSet;
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    cli::{
        connection::bearing,
        import::progress::Progress,
        output::{note, refusal},
    },
    clock::SystemClock,
    domain::violation::Invalid,
    grpc::{
        pb::{self, device_service_client::DeviceServiceClient},
        wire::{position_to_wire, timestamp_to_wire},
    },
    ports::Clock,
    world::mover::Mover,
};

/// Registrations at once.
const AT_ONCE: usize = 32;
/// If the server does not say when to try again.
const PAUSE: Duration = Duration::from_secs(1);
/// The consent text that nobody read.
const TEXT_VERSION: &str = "dintorni-load";
/// What helps against the limits of registration, which are there for the world outside.
pub const REGISTRATION_LIMITS: &str = "a server started with \
    --set devices.address_per_minute=1000000 --set devices.address_burst=1000000 \
    --set devices.key_per_second=1000000 --set devices.key_burst=1000000";

/// A registered device on its way.
pub struct Walker {
    pub token: String,
    mover: Mover,
    /// Seconds that its owner moves between two pings.
    step: f64,
    /// What its ping ids begin with: no two runs send the same.
    run: String,
    sent: u64,
}

/// What is told while devices are registered.
struct Told {
    progress: Progress,
    /// That there are limits.
    limits: bool,
}

impl Told {
    /// Once.
    fn limits(&mut self) {
        if !std::mem::replace(&mut self.limits, true) {
            self.progress.end_line();
            note(format!(
                "the server limits how often one address registers devices, so this takes long; what helps: \
                 {REGISTRATION_LIMITS}"
            ));
        }
    }
}

/// Nobody panics while it is held.
fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How devices are registered.
#[derive(Clone)]
pub struct Registrar {
    pub key: String,
    pub seed: u64,
    pub test: bool,
    pub step: f64,
    pub run: String,
}

impl Walker {
    /// The next ping, read now.
    pub fn ping(&mut self) -> Result<pb::PingRequest, Invalid> {
        let seen = self.mover.step(self.step)?;
        self.sent += 1;
        let now = Some(timestamp_to_wire(SystemClock.now()));
        let fix = pb::Fix {
            position: Some(position_to_wire(seen.position)),
            accuracy_m: seen.accuracy_m,
            fix_at: now,
            speed_mps: Some(seen.speed_mps),
            mocked: false,
        };
        let ping_id = format!("{}-{:08}", self.run, self.sent);
        Ok(pb::PingRequest { ping_id, sent_at: now, fixes: vec![fix], ..Default::default() })
    }
}

impl Registrar {
    /// Registers a device for each mover.
    pub async fn register(self, channels: &[Channel], movers: Vec<Mover>) -> anyhow::Result<Vec<Walker>> {
        let told = Told { progress: Progress::new(movers.len() as u64, "devices registered"), limits: false };
        let (mut parts, told) = (JoinSet::new(), Arc::new(Mutex::new(told)));
        let share = movers.len().div_ceil(AT_ONCE).max(1);
        for (part, movers) in movers.chunks(share).enumerate() {
            let (movers, registrar, told) = (movers.to_vec(), self.clone(), told.clone());
            let channel = channels[part % channels.len()].clone();
            parts.spawn(async move {
                let mut walkers = Vec::with_capacity(movers.len());
                for (number, mover) in (part * share..).zip(movers) {
                    walkers.push(registrar.one(channel.clone(), number, mover, &told).await?);
                }
                anyhow::Ok(walkers)
            });
        }
        let mut walkers = Vec::new();
        while let Some(part) = parts.join_next().await {
            walkers.extend(part??);
        }
        lock(&told).progress.end_line();
        Ok(walkers)
    }

    async fn one(&self, channel: Channel, number: usize, mover: Mover, told: &Mutex<Told>) -> anyhow::Result<Walker> {
        let mut client = DeviceServiceClient::new(channel);
        loop {
            let request = bearing(&self.key, self.registration(number))?;
            let status = match client.register_device(request).await {
                Ok(registered) => {
                    lock(told).progress.add(1);
                    let token = registered.into_inner().token.unwrap_or_default().value;
                    return Ok(Walker { token, mover, step: self.step, run: self.run.clone(), sent: 0 });
                }
                Err(status) if status.code() == Code::ResourceExhausted => status,
                Err(status) => return Err(refusal(&status)),
            };
            lock(told).limits();
            let wait = status.get_error_details().retry_info().and_then(|retry| retry.retry_delay);
            tokio::time::sleep(wait.unwrap_or(PAUSE)).await;
        }
    }

    fn registration(&self, number: usize) -> pb::RegisterDeviceRequest {
        let secret = digest(&SHA256, format!("dintorni load --seed {} device {number}", self.seed).as_bytes());
        registration(secret.as_ref(), self.test)
    }
}

/// Of somebody who agreed to everything.
pub fn registration(secret: &[u8], test: bool) -> pb::RegisterDeviceRequest {
    let consent = |purpose: pb::Purpose| pb::Consent {
        purpose: purpose.into(),
        granted: true,
        text_version: TEXT_VERSION.to_owned(),
        given_at: None,
    };
    pb::RegisterDeviceRequest {
        installation_secret: secret.to_vec(),
        consents: [pb::Purpose::Location, pb::Purpose::Marketing, pb::Purpose::Profiling].map(consent).to_vec(),
        language: "en".to_owned(),
        platform: pb::Platform::Other.into(),
        test,
        ..Default::default()
    }
}
