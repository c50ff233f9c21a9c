//! A brand with one campaign for each condition, and nothing to give.

use std::time::Duration;

use dintorni::grpc::pb::{self, key::Scope, rule::Rule as Kind};

use super::{campaign, entering, server_key, square, visit};
use crate::support::harness::{TestServer, bearing};

#[tokio::test]
async fn campaigns_that_give_nothing_read_nobody() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let place = square(&server, &acme).await;
    let agreed = || Kind::Consent(pb::Purpose::Profiling.into());
    let shy = || Kind::Not(Box::new(pb::Rule { rule: Some(agreed()) }));
    let nothing = pb::Budget { unit: pb::budget::Unit::Offers.into(), limit: 0, ..Default::default() };
    for (id, audience) in [("fits", agreed()), ("fits-not", shy())] {
        let limits = Some(pb::Limits { budgets: vec![nothing.clone()], ..Default::default() });
        let probe = pb::Campaign { audience: Some(pb::Rule { rule: Some(audience) }), limits, ..entering(&place) };
        campaign(&server, &acme, id, probe).await;
    }
    let phone = acme.phone(1).await;
    let answer = visit(&server, &phone, "probed-1").await;
    let receipt = phone.decision(&answer.decision).await.expect("a receipt");
    let codes = |receipt: &pb::Decision| -> Vec<String> {
        use pb::considered_campaign::Verdict;
        let code = |line: &pb::ConsideredCampaign| match line.verdict.clone().expect("told") {
            Verdict::Chosen(_) => "CHOSEN".to_owned(),
            Verdict::Refused(refusal) => refusal.code,
        };
        receipt.considered.iter().map(code).collect()
    };
    assert_eq!(codes(&receipt), ["BUDGET_EXHAUSTED"; 2], "the person is not even looked at");
    let brand = acme.key_of(Scope::Brand).await;
    let of = |id: &str| {
        let campaign = format!("{}/campaigns/{id}", acme.organization);
        bearing(&brand, pb::ListDecisionsRequest { campaign, ..Default::default() })
    };
    let now = server.decisions().list_decisions(of("fits")).await.expect("listed").into_inner();
    assert_eq!(now.decisions, [], "whoever polls would know who came this second");
    server.clock.advance(std::time::Duration::from_secs(3_600));
    for id in ["fits", "fits-not"] {
        let listed = server.decisions().list_decisions(of(id)).await.expect("listed").into_inner();
        assert_eq!((listed.decisions.len(), codes(&listed.decisions[0])), (1, vec!["NOT_ELIGIBLE".to_owned()]));
    }
    let named = pb::GetDecisionRequest { decision: answer.decision.clone() };
    let told = server.decisions().get_decision(bearing(&brand, named)).await.expect("told").into_inner();
    assert_eq!((codes(&told), told.profile), (vec!["BUDGET_EXHAUSTED".to_owned(); 2], String::new()));
}

#[tokio::test]
async fn a_brand_counts_people_in_tens() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let campaign = acme.cafe().await;
    for number in 0..12 {
        acme.phone(number).await.ping(&format!("arrive-{number}")).await.expect("answered");
    }
    rival.phone(99).await.ping("arrive-rival").await.expect("answered");
    let count = async |credential: &str| {
        let request = pb::CountVerdictsRequest { campaign: campaign.clone(), ..Default::default() };
        let counts = server.decisions().count_verdicts(bearing(credential, request)).await?.into_inner().counts;
        Ok::<_, tonic::Status>(
            counts.into_iter().map(|one| (one.verdict, one.people, one.decisions)).collect::<Vec<_>>(),
        )
    };
    let chosen = |people| vec![("CHOSEN".to_owned(), people, people)];
    let brand = acme.key_of(Scope::Brand).await;
    assert_eq!(count(&brand).await.expect("counted"), [], "of today nothing");
    server.clock.advance(Duration::from_secs(86_400));
    assert_eq!(count(&brand).await.expect("counted"), chosen(10), "and not that one was refused at the rival");
    assert_eq!(count(&server_key(&acme).await).await.expect("counted"), chosen(12));
    let all = [("CHOSEN".to_owned(), 12, 12), ("NOT_GRANTED".to_owned(), 1, 1)];
    assert_eq!(count(&server.operator).await.expect("counted"), all);
    let theirs = rival.key_of(Scope::Brand).await;
    assert_eq!(count(&theirs).await.expect_err("another's").code(), tonic::Code::PermissionDenied);
}

#[tokio::test]
async fn who_is_brand_and_publisher_sees_its_own_people_at_once() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let campaign = acme.cafe().await;
    acme.phone(1).await.ping("arrive-own").await.expect("answered");
    rival.phone(99).await.ping("arrive-rival").await.expect("answered");
    let owner = acme.key_of(Scope::Owner).await;
    let people = async |end_time| {
        let request = pb::ListDecisionsRequest { campaign: campaign.clone(), end_time, ..Default::default() };
        let listed = server.decisions().list_decisions(bearing(&owner, request)).await.expect("listed").into_inner();
        listed.decisions.into_iter().map(|one| !one.profile.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(people(None).await, [true]);
    let hour_ago = server.now().map(|now| prost_types::Timestamp { seconds: now.seconds - 3_600, ..now }).expect("now");
    assert_eq!(people(Some(hour_ago)).await, [true; 0]);
    server.clock.advance(Duration::from_secs(3_600));
    assert_eq!(people(None).await, [true, false], "its own people first, whenever others came");
}

#[tokio::test]
async fn where_a_page_of_own_people_ends_tells_nothing_of_others() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let campaign = acme.cafe().await;
    for number in 1..=2 {
        acme.phone(number).await.ping(&format!("arrive-own-{number}")).await.expect("answered");
    }
    server.clock.advance(Duration::from_secs(1));
    rival.phone(99).await.ping("arrive-rival").await.expect("answered");
    let owner = acme.key_of(Scope::Owner).await;
    let page = async |page_token| {
        let request =
            pb::ListDecisionsRequest { campaign: campaign.clone(), page_size: 1, page_token, ..Default::default() };
        let page = server.decisions().list_decisions(bearing(&owner, request)).await.expect("listed").into_inner();
        let is_own: Vec<bool> = page.decisions.iter().map(|one| !one.profile.is_empty()).collect();
        (is_own, page.next_page_token)
    };
    let (first, token) = page(String::new()).await;
    assert_eq!(first, [true]);
    assert_eq!(page(token.clone()).await, (vec![true], String::new()), "of this hour nothing of others");
    server.clock.advance(Duration::from_secs(3_600));
    let (second, token) = page(token).await;
    assert_eq!((second, token.is_empty()), (vec![true, false], true), "who came after the first page's as well");
}

#[tokio::test]
async fn a_brand_is_told_what_keeps_its_campaign_from_firing() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let place = square(&server, &acme).await;
    let brand = acme.key_of(Scope::Brand).await;
    let created = entering(&place);
    campaign(&server, &acme, "square", created.clone()).await;
    let name = format!("{}/campaigns/square", acme.organization);
    let get = || bearing(&brand, pb::GetCampaignRequest { name: name.clone() });
    assert_eq!(server.campaigns().get_campaign(get()).await.expect("read").into_inner().problems, []);
    let gone = pb::DeleteGeofenceRequest { name: place.clone(), force: true, ..Default::default() };
    server.places().delete_geofence(bearing(&acme.key_of(Scope::Network).await, gone)).await.expect("deleted");
    let told = server.campaigns().get_campaign(get()).await.expect("read").into_inner().problems;
    let description = format!("{place} does not exist");
    assert_eq!(told, [pb::CampaignProblem { code: "TARGET_MISSING".into(), subject: place, description }]);
    let list = pb::ListCampaignsRequest { parent: acme.organization.clone(), ..Default::default() };
    let listed = server.campaigns().list_campaigns(bearing(&brand, list)).await.expect("listed").into_inner();
    assert_eq!(listed.campaigns[0].problems, told);
    let (parent, campaign_id) = (acme.organization.clone(), "square".to_owned());
    let again = pb::CreateCampaignRequest { parent, campaign_id, campaign: Some(created) };
    let again = server.campaigns().create_campaign(bearing(&brand, again)).await.expect("the same").into_inner();
    assert_eq!((again.state(), again.problems), (pb::campaign::State::Active, told), "as whoever reads it is told");
}
