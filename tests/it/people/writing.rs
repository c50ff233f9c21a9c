//! What may be written into a profile, by whom, and from which version.

use std::sync::Arc;

use dintorni::{
    app::{
        profile_edits::{ProfileEditError, ProfileEdits, next},
        profile_store::ProfileStore,
        sharing::Sharing,
        stripes::Stripes,
    },
    domain::{
        name::{DeviceName, OrganizationName, ProfileName},
        ping::Reading,
        profile::Profile,
    },
    grpc::pb::{
        self,
        trait_declaration::{Kind, Writer},
        trait_value::Value,
    },
    ports::{CachedProfile, Clock, Commit},
};
use tonic::Code;

use super::{get, server_key, update};
use crate::support::harness::{Publisher, TestServer, bearing, fields, refusal};

fn text(text: &str) -> pb::TraitValue {
    pb::TraitValue { value: Some(Value::Text(text.into())) }
}

fn with(traits: &[(&str, &str)]) -> pb::Profile {
    let traits = traits.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
    pb::Profile { traits, ..Default::default() }
}

async fn declare(server: &TestServer, acme: &Publisher<'_>) {
    let traits = [("mood", Writer::Device), ("tier", Writer::Server), ("risk", Writer::System)];
    let declare = |(key, writer): (&str, Writer)| {
        (key.to_owned(), pb::TraitDeclaration { kind: Kind::Text.into(), writer: writer.into() })
    };
    let app = pb::App { name: acme.app.clone(), traits: traits.map(declare).into(), ..Default::default() };
    let request = pb::UpdateAppRequest { app: Some(app), update_mask: None };
    server.organizations().update_app(bearing(&server.operator, request)).await.expect("declared");
}

#[tokio::test]
async fn traits_are_written_by_those_they_are_declared_for() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    declare(&server, &acme).await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    let everything = with(&[("mood", "x"), ("tier", "x"), ("risk", "x"), ("hat", "x")]);
    let by_name = |profile: &pb::Profile| pb::Profile { name: phone.profile.clone(), ..profile.clone() };

    let refused = fields(&update(&server, &phone.token, everything.clone(), &[]).await.expect_err("three of four"));
    assert_eq!(refused, ["hat", "risk", "tier"].map(|key| format!("profile.traits[\"{key}\"]")));
    let refused = fields(&update(&server, &key, by_name(&everything), &[]).await.expect_err("two of four"));
    assert_eq!(refused, ["hat", "risk"].map(|key| format!("profile.traits[\"{key}\"]")));
    assert!(get(&server, &phone.token, "").await.expect("its own").traits.is_empty(), "nothing of it was written");

    update(&server, &key, by_name(&with(&[("tier", "gold"), ("mood", "low")])), &[]).await.expect("written");
    let left = update(&server, &phone.token, with(&[]), &["traits"]).await.expect("replaced");
    assert_eq!(left.traits, with(&[("tier", "gold")]).traits, "the device replaces what it may write");
    let left = update(&server, &key, by_name(&with(&[])), &["traits.tier"]).await.expect("removed");
    assert!(left.traits.is_empty());
}

#[tokio::test]
async fn an_edit_happens_once_and_only_over_the_version_it_was_read_at() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let before = get(&server, &phone.token, "").await.expect("its own");
    let likes = |strength, etag: &str| pb::Profile {
        interests: [("tea".to_owned(), strength)].into(),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let after = update(&server, &phone.token, likes(0.5, &before.etag), &[]).await.expect("written");
    assert_ne!(after.etag, before.etag);
    let again = update(&server, &phone.token, likes(0.5, ""), &[]).await.expect("nothing to write");
    assert_eq!(again, after);
    let stale = update(&server, &phone.token, likes(0.9, &before.etag), &[]).await.expect_err("stale");
    assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".into()));
}

#[tokio::test]
async fn a_consent_is_changed_by_itself_and_keeps_its_first_time() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let before = get(&server, &phone.token, "").await.expect("its own").consents;
    server.clock.advance(super::MINUTE);
    let answer = |purpose: pb::Purpose, granted| pb::Consent {
        purpose: purpose.into(),
        granted,
        text_version: "2026-01".into(),
        given_at: None,
    };
    let consents = vec![answer(pb::Purpose::Marketing, false), answer(pb::Purpose::Location, true)];
    let profile = pb::Profile { consents, ..Default::default() };
    let after = update(&server, &phone.token, profile, &["consents"]).await.expect("written").consents;
    assert_eq!(after[0], before[0], "location: the same answer");
    assert_eq!((after[1].granted, after[1].given_at), (false, server.now()));
    assert_eq!(after[2], before[2], "profiling: not asked");
    assert!(super::visit(&server, &phone, "muted").await.offers.is_empty());
}

/// Changes profiles as another node of the same record does.
fn another_node(server: &TestServer) -> ProfileEdits {
    let ports = &server.ports;
    let store = ProfileStore::new(ports.records.clone(), ports.cache.clone(), Sharing::Alone, &Default::default());
    ProfileEdits::new(Arc::new(store), ports.clock.clone(), Arc::new(Stripes::default()))
}

async fn mute(edits: &ProfileEdits, name: &ProfileName, brand: &str) -> Profile {
    let brand = OrganizationName::parse(brand).expect("sound");
    let change = |profile: &mut Profile, _| {
        profile.muted.insert(brand.clone());
        Ok::<_, ProfileEditError>(((), vec![]))
    };
    edits.one(name, change).await.expect("changed").0
}

#[tokio::test]
async fn whoever_was_slower_starts_from_what_the_faster_one_wrote() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let name = ProfileName::parse(&acme.phone(1).await.profile).expect("sound");
    let (here, there) = (another_node(&server), another_node(&server));
    let mut rounds = 0;
    for at in here.tries(&[&name]).await {
        rounds += 1;
        let mut profile = here.newest(&name).await.expect("read").expect("there");
        if rounds == 1 {
            mute(&there, &name, "organizations/faster").await;
        }
        profile.muted.insert(OrganizationName::parse("organizations/slower").expect("sound"));
        let commit = Commit { at, profiles: vec![next(profile)], ..Commit::default() };
        if here.save(commit).await.expect("answered").is_some() {
            break;
        }
    }
    assert_eq!(rounds, 2);
    let profile = server.ports.records.profile(&name).await.expect("read").expect("there");
    assert_eq!(profile.muted.len(), 2);
}

#[tokio::test]
async fn what_only_the_cache_knew_survives_an_edit() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let name = ProfileName::parse(&phone.profile).expect("sound");
    let mut seen = server.ports.records.profile(&name).await.expect("read").expect("there");
    seen.revision.soft += 1;
    let now = server.clock.now();
    let read = Reading::new(now, now);
    let device = DeviceName::parse(&phone.device).expect("sound");
    seen.devices.get_mut(&device).expect("there").presence.newest_fix = Some(read);
    server.ports.cache.put(CachedProfile { profile: seen.into(), confirmed_at: now }).await.expect("kept");
    mute(&another_node(&server), &name, "organizations/brand").await;
    let profile = server.ports.records.profile(&name).await.expect("read").expect("there");
    assert_eq!(profile.devices[&device].presence.newest_fix, Some(read));
}

#[tokio::test]
async fn a_withdrawn_trait_is_gone_at_once_and_for_good_once_the_profile_changed() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    declare(&server, &acme).await;
    let phone = acme.phone(1).await;
    let has = async || get(&server, &phone.token, "").await.expect("its own").traits.len();
    let withdraw = async || {
        let app = Some(pb::App { name: acme.app.clone(), ..Default::default() });
        let mask = Some(prost_types::FieldMask { paths: vec!["traits".into()] });
        let request = pb::UpdateAppRequest { app, update_mask: mask };
        server.organizations().update_app(bearing(&server.operator, request)).await.expect("withdrawn");
    };
    update(&server, &phone.token, with(&[("mood", "high")]), &[]).await.expect("written");
    withdraw().await;
    assert_eq!(has().await, 0);
    declare(&server, &acme).await;
    assert_eq!(has().await, 1, "nothing changed the profile meanwhile");
    withdraw().await;
    let mute = pb::Profile { interests: [("tea".to_owned(), 0.5)].into(), ..Default::default() };
    update(&server, &phone.token, mute, &[]).await.expect("written");
    declare(&server, &acme).await;
    assert_eq!(has().await, 0);
}
