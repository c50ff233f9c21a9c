//! Puts the use cases together and behind their services.

use std::sync::Arc;

use super::{Ports, doors::Doors};
use crate::{
    app::{
        aside,
        browsing::Browsing,
        campaign_check::CampaignCheck,
        campaign_versions::CampaignVersions,
        campaigns::Campaigns,
        decisions::Decisions,
        devices::Devices,
        engagement::Engagement,
        explanations::Explanations,
        imports::Imports,
        ingest::Ingest,
        links::Links,
        live_catalog::LiveCatalog,
        lockouts::Lockouts,
        nearby::Nearby,
        organizations::Organizations,
        past_catalogs::PastCatalogs,
        people::People,
        places::Places,
        pools::Pools,
        profile_edits::ProfileEdits,
        profile_store::ProfileStore,
        promises::Promises,
        replays::Replays,
        resources::Resources,
        reversals::Reversals,
        segments::Segments,
        settling::Settling,
        spent::Spent,
        stripes::Stripes,
        tills::Tills,
        tokens::{self, Tokens},
        turns::Turns,
        wallet::Wallet,
    },
    config::{Config, ServerConfig},
    grpc::{
        audit_service::AuditGrpc,
        auth::Auth,
        campaign_service::CampaignGrpc,
        decision_service::DecisionGrpc,
        device_service::DeviceGrpc,
        engagement_service::EngagementGrpc,
        importing::Importing,
        ledger_service::LedgerGrpc,
        limits::{Limits, PeopleLimits, TillLimits},
        measure::Observer,
        open_streams::OpenStreams,
        organization_service::OrganizationGrpc,
        pb::{
            self, audit_service_server::AuditServiceServer, campaign_service_server::CampaignServiceServer,
            decision_service_server::DecisionServiceServer, device_service_server::DeviceServiceServer,
            engagement_service_server::EngagementServiceServer, ledger_service_server::LedgerServiceServer,
            organization_service_server::OrganizationServiceServer, place_service_server::PlaceServiceServer,
            profile_service_server::ProfileServiceServer, proximity_service_server::ProximityServiceServer,
            redemption_service_server::RedemptionServiceServer, segment_service_server::SegmentServiceServer,
            wallet_service_server::WalletServiceServer,
        },
        pings::Pings,
        place_service::PlaceGrpc,
        profile_service::ProfileGrpc,
        proxies::Proxies,
        proximity_service::ProximityGrpc,
        redemption_service::RedemptionGrpc,
        sealed::{self, Seal},
        segment_service::SegmentGrpc,
        wallet_service::WalletGrpc,
    },
    ports::{Clock, Coupons, Entropy, History, Ledger, StoreError},
};

/// Bytes of a message that the services take: its bound was kept, and told, before ([`crate::grpc::overload`]).
const ANY: usize = usize::MAX;

/// Everything that answers calls.
pub(super) struct Services {
    pub live: Arc<LiveCatalog>,
    pub limits: Arc<Limits>,
    proxies: Proxies,
    pub people_limits: Arc<PeopleLimits>,
    pub profiles: Arc<ProfileStore>,
    pub ingest: Arc<Ingest>,
    pub settling: Arc<Settling>,
    pub replays: Arc<Replays>,
    pub auth: Auth,
    tokens: Arc<Tokens>,
    page_secret: [u8; 32],
    resources: Arc<Resources>,
    devices: Arc<Devices>,
    decisions: Arc<Decisions>,
    edits: Arc<ProfileEdits>,
    people: Arc<People>,
    links: Arc<Links>,
    organizations: Arc<Organizations>,
    places: Arc<Places>,
    imports: Arc<Imports>,
    campaigns: Arc<Campaigns>,
    segments: Arc<Segments>,
    pools: Arc<Pools>,
    till_limits: Arc<TillLimits>,
    tills: Arc<Tills>,
    reversals: Arc<Reversals>,
    coupons: Arc<dyn Coupons>,
    ledger: Arc<dyn Ledger>,
    spent: Arc<Spent>,
    history: Arc<dyn History>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    turns: Arc<Turns>,
}

impl Services {
    /// Reads the catalog and the signing secret, and builds the use cases on them.
    pub async fn build(config: &Config, ports: &Ports) -> Result<Self, StoreError> {
        let Ports { records, coupons, ledger, history, receipts, catalog, cache, sharing, clock, entropy, .. } =
            ports.clone();
        let secret = records.secret(tokens::SECRET, entropy.bytes()).await?;
        let page_secret = records.secret(sealed::SECRET, entropy.bytes()).await?;
        let tokens = Arc::new(Tokens::new(&secret, config.devices.token_lifetime()));
        let live = Arc::new(LiveCatalog::load(catalog.clone()).await?);
        let profiles = Arc::new(ProfileStore::new(records.clone(), cache, sharing, &config.profiles));
        let stripes = Arc::new(Stripes::default());
        let resources = Arc::new(Resources::new(live.clone(), clock.clone()));
        let edits = Arc::new(ProfileEdits::new(profiles.clone(), clock.clone(), stripes.clone()));
        let turns = aside::turns();
        let past = PastCatalogs::new(catalog, live.clone());
        let spent = Arc::<Spent>::default();
        let settling = Arc::new(Settling::new(profiles.clone(), stripes.clone()));
        let ingest = Ingest::new(profiles.clone(), live.clone(), entropy.clone(), stripes, spent.clone());
        Ok(Self {
            limits: Arc::new(Limits::new(config.devices.limits(), clock.clone())),
            proxies: config.devices.trusted_proxies.clone(),
            people_limits: Arc::new(PeopleLimits::new(config.devices.people_limits(), &clock)),
            auth: Auth::new(tokens.clone(), live.clone(), clock.clone()),
            devices: Arc::new(Devices::new(edits.clone(), entropy.clone(), tokens.clone())),
            ingest: Arc::new(ingest),
            settling,
            spent,
            replays: Arc::new(Replays::new(records.clone(), past, turns.clone(), clock.clone())),
            decisions: Arc::new(Decisions::new(records, receipts, live.clone(), clock.clone())),
            people: Arc::new(People::new(edits.clone(), live.clone())),
            links: Arc::new(Links::new(edits.clone(), entropy.clone())),
            organizations: Arc::new(Organizations::new(resources.clone(), entropy.clone())),
            places: Arc::new(Places::new(resources.clone())),
            imports: Arc::new(Imports::new(resources.clone())),
            campaigns: Arc::new(Campaigns::new(resources.clone())),
            segments: Arc::new(Segments::new(resources.clone())),
            pools: Arc::new(Pools::new(resources.clone(), coupons.clone())),
            resources,
            till_limits: Arc::new(config.tills.limits(clock.clone())),
            tills: Arc::new(Tills::new(
                edits.clone(),
                coupons.clone(),
                live.clone(),
                entropy.clone(),
                Promises::new(history.clone()),
                Lockouts::new(config.tills.lockouts()),
            )),
            reversals: Arc::new(Reversals::new(edits.clone(), coupons.clone(), config.tills.reversals())),
            coupons,
            ledger,
            history,
            edits,
            entropy,
            tokens,
            page_secret,
            live,
            profiles,
            clock,
            turns,
        })
    }

    /// All services of the API, and reflection if it is wanted.
    pub fn doors(
        &self,
        config: &ServerConfig,
        observer: Arc<dyn Observer>,
        streams: OpenStreams,
    ) -> anyhow::Result<Doors> {
        let mut doors = Doors::default()
            .with(DeviceServiceServer::new(self.device_service()).max_decoding_message_size(ANY))
            .with(
                ProximityServiceServer::new(self.proximity_service(observer, streams.clone()))
                    .max_decoding_message_size(ANY),
            )
            .with(ProfileServiceServer::new(self.profile_service()).max_decoding_message_size(ANY))
            .with(EngagementServiceServer::new(self.engagement_service()).max_decoding_message_size(ANY))
            .with(DecisionServiceServer::new(self.decision_service()).max_decoding_message_size(ANY))
            .with(OrganizationServiceServer::new(self.organization_service()).max_decoding_message_size(ANY))
            .with(PlaceServiceServer::new(self.place_service(&streams)).max_decoding_message_size(ANY))
            .with(CampaignServiceServer::new(self.campaign_service(streams)).max_decoding_message_size(ANY))
            .with(SegmentServiceServer::new(self.segment_service()).max_decoding_message_size(ANY))
            .with(WalletServiceServer::new(self.wallet_service()).max_decoding_message_size(ANY))
            .with(RedemptionServiceServer::new(self.redemption_service()).max_decoding_message_size(ANY))
            .with(LedgerServiceServer::new(self.ledger_service()).max_decoding_message_size(ANY))
            .with(AuditServiceServer::new(self.audit_service()).max_decoding_message_size(ANY));
        if config.reflection {
            let describe = || {
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            };
            // Older clients ask by the older name.
            let (v1, older) = (describe().build_v1()?, describe().build_v1alpha()?);
            doors.routes = doors.routes.add_service(v1).add_service(older);
        }
        Ok(doors)
    }

    fn device_service(&self) -> DeviceGrpc {
        let (live, limits, proxies) = (self.live.clone(), self.limits.clone(), self.proxies.clone());
        DeviceGrpc { live, limits, proxies, devices: self.devices.clone(), clock: self.clock.clone() }
    }

    fn proximity_service(&self, observer: Arc<dyn Observer>, streams: OpenStreams) -> ProximityGrpc {
        let (ingest, tokens, clock) = (self.ingest.clone(), self.tokens.clone(), self.clock.clone());
        let (people, limits) = (self.people.clone(), self.people_limits.clone());
        let pings = Arc::new(Pings { ingest, tokens, clock, observer, limits: limits.clone() });
        let nearby = Nearby::new(self.live.clone(), self.turns.clone());
        let browsing = Browsing::new(self.live.clone(), self.ingest.clone(), self.clock.clone(), self.turns.clone());
        ProximityGrpc { pings, streams, people, nearby, browsing, limits }
    }

    fn profile_service(&self) -> ProfileGrpc {
        let (people, links) = (self.people.clone(), self.links.clone());
        ProfileGrpc { people, links, clock: self.clock.clone() }
    }

    fn engagement_service(&self) -> EngagementGrpc {
        let engagement = Engagement::new(self.people.clone());
        EngagementGrpc { tokens: self.tokens.clone(), engagement, clock: self.clock.clone() }
    }

    fn decision_service(&self) -> DecisionGrpc {
        let people = self.people.clone();
        let explanations = Explanations::new(
            people.clone(),
            self.live.clone(),
            self.ledger.clone(),
            self.clock.clone(),
            self.turns.clone(),
        );
        let (decisions, explanations) = (self.decisions.clone(), Arc::new(explanations));
        let replays = self.replays.clone();
        DecisionGrpc { people, decisions, explanations, replays, seal: Seal::new(&self.page_secret) }
    }

    fn organization_service(&self) -> OrganizationGrpc {
        OrganizationGrpc::new(self.organizations.clone())
    }

    fn place_service(&self, streams: &OpenStreams) -> PlaceGrpc {
        PlaceGrpc::new(self.places.clone(), self.imports.clone(), Importing::new(streams.closing.clone()))
    }

    fn campaign_service(&self, streams: OpenStreams) -> CampaignGrpc {
        let campaigns = self.campaigns.clone();
        let versions = Arc::new(CampaignVersions::new(campaigns.clone(), self.history.clone()));
        let check = CampaignCheck::new(self.resources.clone(), self.turns.clone());
        CampaignGrpc { campaigns, check, versions, pools: self.pools.clone(), ledger: self.ledger.clone(), streams }
    }

    fn segment_service(&self) -> SegmentGrpc {
        SegmentGrpc { segments: self.segments.clone() }
    }

    fn wallet_service(&self) -> WalletGrpc {
        let (tokens, people) = (self.tokens.clone(), self.people.clone());
        let (edits, coupons) = (self.edits.clone(), self.coupons.clone());
        let promises = Promises::new(self.history.clone());
        let wallet = Wallet::new(edits, coupons, self.live.clone(), self.entropy.clone(), self.spent.clone(), promises);
        WalletGrpc { tokens, people, wallet, clock: self.clock.clone() }
    }

    fn redemption_service(&self) -> RedemptionGrpc {
        let (limits, tills) = (self.till_limits.clone(), self.tills.clone());
        RedemptionGrpc { limits, tills, reversals: self.reversals.clone() }
    }

    fn ledger_service(&self) -> LedgerGrpc {
        LedgerGrpc { ledger: self.ledger.clone(), clock: self.clock.clone() }
    }

    fn audit_service(&self) -> AuditGrpc {
        AuditGrpc { history: self.history.clone() }
    }
}
