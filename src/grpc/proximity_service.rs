//! `ProximityService`: pings, and looking around.

use std::{pin::Pin, sync::Arc};

use futures_util::stream::try_unfold;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    app::{browsing::Browsing, nearby::Nearby, people::People},
    domain::{organization::Scope, violation::Violations},
    grpc::{
        auth::{Principal, denied},
        browsing::{previews_to_wire, view},
        limits::PeopleLimits,
        nearby::{around, stores_to_wire},
        open_streams::OpenStreams,
        pb::{self, proximity_service_server::ProximityService},
        people::Actor,
        ping_stream::PingStream,
        pings::Pings,
        status::Problem,
    },
};

/// Answers [`ProximityService`].
pub struct ProximityGrpc {
    pub pings: Arc<Pings>,
    pub streams: OpenStreams,
    pub people: Arc<People>,
    pub nearby: Nearby,
    pub browsing: Browsing,
    pub limits: Arc<PeopleLimits>,
}

#[tonic::async_trait]
impl ProximityService for ProximityGrpc {
    async fn ping(&self, request: Request<pb::PingRequest>) -> Result<Response<pb::PingResponse>, Status> {
        let verified = Principal::device(request.extensions())?;
        Ok(Response::new(self.pings.answer(&verified, request.get_ref(), None).await?))
    }

    type StreamPingsStream = Pin<Box<dyn Stream<Item = Result<pb::PingStreamResponse, Status>> + Send>>;

    async fn stream_pings(
        &self,
        request: Request<Streaming<pb::PingRequest>>,
    ) -> Result<Response<Self::StreamPingsStream>, Status> {
        let verified = Principal::device(request.extensions())?;
        // In a box, since it is handed on from each answer to the next.
        let stream = Box::new(PingStream::open(&self.streams, self.pings.clone(), verified, request.into_inner()));
        let answers = try_unfold(stream, |mut stream| async move {
            let answer = stream.next().await?;
            Ok(answer.map(|answer| (answer, stream)))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn report_app_event(
        &self,
        request: Request<pb::ReportAppEventRequest>,
    ) -> Result<Response<pb::PingResponse>, Status> {
        let verified = Principal::device(request.extensions())?;
        Ok(Response::new(self.pings.answer_event(&verified, request.get_ref()).await?))
    }

    async fn list_nearby_offers(
        &self,
        request: Request<pb::ListNearbyOffersRequest>,
    ) -> Result<Response<pb::ListNearbyOffersResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let mut wrong = Violations::default();
        let view = view(&request, &mut wrong);
        let (profile, device) = match Principal::of(&extensions)? {
            Principal::Device(verified) => {
                if !request.profile.is_empty() {
                    wrong.add("profile", "must be empty with a device token, which looks for its own");
                }
                (self.people.own(&verified.caller).await?, Some(&verified.caller.device))
            }
            Principal::Key { scope: Scope::Server(app), .. } => {
                let named = Actor::Server(app.clone()).named(&mut wrong, "profile", &request.profile)?;
                // What is no name is told with everything else that is wrong.
                let Some(named) = named else { return Err(wrong.into()) };
                (self.people.get(&named).await?, None)
            }
            Principal::Key { scope, .. } => {
                return Err(denied(scope, "this call takes a device token or a server key"));
            }
        };
        let view = wrong.finish(view)?;
        self.limits.browses.check(&profile.name)?;
        let found = self.browsing.previews(profile, device, view).await?;
        let no_device = || Problem::Precondition.says("the profile has no device that offers could be shown on");
        Ok(Response::new(previews_to_wire(found.ok_or_else(no_device)?)))
    }

    async fn list_nearby_stores(
        &self,
        request: Request<pb::ListNearbyStoresRequest>,
    ) -> Result<Response<pb::ListNearbyStoresResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let (publisher, person) = match Principal::of(&extensions)? {
            Principal::Device(verified) => {
                let person = self.people.own(&verified.caller).await?.name;
                (person.organization(), Some(person))
            }
            Principal::Key { scope: Scope::Server(app), .. } => (app.organization(), None),
            Principal::Key { scope, .. } => {
                return Err(denied(scope, "this call takes a device token or a server key"));
            }
        };
        let around = around(request)?;
        if let Some(person) = &person {
            self.limits.store_looks.check(person)?;
        }
        Ok(Response::new(stores_to_wire(self.nearby.stores(publisher, around).await?)))
    }
}
