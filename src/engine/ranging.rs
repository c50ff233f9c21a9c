//! Beacons: when hearing one is a transition.
//!
//! Law: two readings at least two seconds apart, in one ping or two; a reach is left by silence alone, and unequal
//! scanning of phones must not make it flicker.

use std::time::Duration;

use super::{areas::Areas, presence::newest_known};
use crate::domain::{
    ping::{Ping, STALE_AFTER},
    presence::{Area, DevicePresence, Hearing, Transition, TransitionKind},
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

/// Takes the sightings of a ping into account; `before` is the presence before the ping, `presence` the one to change.
pub fn listen(areas: &Areas, before: &DevicePresence, presence: &mut DevicePresence, ping: &Ping) -> Heard {
    let mut heard = Heard::default();
    let known = newest_known(before, ping);
    for sighting in &ping.sightings {
        let Some(Area::Beacon(name)) = areas.beacon(&sighting.beacon).map(|entry| &entry.area) else {
            heard.unknown += 1;
            continue;
        };
        if known.is_some_and(|known| sighting.read.device <= known) {
            heard.out_of_order += 1;
            continue;
        }
        let at = sighting.read.event;
        let started = Hearing { first: at, last: at, confirmed: false };
        let hearing = presence.heard.entry(name.clone()).or_insert(started);
        if at.since(hearing.last) > SILENCE {
            *hearing = started;
        }
        hearing.last = hearing.last.max(at);
        if !hearing.confirmed && at.since(hearing.first) >= CONFIRMATION {
            hearing.confirmed = true;
            let stale = ping.clock.received_at.since(at) > STALE_AFTER;
            let area = Area::Beacon(name.clone());
            heard.transitions.push(Transition { area, kind: TransitionKind::Heard, at, stale, distance_m: None });
        }
    }
    presence.heard.retain(|_, hearing| ping.clock.received_at.since(hearing.last) <= SILENCE);
    heard
}
