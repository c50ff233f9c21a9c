//! Where, when and by which device: what needs no consent to profiling.
//!
//! Law 7: the moment is a civil one, by the store's clock or the person's; hours that cross midnight belong to the day they
//! began on.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::Person;
use crate::{
    domain::{
        audience::condition::{Clock, DeviceTest, MomentTest, PlaceTest, VersionTest},
        language::closeness,
        name::{CampaignName, SegmentName},
        place::{PlaceName, Store},
        text::Tag,
        time::{TimeOfDay, Timestamp},
    },
    engine::schedule::Doors,
};

/// The place that fired a campaign, as its audience may look at it.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// The campaign that asks.
    pub campaign: &'a CampaignName,
    /// What visits to it are remembered by; none where an event happened at no place.
    pub place: Option<PlaceName>,
    /// The place's own tags.
    pub tags: &'a BTreeSet<Tag>,
    pub store: Option<&'a Store>,
    /// Metres from the newest fix; none if it is unknown.
    pub distance_m: Option<f64>,
    /// Event time of the transition.
    pub at: Timestamp,
    /// A segment's rule is being asked.
    pub in_segment: bool,
    /// Which segments the person who is asked is in here: however many conditions name one, it is looked through once.
    pub segments: RefCell<BTreeMap<SegmentName, bool>>,
}

impl Site<'_> {
    /// The same for the rule of a segment; none if one is being asked already.
    pub(super) fn in_segment(&self) -> Option<Self> {
        let within = || Self { in_segment: true, place: self.place.clone(), segments: RefCell::default(), ..*self };
        (!self.in_segment).then(within)
    }

    pub(super) fn is(&self, test: &PlaceTest, doors: &Doors) -> bool {
        let of_store = |tag: &Tag| self.store.is_some_and(|store| store.tags.contains(tag));
        match test {
            PlaceTest::AllTags(tags) => {
                tags.is_subset(self.tags) || self.store.is_some_and(|store| tags.is_subset(&store.tags))
            }
            PlaceTest::AnyTag(tags) => tags.iter().any(|tag| self.tags.contains(tag) || of_store(tag)),
            PlaceTest::Network(network) => self.place.as_ref().is_some_and(|place| place.owner() == network.as_str()),
            PlaceTest::Within { metres } => self.distance_m.is_some_and(|distance| distance <= f64::from(*metres)),
            PlaceTest::OpenNow => self.store.is_some_and(|store| doors.is_open(store)),
        }
    }
}

impl Person<'_> {
    pub(super) fn is_now(&self, test: &MomentTest, site: &Site<'_>) -> bool {
        let local = self.clock_of(test, site);
        let mut date = local.date();
        if let Some(hours) = test.hours {
            let (time, crosses) = (TimeOfDay::of(local), hours.to < hours.from);
            let began_yesterday = crosses && time < hours.to;
            let is_within = hours.from <= time && (crosses || time < hours.to);
            if !is_within && !began_yesterday {
                return false;
            }
            if began_yesterday {
                date = date.yesterday().unwrap_or(date);
            }
        }
        test.weekdays.is_none_or(|weekdays| weekdays.contain(date.weekday()))
    }

    /// What the clock shows that the test is about.
    pub(super) fn clock_of(&self, test: &MomentTest, site: &Site<'_>) -> jiff::civil::DateTime {
        match (test.clock, site.store) {
            (Clock::Store, Some(store)) => store.time_zone.local(self.around.now),
            (Clock::Store, None) | (Clock::Person, _) => self.local(),
        }
    }

    pub(super) fn uses(&self, test: &DeviceTest) -> bool {
        let device = self.around.device;
        match test {
            DeviceTest::Platform(platforms) => platforms.contains(&device.platform),
            DeviceTest::Language(languages) => {
                languages.iter().any(|range| closeness(&device.language, range).is_some())
            }
            DeviceTest::AppVersion(test) => device.app_version.is_some_and(|version| match test {
                VersionTest::AtLeast(least) => version >= *least,
                VersionTest::Below(limit) => version < *limit,
            }),
        }
    }
}
