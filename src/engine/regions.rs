//! Areas that a campaign targets: which places lie inside.
//!
//! Law 7: a circle reaches over the antimeridian and the poles; polygons are straight in longitude and latitude, and hold what
//! geofences of them would.

use geo::BoundingRect;

use super::{
    boxes::{self, DegreeBox},
    edges,
    forest::Forest,
    packed::{Boxed, Packed, Thing},
};
use crate::domain::{geo::Position, place::PlaceName, shape::Shape};

/// Whether the shape holds the position.
pub fn holds(shape: &Shape, position: Position) -> bool {
    match shape {
        Shape::Circle(circle) => circle.center().distance_to(position) <= circle.radius_m(),
        Shape::Polygons(polygons) => edges::hold(polygons, position),
    }
}

/// Where a shape is said to be: the centre of a circle, the middle of the box around the first polygon.
pub fn middle(shape: &Shape) -> Option<Position> {
    let of_box = |shape: &geo::Polygon| {
        let middle = shape.bounding_rect()?.center();
        Position::new(middle.y, middle.x).ok()
    };
    match shape {
        Shape::Circle(circle) => Some(circle.center()),
        Shape::Polygons(polygons) => polygons.geometry().iter().find_map(of_box),
    }
}

/// Where stores are, and geofences without a store: what lies within a region is found without looking at all of them.
#[derive(Debug, Clone, Default)]
pub struct Spots(Forest<Packed<PlaceName>>);

impl Thing for PlaceName {}

/// A place, and where it is.
pub type Spot = Boxed<PlaceName>;

pub fn spot(place: PlaceName, position: Position) -> Spot {
    Boxed(DegreeBox::at(position), place)
}

impl Spots {
    pub fn new(spots: Vec<Spot>) -> Self {
        Self(Forest::new(spots))
    }

    /// Takes spots out that are there, and puts others in.
    pub fn edit(&mut self, removed: &[Spot], added: Vec<Spot>) {
        self.0.edit(removed, added);
    }

    /// All places that the shape may hold, each once; never fewer. Who needs only some does not wait for all.
    pub fn around<'a>(&'a self, shape: &Shape) -> impl Iterator<Item = PlaceName> + use<'a> {
        let boxes: Vec<DegreeBox> = match shape {
            Shape::Circle(circle) => boxes::around(circle.center(), circle.radius_m()).collect(),
            Shape::Polygons(polygons) => boxes::of_polygons(polygons),
        };
        self.0.trees().iter().flat_map(move |(bounds, tree)| {
            let mut places: Vec<&PlaceName> = Vec::new();
            let meeting = boxes.iter().filter(|around| around.meets(bounds));
            meeting.for_each(|around| tree.meeting(around, &mut |met| places.push(met.thing)));
            // Boxes of several polygons may have places in common.
            if boxes.len() > 1 {
                places.sort_unstable();
                places.dedup();
            }
            places.into_iter().cloned()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::shape::{Circle, Polygons},
        engine::{edges::Edges, fixture::acme},
    };

    #[test]
    fn polygons_hold_what_is_where_the_map_ends() {
        let of = |parts: &[[f64; 4]]| {
            let part = |&[west, south, width, height]: &[f64; 4]| a_rectangle([west, south], [width, height]);
            Polygons::new(&parts.iter().map(part).collect()).expect("sound")
        };
        let fiji = of(&[[178.0, -19.0, 2.0, 3.0], [-180.0, -19.0, 2.0, 3.0]]);
        let (north, south) = (of(&[[-180.0, 60.0, 170.0, 30.0]]), of(&[[-180.0, -90.0, 170.0, 30.0]]));
        let west_of_it = of(&[[178.0, -19.0, 2.0, 3.0]]);
        for (polygons, latitude, longitude, expected) in [
            (&fiji, -16.8, 180.0, true),
            (&fiji, -16.8, -180.0, true),
            (&fiji, -20.0, 180.0, false),
            (&west_of_it, -16.8, 177.0, false),
            (&north, 90.0, -37.0, true),
            (&south, -90.0, -37.0, true),
            (&south, -90.0, -180.0, true),
            (&south, 90.0, -37.0, false),
        ] {
            let position = Position::new(latitude, longitude).expect("sound");
            assert_eq!(Edges::of(polygons).hold(polygons, position), expected, "a geofence and {position:?}");
            assert_eq!(holds(&Shape::Polygons(polygons.clone()), position), expected, "{position:?}");
        }
    }

    fn a_position() -> impl Strategy<Value = Position> {
        // Where boxes are most easily wrong, there are most.
        let latitude = prop_oneof![-90.0..90.0f64, -90.0..-89.0f64, 88.0..=90.0f64];
        let longitude = prop_oneof![-180.0..180.0f64, -180.0..-178.0f64, 178.0..180.0f64];
        (latitude, longitude).prop_map(|(lat, lng)| Position::new(lat, lng).expect("sound"))
    }

    fn a_rectangle(low: [f64; 2], [width, height]: [f64; 2]) -> Vec<Vec<[f64; 2]>> {
        let [west, south, east, north] = [low[0], low[1], low[0] + width, low[1] + height];
        vec![vec![[west, south], [east, south], [east, north], [west, north], [west, south]]]
    }

    fn a_region() -> impl Strategy<Value = Shape> {
        let circle = (a_position(), 5.0..500_000.0f64)
            .prop_map(|(center, radius_m)| Shape::Circle(Circle::new(center, radius_m).expect("sound")));
        // Two that share no point, up to both ends of the world; their boxes meet trees of both.
        let polygons = (-90.0..30.0f64, 1.0..60.0f64, 1.0..20.0f64).prop_map(|(south, height, width)| {
            let east = a_rectangle([180.0 - width, south], [width, height]);
            Shape::Polygons(
                Polygons::new(&vec![east, a_rectangle([-180.0, south], [width * 2.0, height])]).expect("sound"),
            )
        });
        prop_oneof![circle, polygons]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_lies_within_is_found_as_if_all_had_been_asked(
            positions in prop::collection::vec(a_position(), 1..6_000), region in a_region(), moved in 0..6_000usize,
        ) {
            let name = |i: usize| PlaceName::Store(acme().store(&i.to_string()).expect("sound"));
            let all: Vec<Spot> = positions.iter().enumerate().map(|(i, position)| spot(name(i), *position)).collect();
            let (early, late) = all.split_at(moved.min(all.len()));
            let mut spots = Spots::new(early.to_vec());
            spots.edit(&early[..early.len() / 2], late.to_vec());
            let found: Vec<PlaceName> = spots.around(&region).collect();
            let once: BTreeSet<&PlaceName> = found.iter().collect();
            prop_assert_eq!(once.len(), found.len());
            for (i, position) in positions.iter().enumerate().skip(early.len() / 2) {
                prop_assert!(!holds(&region, *position) || once.contains(&name(i)), "{position:?} is in {region:?}");
            }
        }
    }
}
