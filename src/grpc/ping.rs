//! A ping, from the message that carries it.
//!
//! Law 8: every field is looked at, and everything wrong is said at once. Law 2: the fingerprint tells a retry from
//! another ping under a used id.

use crate::{
    domain::{
        ping::{Accuracy, ClockReading, Fix, MAX_FIXES, MAX_OFFERS, MAX_SIGHTINGS, Ping, PingId, Sighting},
        place::BeaconIdentity,
        time::Timestamp,
        violation::{Invalid, Violations, at_most},
    },
    grpc::{
        pb,
        wire::{self, optional_timestamp, position, timestamp},
    },
};

/// Offers given to a device that does not say how many it wants.
const USUAL_OFFERS: u32 = 3;
/// Faster than any aircraft: a greater speed is a fault of the phone.
const MAX_SPEED_MPS: f64 = 1_000.0;
/// What radios can receive, in dBm.
const RSSI_DBM: std::ops::RangeInclusive<i32> = -127..=20;

/// SHA-256 of what the ping says, whenever it is sent.
pub fn fingerprint(request: &pb::PingRequest) -> [u8; 32] {
    wire::fingerprint(&pb::PingRequest { sent_at: None, ..request.clone() })
}

/// The ping, received at `now`, with its readings in order.
pub fn ping(request: &pb::PingRequest, now: Timestamp) -> Result<Ping, Violations> {
    let &pb::PingRequest { ref ping_id, sent_at, ref fixes, ref beacon_sightings, max_offers, reported_through } =
        request;
    let mut wrong = Violations::default();
    let id = wrong.take("ping_id", PingId::new(ping_id));
    let sent_at = wrong.take("sent_at", timestamp(sent_at));
    // Without its clock the ping is refused; the rest is still looked at.
    let clock = ClockReading { sent_at: sent_at.unwrap_or(now), received_at: now };
    if fixes.is_empty() && beacon_sightings.is_empty() {
        wrong.add("fixes", Invalid::new("or beacon_sightings must have at least one"));
    }
    wrong.take("fixes", at_most(MAX_FIXES, fixes.len()));
    wrong.take("beacon_sightings", at_most(MAX_SIGHTINGS, beacon_sightings.len()));
    let read = |(i, wire)| wrong.nest(format_args!("fixes[{i}]"), fix(wire, clock));
    let fixes = fixes.iter().take(MAX_FIXES).enumerate().filter_map(read).collect();
    let read = |(i, wire)| wrong.nest(format_args!("beacon_sightings[{i}]"), sighting(wire, clock));
    let sightings = beacon_sightings.iter().take(MAX_SIGHTINGS).enumerate().filter_map(read).collect();
    let max_offers = wrong.take("max_offers", offers_wanted(max_offers));
    let reported_through = wrong.take("reported_through", optional_timestamp(reported_through));
    let ping = (|| {
        let reported_through = reported_through?.and_then(|through| clock.reported(through));
        let (id, max_offers, event) = (id?, max_offers?, None);
        Some(Ping { id, clock, fixes, sightings, event, max_offers, reported_through }.in_order())
    })();
    wrong.finish(ping)
}

pub fn fix(wire: &pb::Fix, clock: ClockReading) -> Result<Fix, Violations> {
    let &pb::Fix { position: at, accuracy_m, fix_at, speed_mps, mocked } = wire;
    let mut wrong = Violations::default();
    let position = wrong.nest("position", position(at));
    let accuracy = wrong.take("accuracy_m", Accuracy::new(accuracy_m));
    let fix_at = wrong.take("fix_at", timestamp(fix_at));
    let speed_mps = wrong.take("speed_mps", speed(speed_mps));
    let fix = (|| {
        let read = clock.reading(fix_at?);
        Some(Fix { position: position?, accuracy: accuracy?, speed_mps: speed_mps?, mocked, read })
    })();
    wrong.finish(fix)
}

fn sighting(wire: &pb::BeaconSighting, clock: ClockReading) -> Result<Sighting, Violations> {
    let &pb::BeaconSighting { ref beacon, heard_at, rssi_dbm } = wire;
    let mut wrong = Violations::default();
    let beacon = wrong.take("beacon", BeaconIdentity::parse(beacon));
    let heard_at = wrong.take("heard_at", timestamp(heard_at));
    let rssi_dbm = wrong.take("rssi_dbm", strength(rssi_dbm));
    let sighting = (|| Some(Sighting { beacon: beacon?, rssi_dbm: rssi_dbm?, read: clock.reading(heard_at?) }))();
    wrong.finish(sighting)
}

pub fn offers_wanted(wire: u32) -> Result<u32, Invalid> {
    match wire {
        0 => Ok(USUAL_OFFERS),
        1..=MAX_OFFERS => Ok(wire),
        _ => Err(Invalid::new(format!("must be 0 to {MAX_OFFERS}, was {wire}"))),
    }
}

fn speed(wire: Option<f64>) -> Result<Option<f64>, Invalid> {
    match wire {
        Some(speed) if !(0.0..=MAX_SPEED_MPS).contains(&speed) => {
            Err(Invalid::new(format!("must be 0 to {MAX_SPEED_MPS} metres a second, was {speed}")))
        }
        sound => Ok(sound),
    }
}

fn strength(wire: Option<i32>) -> Result<Option<i32>, Invalid> {
    match wire {
        Some(dbm) if !RSSI_DBM.contains(&dbm) => {
            let (least, most) = (RSSI_DBM.start(), RSSI_DBM.end());
            Err(Invalid::new(format!("must be {least} to {most} dBm, was {dbm}")))
        }
        sound => Ok(sound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut pb::PingRequest);

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn sound() -> pb::PingRequest {
        let fix = |seconds| pb::Fix {
            position: Some(pb::LatLng { latitude: 60.17, longitude: 24.94 }),
            accuracy_m: 10.0,
            fix_at: at(seconds),
            speed_mps: Some(1.4),
            mocked: false,
        };
        let sighting = pb::BeaconSighting {
            beacon: "eddystone-uid:00112233445566778899:aabbccddeeff".into(),
            heard_at: at(98),
            rssi_dbm: Some(-70),
        };
        pb::PingRequest {
            ping_id: "ping-0001".into(),
            sent_at: at(100),
            fixes: vec![fix(99), fix(90)],
            beacon_sightings: vec![sighting],
            max_offers: 0,
            reported_through: at(95),
        }
    }

    fn received() -> Timestamp {
        Timestamp::from_micros(5_000_000_000)
    }

    /// The fields that are refused after `spoil` changed a sound ping.
    fn refused(spoil: impl FnOnce(&mut pb::PingRequest)) -> Vec<String> {
        let mut request = sound();
        spoil(&mut request);
        let wrong = ping(&request, received()).expect_err("refused");
        wrong.iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn a_sound_ping_is_read_by_its_own_clock() {
        let ping = ping(&sound(), received()).expect("sound");
        let ages: Vec<u64> = ping.fixes.iter().map(|fix| received().since(fix.read.event).as_secs()).collect();
        assert_eq!(ages, [10, 1], "oldest first, by the age the phone states");
        assert_eq!(ping.max_offers, 3);
        assert_eq!(ping.reported_through.map(|through| received().since(through).as_secs()), Some(5));
    }

    #[test]
    fn what_was_reported_later_than_now_was_not() {
        let ahead = pb::PingRequest { reported_through: at(140), ..sound() };
        assert_eq!(ping(&ahead, received()).expect("sound").reported_through, None);
    }

    #[test]
    fn each_field_is_refused_by_its_name() {
        let cases: [(&str, Spoil); _] = [
            ("ping_id", |p| p.ping_id = "short".into()),
            ("sent_at", |p| p.sent_at = None),
            ("max_offers", |p| p.max_offers = 11),
            ("reported_through", |p| p.reported_through = at(i64::MAX)),
            ("fixes", |p| p.fixes = vec![p.fixes[0]; 121]),
            ("beacon_sightings", |p| p.beacon_sightings = vec![p.beacon_sightings[0].clone(); 201]),
            ("fixes[1].position", |p| p.fixes[1].position = None),
            ("fixes[0].accuracy_m", |p| p.fixes[0].accuracy_m = 0.0),
            ("fixes[0].accuracy_m", |p| p.fixes[0].accuracy_m = f64::NAN),
            ("fixes[0].fix_at", |p| p.fixes[0].fix_at = None),
            ("fixes[0].speed_mps", |p| p.fixes[0].speed_mps = Some(-1.0)),
            ("fixes[0].speed_mps", |p| p.fixes[0].speed_mps = Some(f64::INFINITY)),
            ("beacon_sightings[0].beacon", |p| p.beacon_sightings[0].beacon = "ibeacon".into()),
            ("beacon_sightings[0].heard_at", |p| p.beacon_sightings[0].heard_at = at(253_402_300_800)),
            ("beacon_sightings[0].rssi_dbm", |p| p.beacon_sightings[0].rssi_dbm = Some(21)),
        ];
        for (field, spoil) in cases {
            assert_eq!(refused(spoil), [field]);
        }
    }

    #[test]
    fn an_empty_ping_is_told_everything_it_lacks() {
        assert_eq!(refused(|p| *p = pb::PingRequest::default()), ["ping_id", "sent_at", "fixes"]);
    }

    #[test]
    fn a_retry_has_the_same_fingerprint_and_another_body_has_not() {
        let (first, mut other) = (sound(), sound());
        let retry = pb::PingRequest { sent_at: at(130), ..sound() };
        other.fixes[0].accuracy_m = 11.0;
        assert_eq!(fingerprint(&first), fingerprint(&retry));
        assert_ne!(fingerprint(&first), fingerprint(&other));
    }
}
