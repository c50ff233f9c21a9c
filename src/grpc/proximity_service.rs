//! `ProximityService`: pings, and looking around.

use std::{pin::Pin, sync::Arc};

use futures_util::stream::try_unfold;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    app::{nearby::Nearby, people::People},
    domain::organization::Scope,
    grpc::{
        auth::{Auth, Principal, denied},
        nearby::{around, stores_to_wire},
        pb::{self, proximity_service_server::ProximityService},
        ping_stream::PingStreams,
        pings::Pings,
    },
};

/// Answers [`ProximityService`].
pub struct ProximityGrpc {
    pub auth: Auth,
    pub pings: Arc<Pings>,
    pub streams: PingStreams,
    pub people: Arc<People>,
    pub nearby: Nearby,
}

#[tonic::async_trait]
impl ProximityService for ProximityGrpc {
    async fn ping(&self, request: Request<pb::PingRequest>) -> Result<Response<pb::PingResponse>, Status> {
        let verified = self.auth.device(request.metadata())?;
        Ok(Response::new(self.pings.answer(&verified, request.into_inner()).await?))
    }

    type StreamPingsStream = Pin<Box<dyn Stream<Item = Result<pb::PingStreamResponse, Status>> + Send>>;

    async fn stream_pings(
        &self,
        request: Request<Streaming<pb::PingRequest>>,
    ) -> Result<Response<Self::StreamPingsStream>, Status> {
        let verified = self.auth.device(request.metadata())?;
        let stream = self.streams.open(self.pings.clone(), verified, request.into_inner());
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
        let verified = self.auth.device(request.metadata())?;
        Ok(Response::new(self.pings.answer_event(&verified, request.into_inner()).await?))
    }

    async fn list_nearby_stores(
        &self,
        request: Request<pb::ListNearbyStoresRequest>,
    ) -> Result<Response<pb::ListNearbyStoresResponse>, Status> {
        match self.auth.principal(request.metadata())? {
            Principal::Device(verified) => drop(self.people.own(&verified.caller).await?),
            Principal::Key { scope: Scope::Server(_), .. } => {}
            Principal::Key { scope, .. } => {
                return Err(denied(&scope, "this call takes a device token or a server key"));
            }
        }
        let around = around(request.into_inner())?;
        Ok(Response::new(stores_to_wire(self.nearby.stores(&around))))
    }
}
