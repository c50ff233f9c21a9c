//! Who may do an owner's work: every call of its four services, bearing every credential, in its own organization and
//! in another's.
//!
//! Law: a scope that does not fit and a resource of another organization are PERMISSION_DENIED, whether the resource is
//! there or not; every other answer means that the call got past that gate.

use dintorni::grpc::{
    pb::{self, key::Scope},
    place_import::messages,
};
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

/// One credential's way through every call, about things of `owner` that are not there.
struct Tour<'a> {
    server: &'a TestServer,
    credential: &'a str,
    owner: &'a str,
    answers: Vec<Answered>,
}

impl Tour<'_> {
    fn parent(&self) -> String {
        self.owner.to_owned()
    }

    fn under(&self, collection: &str) -> String {
        format!("{}/{collection}/gone", self.owner)
    }
}

fn code(answer: Result<(), Status>) -> Code {
    answer.map_or_else(|status| status.code(), |()| Code::Ok)
}

/// A message of these fields; `..` stands for the rest of them.
macro_rules! request {
    ($Request:ident { $($field:ident : $value:expr),* }) => { pb::$Request { $($field: $value),* } };
    ($Request:ident { $($field:ident : $value:expr,)* .. }) => { pb::$Request { $($field: $value,)* ..Default::default() } };
}

macro_rules! call {
    ($tour:ident, $client:ident . $method:ident, $opens:ident, $Request:ident $fields:tt) => {
        let message = request!($Request $fields);
        let answer = $tour.server.$client().$method(bearing($tour.credential, message)).await.map(drop);
        $tour.answers.push((stringify!($method), Opens::$opens, code(answer)));
    };
}

async fn every_call(server: &TestServer, credential: &str, owner: &str) -> Vec<Answered> {
    let mut tour = Tour { server, credential, owner, answers: Vec::new() };
    organizations(&mut tour).await;
    places(&mut tour).await;
    campaigns(&mut tour).await;
    segments(&mut tour).await;
    tour.answers
}

/// OrganizationService.
async fn organizations(tour: &mut Tour<'_>) {
    call!(
        tour,
        organizations.create_organization,
        Operator,
        CreateOrganizationRequest { organization_id: "?".into(), .. }
    );
    call!(tour, organizations.list_organizations, Operator, ListOrganizationsRequest { .. });
    call!(tour, organizations.get_organization, Owner, GetOrganizationRequest { name: tour.parent() });
    let organization = Some(pb::Organization { name: tour.parent(), ..Default::default() });
    call!(tour, organizations.update_organization, Owner, UpdateOrganizationRequest { organization: organization, .. });
    call!(tour, organizations.create_app, Owner, CreateAppRequest { parent: tour.parent(), .. });
    call!(tour, organizations.get_app, Owner, GetAppRequest { name: tour.under("apps") });
    call!(tour, organizations.list_apps, Owner, ListAppsRequest { parent: tour.parent(), .. });
    let app = Some(pb::App { name: tour.under("apps"), ..Default::default() });
    call!(tour, organizations.update_app, Owner, UpdateAppRequest { app: app, .. });
    call!(tour, organizations.create_key, Owner, CreateKeyRequest { parent: tour.parent(), .. });
    call!(tour, organizations.list_keys, Owner, ListKeysRequest { parent: tour.parent(), .. });
    call!(tour, organizations.revoke_key, Owner, RevokeKeyRequest { name: tour.under("keys") });
    call!(tour, organizations.rotate_key, Owner, RotateKeyRequest { name: tour.under("keys"), .. });
    call!(tour, organizations.create_grant, Owner, CreateGrantRequest { parent: tour.parent(), .. });
    call!(tour, organizations.list_grants, Owner, ListGrantsRequest { parent: tour.parent(), .. });
    call!(tour, organizations.delete_grant, Owner, DeleteGrantRequest { name: tour.under("grants"), .. });
}

/// PlaceService.
async fn places(tour: &mut Tour<'_>) {
    call!(tour, places.create_store, Network, CreateStoreRequest { parent: tour.parent(), .. });
    call!(tour, places.get_store, Network, GetStoreRequest { name: tour.under("stores") });
    call!(tour, places.list_stores, Network, ListStoresRequest { parent: tour.parent(), .. });
    let store = Some(pb::Store { name: tour.under("stores"), ..Default::default() });
    call!(tour, places.update_store, Network, UpdateStoreRequest { store: store, .. });
    call!(tour, places.delete_store, Network, DeleteStoreRequest { name: tour.under("stores"), .. });
    call!(tour, places.create_geofence, Network, CreateGeofenceRequest { parent: tour.parent(), .. });
    call!(tour, places.get_geofence, Network, GetGeofenceRequest { name: tour.under("geofences") });
    call!(tour, places.list_geofences, Network, ListGeofencesRequest { parent: tour.parent(), .. });
    let geofence = Some(pb::Geofence { name: tour.under("geofences"), ..Default::default() });
    call!(tour, places.update_geofence, Network, UpdateGeofenceRequest { geofence: geofence, .. });
    call!(tour, places.delete_geofence, Network, DeleteGeofenceRequest { name: tour.under("geofences"), .. });
    call!(tour, places.create_beacon, Network, CreateBeaconRequest { parent: tour.parent(), .. });
    call!(tour, places.get_beacon, Network, GetBeaconRequest { name: tour.under("beacons") });
    call!(tour, places.list_beacons, Network, ListBeaconsRequest { parent: tour.parent(), .. });
    let beacon = Some(pb::Beacon { name: tour.under("beacons"), ..Default::default() });
    call!(tour, places.update_beacon, Network, UpdateBeaconRequest { beacon: beacon, .. });
    call!(tour, places.delete_beacon, Network, DeleteBeaconRequest { name: tour.under("beacons"), .. });
    call!(tour, places.get_source, Network, GetSourceRequest { name: tour.under("sources") });
    call!(tour, places.list_sources, Network, ListSourcesRequest { parent: tour.parent(), .. });
    call!(tour, places.delete_source, Network, DeleteSourceRequest { name: tour.under("sources"), .. });
    let options = pb::ImportOptions { parent: tour.parent(), dry_run: true, ..Default::default() };
    let stream = bearing(tour.credential, tokio_stream::iter(messages(options, Vec::new(), |_| ())));
    let imported = tour.server.places().import_places(stream).await.map(drop);
    tour.answers.push(("import_places", Opens::Network, code(imported)));
}

/// CampaignService.
async fn campaigns(tour: &mut Tour<'_>) {
    call!(tour, campaigns.create_campaign, Brand, CreateCampaignRequest { parent: tour.parent(), .. });
    call!(tour, campaigns.get_campaign, Brand, GetCampaignRequest { name: tour.under("campaigns") });
    call!(tour, campaigns.list_campaigns, Brand, ListCampaignsRequest { parent: tour.parent(), .. });
    let campaign = Some(pb::Campaign { name: tour.under("campaigns"), ..Default::default() });
    call!(tour, campaigns.update_campaign, Brand, UpdateCampaignRequest { campaign: campaign, .. });
    call!(tour, campaigns.delete_campaign, Brand, DeleteCampaignRequest { name: tour.under("campaigns"), .. });
    call!(tour, campaigns.activate_campaign, Brand, ActivateCampaignRequest { name: tour.under("campaigns"), .. });
    call!(tour, campaigns.pause_campaign, Brand, PauseCampaignRequest { name: tour.under("campaigns"), .. });
    call!(tour, campaigns.archive_campaign, Brand, ArchiveCampaignRequest { name: tour.under("campaigns"), .. });
}

/// SegmentService.
async fn segments(tour: &mut Tour<'_>) {
    call!(tour, segments.create_segment, Brand, CreateSegmentRequest { parent: tour.parent(), .. });
    call!(tour, segments.get_segment, Brand, GetSegmentRequest { name: tour.under("segments") });
    call!(tour, segments.list_segments, Brand, ListSegmentsRequest { parent: tour.parent(), .. });
    let segment = Some(pb::Segment { name: tour.under("segments"), ..Default::default() });
    call!(tour, segments.update_segment, Brand, UpdateSegmentRequest { segment: segment, .. });
    call!(tour, segments.delete_segment, Brand, DeleteSegmentRequest { name: tour.under("segments"), .. });
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
