//! How a profile is written down: protobuf of `proto/dintorni/state/v1`, the same bytes in SQL and in Redis.
//!
//! Law: what is read back equals what was written, or is refused; a newer encoding than ours is refused, because
//! writing it back would drop what we do not know.

mod device;
mod profile;
#[cfg(test)]
mod tests;

use prost::Message;

use crate::{
    domain::{profile::Profile, violation::Invalid},
    ports::StoreError,
};

/// Raised by every change of the proto, even an added field.
pub const ENCODING: u32 = 8;

/// The generated messages.
mod state {
    include!(concat!(env!("OUT_DIR"), "/dintorni.state.v1.rs"));
}

/// Why bytes are not a profile to us.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    #[error("the profile's bytes are no protobuf: {0}")]
    Garbled(#[from] prost::DecodeError),
    #[error("the profile has encoding {0}, and this binary knows 1 to {ENCODING}: run a newer one")]
    Newer(u32),
    #[error("the profile's {field} is not sound: {why}")]
    Unsound { field: &'static str, why: String },
}

impl Undecodable {
    fn missing(field: &'static str) -> Self {
        Self::Unsound { field, why: "it is missing or unknown".to_owned() }
    }
}

impl From<Undecodable> for StoreError {
    fn from(cause: Undecodable) -> Self {
        StoreError::Corrupt(cause.to_string())
    }
}

/// Names the field in which a value was refused.
fn at<T>(field: &'static str, value: Result<T, Invalid>) -> Result<T, Undecodable> {
    value.map_err(|why| Undecodable::Unsound { field, why: why.to_string() })
}

/// As [`encode`], without what only caches may keep: where a device was.
pub fn encode_for_record(profile: &Profile) -> Vec<u8> {
    let mut message = state::Profile::from(profile);
    for presence in message.devices.iter_mut().filter_map(|device| device.presence.as_mut()) {
        presence.last_seen = None;
        presence.doubted = None;
        presence.anchor = None;
    }
    message.encode_to_vec()
}

pub fn encode(profile: &Profile) -> Vec<u8> {
    state::Profile::from(profile).encode_to_vec()
}

pub fn decode(bytes: &[u8]) -> Result<Profile, Undecodable> {
    let message = state::Profile::decode(bytes)?;
    match message.encoding {
        0 => Err(Undecodable::missing("encoding")),
        1..=ENCODING => message.try_into(),
        newer => Err(Undecodable::Newer(newer)),
    }
}
