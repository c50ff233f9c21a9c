//! What a single condition of a rule asks: of dates, of the past, of the place, of the moment, of the device.
//!
//! Law: each has bounds, stated here, so that every door refuses the same with the same words.

use std::{collections::BTreeSet, ops::RangeInclusive};

use jiff::civil::Weekday;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

pub use crate::domain::schedule::{Clock, Weekdays};
use crate::domain::{
    app_version::AppVersion,
    name::{CampaignName, OrganizationName, StoreName},
    profile::Platform,
    text::Tag,
    time::TimeOfDay,
    violation::Invalid,
};

/// Most values a trait is looked for among, and most languages.
pub const MAX_CHOICES: usize = 64;
/// Most days between now and the date of a trait: a century.
pub const MAX_DATE_DAYS: u32 = 36_525;
/// Most days until an anniversary: from one 29 February to the day before the next.
pub const MAX_ANNIVERSARY_DAYS: u32 = 365;
/// The windows of visits and offers, in days of 24 hours: nothing older is remembered.
pub const WINDOW_DAYS: RangeInclusive<u32> = 1..=90;
/// How long ago a last visit may be asked to be, in days of 24 hours: one of 90 days is being forgotten.
pub const LAST_VISIT_DAYS: RangeInclusive<u32> = 1..=89;
/// Most visits or offers that are counted.
pub const MAX_COUNT: u32 = 1_000;
/// How far the place may be asked to be, in metres.
pub const DISTANCE_M: RangeInclusive<u32> = 1..=100_000;

/// What a date is compared with: the day it is now in the person's zone. Both ends of a span count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateTest {
    /// Today, or at most so many days ago.
    WithinLast {
        days: u32,
    },
    /// Today, or in at most so many days.
    WithinNext {
        days: u32,
    },
    AtLeastAgo {
        days: u32,
    },
    AtLeastAhead {
        days: u32,
    },
    /// Its month and day come today (0) or within so many days. 29 February comes on the 28th in years without one.
    Anniversary {
        within_days: u32,
    },
}

impl DateTest {
    pub fn check(self) -> Result<(), Invalid> {
        match self {
            Self::WithinLast { days }
            | Self::WithinNext { days }
            | Self::AtLeastAgo { days }
            | Self::AtLeastAhead { days } => within(&(0..=MAX_DATE_DAYS), days, "days"),
            Self::Anniversary { within_days } => within(&(0..=MAX_ANNIVERSARY_DAYS), within_days, "days"),
        }
    }
}

/// Which places' visits are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visited {
    /// The store of the place that fired, or the place itself if it has none.
    Here,
    Store(StoreName),
    /// Stores of the network with all of the tags, and its places without a store that have them.
    Tagged {
        network: OrganizationName,
        tags: BTreeSet<Tag>,
    },
    /// All places of the network.
    Network(OrganizationName),
}

impl Visited {
    /// Whose places they are; none for wherever it fired.
    pub fn network(&self) -> Option<&str> {
        match self {
            Self::Here => None,
            Self::Store(store) => Some(store.owner()),
            Self::Tagged { network, .. } | Self::Network(network) => Some(network.as_str()),
        }
    }
}

/// How many there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    AtLeast(u32),
    AtMost(u32),
}

impl Count {
    /// Whether so many are right.
    pub fn holds(self, count: usize) -> bool {
        match self {
            Self::AtLeast(least) => count >= least as usize,
            Self::AtMost(most) => count <= most as usize,
        }
    }

    /// At least none would hold of everybody.
    pub fn check(self) -> Result<(), Invalid> {
        match self {
            Self::AtLeast(least) => within(&(1..=MAX_COUNT), least, ""),
            Self::AtMost(most) => within(&(0..=MAX_COUNT), most, ""),
        }
    }
}

/// How long ago something must have been, in days of 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ago {
    AtLeast { days: u32 },
    AtMost { days: u32 },
}

impl Ago {
    pub fn days(self) -> u32 {
        let (Self::AtLeast { days } | Self::AtMost { days }) = self;
        days
    }
}

/// What has happened to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferEvent {
    Offered,
    Shown,
    Opened,
    /// At a till, and not wholly taken back.
    Redeemed,
}

/// Whose offers are meant. They are always of the organization whose rule it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffersOf {
    /// The campaign that asks; in a segment, the one that names the segment.
    ThisCampaign,
    Campaign(CampaignName),
    /// All campaigns of the organization.
    Brand,
}

/// What is asked of the place that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceTest {
    /// It has all of these tags, or belongs to a store that has.
    AllTags(BTreeSet<Tag>),
    /// It, or its store, has one of these at least.
    AnyTag(BTreeSet<Tag>),
    /// It is this network's.
    Network(OrganizationName),
    /// The newest fix was so near to the store, or to the geofence if it has no store.
    Within { metres: u32 },
    /// Its store is open, for sure.
    OpenNow,
}

/// A span of the civil day; `from` is in, `to` is out, and it may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    pub from: TimeOfDay,
    pub to: TimeOfDay,
}

impl Hours {
    pub fn check(self) -> Result<(), Invalid> {
        if self.from == self.to {
            return Err(Invalid::new(format!("must differ from the other end, was {} as well", self.to)));
        }
        Ok(())
    }
}

/// What is asked of the moment, by a clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentTest {
    /// All of them if unset. Of hours that cross midnight it is the day they began on.
    #[serde(default, deserialize_with = "stored_weekdays")]
    pub weekdays: Option<Weekdays>,
    /// The whole day if unset.
    pub hours: Option<Hours>,
    pub clock: Clock,
}

impl MomentTest {
    pub fn check(&self) -> Result<(), Invalid> {
        if self.weekdays.is_none() && self.hours.is_none() {
            return Err(Invalid::new("needs weekdays, or from and to, or both"));
        }
        self.hours.map_or(Ok(()), Hours::check)
    }
}

/// Rules stored before windows and conditions had the same weekdays list their ISO numbers.
fn stored_weekdays<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<Weekdays>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Days(Option<Weekdays>),
        Numbers(Vec<i8>),
    }
    let numbers = match Stored::deserialize(stored)? {
        Stored::Days(days) => return Ok(days),
        Stored::Numbers(numbers) => numbers,
    };
    let days = numbers.iter().map(|&number| Weekday::from_monday_one_offset(number).map_err(Error::custom));
    let days = days.collect::<Result<Vec<_>, _>>()?;
    Ok(Weekdays::new(days).ok())
}

/// What is asked of the device that pings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceTest {
    /// One of these.
    Platform(BTreeSet<Platform>),
    /// Its language is one of these tags or begins with one: `pt` is `pt-BR` too. Capitals do not count.
    Language(Vec<String>),
    AppVersion(VersionTest),
}

/// What is asked of the version of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionTest {
    AtLeast(AppVersion),
    Below(AppVersion),
}

/// Whether a list has something in it, and not too much.
pub fn check_choices(count: usize) -> Result<(), Invalid> {
    if (1..=MAX_CHOICES).contains(&count) {
        return Ok(());
    }
    Err(Invalid::new(format!("must be 1 to {MAX_CHOICES}, were {count}")))
}

/// Whether a number is in its range; `unit` is said behind the range, if it has one.
pub fn within(range: &RangeInclusive<u32>, number: u32, unit: &str) -> Result<(), Invalid> {
    if range.contains(&number) {
        return Ok(());
    }
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    Err(Invalid::new(format!("must be {} to {}{unit}, was {number}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_of_older_rules_are_still_read() {
        let read = |days: &str| {
            let stored = format!(r#"{{"weekdays":{days},"hours":null,"clock":"store"}}"#);
            serde_json::from_str::<MomentTest>(&stored).map(|test| test.weekdays.map(u8::from))
        };
        assert_eq!(read("[1,7]").expect("as it was stored"), Some(0b100_0001));
        assert_eq!(read("[]").expect("all"), None);
        assert!(read("[0]").is_err() && read("[8]").is_err());
        let now = MomentTest { weekdays: Weekdays::new([Weekday::Friday]).ok(), hours: None, clock: Clock::Person };
        let stored = serde_json::to_string(&now).expect("written");
        assert_eq!(serde_json::from_str::<MomentTest>(&stored).expect("read"), now);
    }
}
