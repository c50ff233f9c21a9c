//! Which areas count where there are too many.
//!
//! Law: whoever covers a country with circles holds up nobody's ping, and nobody's areas keep those of another organization
//! from counting. So no more of one size are taken at one spot than would count there.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use super::{
    areas::Areas,
    boxes::{self, DegreeBox},
    entry::AreaView,
    forest::Bounds,
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

/// Where a shape is, and about how large: between one power of two, in degrees of latitude, and the next; and its middle in
/// a cell as wide as half of such a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    size: i32,
    row: i64,
    column: i64,
}

impl Spot {
    /// Of polygons that of the first.
    pub fn of(shape: &Shape) -> Self {
        let first = match shape {
            Shape::Circle(circle) => boxes::around(circle.center(), circle.radius_m()).next(),
            Shape::Polygons(polygons) => boxes::of_polygons(polygons).into_iter().next(),
        };
        Self::around(&first.unwrap_or(DegreeBox::NOWHERE))
    }

    fn around(bounds: &DegreeBox) -> Self {
        let [x, y] = [0, 1].map(|axis| bounds.centre(axis));
        let [across, up] = bounds.extent().map(|degrees| degrees / 2.0);
        let size = up.max(across).max(f64::from(f32::EPSILON)).log2().floor() as i32;
        let row = (y / Self::side(size)).floor() as i64;
        Self { size, row, column: (x / Self::width(size, row)).floor() as i64 }
    }

    /// Whether a box is about as large, told without a logarithm: most that meet a large cell are smaller.
    fn may_be_of(self, bounds: &DegreeBox) -> bool {
        let [across, up] = [0, 1].map(|axis| f64::from(bounds.north_east[axis] - bounds.south_west[axis]) / 2.0);
        up.max(across) >= Self::side(self.size) && up < Self::side(self.size + 1)
    }

    /// Of cells, in degrees of latitude.
    fn side(size: i32) -> f64 {
        f64::from(size).exp2()
    }

    /// Of the cells of a row, in degrees of longitude.
    fn width(size: i32, row: i64) -> f64 {
        let south = (row as f64 * Self::side(size)).clamp(-90.0, 90.0);
        Self::side(size) / south.to_radians().cos().max(1e-3)
    }

    /// The cell, and what rounding adds.
    fn cell(self) -> DegreeBox {
        const ROUNDED: f64 = 1e-4;
        let (high, wide) = (Self::side(self.size), Self::width(self.size, self.row));
        let (south, west) = (self.row as f64 * high, self.column as f64 * wide);
        DegreeBox::new([west - ROUNDED, south - ROUNDED], [west + wide + ROUNDED, south + high + ROUNDED])
    }

    /// How many geofences of the organization of this name are at the spot, of those that are meant; at most
    /// [`MOST_AT_ONCE`].
    pub fn count(self, areas: &Areas, owner: &str, is_meant: impl Fn(&Geofence) -> bool) -> usize {
        let (cell, mut found) = (Cell::new(self.cell()), HashSet::new());
        areas.narrowing(&cell, |bounds, entry| {
            let view = entry.view();
            let counts = |fence: &Geofence| fence.name.owner() == owner && is_meant(fence);
            if found.len() < MOST_AT_ONCE
                && self.may_be_of(&bounds)
                && Self::around(&bounds) == self
                && view.geofence().is_some_and(counts)
            {
                found.insert(view.address());
            } else if found.len() == MOST_AT_ONCE {
                cell.set(DegreeBox::NOWHERE);
            }
        });
        found.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn a_spot_holds_what_is_like_it_and_knows_its_cell(
            lat in prop_oneof![-89.9..89.9f64, 89.5..89.9f64], lng in -180.0..180.0f64,
            radius_m in prop_oneof![5.0..50_000.0f64, 35_000.0..45_000.0f64], beside in 0.0..0.05f64,
        ) {
            let center = crate::domain::geo::Position::new(lat, lng).expect("sound");
            let circle = |radius_m| Shape::Circle(crate::domain::shape::Circle::new(center, radius_m).expect("sound"));
            let spot = Spot::of(&circle(radius_m));
            let bounds = boxes::around(center, radius_m).next().expect("one");
            let middle = [0, 1].map(|axis| bounds.centre(axis));
            prop_assert!(spot.cell().meets(&DegreeBox::new(middle, middle)) && spot.may_be_of(&bounds));
            let larger = (radius_m * (1.0 + beside)).min(50_000.0);
            // Of what the antimeridian cuts only one part has its size.
            let is_cut = [radius_m, larger].iter().any(|&radius_m| boxes::around(center, radius_m).count() > 1);
            let sizes = [spot.size, Spot::of(&circle(larger)).size];
            prop_assert!(is_cut || (sizes[0]..=sizes[0] + 1).contains(&sizes[1]), "{sizes:?}");
        }
    }

    #[test]
    fn a_spot_counts_its_own_organization_and_size() {
        let fence = |i: usize, radius_m: f64| geofence(&format!("f{i}"), i as f64 / 100.0, radius_m);
        let there = (0..40).map(|i| fence(i, if i < 30 { 50.0 } else { 500.0 }).into());
        let catalog = catalog(there.collect());
        let count = |shape: &Shape, owner: &str| {
            Spot::of(shape).count(&catalog.areas, owner, |fence| !fence.name.as_str().ends_with("f0"))
        };
        assert_eq!(count(&fence(0, 50.0).shape, "organizations/acme"), 29);
        assert_eq!(count(&fence(0, 500.0).shape, "organizations/acme"), 10);
        assert_eq!(count(&fence(0, 50.0).shape, "organizations/rival"), 0);
        assert_eq!(count(&geofence("far", 5_000.0, 50.0).shape, "organizations/acme"), 0);
    }
}
