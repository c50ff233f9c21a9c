//! Every credential against every call on profiles.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Status};

use super::{erase, get, link, revoke, server_key, unlink, update};
use crate::support::harness::{Phone, TestServer, bearing};

/// What each call on the phone's profile says: get, update, mute, unmute, link, unlink, revoke, and an erasure
/// of `spare`.
async fn answers(server: &TestServer, credential: &str, phone: &Phone<'_>, spare: &str) -> [Code; 8] {
    fn said<T>(answer: Result<T, Status>) -> Code {
        answer.map_or_else(|status| status.code(), |_| Code::Ok)
    }
    let device = phone.device.clone();
    let name = phone.profile.clone();
    let brand = "organizations/brand".to_owned();
    let mute = pb::MuteBrandRequest { name: name.clone(), brand: brand.clone() };
    let unmute = pb::UnmuteBrandRequest { name: name.clone(), brand };
    let profile = pb::Profile { name: name.clone(), ..Default::default() };
    [
        said(get(server, credential, &name).await),
        said(update(server, credential, profile, &[]).await),
        said(server.profiles().mute_brand(bearing(credential, mute)).await),
        said(server.profiles().unmute_brand(bearing(credential, unmute)).await),
        // An id that nobody may have: whoever gets as far as that is let in.
        said(link(server, credential, &device, "anon-x").await),
        said(unlink(server, credential, &device).await),
        said(revoke(server, credential, &device).await),
        said(erase(server, credential, spare).await),
    ]
}

#[tokio::test]
async fn each_credential_opens_its_own_people_only() {
    let server = TestServer::start().await;
    let (acme, other) = (server.publisher("acme").await, server.publisher("acme2").await);
    let (phone, stranger) = (acme.phone(1).await, other.phone(1).await);
    let nobody = format!("{}/profiles/nobody", acme.app);
    let publisher = [Code::Ok, Code::Ok, Code::Ok, Code::Ok, Code::InvalidArgument, Code::Ok, Code::Ok, Code::Ok];
    for credential in [&server_key(&acme).await, &acme.key_of(Scope::Owner).await, &server.operator] {
        assert_eq!(answers(&server, credential, &phone, &nobody).await, publisher);
    }
    let denied = [Code::PermissionDenied; 8];
    for credential in [&acme.key_of(Scope::Network).await, &acme.key_of(Scope::Brand).await, &acme.key] {
        assert_eq!(answers(&server, credential, &phone, &nobody).await, denied);
    }
    // The publishers revoked it.
    let phone = acme.phone(1).await;
    let neighbour = acme.phone(2).await;
    let others = [server_key(&other).await, other.key_of(Scope::Owner).await, stranger.token, neighbour.token];
    for credential in &others {
        assert_eq!(answers(&server, credential, &phone, &nobody).await, denied);
        let status = get(&server, credential, &nobody).await.expect_err("refused");
        assert_eq!(status.code(), Code::PermissionDenied, "whether it exists or not");
    }
    let mut own = [Code::Ok; 8];
    own[4..7].fill(Code::PermissionDenied);
    assert_eq!(answers(&server, &phone.token, &phone, "").await, own);
}

#[tokio::test]
async fn a_device_need_not_name_its_profile_and_a_key_must() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    assert_eq!(get(&server, &phone.token, "").await.expect("its own").name, phone.profile);
    assert_eq!(get(&server, &key, "").await.expect_err("refused").code(), Code::InvalidArgument);
    let nobody = format!("{}/profiles/nobody", acme.app);
    assert_eq!(get(&server, &key, &nobody).await.expect_err("missing").code(), Code::NotFound);
    let unknown = format!("{}/devices/unknown", acme.app);
    assert_eq!(link(&server, &key, &unknown, "ada").await.expect_err("missing").code(), Code::NotFound);
}
