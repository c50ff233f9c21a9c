//! Registering a device: the same installation is the same person, and says what is so now.

use std::time::Duration;

use dintorni::{
    domain::{consent::Purpose, name::ProfileName, profile::Profile},
    grpc::pb,
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::harness::{TestServer, bearing, refusal, registration};

async fn kept(server: &TestServer, profile: &str) -> Profile {
    let name = ProfileName::parse(profile).expect("sound");
    server.ports.records.profile(&name).await.expect("read").expect("there")
}

#[tokio::test]
async fn the_same_installation_is_the_same_person_and_another_is_not() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let first = acme.phone(1).await;
    let before = kept(&server, &first.profile).await;
    server.clock.advance(Duration::from_secs(3_600));
    let again = acme.phone(1).await;
    assert_eq!((&again.device, &again.profile), (&first.device, &first.profile));
    assert_eq!(kept(&server, &first.profile).await, before, "nothing changed, so nothing was written");

    let neighbour = acme.phone(2).await;
    assert_ne!(neighbour.profile, first.profile);
    let elsewhere = rival.phone(1).await;
    assert!(!elsewhere.profile.ends_with(first.profile.rsplit('/').next().expect("an id")), "apps share nobody");
    assert!(!elsewhere.device.ends_with(first.device.rsplit('/').next().expect("an id")), "nor a way to match them");
}

#[tokio::test]
async fn consents_are_replaced_and_keep_the_time_they_were_first_given() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let before = kept(&server, &phone.profile).await;
    server.clock.advance(Duration::from_secs(60));
    let mut request = registration(1);
    request.consents.truncate(2);
    request.consents[1].text_version = "2026-06".into();
    request.language = "en".into();
    server.devices().register_device(bearing(&acme.key, request)).await.expect("registered");

    let after = kept(&server, &phone.profile).await;
    let given = |profile: &Profile, purpose| {
        profile.consents.iter().find(|(p, _)| *p == purpose).map(|(_, consent)| consent.given_at)
    };
    assert_eq!(given(&after, Purpose::Location), given(&before, Purpose::Location), "the same answer");
    assert!(given(&after, Purpose::Marketing) > given(&before, Purpose::Marketing), "to another text");
    assert!(!after.consents.granted(Purpose::Profiling), "no answer is no");
    assert!(after.devices.values().all(|device| device.language == "en"));
    assert_eq!(after.revision.version, before.revision.version + 1);
}

#[tokio::test]
async fn an_erased_person_is_not_brought_back() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let name = ProfileName::parse(&phone.profile).expect("sound");
    let version = server.ports.records.erase(&name, Default::default()).await.expect("erased").expect("there");
    server.ports.cache.forget(&name, version).await.expect("forgotten");

    let status = phone.ping("after-001").await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::Unauthenticated, "PROFILE_ERASED".into()));
    let again = acme.phone(1).await;
    assert_ne!(again.profile, phone.profile);
    assert_eq!(again.device, phone.device);
}

#[tokio::test]
async fn two_first_registrations_at_once_make_one_person() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (a, b) = tokio::join!(acme.phone(1), acme.phone(1));
    assert_eq!(a.profile, b.profile);
}

#[tokio::test]
async fn an_address_that_registers_too_fast_is_told_when_to_come_back() {
    let server = TestServer::start_with(&[("devices.address_burst", "2")]).await;
    let acme = server.publisher("acme").await;
    acme.phone(1).await;
    acme.phone(2).await;
    let over = server.devices().register_device(bearing(&acme.key, registration(3))).await.expect_err("refused");
    assert_eq!(refusal(&over), (Code::ResourceExhausted, "RATE_LIMITED".into()));
    assert!(over.get_error_details().retry_info().is_some());
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_counts_for_itself() {
    for (trusted, is_refused) in [("127.0.0.1", false), ("10.0.0.0/8", true)] {
        let settings = [("devices.address_burst", "2"), ("devices.trusted_proxies", trusted)];
        let server = TestServer::start_with(&settings).await;
        let acme = server.publisher("acme").await;
        let register = async |number: u8| {
            let mut request = bearing(&acme.key, registration(number));
            let caller = format!("198.51.100.{number}").parse().expect("ascii");
            request.metadata_mut().insert("x-forwarded-for", caller);
            server.devices().register_device(request).await
        };
        for number in 1..=2 {
            register(number).await.expect("the first two");
        }
        assert_eq!(register(3).await.is_err(), is_refused, "{trusted}");
    }
}

#[tokio::test]
async fn an_attestation_is_accepted_within_its_bound() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let request = pb::RegisterDeviceRequest { attestation: vec![1; 16 * 1024], ..registration(1) };
    server.devices().register_device(bearing(&acme.key, request)).await.expect("registered");
}
