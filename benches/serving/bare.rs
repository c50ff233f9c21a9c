//! A bare tonic server of the same messages: it looks at nothing, and answers with a constant.

use dintorni::grpc::pb::{
    self,
    device_service_server::{DeviceService, DeviceServiceServer},
    proximity_service_server::{ProximityService, ProximityServiceServer},
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// The argument with which this program is the bare server.
pub const ARGUMENT: &str = "--bare";

struct Bare;

/// As a ping is answered that changed nothing.
fn answer() -> pb::PingResponse {
    let at = prost_types::Timestamp { seconds: 1_800_000_000, nanos: 5_000_000 };
    let next = Some(pb::Next { safe_radius_m: 123.0, at: Some(at) });
    pb::PingResponse { next, server_time: Some(at), ..Default::default() }
}

#[tonic::async_trait]
impl ProximityService for Bare {
    type StreamPingsStream = std::pin::Pin<Box<dyn Stream<Item = Result<pb::PingStreamResponse, Status>> + Send>>;

    async fn ping(&self, _: Request<pb::PingRequest>) -> Result<Response<pb::PingResponse>, Status> {
        Ok(Response::new(answer()))
    }

    async fn stream_pings(
        &self,
        pings: Request<Streaming<pb::PingRequest>>,
    ) -> Result<Response<Self::StreamPingsStream>, Status> {
        let result = || Some(pb::ping_stream_response::Result::Answer(answer()));
        let answers = pings
            .into_inner()
            .map(move |ping| ping.map(|ping| pb::PingStreamResponse { ping_id: ping.ping_id, result: result() }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn report_app_event(
        &self,
        _: Request<pb::ReportAppEventRequest>,
    ) -> Result<Response<pb::PingResponse>, Status> {
        Err(Status::unimplemented("a bare server"))
    }

    async fn list_nearby_offers(
        &self,
        _: Request<pb::ListNearbyOffersRequest>,
    ) -> Result<Response<pb::ListNearbyOffersResponse>, Status> {
        Err(Status::unimplemented("a bare server"))
    }

    async fn list_nearby_stores(
        &self,
        _: Request<pb::ListNearbyStoresRequest>,
    ) -> Result<Response<pb::ListNearbyStoresResponse>, Status> {
        Err(Status::unimplemented("a bare server"))
    }
}

#[tonic::async_trait]
impl DeviceService for Bare {
    async fn register_device(
        &self,
        _: Request<pb::RegisterDeviceRequest>,
    ) -> Result<Response<pb::RegisterDeviceResponse>, Status> {
        // As long as ours are.
        let token = pb::DeviceToken { value: format!("dt_{}", "x".repeat(160)), ..Default::default() };
        Ok(Response::new(pb::RegisterDeviceResponse { token: Some(token), ..Default::default() }))
    }
}

/// Says where it listens, and serves until it is killed.
pub fn serve() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("http://{}", listener.local_addr().expect("an address"));
        let services = Server::builder()
            .add_service(ProximityServiceServer::new(Bare))
            .add_service(DeviceServiceServer::new(Bare));
        services.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("it serves");
    });
}
