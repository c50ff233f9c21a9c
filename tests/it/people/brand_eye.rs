//! A brand with one campaign for each condition, and nothing to give.

use dintorni::grpc::pb::{self, key::Scope, rule::Rule as Kind};

use super::{campaign, entering, square, visit};
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
    for id in ["fits", "fits-not"] {
        let name = format!("{}/campaigns/{id}", acme.organization);
        let request = pb::ListDecisionsRequest { campaign: name, ..Default::default() };
        let listed = server.decisions().list_decisions(bearing(&brand, request)).await.expect("listed").into_inner();
        assert_eq!((listed.decisions.len(), codes(&listed.decisions[0])), (1, vec!["NOT_ELIGIBLE".to_owned()]));
    }
}
