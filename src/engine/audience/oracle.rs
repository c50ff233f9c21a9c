//! The same rules, evaluated naively and by other means: lists of words, days walked one by one, minutes counted through.
//!
//! Law: nothing here is shared with the evaluator but the data.

use jiff::{Span, Zoned, civil, tz};

use super::*;
use crate::domain::audience::condition::{
    Ago, Clock, Count, DeviceTest, MomentTest, OfferEvent, OffersOf, PlaceTest, VersionTest, Visited,
};

/// Everything there is to know.
pub struct Facts<'a> {
    pub profile: &'a Profile,
    pub zone: &'a TimeZone,
    pub now: Timestamp,
    pub device: &'a Device,
    pub catalog: &'a Catalog,
    pub site: &'a Site<'a>,
    pub since: Option<Timestamp>,
}

const DAY: i64 = 86_400_000_000;

pub fn holds(facts: &Facts<'_>, rule: &Rule, segments: bool) -> bool {
    match rule {
        Rule::All(rules) => rules.iter().filter(|rule| !holds(facts, rule, segments)).count() == 0,
        Rule::Any(rules) => rules.iter().filter(|rule| holds(facts, rule, segments)).count() > 0,
        Rule::Not(rule) => !holds(facts, rule, segments),
        Rule::Trait { key, comparison, value } => match (trait_of(facts, key), comparison.symbol()) {
            (None, _) => false,
            (Some(own), "=") => format!("{own:?}") == format!("{value:?}"),
            (Some(own), "≠") => format!("{own:?}") != format!("{value:?}"),
            (Some(own), symbol) => matches!(
                (symbol, sign(&own, value)),
                ("<", Some(-1)) | ("≤", Some(-1 | 0)) | (">", Some(1)) | ("≥", Some(0 | 1))
            ),
        },
        Rule::TraitIn { key, values } => trait_of(facts, key)
            .is_some_and(|own| values.iter().any(|value| format!("{own:?}") == format!("{value:?}"))),
        Rule::TraitKnown(key) => trait_of(facts, key).is_some(),
        Rule::TraitDate { key, test } => match trait_of(facts, key) {
            Some(TraitValue::Date(own)) => dated(own.to_string().parse().expect("a date"), today(facts), *test),
            _ => false,
        },
        Rule::Interest { topic, at_least } => {
            profiled(facts)
                && facts.profile.personal_of_record().interests.get(topic).is_some_and(|own| own >= at_least)
        }
        Rule::Consent(purpose) => facts.profile.consents.iter().any(|(own, answer)| own == *purpose && answer.granted),
        Rule::Segment(name) => {
            let found = facts
                .catalog
                .segments
                .iter()
                .find(|(known, _)| segments && *known == name && name.as_str().starts_with("organizations/brand/"));
            found.is_some_and(|(_, entry)| holds(facts, entry.value.audience.rule(), false))
        }
        Rule::Visits { at, within_days, count } => {
            let times =
                visits(facts, at).filter(|(_, begun)| facts.now.micros() - begun < i64::from(*within_days) * DAY);
            may_ask(facts, at) && counted(times.count(), *count)
        }
        Rule::LastVisit { at, ago } => {
            let mut times: Vec<i64> =
                visits(facts, at).filter(|visit| !is_this_one(facts, visit)).map(|(_, at)| at).collect();
            times.sort_unstable();
            let age = times.last().map(|last| facts.now.micros() - last).filter(|age| *age < 90 * DAY);
            may_ask(facts, at)
                && age.is_some_and(|age| match ago {
                    Ago::AtLeast { days } => age >= i64::from(*days) * DAY,
                    Ago::AtMost { days } => age <= i64::from(*days) * DAY,
                })
        }
        Rule::Offers { of, event, within_days, count } => {
            let times =
                facts.profile.offers.iter().filter(|offer| is_of(facts, offer, of) && is_own(offer)).filter_map(
                    |offer| match event {
                        OfferEvent::Offered => Some(offer.offered_at),
                        OfferEvent::Shown => offer.shown_at,
                        OfferEvent::Opened => offer.opened_at,
                        OfferEvent::Redeemed => offer.redeemed_at,
                    },
                );
            let recent = times.filter(|at| facts.now.micros() - at.micros() < i64::from(*within_days) * DAY);
            profiled(facts) && counted(recent.count(), *count)
        }
        Rule::Place(test) => placed(facts, test),
        Rule::Moment(test) => timed(facts, test),
        Rule::Device(test) => carried(facts, test),
    }
}

/// What was offered to somebody else on the device was returned as it was made.
fn is_own(offer: &GivenOffer) -> bool {
    offer.returned_at != Some(offer.offered_at)
}

fn profiled(facts: &Facts<'_>) -> bool {
    facts.profile.consents.granted(crate::domain::consent::Purpose::Profiling)
}

fn trait_of(facts: &Facts<'_>, key: &TraitKey) -> Option<TraitValue> {
    let traits = facts.profile.personal_of_record().traits.clone();
    traits.into_iter().find(|(known, _)| profiled(facts) && known == key).map(|(_, value)| value)
}

/// Of two dates their digits tell which is the later one.
fn sign(own: &TraitValue, value: &TraitValue) -> Option<i32> {
    let number = |value: &TraitValue| match value {
        TraitValue::Number(number) => Some((0, *number)),
        TraitValue::Date(date) => date.to_string().replace('-', "").parse().ok().map(|digits| (1, digits)),
        TraitValue::Text(_) | TraitValue::Flag(_) => None,
    };
    let ((kind, own), (other, value)) = (number(own)?, number(value)?);
    (kind == other).then(|| i32::from(own > value) - i32::from(own < value))
}

fn at_zone(facts: &Facts<'_>, zone: &TimeZone) -> Zoned {
    let zone = tz::TimeZone::get(zone.name()).expect("known");
    jiff::Timestamp::from_microsecond(facts.now.micros()).expect("sound").to_zoned(zone)
}

fn today(facts: &Facts<'_>) -> civil::Date {
    at_zone(facts, facts.zone).date()
}

fn dated(own: civil::Date, today: civil::Date, test: DateTest) -> bool {
    let day = |days: u32, sign: i64| today + Span::new().days(sign * i64::from(days));
    match test {
        DateTest::WithinLast { days } => day(days, -1) <= own && own <= today,
        DateTest::WithinNext { days } => today <= own && own <= day(days, 1),
        DateTest::AtLeastAgo { days } => own <= day(days, -1),
        DateTest::AtLeastAhead { days } => own >= day(days, 1),
        DateTest::Anniversary { within_days } => (0..=within_days).map(|days| day(days, 1)).any(|day| {
            let moved = (own.month(), own.day()) == (2, 29) && !day.in_leap_year();
            (day.month(), day.day()) == if moved { (2, 28) } else { (own.month(), own.day()) }
        }),
    }
}

fn here(facts: &Facts<'_>) -> String {
    facts.site.place.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Every visit to the places meant, by name.
fn visits<'a>(facts: &'a Facts<'_>, at: &'a Visited) -> impl Iterator<Item = (String, i64)> + 'a {
    let all = facts.profile.visits_of_record().iter();
    let all = all.flat_map(|known| known.begun.iter().map(|begun| (known.place.to_string(), begun.micros())));
    all.filter(move |(place, _)| match at {
        Visited::Here => *place == here(facts),
        Visited::Store(store) => place == store.as_str(),
        Visited::Network(network) => place.starts_with(&format!("{network}/")),
        Visited::Tagged { network, tags } => {
            let stores = facts.catalog.stores.values().map(|entry| (entry.value.name.to_string(), &entry.value.tags));
            let fences =
                facts.catalog.geofences.values().map(|entry| (entry.value.name.to_string(), &entry.value.tags));
            let own = stores.chain(fences).find(|(name, _)| name == place).expect("all of them stay").1;
            place.starts_with(&format!("{network}/")) && tags.difference(own).count() == 0
        }
    })
}

/// Rival grants nothing.
fn may_ask(facts: &Facts<'_>, at: &Visited) -> bool {
    profiled(facts) && at.network() != Some("organizations/rival")
}

/// Half an hour before the person came belongs to the visit that is going on.
fn is_this_one(facts: &Facts<'_>, (place, begun): &(String, i64)) -> bool {
    *place == here(facts) && facts.since.is_some_and(|since| *begun >= since.micros() - 30 * 60 * 1_000_000)
}

fn counted(found: usize, count: Count) -> bool {
    match count {
        Count::AtLeast(least) => found as u32 >= least,
        Count::AtMost(most) => found as u32 <= most,
    }
}

fn is_of(facts: &Facts<'_>, offer: &GivenOffer, of: &OffersOf) -> bool {
    let own = offer.campaign.to_string();
    own.starts_with("organizations/brand/")
        && match of {
            OffersOf::ThisCampaign => own == facts.site.campaign.to_string(),
            OffersOf::Campaign(name) => own == name.to_string(),
            OffersOf::Brand => true,
        }
}

fn placed(facts: &Facts<'_>, test: &PlaceTest) -> bool {
    let lists = [Some(facts.site.tags), facts.site.store.map(|store| &store.tags)];
    let mut lists = lists.into_iter().flatten();
    match test {
        PlaceTest::AllTags(tags) => lists.any(|own| tags.difference(own).count() == 0),
        PlaceTest::AnyTag(tags) => lists.any(|own| tags.intersection(own).count() > 0),
        PlaceTest::Network(network) => here(facts).starts_with(&format!("{network}/")),
        PlaceTest::Within { metres } => facts.site.distance_m.unwrap_or(f64::INFINITY) <= f64::from(*metres),
        PlaceTest::OpenNow => facts.site.store.is_some_and(|store| {
            let now = at_zone(facts, &store.time_zone).datetime();
            let is_weekend = ["Saturday", "Sunday"].contains(&format!("{:?}", now.weekday()).as_str());
            !store.opening_hours.as_str().is_empty() && !is_weekend && (9..18).contains(&now.hour())
        }),
    }
}

/// Goes back minute by minute, by the clock on the wall, to where the hours began.
fn timed(facts: &Facts<'_>, test: &MomentTest) -> bool {
    let zone = match (test.clock, facts.site.store) {
        (Clock::Store, Some(store)) => &store.time_zone,
        _ => facts.zone,
    };
    let now = at_zone(facts, zone).datetime();
    let clock = |at: civil::DateTime| format!("{:02}:{:02}", at.hour(), at.minute());
    let began = match test.hours {
        None => Some(now),
        Some(hours) => {
            let back = (0..1_440).map(|minutes| now - Span::new().minutes(minutes));
            let open = back.take_while(|at| clock(*at) != hours.to.to_string());
            open.into_iter().find(|at| clock(*at) == hours.from.to_string())
        }
    };
    began.is_some_and(|began| {
        let name = format!("{:?}", began.weekday());
        test.weekdays.is_none_or(|days| days.to_string().split(", ").any(|day| day == name))
    })
}

fn carried(facts: &Facts<'_>, test: &DeviceTest) -> bool {
    let numbers = |text: String| {
        let mut numbers: Vec<u64> = text.split('.').map(|part| part.parse().expect("digits")).collect();
        numbers.resize(9, 0);
        numbers
    };
    let own = facts.device.app_version.map(|version| numbers(version.to_string()));
    match test {
        DeviceTest::Platform(platforms) => platforms.iter().any(|platform| *platform == facts.device.platform),
        DeviceTest::Language(languages) => languages.iter().any(|wanted| {
            let parts = |tag: &str| tag.to_lowercase().split('-').map(str::to_owned).collect::<Vec<_>>();
            parts(&facts.device.language).starts_with(&parts(wanted))
        }),
        DeviceTest::AppVersion(VersionTest::AtLeast(version)) => {
            own.is_some_and(|own| own >= numbers(version.to_string()))
        }
        DeviceTest::AppVersion(VersionTest::Below(version)) => {
            own.is_some_and(|own| own < numbers(version.to_string()))
        }
    }
}
