//! Beacons: when hearing one is a transition.
//!
//! Law: two readings at least two seconds apart, in one ping or two; a reach is left by silence alone, and unequal
//! scanning of phones must not make it flicker.

use std::time::Duration;

use super::{areas::Areas, presence::clock_was_set};
use crate::domain::{
    name::BeaconName,
    ping::{Ping, Reading, STALE_AFTER},
    presence::{Area, DevicePresence, Hearing, Transition, TransitionKind},
    time::Timestamp,
};

/// Least time between the two readings: one radio echo is not two.
const CONFIRMATION: Duration = Duration::from_secs(2);
/// After this silence the next reading is a new visit. Android scans in the background for 10 s every 5 min, so less
/// than that is no silence.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// What the sightings of a ping did.
#[derive(Debug, Default)]
pub struct Heard {
    pub transitions: Vec<Transition>,
    /// Sightings of beacons that nobody registered.
    pub unknown: u32,
    pub out_of_order: u32,
}

impl Heard {
    fn reading(&mut self, name: &BeaconName, at: Timestamp, presence: &mut DevicePresence, received_at: Timestamp) {
        let started = Hearing { first: at, last: at, confirmed: false };
        let hearing = presence.heard.entry(name.clone()).or_insert(started);
        if at.since(hearing.last) > SILENCE {
            *hearing = started;
        }
        hearing.last = hearing.last.max(at);
        if !hearing.confirmed && at.since(hearing.first) >= CONFIRMATION {
            hearing.confirmed = true;
            let stale = received_at.since(at) > STALE_AFTER;
            let area = Area::Beacon(name.clone());
            self.transitions.push(Transition {
                area,
                kind: TransitionKind::Heard,
                at,
                stale,
                initial: false,
                distance_m: None,
            });
        }
    }
}

/// Takes the sightings of a ping into account; `before` is the presence before the ping, `presence` the one to change.
pub fn listen(areas: &Areas, before: &DevicePresence, presence: &mut DevicePresence, ping: &Ping) -> Heard {
    let mut heard = Heard::default();
    let known = before.newest_sighting.filter(|_| !clock_was_set(before, ping));
    let newest = ping.newest_readings().1;
    let is_next = |newest: &Reading| known.is_none_or(|known| newest.is_after(known));
    presence.newest_sighting = newest.filter(is_next).or(known);
    for sighting in &ping.sightings {
        if known.is_some_and(|known| !sighting.read.is_after(known)) {
            heard.out_of_order += 1;
            continue;
        }
        let registered = areas.beacons(&sighting.beacon);
        heard.unknown += u32::from(registered.is_empty());
        for name in registered {
            heard.reading(name, sighting.read.event, presence, ping.clock.received_at);
        }
    }
    presence.heard.retain(|_, hearing| ping.clock.received_at.since(hearing.last) <= SILENCE);
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ping::Sighting, place::BeaconIdentity},
        engine::fixture::{at, beacon, catalog, ping},
    };

    fn heard(presence: &mut DevicePresence, received: i64, readings: &[i64], identity: BeaconIdentity) -> Heard {
        let catalog = catalog(vec![beacon("door").into()]);
        let mut ping = ping(received, &[]);
        let sighting = |&s| Sighting { beacon: identity, rssi_dbm: None, read: ping.clock.reading(at(s)) };
        ping.sightings = readings.iter().map(sighting).collect();
        let before = presence.clone();
        listen(&catalog.areas, &before, presence, &ping)
    }

    #[test]
    fn two_readings_two_seconds_apart_are_heard_once() {
        let (mut presence, door) = (DevicePresence::default(), beacon("door").identity);
        assert!(heard(&mut presence, 1, &[0, 1], door).transitions.is_empty());
        assert_eq!(heard(&mut presence, 2, &[2], door).transitions.len(), 1, "in two pings");
        assert!(heard(&mut presence, 300, &[290, 300], door).transitions.is_empty(), "still the same visit");
        assert_eq!(
            heard(&mut presence, 1_000, &[990, 1_000], door).transitions.len(),
            1,
            "after ten minutes of silence"
        );
    }

    #[test]
    fn strangers_are_counted_and_ignored() {
        let mut presence = DevicePresence::default();
        let stranger = BeaconIdentity::EddystoneUid { namespace: [1; 10], instance: [2; 6] };
        let heard = heard(&mut presence, 9, &[0, 9], stranger);
        assert!(heard.unknown == 2 && heard.transitions.is_empty() && presence.heard.is_empty());
    }
}
