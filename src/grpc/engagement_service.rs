//! `EngagementService`: what became of offers on the phone.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    app::{
        engagement::{Engagement, MAX_EVENTS, OfferEvent, Report},
        tokens::Tokens,
    },
    domain::{
        offer::OfferId,
        ping::ClockReading,
        time::Timestamp,
        violation::{Invalid, Violations},
    },
    engine::engagement::Event,
    grpc::{
        auth::Principal,
        device_service::token_to_wire,
        pb::{self, engagement_event::Kind, engagement_service_server::EngagementService},
        wire::{not_one_of, optional_timestamp, timestamp},
    },
    ports::Clock,
};

/// Answers [`EngagementService`].
pub struct EngagementGrpc {
    pub tokens: Arc<Tokens>,
    pub engagement: Engagement,
    pub clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl EngagementService for EngagementGrpc {
    async fn report_engagement(
        &self,
        request: Request<pb::ReportEngagementRequest>,
    ) -> Result<Response<pb::ReportEngagementResponse>, Status> {
        let now = self.clock.now();
        let verified = Principal::device(request.extensions())?;
        let report = report(request.into_inner(), now)?;
        let device = &verified.caller.device;
        let (profile, unknown) = self.engagement.report(&verified.caller, &report).await?;
        let epoch = profile.devices.get(device).map_or(0, |device| device.token_epoch);
        Ok(Response::new(pb::ReportEngagementResponse {
            unknown_offers: unknown.iter().map(ToString::to_string).collect(),
            renewed_token: self.tokens.renewal(&verified, &profile.name, epoch, now).map(token_to_wire),
        }))
    }
}

fn report(request: pb::ReportEngagementRequest, now: Timestamp) -> Result<Report, Violations> {
    let pb::ReportEngagementRequest { sent_at, events, reported_through } = request;
    let mut wrong = Violations::default();
    let sent_at = wrong.take("sent_at", timestamp(sent_at));
    // Without its clock the report is refused; the rest is still looked at.
    let clock = ClockReading { sent_at: sent_at.unwrap_or(now), received_at: now };
    if events.len() > MAX_EVENTS {
        wrong.add("events", format!("must be at most {MAX_EVENTS}, were {}", events.len()));
    }
    let read = |(i, wire)| wrong.nest(format_args!("events[{i}]"), event(wire, clock));
    let events = events.into_iter().take(MAX_EVENTS).enumerate().filter_map(read).collect();
    let through = wrong.take("reported_through", optional_timestamp(reported_through)).flatten();
    let through = through.and_then(|through| clock.reported(through));
    wrong.finish(Some(Report { received_at: now, events, through }))
}

fn event(wire: pb::EngagementEvent, clock: ClockReading) -> Result<OfferEvent, Violations> {
    let pb::EngagementEvent { offer, kind: happened, at } = wire;
    let mut wrong = Violations::default();
    let offer = wrong.take("offer", OfferId::parse(&offer));
    let event = wrong.take("kind", kind(happened));
    let at = wrong.take("at", timestamp(at)).map(|at| clock.reading(at).event);
    wrong.finish((|| Some(OfferEvent { offer: offer?, event: event?, at: at? }))())
}

fn kind(wire: i32) -> Result<Event, Invalid> {
    match Kind::try_from(wire) {
        Ok(Kind::Shown) => Ok(Event::Shown),
        Ok(Kind::Opened) => Ok(Event::Opened),
        Ok(Kind::Dismissed) => Ok(Event::Dismissed),
        Ok(Kind::Unspecified) | Err(_) => Err(not_one_of(wire, Kind::as_str_name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn received() -> Timestamp {
        Timestamp::from_micros(1_000_000_000)
    }

    #[test]
    fn events_are_timed_by_the_clock_that_sent_them() {
        let offer = OfferId::new(received(), 1).to_string();
        let opened = pb::EngagementEvent { offer, kind: Kind::Opened.into(), at: at(90) };
        let request = pb::ReportEngagementRequest { sent_at: at(100), events: vec![opened], reported_through: at(95) };
        let report = report(request, received()).expect("sound");
        assert_eq!(received().since(report.events[0].at).as_secs(), 10);
        assert_eq!(report.through.map(|through| received().since(through).as_secs()), Some(5));
        let ahead = pb::ReportEngagementRequest { sent_at: at(100), events: vec![], reported_through: at(140) };
        assert_eq!(super::report(ahead, received()).expect("sound").through, None, "later than now");
    }

    #[test]
    fn every_fault_is_named() {
        let events = vec![pb::EngagementEvent { offer: "7".into(), kind: 9, at: None }; MAX_EVENTS + 1];
        let request = pb::ReportEngagementRequest { sent_at: None, events, reported_through: at(i64::MAX) };
        let wrong = report(request, received()).expect_err("refused");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields[..5], ["sent_at", "events", "events[0].offer", "events[0].kind", "events[0].at"]);
        assert_eq!(wrong.count(), 2 + 3 * MAX_EVENTS + 1, "events past the bound are not read, reported_through is");
    }
}
