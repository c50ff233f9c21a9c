//! Wire values that several services share, and their domain values.
//!
//! Law 8: what cannot be said in the domain is a violation with its field, never a panic and never a silent default.

use std::time::Duration;

use prost::Message;
use ring::digest;

use crate::{
    domain::{
        consent::{Consent, Consents, Purpose},
        content::Money,
        geo::{Position, check_latitude, normalised_longitude},
        profile::Platform,
        text::line,
        time::Timestamp,
        violation::{Invalid, Violations, at_most},
    },
    grpc::pb,
};

/// Longest version of a consent text, in characters.
pub const MAX_TEXT_VERSION: usize = 64;

/// No enum of the API has a greater number.
const MOST_VALUES: i32 = 100;

const MICROS: i64 = 1_000_000;

/// SHA-256 of all that a message says.
pub fn fingerprint(message: &impl Message) -> [u8; 32] {
    fingerprint_as("", message)
}

/// SHA-256 of all that a message of that kind says: of another kind the same bytes say something else.
pub fn fingerprint_as(kind: &str, message: &impl Message) -> [u8; 32] {
    let mut said = kind.as_bytes().to_vec();
    said.extend(message.encode_to_vec());
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest::digest(&digest::SHA256, &said).as_ref());
    fingerprint
}

/// What a missing field is refused with.
pub fn required() -> Invalid {
    Invalid::new("is required")
}

/// A time that must be there, between the years 1 and 9999. Parts below a microsecond are cut.
pub fn timestamp(wire: Option<prost_types::Timestamp>) -> Result<Timestamp, Invalid> {
    optional_timestamp(wire)?.ok_or_else(required)
}

/// As [`timestamp`], and none is none.
pub fn optional_timestamp(wire: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, Invalid> {
    let Some(prost_types::Timestamp { seconds, nanos }) = wire else { return Ok(None) };
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(Invalid::new(format!("nanos must be 0 to 999,999,999, was {nanos}")));
    }
    let micros = seconds.checked_mul(MICROS).and_then(|micros| micros.checked_add(i64::from(nanos) / 1_000));
    micros
        .filter(|micros| (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).contains(micros))
        .map(|micros| Some(Timestamp::from_micros(micros)))
        .ok_or_else(|| Invalid::new(format!("must be within the years 1 to 9999, was {seconds} seconds since 1970")))
}

pub fn timestamp_to_wire(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, micros) = (time.micros().div_euclid(MICROS), time.micros().rem_euclid(MICROS));
    prost_types::Timestamp { seconds, nanos: micros as i32 * 1_000 }
}

/// A span that must be there and not negative.
pub fn duration(wire: Option<prost_types::Duration>) -> Result<Duration, Invalid> {
    optional_duration(wire)?.ok_or_else(required)
}

/// As [`duration`], and none is none.
pub fn optional_duration(wire: Option<prost_types::Duration>) -> Result<Option<Duration>, Invalid> {
    let Some(prost_types::Duration { seconds, nanos }) = wire else { return Ok(None) };
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Some(Duration::new(seconds, nanos))),
        _ => Err(Invalid::new(format!("must not be negative, was {seconds} seconds and {nanos} nanos"))),
    }
}

/// Spans longer than protobuf can say become the longest it can (10,000 years).
pub fn duration_to_wire(span: Duration) -> prost_types::Duration {
    const LONGEST: u64 = 315_576_000_000;
    let seconds = span.as_secs().min(LONGEST) as i64;
    prost_types::Duration { seconds, nanos: span.subsec_nanos() as i32 }
}

/// A position that must be there; both of its fields are checked.
pub fn position(wire: Option<pb::LatLng>) -> Result<Position, Violations> {
    let Some(pb::LatLng { latitude, longitude }) = wire else { return Err(Violations::one("", required())) };
    let mut wrong = Violations::default();
    wrong.take("latitude", check_latitude(latitude));
    wrong.take("longitude", normalised_longitude(longitude));
    let position = Position::new(latitude, longitude).ok();
    wrong.finish(position)
}

pub fn position_to_wire(position: Position) -> pb::LatLng {
    pb::LatLng { latitude: position.latitude(), longitude: position.longitude() }
}

/// An amount, if one is given.
pub fn money(wire: Option<pb::Money>) -> Result<Option<Money>, Violations> {
    let Some(pb::Money { currency, minor_units }) = wire else { return Ok(None) };
    Money::new(&currency, minor_units).map(Some).map_err(|invalid| Violations::one("", invalid))
}

pub fn money_to_wire(money: &Money) -> pb::Money {
    pb::Money { currency: money.currency().to_owned(), minor_units: money.minor_units() }
}

/// The answers to the purposes, given now; at most one for each. What is wrong is noted under `field[i]`.
pub fn consents(wrong: &mut Violations, field: &str, wire: Vec<pb::Consent>, now: Timestamp) -> Consents {
    let mut consents = Consents::default();
    if wrong.take(field, at_most(Purpose::ALL.len(), wire.len())).is_none() {
        return consents;
    }
    for (i, pb::Consent { purpose, granted, text_version, given_at: _ }) in wire.into_iter().enumerate() {
        let purpose = wrong.take(format!("{field}[{i}].purpose"), unanswered_purpose(purpose, &consents));
        let text_version = wrong.take(format!("{field}[{i}].text_version"), line(&text_version, MAX_TEXT_VERSION));
        if let (Some(purpose), Some(text_version)) = (purpose, text_version) {
            consents.set(purpose, Consent { granted, text_version, given_at: now });
        }
    }
    consents
}

fn unanswered_purpose(wire: i32, consents: &Consents) -> Result<Purpose, Invalid> {
    let purpose = purpose(wire)?;
    if consents.iter().any(|(answered, _)| answered == purpose) {
        return Err(Invalid::new(format!("is answered twice: {}", purpose_to_wire(purpose).as_str_name())));
    }
    Ok(purpose)
}

pub fn consents_to_wire(consents: &Consents) -> Vec<pb::Consent> {
    let answer = |(purpose, consent): (Purpose, &Consent)| pb::Consent {
        purpose: purpose_to_wire(purpose).into(),
        granted: consent.granted,
        text_version: consent.text_version.clone(),
        given_at: Some(timestamp_to_wire(consent.given_at)),
    };
    consents.iter().map(answer).collect()
}

pub fn purpose(wire: i32) -> Result<Purpose, Invalid> {
    match pb::Purpose::try_from(wire) {
        Ok(pb::Purpose::Location) => Ok(Purpose::Location),
        Ok(pb::Purpose::Marketing) => Ok(Purpose::Marketing),
        Ok(pb::Purpose::Profiling) => Ok(Purpose::Profiling),
        Ok(pb::Purpose::Unspecified) | Err(_) => Err(not_one_of(wire, pb::Purpose::as_str_name)),
    }
}

pub fn purpose_to_wire(purpose: Purpose) -> pb::Purpose {
    match purpose {
        Purpose::Location => pb::Purpose::Location,
        Purpose::Marketing => pb::Purpose::Marketing,
        Purpose::Profiling => pb::Purpose::Profiling,
    }
}

pub fn platform(wire: i32) -> Result<Platform, Invalid> {
    match pb::Platform::try_from(wire) {
        Ok(pb::Platform::Ios) => Ok(Platform::Ios),
        Ok(pb::Platform::Android) => Ok(Platform::Android),
        Ok(pb::Platform::Other) => Ok(Platform::Other),
        Ok(pb::Platform::Unspecified) | Err(_) => Err(not_one_of(wire, pb::Platform::as_str_name)),
    }
}

/// What an enum number is refused with that may not stand where it does; `name` says the values as the protos spell them.
pub fn not_one_of<E: TryFrom<i32>>(wire: i32, name: fn(&E) -> &'static str) -> Invalid {
    let known = (1..=MOST_VALUES).filter_map(|number| E::try_from(number).ok());
    let known = known.map(|value| name(&value)).collect::<Vec<_>>().join(", ");
    Invalid::new(match wire {
        0 => format!("is required: one of {known}"),
        _ => format!("must be one of {known}, was {wire}, which is not known to this version"),
    })
}

/// Metres to look around in; 0 means the usual.
pub fn radius(wire: f64, (usual, most): (f64, f64)) -> Result<f64, Invalid> {
    match wire {
        0.0 => Ok(usual),
        sound if sound > 0.0 && sound <= most => Ok(sound),
        _ => Err(Invalid::new(format!("must be more than 0 and at most {most} metres, or 0 for {usual}, was {wire}"))),
    }
}

/// How many to answer with; 0 means the usual number.
pub fn limit(wire: u32, (usual, most): (u32, u32)) -> Result<usize, Invalid> {
    match wire {
        0 => Ok(usual as usize),
        sound if sound <= most => Ok(sound as usize),
        _ => Err(Invalid::new(format!("must be 1 to {most}, or 0 for {usual}, was {wire}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_survive_the_wire(micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(timestamp(Some(timestamp_to_wire(time))), Ok(time));
        }

        #[test]
        fn no_time_or_span_panics(seconds: i64, nanos: i32) {
            let time = timestamp(Some(prost_types::Timestamp { seconds, nanos }));
            if let Ok(time) = time {
                prop_assert_eq!(time.micros().div_euclid(MICROS), seconds);
            }
            let span = duration(Some(prost_types::Duration { seconds, nanos }));
            prop_assert_eq!(span.is_ok(), seconds >= 0 && (0..1_000_000_000).contains(&nanos));
        }
    }

    #[test]
    fn times_outside_the_calendar_are_refused() {
        for (seconds, nanos) in [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 1_000_000_000), (i64::MAX, 0)]
        {
            assert!(timestamp(Some(prost_types::Timestamp { seconds, nanos })).is_err(), "{seconds} {nanos}");
        }
        assert_eq!(timestamp(None), Err(required()));
    }

    #[test]
    fn every_wrong_answer_is_named() {
        let answer = |purpose: i32, version: &str| pb::Consent {
            purpose,
            granted: true,
            text_version: version.into(),
            given_at: None,
        };
        let refused = |wire| {
            let mut wrong = Violations::default();
            consents(&mut wrong, "c", wire, Timestamp::default());
            wrong.iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
        };
        let wire = vec![answer(2, "v1"), answer(0, ""), answer(2, "v1")];
        assert_eq!(refused(wire), ["c[1].purpose", "c[1].text_version", "c[2].purpose"]);
        assert_eq!(refused(vec![answer(9, &"x".repeat(65))]), ["c[0].purpose", "c[0].text_version"]);
        assert_eq!(refused(vec![answer(9, ""); 100_000]), ["c"], "too many are not read");
    }

    #[test]
    fn who_chooses_wrongly_is_told_what_there_is() {
        let said = |wire| platform(wire).expect_err("refused").to_string();
        assert_eq!(said(0), "is required: one of PLATFORM_IOS, PLATFORM_ANDROID, PLATFORM_OTHER");
        assert!(
            said(9).starts_with("must be one of PLATFORM_IOS, PLATFORM_ANDROID, PLATFORM_OTHER, was 9"),
            "{}",
            said(9)
        );
    }

    #[test]
    fn both_halves_of_a_position_are_checked() {
        let wrong = position(Some(pb::LatLng { latitude: 91.0, longitude: f64::NAN })).expect_err("refused");
        assert_eq!(wrong.iter().count(), 2);
    }
}
