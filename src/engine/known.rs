//! The areas that one ping speaks of, looked up once.
//!
//! Law: for as long as one ping is decided upon; the areas of a version never change, so what was found stays true.
//! Finding an area by its name among a million takes as long as the rest of the step, so what holds a position is kept
//! as it was found in the index.

use std::{
    cell::{OnceCell, RefCell},
    ops::Deref,
    sync::Arc,
    time::Duration,
};

use super::areas::{AreaEntry, Areas, Fired};
use crate::domain::{geo::Position, place::Store, presence::Area};

/// The areas of a version of the catalog, with a memory for those that were asked for.
pub struct Known<'a> {
    areas: &'a Areas,
    found: RefCell<Vec<Found<'a>>>,
    matched: RefCell<Option<Matched<'a>>>,
}

/// What holds a position, each area once.
struct Matched<'a> {
    position: Position,
    entries: Vec<&'a AreaEntry>,
}

struct Found<'a> {
    mark: u64,
    area: Area,
    entry: Option<AreaEntry>,
    fired: OnceCell<Option<&'a Fired>>,
}

impl<'a> Known<'a> {
    pub fn of(areas: &'a Areas) -> Self {
        Self { areas, found: RefCell::default(), matched: RefCell::default() }
    }

    /// The store an area belongs to.
    pub fn store_of(&self, entry: &AreaEntry) -> Option<&'a Arc<Store>> {
        self.areas.stores.get(entry.store()?).map(|entry| &entry.value)
    }

    /// As [`Areas::get`].
    pub fn get(&self, area: &Area) -> Option<AreaEntry> {
        self.find(area, |found| found.entry.clone())
    }

    /// As [`Areas::holding`], but each area once.
    pub fn holding(&self, position: Position, mut visit: impl FnMut(&'a AreaEntry)) {
        self.remember(position);
        if let Some(matched) = &*self.matched.borrow() {
            matched.entries.iter().for_each(|entry| visit(entry));
        }
    }

    /// Whether the area holds the position.
    pub fn is_holding(&self, area: &Area, position: Position) -> bool {
        self.remember(position);
        let matched = self.matched.borrow();
        let entries = matched.as_ref().map(|matched| matched.entries.as_slice()).unwrap_or_default();
        self.find(area, |found| found.entry.as_ref().is_some_and(|entry| entries.contains(&entry)))
    }

    /// Looks up what holds the position, if that is not what was looked up last.
    pub fn remember(&self, position: Position) {
        if self.matched.borrow().as_ref().is_some_and(|matched| matched.position == position) {
            return;
        }
        let mut entries: Vec<&AreaEntry> = Vec::new();
        self.areas.holding(position, |entry| {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        });
        let mut known = self.found.borrow_mut();
        for entry in &entries {
            let area = entry.area();
            if place_of(&known, &area).is_none() {
                known.push(Found::new(area, Some((*entry).clone())));
            }
        }
        *self.matched.borrow_mut() = Some(Matched { position, entries });
    }

    /// The next dwell threshold above `after` that some campaign or the place itself waits for.
    pub fn dwell_after(&self, area: &Area, after: Duration) -> Option<Duration> {
        self.find(area, |found| Areas::next_dwell(found.entry.as_ref(), self.fired_of(found), after))
    }

    /// What happens at the area, if it has campaigns.
    pub fn fired(&self, area: &Area) -> Option<&'a Fired> {
        self.find(area, |found| self.fired_of(found))
    }

    fn fired_of(&self, found: &Found<'a>) -> Option<&'a Fired> {
        *found.fired.get_or_init(|| self.areas.fired.get(&found.area).map(Arc::as_ref))
    }

    fn find<T>(&self, area: &Area, answer: impl FnOnce(&Found<'a>) -> T) -> T {
        let mut known = self.found.borrow_mut();
        let place = place_of(&known, area).unwrap_or_else(|| {
            known.push(Found::new(area.clone(), self.areas.get(area)));
            known.len() - 1
        });
        answer(&known[place])
    }
}

impl Found<'_> {
    fn new(area: Area, entry: Option<AreaEntry>) -> Self {
        Self { mark: mark(&area), area, entry, fired: OnceCell::new() }
    }
}

/// A device is at a handful of areas, which are soonest told apart one by one.
fn place_of(known: &[Found<'_>], area: &Area) -> Option<usize> {
    let mark = mark(area);
    known.iter().position(|found| found.mark == mark && found.area == *area)
}

/// Tells areas apart without reading their names, which begin alike and end differently.
fn mark(area: &Area) -> u64 {
    let (name, radius_m) = match area {
        Area::Geofence(name) => (name.as_str(), 0),
        Area::Around(name, radius_m) => (name.as_str(), *radius_m),
        Area::Beacon(name) => (name.as_str(), 0),
    };
    let end = name.as_bytes().last_chunk().map_or(0, |end| u64::from_le_bytes(*end));
    end ^ u64::from(radius_m)
}

impl Deref for Known<'_> {
    type Target = Areas;

    fn deref(&self) -> &Areas {
        self.areas
    }
}
