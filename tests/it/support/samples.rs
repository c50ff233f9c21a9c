//! Small sound values to store: people, decisions, campaigns.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use dintorni::{
    domain::{
        audience::Audience,
        budget::{Budget, Holder, Period, Spot, Take, Unit},
        campaign::{Campaign, CampaignState, Limits, On, Target, Trigger, Weight},
        consent::Consents,
        content::{Content, Message},
        decision::{Decision, Next},
        name::{AppName, CampaignName, DeviceName, OrganizationName, ProfileName},
        offer::{DecisionId, Offer, OfferId},
        ping::PingId,
        presence::Area,
        profile::{Personal, Profile, Revision},
        time::Timestamp,
    },
    ports::{Answer, Commit, EngagementMark, Handover, ProfileWrite},
};

/// `seconds` after a fixed moment of 2026.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000) + Duration::from_secs(seconds)
}

/// An app of its own for each call, so that tests which share a server never meet.
pub fn app() -> AppName {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let id = format!("app-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    organization().app(&id).expect("sound")
}

pub fn organization() -> OrganizationName {
    OrganizationName::parse("organizations/acme").expect("sound")
}

pub fn campaign_name(id: &str) -> CampaignName {
    organization().campaign(id).expect("sound")
}

/// One person with one device.
#[derive(Clone)]
pub struct Person {
    pub name: ProfileName,
    pub device: DeviceName,
}

pub fn person(app: &AppName, id: &str) -> Person {
    Person { name: app.profile(id).expect("sound"), device: app.device(id).expect("sound") }
}

/// The same of devices that were theirs before; nobody's if they are new.
pub fn handed_over(from: Option<&Person>, mut commit: Commit) -> Commit {
    commit.devices.iter_mut().for_each(|handover| handover.from = from.map(|from| from.name.clone()));
    commit
}

impl Person {
    /// The profile at a version.
    pub fn profile(&self, version: u64) -> Profile {
        let mut profile = Profile::new(self.name.clone(), at(0), Consents::default(), Personal::default());
        profile.revision = Revision { version, soft: 0 };
        profile
    }

    /// A commit that raises the profile to `version`.
    pub fn writes(&self, version: u64) -> Commit {
        let write = ProfileWrite { expected: version - 1, profile: self.profile(version) };
        let from = (version > 1).then(|| self.name.clone());
        let devices = vec![Handover { device: self.device.clone(), from, to: self.name.clone() }];
        Commit { at: at(version), profiles: vec![write], devices, ..Commit::default() }
    }

    /// As [`Self::writes`], and it answers a ping with these offers, each of which takes a unit of its campaign.
    pub fn answers(&self, version: u64, ping: &str, offers: &[(OfferId, &CampaignName)]) -> Commit {
        let mut commit = self.writes(version);
        let ping = PingId::new(ping).expect("sound");
        let decision = self.decision(ping.clone(), commit.at, offers);
        let fingerprint = [7; 32];
        commit.answer = Some(Answer { device: self.device.clone(), ping, fingerprint, decision: decision.id });
        commit.decision = Some(decision);
        commit.takes = offers.iter().map(|(offer, campaign)| take(*offer, campaign)).collect();
        commit
    }

    fn decision(&self, ping: PingId, at: Timestamp, offers: &[(OfferId, &CampaignName)]) -> Decision {
        Decision {
            id: DecisionId::new(at, fresh()),
            profile: self.name.clone(),
            device: self.device.clone(),
            ping,
            at,
            catalog_version: 1,
            seed: u64::MAX,
            test: false,
            event: None,
            transitions: Vec::new(),
            notes: Vec::new(),
            considered: Vec::new(),
            offers: offers.iter().map(|(id, campaign)| offer(*id, campaign, at)).collect(),
            ghosts: Vec::new(),
            next: Next { safe_radius_m: 0.1 + 0.2, at: at + Duration::from_secs(60) },
        }
    }
}

fn offer(id: OfferId, campaign: &CampaignName, at: Timestamp) -> Offer {
    Offer {
        id,
        campaign: campaign.clone(),
        content: Message { title: "Caffè".to_owned(), ..Message::default() },
        area: Area::Geofence(organization().geofence("square").expect("sound")),
        store: None,
        distance_m: Some(1.0 / 3.0),
        surface: Default::default(),
        reason: "you are here".to_owned(),
        show_by: at + Duration::from_secs(900),
        valid_until: at + Duration::from_secs(86_400),
        coupon: None,
        arm: None,
        trial: false,
    }
}

/// A number nobody had before: the random part of an id.
fn fresh() -> u128 {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    u128::from(COUNT.fetch_add(1, Ordering::Relaxed)) << 64
}

pub fn offer_id() -> OfferId {
    OfferId::new(at(0), fresh())
}

/// One unit of the campaign's budget of offers.
pub fn take(offer: OfferId, campaign: &CampaignName) -> Take {
    let spot = Spot { place: "", time_zone: None, at: at(0) };
    Take { account: offers(0).account(campaign, spot), holder: Holder::Offer(offer), units: 1, lapses_at: None }
}

/// So many offers over a campaign's life.
pub fn offers(limit: u64) -> Budget {
    Budget { unit: Unit::Offers, limit, period: Period::Whole, per_store: false, time_zone: None }
}

pub fn campaign(id: &str, budget: Option<u64>) -> Campaign {
    Campaign {
        name: campaign_name(id),
        display_name: "Coffee".to_owned(),
        state: CampaignState::Active,
        audience: Audience::everyone(),
        content: Content::new("Caffè", "", "", "", None).expect("sound"),
        topics: BTreeSet::new(),
        trigger: Trigger { on: On::Entered, at: Target::Places(BTreeSet::new()), visit: Default::default() },
        limits: Limits { budgets: budget.map(offers).into_iter().collect(), ..Limits::default() },
        weight: Weight::default(),
        priority: Default::default(),
        coupon: None,
        experiment: None,
        testers: Default::default(),
    }
}

/// That the device says the offer was never shown.
pub fn returned(offer: OfferId, when: Timestamp) -> EngagementMark {
    EngagementMark::returned(offer, when)
}

/// A seeded source of choices, so that a failing history can be played again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 up to, but not, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}
