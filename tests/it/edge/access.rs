//! Who may call what: every credential against every call of the path.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Request, Status};

use crate::support::harness::{TestServer, bearing, ping, refusal, registration};

/// What the four calls say to a request bearing `credential`: the code and the reason.
async fn answers(server: &TestServer, credential: Option<&str>) -> [(Code, String); 4] {
    fn with<T>(credential: Option<&str>, message: T) -> Request<T> {
        credential.map_or_else(|| Request::new(()), |credential| bearing(credential, ())).map(|()| message)
    }
    fn said<T>(answer: Result<T, Status>) -> (Code, String) {
        answer.map_or_else(|status| refusal(&status), |_| (Code::Ok, String::new()))
    }
    let decision = pb::GetDecisionRequest { decision: "019283a0-0000-7000-8000-000000000000".into() };
    [
        said(server.devices().register_device(with(credential, registration(9))).await),
        said(server.proximity().ping(with(credential, ping("access-01", server.now()))).await),
        said(server.proximity().stream_pings(with(credential, ()).map(|()| tokio_stream::empty())).await),
        said(server.decisions().get_decision(with(credential, decision)).await),
    ]
}

fn all(code: Code, reason: &str) -> [(Code, String); 4] {
    std::array::from_fn(|_| (code, reason.to_owned()))
}

#[tokio::test]
async fn without_a_good_credential_nothing_opens() {
    let server = TestServer::start().await;
    let missing = all(Code::Unauthenticated, "CREDENTIAL_MISSING");
    assert_eq!(answers(&server, None).await, missing);
    assert_eq!(answers(&server, Some("")).await, missing);
    let unknown = all(Code::Unauthenticated, "CREDENTIAL_UNKNOWN");
    for credential in ["dk_guess", "dt_guess", "dt_", "guess"] {
        assert_eq!(answers(&server, Some(credential)).await, unknown, "{credential}");
    }
}

#[tokio::test]
async fn each_credential_opens_its_own_calls_only() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let ok = (Code::Ok, String::new());
    let narrow = (Code::PermissionDenied, "SCOPE_TOO_NARROW".to_owned());
    let none = (Code::NotFound, "NOT_FOUND".to_owned());

    let app = [ok.clone(), narrow.clone(), narrow.clone(), narrow.clone()];
    assert_eq!(answers(&server, Some(&acme.key)).await, app);
    let phone = acme.phone(1).await;
    let device = [narrow.clone(), ok.clone(), ok, none.clone()];
    assert_eq!(answers(&server, Some(&phone.token)).await, device);
    let reader = [narrow.clone(), narrow.clone(), narrow.clone(), none];
    assert_eq!(answers(&server, Some(&server.operator)).await, reader);
    for scope in [Scope::Owner, Scope::Brand, Scope::Server] {
        assert_eq!(answers(&server, Some(&acme.key_of(scope).await)).await, reader, "{scope:?}");
    }
    let network = acme.key_of(Scope::Network).await;
    assert_eq!(answers(&server, Some(&network)).await, all(narrow.0, &narrow.1));
}

#[tokio::test]
async fn a_scope_is_checked_before_the_fields() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let wrong = server.proximity().ping(bearing(&acme.key, pb::PingRequest::default())).await;
    assert_eq!(wrong.expect_err("refused").code(), Code::PermissionDenied);
}
