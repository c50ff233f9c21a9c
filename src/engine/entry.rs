//! One area, ready to be asked: as the index holds it, and as a ping looks at it.
//!
//! Law: an entry belongs to one version of its area, and a ping that only looks at entries counts no references and
//! compares no names: marks and addresses tell areas apart.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    boxes::{self, DegreeBox},
    edges::Edges,
    shape::Outline,
};
use crate::domain::{
    detection::Detection,
    geo::{METRES_PER_DEGREE, Position},
    name::StoreName,
    place::{Beacon, Geofence, PlaceName, Store},
    presence::Area,
    shape::{Circle, Shape},
    text::Tag,
};

/// Tells areas apart without their names, but for one pair in four billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u32);

impl Mark {
    pub fn of(area: &Area) -> Self {
        /// 2^64 over the golden ratio: odd, with bits set all over.
        const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15;
        let (name, kind) = match area {
            Area::Geofence(name) => (name.as_str(), 0),
            Area::Around(name, radius_m) => (name.as_str(), u64::from(*radius_m)),
            Area::Beacon(name) => (name.as_str(), u64::MAX),
            Area::Store(name) => (name.as_str(), u64::MAX - 1),
            Area::Anywhere => ("", u64::MAX - 2),
        };
        let word = |part: &[u8]| part.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        // Both halves of the product count: the lower one alone would not let the first bytes of a word see the last.
        let add = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * SPREAD;
            product as u64 ^ (product >> 64) as u64
        };
        let (words, rest) = name.as_bytes().as_chunks();
        let hash = words.iter().fold(add(kind, 1), |hash, part| add(hash, u64::from_le_bytes(*part)));
        Self((add(hash, word(rest)) >> 32) as u32)
    }

    /// Marks are spread evenly by it.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// One area with its mark. It is small, for the index has one for every box.
#[derive(Debug, Clone)]
pub enum AreaEntry {
    /// A geofence that is a circle.
    Circle(Mark, Arc<Geofence>),
    Polygons(Mark, Arc<Drawn>),
    Around(Mark, Arc<Around>),
}

/// A geofence of polygons, prepared.
#[derive(Debug)]
pub struct Drawn {
    fence: Arc<Geofence>,
    edges: Edges,
    /// As [`AreaView::size_m`].
    size_m: f64,
}

/// The circle around a store that some campaign asks for.
#[derive(Debug)]
pub struct Around {
    store: Arc<Store>,
    radius_m: u32,
    circle: Circle,
}

impl AreaEntry {
    pub fn of_geofence(fence: &Arc<Geofence>) -> Self {
        let mark = Mark::of(&Area::Geofence(fence.name.clone()));
        match &fence.shape {
            Shape::Circle(_) => Self::Circle(mark, fence.clone()),
            Shape::Polygons(polygons) => {
                let sizes = boxes::of_polygons(polygons).into_iter().map(|bounds| bounds.extent().iter().sum());
                let size_m = sizes.fold(0.0, f64::max) * METRES_PER_DEGREE;
                Self::Polygons(mark, Arc::new(Drawn { fence: fence.clone(), edges: Edges::of(polygons), size_m }))
            }
        }
    }

    /// None for a radius that no circle has.
    pub fn around(store: &Arc<Store>, radius_m: u32) -> Option<Self> {
        let circle = Circle::new(store.position, f64::from(radius_m)).ok()?;
        let mark = Mark::of(&Area::Around(store.name.clone(), radius_m));
        Some(Self::Around(mark, Arc::new(Around { store: store.clone(), radius_m, circle })))
    }

    pub fn view(&self) -> AreaView<'_> {
        match self {
            Self::Circle(mark, fence) => AreaView::Circle(*mark, fence),
            Self::Polygons(mark, drawn) => AreaView::Polygons(*mark, drawn),
            Self::Around(mark, around) => AreaView::Around(*mark, around),
        }
    }

    pub fn mark(&self) -> Mark {
        self.view().mark()
    }

    /// Whether a geofence of polygons holds the position, if its edges alone tell: what it is besides is elsewhere in the
    /// memory.
    pub fn tells(&self, position: Position) -> Option<bool> {
        let Self::Polygons(_, drawn) = self else { return None };
        drawn.edges.tell(position)
    }

    /// Boxes that hold all of it.
    pub fn boxes(&self) -> Vec<DegreeBox> {
        self.view().boxes()
    }
}

/// The same area of the same version.
impl PartialEq for AreaEntry {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

/// One area for as long as its version of the catalog is looked at.
#[derive(Debug, Clone, Copy)]
pub enum AreaView<'a> {
    Circle(Mark, &'a Geofence),
    Polygons(Mark, &'a Drawn),
    Around(Mark, &'a Around),
    /// What hears a beacon, which has no outline.
    Reach(Mark, &'a Beacon),
    /// A store itself, where only app events happen.
    Site(Mark, &'a Store),
}

impl<'a> AreaView<'a> {
    pub fn area(self) -> Area {
        match self {
            Self::Circle(_, fence) => Area::Geofence(fence.name.clone()),
            Self::Polygons(_, drawn) => Area::Geofence(drawn.fence.name.clone()),
            Self::Around(_, around) => Area::Around(around.store.name.clone(), around.radius_m),
            Self::Reach(_, beacon) => Area::Beacon(beacon.name.clone()),
            Self::Site(_, store) => Area::Store(store.name.clone()),
        }
    }

    pub fn mark(self) -> Mark {
        match self {
            Self::Circle(mark, _) | Self::Polygons(mark, _) | Self::Around(mark, _) => mark,
            Self::Reach(mark, _) | Self::Site(mark, _) => mark,
        }
    }

    /// Whether that is this area by the very name that the catalog holds: of a copy of the name it cannot tell.
    pub fn lends_name_to(self, area: &Area) -> bool {
        match (self, area) {
            (Self::Circle(_, fence), Area::Geofence(name)) => std::ptr::eq(fence.name.as_str(), name.as_str()),
            (Self::Polygons(_, drawn), Area::Geofence(name)) => std::ptr::eq(drawn.fence.name.as_str(), name.as_str()),
            (Self::Around(_, around), Area::Around(name, radius_m)) => {
                around.radius_m == *radius_m && std::ptr::eq(around.store.name.as_str(), name.as_str())
            }
            (Self::Reach(_, beacon), Area::Beacon(name)) => std::ptr::eq(beacon.name.as_str(), name.as_str()),
            (Self::Site(_, store), Area::Store(name)) => std::ptr::eq(store.name.as_str(), name.as_str()),
            _ => false,
        }
    }

    /// What people call it.
    pub fn display_name(self) -> &'a str {
        match self {
            Self::Circle(_, fence) => &fence.display_name,
            Self::Polygons(_, drawn) => &drawn.fence.display_name,
            Self::Around(_, around) => &around.store.display_name,
            Self::Reach(_, beacon) => &beacon.display_name,
            Self::Site(_, store) => &store.display_name,
        }
    }

    /// The store it belongs to.
    pub fn store(self) -> Option<&'a StoreName> {
        match self {
            Self::Circle(_, fence) => fence.store.as_ref(),
            Self::Polygons(_, drawn) => drawn.fence.store.as_ref(),
            Self::Around(_, around) => Some(&around.store.name),
            Self::Reach(_, beacon) => beacon.store.as_ref(),
            Self::Site(_, store) => Some(&store.name),
        }
    }

    /// Its own tags; those of a store are the store's.
    pub fn tags(self) -> &'a BTreeSet<Tag> {
        match self {
            Self::Circle(_, fence) => &fence.tags,
            Self::Polygons(_, drawn) => &drawn.fence.tags,
            Self::Around(_, around) => &around.store.tags,
            Self::Reach(_, beacon) => &beacon.tags,
            Self::Site(_, store) => &store.tags,
        }
    }

    /// What visits to it are remembered by: the store it belongs to, or itself.
    pub fn visited_place(self) -> PlaceName {
        match (self.store(), self) {
            (Some(store), _) => PlaceName::Store(store.clone()),
            (None, Self::Circle(_, fence)) => PlaceName::Geofence(fence.name.clone()),
            (None, Self::Polygons(_, drawn)) => PlaceName::Geofence(drawn.fence.name.clone()),
            (None, Self::Around(_, around)) => PlaceName::Store(around.store.name.clone()),
            (None, Self::Reach(_, beacon)) => PlaceName::Beacon(beacon.name.clone()),
            (None, Self::Site(_, store)) => PlaceName::Store(store.name.clone()),
        }
    }

    /// How sure it is of its visitors: of a geofence its own settings, else the usual ones.
    pub fn detection(self) -> &'a Detection {
        match self {
            Self::Circle(_, fence) => &fence.detection,
            Self::Polygons(_, drawn) => &drawn.fence.detection,
            Self::Around(..) | Self::Reach(..) | Self::Site(..) => const { &Detection::USUAL },
        }
    }

    pub fn outline(self) -> Option<Outline<'a>> {
        match self {
            Self::Circle(_, fence) => match &fence.shape {
                Shape::Circle(circle) => Some(Outline::Circle(*circle)),
                Shape::Polygons(_) => None,
            },
            Self::Polygons(_, drawn) => match &drawn.fence.shape {
                Shape::Polygons(polygons) => Some(Outline::Polygons(polygons, &drawn.edges)),
                Shape::Circle(_) => None,
            },
            Self::Around(_, around) => Some(Outline::Circle(around.circle)),
            Self::Reach(..) | Self::Site(..) => None,
        }
    }

    fn boxes(self) -> Vec<DegreeBox> {
        match self.outline() {
            Some(Outline::Circle(circle)) => boxes::around(circle.center(), circle.radius_m()).collect(),
            Some(Outline::Polygons(polygons, _)) => boxes::of_polygons(polygons),
            None => Vec::new(),
        }
    }

    /// The geofence, if it is one.
    pub fn geofence(self) -> Option<&'a Geofence> {
        match self {
            Self::Circle(_, fence) => Some(fence),
            Self::Polygons(_, drawn) => Some(&drawn.fence),
            Self::Around(..) | Self::Reach(..) | Self::Site(..) => None,
        }
    }

    /// The organization whose it is, as text.
    pub fn owner(self) -> &'a str {
        match self {
            Self::Circle(_, fence) => fence.name.owner(),
            Self::Polygons(_, drawn) => drawn.fence.name.owner(),
            Self::Around(_, around) => around.store.name.owner(),
            Self::Reach(_, beacon) => beacon.name.owner(),
            Self::Site(_, store) => store.name.owner(),
        }
    }

    /// How large it is beside others: how wide and how high together, in metres, and of polygons the largest; 0 of what has
    /// no outline.
    pub fn size_m(self) -> f64 {
        match (self, self.outline()) {
            (Self::Polygons(_, drawn), _) => drawn.size_m,
            (_, Some(Outline::Circle(circle))) => 4.0 * circle.radius_m(),
            _ => 0.0,
        }
    }

    /// Where it is kept, which no two areas of a version share.
    pub fn address(self) -> usize {
        match self {
            Self::Circle(_, fence) => std::ptr::from_ref(fence).addr(),
            Self::Polygons(_, drawn) => std::ptr::from_ref(drawn).addr(),
            Self::Around(_, around) => std::ptr::from_ref(around).addr(),
            Self::Reach(_, beacon) => std::ptr::from_ref(beacon).addr(),
            Self::Site(_, store) => std::ptr::from_ref(store).addr(),
        }
    }
}

/// The same area of the same version.
impl PartialEq for AreaView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::shape::Polygons;
    use crate::engine::fixture::{geofence, store};

    #[test]
    fn sizes_are_those_on_the_ground() {
        let of =
            |shape| AreaEntry::of_geofence(&Arc::new(Geofence { shape, ..geofence("g", 0.0, 9.0) })).view().size_m();
        let rectangle = |[west, south]: [f64; 2], [width_m, height_m]: [f64; 2]| {
            let east = west + width_m / METRES_PER_DEGREE / south.to_radians().cos();
            let (east, north) = (east.min(180.0), south + height_m / METRES_PER_DEGREE);
            vec![vec![[west, south], [east, south], [east, north], [west, north], [west, south]]]
        };
        let polygons = |parts| Shape::Polygons(Polygons::new(&parts).expect("sound"));
        let circle = Shape::Circle(Circle::new(Position::new(65.0, 25.0).expect("sound"), 60.0).expect("sound"));
        let [square, circle] = [polygons(vec![rectangle([25.0, 65.0], [100.0; 2])]), circle].map(of);
        assert!((190.0..220.0).contains(&square) && square < circle, "{square} {circle}");
        let west = 180.0 - 100.0 / METRES_PER_DEGREE / 17.0_f64.to_radians().cos();
        let cut = of(polygons([west, -180.0].map(|west| rectangle([west, -17.0], [100.0, 200.0])).to_vec()));
        assert!((290.0..320.0).contains(&cut), "{cut}");
    }

    #[test]
    fn marks_tell_names_kinds_and_radii_apart() {
        let fences = (0..5_000).map(|i| Area::Geofence(geofence(&i.to_string(), 0.0, 9.0).name));
        let around = (0..5_000).map(|radius_m| Area::Around(store("0", 0.0).name, radius_m));
        let marks: HashSet<u32> = fences.chain(around).map(|area| Mark::of(&area).0).collect();
        // Of 10,000 random marks two are the same once in eighty times.
        assert!(marks.len() >= 9_999, "{}", marks.len());
    }
}
