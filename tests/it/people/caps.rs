//! Caps of a whole brand through the public API, while a person's phones ping at once.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::Code;

use super::{campaign, entering, link, refusals, server_key, square, visit};
use crate::support::harness::{TestServer, bearing, fields, ping};

/// Sets what the brand allows one person.
async fn limit(server: &TestServer, key: &str, name: &str, limits: pb::BrandLimits) -> Result<(), tonic::Status> {
    let organization =
        Some(pb::Organization { name: name.into(), brand_limits: Some(limits), ..pb::Organization::default() });
    let request = pb::UpdateOrganizationRequest { organization, update_mask: None };
    server.organizations().update_organization(bearing(key, request)).await.map(drop)
}

fn a_day(offers: u32) -> pb::BrandLimits {
    let within = Some(pb::cap::Within::Period(pb::cap::Period::Day.into()));
    pb::BrandLimits { per_profile: vec![pb::Cap { offers, within }], cool_down: None }
}

#[tokio::test]
async fn phones_of_one_person_that_ping_at_once_share_the_brands_cap() {
    const PHONES: u8 = 6;
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let square = square(&server, &acme).await;
    for id in ["coffee", "cake", "tea"] {
        let often = vec![pb::Cap { offers: 50, within: Some(pb::cap::Within::Period(1)) }];
        let limits = Some(pb::Limits { per_profile: often, ..Default::default() });
        campaign(&server, &acme, id, pb::Campaign { limits, ..entering(&square) }).await;
    }
    let owner = acme.key_of(Scope::Owner).await;
    limit(&server, &owner, &acme.organization, a_day(2)).await.expect("set");
    let (server_key, mut phones) = (server_key(&acme).await, Vec::new());
    for installation in 1..=PHONES {
        let phone = acme.phone(installation).await;
        link(&server, &server_key, &phone.device, "ada").await.expect("linked");
        phones.push(acme.phone(installation).await);
    }
    let pings = phones.iter().enumerate().map(|(i, phone)| {
        let (mut proximity, here) = (server.proximity(), ping(&format!("at-once-{i}"), server.now()));
        let request = bearing(&phone.token, here);
        tokio::spawn(async move { proximity.ping(request).await.map(tonic::Response::into_inner) })
    });
    let mut offers = Vec::new();
    for answer in pings.collect::<Vec<_>>() {
        offers.extend(answer.await.expect("no panic").expect("answered").offers);
    }
    assert_eq!(offers.len(), 2, "of six phones and three campaigns: {offers:?}");
    let late = refusals(&server, &visit(&server, &phones[0], "later").await).await;
    assert_eq!(late, ["BRAND_CAP"; 3]);
}

#[tokio::test]
async fn a_brands_limits_are_its_owners_and_their_faults_are_named() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (owner, brand) = (acme.key_of(Scope::Owner).await, acme.key_of(Scope::Brand).await);
    let denied = limit(&server, &brand, &acme.organization, a_day(1)).await.expect_err("not its work");
    assert_eq!(denied.code(), Code::PermissionDenied);
    let wrong = limit(&server, &owner, &acme.organization, a_day(0)).await.expect_err("no cap");
    assert_eq!(fields(&wrong), ["organization.brand_limits.per_profile[0].offers"]);
    limit(&server, &owner, &acme.organization, a_day(1)).await.expect("set");
    let request = pb::GetOrganizationRequest { name: acme.organization.clone() };
    let read = server.organizations().get_organization(bearing(&owner, request)).await.expect("read").into_inner();
    assert_eq!((read.brand_limits, read.display_name), (Some(a_day(1)), "acme".into()));
}
