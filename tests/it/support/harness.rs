//! A whole server for one test: the real one, on a free port, with SQLite in a directory of its own, and a clock that
//! stands still until the test moves it.
//!
//! Tests speak of people: [`TestServer::publisher`] makes an app, [`Publisher::phone`] a person with a phone in it.
//! Everything goes through the public API; what has no API yet (revoking) goes through the ports.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use dintorni::{
    config::{Config, Sources},
    domain::time::Timestamp,
    grpc::{
        pb::{
            self, campaign_service_client::CampaignServiceClient, decision_service_client::DecisionServiceClient,
            device_service_client::DeviceServiceClient, engagement_service_client::EngagementServiceClient,
            organization_service_client::OrganizationServiceClient, place_service_client::PlaceServiceClient,
            profile_service_client::ProfileServiceClient, proximity_service_client::ProximityServiceClient,
            segment_service_client::SegmentServiceClient,
        },
        wire::timestamp_to_wire,
    },
    ports::Clock,
    server::{self, Ports, Running},
    storage::memory::{MemoryCache, MemoryConfig},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, Streaming, transport::Channel};
use tonic_types::StatusExt;

/// 2026-06-15T12:00:00Z, a Monday.
pub const NOON: i64 = 1_781_524_800_000_000;

/// Where people are: Milan, Brera.
pub const HERE: pb::LatLng = pb::LatLng { latitude: 45.4719, longitude: 9.1881 };

/// A clock that a test sets.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_micros() as i64, SeqCst);
    }

    pub fn set_back(&self, span: Duration) {
        self.0.fetch_sub(span.as_micros() as i64, SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(SeqCst))
    }
}

/// A running server.
pub struct TestServer {
    pub address: SocketAddr,
    pub clock: Arc<ManualClock>,
    pub ports: Ports,
    /// The operator's key.
    pub operator: String,
    pub channel: Channel,
    pub stop: CancellationToken,
    pub running: Running,
    pub data: TempDir,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these settings over the defaults.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), settings).await
    }

    /// On data that may be there already; if it is, no operator key is known.
    pub async fn start_in(data: TempDir, settings: &[(&str, &str)]) -> Self {
        let config = config(&data, settings);
        let clock = Arc::new(ManualClock(AtomicI64::new(NOON)));
        let ports = server::open_stores(&config, clock.clone()).await.expect("the stores open");
        Self::serve(data, &config, clock, ports).await
    }

    /// With the stores that `change` makes of the usual ones.
    pub async fn start_over(change: impl FnOnce(&mut Ports)) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let config = config(&data, &[]);
        let clock = Arc::new(ManualClock(AtomicI64::new(NOON)));
        let mut ports = server::open_stores(&config, clock.clone()).await.expect("the stores open");
        change(&mut ports);
        Self::serve(data, &config, clock, ports).await
    }

    /// Another node of the same cluster, that looks for changes of the catalog only when it misses something.
    pub async fn beside(&self) -> Self {
        self.beside_over(|_| {}).await
    }

    /// Such a node with a memory of its own: the two share the database alone.
    pub async fn apart(&self) -> Self {
        let memory = MemoryCache::new(&MemoryConfig::default(), self.clock.clone());
        self.beside_over(|ports| ports.cache = Arc::new(memory)).await
    }

    /// Such a node over the stores that `change` makes of this one's.
    pub async fn beside_over(&self, change: impl FnOnce(&mut Ports)) -> Self {
        self.beside_with(&[], change).await
    }

    /// Such a node with settings of its own.
    pub async fn beside_with(&self, settings: &[(&str, &str)], change: impl FnOnce(&mut Ports)) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let config = config(&data, &[&[("catalog.poll_ms", "3600000")], settings].concat());
        let mut ports = self.ports.clone();
        change(&mut ports);
        Self::serve(data, &config, self.clock.clone(), ports).await
    }

    async fn serve(data: TempDir, config: &Config, clock: Arc<ManualClock>, ports: Ports) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let stop = CancellationToken::new();
        let mut running =
            server::start(config, ports.clone(), listener, stop.clone(), |_| Ok(())).await.expect("it starts");
        let address = running.address;
        let channel = Channel::from_shared(format!("http://{address}")).expect("sound").connect_lazy();
        let operator = running.operator_key.take().unwrap_or_default();
        Self { address, clock, ports, operator, channel, stop, running, data }
    }

    pub fn organizations(&self) -> OrganizationServiceClient<Channel> {
        OrganizationServiceClient::new(self.channel.clone())
    }

    pub fn devices(&self) -> DeviceServiceClient<Channel> {
        DeviceServiceClient::new(self.channel.clone())
    }

    pub fn proximity(&self) -> ProximityServiceClient<Channel> {
        ProximityServiceClient::new(self.channel.clone())
    }

    pub fn decisions(&self) -> DecisionServiceClient<Channel> {
        DecisionServiceClient::new(self.channel.clone())
    }

    pub fn places(&self) -> PlaceServiceClient<Channel> {
        PlaceServiceClient::new(self.channel.clone())
    }

    pub fn campaigns(&self) -> CampaignServiceClient<Channel> {
        CampaignServiceClient::new(self.channel.clone())
    }

    pub fn segments(&self) -> SegmentServiceClient<Channel> {
        SegmentServiceClient::new(self.channel.clone())
    }

    pub fn profiles(&self) -> ProfileServiceClient<Channel> {
        ProfileServiceClient::new(self.channel.clone())
    }

    pub fn engagement(&self) -> EngagementServiceClient<Channel> {
        EngagementServiceClient::new(self.channel.clone())
    }

    /// An organization with one app.
    pub async fn publisher(&self, id: &str) -> Publisher<'_> {
        let organization = pb::Organization { display_name: id.into(), ..Default::default() };
        let request = pb::CreateOrganizationRequest { organization_id: id.into(), organization: Some(organization) };
        let made = self.organizations().create_organization(bearing(&self.operator, request)).await;
        let parent = made.expect("made").into_inner().name;
        let app = pb::App { display_name: id.into(), time_zone: "Europe/Rome".into(), ..Default::default() };
        let request = pb::CreateAppRequest { parent: parent.clone(), app_id: "shopper".into(), app: Some(app) };
        let app = self.organizations().create_app(bearing(&self.operator, request)).await.expect("made").into_inner();
        let mut publisher = Publisher { server: self, organization: parent, app: app.name, key: String::new() };
        publisher.key = publisher.key_of(pb::key::Scope::App).await;
        publisher
    }

    /// Asks for a receipt, bearing that credential.
    pub async fn decision(&self, credential: &str, id: &str) -> Result<pb::Decision, Status> {
        let request = pb::GetDecisionRequest { decision: id.into() };
        Ok(self.decisions().get_decision(bearing(credential, request)).await?.into_inner())
    }

    /// Now, as phones with a right clock say it.
    pub fn now(&self) -> Option<prost_types::Timestamp> {
        Some(timestamp_to_wire(self.clock.now()))
    }
}

/// The defaults with these settings, keeping data in that directory.
pub fn config(data: &TempDir, settings: &[(&str, &str)]) -> Config {
    let mut sources = Sources::default();
    sources.flag("test", "server.data_dir", &data.path().display().to_string());
    sources.flag("test", "telemetry.metrics_listen", "");
    settings.iter().for_each(|(key, value)| sources.flag("test", key, value));
    Config::read(&sources).expect("sound settings")
}

/// An organization with one app and its app key.
pub struct Publisher<'a> {
    server: &'a TestServer,
    pub organization: String,
    pub app: String,
    pub key: String,
}

impl<'a> Publisher<'a> {
    /// The secret of a new key of that scope.
    pub async fn key_of(&self, scope: pb::key::Scope) -> String {
        use pb::key::Scope;
        let app = if matches!(scope, Scope::App | Scope::Server) { self.app.clone() } else { String::new() };
        let key = pb::Key { display_name: "a key".into(), scope: scope.into(), app, ..Default::default() };
        let key_id = format!("k{}", scope.as_str_name().to_lowercase());
        let request = pb::CreateKeyRequest { parent: self.organization.clone(), key_id, key: Some(key) };
        let issued = self.server.organizations().create_key(bearing(&self.server.operator, request)).await;
        issued.expect("made").into_inner().secret
    }

    /// Opens a café where [`ping`] says that people are, and a campaign for whoever comes near. Returns its name.
    pub async fn cafe(&self) -> String {
        let (parent, operator) = (self.organization.clone(), &self.server.operator);
        let (display_name, time_zone) = ("Brera".to_owned(), "Europe/Rome".to_owned());
        let store = pb::Store { display_name, position: Some(HERE), time_zone, ..Default::default() };
        let request = pb::CreateStoreRequest { parent: parent.clone(), store_id: "brera".into(), store: Some(store) };
        let store = self.server.places().create_store(bearing(operator, request)).await.expect("made").into_inner();
        let trigger = pb::Trigger {
            on: Some(pb::trigger::On::Near(pb::Near { radius_m: 60 })),
            at: Some(pb::trigger::At::Places(pb::Places { places: vec![store.name] })),
            ..Default::default()
        };
        let campaign = pb::Campaign {
            display_name: "Espresso".into(),
            content: Some(pb::Content { title: "An espresso on us".into(), ..Default::default() }),
            trigger: Some(trigger),
            ..Default::default()
        };
        let (campaign_id, campaign) = ("espresso".into(), Some(campaign));
        let request = pb::CreateCampaignRequest { parent, campaign_id, campaign };
        let made = self.server.campaigns().create_campaign(bearing(operator, request)).await.expect("made");
        let request = pb::ActivateCampaignRequest { name: made.into_inner().name, ..Default::default() };
        self.server.campaigns().activate_campaign(bearing(operator, request)).await.expect("active").into_inner().name
    }

    /// A person with a phone, who agreed to everything.
    pub async fn phone(&self, installation: u8) -> Phone<'a> {
        let request = registration(installation);
        let registered = self.server.devices().register_device(bearing(&self.key, request)).await.expect("registered");
        let pb::RegisterDeviceResponse { device, profile, token } = registered.into_inner();
        Phone { server: self.server, device, profile, token: token.expect("given").value }
    }
}

/// A registered device.
pub struct Phone<'a> {
    pub server: &'a TestServer,
    pub device: String,
    pub profile: String,
    pub token: String,
}

impl Phone<'_> {
    /// Pings from one place with a fresh fix.
    pub async fn ping(&self, id: &str) -> Result<pb::PingResponse, Status> {
        let ping = ping(id, self.server.now());
        Ok(self.server.proximity().ping(bearing(&self.token, ping)).await?.into_inner())
    }

    /// Opens a stream of pings.
    pub async fn stream(&self) -> Result<PingStream, Status> {
        PingStream::open(self.server.proximity(), &self.token).await
    }

    /// Asks for a receipt.
    pub async fn decision(&self, id: &str) -> Result<pb::Decision, Status> {
        self.server.decision(&self.token, id).await
    }
}

/// An open stream of pings. Dropping the sender says that no more will come.
pub struct PingStream {
    pub sender: mpsc::Sender<pb::PingRequest>,
    pub answers: Streaming<pb::PingStreamResponse>,
}

impl PingStream {
    pub async fn open(mut client: ProximityServiceClient<Channel>, credential: &str) -> Result<Self, Status> {
        let (sender, pings) = mpsc::channel(64);
        let answers = client.stream_pings(bearing(credential, ReceiverStream::new(pings))).await?.into_inner();
        Ok(Self { sender, answers })
    }

    /// Sends one ping and waits for its answer; the outer error is the stream's end.
    pub async fn ping(
        &mut self,
        ping: pb::PingRequest,
    ) -> Result<Result<pb::PingResponse, tonic_types::Status>, Status> {
        use pb::ping_stream_response::Result as Outcome;
        let id = ping.ping_id.clone();
        // A stream that has ended takes nothing, and says why below.
        self.sender.send(ping).await.ok();
        let answer = self.answers.message().await?.expect("not ended in peace");
        assert_eq!(answer.ping_id, id);
        Ok(match answer.result.expect("one or the other") {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::Error(error) => Err(error),
        })
    }
}

/// A sound registration of that installation.
pub fn registration(installation: u8) -> pb::RegisterDeviceRequest {
    let consent = |purpose| pb::Consent { purpose, granted: true, text_version: "2026-01".into(), given_at: None };
    pb::RegisterDeviceRequest {
        installation_secret: vec![installation; 16],
        consents: (1..=3).map(consent).collect(),
        language: "it".into(),
        platform: pb::Platform::Android.into(),
        time_zone: "Europe/Rome".into(),
        test: false,
        attestation: vec![],
        app_version: "4.12.1".into(),
    }
}

/// A sound ping, sent at `now` with a fix of that moment.
pub fn ping(id: &str, now: Option<prost_types::Timestamp>) -> pb::PingRequest {
    let fix = pb::Fix { position: Some(HERE), accuracy_m: 8.0, fix_at: now, speed_mps: None, mocked: false };
    pb::PingRequest { ping_id: id.into(), sent_at: now, fixes: vec![fix], ..Default::default() }
}

/// A budget of so many offers over a campaign's life.
pub fn offers(limit: u64) -> pb::Budget {
    pb::Budget { unit: pb::budget::Unit::Offers.into(), limit, ..Default::default() }
}

/// The message with `authorization: Bearer <credential>`.
pub fn bearing<T>(credential: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {credential}").parse().expect("a header's value");
    request.metadata_mut().insert("authorization", value);
    request
}

/// Code and reason of a refusal, such as `(Code::Unauthenticated, "TOKEN_EXPIRED")`.
pub fn refusal(status: &Status) -> (Code, String) {
    (status.code(), status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default())
}

/// The fields that a refusal names.
pub fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    violations.iter().map(|violation| violation.field.clone()).collect()
}
