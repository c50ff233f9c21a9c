//! Experiments through the public API: some people get a variant, the others nothing, and both are counted.

use std::time::Duration;

use dintorni::grpc::pb::{self, key::Scope};
use tonic::Code;

use super::{campaign, entering, link, server_key, square, visit};
use crate::{
    support::harness::{Phone, Publisher, TestServer, bearing, fields, refusal},
    tills::wallet,
};

const PHONES: u8 = 12;

fn variant(id: &str, title: &str) -> pb::Variant {
    let content = Some(pb::Content { title: title.into(), ..Default::default() }.into());
    pb::Variant { id: id.into(), weight: 1, content }
}

async fn results(server: &TestServer, key: &str, name: &str) -> Result<pb::ExperimentResults, tonic::Status> {
    let request = pb::GetExperimentResultsRequest { name: name.into() };
    server.campaigns().get_experiment_results(bearing(key, request)).await.map(tonic::Response::into_inner)
}

/// People by names of their own, so that they are drawn the same in every run.
async fn people<'a>(server: &TestServer, acme: &Publisher<'a>) -> Vec<Phone<'a>> {
    let (key, mut phones) = (server_key(acme).await, Vec::new());
    for installation in 1..=PHONES {
        let phone = acme.phone(installation).await;
        link(server, &key, &phone.device, &format!("person-{installation}")).await.expect("linked");
        phones.push(acme.phone(installation).await);
    }
    phones
}

#[tokio::test]
async fn those_held_out_get_nothing_and_are_counted() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let place = square(&server, &acme).await;
    let variants = vec![variant("tea", "Tea"), variant("cake", "Cake")];
    let experiment = Some(pb::Experiment { id: "spring".into(), variants, holdout_percent: 50 });
    campaign(&server, &acme, "coffee", pb::Campaign { experiment, ..entering(&place) }).await;
    let name = format!("{}/campaigns/coffee", acme.organization);
    let (mut offers, mut ghosts) = (Vec::new(), Vec::new());
    for (number, phone) in people(&server, &acme).await.iter().enumerate() {
        let answer = visit(&server, phone, &format!("first-{number}")).await;
        let receipt = phone.decision(&answer.decision).await.expect("a receipt");
        assert_eq!(answer.offers.len() + receipt.ghosts.len(), 1, "an offer or a ghost");
        for offer in &answer.offers {
            assert_eq!(offer.title.to_lowercase(), offer.variant);
            assert_eq!(visit(&server, phone, &format!("second-{number}")).await.offers, [], "its cap");
        }
        for ghost in &receipt.ghosts {
            let again = visit(&server, phone, &format!("second-{number}")).await;
            let told = phone.decision(&again.decision).await.expect("a receipt");
            assert_eq!((again.offers.len(), told.ghosts.len()), (0, 0), "a ghost counts for the cap");
            let claim = pb::ClaimOfferRequest { offer: ghost.id.clone() };
            let refused = wallet(phone).claim_offer(bearing(&phone.token, claim)).await.expect_err("nobody's");
            assert_eq!(refused.code(), Code::NotFound);
        }
        offers.extend(answer.offers);
        ghosts.extend(receipt.ghosts);
    }
    assert!(!offers.is_empty() && !ghosts.is_empty(), "{} and {}", offers.len(), ghosts.len());

    let told = results(&server, &server.operator, &name).await.expect("told");
    for arm in &told.arms {
        let count =
            |variants: Vec<&String>| Some(variants.into_iter().filter(|one| **one == arm.variant).count() as u64);
        assert_eq!(arm.offers, count(offers.iter().map(|offer| &offer.variant).collect()));
        assert_eq!(arm.ghosts, count(ghosts.iter().map(|ghost| &ghost.variant).collect()));
        assert_eq!((arm.people, arm.held_out), (arm.offers, arm.ghosts), "each got one at most");
    }
    let brand = acme.key_of(Scope::Brand).await;
    let seen = results(&server, &brand, &name).await.expect("told");
    assert!(seen.arms.iter().all(|arm| (arm.offers, arm.ghosts) == (None, None)), "too few people: {seen:?}");
    server.clock.advance(Duration::from_secs(3_600));
    let request =
        pb::ListDecisionsRequest { campaign: name.clone(), verdict: "NOT_ELIGIBLE".into(), ..Default::default() };
    let listed = server.decisions().list_decisions(bearing(&brand, request)).await.expect("listed").into_inner();
    assert_eq!(listed.decisions.len(), 2 * ghosts.len() + offers.len(), "each came twice, and got at most one");
    let lines = listed.decisions.iter().map(|decision| (&decision.ghosts, &decision.considered));
    let mut told: Vec<_> = lines.map(|line| format!("{line:?}")).collect();
    told.dedup();
    assert_eq!(told.len(), 1, "who is held out looks like who had enough: {told:?}");
    let proof = server.ports.ledger.prove(dintorni::domain::time::Timestamp::default()).await.expect("read");
    assert_eq!((proof.fault_count, proof.offers as usize), (0, offers.len()));
}

#[tokio::test]
async fn an_experiments_faults_are_named_and_one_that_is_not_has_no_results() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let place = square(&server, &acme).await;
    let variants = vec![pb::Variant { weight: 0, ..variant("a", "A") }, variant("a", "")];
    let experiment = Some(pb::Experiment { id: "x".into(), variants, holdout_percent: 51 });
    let faulty = pb::Campaign { experiment, ..entering(&place) };
    let parent = acme.organization.clone();
    let request = pb::CreateCampaignRequest { parent, campaign_id: "c".into(), campaign: Some(faulty) };
    let wrong = server.campaigns().create_campaign(bearing(&server.operator, request)).await.expect_err("faulty");
    assert_eq!(fields(&wrong), ["campaign.experiment.variants[1].content.title"]);
    campaign(&server, &acme, "plain", entering(&place)).await;
    let name = format!("{}/campaigns/plain", acme.organization);
    let none = results(&server, &server.operator, &name).await.expect_err("no experiment");
    assert_eq!(refusal(&none).0, Code::FailedPrecondition);
    let stranger = server.publisher("rival").await.key_of(Scope::Brand).await;
    assert_eq!(results(&server, &stranger, &name).await.expect_err("not its own").code(), Code::PermissionDenied);
}
