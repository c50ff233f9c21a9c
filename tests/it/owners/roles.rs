//! Who may do an owner's work: every call of its three services, bearing every credential, in its own organization and
//! in another's.
//!
//! Law: a scope that does not fit and a resource of another organization are PERMISSION_DENIED, whether the resource is
//! there or not; every other answer means that the call got past that gate.

use dintorni::grpc::pb::{self, key::Scope};
use tonic::{Code, Request, Status};

use crate::support::harness::{Publisher, TestServer, bearing};

/// Which scopes open a call; the operator's opens all.
#[derive(Clone, Copy)]
enum Opens {
    Operator,
    Owner,
    Network,
    Brand,
}

impl Opens {
    fn to(self, scope: Scope) -> bool {
        match scope {
            Scope::Operator => true,
            Scope::Owner => !matches!(self, Opens::Operator),
            Scope::Network => matches!(self, Opens::Network),
            Scope::Brand => matches!(self, Opens::Brand),
            _ => false,
        }
    }
}

/// One call's name, who may make it, and what it was answered.
type Answered = (&'static str, Opens, Code);

/// Makes every call about things of `owner` that are not there.
async fn every_call(server: &TestServer, credential: &str, owner: &str) -> Vec<Answered> {
    let mut answers = Vec::new();
    let code = |answer: Result<(), Status>| answer.map_or_else(|status| status.code(), |()| Code::Ok);
    let under = |collection: &str| format!("{owner}/{collection}/gone");
    macro_rules! call {
        ($client:ident . $method:ident, $opens:ident, $Request:ident { $($field:ident : $value:expr),* }) => {
            #[expect(clippy::needless_update, reason = "some requests have no other fields")]
            let message = pb::$Request { $($field: $value,)* ..Default::default() };
            let answer = server.$client().$method(bearing(credential, message)).await.map(drop);
            answers.push((stringify!($method), Opens::$opens, code(answer)));
        };
    }
    let parent = || owner.to_owned();

    call!(organizations.create_organization, Operator, CreateOrganizationRequest { organization_id: "?".into() });
    call!(organizations.list_organizations, Operator, ListOrganizationsRequest {});
    call!(organizations.get_organization, Owner, GetOrganizationRequest { name: parent() });
    call!(organizations.create_app, Owner, CreateAppRequest { parent: parent() });
    call!(organizations.get_app, Owner, GetAppRequest { name: under("apps") });
    call!(organizations.list_apps, Owner, ListAppsRequest { parent: parent() });
    let app = Some(pb::App { name: under("apps"), ..Default::default() });
    call!(organizations.update_app, Owner, UpdateAppRequest { app: app });
    call!(organizations.create_key, Owner, CreateKeyRequest { parent: parent() });
    call!(organizations.list_keys, Owner, ListKeysRequest { parent: parent() });
    call!(organizations.revoke_key, Owner, RevokeKeyRequest { name: under("keys") });
    call!(organizations.rotate_key, Owner, RotateKeyRequest { name: under("keys") });
    call!(organizations.create_grant, Owner, CreateGrantRequest { parent: parent() });
    call!(organizations.list_grants, Owner, ListGrantsRequest { parent: parent() });
    call!(organizations.delete_grant, Owner, DeleteGrantRequest { name: under("grants") });

    call!(places.create_store, Network, CreateStoreRequest { parent: parent() });
    call!(places.get_store, Network, GetStoreRequest { name: under("stores") });
    call!(places.list_stores, Network, ListStoresRequest { parent: parent() });
    let store = Some(pb::Store { name: under("stores"), ..Default::default() });
    call!(places.update_store, Network, UpdateStoreRequest { store: store });
    call!(places.delete_store, Network, DeleteStoreRequest { name: under("stores") });
    call!(places.create_geofence, Network, CreateGeofenceRequest { parent: parent() });
    call!(places.get_geofence, Network, GetGeofenceRequest { name: under("geofences") });
    call!(places.list_geofences, Network, ListGeofencesRequest { parent: parent() });
    let geofence = Some(pb::Geofence { name: under("geofences"), ..Default::default() });
    call!(places.update_geofence, Network, UpdateGeofenceRequest { geofence: geofence });
    call!(places.delete_geofence, Network, DeleteGeofenceRequest { name: under("geofences") });
    call!(places.create_beacon, Network, CreateBeaconRequest { parent: parent() });
    call!(places.get_beacon, Network, GetBeaconRequest { name: under("beacons") });
    call!(places.list_beacons, Network, ListBeaconsRequest { parent: parent() });
    let beacon = Some(pb::Beacon { name: under("beacons"), ..Default::default() });
    call!(places.update_beacon, Network, UpdateBeaconRequest { beacon: beacon });
    call!(places.delete_beacon, Network, DeleteBeaconRequest { name: under("beacons") });
    let options = pb::ImportOptions { parent: parent(), dry_run: true, ..Default::default() };
    let part = Some(pb::import_places_request::Part::Options(options));
    let stream = bearing(credential, tokio_stream::once(pb::ImportPlacesRequest { part }));
    let imported = server.places().import_places(stream).await.map(drop);
    answers.push(("import_places", Opens::Network, code(imported)));

    call!(campaigns.create_campaign, Brand, CreateCampaignRequest { parent: parent() });
    call!(campaigns.get_campaign, Brand, GetCampaignRequest { name: under("campaigns") });
    call!(campaigns.list_campaigns, Brand, ListCampaignsRequest { parent: parent() });
    let campaign = Some(pb::Campaign { name: under("campaigns"), ..Default::default() });
    call!(campaigns.update_campaign, Brand, UpdateCampaignRequest { campaign: campaign });
    call!(campaigns.delete_campaign, Brand, DeleteCampaignRequest { name: under("campaigns") });
    call!(campaigns.activate_campaign, Brand, ActivateCampaignRequest { name: under("campaigns") });
    call!(campaigns.pause_campaign, Brand, PauseCampaignRequest { name: under("campaigns") });
    call!(campaigns.archive_campaign, Brand, ArchiveCampaignRequest { name: under("campaigns") });
    answers
}

const SCOPES: [Scope; 5] = [Scope::Owner, Scope::Network, Scope::Brand, Scope::Server, Scope::App];

async fn key(acme: &Publisher<'_>, scope: Scope) -> String {
    // The publisher has its app key already.
    if scope == Scope::App { acme.key.clone() } else { acme.key_of(scope).await }
}

#[tokio::test]
async fn each_scope_opens_its_own_work_in_its_own_organization() {
    let server = TestServer::start().await;
    let (acme, rival) = (server.publisher("acme").await, server.publisher("rival").await);
    let mut wrong = Vec::new();
    for scope in SCOPES {
        let credential = key(&acme, scope).await;
        for (owner, own) in [(&acme.organization, true), (&rival.organization, false)] {
            for (call, opens, code) in every_call(&server, &credential, owner).await {
                let may = own && opens.to(scope);
                if may == (code == Code::PermissionDenied) {
                    wrong.push(format!("{scope:?} {call} of {owner}: {code:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_operator_gets_everywhere_and_a_device_nowhere() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    for (call, _, code) in every_call(&server, &phone.token, &acme.organization).await {
        assert_eq!(code, Code::PermissionDenied, "{call}");
    }
    for (call, _, code) in every_call(&server, &server.operator, &acme.organization).await {
        assert!(matches!(code, Code::Ok | Code::NotFound | Code::InvalidArgument), "{call}: {code:?}");
    }
    for (call, _, code) in every_call(&server, "dk_guess", &acme.organization).await {
        assert_eq!(code, Code::Unauthenticated, "{call}");
    }
}

#[tokio::test]
async fn without_a_credential_nothing_is_told() {
    let server = TestServer::start().await;
    let status =
        server.places().list_stores(Request::new(pb::ListStoresRequest::default())).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unauthenticated);
}
