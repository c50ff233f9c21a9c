//! Evaluates WHO: whether a person is in an audience, and if not, which term says so.
//!
//! Laws: total; without allocation where the person is in it, but for what is remembered of segments and tags; an audience
//! comes taken apart into terms, once for each version of its campaign or segment. Law 4: traits, interests, visits and
//! offers are read with a permit for profiling only; without it they are missing data, and missing data makes a condition
//! false, never an error.
//!
//! What was is in `past`; where, when and by which device in `context`.

mod changes;
mod context;
mod fewest;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod oracle;
mod past;
#[cfg(test)]
mod tests;

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use changes::Change;
pub use context::Site;

use super::{catalog::Catalog, schedule::Doors};
use crate::domain::{
    audience::{Audience, Comparison, Rule, Term, TraitValue, condition::DateTest},
    consent::{Consented, Profiling},
    date::Date,
    name::SegmentName,
    offer::GivenOffer,
    organization::App,
    place::PlaceName,
    profile::{Device, Profile},
    text::{Tag, Tailed, Topic, TraitKey},
    time::{TimeZone, Timestamp},
    visits::Visits,
};

/// What an audience may look at: one profile, as far as it agreed, and what is around it now.
pub struct Person<'a> {
    profile: &'a Profile,
    traits: Words<'a, TraitKey, TraitValue>,
    interests: Words<'a, Topic, f64>,
    past: Option<Past<'a>>,
    around: Around<'a>,
    /// Of the stores that anything asks about at this ping.
    doors: Doors,
    /// Which of the visited places, in their order, have all these tags: asked of the catalog once.
    tagged: RefCell<BTreeMap<BTreeSet<Tag>, Arc<[bool]>>>,
    /// By the person's own clock.
    local: OnceCell<jiff::civil::DateTime>,
}

/// What is so of the person at this ping, whatever the campaign.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub now: Timestamp,
    /// The person's own zone.
    pub zone: &'a TimeZone,
    /// The device that pings.
    pub device: &'a Device,
    pub catalog: &'a Catalog,
    /// With those that begin now; none without a permit for profiling.
    pub visits: Option<&'a Visits>,
    /// When the visit to a place began that goes on at a time.
    pub stays: &'a dyn Fn(&PlaceName, Timestamp) -> Option<Timestamp>,
}

/// What only profiling may remember.
#[derive(Clone, Copy)]
struct Past<'a> {
    visits: &'a Visits,
    offers: &'a [GivenOffer],
}

/// Values by words, of which there are few: their tails, side by side, tell most of them apart.
struct Words<'a, K, V> {
    tails: Vec<u64>,
    values: Vec<(&'a K, &'a V)>,
}

impl<K, V> Default for Words<'_, K, V> {
    fn default() -> Self {
        Self { tails: Vec::new(), values: Vec::new() }
    }
}

impl<'a, K: Tailed + Eq, V> Words<'a, K, V> {
    fn of(values: impl Iterator<Item = (&'a K, &'a V)>) -> Self {
        let room = values.size_hint().1.unwrap_or(0);
        let mut words = Self { tails: Vec::with_capacity(room), values: Vec::with_capacity(room) };
        for (word, value) in values {
            words.tails.push(word.tail());
            words.values.push((word, value));
        }
        words
    }

    fn get(&self, word: &K) -> Option<&'a V> {
        let mut from = 0;
        while let Some(at) = self.tails[from..].iter().position(|&tail| tail == word.tail()).map(|at| from + at) {
            let (other, value) = self.values[at];
            if other == word {
                return Some(value);
            }
            from = at + 1;
        }
        None
    }
}

impl<'a> Person<'a> {
    pub fn new(profile: &'a Profile, profiling: Option<Consented<Profiling>>, around: Around<'a>) -> Self {
        let personal = profiling.map(|permit| profile.personal(permit));
        let traits = personal.map_or_else(Words::default, |own| Words::of(own.traits.iter()));
        let interests = personal.map_or_else(Words::default, |own| Words::of(own.interests.iter()));
        let visits = profiling.and(around.visits);
        let past = visits.map(|visits| Past { visits, offers: &profile.offers });
        let doors = Doors::at(around.now);
        Self { profile, traits, interests, past, around, doors, tagged: RefCell::default(), local: OnceCell::new() }
    }

    /// The same, but of traits only what the app declares: what it declares no more is missing, at once.
    pub fn declared_by(mut self, app: &App) -> Self {
        // Both are in the order of keys.
        let mut declared = app.traits.iter().peekable();
        let mut is_declared = |key: &TraitKey, value: &TraitValue| {
            while declared.next_if(|(other, _)| *other < key).is_some() {}
            declared.next_if(|(other, _)| *other == key).is_some_and(|(_, found)| found.is_of_kind(value))
        };
        self.traits = Words::of(self.traits.values.into_iter().filter(|(key, value)| is_declared(key, value)));
        self
    }

    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// Strength of the interest, 0 to 1; none if unknown or not to be known.
    pub fn interest(&self, topic: &Topic) -> Option<f64> {
        self.interests.get(topic).copied()
    }

    /// The device that pings.
    pub fn device(&self) -> &'a Device {
        self.around.device
    }

    /// The stores around, at this moment.
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// None if unknown or not to be known.
    pub fn trait_value(&self, key: &TraitKey) -> Option<&'a TraitValue> {
        self.traits.get(key)
    }

    /// None if the person is in the audience at this place, else the first term that fails.
    pub fn missing_from<'t>(&self, audience: &'t Audience, site: &Site<'_>) -> Option<&'t Term> {
        audience.terms().iter().find(|term| !self.holds(&term.rule, site))
    }

    fn holds(&self, rule: &Rule, site: &Site<'_>) -> bool {
        match rule {
            Rule::All(rules) => rules.iter().all(|rule| self.holds(rule, site)),
            Rule::Any(rules) => rules.iter().any(|rule| self.holds(rule, site)),
            Rule::Not(rule) => !self.holds(rule, site),
            Rule::Trait { key, comparison, value } => {
                self.trait_value(key).is_some_and(|own| compare(own, *comparison, value))
            }
            Rule::TraitIn { key, values } => self.trait_value(key).is_some_and(|own| values.contains(own)),
            Rule::TraitKnown(key) => self.trait_value(key).is_some(),
            Rule::TraitDate { key, test } => match self.trait_value(key) {
                Some(TraitValue::Date(own)) => stands(*own, *test, Date::of(self.local())),
                _ => false,
            },
            Rule::Interest { topic, at_least } => self.interest(topic).is_some_and(|own| own >= *at_least),
            Rule::Consent(purpose) => self.profile.consents.granted(*purpose),
            Rule::Segment(name) => self.is_in(name, site),
            Rule::Visits { at, within_days, count } => {
                self.visits(at, *within_days, site).is_some_and(|visits| count.holds(visits))
            }
            Rule::LastVisit { at, ago } => self.last_visit(at, site).is_some_and(|last| self.was(*ago, last)),
            Rule::Offers { of, event, within_days, count } => {
                self.offers(of, *event, *within_days, site).is_some_and(|offers| count.holds(offers))
            }
            Rule::Place(test) => site.is(test, &self.doors),
            Rule::Moment(test) => self.is_now(test, site),
            Rule::Device(test) => self.uses(test),
        }
    }

    /// Whether the person is in a segment of the campaign's organization. What a segment says of segments is false: it
    /// names none.
    fn is_in(&self, name: &SegmentName, site: &Site<'_>) -> bool {
        let known = site.segments.borrow().get(name).copied();
        known.unwrap_or_else(|| {
            let Some((segment, within)) = self.own_segment(name, site) else { return false };
            let is_in = segment.terms().iter().all(|term| self.holds(&term.rule, &within));
            site.segments.borrow_mut().insert(name.clone(), is_in);
            is_in
        })
    }

    /// A segment that the rule of a campaign may name, and where its own rule is asked.
    fn own_segment<'s>(&self, name: &SegmentName, site: &Site<'s>) -> Option<(&'a Audience, Site<'s>)> {
        let within = site.in_segment().filter(|_| name.owner() == site.campaign.owner())?;
        let segment = self.around.catalog.segments.get(name)?;
        Some((&segment.value.audience, within))
    }

    /// The civil date and time where the person is.
    fn local(&self) -> jiff::civil::DateTime {
        *self.local.get_or_init(|| self.around.zone.local(self.around.now))
    }
}

fn stands(own: Date, test: DateTest, today: Date) -> bool {
    let ahead = own.days_after(today);
    match test {
        DateTest::WithinLast { days } => (-i64::from(days)..=0).contains(&ahead),
        DateTest::WithinNext { days } => (0..=i64::from(days)).contains(&ahead),
        DateTest::AtLeastAgo { days } => ahead <= -i64::from(days),
        DateTest::AtLeastAhead { days } => ahead >= i64::from(days),
        DateTest::Anniversary { within_days } => {
            own.days_to_anniversary(today).is_some_and(|days| days <= i64::from(within_days))
        }
    }
}

fn compare(own: &TraitValue, comparison: Comparison, value: &TraitValue) -> bool {
    let ordering = match (comparison, own, value) {
        (Comparison::Equals, own, value) => return own == value,
        (Comparison::NotEquals, own, value) => return own != value,
        (_, TraitValue::Number(own), TraitValue::Number(value)) => own.partial_cmp(value),
        (_, TraitValue::Date(own), TraitValue::Date(value)) => Some(own.cmp(value)),
        _ => None,
    };
    ordering.is_some_and(|ordering| match comparison {
        Comparison::LessThan => ordering.is_lt(),
        Comparison::AtMost => ordering.is_le(),
        Comparison::GreaterThan => ordering.is_gt(),
        Comparison::AtLeast => ordering.is_ge(),
        Comparison::Equals | Comparison::NotEquals => false,
    })
}
