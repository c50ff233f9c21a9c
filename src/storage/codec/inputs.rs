//! What a decision was made of, as a message and back; the profile in it is in [`super::profile`].
//!
//! Law 5: what is read back equals what was written to the last bit, or no replay could be believed.

use std::collections::BTreeSet;

use prost::Message;

use super::{Undecodable, at, checked, sound, state};
use crate::domain::{
    budget::AccountId,
    geo::Position,
    inputs::Inputs,
    name::DeviceName,
    ping::{Accuracy, AppEvent, ClockReading, Fix, Ping, PingId, Reading, Sighting},
    place::{BeaconIdentity, PlaceName},
    text::EventKey,
    time::Timestamp,
};

/// Raised by every change of the proto, even an added field.
pub const INPUTS_ENCODING: u32 = 1;

pub fn encode_inputs(inputs: &Inputs) -> Vec<u8> {
    let Inputs { profile, device, ping, exhausted } = inputs;
    let message = state::Inputs {
        encoding: INPUTS_ENCODING,
        profile: Some(profile.into()),
        device: device.to_string(),
        ping: Some(ping.into()),
        exhausted: exhausted.iter().map(ToString::to_string).collect(),
    };
    message.encode_to_vec()
}

pub fn decode_inputs(bytes: &[u8]) -> Result<Inputs, Undecodable> {
    let state::Inputs { encoding, profile, device, ping, exhausted } = state::Inputs::decode(bytes)?;
    checked("record of inputs", encoding, INPUTS_ENCODING)?;
    let exhausted: BTreeSet<AccountId> = exhausted.iter().map(|account| AccountId::of_record(account)).collect();
    Ok(Inputs {
        profile: sound(profile.ok_or(Undecodable::missing("inputs.profile"))?)?,
        device: at("inputs.device", DeviceName::parse(&device))?,
        ping: ping.ok_or(Undecodable::missing("inputs.ping"))?.try_into()?,
        exhausted,
    })
}

impl From<&Ping> for state::Ping {
    fn from(ping: &Ping) -> Self {
        let Ping { id, clock, fixes, sightings, event, max_offers, reported_through } = ping;
        Self {
            id: id.to_string(),
            sent_at: clock.sent_at.micros(),
            received_at: clock.received_at.micros(),
            fixes: fixes.iter().map(Into::into).collect(),
            sightings: sightings.iter().map(Into::into).collect(),
            event: event.as_ref().map(Into::into),
            max_offers: *max_offers,
            reported_through: reported_through.map(Timestamp::micros),
        }
    }
}

/// In the order in which they are: which was read first was found out when the ping came.
impl TryFrom<state::Ping> for Ping {
    type Error = Undecodable;

    fn try_from(message: state::Ping) -> Result<Self, Undecodable> {
        let [sent_at, received_at] = [message.sent_at, message.received_at].map(Timestamp::from_micros);
        Ok(Self {
            id: at("ping.id", PingId::new(&message.id))?,
            clock: ClockReading { sent_at, received_at },
            fixes: message.fixes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            sightings: message.sightings.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            event: message.event.map(TryInto::try_into).transpose()?,
            max_offers: message.max_offers,
            reported_through: message.reported_through.map(Timestamp::from_micros),
        })
    }
}

impl From<&Fix> for state::Fix {
    fn from(fix: &Fix) -> Self {
        Self {
            latitude: fix.position.latitude(),
            longitude: fix.position.longitude(),
            accuracy_m: fix.accuracy.metres(),
            speed_mps: fix.speed_mps,
            mocked: fix.mocked,
            read: Some(fix.read.into()),
        }
    }
}

impl TryFrom<state::Fix> for Fix {
    type Error = Undecodable;

    fn try_from(message: state::Fix) -> Result<Self, Undecodable> {
        Ok(Self {
            position: at("ping.fixes.position", Position::new(message.latitude, message.longitude))?,
            accuracy: at("ping.fixes.accuracy_m", Accuracy::new(message.accuracy_m))?,
            speed_mps: message.speed_mps,
            mocked: message.mocked,
            read: reading("ping.fixes.read", message.read)?,
        })
    }
}

impl From<&Sighting> for state::Sighting {
    fn from(sighting: &Sighting) -> Self {
        let Sighting { beacon, rssi_dbm, read } = *sighting;
        Self { beacon: beacon.to_string(), rssi_dbm, read: Some(read.into()) }
    }
}

impl TryFrom<state::Sighting> for Sighting {
    type Error = Undecodable;

    fn try_from(message: state::Sighting) -> Result<Self, Undecodable> {
        Ok(Self {
            beacon: at("ping.sightings.beacon", BeaconIdentity::parse(&message.beacon))?,
            rssi_dbm: message.rssi_dbm,
            read: reading("ping.sightings.read", message.read)?,
        })
    }
}

impl From<&AppEvent> for state::AppEvent {
    fn from(event: &AppEvent) -> Self {
        let place = event.place.as_ref().map(|place| place.as_str().to_owned());
        Self { key: event.key.to_string(), place, read: Some(event.read.into()) }
    }
}

impl TryFrom<state::AppEvent> for AppEvent {
    type Error = Undecodable;

    fn try_from(message: state::AppEvent) -> Result<Self, Undecodable> {
        let place = message.place.map(|place| at("ping.event.place", PlaceName::parse(&place)));
        Ok(Self {
            key: at("ping.event.key", EventKey::new(&message.key))?,
            place: place.transpose()?,
            read: reading("ping.event.read", message.read)?,
        })
    }
}

impl From<Reading> for state::Reading {
    fn from(read: Reading) -> Self {
        Self { stamp: read.stamp.micros(), device_at: read.device.micros(), at: read.event.micros() }
    }
}

fn reading(field: &'static str, message: Option<state::Reading>) -> Result<Reading, Undecodable> {
    let state::Reading { stamp, device_at, at } = message.ok_or(Undecodable::missing(field))?;
    let [stamp, device, event] = [stamp, device_at, at].map(Timestamp::from_micros);
    Ok(Reading { stamp, device, event })
}
