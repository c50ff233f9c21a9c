//! `dintorni load world`: fills a server with a made-up world, through the public API.
//!
//! Law: the same seed changes nothing the second time. What is there already, from whomever, is left as it is.

use std::process::ExitCode;

use clap::{Args, value_parser};
use tonic::{Code, Status, transport::Channel};

use crate::{
    app::imports::{Numbered, Row},
    cli::{
        connection::Connection,
        import::{progress::Progress, send},
        key::hand_over,
        names,
        output::{note, refusal},
    },
    domain::name::OrganizationName,
    grpc::pb::{
        self, campaign_service_client::CampaignServiceClient, organization_service_client::OrganizationServiceClient,
    },
    world::{Plan, TAGS, World},
};

/// Rows and corners of one import: a server takes more, but answers a smaller one long before its timeout.
const MOST_ROWS: usize = 20_000;
const MOST_CORNERS: usize = 1_000_000;
/// The app of the devices of `dintorni load`, and its key.
const APP: &str = "load";

/// Fill a server with a made-up world, to put a load on
///
/// Stores and geofences in towns, all of it from the seed: the same seed again changes nothing. 80 % of the geofences are
/// circles of 50 to 500 m, 15 % polygons of 8 to 64 corners, and 5 % of 500 to 5,000. However many there are, somebody in
/// a town is inside about two. The organization is made if the key is the operator's. With --campaigns the app key is
/// the only line on standard output, and is shown this once.
///
/// For example: dintorni load world --stores 10000 --geofences 100000 --campaigns 100
#[derive(Debug, Args)]
pub struct Fill {
    /// How many stores
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = value_parser!(u64).range(..=10_000_000))]
    stores: u64,
    /// How many geofences
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = value_parser!(u64).range(..=10_000_000))]
    geofences: u64,
    /// What the world is drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// All geofences are circles
    #[arg(long)]
    circles_only: bool,
    /// Make an app and so many campaigns too, each for whoever enters a hundredth of the geofences; prints the app's
    /// key
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = value_parser!(u64).range(..=100_000))]
    campaigns: u64,
    /// Whose world it is: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization, default_value = "load")]
    organization: OrganizationName,
    #[command(flatten)]
    connection: Connection,
}

/// What became of all rows.
#[derive(Default)]
struct Done {
    created: u64,
    changed: u64,
    unchanged: u64,
}

impl Fill {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let channel = self.connection.open().await?;
        self.organization(&channel).await?;
        let done = self.places().await?;
        let Done { created, changed, unchanged } = done;
        note(format!("{}: {created} places created, {changed} changed, {unchanged} unchanged", self.organization));
        if self.campaigns > 0 {
            self.app(&channel).await?;
            self.campaigns(&channel).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn organization(&self, channel: &Channel) -> anyhow::Result<()> {
        let mut client = OrganizationServiceClient::new(channel.clone());
        let name = self.organization.to_string();
        match client.get_organization(self.connection.request(pb::GetOrganizationRequest { name })?).await {
            Err(status) if status.code() == Code::NotFound => {}
            // A network's key may not look, but may fill.
            _ => return Ok(()),
        }
        let organization = pb::Organization { display_name: "Made up".to_owned(), ..Default::default() };
        let organization_id = self.organization.id().to_owned();
        let request = pb::CreateOrganizationRequest { organization_id, organization: Some(organization) };
        made(client.create_organization(self.connection.request(request)?).await)?;
        Ok(())
    }

    async fn places(&self) -> anyhow::Result<Done> {
        let Self { seed, stores, geofences, circles_only, .. } = *self;
        let world = World::new(Plan { seed, stores, geofences, circles_only });
        let (mut done, mut progress) = (Done::default(), Progress::new(stores + geofences, "places"));
        let (mut part, mut corners) = (Vec::new(), 0);
        for number in 0..stores + geofences {
            let row = match number.checked_sub(stores) {
                None => Row::Store(world.store(&self.organization, number)?),
                Some(geofence) => Row::Geofence(world.geofence(&self.organization, geofence)?),
            };
            corners += row.corners();
            part.push(Numbered::sound(number + 1, row));
            if part.len() >= MOST_ROWS || corners >= MOST_CORNERS {
                progress = self.send(std::mem::take(&mut part), progress, &mut done).await?;
                corners = 0;
            }
        }
        if !part.is_empty() {
            self.send(part, progress, &mut done).await?;
        }
        Ok(done)
    }

    async fn send(&self, rows: Vec<Numbered>, progress: Progress, done: &mut Done) -> anyhow::Result<Progress> {
        let options = pb::ImportOptions { parent: self.organization.to_string(), ..Default::default() };
        let (report, progress) =
            send::send(&self.connection, options, rows, progress).await.map_err(|broken| broken.why)?;
        if let Some(problem) = report.problems.first() {
            anyhow::bail!("row {} was refused: {}: {}", problem.row, problem.field, problem.description);
        }
        done.created += report.created;
        done.changed += report.changed;
        done.unchanged += report.unchanged;
        Ok(progress)
    }

    /// Makes the app and its key, unless they are there.
    async fn app(&self, channel: &Channel) -> anyhow::Result<()> {
        let mut client = OrganizationServiceClient::new(channel.clone());
        let app = pb::App {
            display_name: "Made up".to_owned(),
            time_zone: "UTC".to_owned(),
            // A load comes at any hour.
            quiet_hours: Some(pb::QuietHours { off: true, ..Default::default() }),
            ..Default::default()
        };
        let parent = self.organization.to_string();
        let request = pb::CreateAppRequest { parent: parent.clone(), app_id: APP.to_owned(), app: Some(app) };
        made(client.create_app(self.connection.request(request)?).await)?;
        let scope = pb::key::Scope::App.into();
        let key = pb::Key {
            display_name: "For dintorni load".to_owned(),
            scope,
            app: format!("{parent}/apps/{APP}"),
            ..Default::default()
        };
        let request = pb::CreateKeyRequest { parent: parent.clone(), key_id: APP.to_owned(), key: Some(key) };
        match made(client.create_key(self.connection.request(request)?).await)? {
            Some(issued) => hand_over(&issued, "made"),
            None => {
                note(format!("the app key is there already; dintorni key rotate {parent}/keys/{APP} makes another"));
                Ok(())
            }
        }
    }

    async fn campaigns(&self, channel: &Channel) -> anyhow::Result<()> {
        let mut client = CampaignServiceClient::new(channel.clone());
        let (mut created, mut progress) = (0, Progress::new(self.campaigns, "campaigns"));
        for number in 0..self.campaigns {
            progress.add(1);
            let request = self.campaign(number);
            let made = made(client.create_campaign(self.connection.request(request)?).await)?;
            let Some(campaign) = made.filter(|campaign| campaign.state() == pb::campaign::State::Draft) else {
                continue;
            };
            let request = pb::ActivateCampaignRequest { name: campaign.name, ..Default::default() };
            client.activate_campaign(self.connection.request(request)?).await.map_err(|status| refusal(&status))?;
            created += 1;
        }
        note(format!("{}: {created} campaigns created, {} unchanged", self.organization, self.campaigns - created));
        Ok(())
    }

    fn campaign(&self, number: u64) -> pb::CreateCampaignRequest {
        let (network, parent) = (self.organization.to_string(), self.organization.to_string());
        // A small world does not have all tags.
        let tag = number % TAGS.min(self.geofences.max(1));
        let trigger = pb::Trigger {
            on: Some(pb::trigger::On::Entered(pb::Entered {})),
            at: Some(pb::trigger::At::Tagged(pb::TaggedPlaces { network, tags: vec![format!("t{tag:02}")] })),
            ..Default::default()
        };
        let content = pb::Content { title: format!("Made-up offer {number}"), ..Default::default() };
        let campaign = pb::Campaign {
            display_name: format!("Made up {number}"),
            content: Some(content),
            trigger: Some(trigger),
            ..Default::default()
        };
        pb::CreateCampaignRequest { parent, campaign_id: format!("c{number}"), campaign: Some(campaign) }
    }
}

/// What was made, or is there; none if there is another thing of that name.
fn made<T>(answer: Result<tonic::Response<T>, Status>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(made) => Ok(Some(made.into_inner())),
        Err(status) if status.code() == Code::AlreadyExists => Ok(None),
        Err(status) => Err(refusal(&status)),
    }
}
