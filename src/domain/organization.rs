//! Organizations, their apps and keys, and what one allows another.
//!
//! Law 10: a secret is stored as its hash; what is public (the app key) opens one call only.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    audience::TraitValue,
    campaign::Priority,
    cap::{self, Cap, check_span},
    name::{AppName, GrantName, KeyName, OrganizationName, StoreName},
    text::TraitKey,
    time::{QuietHours, TimeZone, Timestamp},
    violation::{Invalid, Violations},
};

/// Offers a day that an app may set, and what it has if it does not.
pub const DAILY_OFFERS: std::ops::RangeInclusive<u32> = 1..=50;
pub const USUAL_DAILY_OFFERS: u32 = 3;
/// Most traits of one app.
pub const MAX_TRAITS: usize = 100;
/// Most brands that an app lets disturb its people at night.
pub const MAX_QUIET_EXEMPT: usize = 100;
/// Share of a day's offers that campaigns of low priority may take if the app does not say: one of three.
pub const USUAL_LOW_SHARE: Share = Share(34);

/// Owner of everything else. It acts as network, brand, publisher, or several at once, by what it owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub name: OrganizationName,
    pub display_name: String,
    /// What it allows one person of all its campaigns together.
    #[serde(default)]
    pub brand_limits: BrandLimits,
}

/// A brand's limits to one person over all its campaigns, in each app by itself; none unless they are set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrandLimits {
    /// All of them hold.
    pub per_profile: Vec<Cap>,
    /// Least time between two offers of any of its campaigns; zero for none.
    pub cool_down: Duration,
}

impl BrandLimits {
    /// Whether they let everything pass.
    pub fn is_unlimited(&self) -> bool {
        self.per_profile.is_empty() && self.cool_down.is_zero()
    }

    pub fn check(self) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        wrong.nest("per_profile", cap::check(&self.per_profile));
        wrong.take("cool_down", check_span(self.cool_down, Duration::ZERO));
        wrong.finish(Some(self))
    }
}

/// A share of the day's offers in percent, 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Share(u32);

impl Share {
    pub const ALL: Share = Share(100);

    pub fn new(percent: u32) -> Result<Self, Invalid> {
        if (1..=100).contains(&percent) {
            return Ok(Self(percent));
        }
        Err(Invalid::new(format!("must be 1 to 100 percent, was {percent}")))
    }

    pub fn percent(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Share {
    type Error = Invalid;
    fn try_from(percent: u32) -> Result<Self, Invalid> {
        Self::new(percent)
    }
}

impl From<Share> for u32 {
    fn from(share: Share) -> u32 {
        share.0
    }
}

/// What campaigns of lower priorities may take of a day's offers; those of high priority may take all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// Of low priority.
    pub low: Share,
    /// Of low and normal priority together.
    pub normal: Share,
}

impl Default for Shares {
    fn default() -> Self {
        Self { low: USUAL_LOW_SHARE, normal: Share::ALL }
    }
}

/// A publisher's app, with the limits that hold over all campaigns in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct App {
    pub name: AppName,
    pub display_name: String,
    /// The zone of people whose phone does not say.
    pub time_zone: TimeZone,
    /// Most offers to one person in one civil day of theirs.
    pub daily_offers: u32,
    #[serde(default)]
    pub shares: Shares,
    /// Least time between any two offers to one person, those of one ping too; zero for none.
    #[serde(default)]
    pub cool_down: Duration,
    /// No offers then, by the person's clock; none switches them off.
    pub quiet_hours: Option<QuietHours>,
    /// Brands whose campaigns may make offers in quiet hours if they say that they do.
    #[serde(default)]
    pub quiet_exempt: BTreeSet<OrganizationName>,
    /// The traits a profile of this app may have.
    pub traits: BTreeMap<TraitKey, TraitDeclaration>,
}

impl App {
    /// Whether a profile of this app may have this value: the trait is declared, and of its kind.
    pub fn declares(&self, key: &TraitKey, value: &TraitValue) -> bool {
        self.traits.get(key).is_some_and(|declared| declared.is_of_kind(value))
    }

    /// How many offers a day campaigns of this priority, and of lower ones, may take: their share, and one if that is
    /// less.
    pub fn share_of(&self, priority: Priority) -> u32 {
        let share = match priority {
            Priority::Low => self.shares.low.0.min(self.shares.normal.0),
            Priority::Normal => self.shares.normal.0,
            Priority::High => return self.daily_offers,
        };
        (self.daily_offers * share / 100).max(1)
    }
}

/// What a trait is and who may write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraitDeclaration {
    pub kind: TraitKind,
    pub writer: TraitWriter,
}

impl TraitDeclaration {
    /// Whether the value may be one of the trait's.
    pub fn is_of_kind(&self, value: &TraitValue) -> bool {
        self.kind == TraitKind::of(value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraitKind {
    Text,
    Number,
    Flag,
    Date,
}

impl TraitKind {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::Date => "date",
        }
    }

    pub fn of(value: &TraitValue) -> Self {
        match value {
            TraitValue::Text(_) => Self::Text,
            TraitValue::Number(_) => Self::Number,
            TraitValue::Flag(_) => Self::Flag,
            TraitValue::Date(_) => Self::Date,
        }
    }
}

/// Each may write what it is named for; a server key may also write what a device may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraitWriter {
    Device,
    Server,
    System,
}

/// A secret that opens some calls. The secret itself is shown once and kept as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub name: KeyName,
    pub display_name: String,
    pub scope: Scope,
    /// SHA-256 of the secret; 256 random bits need no slow hash.
    pub secret_hash: [u8; 32],
    pub created_at: Timestamp,
    /// Refused from then on.
    pub revoked_at: Option<Timestamp>,
    /// The secret before the last rotation, while it is good as well.
    #[serde(default)]
    pub retiring: Option<RetiringSecret>,
}

/// A secret that was replaced and is good for a while yet, so that nobody is locked out while the new one spreads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiringSecret {
    pub secret_hash: [u8; 32],
    /// Refused from then on.
    pub until: Timestamp,
}

impl Key {
    /// Whether a secret of this hash opens anything at `now`.
    pub fn opens(&self, secret_hash: &[u8; 32], now: Timestamp) -> bool {
        let live = self.revoked_at.is_none_or(|revoked_at| now < revoked_at);
        let retiring = self.retiring.as_ref().is_some_and(|old| old.secret_hash == *secret_hash && now < old.until);
        live && (self.secret_hash == *secret_hash || retiring)
    }

    /// The hashes of all secrets it may open with.
    pub fn hashes(&self) -> impl Iterator<Item = &[u8; 32]> {
        std::iter::once(&self.secret_hash).chain(self.retiring.iter().map(|old| &old.secret_hash))
    }
}

/// What a key opens. Every scope is limited to the organization that owns the key, but for `Operator`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything, in every organization.
    Operator,
    /// Everything of its own organization.
    Owner,
    /// Stores, geofences and beacons.
    Network,
    /// Campaigns, and decisions about them.
    Brand,
    /// Profiles and decisions of one app, from the publisher's own server.
    Server(AppName),
    /// Registering devices of one app. It ships in the app, so it is public.
    App(AppName),
    /// The tills of these stores.
    Store(BTreeSet<StoreName>),
}

impl Scope {
    /// As the API spells it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Scope::Operator => "OPERATOR",
            Scope::Owner => "OWNER",
            Scope::Network => "NETWORK",
            Scope::Brand => "BRAND",
            Scope::Server(_) => "SERVER",
            Scope::App(_) => "APP",
            Scope::Store(_) => "STORE",
        }
    }
}

/// A permission: `grantee` may target places of the granting network, or reach people of the granting publisher.
/// Nobody needs a grant from itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub name: GrantName,
    pub grantee: OrganizationName,
    pub permission: Permission,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// The brand's campaigns may target all places of the network.
    TargetPlaces,
    /// The brand's campaigns may reach people of this app.
    ReachApp(AppName),
}
