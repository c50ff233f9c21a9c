//! What is written is read back, and what is not ours is refused.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::btree_map, collection::btree_set, collection::vec, option::of, prelude::*};

use super::{ENCODING, Undecodable, decode, encode, state};
use crate::domain::{
    audience::TraitValue,
    consent::{Consent, Consents, Purpose},
    geo::Position,
    name::{AppName, DeviceName, OrganizationName},
    offer::{GivenOffer, OfferId},
    ping::Accuracy,
    presence::{Area, Belief, DevicePresence, Hearing, LastSeen, Visit},
    profile::{Device, Personal, Platform, Profile, Revision},
    text::{Topic, TraitKey},
    time::{TimeZone, Timestamp},
};

fn organization() -> impl Strategy<Value = OrganizationName> {
    "[a-z]{1,8}".prop_map(|id| OrganizationName::parse(&format!("organizations/{id}")).expect("sound"))
}

fn app() -> impl Strategy<Value = AppName> {
    (organization(), "[a-z]{1,8}").prop_map(|(owner, id)| owner.app(&id).expect("sound"))
}

fn device_name() -> impl Strategy<Value = DeviceName> {
    (app(), "[A-Za-z0-9][A-Za-z0-9._~-]{0,20}").prop_map(|(app, id)| app.device(&id).expect("sound"))
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn area() -> impl Strategy<Value = Area> {
    (organization(), "[a-z0-9]{1,9}", any::<u32>(), 0..3).prop_map(|(owner, id, radius, kind)| match kind {
        0 => Area::Geofence(owner.geofence(&id).expect("sound")),
        1 => Area::Around(owner.store(&id).expect("sound"), radius),
        _ => Area::Beacon(owner.beacon(&id).expect("sound")),
    })
}

fn belief() -> impl Strategy<Value = Belief> {
    let visit =
        (time(), time(), of(time()), any::<u64>()).prop_map(|(entered_at, last_inside, leaving_since, nanos)| {
            Belief::Inside(Visit { entered_at, last_inside, leaving_since, dwelt: Duration::from_nanos(nanos) })
        });
    prop_oneof![time().prop_map(|since| Belief::Entering { since }), visit]
}

fn last_seen() -> impl Strategy<Value = LastSeen> {
    (-90.0..=90.0, -180.0..180.0, 1.0..2_000.0).prop_map(|(latitude, longitude, metres)| LastSeen {
        position: Position::new(latitude, longitude).expect("sound"),
        accuracy: Accuracy::new(metres).expect("sound"),
    })
}

fn presence() -> impl Strategy<Value = DevicePresence> {
    let hearing = (time(), time(), any::<bool>());
    let hearing = hearing.prop_map(|(first, last, confirmed)| Hearing { first, last, confirmed });
    let beacon = (organization(), "[a-z]{1,8}").prop_map(|(owner, id)| owner.beacon(&id).expect("sound"));
    let parts = (
        of(time()),
        of(time()),
        any::<i64>(),
        of(time()),
        of(last_seen()),
        btree_map(area(), belief(), 0..4),
        btree_map(beacon, hearing, 0..4),
    );
    parts.prop_map(|(newest_fix, newest_sighting, clock_offset, saved_at, last_seen, areas, heard)| DevicePresence {
        newest_fix,
        newest_sighting,
        clock_offset,
        saved_at,
        last_seen,
        areas,
        heard,
    })
}

fn device() -> impl Strategy<Value = Device> {
    let platform = prop_oneof![Just(Platform::Ios), Just(Platform::Android), Just(Platform::Other)];
    let zone = prop_oneof![Just("Europe/Rome"), Just("UTC"), Just("Pacific/Apia")];
    let zone = of(zone.prop_map(|zone| TimeZone::new(zone).expect("known")));
    let parts = (".{0,9}", platform, zone, any::<bool>(), any::<u64>(), time(), presence());
    parts.prop_map(|(language, platform, time_zone, test, token_epoch, registered_at, presence)| Device {
        language,
        platform,
        time_zone,
        test,
        token_epoch,
        registered_at,
        presence,
    })
}

fn given() -> impl Strategy<Value = GivenOffer> {
    let times = (time(), of(time()), of(time()), of(time()), of(time()));
    let parts = (any::<u128>(), organization(), device_name(), times, any::<bool>());
    parts.prop_map(|(random, owner, device, times, holds_budget)| GivenOffer {
        id: OfferId::new(times.0, random),
        campaign: owner.campaign("coffee").expect("sound"),
        device,
        offered_at: times.0,
        shown_at: times.1,
        opened_at: times.2,
        dismissed_at: times.3,
        returned_at: times.4,
        holds_budget,
    })
}

fn personal() -> impl Strategy<Value = Personal> {
    let value = prop_oneof![
        ".{1,20}".prop_map(TraitValue::Text),
        (-1e300..1e300).prop_map(TraitValue::Number),
        any::<bool>().prop_map(TraitValue::Flag),
    ];
    let key = "[a-z][a-z0-9_]{0,9}";
    let traits = btree_map(key.prop_map(|key| TraitKey::new(&key).expect("sound")), value, 0..4);
    let interests = btree_map(key.prop_map(|topic| Topic::new(&topic).expect("sound")), 0.0..=1.0, 0..4);
    (traits, interests).prop_map(|(traits, interests)| Personal { traits, interests })
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

fn profile() -> impl Strategy<Value = Profile> {
    let person = (app(), "[a-z0-9]{1,9}", time(), consents(), personal());
    let revision = (any::<u64>(), any::<u64>()).prop_map(|(version, soft)| Revision { version, soft });
    let rest =
        (revision, btree_set(organization(), 0..3), btree_map(device_name(), device(), 0..3), vec(given(), 0..4));
    (person, rest).prop_map(|((app, id, created_at, consents, personal), (revision, muted, devices, offers))| {
        let mut profile = Profile::new(app.profile(&id).expect("sound"), created_at, consents, personal);
        (profile.revision, profile.muted, profile.devices, profile.offers) = (revision, muted, devices, offers);
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

#[test]
fn newer_and_missing_encodings_are_refused() {
    use prost::Message;
    let newer = state::Profile { encoding: ENCODING + 1, ..state::Profile::default() };
    assert!(matches!(decode(&newer.encode_to_vec()), Err(Undecodable::Newer(found)) if found == ENCODING + 1));
    assert!(matches!(decode(&[]), Err(Undecodable::Unsound { field: "encoding", .. })));
    let empty = state::Profile { encoding: ENCODING, ..state::Profile::default() };
    assert!(matches!(decode(&empty.encode_to_vec()), Err(Undecodable::Unsound { field: "name", .. })));
}
