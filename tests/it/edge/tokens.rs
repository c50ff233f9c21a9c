//! The life of a device token: renewed by use, ended by silence, revoked by its epoch.

use std::time::Duration;

use dintorni::{
    domain::name::{DeviceName, ProfileName},
    ports::{CachedProfile, Clock, Commit, Committed, ProfileWrite},
};
use tonic::Code;

use crate::support::harness::{Phone, TestServer, refusal};

const DAY: Duration = Duration::from_secs(86_400);

/// Revokes all tokens the phone has.
pub async fn revoke(server: &TestServer, phone: &Phone<'_>) {
    let name = ProfileName::parse(&phone.profile).expect("sound");
    let mut profile = server.ports.records.profile(&name).await.expect("read").expect("there");
    let expected = profile.revision.version;
    profile.revision.version += 1;
    let device = DeviceName::parse(&phone.device).expect("sound");
    profile.devices.get_mut(&device).expect("there").token_epoch += 1;
    let at = server.clock.now();
    let write = ProfileWrite { expected, profile: profile.clone() };
    let done = server.ports.records.commit(Commit { at, profiles: vec![write], ..Commit::default() }).await;
    assert_eq!(done.expect("committed"), Committed::Done);
    let copy = CachedProfile { profile: profile.into(), confirmed_at: at };
    server.ports.cache.put(copy).await.expect("kept");
}

#[tokio::test]
async fn a_phone_that_pings_now_and_then_keeps_its_token_for_ever() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let mut phone = acme.phone(1).await;
    assert_eq!(phone.ping("fresh-01").await.expect("answered").renewed_token, None);
    for month in 0..3 {
        server.clock.advance(21 * DAY);
        let renewed = phone.ping(&format!("month-{month}-")).await.expect("answered").renewed_token;
        phone.token = renewed.expect("in the last third of its life").value;
    }
    assert_eq!(phone.ping("fresh-02").await.expect("answered").renewed_token, None);
}

#[tokio::test]
async fn a_phone_that_was_silent_too_long_must_register_again() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    server.clock.advance(30 * DAY);
    let status = phone.ping("too-late").await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::Unauthenticated, "TOKEN_EXPIRED".into()));
    let again = acme.phone(1).await;
    assert_eq!(again.profile, phone.profile);
    again.ping("again-01").await.expect("answered");
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_registering_gives_a_good_one() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    phone.ping("before-1").await.expect("answered");
    revoke(&server, &phone).await;
    let status = phone.ping("after-01").await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::Unauthenticated, "TOKEN_REVOKED".into()));
    let again = acme.phone(1).await;
    again.ping("after-02").await.expect("answered");
}

#[tokio::test]
async fn a_cache_of_another_time_shuts_nobody_out() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    for (installation, is_known) in [(1, true), (2, false)] {
        let phone = acme.phone(installation).await;
        let name = ProfileName::parse(&phone.profile).expect("sound");
        let mut profile = server.ports.records.profile(&name).await.expect("read").expect("there");
        let device = DeviceName::parse(&phone.device).expect("sound");
        profile.revision.version += 5;
        match is_known {
            true => profile.devices.get_mut(&device).expect("there").token_epoch += 1,
            false => drop(profile.devices.remove(&device)),
        }
        let copy = CachedProfile { profile: profile.into(), confirmed_at: server.clock.now() };
        server.ports.cache.put(copy).await.expect("kept");
        phone
            .ping(&format!("restored-{installation}"))
            .await
            .expect("the database was restored, and the cache was not");
    }
}
