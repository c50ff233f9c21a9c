//! Where the tills of a load stand: an organization of its own, with stores, campaigns and keys.

use tonic::{Response, Status, transport::Channel};

use crate::{
    cli::{connection::Connection, output::refusal},
    grpc::pb::{
        self, campaign_service_client::CampaignServiceClient, key::Scope,
        organization_service_client::OrganizationServiceClient, place_service_client::PlaceServiceClient,
    },
};

/// So many campaigns, and so many offers to each phone: the most that one ping is answered.
pub const CAMPAIGNS: u32 = 10;
/// What a coupon is worth, in cents.
const VALUE: i64 = 500;
/// A limit that is counted and never reached.
const PLENTY: u64 = 1_000_000_000_000;
/// A new campaign is in force on every node after so long.
const IN_FORCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Everything that was made.
pub struct Scene {
    pub app_key: String,
    pub places: Vec<pb::LatLng>,
    pub campaigns: Vec<String>,
    pub tills: Vec<TillKey>,
}

/// A till, and the key it calls with.
pub struct TillKey {
    pub id: String,
    pub store: String,
    pub key: String,
}

/// Makes things with the operator's key.
struct Maker<'a> {
    connection: &'a Connection,
    channel: &'a Channel,
    parent: String,
}

impl Scene {
    pub async fn set(
        connection: &Connection,
        channel: &Channel,
        run: &str,
        (stores, tills): (u32, u32),
    ) -> anyhow::Result<Self> {
        let maker = Maker { connection, channel, parent: format!("organizations/load-till-{run}") };
        maker.organization(&format!("load-till-{run}")).await?;
        let (mut names, mut places) = (Vec::new(), Vec::new());
        for number in 0..stores {
            let place = pb::LatLng { latitude: -40.0 + f64::from(number) * 0.05, longitude: 9.0 };
            names.push(maker.store(number, place).await?);
            places.push(place);
        }
        let mut campaigns = Vec::new();
        for number in 0..CAMPAIGNS {
            campaigns.push(maker.campaign(number).await?);
        }
        let app_key = maker.app().await?;
        let mut keys = Vec::new();
        for number in 0..tills {
            let (id, store) = (format!("till-{number}"), names[number as usize % names.len()].clone());
            let key = maker.key(&id, pb::Key { stores: vec![store.clone()], ..key(Scope::Store) }).await?;
            keys.push(TillKey { id, store, key });
        }
        tokio::time::sleep(IN_FORCE).await;
        Ok(Self { app_key, places, campaigns, tills: keys })
    }
}

fn key(scope: Scope) -> pb::Key {
    pb::Key { display_name: "For dintorni load".to_owned(), scope: scope.into(), ..Default::default() }
}

fn answer<T>(result: Result<Response<T>, Status>) -> anyhow::Result<T> {
    result.map(Response::into_inner).map_err(|status| refusal(&status))
}

impl Maker<'_> {
    fn organizations(&self) -> OrganizationServiceClient<Channel> {
        OrganizationServiceClient::new(self.channel.clone())
    }

    async fn organization(&self, id: &str) -> anyhow::Result<()> {
        let organization = Some(pb::Organization { display_name: "Made up".to_owned(), ..Default::default() });
        let request = pb::CreateOrganizationRequest { organization_id: id.to_owned(), organization };
        answer(self.organizations().create_organization(self.connection.request(request)?).await)?;
        Ok(())
    }

    async fn store(&self, number: u32, place: pb::LatLng) -> anyhow::Result<String> {
        let store = pb::Store {
            display_name: format!("Made up {number}"),
            position: Some(place),
            time_zone: "UTC".to_owned(),
            tags: vec!["till".to_owned()],
            ..Default::default()
        };
        let (parent, store_id) = (self.parent.clone(), format!("s{number}"));
        let request = pb::CreateStoreRequest { parent, store_id, store: Some(store) };
        let mut client = PlaceServiceClient::new(self.channel.clone());
        Ok(answer(client.create_store(self.connection.request(request)?).await)?.name)
    }

    /// An app that keeps nobody from ten offers a day, and its key.
    async fn app(&self) -> anyhow::Result<String> {
        let app = pb::App {
            display_name: "Made up".to_owned(),
            time_zone: "UTC".to_owned(),
            daily_offers: Some(50),
            quiet_hours: Some(pb::QuietHours { off: true, ..Default::default() }),
            ..Default::default()
        };
        let (parent, app_id) = (self.parent.clone(), "load".to_owned());
        let request = pb::CreateAppRequest { parent, app_id, app: Some(app) };
        let app = answer(self.organizations().create_app(self.connection.request(request)?).await)?.name;
        self.key("app", pb::Key { app, ..key(Scope::App) }).await
    }

    async fn key(&self, id: &str, key: pb::Key) -> anyhow::Result<String> {
        let (parent, key_id) = (self.parent.clone(), id.to_owned());
        let request = pb::CreateKeyRequest { parent, key_id, key: Some(key) };
        Ok(answer(self.organizations().create_key(self.connection.request(request)?).await)?.secret)
    }

    /// A campaign with money to spend, in force.
    async fn campaign(&self, number: u32) -> anyhow::Result<String> {
        let network = self.parent.clone();
        let trigger = pb::Trigger {
            on: Some(pb::trigger::On::Near(pb::Near { radius_m: 60 })),
            at: Some(pb::trigger::At::Tagged(pb::TaggedPlaces { network, tags: vec!["till".to_owned()] })),
            ..Default::default()
        };
        let coupon = pb::Coupon {
            codes: Some(pb::coupon::Codes::Generated(pb::GeneratedCodes {})),
            instruction: "5 euros off".to_owned(),
            value: Some(pb::Money { currency: "EUR".to_owned(), minor_units: VALUE }),
            ..Default::default()
        };
        let budget = |unit: pb::budget::Unit| pb::Budget { unit: unit.into(), limit: PLENTY, ..Default::default() };
        let budgets = vec![budget(pb::budget::Unit::Redemptions), budget(pb::budget::Unit::Money)];
        let campaign = pb::Campaign {
            display_name: format!("Made up {number}"),
            content: Some(pb::Content { title: format!("Made-up offer {number}"), ..Default::default() }),
            trigger: Some(trigger),
            limits: Some(pb::Limits { budgets, ..Default::default() }),
            coupon: Some(coupon),
            ..Default::default()
        };
        let (parent, campaign_id) = (self.parent.clone(), format!("c{number}"));
        let request = pb::CreateCampaignRequest { parent, campaign_id, campaign: Some(campaign) };
        let mut client = CampaignServiceClient::new(self.channel.clone());
        let name = answer(client.create_campaign(self.connection.request(request)?).await)?.name;
        let request = pb::ActivateCampaignRequest { name, ..Default::default() };
        Ok(answer(client.activate_campaign(self.connection.request(request)?).await)?.name)
    }
}
