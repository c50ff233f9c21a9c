//! A coupon: what an offer is worth at the till, once.
//!
//! Law: amounts of one campaign are in one currency, that of the coupon's value.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    budget::{Budget, Unit},
    campaign::{MAX_TARGETS, MAX_WINDOW},
    code::Code,
    content::Money,
    name::{OrganizationName, StoreName},
    text::{Tag, line},
    violation::Violations,
};

/// Longest instruction, in characters: a till's display shows two lines.
pub const MAX_INSTRUCTION: usize = 200;

/// Largest value, in minor units: nobody gives ten million at a till.
pub const MAX_VALUE: i64 = 1_000_000_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coupon {
    pub codes: Codes,
    /// What the shop assistant shall do.
    pub instruction: String,
    /// What one redemption costs at most, and if the till names no amount.
    pub value: Option<Money>,
    /// From the offer to the first moment it can be redeemed.
    pub redeem_after: Duration,
    /// Redeemed only with the customer's id.
    pub holder_only: bool,
    pub at: RedeemedAt,
}

/// Where codes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codes {
    /// One is drawn for each offer that is claimed.
    Generated,
    /// Everyone has this one.
    Fixed(Code),
    /// One of those uploaded, for each offer that is claimed.
    Pool,
}

/// At which stores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeemedAt {
    /// Those of its own organization, and of networks that granted their places.
    Anywhere,
    Stores(BTreeSet<StoreName>),
    /// All of a network that have all of the tags.
    Tagged {
        network: OrganizationName,
        tags: BTreeSet<Tag>,
    },
}

impl Coupon {
    pub fn check(mut self) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        self.instruction = wrong.take("instruction", line(&self.instruction, MAX_INSTRUCTION)).unwrap_or_default();
        if self.redeem_after > MAX_WINDOW {
            let (most, was) = (MAX_WINDOW.as_secs(), self.redeem_after.as_secs_f64());
            wrong.add("redeem_after", format!("must be 0 to {most} seconds, was {was}"));
        }
        if let Some(value) = self.value.as_ref().filter(|value| !(1..=MAX_VALUE).contains(&value.minor_units())) {
            wrong.add("value.minor_units", format!("must be 1 to {MAX_VALUE}, was {}", value.minor_units()));
        }
        match &self.at {
            RedeemedAt::Stores(stores) if stores.is_empty() || stores.len() > MAX_TARGETS => {
                wrong.add("stores.stores", format!("must be 1 to {MAX_TARGETS}, were {}", stores.len()));
            }
            RedeemedAt::Tagged { tags, .. } if tags.is_empty() => {
                wrong.add("tagged.tags", "must be at least 1");
            }
            RedeemedAt::Anywhere | RedeemedAt::Stores(_) | RedeemedAt::Tagged { .. } => {}
        }
        wrong.finish(Some(self))
    }

    /// Why a coupon of people's offers cannot become that one; none if it can. Codes were printed, and amounts counted.
    pub fn cannot_become(&self, next: Option<&Coupon>) -> Option<&'static str> {
        let currency = |coupon: &Coupon| coupon.value.as_ref().map(|value| value.currency().to_owned());
        match next {
            None => Some("the coupon of a campaign that was activated stays"),
            Some(next) if next.codes != self.codes => {
                Some("the codes of a campaign that was activated stay as they are")
            }
            Some(next) if currency(next) != currency(self) && currency(self).is_some() => {
                Some("the currency of a campaign that was activated stays")
            }
            Some(_) => None,
        }
    }

    /// The code that an offer carries from the start: everyone's, where each person may have it.
    pub fn open_code(&self, budgets: &[Budget]) -> Option<&Code> {
        let limited = budgets.iter().any(|budget| budget.unit != Unit::Offers);
        match &self.codes {
            Codes::Fixed(code) if !limited => Some(code),
            Codes::Fixed(_) | Codes::Generated | Codes::Pool => None,
        }
    }
}
