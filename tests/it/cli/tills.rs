//! `dintorni till`.

use std::{process::Stdio, time::Duration};

use dintorni::{
    clock::SystemClock,
    grpc::pb::{self, wallet_service_client::WalletServiceClient},
    ports::Clock,
};
use serde_json::Value;

use super::{Ran, call, dintorni, is_plain, run};
use crate::support::{
    harness::{Phone, Publisher, TestServer, bearing},
    servers::free_port,
};

const STORE: &str = "acme/brera";

/// A server whose clock shows tomorrow noon, so that what is redeemed is of today or later by any clock.
pub async fn tomorrow() -> TestServer {
    let server = TestServer::start().await;
    let days = SystemClock.now().since(server.clock.now()).as_secs() / 86_400 + 2;
    server.clock.advance(Duration::from_secs(days * 86_400));
    server
}

/// A café, and 5 euros off for whoever comes near. Returns the campaign's name.
pub async fn coupons(server: &TestServer, acme: &Publisher<'_>, codes: pb::coupon::Codes) -> String {
    let mut campaign = server.campaigns();
    let name = acme.cafe().await;
    let coupon = pb::Coupon {
        codes: Some(codes),
        instruction: "5 euros off the bill".into(),
        value: Some(pb::Money { currency: "EUR".into(), minor_units: 500 }),
        ..Default::default()
    };
    let draft = campaign.get_campaign(bearing(&server.operator, pb::GetCampaignRequest { name })).await;
    let draft = pb::Campaign { coupon: Some(coupon), etag: String::new(), ..draft.expect("there").into_inner() };
    let request = pb::CreateCampaignRequest {
        parent: acme.organization.clone(),
        campaign_id: "bill".into(),
        campaign: Some(pb::Campaign { name: String::new(), state: 0, ..draft }),
    };
    let made = campaign.create_campaign(bearing(&server.operator, request)).await.expect("made").into_inner().name;
    let request = pb::ActivateCampaignRequest { name: made, ..Default::default() };
    campaign.activate_campaign(bearing(&server.operator, request)).await.expect("active").into_inner().name
}

/// The code of the offer that this person gets of the campaign.
pub async fn code(server: &TestServer, phone: &Phone<'_>, campaign: &str) -> String {
    let offers = phone.ping("ping-here").await.expect("answered").offers;
    let offer = offers.into_iter().find(|offer| offer.campaign == campaign).expect("an offer").id;
    let mut wallet = WalletServiceClient::new(server.channel.clone());
    let claimed = wallet.claim_offer(bearing(&phone.token, pb::ClaimOfferRequest { offer })).await.expect("claimed");
    claimed.into_inner().offer.and_then(|offer| offer.coupon).expect("a coupon").code
}

fn generated() -> pb::coupon::Codes {
    pb::coupon::Codes::Generated(pb::GeneratedCodes {})
}

/// A till with a key of its store.
struct Till<'a> {
    server: &'a TestServer,
    key: String,
}

impl<'a> Till<'a> {
    async fn open(server: &'a TestServer) -> Self {
        let make = ["key", "create", "tills", "--organization", "acme", "--scope", "store", "--store", "brera"];
        let made = call(server.address, &server.operator, &make).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        Self { server, key: made.out.trim().to_owned() }
    }

    async fn does(&self, arguments: &[&str]) -> Ran {
        let at = ["--store", STORE, "--till", "t1"];
        let ran = call(self.server.address, &self.key, &[&["till"], arguments, &at].concat()).await;
        assert!(is_plain(&ran), "{ran:?}");
        ran
    }

    async fn json(&self, arguments: &[&str], exit: i32) -> Value {
        let ran = self.does(&[arguments, &["--json"]].concat()).await;
        assert_eq!(ran.code, Some(exit), "{ran:?}");
        serde_json::from_str(&ran.out).expect("JSON")
    }
}

#[tokio::test]
async fn a_coupon_is_checked_redeemed_once_and_taken_back() {
    let server = tomorrow().await;
    let acme = server.publisher("acme").await;
    let campaign = coupons(&server, &acme, generated()).await;
    let code = code(&server, &acme.phone(1).await, &campaign).await;
    let till = Till::open(&server).await;

    let good = till.does(&["check", &code]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.out.starts_with("Good: 5 euros off the bill\n") && good.out.contains("up to 5.00 EUR"), "{good:?}");
    let redeem = ["redeem", &code, "--amount", "4,99", "--reference", "bill 7", "--request-id", "one"];
    let redeemed = till.json(&redeem, 0).await;
    assert_eq!((&redeemed["amount"]["minorUnits"], &redeemed["tillReference"]), (&"499".into(), &"bill 7".into()));
    // The same request is answered the same, another one is refused.
    assert_eq!(till.json(&redeem, 0).await, redeemed);
    let refused = till.does(&["redeem", &code]).await;
    assert_eq!((refused.code, refused.out.as_str()), (Some(3), ""), "{refused:?}");
    assert!(refused.err.starts_with("No: Already redeemed, at ") && !refused.err.contains(&code), "{refused:?}");
    assert_eq!(till.json(&["redeem", &code], 3).await["reason"], "ALREADY_REDEEMED");
    assert_eq!(till.json(&["check", &code], 3).await["refusal"]["reason"], "ALREADY_REDEEMED");

    let id = redeemed["id"].as_str().expect("an id");
    let part = till.does(&["undo", id, "--amount", "1.99"]).await;
    assert!(part.code == Some(0) && part.out.starts_with("Taken back a part of 4.99 EUR, in all 1.99 EUR"), "{part:?}");
    let rest = till.does(&["undo", id]).await;
    assert!(rest.code == Some(0) && rest.out.starts_with("Taken back 4.99 EUR, all of it"), "{rest:?}");
    let again = till.does(&["undo", id]).await;
    assert!(again.code == Some(1) && again.err.contains("all of it was taken back"), "{again:?}");
    let listed = till.does(&["list"]).await;
    let line = listed.out.lines().nth(1).expect("listed");
    assert!(line.contains("  t1 ") && line.contains("4.99 EUR  all") && line.ends_with(id), "{listed:?}");
    assert!(till.does(&["redeem", &code]).await.out.starts_with("Redeemed 5.00 EUR: 5 euros off the bill"));
}

#[tokio::test]
async fn what_is_wrong_has_its_exit_code() {
    let server = tomorrow().await;
    let acme = server.publisher("acme").await;
    coupons(&server, &acme, generated()).await;
    let till = Till::open(&server).await;
    let unknown = till.does(&["redeem", "AAAA-BBBB", "--amount", "1"]).await;
    assert!(unknown.code == Some(3) && unknown.err == "No: Nobody has this code. Please check it.\n", "{unknown:?}");
    assert_eq!(till.does(&["undo", "0198f3a2-7c1e-7abc-8def-0123456789ab"]).await.code, Some(1));
    let malformed = till.does(&["check", "no"]).await;
    assert!(malformed.code == Some(3) && malformed.out.contains("No: This is no code"), "{malformed:?}");
    let elsewhere = call(server.address, &till.key, &["till", "check", "AAAABBBB", "--store", "acme/other"]).await;
    assert!(elsewhere.code == Some(1) && elsewhere.err.contains("PermissionDenied"), "{elsewhere:?}");
    for (arguments, wrong) in [
        (&["till", "check", "AAAABBBB"][..], "--store"),
        (&["till", "redeem", "AAAABBBB", "--store", STORE, "--request-id", "a b"], "--request-id"),
        (&["till", "list", "--store", "brera"], "--store"),
        (&["till", "list", "--store", STORE, "--till", "a till"], "--till"),
    ] {
        let ran = call(server.address, &till.key, arguments).await;
        assert!(ran.code == Some(64) && ran.out.is_empty() && ran.err.contains(wrong), "{arguments:?} {ran:?}");
    }
}

#[tokio::test]
async fn an_offer_is_known_by_its_uuid_and_a_code_by_standard_input() {
    let server = tomorrow().await;
    let acme = server.publisher("acme").await;
    let campaign = coupons(&server, &acme, generated()).await;
    let phone = acme.phone(1).await;
    let code = code(&server, &phone, &campaign).await;
    let till = Till::open(&server).await;
    let mut command = dintorni(&["till", "redeem", "-", "--store", STORE, "--json"]);
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut writer, format!("{code}\n").as_bytes()).expect("written");
    drop(writer);
    command.stdin(Stdio::from(reader)).env("DINTORNI_SERVER", format!("http://{}", server.address));
    let ran = run({
        command.env("DINTORNI_KEY", &till.key);
        command
    })
    .await;
    let redeemed: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("JSON: {ran:?}"));
    let offer = redeemed["offer"].as_str().expect("an offer");
    assert_eq!(till.json(&["check", offer], 3).await["refusal"]["reason"], "ALREADY_REDEEMED");
}

#[tokio::test]
async fn without_an_answer_it_is_not_known_and_the_id_is_told() {
    let server = tomorrow().await;
    server.publisher("acme").await;
    // A server that never speaks.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("bound");
    let redeem =
        ["till", "redeem", "AAAABBBB", "--store", STORE, "--till", "t1", "--amount", "1.00 EUR", "--wait", "1s"];
    let ran = call(address, "dk_x", &redeem).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(4), ""), "{ran:?}");
    assert!(ran.err.contains("NOT KNOWN whether it was redeemed") && !ran.err.contains("AAAABBBB"), "{ran:?}");
    let told = ran.err.lines().last().expect("a line");
    let (command, id) = told.rsplit_once(' ').expect("words");
    let at = "--store organizations/acme/stores/brera --till t1";
    assert_eq!(command, format!("  dintorni till redeem CODE {at} --amount \"1.00 EUR\" --request-id"));
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
}

#[tokio::test]
async fn what_never_reached_a_server_has_not_happened() {
    let nobody: std::net::SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let redeem = ["till", "redeem", "AAAABBBB", "--store", STORE, "--wait", "1s"];
    let ran = call(nobody, "dk_x", &redeem).await;
    assert!(ran.code == Some(1) && !ran.err.contains("NOT KNOWN"), "{ran:?}");
    // An earlier try with this id may have.
    let again = call(nobody, "dk_x", &[&redeem[..], &["--request-id", "one"]].concat()).await;
    assert!(again.code == Some(4) && again.err.contains("NOT KNOWN"), "{again:?}");
}

#[tokio::test]
async fn a_pipe_without_a_subcommand_is_shown_the_subcommands() {
    let server = tomorrow().await;
    let ran = call(server.address, "dk_x", &["till", "--store", STORE]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{ran:?}");
    for word in ["check", "redeem", "undo", "list"] {
        assert!(ran.err.contains(word), "{ran:?}");
    }
}
