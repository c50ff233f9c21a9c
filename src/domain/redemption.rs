//! What happens at the till: coupons kept by people, redeemed, and taken back.
//!
//! Law 6: what is not proven good is refused, with one reason of a closed list that a shop assistant understands.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    code::Code,
    content::Money,
    name::{CampaignName, KeyName, ProfileName, StoreName, check_id},
    offer::{OfferId, RedemptionId},
    time::{TimeZone, Timestamp},
    violation::Invalid,
};

/// Longest receipt or order number, in characters.
pub const MAX_REFERENCE: usize = 128;
/// Longest lock of an offer by a till.
pub const MAX_LOCK: Duration = Duration::from_secs(15 * 60);

macro_rules! short_ids {
    ($($(#[$doc:meta])* $T:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $T(String);

        impl $T {
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                check_id(text).map(|()| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $T {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$T> for String {
            fn from(id: $T) -> String {
                id.0
            }
        }
    )* };
}

short_ids! {
    /** A till, as its store calls it. */
    TillId;
    /** What a till draws for each change it asks for, and repeats in retries. */
    RequestId;
}

/// An offer as the record keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptOffer {
    pub id: OfferId,
    pub profile: ProfileName,
    pub campaign: CampaignName,
    /// The store it was made for, if its place had one.
    pub store: Option<StoreName>,
    /// Made to a test device: it is worth nothing.
    pub trial: bool,
    /// The version of the catalog that it was made under.
    pub catalog_version: u64,
    pub offered_at: Timestamp,
    pub show_by: Timestamp,
    /// Redeemed no sooner,
    pub valid_from: Timestamp,
    /// and before this.
    pub valid_until: Timestamp,
    /// Once it was claimed.
    pub code: Option<Code>,
    pub shown_at: Option<Timestamp>,
    pub opened_at: Option<Timestamp>,
    pub dismissed_at: Option<Timestamp>,
    pub returned_at: Option<Timestamp>,
    pub claimed_at: Option<Timestamp>,
    /// When it was redeemed, if that was not taken back.
    pub redeemed_at: Option<Timestamp>,
    pub reversed_at: Option<Timestamp>,
    pub lock: Option<Lock>,
}

/// A till that keeps others from redeeming an offer for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub store: StoreName,
    pub till: TillId,
    pub until: Timestamp,
}

impl Lock {
    /// Whether it keeps others away.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= Self::latest_end(now)
    }

    /// A lock that ends later is from before the clock was set back, and must not last until the clock is there again.
    /// Twice the longest, so that a node whose clock is a little late believes every other.
    pub fn latest_end(now: Timestamp) -> Timestamp {
        now + 2 * MAX_LOCK
    }
}

/// A coupon that was used.
#[derive(Debug, Clone, PartialEq)]
pub struct Redemption {
    pub id: RedemptionId,
    pub store: StoreName,
    pub till: TillId,
    /// As the till has it; empty if it named none.
    pub till_reference: String,
    pub campaign: CampaignName,
    /// None for everyone's code without a customer, and once the person was erased.
    pub offer: Option<OfferId>,
    pub profile: Option<ProfileName>,
    /// What it cost; none if nobody said.
    pub amount: Option<Money>,
    pub instruction: String,
    pub redeemed_at: Timestamp,
    /// Minor units of the amount that were taken back since.
    pub reversed_units: u64,
    /// When all of it was taken back.
    pub reversed_at: Option<Timestamp>,
}

impl Redemption {
    /// Minor units of the amount.
    pub fn units(&self) -> u64 {
        self.amount.as_ref().map_or(0, |amount| u64::try_from(amount.minor_units()).unwrap_or(0))
    }

    /// Minor units that were not taken back.
    pub fn left(&self) -> u64 {
        self.units().saturating_sub(self.reversed_units)
    }

    /// As it is when so many units more are taken back: reversed, if that is all.
    pub fn less(self, units: u64, at: Timestamp) -> Self {
        let all = units >= self.left();
        Self { reversed_units: self.reversed_units + units.min(self.left()), reversed_at: all.then_some(at), ..self }
    }
}

/// Who asked for a change at a till, so that asking again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TillRequest {
    pub key: KeyName,
    pub id: RequestId,
    /// SHA-256 of what it asks for: another body under the same id is refused.
    pub fingerprint: [u8; 32],
}

/// Why a coupon is not redeemed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody has this code; perhaps it was mistyped.
    UnknownCode {
        mistyped: bool,
    },
    /// Several coupons have it here.
    AmbiguousCode,
    NotYet {
        from: Timestamp,
    },
    Ended {
        at: Timestamp,
    },
    AlreadyRedeemed {
        at: Timestamp,
    },
    /// The device said it was never shown.
    Returned,
    Locked {
        until: Timestamp,
    },
    WrongStore,
    CustomerRequired,
    WrongCustomer,
    BudgetExhausted,
    AmountTooHigh {
        most: Money,
    },
    WrongCurrency {
        wanted: String,
    },
    NotClaimed,
    /// It was made to a test device.
    Trial,
}

impl Refusal {
    /// The stable code, as the API and metrics spell it.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::UnknownCode { .. } => "UNKNOWN_CODE",
            Refusal::AmbiguousCode => "AMBIGUOUS_CODE",
            Refusal::NotYet { .. } => "NOT_YET",
            Refusal::Ended { .. } => "ENDED",
            Refusal::AlreadyRedeemed { .. } => "ALREADY_REDEEMED",
            Refusal::Returned => "RETURNED",
            Refusal::Locked { .. } => "LOCKED",
            Refusal::WrongStore => "WRONG_STORE",
            Refusal::CustomerRequired => "CUSTOMER_REQUIRED",
            Refusal::WrongCustomer => "WRONG_CUSTOMER",
            Refusal::BudgetExhausted => "BUDGET_EXHAUSTED",
            Refusal::AmountTooHigh { .. } => "AMOUNT_TOO_HIGH",
            Refusal::WrongCurrency { .. } => "WRONG_CURRENCY",
            Refusal::NotClaimed => "NOT_CLAIMED",
            Refusal::Trial => "TRIAL",
        }
    }

    /// For the assistant, by the clock of the shop, which is named: a till may stand beside another one.
    pub fn message(&self, shop: &TimeZone) -> String {
        let clock = |at: &Timestamp| shop.minute(*at);
        match self {
            Refusal::UnknownCode { mistyped: true } => "This code was mistyped. Please type it again.".to_owned(),
            Refusal::UnknownCode { mistyped: false } => "Nobody has this code. Please check it.".to_owned(),
            Refusal::AmbiguousCode => "Several coupons have this code. Please scan the QR code in the app.".to_owned(),
            Refusal::NotYet { from } => format!("Not good yet: it can be redeemed from {}.", clock(from)),
            Refusal::Ended { at } => format!("No longer good: it ended at {}.", clock(at)),
            Refusal::AlreadyRedeemed { at } => format!("Already redeemed, at {}.", clock(at)),
            Refusal::Returned => "This offer was taken back before the customer saw it.".to_owned(),
            Refusal::Locked { until } => format!("Another till is redeeming it, until {} at most.", clock(until)),
            Refusal::WrongStore => "This coupon is not for this store.".to_owned(),
            Refusal::CustomerRequired => "Please scan the customer's card as well.".to_owned(),
            Refusal::WrongCustomer => "This coupon belongs to another customer.".to_owned(),
            Refusal::BudgetExhausted => "What the campaign has for this store or day is used up.".to_owned(),
            Refusal::AmountTooHigh { most } => format!("At most {most} can be redeemed."),
            Refusal::WrongCurrency { wanted } => format!("The amount must be in {wanted}."),
            Refusal::NotClaimed => "The customer has to ask for the code in the app first.".to_owned(),
            Refusal::Trial => "This is a test phone's, and no coupon: give nothing for it.".to_owned(),
        }
    }

    /// When it was redeemed or ended, becomes good, or is free again.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Refusal::NotYet { from: at }
            | Refusal::Ended { at }
            | Refusal::AlreadyRedeemed { at }
            | Refusal::Locked { until: at } => Some(*at),
            Refusal::UnknownCode { .. } | Refusal::AmbiguousCode | Refusal::Returned | Refusal::WrongStore => None,
            Refusal::CustomerRequired | Refusal::WrongCustomer | Refusal::BudgetExhausted => None,
            Refusal::AmountTooHigh { .. } | Refusal::WrongCurrency { .. } | Refusal::NotClaimed => None,
            Refusal::Trial => None,
        }
    }
}
