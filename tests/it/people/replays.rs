//! Replays through the public API: the same comes again whatever was edited since, while what it takes is kept.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Status};

use super::{MINUTE, coffee, square, update, visit};
use crate::support::harness::{HERE, TestServer, bearing, fields, offers, ping, refusal};

const KEEPING: [(&str, &str); 1] = [("storage.replay_days", "7")];

async fn replay(server: &TestServer, credential: &str, decision: &str) -> Result<pb::Replay, Status> {
    let request = pb::ReplayDecisionRequest { decision: decision.into() };
    Ok(server.decisions().replay_decision(bearing(credential, request)).await?.into_inner())
}

/// Code and reason of a replay that is refused to an operator.
async fn refused(server: &TestServer, decision: &str) -> (Code, String) {
    refusal(&replay(server, &server.operator, decision).await.expect_err("refused"))
}

fn not_kept() -> (Code, String) {
    (Code::FailedPrecondition, "INPUTS_NOT_KEPT".to_owned())
}

async fn edit(server: &TestServer, campaign: pb::Campaign, path: &str) {
    let update_mask = Some(prost_types::FieldMask { paths: vec![path.into()] });
    let request = pb::UpdateCampaignRequest { campaign: Some(campaign), update_mask };
    server.campaigns().update_campaign(bearing(&server.operator, request)).await.expect("edited");
}

async fn receipts(server: &TestServer) -> Vec<pb::Decision> {
    let listed = server.decisions().list_decisions(bearing(&server.operator, Default::default())).await;
    listed.expect("listed").into_inner().decisions
}

#[tokio::test]
async fn the_same_is_decided_again_whatever_was_edited_since() {
    let server = TestServer::start_with(&KEEPING).await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, Some(pb::Limits { budgets: vec![offers(1)], ..Default::default() })).await;
    let name = format!("{}/campaigns/coffee", acme.organization);
    let (ada, bob) = (acme.phone(1).await, acme.phone(2).await);
    visit(&server, &ada, "ada-first").await;
    let espresso = Some(pb::Content { title: "Espresso".into(), ..Default::default() });
    edit(&server, pb::Campaign { name: name.clone(), content: espresso, ..Default::default() }, "content").await;
    visit(&server, &bob, "bob-first").await;
    visit(&server, &ada, "ada-second").await;
    edit(&server, pb::Campaign { name, weight: Some(7.0), ..Default::default() }, "weight").await;

    let all = receipts(&server).await;
    let codes: Vec<&str> = all.iter().flat_map(|decision| &decision.considered).map(code).collect();
    for met in ["CHOSEN", "BUDGET_EXHAUSTED"] {
        assert!(codes.contains(&met), "{codes:?}");
    }
    for decision in all.iter().chain(all.iter().rev()) {
        let replay = replay(&server, &server.operator, &decision.id).await.expect("replayed");
        assert_eq!((&replay.differences, replay.difference_count), (&vec![], 0), "{}", decision.id);
        assert_eq!((replay.decision, replay.catalog_version), (decision.id.clone(), decision.catalog_version));
    }
    assert_eq!(receipts(&server).await, all, "nothing is recorded");
}

#[tokio::test]
async fn what_only_the_cache_knew_is_replayed_as_well() {
    let server = TestServer::start_with(&KEEPING).await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    // 150 m from the middle of 200 m, give or take 80 m: it takes two such fixes to be inside.
    let unsure = async |id: &str| {
        let mut unsure = ping(id, server.now());
        unsure.fixes[0].accuracy_m = 80.0;
        unsure.fixes[0].position = Some(pb::LatLng { latitude: HERE.latitude + 0.00135, ..HERE });
        server.proximity().ping(bearing(&phone.token, unsure)).await.expect("answered").into_inner()
    };
    assert_eq!(unsure("perhaps-1").await.transitions, []);
    server.clock.advance(MINUTE);
    let second = unsure("perhaps-2").await;
    assert_eq!((second.transitions.len(), second.offers.len()), (1, 1));
    let replay = replay(&server, &server.operator, &second.decision).await.expect("replayed");
    assert_eq!(replay.differences, []);
}

fn code(considered: &pb::ConsideredCampaign) -> &str {
    match considered.verdict.as_ref().expect("one") {
        pb::considered_campaign::Verdict::Chosen(_) => "CHOSEN",
        pb::considered_campaign::Verdict::Refused(refusal) => &refusal.code,
    }
}

#[tokio::test]
async fn operators_alone_replay_and_only_what_is_kept() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    square(&server, &acme).await;
    let phone = acme.phone(1).await;
    let decision = phone.ping("arriving").await.expect("answered").decision;
    assert_eq!(refused(&server, &decision).await, not_kept());
    let told = replay(&server, &server.operator, &decision).await.expect_err("refused");
    assert!(told.message().contains("storage.replay_days"), "{told}");
    let unknown = "019283a0-0000-7000-8000-000000000000";
    assert_eq!(refused(&server, unknown).await, (Code::NotFound, "NOT_FOUND".to_owned()));
    let garbled = replay(&server, &server.operator, "7").await.expect_err("no id");
    assert_eq!(fields(&garbled), ["decision"]);
    let mut others = vec![phone.token.clone(), acme.key.clone()];
    for scope in [Scope::Owner, Scope::Brand, Scope::Server, Scope::Network] {
        others.push(acme.key_of(scope).await);
    }
    for credential in others {
        for decision in [&decision, unknown, "7"] {
            let denied = replay(&server, &credential, decision).await.expect_err("denied");
            assert_eq!(refusal(&denied), (Code::PermissionDenied, "SCOPE_TOO_NARROW".to_owned()));
        }
    }
}

#[tokio::test]
async fn whoever_withdraws_location_leaves_nothing_to_replay() {
    let server = TestServer::start_with(&KEEPING).await;
    let acme = server.publisher("acme").await;
    square(&server, &acme).await;
    let (ada, bob) = (acme.phone(1).await, acme.phone(2).await);
    let of_ada = ada.ping("ada-comes").await.expect("answered").decision;
    let of_bob = bob.ping("bob-comes").await.expect("answered").decision;
    for decision in [&of_ada, &of_bob] {
        assert_eq!(replay(&server, &server.operator, decision).await.expect("replayed").difference_count, 0);
    }
    let purpose = pb::Purpose::Location.into();
    let refusal = pb::Consent { purpose, granted: false, text_version: "2".into(), given_at: None };
    let profile = pb::Profile { consents: vec![refusal], ..Default::default() };
    update(&server, &ada.token, profile, &["consents"]).await.expect("written");
    assert_eq!(refused(&server, &of_ada).await, not_kept());
    assert!(ada.decision(&of_ada).await.is_ok(), "the receipt stays");
    assert!(replay(&server, &server.operator, &of_bob).await.is_ok());
}
