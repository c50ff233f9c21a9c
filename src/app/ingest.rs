//! Answers pings (the words of the call; its body comes with the decision engine).

use std::sync::Arc;

use crate::{
    app::live_catalog::LiveCatalog,
    domain::{
        decision::Decision,
        name::{DeviceName, ProfileName},
        ping::Ping,
    },
    ports::{Clock, Entropy, ProfileCache, Records, StoreError},
};

pub struct Ingest;

/// Who pings, as its token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCaller {
    pub device: DeviceName,
    pub profile: ProfileName,
    pub token_epoch: u64,
}

pub struct Answered {
    pub decision: Decision,
    pub recorded: bool,
    pub degraded: bool,
    pub profile: ProfileName,
    pub token_epoch: u64,
}

#[derive(Debug)]
pub enum PingError {
    Revoked,
    AnotherBody,
    Busy,
    Store(StoreError),
}

impl Ingest {
    pub fn new(
        _live: Arc<LiveCatalog>,
        _records: Arc<dyn Records>,
        _cache: Arc<dyn ProfileCache>,
        _clock: Arc<dyn Clock>,
        _entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self
    }

    pub async fn ping(
        &self,
        _caller: &DeviceCaller,
        _ping: Ping,
        _fingerprint: [u8; 32],
    ) -> Result<Answered, PingError> {
        Err(PingError::Busy)
    }
}
