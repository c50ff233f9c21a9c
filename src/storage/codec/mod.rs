//! How a profile is written down: protobuf of `proto/dintorni/state/v1`, the same bytes in SQL and in Redis; and what a
//! decision was made of.
//!
//! Law: what is read back equals what was written, or is refused; a newer encoding than ours is refused, because
//! writing it back would drop what we do not know.

mod device;
mod inputs;
#[cfg(test)]
mod inputs_tests;
mod profile;
#[cfg(test)]
mod tests;

pub use inputs::{INPUTS_ENCODING, decode_inputs, encode_inputs};

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

/// Why bytes are nothing to us.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    #[error("what is stored is no protobuf: {0}")]
    Garbled(#[from] prost::DecodeError),
    #[error("the stored {what} has encoding {found}, and this binary knows 1 to {known}: run a newer one")]
    Newer { what: &'static str, found: u32, known: u32 },
    #[error("the stored {field} is not sound: {why}")]
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
    sound(state::Profile::decode(bytes)?)
}

fn sound(message: state::Profile) -> Result<Profile, Undecodable> {
    checked("profile", message.encoding, ENCODING)?;
    message.try_into()
}

fn checked(what: &'static str, found: u32, known: u32) -> Result<(), Undecodable> {
    match found {
        0 => Err(Undecodable::missing("encoding")),
        _ if found > known => Err(Undecodable::Newer { what, found, known }),
        _ => Ok(()),
    }
}
