//! The outcome of one ping: every considered campaign with exactly one verdict, from a closed list of reasons.
//!
//! Law 5: what is stored explains what was done, with the numbers that were read, by the evaluation that decided.

use serde::{Deserialize, Serialize};

use super::{
    campaign::Priority,
    name::{CampaignName, DeviceName, ProfileName, StoreName},
    offer::{DecisionId, Ghost, Offer, OfferId},
    ping::PingId,
    place::PlaceName,
    presence::{Area, Transition},
    text::EventKey,
    time::Timestamp,
};

pub use super::reason::Reason;

/// Everything that came of one ping. Its stored form is the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub id: DecisionId,
    pub profile: ProfileName,
    pub device: DeviceName,
    pub ping: PingId,
    /// Server time.
    pub at: Timestamp,
    /// The catalog it was made under.
    pub catalog_version: u64,
    pub seed: u64,
    pub test: bool,
    /// What the app said that happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Happened>,
    pub transitions: Vec<Transition>,
    /// What was so of the ping as a whole.
    pub notes: Vec<Note>,
    /// Triggered campaigns, best first, then the refused in the order of their names.
    pub considered: Vec<Considered>,
    /// The chosen, best first.
    pub offers: Vec<Offer>,
    /// What those held out by experiments would have got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ghosts: Vec<Ghost>,
    pub next: Next,
}

/// An event of the app, as it was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    pub key: EventKey,
    /// None if none was named, it is unknown, or it is not to be known.
    pub place: Option<PlaceName>,
    /// Event time.
    pub at: Timestamp,
}

/// One campaign at one area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    pub campaign: CampaignName,
    pub area: Area,
    /// The store that the area is at or belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreName>,
    pub verdict: Verdict,
    /// What it was ranked by, if it passed every gate.
    pub rank: Option<Rank>,
    /// The campaign was not active, and the device tries it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trial: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Chosen(OfferId),
    Refused(Reason),
}

impl Verdict {
    /// The code of what was chosen.
    pub const CHOSEN: &'static str = "CHOSEN";

    /// The stable code: CHOSEN, or that of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Verdict::Chosen(_) => Self::CHOSEN,
            Verdict::Refused(reason) => reason.code(),
        }
    }
}

/// The features a score was made of: score = weight × (1 + affinity) × nearness.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    pub score: f64,
    /// The campaign's class, which comes before any score.
    #[serde(default)]
    pub priority: Priority,
    pub weight: f64,
    /// Strongest interest of the person in a topic of the campaign, 0 to 1; 0 without consent to profiling.
    pub affinity: f64,
    /// 1 at the place, a half at 200 m, towards 0 far away.
    pub nearness: f64,
}

/// What was so of a ping as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Without consent to location nothing is matched and nothing is kept.
    NoLocationConsent,
    /// Without consent to profiling only the place and the moment were used.
    ContextOnly,
    /// Some fixes, sightings or events were older than what is known already, or than the last log-out or
    /// the consent to location.
    OutOfOrder { readings: u32 },
    /// The newest fix was worse than 1,000 m and moved nobody.
    Inaccurate,
    /// The platform marked the position as set by a tool.
    Mocked,
    /// Nobody can have travelled there from where the device was.
    Implausible { fixes: u32 },
    /// Beacons that nobody registered.
    UnknownBeacons { sightings: u32 },
    /// Sightings that were forgotten, since more beacons are heard than a device is believed to.
    TooManyBeacons { sightings: u32 },
    /// Campaigns at a place that were not considered, since their organization has too many there.
    TooManyCampaigns { campaigns: usize },
    /// The place of an app event, which nobody registered.
    UnknownPlace,
    /// Without consent to marketing there are no offers to look at.
    NoMarketingConsent,
}

impl Note {
    pub fn code(self) -> &'static str {
        match self {
            Note::NoLocationConsent => "NO_LOCATION_CONSENT",
            Note::ContextOnly => "CONTEXT_ONLY",
            Note::OutOfOrder { .. } => "OUT_OF_ORDER",
            Note::Inaccurate => "INACCURATE",
            Note::Mocked => "MOCKED",
            Note::Implausible { .. } => "IMPLAUSIBLE",
            Note::UnknownBeacons { .. } => "UNKNOWN_BEACONS",
            Note::TooManyBeacons { .. } => "TOO_MANY_BEACONS",
            Note::TooManyCampaigns { .. } => "TOO_MANY_CAMPAIGNS",
            Note::UnknownPlace => "UNKNOWN_PLACE",
            Note::NoMarketingConsent => "NO_MARKETING_CONSENT",
        }
    }
}

/// When the next ping can matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// No fix within this many metres of the newest one changes presence before [`Self::at`].
    pub safe_radius_m: f64,
    /// Ask again then, even if the phone has not moved.
    pub at: Timestamp,
}
