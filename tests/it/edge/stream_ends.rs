//! What ends a stream of pings, and what is left of it.

use std::time::Duration;

use dintorni::{
    domain::name::ProfileName,
    grpc::pb::{self, key::Scope},
};
use tonic::Code;
use tonic_types::StatusExt;

use super::tokens::revoke;
use crate::support::harness::{PingStream, TestServer, bearing, ping, refusal};

const MINUTE: Duration = Duration::from_secs(60);

/// What ends the stream at its next ping.
async fn end(server: &TestServer, stream: &mut PingStream) -> (Code, String) {
    refusal(&stream.ping(ping("the-end-1", server.now())).await.expect_err("ended"))
}

#[tokio::test]
async fn a_revoked_token_ends_the_stream() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let over = (Code::Unauthenticated, "TOKEN_REVOKED".to_owned());

    let here = acme.phone(1).await;
    let mut stream = here.stream().await.expect("opened");
    stream.ping(ping("before-1", server.now())).await.expect("open").expect("answered");
    let request = pb::RevokeDeviceTokensRequest { device: here.device.clone() };
    let key = acme.key_of(Scope::Server).await;
    server.profiles().revoke_device_tokens(bearing(&key, request)).await.expect("revoked");
    assert_eq!(end(&server, &mut stream).await, over, "at once on the node that revoked it");

    let elsewhere = acme.phone(2).await;
    let mut stream = elsewhere.stream().await.expect("opened");
    stream.ping(ping("before-1", server.now())).await.expect("open").expect("answered");
    revoke(&server, &elsewhere).await;
    server.clock.advance(10 * MINUTE + Duration::from_secs(1));
    assert_eq!(end(&server, &mut stream).await, over, "when the copy in memory must be confirmed");

    let silent = acme.phone(3).await;
    let mut stream = silent.stream().await.expect("opened");
    server.clock.advance(60 * 24 * 31 * MINUTE);
    assert_eq!(end(&server, &mut stream).await, (Code::Unauthenticated, "TOKEN_EXPIRED".to_owned()));
}

#[tokio::test]
async fn nothing_of_an_erased_person_stays_or_comes_back() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let mut stream = phone.stream().await.expect("opened");
    stream.ping(ping("before-1", server.now())).await.expect("open").expect("answered");
    let request = pb::DeleteProfileRequest { name: phone.profile.clone() };
    server.profiles().delete_profile(bearing(&phone.token, request)).await.expect("erased");
    assert_eq!(end(&server, &mut stream).await, (Code::Unauthenticated, "PROFILE_ERASED".to_owned()));
    let name = ProfileName::parse(&phone.profile).expect("sound");
    assert_eq!(server.ports.cache.get(&name).await.expect("read"), None);
}

#[tokio::test]
async fn open_streams_end_when_the_server_stops() {
    let server = TestServer::start_with(&[("server.stop_grace_ms", "3600000")]).await;
    let acme = server.publisher("acme").await;
    let phones = [acme.phone(1).await, acme.phone(2).await];
    let mut streams = Vec::new();
    for phone in &phones {
        streams.push(phone.stream().await.expect("opened"));
    }
    streams[0].ping(ping("before-1", server.now())).await.expect("open").expect("answered");
    server.stop.cancel();
    for stream in &mut streams {
        let status = stream.answers.message().await.expect_err("ended");
        assert_eq!(refusal(&status), (Code::Unavailable, "STOPPING".to_owned()));
        assert!(status.get_error_details().retry_info().is_some());
    }
    drop((streams, phones));
    server.running.stopped().await.expect("a clean end, without waiting for the grace");
}

#[tokio::test]
async fn a_stream_without_pings_ends_in_peace() {
    let server = TestServer::start_with(&[("server.ping_stream_idle_ms", "1")]).await;
    let acme = server.publisher("acme").await;
    let mut stream = acme.phone(1).await.stream().await.expect("opened");
    assert!(stream.answers.message().await.expect("a good end").is_none());
}

#[tokio::test]
async fn an_upload_that_pauses_ends_and_is_told_so() {
    for (setting, value, ended) in
        [("server.ping_stream_idle_ms", "1", "TOO_SLOW"), ("server.stop_grace_ms", "3600000", "STOPPING")]
    {
        let server = TestServer::start_with(&[(setting, value)]).await;
        let pause = tokio_stream::pending::<pb::UploadCodesRequest>();
        let mut client = server.campaigns();
        let mut answers = client.upload_codes(bearing(&server.operator, pause)).await.expect("opened").into_inner();
        if ended == "STOPPING" {
            server.stop.cancel();
        }
        let status = answers.message().await.expect_err("ended");
        assert_eq!(refusal(&status).1, ended);
        assert!(status.get_error_details().retry_info().is_some());
    }
}
