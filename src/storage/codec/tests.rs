//! What is written is read back, and what is not ours is refused.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::btree_map, collection::btree_set, collection::vec, option::of, prelude::*};

use super::{ENCODING, Undecodable, decode, encode, state};
use crate::domain::{
    app_version::AppVersion,
    audience::TraitValue,
    campaign::Priority,
    consent::{Consent, Consents, Purpose},
    dwelt::Dwelt,
    geo::Position,
    name::{AppName, DeviceName, OrganizationName},
    offer::{GivenOffer, OfferId},
    ping::{Accuracy, Reading},
    place::PlaceName,
    presence::{Area, Arrival, Belief, DevicePresence, Hearing, LastSeen, Visit},
    profile::{Device, MAX_GHOSTS, Personal, Platform, Profile, Revision},
    text::{Topic, TraitKey},
    time::{TimeZone, Timestamp},
    visits::{MAX_PLACES, MAX_VISITS, VisitedPlace, Visits},
};

fn organization() -> impl Strategy<Value = OrganizationName> {
    "[a-z]{1,8}".prop_map(|id| OrganizationName::parse(&format!("organizations/{id}")).expect("sound"))
}

fn app() -> impl Strategy<Value = AppName> {
    (organization(), "[a-z]{1,8}").prop_map(|(owner, id)| owner.app(&id).expect("sound"))
}

pub(super) fn device_name() -> impl Strategy<Value = DeviceName> {
    (app(), "[A-Za-z0-9][A-Za-z0-9._~-]{0,20}").prop_map(|(app, id)| app.device(&id).expect("sound"))
}

pub(super) fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

pub(super) fn area() -> impl Strategy<Value = Area> {
    (organization(), "[a-z0-9]{1,9}", any::<u32>(), 0..3).prop_map(|(owner, id, radius, kind)| match kind {
        0 => Area::Geofence(owner.geofence(&id).expect("sound")),
        1 => Area::Around(owner.store(&id).expect("sound"), radius),
        _ => Area::Beacon(owner.beacon(&id).expect("sound")),
    })
}

fn belief() -> impl Strategy<Value = Belief> {
    let nanos = (any::<u64>(), vec(any::<u64>(), 0..6));
    let visit = ([time(), time(), time()], of(time()), nanos).prop_map(|(times, leaving_since, (all_to, longer))| {
        let [not_before, entered_at, last_inside] = times;
        let dwelt = Dwelt::new(Duration::from_nanos(all_to), longer.into_iter().map(Duration::from_nanos));
        Belief::Inside(Visit { not_before, entered_at, last_inside, leaving_since, dwelt })
    });
    let arrival = (time(), time(), any::<bool>());
    let arrival = arrival.prop_map(|(since, not_before, initial)| Arrival { since, not_before, initial });
    prop_oneof![arrival.prop_map(Belief::Entering), visit]
}

pub(super) fn reading() -> impl Strategy<Value = Reading> {
    (time(), time(), time()).prop_map(|(stamp, device, event)| Reading { stamp, device, event })
}

fn last_seen() -> impl Strategy<Value = LastSeen> {
    (reading(), -90.0..=90.0, -180.0..180.0, 1.0..2_000.0).prop_map(|(read, latitude, longitude, metres)| LastSeen {
        read,
        position: Position::new(latitude, longitude).expect("sound"),
        accuracy: Accuracy::new(metres).expect("sound"),
    })
}

fn presence() -> impl Strategy<Value = DevicePresence> {
    let hearing = (time(), time(), any::<bool>());
    let hearing = hearing.prop_map(|(first, last, confirmed)| Hearing { first, last, confirmed });
    let beacon = (organization(), "[a-z]{1,8}").prop_map(|(owner, id)| owner.beacon(&id).expect("sound"));
    let parts = (
        [of(reading()), of(reading()), of(reading())],
        (any::<i64>(), any::<u64>()),
        [of(time()), of(time()), of(time()), of(time())],
        [of(last_seen()), of(last_seen()), of(last_seen())],
        btree_map(area(), belief(), 0..4),
        btree_map(beacon, hearing, 0..4),
    );
    parts.prop_map(|(newest, (clock_offset, catalog_version), times, seen, areas, heard)| DevicePresence {
        newest_fix: newest[0],
        newest_sighting: newest[1],
        ahead: newest[2],
        clock_offset,
        saved_at: times[0],
        last_seen: seen[0],
        doubted: seen[1],
        anchor: seen[2],
        slow_since: times[1],
        areas: areas.into_iter().collect(),
        heard,
        since: times[2],
        located_since: times[3],
        catalog_version,
    })
}

fn device() -> impl Strategy<Value = Device> {
    let platform = prop_oneof![Just(Platform::Ios), Just(Platform::Android), Just(Platform::Other)];
    let zone = prop_oneof![Just("Europe/Rome"), Just("UTC"), Just("Pacific/Apia")];
    let zone = of(zone.prop_map(|zone| TimeZone::new(zone).expect("known")));
    let version = "[1-9][0-9]?(\\.[0-9]{1,9}){0,3}".prop_map(|text| AppVersion::parse(&text).expect("sound"));
    let parts = (".{0,9}", platform, (zone, of(version)), any::<bool>(), any::<u64>(), time(), presence());
    parts.prop_map(|(language, platform, (time_zone, app_version), test, token_epoch, registered_at, presence)| {
        Device { language, platform, time_zone, app_version, test, token_epoch, registered_at, presence }
    })
}

fn given() -> impl Strategy<Value = GivenOffer> {
    let times = (time(), of(time()), of(time()), of(time()), of(time()));
    let till = (of(time()), of(time()), of(time()));
    let priority = prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)];
    let parts = (any::<u128>(), organization(), device_name(), times, till, (priority, any::<bool>(), any::<bool>()));
    parts.prop_map(|(random, owner, device, times, till, (priority, ghost, trial))| GivenOffer {
        priority,
        ghost,
        trial,
        id: OfferId::new(times.0, random),
        campaign: owner.campaign("coffee").expect("sound"),
        device,
        offered_at: times.0,
        shown_at: times.1,
        opened_at: times.2,
        dismissed_at: times.3,
        returned_at: times.4,
        claimed_at: till.0,
        redeemed_at: till.1,
        reversed_at: till.2,
    })
}

fn personal() -> impl Strategy<Value = Personal> {
    let value = prop_oneof![
        ".{1,20}".prop_map(TraitValue::Text),
        (-1e300..1e300).prop_map(TraitValue::Number),
        any::<bool>().prop_map(TraitValue::Flag),
        ("[1-9][0-9]{3}", 1..13, 1..29).prop_map(|(year, month, day)| {
            TraitValue::date(&format!("{year}-{month:02}-{day:02}")).expect("sound")
        }),
    ];
    let key = "[a-z][a-z0-9_]{0,9}";
    let traits = btree_map(key.prop_map(|key| TraitKey::new(&key).expect("sound")), value, 0..4);
    let interests = btree_map(key.prop_map(|topic| Topic::new(&topic).expect("sound")), 0.0..=1.0, 0..4);
    (traits, interests).prop_map(|(traits, interests)| Personal { traits, interests })
}

fn visits() -> impl Strategy<Value = Visits> {
    let place = (area(), "[a-z]{1,3}").prop_map(|(area, id)| match area {
        Area::Geofence(name) => PlaceName::Geofence(name),
        Area::Around(store, _) => PlaceName::Store(store.organization().store(&id).expect("sound")),
        Area::Beacon(name) => PlaceName::Beacon(name),
        Area::Store(name) => PlaceName::Store(name),
        Area::Anywhere => unreachable!("nobody is everywhere"),
    });
    let known = (place, vec(time(), 1..9)).prop_map(|(place, begun)| VisitedPlace { place, begun });
    vec(known, 0..9).prop_map(Visits::new)
}

fn consents() -> impl Strategy<Value = Consents> {
    let consent = (any::<bool>(), ".{0,9}", time());
    let answers: BTreeMap<_, _> = Purpose::ALL.into_iter().enumerate().collect();
    vec(of(consent), 3).prop_map(move |given| {
        let mut consents = Consents::default();
        for (i, (granted, text_version, given_at)) in given.into_iter().enumerate().filter_map(|(i, c)| Some((i, c?))) {
            consents.set(answers[&i], Consent { granted, text_version, given_at });
        }
        consents
    })
}

pub(super) fn profile() -> impl Strategy<Value = Profile> {
    let person = (app(), "[a-z0-9]{1,9}", time(), consents(), personal());
    let revision = (any::<u64>(), any::<u64>()).prop_map(|(version, soft)| Revision { version, soft });
    let campaign = organization().prop_map(|owner| owner.campaign("tea").expect("sound"));
    let rest =
        (revision, btree_set(organization(), 0..3), btree_map(device_name(), device(), 0..3), vec(given(), 0..4));
    let past = (visits(), btree_map(campaign, time(), 0..3));
    (person, rest, past).prop_map(|(person, (revision, muted, devices, offers), (visits, redeemed))| {
        let (app, id, created_at, consents, personal) = person;
        let mut profile = Profile::new(app.profile(&id).expect("sound"), created_at, consents, personal);
        (profile.revision, profile.muted, profile.devices, profile.offers) =
            (revision, muted, devices.into_iter().collect(), offers.into());
        *profile.visits_of_record_mut() = visits;
        profile.redeemed = redeemed.into();
        profile
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(profile in profile()) {
        prop_assert_eq!(decode(&encode(&profile)).expect("ours"), profile);
    }

    #[test]
    fn strange_bytes_are_refused_and_never_panic(profile in profile(), cut in any::<prop::sample::Index>(), flip: u8) {
        let mut bytes = encode(&profile);
        let place = cut.index(bytes.len());
        bytes[place] ^= flip;
        // Either outcome is right: most flips spoil a name or a length, some only change a number.
        drop(decode(&bytes));
        drop(decode(&bytes[..place]));
    }
}

/// What 256 visits to 64 places take, with names as shops have them, and what visits to ten shops do.
#[test]
fn visits_take_little_room() {
    let bytes = |places: i64, visits: i64| {
        let begun = |number: i64| {
            let mine = (number..visits).step_by(places as usize);
            mine.map(|visit| Timestamp::from_micros((1_790_000_000 + visit * 30_000) * 1_000_000)).collect()
        };
        let known = |number: i64| VisitedPlace {
            place: PlaceName::parse(&format!("organizations/coffee-brothers/stores/fi-{number:04}")).expect("sound"),
            begun: begun(number),
        };
        let name = AppName::parse("organizations/a/apps/b").expect("sound").profile("p").expect("sound");
        let mut profile = Profile::new(name, Timestamp::default(), Consents::default(), Personal::default());
        let without = encode(&profile).len();
        *profile.visits_of_record_mut() = Visits::new((0..places).map(known).collect());
        let kept: usize = profile.visits_of_record().iter().map(|known| known.begun.len()).sum();
        assert_eq!(kept as i64, visits);
        encode(&profile).len() - without
    };
    let (most, usual) = (bytes(MAX_PLACES as i64, MAX_VISITS as i64), bytes(10, 60));
    assert!(most <= 5 * 1_024 && usual <= 1_024, "{most} and {usual} bytes");
}

/// What the most ghosts take, of campaigns and on a phone with names as they are.
#[test]
fn ghosts_take_bounded_room() {
    let app = AppName::parse("organizations/coffee-brothers/apps/shopper").expect("sound");
    let device = app.device("3f9c1d52a0b84e6f9d7c2b1a").expect("sound");
    let name = app.profile("p").expect("sound");
    let mut profile = Profile::new(name, Timestamp::default(), Consents::default(), Personal::default());
    let without = encode(&profile).len();
    let ghost = |number: usize| {
        let campaign = app.organization().campaign(&format!("spring-2026-{number:04}")).expect("sound");
        let at = Timestamp::from_micros(1_790_000_000_000_000 + number as i64);
        GivenOffer { ghost: true, ..GivenOffer::new(OfferId::new(at, 7), campaign, device.clone(), at) }
    };
    profile.offers = (0..2 * MAX_GHOSTS).map(ghost).collect::<Vec<_>>().into();
    profile.forget_old_offers(Timestamp::from_micros(1_790_000_001_000_000));
    assert_eq!(profile.offers.len(), MAX_GHOSTS);
    let bytes = encode(&profile).len() - without;
    assert!(bytes <= 200 * 1_024, "{bytes} bytes");
}

/// Bytes of encoding 1, as its last binary wrote them.
#[test]
fn what_older_binaries_wrote_is_understood() {
    use prost::Message;
    use state::area_belief::Belief as Stored;
    let visit = state::Visit { entered_at: 7, last_inside: 8, ..state::Visit::default() };
    let belief = |area: &str, belief| state::AreaBelief { area: area.to_owned(), belief: Some(belief) };
    let presence = state::Presence {
        newest_fix: Some(100),
        clock_offset: 5,
        last_seen: Some(state::LastSeen { accuracy_m: 9.0, at: 105, ..state::LastSeen::default() }),
        areas: vec![
            belief("organizations/a/geofences/in", Stored::Visit(visit)),
            belief("organizations/a/geofences/soon", Stored::EnteringSince(9)),
        ],
        ..state::Presence::default()
    };
    let device = "organizations/a/apps/b/devices/c".to_owned();
    let (platform, presence) = (state::Platform::Ios.into(), Some(presence));
    let device = state::Device { name: device, platform, presence, ..state::Device::default() };
    let name = "organizations/a/apps/b/profiles/p".to_owned();
    let old = state::Profile { encoding: 1, name, devices: vec![device], ..state::Profile::default() };
    let profile = decode(&old.encode_to_vec()).expect("understood");
    let presence = &profile.devices.values().next().expect("one").presence;
    let at = Timestamp::from_micros;
    let read = Reading::new(at(100), at(105));
    assert_eq!((presence.newest_fix, presence.last_seen.map(|seen| seen.read)), (Some(read), Some(read)));
    let beliefs: Vec<Belief> = presence.areas.values().copied().collect();
    let visit = Visit {
        not_before: at(7),
        entered_at: at(7),
        last_inside: at(8),
        leaving_since: None,
        dwelt: Dwelt::default(),
    };
    let arrival = Arrival { since: at(9), not_before: at(9), initial: false };
    assert_eq!(beliefs, [Belief::Inside(visit), Belief::Entering(arrival)]);
}

#[test]
fn newer_and_missing_encodings_are_refused() {
    use prost::Message;
    let newer = state::Profile { encoding: ENCODING + 1, ..state::Profile::default() };
    assert!(matches!(decode(&newer.encode_to_vec()), Err(Undecodable::Newer { found, .. }) if found == ENCODING + 1));
    assert!(matches!(decode(&[]), Err(Undecodable::Unsound { field: "encoding", .. })));
    let empty = state::Profile { encoding: ENCODING, ..state::Profile::default() };
    assert!(matches!(decode(&empty.encode_to_vec()), Err(Undecodable::Unsound { field: "name", .. })));
}

#[test]
fn the_record_is_not_told_where_a_device_was() {
    let place = LastSeen {
        read: Reading::new(Timestamp::from_micros(1), Timestamp::from_micros(2)),
        position: Position::new(60.0, 25.0).expect("sound"),
        accuracy: Accuracy::new(5.0).expect("sound"),
    };
    let seen = Some(place);
    let presence = DevicePresence { last_seen: seen, doubted: seen, anchor: seen, ..DevicePresence::default() };
    let app = AppName::parse("organizations/a/apps/b").expect("sound");
    let mut profile =
        Profile::new(app.profile("p").expect("sound"), place.read.event, Consents::default(), Personal::default());
    let device = Device {
        language: String::new(),
        platform: Platform::Other,
        time_zone: None,
        app_version: None,
        test: false,
        token_epoch: 0,
        registered_at: place.read.event,
        presence,
    };
    profile.devices.insert(app.device("c").expect("sound"), device);
    let kept = decode(&super::encode_for_record(&profile)).expect("ours");
    assert_eq!(kept.devices.values().next().expect("one").presence, DevicePresence::default());
}
