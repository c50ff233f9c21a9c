//! What a decision was made of is read back to the last bit, and what is not ours is refused.

use proptest::{collection::btree_set, collection::vec, option::of, prelude::*};
use prost::Message;

use super::{
    INPUTS_ENCODING, Undecodable, decode_inputs, encode_inputs, state,
    tests::{area, device_name, profile, reading, time},
};
use crate::domain::{
    budget::AccountId,
    geo::Position,
    inputs::Inputs,
    ping::{Accuracy, AppEvent, ClockReading, Fix, Ping, PingId, Sighting},
    place::{BeaconIdentity, PlaceName},
    presence::Area,
    text::EventKey,
};

fn fix() -> impl Strategy<Value = Fix> {
    let place = (-90.0..=90.0, -180.0..180.0, f64::MIN_POSITIVE..=Accuracy::MAX_M);
    (place, of(0.0..=1_000.0), any::<bool>(), reading()).prop_map(
        |((latitude, longitude, metres), speed, mocked, read)| {
            let accuracy = Accuracy::new(metres).expect("sound");
            Fix {
                position: Position::new(latitude, longitude).expect("sound"),
                accuracy,
                speed_mps: speed,
                mocked,
                read,
            }
        },
    )
}

fn sighting() -> impl Strategy<Value = Sighting> {
    let beacon = prop_oneof![
        (any::<[u8; 16]>(), any::<u16>(), any::<u16>()).prop_map(|(uuid, major, minor)| BeaconIdentity::IBeacon {
            uuid,
            major,
            minor
        }),
        (any::<[u8; 10]>(), any::<[u8; 6]>())
            .prop_map(|(namespace, instance)| BeaconIdentity::EddystoneUid { namespace, instance }),
    ];
    (beacon, of(-127..=20), reading()).prop_map(|(beacon, rssi_dbm, read)| Sighting { beacon, rssi_dbm, read })
}

fn event() -> impl Strategy<Value = AppEvent> {
    let place = area().prop_map(|area| match area {
        Area::Around(store, _) | Area::Store(store) => PlaceName::Store(store),
        Area::Geofence(name) => PlaceName::Geofence(name),
        Area::Beacon(name) => PlaceName::Beacon(name),
        Area::Anywhere => unreachable!("no place is everywhere"),
    });
    let key = "[a-z0-9][a-z0-9_.:-]{0,9}".prop_map(|key| EventKey::new(&key).expect("sound"));
    (key, of(place), reading()).prop_map(|(key, place, read)| AppEvent { key, place, read })
}

fn ping() -> impl Strategy<Value = Ping> {
    let id = "[A-Za-z0-9_.-]{8,64}".prop_map(|id| PingId::new(&id).expect("sound"));
    let clock = (time(), time()).prop_map(|(sent_at, received_at)| ClockReading { sent_at, received_at });
    let wanted = (any::<u32>(), of(time()));
    let parts = (id, clock, vec(fix(), 0..4), vec(sighting(), 0..4), of(event()), wanted);
    parts.prop_map(|(id, clock, fixes, sightings, event, (max_offers, reported_through))| Ping {
        id,
        clock,
        fixes,
        sightings,
        event,
        max_offers,
        reported_through,
    })
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let account = ".{1,40}".prop_map(|account| AccountId::of_record(&account));
    (profile(), device_name(), ping(), btree_set(account, 0..4)).prop_map(|(profile, device, ping, exhausted)| Inputs {
        profile,
        device,
        ping,
        exhausted,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(inputs in inputs()) {
        prop_assert_eq!(decode_inputs(&encode_inputs(&inputs)).expect("ours"), inputs);
    }

    #[test]
    fn strange_bytes_are_refused_and_never_panic(inputs in inputs(), cut in any::<prop::sample::Index>(), flip: u8) {
        let mut bytes = encode_inputs(&inputs);
        let place = cut.index(bytes.len());
        bytes[place] ^= flip;
        // Either outcome is right, as of profiles.
        drop(decode_inputs(&bytes));
        drop(decode_inputs(&bytes[..place]));
    }
}

/// A sound message of inputs, changed by `spoil`, and what it is refused for.
fn refused(spoil: impl FnOnce(&mut state::Inputs)) -> Undecodable {
    let read = Some(state::Reading::default());
    let fix = state::Fix { accuracy_m: 5.0, read, ..state::Fix::default() };
    let sighting = state::Sighting { beacon: format!("ibeacon:{:032}:1:2", 7), read, rssi_dbm: None };
    let event = state::AppEvent { key: "totem".into(), place: None, read };
    let ping = state::Ping {
        id: "ping-0001".into(),
        fixes: vec![fix],
        sightings: vec![sighting],
        event: Some(event),
        ..state::Ping::default()
    };
    let name = "organizations/a/apps/b/profiles/p".to_owned();
    let profile = state::Profile { encoding: super::ENCODING, name, ..state::Profile::default() };
    let (device, encoding) = ("organizations/a/apps/b/devices/c".to_owned(), INPUTS_ENCODING);
    let mut message = state::Inputs { encoding, profile: Some(profile), device, ping: Some(ping), exhausted: vec![] };
    decode_inputs(&message.encode_to_vec()).expect("sound before");
    spoil(&mut message);
    decode_inputs(&message.encode_to_vec()).expect_err("refused")
}

#[test]
fn what_is_not_sound_is_refused_by_its_field() {
    type Spoil = fn(&mut state::Ping);
    let cases: [(&str, Spoil); _] = [
        ("ping.id", |ping| ping.id = "short".into()),
        ("ping.fixes.position", |ping| ping.fixes[0].latitude = f64::NAN),
        ("ping.fixes.accuracy_m", |ping| ping.fixes[0].accuracy_m = 0.0),
        ("ping.fixes.read", |ping| ping.fixes[0].read = None),
        ("ping.sightings.beacon", |ping| ping.sightings[0].beacon = "ibeacon".into()),
        ("ping.sightings.read", |ping| ping.sightings[0].read = None),
        ("ping.event.key", |ping| ping.event.as_mut().expect("there").key = "Totem".into()),
        ("ping.event.place", |ping| ping.event.as_mut().expect("there").place = Some("nowhere".into())),
        ("ping.event.read", |ping| ping.event.as_mut().expect("there").read = None),
    ];
    let of_ping = |spoil: Spoil| refused(|inputs| spoil(inputs.ping.as_mut().expect("there")));
    for (field, spoil) in cases {
        let fault = of_ping(spoil);
        assert!(matches!(fault, Undecodable::Unsound { field: found, .. } if found == field), "{field}: {fault}");
    }
    for (fault, field) in [
        (refused(|inputs| inputs.ping = None), "inputs.ping"),
        (refused(|inputs| inputs.profile = None), "inputs.profile"),
        (refused(|inputs| inputs.device = "phone".into()), "inputs.device"),
        (refused(|inputs| inputs.encoding = 0), "encoding"),
    ] {
        assert!(matches!(fault, Undecodable::Unsound { field: found, .. } if found == field), "{field}: {fault}");
    }
}

#[test]
fn what_is_newer_is_refused_by_what_it_is() {
    let inputs = refused(|inputs| inputs.encoding = INPUTS_ENCODING + 1).to_string();
    assert!(inputs.contains("record of inputs has encoding 2, and this binary knows 1 to 1"), "{inputs}");
    let profile = refused(|inputs| inputs.profile.as_mut().expect("there").encoding = super::ENCODING + 1).to_string();
    assert!(profile.contains("profile has encoding"), "{profile}");
}
