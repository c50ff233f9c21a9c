//! Erasure leaves a tombstone and nothing else, and what was given stays given.

use dintorni::domain::{
    name::{DeviceName, ProfileName},
    offer::DecisionId,
    ping::PingId,
    time::Timestamp,
};
use dintorni::grpc::pb;
use tonic::Code;

use super::{coffee, erase, get, link, server_key, visit};
use crate::support::harness::{TestServer, offers, refusal};

#[tokio::test]
async fn nothing_is_left_of_an_erased_person() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, Some(pb::Limits { budgets: vec![offers(1)], ..Default::default() })).await;
    let phone = acme.phone(1).await;
    let anonymous = visit(&server, &phone, "before").await;
    assert_eq!(anonymous.offers.len(), 1);
    let ada = link(&server, &server_key(&acme).await, &phone.device, "ada").await.expect("linked");
    let person = visit(&server, &phone, "after").await;

    erase(&server, &phone.token, "").await.expect("by her own phone");
    let records = &server.ports.records;
    let names = [&ada.name, &phone.profile].map(|name| ProfileName::parse(name).expect("sound"));
    for name in &names {
        assert_eq!(records.profile(name).await.expect("read"), None);
        assert!(records.is_erased(name).await.expect("read"));
        assert_eq!(server.ports.cache.get(name).await.expect("read"), None);
    }
    let device = DeviceName::parse(&phone.device).expect("sound");
    assert_eq!(records.profile_of(&device).await.expect("read"), None);
    for answer in [anonymous, person] {
        let decision = DecisionId::parse(&answer.decision).expect("sound");
        assert_eq!(
            records.decision(&decision, Timestamp::MIN).await.expect("read"),
            None,
            "also of before she logged in"
        );
    }
    for ping in ["before-is-here", "after-is-here"] {
        let ping = PingId::new(ping).expect("sound");
        assert_eq!(records.answer(&device, &ping).await.expect("read"), None);
    }

    let erased = (Code::Unauthenticated, "PROFILE_ERASED".to_owned());
    assert_eq!(refusal(&phone.ping("too-late").await.expect_err("refused")), erased);
    assert_eq!(refusal(&get(&server, &phone.token, "").await.expect_err("refused")), erased);
    let again = acme.phone(1).await;
    assert_eq!(again.device, phone.device);
    assert_ne!(again.profile, ada.name);
    assert!(visit(&server, &again, "anew").await.offers.is_empty(), "the budget is not given twice");
}

#[tokio::test]
async fn erasing_again_is_fine_and_a_name_is_never_used_again() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    for _ in 0..2 {
        erase(&server, &key, &phone.profile).await.expect("erased");
    }
    erase(&server, &key, &format!("{}/profiles/never-was", acme.app)).await.expect("nothing to erase");
    assert_eq!(get(&server, &key, &phone.profile).await.expect_err("gone").code(), Code::NotFound);
}
