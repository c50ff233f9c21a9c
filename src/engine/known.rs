//! The areas that one ping speaks of, looked up once.
//!
//! Law: for as long as one ping is decided upon; the areas of a version never change, so what was found stays true.

use std::{cell::RefCell, ops::Deref, sync::Arc, time::Duration};

use super::areas::{AreaEntry, Areas, Fired};
use crate::domain::presence::Area;

/// The areas of a version of the catalog, with a memory for those a device is known to be at: they are asked for in every
/// step of a decision, and finding one by its name among a million takes as long as the rest of the step.
pub struct Known<'a> {
    areas: &'a Areas,
    found: RefCell<Vec<Found>>,
}

#[derive(Clone)]
struct Found {
    area: Area,
    entry: Option<AreaEntry>,
    fired: Option<Arc<Fired>>,
}

impl<'a> Known<'a> {
    pub fn of(areas: &'a Areas) -> Self {
        Self { areas, found: RefCell::default() }
    }

    /// As [`Areas::get`].
    pub fn get(&self, area: &Area) -> Option<AreaEntry> {
        self.find(area, |found| found.entry.clone())
    }

    /// The next dwell threshold above `after` that some campaign or the place itself waits for.
    pub fn dwell_after(&self, area: &Area, after: Duration) -> Option<Duration> {
        self.find(area, |found| Areas::next_dwell(found.entry.as_ref(), found.fired.as_deref(), after))
    }

    fn find<T>(&self, area: &Area, answer: impl FnOnce(&Found) -> T) -> T {
        let mut known = self.found.borrow_mut();
        // A device is at a handful of areas.
        if let Some(found) = known.iter().find(|found| found.area == *area) {
            return answer(found);
        }
        let (entry, fired) = (self.areas.get(area), self.areas.fired.get(area).cloned());
        let found = Found { area: area.clone(), entry, fired };
        let answer = answer(&found);
        known.push(found);
        answer
    }
}

impl Deref for Known<'_> {
    type Target = Areas;

    fn deref(&self) -> &Areas {
        self.areas
    }
}
