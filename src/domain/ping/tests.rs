//! What the stamps of phones tell, whose clocks are wrong in every way.

use super::*;

const BEACON: &str = "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn a_wrong_phone_clock_harms_nobody() {
    let clock = ClockReading { sent_at: at(1_000_010), received_at: at(500) };
    assert_eq!(clock.reading(at(1_000_000)).event, at(490));
    let ahead = clock.reading(at(1_000_020));
    assert_eq!((ahead.event, ahead.device), (at(500), at(1_000_010)), "a reading after sending counts as now");
    let read: Vec<Reading> = (999_990..1_000_100).map(|stamp| clock.reading(at(stamp))).collect();
    assert!(read.is_sorted_by_key(|read| (read.device, read.stamp)), "of one ping the stamps are the order");
    assert!(read.windows(2).all(|two| two[1].is_after(two[0]) && !two[0].is_after(two[1])));
}

#[test]
fn what_was_reported_by_a_clock_that_was_set_back_is_not_known() {
    let clock = ClockReading { sent_at: at(1_000), received_at: at(500) };
    let reported = |through| clock.reported(at(through));
    assert_eq!([990, 1_000, 1_001].map(reported), [Some(at(490)), Some(at(500)), Some(at(500))]);
    assert_eq!([1_002, 1_040, 1_600].map(reported), [None; 3], "nobody has shown anything by then");
}

#[test]
fn a_stamp_from_ahead_is_the_same_reading_whenever_it_is_sent() {
    let sent = |at_s: i64, stamp: i64| ClockReading { sent_at: at(at_s), received_at: at(at_s) }.reading(at(stamp));
    let first = sent(1_000, 1_180);
    assert_eq!((first.device, first.event, first.is_ahead()), (at(1_000), at(1_000), true));
    for later in [1_005, 1_061, 1_130, 1_500] {
        let again = sent(later, 1_180);
        assert!(again.is_same(first) && !again.is_after(first) && !again.is_surely_after(first), "{later}");
    }
    assert!(sent(1_010, 1_190).is_surely_after(first), "the same clock goes on");
    assert_eq!(sent(1_000, 1_210).elapsed_since(first), Duration::from_secs(30), "of one ping");
    assert_eq!(sent(1_000, 1_025).elapsed_since(sent(1_000, 995)), Duration::from_secs(30), "by a clock 25 s ahead");
    assert_eq!(first.elapsed_since(sent(1_000, 995)), Duration::from_secs(5), "but not by one that is far off");
    assert!(!sent(1_010, 1_170).is_after(first), "or brings what it kept");
    assert!(sent(1_070, 1_170).is_after(first) && !sent(1_070, 1_170).is_surely_after(first), "nobody knows");
    assert!(sent(1_010, 1_010).is_surely_after(first), "another clock");
    let next = sent(1_030, 1_030);
    assert!(sent(1_100, 1_180).is_after(next) && !sent(1_100, 1_180).is_surely_after(next), "may be a retry");
    assert!(sent(1_200, 1_180).is_surely_after(next), "but for what is known to have come from ahead:");
    let ping = |read: Reading| Ping {
        id: PingId::new("12345678").expect("sound"),
        clock: ClockReading { sent_at: read.device, received_at: read.event },
        fixes: Vec::new(),
        sightings: vec![Sighting { beacon: BeaconIdentity::parse(BEACON).expect("sound"), rssi_dbm: None, read }],
        event: None,
        max_offers: 1,
        reported_through: None,
    };
    assert!(!ping(sent(1_200, 1_180)).is_newer_than([None, Some(next), ping(first).newest_ahead()]));
    assert!(ping(sent(1_200, 1_190)).is_newer_than([None, Some(next), ping(first).newest_ahead()]));
}

#[test]
fn of_readings_from_ahead_the_newest_is_now_and_the_others_are_as_far_before_it_as_their_clock_tells() {
    let clock = ClockReading { sent_at: at(1_000), received_at: at(2_000) };
    let events = |stamps: &[i64]| {
        let beacon = BeaconIdentity::parse(BEACON).expect("sound");
        let sighting = |&stamp| Sighting { beacon, rssi_dbm: None, read: clock.reading(at(stamp)) };
        let (id, sightings) = (PingId::new("12345678").expect("sound"), stamps.iter().map(sighting).collect());
        let (fixes, event, max_offers, reported_through) = (Vec::new(), None, 1, None);
        let ping = Ping { id, clock, fixes, sightings, event, max_offers, reported_through }.in_order();
        let event = |sighting: &Sighting| sighting.read.event.since(at(0)).as_secs();
        ping.sightings.iter().map(event).collect::<Vec<_>>()
    };
    assert_eq!(events(&[1_185, 1_180, 1_300]), [1_880, 1_885, 2_000]);
    assert_eq!(events(&[990, 1_004, 1_001]), [1_990, 1_997, 2_000]);
    assert_eq!(events(&[990, 1_100, 1_200]), [1_990, 1_990, 2_000], "which may be by another clock");
    assert_eq!(events(&[1_001, 1_003, 600_000_000]), [1_998, 2_000, 2_000], "that one is by another clock");
}

#[test]
fn a_clock_set_back_outdates_nothing_for_longer_than_a_ping_is_on_its_way() {
    let read = |device, event| Reading::new(at(device), at(event));
    let known = read(1_000, 1_000);
    assert!(read(1_001, 990).is_after(known), "the network was slower before");
    assert!(!read(999, 1_059).is_after(known), "or is slower now");
    assert!(read(1_000 - 240 + 61, 1_061).is_after(known), "the clock was set back by four minutes");
    assert!(!read(1_000, 1_600).is_after(known), "the same reading again");
}
