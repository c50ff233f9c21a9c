//! Reports of what became of offers on the phone.
//!
//! Law 2: a report may come twice and in any order with others; all of one is recorded together, or nothing.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    ingest::DeviceCaller,
    people::{People, PeopleError, Whose},
};
use crate::{
    domain::{name::DeviceName, offer::OfferId, profile::Profile, time::Timestamp},
    engine::engagement::{Event, note, return_unshown},
    ports::EngagementMark,
};

/// Most events in one report.
pub const MAX_EVENTS: usize = 500;

/// What a device reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub received_at: Timestamp,
    pub events: Vec<OfferEvent>,
    /// All that was shown until then is reported, with this report.
    pub through: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfferEvent {
    pub offer: OfferId,
    pub event: Event,
    /// Event time.
    pub at: Timestamp,
}

/// Records reports.
pub struct Engagement {
    people: Arc<People>,
}

impl Engagement {
    pub fn new(people: Arc<People>) -> Self {
        Self { people }
    }

    /// Records what the device reports of its profile's offers; returns the profile, and the offers that it does not know,
    /// each once, in the order of the report.
    pub async fn report(&self, caller: &DeviceCaller, report: &Report) -> Result<(Profile, Vec<OfferId>), PeopleError> {
        self.people.edit(Whose::Own(caller, None), |profile, _| Ok(apply(profile, &caller.device, report))).await
    }
}

/// The unknown offers, and what became of the others as far as that is new.
fn apply(profile: &mut Profile, device: &DeviceName, report: &Report) -> (Vec<OfferId>, Vec<EngagementMark>) {
    let before = profile.offers.clone();
    let (mut unknown, mut seen) = (Vec::new(), BTreeSet::new());
    for OfferEvent { offer, event, at } in &report.events {
        match Arc::make_mut(&mut profile.offers).iter_mut().find(|given| given.id == *offer && !given.ghost) {
            Some(given) => note(given, *event, *at, report.received_at),
            None if seen.insert(*offer) => unknown.push(*offer),
            None => {}
        }
    }
    if let Some(through) = report.through {
        return_unshown(Arc::<Vec<_>>::make_mut(&mut profile.offers), device, through, report.received_at);
    }
    let changed = profile.offers.iter().zip(before.iter()).filter(|(after, before)| after != before);
    (unknown, changed.map(|(after, _)| EngagementMark::from(after)).collect())
}
