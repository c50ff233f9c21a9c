//! People through the public API: who may touch a profile, what may be written, logging in and out, erasure, what became
//! of offers, audiences, experiments, events of the app, replays, and looking around.

mod app_events;
mod audiences;
mod brand_eye;
mod browsing;
mod caps;
mod engagement;
mod erasure;
mod experiments;
mod linking;
mod nearby;
mod nodes;
mod nodes_apart;
mod receipts;
mod replays;
mod roles;
mod writing;

use std::time::Duration;

use dintorni::grpc::pb::{self, key::Scope};
use tonic::Status;

use crate::support::harness::{Phone, Publisher, TestServer, bearing, ping};

const MINUTE: Duration = Duration::from_secs(60);

/// A campaign of the publisher that offers coffee to whoever comes to where phones ping from.
async fn coffee(server: &TestServer, acme: &Publisher<'_>, limits: Option<pb::Limits>) {
    let square = square(server, acme).await;
    campaign(server, acme, "coffee", pb::Campaign { limits, ..entering(&square) }).await;
}

/// A geofence where phones ping from.
async fn square(server: &TestServer, acme: &Publisher<'_>) -> String {
    let circle = pb::Circle { center: ping("anything", None).fixes[0].position, radius_m: 200.0 };
    let shape = pb::Shape { outline: Some(pb::shape::Outline::Circle(circle)) };
    let square = pb::Geofence { display_name: "Square".into(), shape: Some(shape), ..Default::default() };
    let parent = acme.organization.clone();
    let request = pb::CreateGeofenceRequest { parent, geofence_id: "square".into(), geofence: Some(square) };
    server.places().create_geofence(bearing(&server.operator, request)).await.expect("made").into_inner().name
}

/// What is offered to whoever enters there.
fn entering(place: &str) -> pb::Campaign {
    let trigger = pb::Trigger {
        on: Some(pb::trigger::On::Entered(pb::Entered {})),
        at: Some(pb::trigger::At::Places(pb::Places { places: vec![place.to_owned()] })),
        ..Default::default()
    };
    pb::Campaign {
        display_name: "Coffee".into(),
        content: Some(pb::Content { title: "Coffee".into(), ..Default::default() }),
        trigger: Some(trigger),
        ..Default::default()
    }
}

/// Makes it, and makes it active.
async fn campaign(server: &TestServer, acme: &Publisher<'_>, id: &str, campaign: pb::Campaign) {
    let mut campaigns = server.campaigns();
    let parent = acme.organization.clone();
    let request = pb::CreateCampaignRequest { parent, campaign_id: id.into(), campaign: Some(campaign) };
    let made = campaigns.create_campaign(bearing(&server.operator, request)).await.expect("made").into_inner();
    let request = pb::ActivateCampaignRequest { name: made.name, etag: String::new() };
    campaigns.activate_campaign(bearing(&server.operator, request)).await.expect("active");
}

/// Leaves the square if it is there, comes back a minute later, and returns the answer to that.
async fn visit(server: &TestServer, phone: &Phone<'_>, id: &str) -> pb::PingResponse {
    server.clock.advance(MINUTE);
    let mut far = ping(&format!("{id}-is-away"), server.now());
    far.fixes[0].position = Some(pb::LatLng { latitude: 45.6, longitude: 9.3 });
    server.proximity().ping(bearing(&phone.token, far)).await.expect("answered");
    server.clock.advance(MINUTE);
    phone.ping(&format!("{id}-is-here")).await.expect("answered")
}

/// The only offer of a visit.
async fn offered(server: &TestServer, phone: &Phone<'_>, id: &str) -> pb::Offer {
    visit(server, phone, id).await.offers.pop().expect("an offer")
}

/// Why coffee was not offered.
async fn refusals(server: &TestServer, answer: &pb::PingResponse) -> Vec<String> {
    assert_eq!(answer.offers, []);
    let request = pb::GetDecisionRequest { decision: answer.decision.clone() };
    let decision = server.decisions().get_decision(bearing(&server.operator, request)).await.expect("a receipt");
    let refused = decision.into_inner().considered.into_iter().filter_map(|considered| considered.verdict);
    let code = |verdict| match verdict {
        pb::considered_campaign::Verdict::Chosen(offer) => offer,
        pb::considered_campaign::Verdict::Refused(refusal) => refusal.code,
    };
    refused.map(code).collect()
}

async fn server_key(acme: &Publisher<'_>) -> String {
    acme.key_of(Scope::Server).await
}

async fn get(server: &TestServer, credential: &str, name: &str) -> Result<pb::Profile, Status> {
    let request = pb::GetProfileRequest { name: name.into() };
    Ok(server.profiles().get_profile(bearing(credential, request)).await?.into_inner())
}

async fn update(
    server: &TestServer,
    credential: &str,
    profile: pb::Profile,
    paths: &[&str],
) -> Result<pb::Profile, Status> {
    let paths = paths.iter().map(ToString::to_string).collect();
    let request =
        pb::UpdateProfileRequest { profile: Some(profile), update_mask: Some(prost_types::FieldMask { paths }) };
    Ok(server.profiles().update_profile(bearing(credential, request)).await?.into_inner())
}

async fn link(server: &TestServer, key: &str, device: &str, profile_id: &str) -> Result<pb::Profile, Status> {
    let request = pb::LinkProfileRequest { device: device.into(), profile_id: profile_id.into() };
    Ok(server.profiles().link_profile(bearing(key, request)).await?.into_inner())
}

async fn revoke(server: &TestServer, credential: &str, device: &str) -> Result<(), Status> {
    let request = pb::RevokeDeviceTokensRequest { device: device.into() };
    server.profiles().revoke_device_tokens(bearing(credential, request)).await.map(drop)
}

async fn unlink(server: &TestServer, key: &str, device: &str) -> Result<pb::Profile, Status> {
    let request = pb::UnlinkProfileRequest { device: device.into() };
    Ok(server.profiles().unlink_profile(bearing(key, request)).await?.into_inner())
}

async fn erase(server: &TestServer, credential: &str, name: &str) -> Result<(), Status> {
    let request = pb::DeleteProfileRequest { name: name.into() };
    server.profiles().delete_profile(bearing(credential, request)).await.map(|_| ())
}
