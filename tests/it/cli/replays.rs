//! `dintorni replay`: the same, something else, and what cannot be told.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use super::{call, is_plain};
use crate::support::harness::{TestServer, bearing};
use dintorni::grpc::{
    pb::{
        self,
        decision_service_server::{DecisionService, DecisionServiceServer},
        key::Scope,
    },
    status::Problem,
};

/// Makes the receipts say that something else was offered.
async fn tamper(server: &TestServer) {
    let file = SqliteConnectOptions::new().filename(server.data.path().join("dintorni.db"));
    let mut conn = file.connect().await.expect("opens");
    let sql = "UPDATE decision SET receipt = replace(receipt, 'An espresso on us', 'A tea on us')";
    assert_eq!(sqlx::query(sql).execute(&mut conn).await.expect("written").rows_affected(), 2);
    conn.close().await.expect("closed");
}

#[tokio::test]
async fn decisions_are_replayed_and_what_differs_is_told() {
    let server = TestServer::start_with(&[("storage.replay_days", "7")]).await;
    let acme = server.publisher("acme").await;
    let campaign = acme.cafe().await;
    let replay = async |key: &str, arguments: &[&str]| {
        let ran = call(server.address, key, &[&["replay"], arguments].concat()).await;
        assert!(is_plain(&ran));
        ran
    };
    // The server's clock is not this machine's.
    let since = ["--since", "2026-06-15T00:00:00Z"];
    let none = replay(&server.operator, &since).await;
    assert!(none.code == Some(1) && none.err.contains("--since"), "{none:?}");

    let first = acme.phone(1).await.ping("arrive-1").await.expect("answered").decision;
    let second = acme.phone(2).await.ping("arrive-2").await.expect("answered").decision;
    let pause = pb::PauseCampaignRequest { name: campaign.clone(), ..Default::default() };
    server.campaigns().pause_campaign(bearing(&server.operator, pause)).await.expect("paused");

    let same = replay(&server.operator, &[&since, ["--campaign", &*campaign].as_slice()].concat()).await;
    assert_eq!((same.code, &*same.out), (Some(0), "2 decisions replayed, 0 differ, 0 without inputs\n"), "{same:?}");
    let until = replay(&server.operator, &[&since[..], &["--until", "2026-06-15T01:00:00Z"]].concat()).await;
    assert_eq!(until.code, Some(1), "nobody came so early: {until:?}");

    tamper(&server).await;
    let differs = replay(&server.operator, &[&first]).await;
    assert_eq!(differs.code, Some(3), "{differs:?}");
    for part in [&*first, "offers[0].content.title", "\"A tea on us\"", "\"An espresso on us\"", "1 differs"] {
        assert!(differs.out.contains(part), "{part} is not in:\n{}", differs.out);
    }
    assert!(!differs.out.contains(&second));
    let json = replay(&server.operator, &[&since[..], &["--json"]].concat()).await;
    let told: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, &told["replayed"], &told["differ"]), (Some(3), &2.into(), &2.into()), "{told}");
    assert_eq!(told["differing"][0]["differences"][0]["path"], "offers[0].content.title", "{told}");

    let denied = replay(&acme.key_of(Scope::Owner).await, &[&first]).await;
    assert!(denied.code == Some(1) && denied.err.contains("PermissionDenied"), "{denied:?}");
    let missing = "019283a0-0000-7000-8000-000000000000";
    let unknown = replay(&server.operator, &[missing]).await;
    assert!(unknown.code == Some(1), "{unknown:?}");
    assert!(unknown.err.contains("NotFound") && unknown.err.contains(missing), "{unknown:?}");
    let nobody = replay(&server.operator, &["--profile", "acme/apps/shopper/profiles/nobody"]).await;
    assert!(nobody.code == Some(1) && nobody.err.contains("--profile"), "{nobody:?}");
    for wrong in [
        vec!["7"],
        vec!["--since", "soon"],
        vec![&*first, "--until", "1h"],
        vec!["--campaign", "espresso"],
        vec!["--profile", "nobody"],
    ] {
        let ran = replay(&server.operator, &wrong).await;
        assert!(matches!(ran.code, Some(64)), "{wrong:?}: {ran:?}");
    }
}

#[tokio::test]
async fn a_server_that_keeps_nothing_proves_nothing() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    acme.phone(1).await.ping("arrive-1").await.expect("answered");
    let ran = call(server.address, &server.operator, &["replay", "--since", "2026-06-15T00:00:00Z"]).await;
    assert_eq!((ran.code, &*ran.out), (Some(1), "0 decisions replayed, 0 differ, 1 without inputs\n"));
    assert!(ran.err.contains("storage.replay_days"), "{ran:?}");
}

/// What is said of one decision, one after the other.
type Answers = VecDeque<Result<pb::Replay, Status>>;

/// A server that says what it was told to say of each decision, one after the other, and the last for ever.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<BTreeMap<String, Answers>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn says(self, decision: &str, answers: Vec<Result<pb::Replay, Status>>) -> Self {
        self.answers.lock().expect("sound").insert(decision.to_owned(), answers.into());
        self
    }

    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let service = DecisionServiceServer::new(self.clone());
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }
}

fn not_asked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("nobody asks this"))
}

#[tonic::async_trait]
impl DecisionService for Scripted {
    async fn list_decisions(
        &self,
        _: Request<pb::ListDecisionsRequest>,
    ) -> Result<Response<pb::ListDecisionsResponse>, Status> {
        let answers = self.answers.lock().expect("sound");
        let listed = |id: &String| pb::Decision { id: id.clone(), catalog_version: 7, ..Default::default() };
        let decisions = answers.keys().rev().map(listed).collect();
        Ok(Response::new(pb::ListDecisionsResponse { decisions, ..Default::default() }))
    }

    async fn replay_decision(
        &self,
        request: Request<pb::ReplayDecisionRequest>,
    ) -> Result<Response<pb::Replay>, Status> {
        let id = request.into_inner().decision;
        self.asked.lock().expect("sound").push(id.clone());
        let mut answers = self.answers.lock().expect("sound");
        let answers = answers.get_mut(&id).expect("scripted");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.expect("one").map(Response::new)
    }

    async fn get_decision(&self, _: Request<pb::GetDecisionRequest>) -> Result<Response<pb::Decision>, Status> {
        not_asked()
    }

    async fn count_verdicts(
        &self,
        _: Request<pb::CountVerdictsRequest>,
    ) -> Result<Response<pb::VerdictCounts>, Status> {
        not_asked()
    }

    async fn explain_campaign(
        &self,
        _: Request<pb::ExplainCampaignRequest>,
    ) -> Result<Response<pb::Explanation>, Status> {
        not_asked()
    }
}

fn id(last: u8) -> String {
    format!("019283a0-0000-7000-8000-0000000000{last:02}")
}

fn differs(decision: &str) -> Result<pb::Replay, Status> {
    let difference =
        pb::Difference { path: "considered[3].verdict".into(), recorded: "1".into(), replayed: "2".into() };
    let decision = decision.to_owned();
    Ok(pb::Replay { decision, catalog_version: 7, differences: vec![difference], difference_count: 1 })
}

#[tokio::test]
async fn what_was_found_is_told_whatever_becomes_of_the_rest() {
    let full = || Err(Problem::Overloaded.says_until(Duration::from_millis(1), "the server is at its limit"));
    let mut crowded = vec![full(); 20];
    crowded.push(Ok(pb::Replay::default()));
    let fault = vec![Err(Problem::ServerFault.says("the server failed at this"))];
    let server = Scripted::default()
        .says(&id(1), vec![differs(&id(1))])
        .says(&id(2), fault)
        .says(&id(3), vec![Err(Problem::NotFound.says("no more"))])
        .says(&id(4), crowded)
        .says(&id(5), vec![Ok(pb::Replay::default())]);
    let whole = call(server.start().await, "dk_a", &["replay"]).await;
    let counts = "3 decisions replayed, 1 differs, 1 without inputs, 1 could not be replayed";
    assert!(whole.code == Some(3) && whole.out.ends_with(&format!("{counts}\n")), "{whole:?}");
    assert!(whole.out.contains("considered[].verdict: in 1 decision") && whole.err.contains(&id(2)), "{whole:?}");
    assert_eq!(whole.err.matches("waiting until there is room").count(), 1, "{whole:?}");

    // From here on it is away.
    let server = server.says(&id(4), vec![Err(Status::unavailable("the line broke"))]);
    let address = server.start().await;
    let broken_off = call(address, "dk_a", &["replay"]).await;
    let counts = "1 decision replayed, 1 differs, 1 without inputs, 1 could not be replayed, 2 not reached";
    assert!(broken_off.code == Some(3) && broken_off.out.ends_with(&format!("{counts}\n")), "{broken_off:?}");
    assert!(broken_off.err.contains("broken off with http://") && broken_off.err.contains(&id(4)), "{broken_off:?}");
    let json = call(address, "dk_a", &["replay", "--json"]).await;
    let told: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, &told["differ"], &told["notReached"]), (Some(3), &1.into(), &2.into()), "{told}");
    assert_eq!(told["fields"][0]["field"], "considered[].verdict", "{told}");

    server.asked.lock().expect("sound").clear();
    let named = call(address, "dk_a", &["replay", &id(5), &id(3), &id(4), &id(2)]).await;
    assert!(named.code == Some(1) && named.out.ends_with("2 could not be replayed, 2 not reached\n"), "{named:?}");
    assert_eq!(*server.asked.lock().expect("sound"), [id(2), id(3), id(4)], "one at a time, in the order of time");
}
