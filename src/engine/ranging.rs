//! Beacons: when hearing one is a transition.
//!
//! Law: two readings at least two seconds apart, in one ping or two; a reach is left by silence alone, and unequal
//! scanning of phones must not make it flicker.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{areas::Areas, entry::Mark, presence::clock_was_set};
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
/// What was heard once and not again for so long may make room: whoever scans has gone on since, also in the background.
const PASSED: Duration = Duration::from_secs(6 * 60);
/// What was heard is forgotten after this, even if no later reading says that it is over: no backlog is older.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Beacons that a device is believed to hear at most: more than a phone comes by before the first of them are silent, and less
/// than 64 KiB of a profile, all of which each of its pings reads. A network may have any number of them, and whoever makes up
/// pings hears them all.
pub const MAX_HEARD: usize = 256;

/// Whether the visit that was heard lasts at that time, as far as anybody can know.
pub fn goes_on(hearing: &Hearing, at: Timestamp) -> bool {
    at.since(hearing.last) <= SILENCE
}

/// The last instant at which it is known to: see [`goes_on`].
pub fn known_until(hearing: &Hearing) -> Timestamp {
    hearing.last + SILENCE
}

/// What the sightings of a ping did.
#[derive(Debug, Default)]
pub struct Heard {
    pub transitions: Vec<Transition>,
    /// Sightings of beacons that nobody registered.
    pub unknown: u32,
    pub out_of_order: u32,
    /// Sightings that were forgotten: more is heard than [`MAX_HEARD`].
    pub crowded: u32,
    /// What is not confirmed, in the order in which it stays, once that was asked.
    unconfirmed: Option<BTreeSet<(Mark, BeaconName)>>,
}

/// Not by name: nobody comes first for what they are called.
fn ranked(name: &BeaconName) -> (Mark, BeaconName) {
    (Mark::of(&Area::Beacon(name.clone())), name.clone())
}

impl Heard {
    /// Makes room for one more beacon. What is over goes first, then of what is not confirmed that which was passed by, and
    /// then that which comes last in an order of its own, so that a scan repeated keeps the same ones and confirms them: by
    /// age, each would make room for the next. Visits stay: who forgot one would take its next reading for another one.
    fn makes_room(&mut self, heard: &mut BTreeMap<BeaconName, Hearing>, name: &BeaconName, at: Timestamp) -> bool {
        if heard.len() >= MAX_HEARD {
            heard.retain(|_, hearing| goes_on(hearing, at));
        }
        if heard.len() >= MAX_HEARD {
            heard.retain(|_, hearing| hearing.confirmed || at.since(hearing.last) <= PASSED);
        }
        if heard.len() < MAX_HEARD {
            self.unconfirmed = None;
            return true;
        }
        self.crowded += 1;
        let of_heard =
            || heard.iter().filter(|(_, hearing)| !hearing.confirmed).map(|(name, _)| ranked(name)).collect();
        let unconfirmed = self.unconfirmed.get_or_insert_with(of_heard);
        let is_last = unconfirmed.last().is_none_or(|last| ranked(name) >= *last);
        !is_last && unconfirmed.pop_last().is_some_and(|(_, last)| heard.remove(&last).is_some())
    }

    fn reading(&mut self, name: &BeaconName, at: Timestamp, presence: &mut DevicePresence, received_at: Timestamp) {
        if !presence.heard.contains_key(name) && !self.makes_room(&mut presence.heard, name, at) {
            return;
        }
        let started = Hearing { first: at, last: at, confirmed: false };
        let hearing = presence.heard.entry(name.clone()).or_insert(started);
        if !goes_on(hearing, at) {
            *hearing = started;
        }
        if let Some(unconfirmed) = self.unconfirmed.as_mut().filter(|_| *hearing == started) {
            unconfirmed.insert(ranked(name));
        }
        hearing.last = hearing.last.max(at);
        if !hearing.confirmed && at.since(hearing.first) >= CONFIRMATION {
            hearing.confirmed = true;
            if let Some(unconfirmed) = &mut self.unconfirmed {
                unconfirmed.remove(&ranked(name));
            }
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

    /// What a backlog tells of beacons that are heard still may fire after all.
    fn refresh_backlog(&mut self, presence: &DevicePresence, received_at: Timestamp) {
        for transition in &mut self.transitions {
            let Area::Beacon(name) = &transition.area else { continue };
            let hearing = presence.heard.get(name).filter(|hearing| received_at.since(hearing.last) <= STALE_AFTER);
            transition.stale &= hearing.is_none_or(|hearing| transition.at < hearing.first);
        }
    }
}

/// Takes the sightings of a ping into account; `before` is the presence before the ping, `presence` the one to change.
pub fn listen(areas: &Areas, before: &DevicePresence, presence: &mut DevicePresence, ping: &Ping) -> Heard {
    let mut heard = Heard::default();
    let known = before.newest_sighting.filter(|_| !clock_was_set(before, ping));
    let newest = ping.newest_readings().1;
    let is_next = |read: &Reading| before.may_locate(*read) && known.is_none_or(|known| read.is_after(known));
    presence.newest_sighting = newest.filter(is_next).or(known);
    let sent_before = ping.known_sightings([known, before.ahead]);
    for (number, sighting) in ping.heard().iter().enumerate() {
        if number < sent_before || !is_next(&sighting.read) {
            heard.out_of_order += 1;
            continue;
        }
        let registered = areas.beacons(&sighting.beacon);
        heard.unknown += u32::from(registered.is_empty());
        for name in registered {
            heard.reading(name, sighting.read.next_after(known).event, presence, ping.clock.received_at);
        }
    }
    heard.refresh_backlog(presence, ping.clock.received_at);
    // A backlog of several pings is in the past of all of them: silence is what a later reading did not hear.
    let newest = presence.newest_sighting.map(|newest| newest.event);
    presence.heard.retain(|name, hearing| {
        let is_news = before.heard.get(name).is_none_or(|known| known.last < hearing.last);
        let is_kept = is_news || ping.clock.received_at.since(hearing.last) <= KEPT;
        is_kept && newest.is_none_or(|newest| goes_on(hearing, newest))
    });
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            ping::Sighting,
            place::{Beacon, BeaconIdentity},
        },
        engine::fixture::{at, beacon, catalog, metres, ping},
    };

    fn heard(presence: &mut DevicePresence, received: i64, readings: &[i64], identity: BeaconIdentity) -> Heard {
        let catalog = catalog(vec![beacon("door").into()]);
        let mut ping = ping(received, &[]);
        let sighting = |&s| Sighting { beacon: identity, rssi_dbm: None, read: ping.clock.reading(at(s)) };
        ping.sightings = readings.iter().map(sighting).collect();
        let before = presence.clone();
        listen(&catalog.areas, &before, presence, &ping.in_order())
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
    fn readings_by_a_clock_that_is_ahead_are_no_echo_of_one_another() {
        let door = beacon("door").identity;
        let told = |readings: &[i64]| heard(&mut DevicePresence::default(), 10, readings, door).transitions;
        assert!(told(&[100, 101]).is_empty());
        let told = told(&[100, 101, 102]);
        assert_eq!(told.iter().map(|heard| heard.at).collect::<Vec<_>>(), [at(10)]);
    }

    #[test]
    fn an_old_backlog_is_history_unless_it_is_still_heard() {
        let stale = |readings: &[i64]| -> Vec<bool> {
            let heard = heard(&mut DevicePresence::default(), 3_600, readings, beacon("door").identity);
            heard.transitions.iter().map(|transition| transition.stale).collect()
        };
        assert_eq!(stale(&[3_000, 3_002]), [true]);
        assert_eq!(stale(&[3_000, 3_002, 3_300, 3_590]), [false]);
        assert_eq!(stale(&[0, 2, 3_590]), [true], "an earlier visit is over");
        assert_eq!(stale(&[0, 2, 3_590, 3_592]), [true, false]);
    }

    #[test]
    fn a_backlog_in_two_pings_is_heard_once() {
        let (mut presence, door) = (DevicePresence::default(), beacon("door").identity);
        assert_eq!(heard(&mut presence, 9_000, &[0, 300, 600], door).transitions.len(), 1);
        assert_eq!(heard(&mut presence, 9_001, &[900, 1_200], door).transitions.len(), 0, "it never stopped");
        assert_eq!(heard(&mut presence, 9_002, &[1_900, 1_910], door).transitions.len(), 1, "now it has");
        let another = BeaconIdentity::EddystoneUid { namespace: [1; 10], instance: [2; 6] };
        heard(&mut presence, 9_003, &[3_000], another);
        assert!(presence.heard.is_empty(), "what is over is forgotten");
        heard(&mut presence, 9_004, &[3_001, 3_010], door);
        heard(&mut presence, 9_005 + 86_400, &[], door);
        assert!(presence.heard.is_empty(), "nothing is kept for more than a day");
    }

    #[test]
    fn what_was_heard_before_a_log_out_tells_nothing_whatever_the_clock_does() {
        let (door, newest) = (beacon("door").identity, |read: i64| Reading::new(at(read + 600), at(read)));
        for newest_sighting in [None, Some(newest(900))] {
            let known = DevicePresence { newest_sighting, ..DevicePresence::default() };
            let mut presence = known.without_places(at(1_000));
            let told = heard(&mut presence, 1_100, &[950, 960], door);
            assert_eq!((told.transitions.len(), told.out_of_order), (0, 2), "their phone was there");
            assert_eq!(
                heard(&mut presence, 1_110, &[1_105], door).transitions.len(),
                0,
                "and they are, for the first time"
            );
            assert_eq!(heard(&mut presence, 1_112, &[1_112], door).transitions.len(), 1);
        }
        let mut presence =
            DevicePresence { clock_offset: 600_000_000, ..DevicePresence::default() }.without_places(at(1_000));
        let told = heard(&mut presence, 1_100, &[950, 960], door);
        assert_eq!((told.transitions.len(), told.out_of_order), (0, 2), "the clock was set");
    }

    #[test]
    fn what_is_heard_where_a_tool_sets_positions_is_not_heard() {
        let catalog = catalog(vec![beacon("door").into()]);
        let mut suspect = ping(10, &[(10, metres(0.0, 0.0), 5.0)]);
        let sighting =
            |s| Sighting { beacon: beacon("door").identity, rssi_dbm: None, read: suspect.clock.reading(at(s)) };
        suspect.sightings = [8, 10].map(sighting).to_vec();
        suspect.fixes[0].mocked = true;
        let before = DevicePresence::default();
        let mut presence = before.clone();
        let told = listen(&catalog.areas, &before, &mut presence, &suspect);
        assert!(told.transitions.is_empty() && (told.unknown, told.out_of_order) == (0, 0));
        assert_eq!(presence, before);
        assert!(!suspect.is_newer_than([suspect.newest_readings().0, None, None]), "a retry of it brings nothing");

        let mut honest = Ping { fixes: Vec::new(), ..suspect };
        honest.clock.received_at = at(20);
        let told = listen(&catalog.areas, &before, &mut presence, &honest);
        assert_eq!((told.transitions.len(), told.out_of_order), (1, 0), "the same, sent by who sets nothing");
    }

    #[test]
    fn of_more_beacons_than_anybody_comes_by_some_are_forgotten_and_no_visit() {
        let identity = |minor| BeaconIdentity::IBeacon { uuid: [7; 16], major: 1, minor };
        let named = |minor: u16| Beacon { identity: identity(minor), ..beacon(&format!("b{minor:04}")) };
        let catalog = catalog((0..1_000).map(|minor| named(minor).into()).collect());
        let mut presence = DevicePresence::default();
        let hear = |presence: &mut DevicePresence, received: i64, minors: std::ops::Range<u16>| {
            let mut ping = ping(received, &[]);
            let sighting =
                |minor| Sighting { beacon: identity(minor), rssi_dbm: None, read: ping.clock.reading(at(received)) };
            ping.sightings = minors.map(sighting).collect();
            let before = presence.clone();
            let told = listen(&catalog.areas, &before, presence, &ping);
            (told.transitions.len(), told.crowded, presence.heard.len())
        };
        let known = &mut presence;
        assert_eq!(hear(known, 0, 0..200), (0, 0, 200));
        assert_eq!(hear(known, 5, 200..400), (0, 144, MAX_HEARD), "some of all are taken");
        let of_either =
            [0..200, 200..400].map(|minors| minors.into_iter().any(|i| known.heard.contains_key(&named(i).name)));
        assert_eq!(of_either, [true; 2]);
        let (mut shuffled, once) = (DevicePresence::default(), known.heard.clone());
        hear(&mut shuffled, 0, 200..400);
        hear(&mut shuffled, 5, 0..200);
        assert!(once.keys().eq(shuffled.heard.keys()), "the same in whatever order they are heard");
        let again = [hear(known, 10, 0..200), hear(known, 15, 200..400)];
        assert_eq!(again.map(|(told, ..)| told).iter().sum::<usize>(), MAX_HEARD, "so a scan repeated confirms them");
        assert_eq!(hear(known, 20, 400..600), (0, 200, MAX_HEARD), "visits stay");
        assert_eq!(hear(known, 25, 0..400), (0, 144, MAX_HEARD), "and are none anew");
        assert_eq!(hear(known, 700, 400..600), (0, 0, 200), "until they are silent");
        let passed_by = &mut DevicePresence::default();
        hear(passed_by, 0, 0..256);
        assert_eq!(hear(passed_by, 370, 256..400), (0, 0, 144), "what was passed by makes room");
        assert_eq!(hear(passed_by, 373, 256..400), (144, 0, 144));
    }

    #[test]
    fn strangers_are_counted_and_ignored() {
        let mut presence = DevicePresence::default();
        let stranger = BeaconIdentity::EddystoneUid { namespace: [1; 10], instance: [2; 6] };
        let heard = heard(&mut presence, 9, &[0, 9], stranger);
        assert!(heard.unknown == 2 && heard.transitions.is_empty() && presence.heard.is_empty());
    }
}
