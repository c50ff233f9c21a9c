//! `dintorni explain`: receipts, real people and made-up ones.

use dintorni::{
    domain::time::Timestamp,
    grpc::pb::{self, key::Scope},
};
use serde_json::Value;

use super::{call, is_plain};
use crate::support::harness::{TestServer, bearing};

#[tokio::test]
async fn a_receipt_and_a_campaign_are_explained_to_those_who_may_ask() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let campaign = acme.cafe().await;
    let phone = acme.phone(1).await;
    let answer = phone.ping("arrive-1").await.expect("answered");
    let (brand, owner) = (acme.key_of(Scope::Brand).await, acme.key_of(Scope::Owner).await);
    let explain =
        async |key: &str, arguments: &[&str]| call(server.address, key, &[&["explain"], arguments].concat()).await;

    let receipt = explain(&owner, &[&answer.decision, "--time-zone", "Europe/Rome"]).await;
    assert_eq!(receipt.code, Some(0), "{receipt:?}");
    for part in [&*phone.profile, "Europe/Rome", &format!("chosen   {campaign}\n")] {
        assert!(receipt.out.contains(part), "{part} is not in:\n{}", receipt.out);
    }
    assert!(is_plain(&receipt));
    let of_brand = explain(&brand, &[&answer.decision]).await;
    assert!(of_brand.code == Some(0) && !of_brand.out.contains("profiles/"), "{of_brand:?}");
    assert!(of_brand.out.contains("between"), "whole hours: {of_brand:?}");

    let counted = explain(&server.operator, &[&campaign]).await;
    assert!(counted.code == Some(0) && counted.out.contains("1       1      CHOSEN"), "{counted:?}");
    let unknown = explain(&brand, &["acme/esspresso"]).await;
    assert!(unknown.code == Some(1) && unknown.err.contains("acme/campaigns/esspresso"), "{unknown:?}");
    let few = explain(&brand, &[&campaign]).await;
    assert!(few.code == Some(0) && few.out.contains("fewer than ten people"), "{few:?}");
    assert!(few.out.contains(" 00:00:00 UTC"), "until the last midnight: {few:?}");

    let store = format!("{}/stores/brera", acme.organization);
    let of_person = explain(&owner, &[&campaign, "--profile", &phone.profile, "--at", &store]).await;
    assert!(of_person.out.contains("would not be offered"), "{of_person:?}");
    assert!(of_person.out.contains("(CAMPAIGN_CAPS, CAMPAIGN_CAP)"), "{of_person:?}");
    let app = acme.app.clone();
    let persona = ["--persona", &app, "--at", &store, "--json"];
    let gates = of_person.out.lines().filter(|line| line.starts_with("passes")).count();
    assert!(gates == 0 && of_person.out.contains(" gates pass"), "{of_person:?}");
    let seen = format!("{campaign}=2h");
    // Of the server's clock: two hours before this machine's would be yet to come.
    let now = server.now().map(|now| Timestamp::from_micros(now.seconds * 1_000_000).to_string()).expect("a time");
    let had_one = ["--persona", &*app, "--offer", &seen, "--at", &store, "--time", &now, "--verbose"];
    let had_one = explain(&brand, &[&[&*campaign], had_one.as_slice()].concat()).await;
    assert!(had_one.out.contains("CAMPAIGN_CAP)") && had_one.out.contains("\npasses   the audience"), "{had_one:?}");
    let made_up = explain(&brand, &[&[&*campaign], persona.as_slice()].concat()).await;
    let told: Value = serde_json::from_str(&made_up.out).expect("JSON");
    assert_eq!(told["wouldOffer"], true, "{told}");
    let shy = explain(&brand, &[&[&*campaign], persona.as_slice(), &["--without", "marketing"]].concat()).await;
    let told: Value = serde_json::from_str(&shy.out).expect("JSON");
    assert_eq!(told["changes"][0]["gate"], "CONSENT", "{told}");

    let untrue = explain(&brand, &[&[&*campaign], persona.as_slice(), &["--trait", "tier=gold"]].concat()).await;
    assert!(untrue.code == Some(1) && untrue.err.contains("persona.traits[\"tier\"]"), "{untrue:?}");
    let (nowhere, visited) = (format!("{}/stores/nowhere", acme.organization), "acme/stores/nowhere=3d");
    let typos =
        ["--persona", &*app, "--at", &nowhere, "--visit", visited, "--offer", "acme/esspresso=1d", "--time", &now];
    let typos = explain(&brand, &[&[&*campaign], typos.as_slice()].concat()).await;
    for field in ["place", "persona.visits", "persona.offers"] {
        assert!(typos.code == Some(1) && typos.err.contains(&format!("\n  {field}: there is no ")), "{typos:?}");
    }
    let no_app = explain(&brand, &[&campaign, "--persona", "acme/shoper", "--at", &store]).await;
    assert!(no_app.err.contains("there is no organizations/acme/apps/shoper, or its publisher"), "{no_app:?}");
    let no_app = explain(&server.operator, &[&campaign, "--persona", "acme/shoper", "--at", &store]).await;
    assert!(no_app.err.contains("NotFound"), "{no_app:?}");
    let nosy = explain(&brand, &[&campaign, "--profile", &phone.profile, "--at", &store]).await;
    assert!(nosy.code == Some(1) && nosy.err.contains("PermissionDenied"), "{nosy:?}");
    for wrong in [
        vec![&*campaign, "--at", &store],
        vec![&*campaign, "--persona", &app],
        vec!["espresso", "--persona", &app, "--at", &store],
        vec![&*campaign, "--persona", &app, "--at", &store, "--trait", "gold"],
        vec![&*answer.decision, "--at", &store],
    ] {
        let ran = explain(&brand, &wrong).await;
        assert_eq!(ran.code, Some(64), "{wrong:?}: {ran:?}");
    }
}

#[tokio::test]
async fn each_credential_asks_what_it_may_and_nothing_is_recorded() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let campaign = acme.cafe().await;
    let phone = acme.phone(1).await;
    let place = format!("{}/stores/brera", acme.organization);
    let ask = async |key: &str, whom: pb::explain_campaign_request::Whom| {
        let (campaign, place) = (campaign.clone(), place.clone());
        let request = pb::ExplainCampaignRequest { campaign, whom: Some(whom), place, ..Default::default() };
        server.decisions().explain_campaign(bearing(key, request)).await.map(tonic::Response::into_inner)
    };
    use pb::explain_campaign_request::Whom;
    let person = || Whom::Profile(phone.profile.clone());
    let persona = |app: &str| Whom::Persona(Box::new(pb::Persona { app: app.into(), ..Default::default() }));
    for scope in [Scope::Server, Scope::Owner] {
        let key = acme.key_of(scope).await;
        assert!(ask(&key, person()).await.expect("told").would_offer);
        assert!(ask(&key, persona(&acme.app)).await.expect("told").would_offer);
    }
    let brand = acme.key_of(Scope::Brand).await;
    assert!(ask(&brand, persona(&acme.app)).await.expect("told").would_offer);
    let (theirs, stranger) = (rival.key_of(Scope::Brand).await, rival.key_of(Scope::Server).await);
    for (key, whom) in [
        (&brand, person()),
        (&brand, persona(&rival.app)),
        (&brand, persona("organizations/nobody/apps/x")),
        (&theirs, persona(&acme.app)),
        (&theirs, persona(&rival.app)),
        (&stranger, person()),
        (&stranger, persona(&rival.app)),
        (&phone.token, person()),
        (&acme.key, persona(&acme.app)),
    ] {
        let refused = ask(key, whom.clone()).await.expect_err("not its business");
        assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{whom:?}");
    }
    let name = dintorni::domain::name::ProfileName::parse(&phone.profile).expect("sound");
    let profile = server.ports.records.profile(&name).await.expect("read").expect("there");
    assert_eq!((profile.revision.version, profile.offers.len()), (1, 0), "nothing happened");
    assert!(ask(&server.operator, person()).await.expect("told").would_offer);
}
