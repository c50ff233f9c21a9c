//! An event of the app, from the message that carries it: a ping that says what happened.
//!
//! Law 8: every field is looked at. Law 2: ids are those of pings, so the fingerprint tells an event from a ping as well.

use crate::{
    domain::{
        ping::{AppEvent, ClockReading, Ping, PingId},
        place::PlaceName,
        text::EventKey,
        time::Timestamp,
        violation::{Invalid, Violations},
    },
    grpc::{
        pb,
        ping::{fix, offers_wanted},
        wire::{self, optional_timestamp, timestamp},
    },
};

/// SHA-256 of what the event says, whenever it is sent. An event that says no time happened when it was first sent.
pub fn fingerprint(request: &pb::ReportAppEventRequest) -> [u8; 32] {
    wire::fingerprint_as("app event", &pb::ReportAppEventRequest { sent_at: None, ..request.clone() })
}

/// The event as a ping, received at `now`.
pub fn app_event(request: &pb::ReportAppEventRequest, now: Timestamp) -> Result<Ping, Violations> {
    let &pb::ReportAppEventRequest {
        ref event_id,
        sent_at,
        ref key,
        ref place,
        occurred_at,
        fix: ref at,
        max_offers,
        reported_through,
    } = request;
    let mut wrong = Violations::default();
    let id = wrong.take("event_id", PingId::new(event_id));
    let sent_at = wrong.take("sent_at", timestamp(sent_at));
    let clock = ClockReading { sent_at: sent_at.unwrap_or(now), received_at: now };
    let key = wrong.take("key", EventKey::new(key));
    let place = wrong.take("place", optional_place(place));
    let occurred_at = wrong.take("occurred_at", optional_timestamp(occurred_at));
    let fix = wrong.nest("fix", at.as_ref().map(|wire| fix(wire, clock)).transpose());
    let max_offers = wrong.take("max_offers", offers_wanted(max_offers));
    let reported_through = wrong.take("reported_through", optional_timestamp(reported_through));
    let ping = (|| {
        let read = clock.reading(occurred_at?.unwrap_or(clock.sent_at));
        let event = Some(AppEvent { key: key?, place: place?, read });
        let reported_through = reported_through?.and_then(|through| clock.reported(through));
        let (fixes, sightings) = (fix?.into_iter().collect(), Vec::new());
        Some(Ping { id: id?, clock, fixes, sightings, event, max_offers: max_offers?, reported_through })
    })();
    wrong.finish(ping)
}

fn optional_place(name: &str) -> Result<Option<PlaceName>, Invalid> {
    if name.is_empty() { Ok(None) } else { PlaceName::parse(name).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut pb::ReportAppEventRequest);

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn sound() -> pb::ReportAppEventRequest {
        pb::ReportAppEventRequest {
            event_id: "event-01".into(),
            sent_at: at(100),
            key: "totem_scanned".into(),
            place: "organizations/acme/stores/1".into(),
            occurred_at: at(90),
            ..Default::default()
        }
    }

    #[test]
    fn an_event_is_a_ping_that_says_what_happened() {
        let now = Timestamp::from_micros(5_000_000_000);
        let ping = app_event(&sound(), now).expect("sound");
        let event = ping.event.expect("it says so");
        assert_eq!((event.key.as_str(), now.since(event.read.event).as_secs()), ("totem_scanned", 10));
        assert_eq!((ping.fixes.len(), ping.max_offers), (0, 3));
        let read = app_event(&pb::ReportAppEventRequest { occurred_at: None, ..sound() }, now).expect("sound").event;
        assert_eq!(read.expect("it says so").read.event, now);
        let reported = |through| {
            let event = pb::ReportAppEventRequest { reported_through: at(through), ..sound() };
            app_event(&event, now).expect("sound").reported_through.map(|through| now.since(through).as_secs())
        };
        assert_eq!([95, 140].map(reported), [Some(5), None], "nobody has shown anything later than now");
    }

    #[test]
    fn each_field_is_refused_by_its_name() {
        let cases: [(&str, Spoil); _] = [
            ("event_id", |e| e.event_id = "short".into()),
            ("sent_at", |e| e.sent_at = None),
            ("key", |e| e.key = "Scanned".into()),
            ("place", |e| e.place = "organizations/acme".into()),
            ("fix.position", |e| e.fix = Some(pb::Fix { accuracy_m: 1.0, fix_at: at(1), ..Default::default() })),
            ("max_offers", |e| e.max_offers = 11),
        ];
        for (field, spoil) in cases {
            let mut request = sound();
            spoil(&mut request);
            let wrong = app_event(&request, Timestamp::default()).expect_err(field);
            assert_eq!(wrong.iter().map(|violation| violation.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn a_retry_is_the_same_event_and_no_ping() {
        let print = |event: pb::ReportAppEventRequest| fingerprint(&event);
        assert_eq!(print(sound()), print(pb::ReportAppEventRequest { sent_at: at(120), ..sound() }));
        assert_ne!(print(sound()), print(pb::ReportAppEventRequest { place: String::new(), ..sound() }));
        assert_ne!(print(sound()), wire::fingerprint(&pb::ReportAppEventRequest { sent_at: None, ..sound() }));
    }
}
