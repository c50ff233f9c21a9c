//! A rule as a marketer would say it.
//!
//! Law: words name what is asked, never what somebody has.

use std::fmt::{self, Display, Formatter};

use super::{
    Rule,
    condition::{
        Ago, Clock, Count, DateTest, DeviceTest, MomentTest, OfferEvent, OffersOf, PlaceTest, VersionTest, Visited,
    },
};
use crate::domain::{profile::Platform, schedule::Weekdays, text::Tag};

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            // Rules of before such were refused.
            Self::All(rules) if rules.is_empty() => f.write_str("always true"),
            Self::Any(rules) if rules.is_empty() => f.write_str("never true"),
            Self::All(rules) => write!(f, "({})", join(rules, " and ")),
            Self::Any(rules) => write!(f, "({})", join(rules, " or ")),
            Self::Not(rule) => write!(f, "not {rule}"),
            Self::Trait { key, comparison, value } => write!(f, "{key} {} {value}", comparison.symbol()),
            Self::TraitIn { key, values } => write!(f, "{key} is one of {}", join(values, ", ")),
            Self::TraitKnown(key) => write!(f, "{key} is known"),
            Self::TraitDate { key, test } => write!(f, "{key} is {test}"),
            Self::Interest { topic, at_least } => write!(f, "interest in {topic} ≥ {at_least}"),
            Self::Consent(purpose) => write!(f, "consent to {}", purpose.as_str()),
            Self::Segment(name) => write!(f, "in {name}"),
            Self::Visits { at, within_days, count } => {
                write!(f, "{} {at} in {}", counted(*count, "visit"), many(*within_days, "day"))
            }
            Self::LastVisit { at, ago } => write!(f, "last visit {at} {ago}"),
            Self::Offers { of, event, within_days, count } => {
                write!(f, "{} of {of} {event} in {}", counted(*count, "offer"), many(*within_days, "day"))
            }
            Self::Place(test) => test.fmt(f),
            Self::Moment(test) => test.fmt(f),
            Self::Device(test) => test.fmt(f),
        }
    }
}

fn join<T: Display>(parts: impl IntoIterator<Item = T>, word: &str) -> String {
    let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
    parts.join(word)
}

impl Display for DateTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithinLast { days } => write!(f, "within the last {}", many(*days, "day")),
            Self::WithinNext { days } => write!(f, "within the next {}", many(*days, "day")),
            Self::AtLeastAgo { days } => write!(f, "at least {} ago", many(*days, "day")),
            Self::AtLeastAhead { days } => write!(f, "at least {} ahead", many(*days, "day")),
            Self::Anniversary { within_days: 0 } => f.write_str("a date whose anniversary is today"),
            Self::Anniversary { within_days } => {
                write!(f, "a date whose anniversary is within {}", many(*within_days, "day"))
            }
        }
    }
}

impl Display for Visited {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("at this place"),
            Self::Store(store) => write!(f, "at {store}"),
            Self::Tagged { network, tags } => write!(f, "at places of {network} tagged {}", join(tags, " and ")),
            Self::Network(network) => write!(f, "at places of {network}"),
        }
    }
}

fn counted(count: Count, of: &str) -> String {
    match count {
        Count::AtLeast(least) => format!("at least {}", many(least, of)),
        Count::AtMost(most) => format!("at most {}", many(most, of)),
    }
}

fn many(number: u32, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast { days } => write!(f, "at least {} ago", many(*days, "day")),
            Self::AtMost { days } => write!(f, "at most {} ago", many(*days, "day")),
        }
    }
}

impl Display for OffersOf {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisCampaign => f.write_str("this campaign"),
            Self::Campaign(name) => name.fmt(f),
            Self::Brand => f.write_str("this brand"),
        }
    }
}

impl Display for OfferEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offered => "offered",
            Self::Shown => "shown",
            Self::Opened => "opened",
            Self::Redeemed => "redeemed",
        })
    }
}

impl Display for PlaceTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllTags(tags) => write!(f, "the place is tagged {}", join(tags.iter().map(Tag::as_str), " and ")),
            Self::AnyTag(tags) => write!(f, "the place is tagged {}", join(tags.iter().map(Tag::as_str), " or ")),
            Self::Network(network) => write!(f, "the place is of {network}"),
            Self::Within { metres } => write!(f, "the place is within {metres} m"),
            Self::OpenNow => f.write_str("the store is open"),
        }
    }
}

impl Display for MomentTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let short = |day| format!("{day:?}").chars().take(3).collect::<String>();
        let days: Vec<String> = self.weekdays.into_iter().flat_map(Weekdays::iter).map(short).collect();
        let hours = self.hours.map(|hours| format!("{} to {}", hours.from, hours.to));
        let said: Vec<String> = (!days.is_empty()).then(|| days.join(", ")).into_iter().chain(hours).collect();
        let clock = match self.clock {
            Clock::Store => "the store's",
            Clock::Person => "the person's",
        };
        write!(f, "it is {} by {clock} clock", said.join(" "))
    }
}

impl Display for DeviceTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(platforms) => {
                write!(f, "the platform is {}", join(platforms.iter().copied().map(Platform::as_str), " or "))
            }
            Self::Language(languages) => write!(f, "the language is {}", join(languages, " or ")),
            Self::AppVersion(VersionTest::AtLeast(version)) => write!(f, "the app's version is at least {version}"),
            Self::AppVersion(VersionTest::Below(version)) => write!(f, "the app's version is below {version}"),
        }
    }
}
