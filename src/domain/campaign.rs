//! A campaign: WHO + WHAT + TRIGGER + limits.
//!
//! Law: only transitions and app events fire campaigns; a campaign that can be read back is sound in itself (whether its places
//! exist is the catalog's question, asked when it is activated).

use std::{collections::BTreeSet, ops::Range, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

pub use super::trigger::{DWELL, MAX_TARGETS, NEAR_RADIUS_M, NthVisit, On, Target, Trigger};
use super::{
    audience::Audience,
    budget::{self, Budget, Period, Unit},
    cap::{self, Cap, check_span},
    content::Content,
    coupon::Coupon,
    experiment::Experiment,
    name::{CampaignName, DeviceName},
    schedule::Schedule,
    text::Topic,
    time::Timestamp,
    violation::{Invalid, Violations},
};

/// Most topics of one campaign.
pub const MAX_TOPICS: usize = 32;
/// Most devices that may try one campaign.
pub const MAX_TESTERS: usize = 20;
/// Longest window of a cap or cool-down: offers older than this leave the profile.
pub const MAX_WINDOW: Duration = Duration::from_secs(90 * 86_400);
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    pub name: CampaignName,
    pub display_name: String,
    pub state: CampaignState,
    /// WHO.
    pub audience: Audience,
    /// WHAT.
    pub content: Content,
    /// What it speaks of; a person's interest in any of them raises its rank.
    pub topics: BTreeSet<Topic>,
    pub trigger: Trigger,
    pub limits: Limits,
    pub weight: Weight,
    /// Before its weight: higher classes are chosen first, and lower ones may not use up the person's day.
    #[serde(default)]
    pub priority: Priority,
    /// What an offer is worth at the till.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<Coupon>,
    /// What is compared, and with whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Experiment>,
    /// Test devices that may try it before it is active: at most [`MAX_TESTERS`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub testers: BTreeSet<DeviceName>,
}

/// draft → active ⇄ paused → archived; a draft may be archived, and archived is the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    Draft,
    Active,
    Paused,
    Archived,
}

impl CampaignState {
    pub fn as_str(self) -> &'static str {
        match self {
            CampaignState::Draft => "draft",
            CampaignState::Active => "active",
            CampaignState::Paused => "paused",
            CampaignState::Archived => "archived",
        }
    }

    /// Whether the life of a campaign allows this step. A step to the same state changes nothing and is allowed.
    pub fn may_become(self, next: CampaignState) -> bool {
        use CampaignState::{Active, Archived, Draft, Paused};
        self == next
            || matches!((self, next), (Draft | Paused, Active) | (Active, Paused) | (Draft | Active | Paused, Archived))
    }
}

/// How much it matters to the person, not to the brand: what is urgent is high, what can wait is low.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl Priority {
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
        }
    }
}

impl Campaign {
    /// Whether it reaches the devices that may try it, and nobody else.
    pub fn is_on_trial(&self) -> bool {
        matches!(self.state, CampaignState::Draft | CampaignState::Paused) && !self.testers.is_empty()
    }

    /// From when on it makes no offers: its end, or before that once its coupon would be good only afterwards.
    pub fn last_offers_at(&self) -> Option<Timestamp> {
        let wait = self.coupon.as_ref().map_or(Duration::ZERO, |coupon| coupon.redeem_after);
        self.limits.ends_at.map(|ends_at| ends_at - wait)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// In force from then, if set.
    pub starts_at: Option<Timestamp>,
    /// Until then, if set.
    pub ends_at: Option<Timestamp>,
    /// When in the week, and whether only while the store is open.
    #[serde(default)]
    pub schedule: Schedule,
    /// Also in an app's quiet hours, where its publisher permits that.
    #[serde(default)]
    pub in_quiet_hours: bool,
    /// To one person: all of them hold.
    #[serde(deserialize_with = "cap::stored")]
    pub per_profile: Vec<Cap>,
    /// No more offers to whoever redeemed one, unless all of it was taken back.
    #[serde(default)]
    pub never_after_redeemed: bool,
    /// Least time between two offers of this campaign to one person; zero for none.
    pub cool_down: Duration,
    /// Over all people together.
    #[serde(default, alias = "budget", deserialize_with = "budgets")]
    pub budgets: Vec<Budget>,
    /// How long after it is made an offer may first be shown.
    pub show_within: Duration,
    /// How long after it is made an offer is good, within `ends_at`.
    pub valid_for: Duration,
}

/// Campaigns stored before there were several budgets have a number of offers, or nothing.
fn budgets<'de, D: Deserializer<'de>>(stored: D) -> Result<Vec<Budget>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Budgets(Vec<Budget>),
        Offers(Option<u64>),
    }
    let offers = |limit| Budget { unit: Unit::Offers, limit, period: Period::Whole, per_store: false, time_zone: None };
    Ok(match Stored::deserialize(stored)? {
        Stored::Budgets(budgets) => budgets,
        Stored::Offers(limit) => limit.map(offers).into_iter().collect(),
    })
}

/// Whether budgets of what happens at tills have a coupon that it happens with.
pub fn check_budgets(budgets: &[Budget], coupon: Option<&Coupon>) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    for (i, budget) in budgets.iter().enumerate() {
        let needs = match budget.unit {
            Unit::Offers => None,
            Unit::Redemptions => coupon.is_none().then_some("needs a coupon"),
            Unit::Money => coupon.is_none_or(|coupon| coupon.value.is_none()).then_some("needs a coupon with a value"),
        };
        if let Some(what) = needs {
            wrong.add(format!("[{i}].unit"), what);
        }
    }
    wrong.finish(Some(()))
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            starts_at: None,
            ends_at: None,
            schedule: Schedule::default(),
            in_quiet_hours: false,
            per_profile: vec![Cap::rolling(1, DAY)],
            never_after_redeemed: false,
            cool_down: Duration::ZERO,
            budgets: Vec::new(),
            show_within: Duration::from_secs(15 * 60),
            valid_for: DAY,
        }
    }
}

impl Limits {
    pub fn check(self) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        const SECOND: Duration = Duration::from_secs(1);
        wrong.nest("", self.schedule.check());
        wrong.nest("per_profile", cap::check(&self.per_profile));
        wrong.take("cool_down", check_span(self.cool_down, Duration::ZERO));
        wrong.take("show_within", check_span(self.show_within, SECOND));
        wrong.take("valid_for", check_span(self.valid_for, SECOND));
        wrong.nest("budgets", budget::check(&self.budgets));
        if let (Some(starts), Some(ends)) = (self.starts_at, self.ends_at)
            && ends <= starts
        {
            wrong.add("ends_at", format!("must be after starts_at ({starts}), was {ends}"));
        }
        wrong.finish(Some(self))
    }

    /// When it is in force.
    pub fn runs(&self) -> Range<Timestamp> {
        self.starts_at.unwrap_or(Timestamp::MIN)..self.ends_at.unwrap_or(Timestamp::MAX)
    }
}

/// How much a brand wants this campaign before its others: 0.01 to 100, 1 by default.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Weight(f64);

impl Weight {
    pub fn new(weight: f64) -> Result<Self, Invalid> {
        if (0.01..=100.0).contains(&weight) {
            return Ok(Self(weight));
        }
        Err(Invalid::new(format!("must be between 0.01 and 100, was {weight}")))
    }

    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Weight {
    type Error = Invalid;
    fn try_from(weight: f64) -> Result<Self, Invalid> {
        Self::new(weight)
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> f64 {
        weight.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archived_is_the_end() {
        use CampaignState::{Active, Archived, Draft, Paused};
        assert!(Draft.may_become(Active) && Active.may_become(Paused) && Paused.may_become(Active));
        for next in [Draft, Active, Paused] {
            assert!(!Archived.may_become(next));
        }
        assert!(!Draft.may_become(Paused) && !Active.may_become(Draft));
    }

    #[test]
    fn the_one_budget_of_older_campaigns_is_kept() {
        let stored = |limits: &Limits, budget: &str| {
            let now = serde_json::to_string(limits).expect("written").replace("\"budgets\":[]", budget);
            serde_json::from_str::<Limits>(&now).expect("read")
        };
        let usual = Limits::default();
        assert_eq!(stored(&usual, "\"budget\":null"), usual);
        let kept = stored(&usual, "\"budget\":1000").budgets;
        assert_eq!(kept.iter().map(Budget::to_string).collect::<Vec<_>>(), ["1000 offers"]);
        let today = Limits { budgets: kept, ..usual };
        assert_eq!(stored(&today, ""), today);
    }

    #[test]
    fn limits_name_every_fault() {
        let cap = Cap::rolling(0, Duration::ZERO);
        let wrong = Limits { per_profile: vec![cap], ..Limits::default() }.check().expect_err("two faults");
        assert_eq!(wrong.iter().count(), 2);
    }
}
