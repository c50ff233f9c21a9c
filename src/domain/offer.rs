//! An offer: one campaign's proposal to one profile, as it is answered and kept.
//!
//! Law: offered, shown, opened, dismissed, returned, claimed, redeemed are times of their own, which may be reported in any
//! order.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    campaign::Priority,
    code::Code,
    content::Message,
    experiment::Arm,
    geo::Position,
    name::{CampaignName, DeviceName, StoreName},
    place::Store,
    presence::Area,
    text::quoted,
    time::Timestamp,
    violation::Invalid,
};

macro_rules! random_id {
    ($($(#[$doc:meta])* $T:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $T(uuid::Uuid);

        impl $T {
            /// A UUID of version 7: sorts by time, so an index on it grows at its end.
            pub fn new(at: Timestamp, random: u128) -> Self {
                let millis = u64::try_from(at.micros() / 1_000).unwrap_or(0);
                let random = random.to_be_bytes();
                let tail = [random[0], random[1], random[2], random[3], random[4], random[5], random[6], random[7], random[8], random[9]];
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
            }

            /// The millisecond that it was made for.
            pub fn made_at(self) -> Timestamp {
                let millis = self.0.as_bytes()[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
                Timestamp::from_micros(millis * 1_000)
            }

            pub fn parse(text: &str) -> Result<Self, Invalid> {
                uuid::Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| Invalid::new(format!("must be a UUID, was {}", quoted(text))))
            }
        }

        impl fmt::Display for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
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
                id.to_string()
            }
        }
    )* };
}

random_id! {
    /** Names one offer to one person. */
    OfferId;
    /** Names one decision and its receipt. */
    DecisionId;
    /** Names one use of a coupon. */
    RedemptionId;
}

/// What a ping's answer carries, and what the receipt keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    pub id: OfferId,
    pub campaign: CampaignName,
    pub content: Message,
    pub area: Area,
    /// The store it is about, if the place has one.
    pub store: Option<OfferStore>,
    /// Metres from the fix to the store, or to the geofence (0 inside); none for a beacon without a store.
    pub distance_m: Option<f64>,
    /// Why this person got it, in words.
    pub reason: String,
    /// Where it is meant to be shown.
    #[serde(default)]
    pub surface: Surface,
    /// First shown after this it must not be.
    pub show_by: Timestamp,
    /// Good until then.
    pub valid_until: Timestamp,
    /// How it is redeemed, if it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<OfferCoupon>,
    /// Of the campaign's experiment, if it makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Arm>,
    /// Made to a test device: worth nothing, and counted nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trial: bool,
}

/// What somebody in a holdout would have got. Nobody is told of it, and it takes nothing but a place in the caps of its
/// campaign, exactly as an offer would.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ghost {
    pub id: OfferId,
    pub campaign: CampaignName,
    /// The arm whose content it would have been.
    pub arm: Arm,
    pub area: Area,
    pub store: Option<StoreName>,
}

/// Where an offer is meant to be shown: of one ping, the best interrupts, and no other does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// As a notification, and in the app's list.
    LockScreen,
    /// In the app's list only.
    #[default]
    List,
}

/// What a person needs to know of a coupon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfferCoupon {
    /// Everyone's code; none if it must be claimed.
    pub code: Option<Code>,
    pub instruction: String,
    /// Redeemed no sooner.
    pub valid_from: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfferStore {
    pub name: StoreName,
    pub display_name: String,
    pub address: String,
    pub position: Position,
}

impl OfferStore {
    pub fn of(store: &Store) -> Self {
        let Store { name, display_name, address, position, .. } = store;
        Self { name: name.clone(), display_name: display_name.clone(), address: address.clone(), position: *position }
    }
}

/// What a profile remembers of an offer: enough for caps, cool-downs and returning its units.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenOffer {
    pub id: OfferId,
    pub campaign: CampaignName,
    pub device: DeviceName,
    /// Of its campaign when it was made.
    pub priority: Priority,
    /// It was not given: the person is in the holdout of the campaign's experiment.
    pub ghost: bool,
    /// Made to a test device: it counts for no cap and no condition.
    pub trial: bool,
    pub offered_at: Timestamp,
    pub shown_at: Option<Timestamp>,
    pub opened_at: Option<Timestamp>,
    pub dismissed_at: Option<Timestamp>,
    /// The device said it was never shown; its units went back.
    pub returned_at: Option<Timestamp>,
    /// Its code was asked for.
    pub claimed_at: Option<Timestamp>,
    /// Redeemed at a till, and not wholly taken back.
    pub redeemed_at: Option<Timestamp>,
    /// A redemption of it was taken back.
    pub reversed_at: Option<Timestamp>,
}

impl GivenOffer {
    /// What another profile must know of it for caps, under an id of its own: that it was made, when, and on which device.
    /// It was returned the moment it was made, so that no report touches it: the offer itself stays whose it is.
    pub fn for_caps(&self, id: OfferId) -> Self {
        let new = Self::new(id, self.campaign.clone(), self.device.clone(), self.offered_at);
        Self { priority: self.priority, ghost: self.ghost, returned_at: Some(self.offered_at), ..new }
    }

    /// Whether caps and cool-downs count it: not if it was a trial, nor if the device said later that it was never shown, and
    /// did not show it after all. (What only tells another profile of an offer counts.)
    pub fn counts(&self) -> bool {
        !self.trial && (self.returned_at.is_none() || self.is_of_another() || self.shown_at.is_some())
    }

    /// When something happened to it last.
    pub fn newest_time(&self) -> Timestamp {
        let since = [self.shown_at, self.opened_at, self.dismissed_at, self.returned_at, self.claimed_at];
        let till = [self.redeemed_at, self.reversed_at];
        since.into_iter().chain(till).flatten().fold(self.offered_at, Timestamp::max)
    }

    /// Whether it was made to somebody else on the device: caps count it, and no condition of an audience may.
    pub fn is_of_another(&self) -> bool {
        self.returned_at.is_some_and(|returned_at| returned_at <= self.offered_at)
    }

    /// An offer of normal priority, of which nothing is known yet.
    pub fn new(id: OfferId, campaign: CampaignName, device: DeviceName, offered_at: Timestamp) -> Self {
        Self {
            id,
            campaign,
            device,
            priority: Priority::default(),
            ghost: false,
            trial: false,
            offered_at,
            shown_at: None,
            opened_at: None,
            dismissed_at: None,
            returned_at: None,
            claimed_at: None,
            redeemed_at: None,
            reversed_at: None,
        }
    }
}
