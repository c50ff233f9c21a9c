//! A town with two geofences, and campaigns whose limits are worth breaking.

use std::time::Duration;

use dintorni::grpc::pb::{
    self, campaign_service_client::CampaignServiceClient, device_service_client::DeviceServiceClient,
    organization_service_client::OrganizationServiceClient, place_service_client::PlaceServiceClient,
};
use tonic::{Code, transport::Channel};

use crate::support::harness::{HERE, bearing, offers, registration};

/// An edit is live on all nodes within a second, if the machine has nothing else to do; tests often share theirs.
const LIVE: Duration = Duration::from_secs(5);

/// Where people go: two hundred metres apart, so that nobody seems to fly between two pings, and not in a line, so that
/// nobody crosses one on the way to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    Plaza,
    Station,
    /// In no geofence.
    Home,
}

impl Spot {
    pub const ALL: [Spot; 3] = [Spot::Plaza, Spot::Station, Spot::Home];

    pub fn position(self) -> pb::LatLng {
        let (north, east) = match self {
            Spot::Plaza => (0.0, 0.0),
            Spot::Station => (0.001_8, 0.0),
            Spot::Home => (0.0, 0.002_6),
        };
        pb::LatLng { latitude: HERE.latitude + north, longitude: HERE.longitude + east }
    }

    /// The geofence there.
    pub fn geofence(self) -> Option<&'static str> {
        match self {
            Spot::Plaza => Some("organizations/acme/geofences/plaza"),
            Spot::Station => Some("organizations/acme/geofences/station"),
            Spot::Home => None,
        }
    }
}

/// A campaign of the town.
pub struct Rules {
    pub id: &'static str,
    pub spot: Spot,
    /// Most offers to one person.
    pub cap: u32,
    /// Most offers to all.
    pub budget: Option<u64>,
}

impl Rules {
    pub fn name(&self) -> String {
        format!("organizations/acme/campaigns/{}", self.id)
    }
}

/// Two budgets at one place, so that one decision takes from both.
pub const CAMPAIGNS: [Rules; 5] = [
    Rules { id: "breakfast", spot: Spot::Plaza, cap: 2, budget: None },
    Rules { id: "coffee", spot: Spot::Plaza, cap: 3, budget: Some(25) },
    Rules { id: "cake", spot: Spot::Plaza, cap: 1, budget: Some(7) },
    Rules { id: "paper", spot: Spot::Station, cap: 1, budget: None },
    Rules { id: "ticket", spot: Spot::Station, cap: 2, budget: Some(31) },
];

/// The town's server, as its operator sees it.
pub struct World {
    pub channel: Channel,
    pub operator: String,
    app_key: String,
}

/// What a phone needs to speak.
pub struct Registered {
    pub profile: String,
    pub token: String,
}

impl World {
    /// The town with its campaigns.
    pub async fn build(channel: Channel, operator: String) -> Self {
        let world = Self::found(channel, operator).await;
        for rules in &CAMPAIGNS {
            world.campaign(rules).await;
        }
        world
    }

    /// The town without a campaign.
    pub async fn found(channel: Channel, operator: String) -> Self {
        let mut world = Self { channel, operator, app_key: String::new() };
        world.app_key = world.app().await;
        for spot in [Spot::Plaza, Spot::Station] {
            world.geofence(spot).await;
        }
        world
    }

    async fn app(&self) -> String {
        let mut organizations = OrganizationServiceClient::new(self.channel.clone());
        let organization = Some(pb::Organization { display_name: "Acme".into(), ..Default::default() });
        let request = pb::CreateOrganizationRequest { organization_id: "acme".into(), organization };
        organizations.create_organization(bearing(&self.operator, request)).await.expect("made");
        let app = pb::App {
            display_name: "Town".into(),
            time_zone: "Europe/Rome".into(),
            daily_offers: Some(50),
            quiet_hours: Some(pb::QuietHours { off: true, ..Default::default() }),
            ..Default::default()
        };
        let parent = "organizations/acme".to_owned();
        let request = pb::CreateAppRequest { parent: parent.clone(), app_id: "town".into(), app: Some(app) };
        let app = organizations.create_app(bearing(&self.operator, request)).await.expect("made").into_inner().name;
        let scope = pb::key::Scope::App.into();
        let key = pb::Key { display_name: "phones".into(), scope, app, ..Default::default() };
        let request = pb::CreateKeyRequest { parent, key_id: "phones".into(), key: Some(key) };
        organizations.create_key(bearing(&self.operator, request)).await.expect("made").into_inner().secret
    }

    async fn geofence(&self, spot: Spot) {
        let name = spot.geofence().expect("a place");
        let (parent, id) = name.split_once("/geofences/").expect("a name");
        let circle = pb::Circle { center: Some(spot.position()), radius_m: 100.0 };
        let shape = Some(pb::Shape { outline: Some(pb::shape::Outline::Circle(circle)) });
        let geofence = Some(pb::Geofence { display_name: id.into(), shape, ..Default::default() });
        let request = pb::CreateGeofenceRequest { parent: parent.into(), geofence_id: id.into(), geofence };
        let mut places = PlaceServiceClient::new(self.channel.clone());
        places.create_geofence(bearing(&self.operator, request)).await.expect("made");
    }

    /// Makes the campaign and activates it.
    pub async fn campaign(&self, rules: &Rules) {
        self.activate(rules, rules.budget.map(offers).into_iter().collect(), None).await;
    }

    /// As [`Self::campaign`], with these budgets instead of the one of offers, and a coupon.
    pub async fn activate(&self, rules: &Rules, budgets: Vec<pb::Budget>, coupon: Option<pb::Coupon>) {
        let places = vec![rules.spot.geofence().expect("a place").to_owned()];
        let trigger = pb::Trigger {
            on: Some(pb::trigger::On::Entered(pb::Entered {})),
            at: Some(pb::trigger::At::Places(pb::Places { places })),
            ..Default::default()
        };
        let window = Some(prost_types::Duration { seconds: 86_400, nanos: 0 });
        let per_profile = vec![pb::Cap { offers: rules.cap, within: window.map(pb::cap::Within::Window) }];
        let campaign = Some(pb::Campaign {
            display_name: rules.id.into(),
            content: Some(pb::Content { title: rules.id.into(), ..Default::default() }),
            trigger: Some(trigger),
            limits: Some(pb::Limits { per_profile, budgets, ..Default::default() }),
            coupon,
            ..Default::default()
        });
        let (parent, campaign_id) = ("organizations/acme".to_owned(), rules.id.to_owned());
        let request = pb::CreateCampaignRequest { parent, campaign_id, campaign };
        let mut campaigns = CampaignServiceClient::new(self.channel.clone());
        campaigns.create_campaign(bearing(&self.operator, request)).await.expect("made");
        let request = pb::ActivateCampaignRequest { name: rules.name(), ..Default::default() };
        campaigns.activate_campaign(bearing(&self.operator, request)).await.expect("active");
    }

    /// Waits until the node behind `channel` knows of the campaign, made on another one.
    pub async fn is_live(&self, rules: &Rules, channel: Channel) {
        let mut campaigns = CampaignServiceClient::new(channel);
        let live = async {
            let mut moments = tokio::time::interval(Duration::from_millis(10));
            loop {
                moments.tick().await;
                let request = pb::GetCampaignRequest { name: rules.name() };
                match campaigns.get_campaign(bearing(&self.operator, request)).await {
                    Ok(found) if found.get_ref().state() == pb::campaign::State::Active => return,
                    Ok(_) => {}
                    // A node that knows nothing of the town knows no operator.
                    Err(status) => assert!(matches!(status.code(), Code::NotFound | Code::Unauthenticated), "{status}"),
                }
            }
        };
        tokio::time::timeout(LIVE, live).await.expect("it takes the campaign over in time");
    }

    /// A person with a phone, who agreed to everything.
    pub async fn register(&self, installation: u8) -> Registered {
        let mut devices = DeviceServiceClient::new(self.channel.clone());
        let request = bearing(&self.app_key, registration(installation));
        let pb::RegisterDeviceResponse { profile, token, .. } =
            devices.register_device(request).await.expect("registered").into_inner();
        Registered { profile, token: token.expect("given").value }
    }
}
