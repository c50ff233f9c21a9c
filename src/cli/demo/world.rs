//! Sets the demo's scene through the public API: owners, places, campaigns, people.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use tonic::transport::Channel;

use super::{
    api::Api,
    campaigns::{self, BEACON, BEACON_ID, BEACON_STORE, NETWORK, Wish},
    people::{CHARACTERS, Phone},
};
use crate::{
    app::{
        imports::Numbered,
        place_files::{self, Format, Reading},
    },
    domain::{geo::Position, name::OrganizationName, violation::Violations},
    grpc::{
        pb::{
            ActivateCampaignRequest, App, Beacon, CreateAppRequest, CreateBeaconRequest, CreateCampaignRequest,
            CreateGrantRequest, CreateKeyRequest, CreateOrganizationRequest, GetStoreRequest, Grant, ImportOptions,
            ImportPlacesResponse, Key, ListGeofencesRequest, ListStoresRequest, Organization, Profile, QuietHours,
            TargetPlaces, TraitDeclaration, UpdateProfileRequest, grant, key, trait_declaration,
        },
        place_import::messages,
    },
};

/// The publisher, and its app.
const PUBLISHER: &str = "organizations/kaupunki";
const APP: &str = "organizations/kaupunki/apps/citywalk";
/// Shops and malls of central Helsinki, © OpenStreetMap contributors (see deploy/demo/README.md).
const PLACES: &str = include_str!("../../../deploy/demo/helsinki.geojson");

/// The scene, set.
pub struct World {
    pub imported: ImportPlacesResponse,
    pub import_took: Duration,
    pub campaigns: Vec<String>,
    /// What people call the places and campaigns, by name.
    pub titles: HashMap<String, String>,
    pub phones: Vec<Phone>,
    pub beacon: Position,
    pub app_key: String,
}

/// Makes everything the walk needs.
pub async fn set(channel: Channel, operator_key: &str, entropy: [u8; 32]) -> anyhow::Result<World> {
    let api = Api::new(channel.clone(), operator_key)?;
    organizations(&api).await?;
    let (imported, import_took) = import(&api).await?;
    let beacon = hang_beacon(&api).await?;
    let mut titles = campaigns(&api).await?;
    let campaigns = titles.values().cloned().collect();
    titles.extend(places(&api).await?);
    let (app_key, server_key) = app(&api).await?;
    let mut phones = Vec::new();
    for (i, character) in CHARACTERS.iter().enumerate() {
        let mut secret = [0; 16];
        secret.copy_from_slice(&entropy[16 * i..16 * i + 16]);
        let phone = Phone::register(character, channel.clone(), &app_key, secret).await?;
        tell_about(&Api::new(channel.clone(), &server_key)?, &phone).await?;
        phones.push(phone);
    }
    Ok(World { imported, import_took, campaigns, titles, phones, beacon, app_key })
}

async fn organizations(api: &Api) -> anyhow::Result<()> {
    let mut names = vec![("helsinki-centre", "Shops of central Helsinki"), ("kaupunki", "Kaupunki Apps")];
    names.extend(campaigns::brands());
    for (id, display_name) in names {
        let organization = Organization { display_name: display_name.into(), ..Organization::default() };
        let request = CreateOrganizationRequest { organization_id: id.into(), organization: Some(organization) };
        api.organizations().create_organization(request).await?;
    }
    Ok(())
}

/// Imports the places, as `dintorni import` does.
#[expect(clippy::disallowed_methods, reason = "shown to the reader, and nothing is decided by it")]
async fn import(api: &Api) -> anyhow::Result<(ImportPlacesResponse, Duration)> {
    let reading = Reading::new(OrganizationName::parse(NETWORK)?, Format::GeoJson);
    let rows = place_files::parse(PLACES.as_bytes(), &reading)?.into_iter();
    let rows = rows.map(|Numbered { number, row, .. }| Ok(Numbered::sound(number, row?)));
    let rows = rows.collect::<Result<Vec<_>, Violations>>()?;
    let options = ImportOptions { parent: NETWORK.into(), ..ImportOptions::default() };
    let started = std::time::Instant::now();
    let messages = tokio_stream::iter(messages(options, rows, |_| {}));
    let report = api.places().import_places(messages).await?.into_inner();
    Ok((report, started.elapsed()))
}

async fn hang_beacon(api: &Api) -> anyhow::Result<Position> {
    let store = format!("{NETWORK}/stores/{BEACON_STORE}");
    let beacon = Beacon {
        display_name: "Wall of prints".into(),
        identity: BEACON.into(),
        store: store.clone(),
        ..Beacon::default()
    };
    let request = CreateBeaconRequest { parent: NETWORK.into(), beacon_id: BEACON_ID.into(), beacon: Some(beacon) };
    api.places().create_beacon(request).await?;
    let store = api.places().get_store(GetStoreRequest { name: store }).await?.into_inner();
    let at = store.position.context("a store has a position")?;
    Ok(Position::new(at.latitude, at.longitude)?)
}

/// Lets each brand target the places and reach the app, then makes and activates its campaigns.
async fn campaigns(api: &Api) -> anyhow::Result<HashMap<String, String>> {
    for (id, _) in campaigns::brands() {
        let brand = format!("organizations/{id}");
        grant(api, NETWORK, id, &brand, grant::Permission::TargetPlaces(TargetPlaces {})).await?;
    }
    let mut titles = HashMap::new();
    for Wish { brand, id, campaign } in campaigns::wishes() {
        let title = campaign.display_name.clone();
        let parent = format!("organizations/{brand}");
        let request = CreateCampaignRequest { parent, campaign_id: id.into(), campaign: Some(campaign) };
        let name = api.campaigns().create_campaign(request).await?.into_inner().name;
        api.campaigns().activate_campaign(ActivateCampaignRequest { name: name.clone(), ..Default::default() }).await?;
        titles.insert(name, title);
    }
    Ok(titles)
}

/// What people call the places of the network.
async fn places(api: &Api) -> anyhow::Result<HashMap<String, String>> {
    let mut titles = HashMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListStoresRequest { parent: NETWORK.into(), page_size: 1_000, page_token };
        let page = api.places().list_stores(request).await?.into_inner();
        titles.extend(page.stores.into_iter().map(|store| (store.name, store.display_name)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let request = ListGeofencesRequest { parent: NETWORK.into(), page_size: 1_000, ..ListGeofencesRequest::default() };
    let fences = api.places().list_geofences(request).await?.into_inner().geofences;
    titles.extend(fences.into_iter().map(|fence| (fence.name, fence.display_name)));
    titles.insert(format!("{NETWORK}/beacons/{BEACON_ID}"), "Wall of prints".into());
    Ok(titles)
}

async fn grant(api: &Api, owner: &str, id: &str, grantee: &str, permission: grant::Permission) -> anyhow::Result<()> {
    let grant = Grant { grantee: grantee.into(), permission: Some(permission), ..Grant::default() };
    let request = CreateGrantRequest { parent: owner.into(), grant_id: id.into(), grant: Some(grant) };
    api.organizations().create_grant(request).await?;
    Ok(())
}

/// Makes the app and its two keys: the public one that ships in it, and the one of the publisher's server.
async fn app(api: &Api) -> anyhow::Result<(String, String)> {
    let tier = TraitDeclaration {
        kind: trait_declaration::Kind::Text.into(),
        writer: trait_declaration::Writer::Server.into(),
    };
    let app = App {
        display_name: "City Walk".into(),
        time_zone: "Europe/Helsinki".into(),
        daily_offers: Some(4),
        // The demo works at any hour; an app of yours is quiet from 21:00 to 09:00 unless it says otherwise.
        quiet_hours: Some(QuietHours { off: true, ..QuietHours::default() }),
        traits: [("tier".to_owned(), tier)].into(),
        ..App::default()
    };
    let request = CreateAppRequest { parent: PUBLISHER.into(), app_id: "citywalk".into(), app: Some(app) };
    api.organizations().create_app(request).await?;
    for (id, _) in campaigns::brands() {
        let brand = format!("organizations/{id}");
        grant(api, PUBLISHER, id, &brand, grant::Permission::ReachApp(APP.into())).await?;
    }
    Ok((key(api, "in-the-app", key::Scope::App).await?, key(api, "our-server", key::Scope::Server).await?))
}

async fn key(api: &Api, id: &str, scope: key::Scope) -> anyhow::Result<String> {
    let key = Key { display_name: id.into(), scope: scope.into(), app: APP.into(), ..Key::default() };
    let request = CreateKeyRequest { parent: PUBLISHER.into(), key_id: id.into(), key: Some(key) };
    Ok(api.organizations().create_key(request).await?.into_inner().secret)
}

/// What the publisher's server knows of the phone's owner.
async fn tell_about(api: &Api, phone: &Phone) -> anyhow::Result<()> {
    let profile = Profile {
        name: phone.profile.clone(),
        traits: phone.owner.traits(),
        interests: phone.owner.interests.iter().map(|&(topic, strength)| (topic.to_owned(), strength)).collect(),
        ..Profile::default()
    };
    let request = UpdateProfileRequest { profile: Some(profile), ..UpdateProfileRequest::default() };
    api.profiles().update_profile(request).await?;
    Ok(())
}
