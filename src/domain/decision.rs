//! The outcome of one ping: every considered campaign with exactly one verdict, from a closed list of reasons.
//!
//! Law 5: what is stored explains what was done, with the numbers that were read, by the evaluation that decided.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    campaign::Priority,
    cap::Within,
    name::{CampaignName, DeviceName, ProfileName, StoreName},
    offer::{DecisionId, Offer, OfferId},
    ping::PingId,
    presence::{Area, Transition},
    schedule::Weekdays,
    time::{TimeOfDay, Timestamp},
};

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
    pub transitions: Vec<Transition>,
    /// What was so of the ping as a whole.
    pub notes: Vec<Note>,
    /// Triggered campaigns, best first, then the refused in the order of their names.
    pub considered: Vec<Considered>,
    /// The chosen, best first.
    pub offers: Vec<Offer>,
    pub next: Next,
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
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Chosen(OfferId),
    Refused(Reason),
}

impl Verdict {
    /// The stable code: CHOSEN, or that of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Verdict::Chosen(_) => "CHOSEN",
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

/// Why a campaign was refused: the first gate that said no, with the numbers behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The transition was learnt too late.
    Stale {
        age: Duration,
    },
    /// The position is not to be believed.
    Suspect,
    NoMarketingConsent,
    NotStarted {
        starts_at: Timestamp,
    },
    Ended {
        ended_at: Timestamp,
    },
    /// The publisher did not let this brand reach the app's people.
    NotGranted,
    /// The person muted the brand.
    Muted,
    QuietHours {
        local: TimeOfDay,
        from: TimeOfDay,
        to: TimeOfDay,
    },
    /// Outside of the campaign's hours of the week.
    OutsideWindows {
        day: Weekdays,
        local: TimeOfDay,
        /// When the next of them begins, within eight days.
        next_at: Option<Timestamp>,
    },
    /// It is only for open stores, and nobody knows when this one is; or there is no store.
    NoOpeningHours,
    StoreClosed {
        /// Within eight days.
        opens_at: Option<Timestamp>,
    },
    /// The store closes too soon.
    LastCall {
        closes_at: Timestamp,
        last_call: Duration,
    },
    /// Over all campaigns of the app, in the person's civil day.
    DailyOffers {
        given: u32,
        most: u32,
    },
    /// Of the class and lower ones, in the person's civil day: the rest of it is kept for higher ones.
    PriorityShare {
        priority: Priority,
        given: u32,
        most: u32,
        daily: u32,
    },
    /// After any offer in the app.
    AppCoolDown {
        until: Timestamp,
    },
    /// Of all campaigns of the brand.
    BrandCap {
        given: u32,
        most: u32,
        #[serde(flatten)]
        within: Within,
    },
    BrandCoolDown {
        until: Timestamp,
    },
    /// The person redeemed one, and gets no more of the campaign.
    Redeemed {
        at: Timestamp,
    },
    /// Of this campaign.
    CampaignCap {
        given: u32,
        most: u32,
        #[serde(flatten)]
        within: Within,
    },
    CoolDown {
        until: Timestamp,
    },
    /// The term that failed, in words.
    Audience {
        term: Arc<str>,
    },
    /// All units of the budget are taken.
    BudgetExhausted,
    /// The same campaign was chosen at a better place of this ping.
    SameCampaign,
    /// Others ranked higher.
    Outranked {
        rank: u32,
        most: u32,
    },
}

impl Reason {
    /// The stable code of the reason, as the API and metrics spell it.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Stale { .. } => "STALE",
            Reason::Suspect => "SUSPECT",
            Reason::NoMarketingConsent => "NO_MARKETING_CONSENT",
            Reason::NotStarted { .. } => "NOT_STARTED",
            Reason::Ended { .. } => "ENDED",
            Reason::NotGranted => "NOT_GRANTED",
            Reason::Muted => "MUTED",
            Reason::QuietHours { .. } => "QUIET_HOURS",
            Reason::OutsideWindows { .. } => "OUTSIDE_WINDOWS",
            Reason::NoOpeningHours => "NO_OPENING_HOURS",
            Reason::StoreClosed { .. } => "STORE_CLOSED",
            Reason::LastCall { .. } => "LAST_CALL",
            Reason::DailyOffers { .. } => "DAILY_OFFERS",
            Reason::PriorityShare { .. } => "PRIORITY_SHARE",
            Reason::AppCoolDown { .. } => "APP_COOL_DOWN",
            Reason::BrandCap { .. } => "BRAND_CAP",
            Reason::BrandCoolDown { .. } => "BRAND_COOL_DOWN",
            Reason::Redeemed { .. } => "REDEEMED",
            Reason::CampaignCap { .. } => "CAMPAIGN_CAP",
            Reason::CoolDown { .. } => "COOL_DOWN",
            Reason::Audience { .. } => "AUDIENCE",
            Reason::BudgetExhausted => "BUDGET_EXHAUSTED",
            Reason::SameCampaign => "SAME_CAMPAIGN",
            Reason::Outranked { .. } => "OUTRANKED",
        }
    }

    /// The reason in words, without what tells of other campaigns than the refused one, or of the person: which condition
    /// somebody fails is as good as reading what is known of them.
    pub fn without_others(&self) -> String {
        match self {
            Reason::DailyOffers { .. } => "the person got all offers of today".to_owned(),
            Reason::PriorityShare { .. } => "the rest of the person's day is kept for higher priorities".to_owned(),
            Reason::AppCoolDown { .. } => "it is too soon after another offer".to_owned(),
            Reason::Outranked { .. } => "others ranked higher".to_owned(),
            Reason::Audience { .. } => "the person is not in the audience".to_owned(),
            own => own.to_string(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Stale { age } => write!(f, "the transition was learnt {} s late", age.as_secs()),
            Reason::Suspect => f.write_str("the position is not to be believed"),
            Reason::NoMarketingConsent => f.write_str("the person did not agree to marketing"),
            Reason::NotStarted { starts_at } => write!(f, "the campaign starts at {starts_at}"),
            Reason::Ended { ended_at } => write!(f, "the campaign ended at {ended_at}"),
            Reason::NotGranted => f.write_str("the publisher has not let this brand reach the app's people"),
            Reason::Muted => f.write_str("the person muted this brand"),
            Reason::QuietHours { local, from, to } => {
                write!(f, "it was {local} for the person, and {from} to {to} is quiet")
            }
            Reason::DailyOffers { given, most } => write!(f, "the person got {given} of at most {most} offers today"),
            Reason::OutsideWindows { day, local, next_at } => {
                write!(f, "it was {day} {local}, outside of the campaign's hours")?;
                next_at.map_or(Ok(()), |at| write!(f, ", which begin again at {at}"))
            }
            Reason::NoOpeningHours => f.write_str("nobody knows when a store there is open"),
            Reason::StoreClosed { opens_at } => {
                f.write_str("the store is closed")?;
                opens_at.map_or(Ok(()), |at| write!(f, " until {at}"))
            }
            Reason::LastCall { closes_at, last_call } => {
                write!(
                    f,
                    "the store closes at {closes_at}, and its last {} s are without offers",
                    last_call.as_secs_f64()
                )
            }
            Reason::PriorityShare { priority, given, most, daily } => {
                let class = priority.as_str();
                write!(f, "of {daily} offers a day {most} may be of {class} or lower priority, and {given} were")
            }
            Reason::AppCoolDown { until } => write!(f, "the person is left alone until {until}"),
            Reason::BrandCap { given, most, within } => {
                write!(f, "the person got {given} of at most {most} offers of this brand {within}")
            }
            Reason::BrandCoolDown { until } => write!(f, "the brand rests for this person until {until}"),
            Reason::Redeemed { at } => write!(f, "the person redeemed an offer of it at {at}, and gets no more"),
            Reason::CampaignCap { given, most, within } => {
                write!(f, "the person got {given} of at most {most} offers of this campaign {within}")
            }
            Reason::CoolDown { until } => write!(f, "the campaign rests for this person until {until}"),
            Reason::Audience { term } => write!(f, "the person is not in the audience: {term}"),
            Reason::BudgetExhausted => f.write_str("the campaign's budget is used up"),
            Reason::SameCampaign => f.write_str("the campaign was chosen at a better place"),
            Reason::Outranked { rank, most } => write!(f, "it ranked {rank}, and {most} could be given"),
        }
    }
}

/// What was so of a ping as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Without consent to location nothing is matched and nothing is kept.
    NoLocationConsent,
    /// Without consent to profiling only the place and the moment were used.
    ContextOnly,
    /// Some fixes or sightings were older than what is known already.
    OutOfOrder { readings: u32 },
    /// The newest fix was worse than 1,000 m and moved nobody.
    Inaccurate,
    /// The platform marked the position as set by a tool.
    Mocked,
    /// Nobody can have travelled there from where the device was.
    Implausible { fixes: u32 },
    /// Beacons that nobody registered.
    UnknownBeacons { sightings: u32 },
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
