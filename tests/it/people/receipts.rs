//! Lists of receipts: what each role may ask for, and what it is shown.

use std::{collections::BTreeSet, time::Duration};

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Status};

use super::server_key;
use crate::support::harness::{TestServer, bearing};

async fn list(
    server: &TestServer,
    credential: &str,
    request: pb::ListDecisionsRequest,
) -> Result<Vec<pb::Decision>, Status> {
    let mut all = Vec::new();
    let mut request = pb::ListDecisionsRequest { page_size: 1, ..request };
    loop {
        let page = server.decisions().list_decisions(bearing(credential, request.clone())).await?.into_inner();
        all.extend(page.decisions);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

fn denied(answer: Result<Vec<pb::Decision>, Status>) -> bool {
    answer.is_err_and(|status| status.code() == Code::PermissionDenied)
}

#[tokio::test]
async fn each_role_lists_what_it_may_see() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let campaign = acme.cafe().await;
    let (ada, bob, stranger) = (acme.phone(1).await, acme.phone(2).await, rival.phone(3).await);
    for (phone, ping) in [(&ada, "arrive-ada"), (&bob, "arrive-bob"), (&stranger, "arrive-who")] {
        phone.ping(ping).await.expect("answered");
    }
    let everything = pb::ListDecisionsRequest::default;
    let about = || pb::ListDecisionsRequest { campaign: campaign.clone(), ..everything() };
    let people = |decisions: &[pb::Decision]| decisions.iter().map(|one| one.profile.clone()).collect::<Vec<_>>();

    let own = list(&server, &ada.token, everything()).await.expect("listed");
    assert_eq!(people(&own), std::slice::from_ref(&ada.profile));
    let asked = pb::GetDecisionRequest { decision: own[0].id.clone() };
    let got = server.decisions().get_decision(bearing(&ada.token, asked)).await.expect("told").into_inner();
    assert_eq!(own, [got]);
    let both = [bob.profile.clone(), ada.profile.clone()];
    let mut of_app = people(&list(&server, &server_key(&acme).await, everything()).await.expect("listed"));
    of_app.sort_by_key(|name| *name == ada.profile);
    assert_eq!(of_app, both);
    let everybodys = list(&server, &server.operator, everything()).await.expect("listed");
    let seeds: BTreeSet<u64> = everybodys.iter().map(|decision| decision.seed).collect();
    assert_eq!((everybodys.len(), seeds.len(), seeds.contains(&0)), (3, 3, false));
    // The rival publisher did not let acme reach its people: acme's campaign was refused there.
    let verdict = pb::ListDecisionsRequest { verdict: "NOT_GRANTED".into(), ..about() };
    let brand = acme.key_of(Scope::Brand).await;
    server.clock.advance(Duration::from_secs(3_600));
    let refused = list(&server, &brand, verdict).await.expect("listed");
    let store = format!("{}/stores/brera", acme.organization);
    let line = &refused[0].considered[0];
    assert_eq!((line.campaign.as_str(), line.store.as_str(), refused.len()), (&*campaign, &*store, 1));
    let seconds = refused[0].decided_at.expect("told").seconds;
    let all = pb::Decision { considered: vec![line.clone()], decided_at: refused[0].decided_at, ..Default::default() };
    assert_eq!((&refused[0], seconds % 3_600), (&all, 0), "nothing else is told");
    let of_people = pb::ListDecisionsRequest { verdict: "CAMPAIGN_CAP".into(), ..about() };
    let status = list(&server, &brand, of_people).await.expect_err("a brand reads no person's code");
    assert_eq!(crate::support::harness::fields(&status), ["verdict"]);
    let chosen = pb::ListDecisionsRequest { verdict: "CHOSEN".into(), store, ..about() };
    let owner = acme.key_of(Scope::Owner).await;
    assert_eq!(list(&server, &owner, chosen).await.expect("listed").len(), 2);
    assert_eq!(list(&server, &owner, about()).await.expect("listed").len(), 3);

    let of_ada = || pb::ListDecisionsRequest { profile: ada.profile.clone(), ..about() };
    let others = [
        (&brand, everything()),
        (&brand, of_ada()),
        (&bob.token, of_ada()),
        (&server_key(&rival).await, of_ada()),
        (&rival.key_of(Scope::Owner).await, of_ada()),
        (&rival.key_of(Scope::Brand).await, about()),
        (&acme.key_of(Scope::Network).await, everything()),
    ];
    for (credential, request) in others {
        assert!(denied(list(&server, credential, request.clone()).await), "{request:?}");
    }
    let wrong = pb::ListDecisionsRequest {
        profile: "x".into(),
        campaign: "y".into(),
        store: "z".into(),
        verdict: "muted".into(),
        page_size: -1,
        ..everything()
    };
    let status = server.decisions().list_decisions(bearing(&server.operator, wrong)).await.expect_err("all wrong");
    let fields = crate::support::harness::fields(&status);
    assert_eq!(fields, ["profile", "campaign", "store", "verdict", "page_size"]);
}
