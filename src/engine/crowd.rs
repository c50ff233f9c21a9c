//! Which areas count where there are too many.
//!
//! Law: whoever covers a country with circles holds up nobody's ping: no more of them are taken than count. And nobody's
//! areas keep those of another organization from counting.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use super::{
    areas::Areas,
    boxes::{self, DegreeBox},
    entry::AreaView,
    forest::{Bounds, Tree},
    packed::{Boxed, Packed},
};
use crate::domain::{place::Geofence, shape::Shape};

/// Most areas of one organization that a fix is taken to be in, or a way to lead through, beside those where the device is
/// known to be: more than any street has.
pub const MOST_AT_ONCE: usize = 1_000;

/// The smallest of these areas, at most [`MOST_AT_ONCE`] of each organization, and those that are left out.
pub fn smallest(mut views: Vec<AreaView<'_>>) -> (Vec<AreaView<'_>>, Vec<AreaView<'_>>) {
    if views.len() <= MOST_AT_ONCE {
        return (views, Vec::new());
    }
    // Sizes are no numbers to compare, but their bits are: they are never negative.
    views.sort_by_cached_key(|view| (view.size_m().to_bits(), view.mark()));
    let mut counts: HashMap<&str, usize> = HashMap::new();
    views.into_iter().partition(|view| {
        let count = counts.entry(view.owner()).or_default();
        *count += 1;
        *count <= MOST_AT_ONCE
    })
}

/// The first of these geofences of one organization, put beside each other and what there is, whose middle as many others of
/// it hold as count there. Told from their boxes.
pub fn crowded<'a>(areas: &Areas, fences: &[&'a Geofence]) -> Option<&'a Geofence> {
    let names: HashSet<&str> = fences.iter().map(|fence| fence.name.as_str()).collect();
    let leaves = fences.iter().enumerate().flat_map(|(at, fence)| boxes_of(&fence.shape).map(move |b| Boxed(b, at)));
    let new = Packed::new(leaves.collect());
    let is_crowded = |(at, fence): &(usize, &&Geofence)| {
        let others = Others::at(&fence.shape);
        areas.narrowing(&others.bounds, |_, entry| {
            let there = entry.view().geofence();
            let is_other = |there: &Geofence| there.name.owner() == fence.name.owner();
            others.see(there.is_some_and(|there| is_other(there) && !names.contains(there.name.as_str())));
        });
        new.narrowing(&others.bounds, &mut |_, other| others.see(other != at));
        others.count.get() >= MOST_AT_ONCE
    };
    fences.iter().enumerate().find(is_crowded).map(|(_, fence)| *fence)
}

/// Counts what holds the middle of a shape, until it is enough.
struct Others {
    bounds: Cell<DegreeBox>,
    count: Cell<usize>,
}

impl Others {
    fn at(shape: &Shape) -> Self {
        let first = boxes_of(shape).next().unwrap_or(DegreeBox::NOWHERE);
        let middle = [0, 1].map(|axis| first.centre(axis));
        Self { bounds: Cell::new(DegreeBox::new(middle, middle)), count: Cell::new(0) }
    }

    fn see(&self, is_other: bool) {
        self.count.set(self.count.get() + usize::from(is_other));
        if self.count.get() >= MOST_AT_ONCE {
            self.bounds.set(DegreeBox::NOWHERE);
        }
    }
}

fn boxes_of(shape: &Shape) -> impl Iterator<Item = DegreeBox> {
    let (circle, polygons) = match shape {
        Shape::Circle(circle) => (Some(boxes::around(circle.center(), circle.radius_m())), Vec::new()),
        Shape::Polygons(polygons) => (None, boxes::of_polygons(polygons)),
    };
    circle.into_iter().flatten().chain(polygons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        fixture::{catalog, geofence, metres},
        known::Known,
    };

    #[test]
    fn a_competitor_with_a_thousand_circles_does_not_shut_a_shop_out() {
        let network = crate::domain::name::OrganizationName::parse("organizations/rival").expect("sound");
        let rival = |i: usize| {
            let fence = geofence(&format!("f{i}"), 0.0, 49.0);
            let name = network.geofence(&format!("f{i}")).expect("sound");
            crate::domain::place::Geofence { name, ..fence }.into()
        };
        let ours = (0..3).map(|i| geofence(&format!("shop{i}"), 0.0, 50.0 + f64::from(i)).into());
        let catalog = catalog((0..MOST_AT_ONCE + 1).map(rival).chain(ours).collect());
        let areas = Known::of(&catalog.areas);
        assert_eq!(areas.holding(metres(0.0, 0.0)).len(), MOST_AT_ONCE + 3);
        assert!(areas.is_crowded(metres(0.0, 0.0)) && !areas.is_crowded(metres(0.0, 49.5)));
    }

    #[test]
    fn no_more_are_taken_at_a_spot_than_count() {
        let fence = |i: usize| geofence(&format!("f{i}"), i as f64 / 1_000.0, 49.0);
        let there: Vec<Geofence> = (0..MOST_AT_ONCE - 1).map(fence).collect();
        let catalog = catalog(there.iter().cloned().map(Into::into).collect());
        let crowded = |fences: &[Geofence]| {
            let fences: Vec<&Geofence> = fences.iter().collect();
            crowded(&catalog.areas, &fences).map(|fence| fence.name.to_string())
        };
        assert_eq!(crowded(&there), None, "the same again");
        assert_eq!(crowded(&[fence(MOST_AT_ONCE)]), None, "one more");
        let two = [fence(MOST_AT_ONCE), fence(MOST_AT_ONCE + 1)];
        assert_eq!(crowded(&two), Some(two[0].name.to_string()), "each counts the other");
        assert_eq!(crowded(&[geofence("far", 500.0, 49.0), geofence("off", 600.0, 49.0)]), None);
        let rival = crate::domain::name::OrganizationName::parse("organizations/rival").expect("sound");
        let theirs = two.map(|fence| Geofence { name: rival.geofence("theirs").expect("sound"), ..fence });
        assert_eq!(crowded(&theirs), None, "of another organization");
        let all: Vec<Geofence> = (0..=MOST_AT_ONCE).map(fence).collect();
        assert_eq!(crowded(&all), Some(all[0].name.to_string()), "at once");
    }
}
