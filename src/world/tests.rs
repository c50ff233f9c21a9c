//! Whether worlds are what they promise: repeatable, of their mix, and as dense as they say.

use geo::{BoundingRect, Contains, CoordsIter};

use super::{mover::Mover, *};
use crate::domain::shape::Shape;

fn network() -> OrganizationName {
    OrganizationName::parse("organizations/load").expect("sound")
}

fn world(geofences: u64) -> World {
    World::new(Plan { seed: 42, stores: 100, geofences, circles_only: false })
}

fn geofences(world: &World) -> Vec<Geofence> {
    (0..world.plan().geofences).map(|number| world.geofence(&network(), number).expect("sound")).collect()
}

/// How many positions are inside a geofence on average, by looking at every pair of them.
fn mean_matches(fences: &[Geofence], people: &[Position]) -> f64 {
    let inside = |fence: &Geofence| match &fence.shape {
        Shape::Circle(circle) => {
            people.iter().filter(|at| circle.center().distance_to(**at) <= circle.radius_m()).count()
        }
        Shape::Polygons(polygons) => {
            let (shape, around) = (polygons.geometry(), polygons.geometry().bounding_rect().expect("some corners"));
            let points = people.iter().map(|at| geo::point! { x: at.longitude(), y: at.latitude() });
            points.filter(|point| around.contains(point) && shape.contains(point)).count()
        }
    };
    fences.iter().map(inside).sum::<usize>() as f64 / people.len() as f64
}

#[test]
fn somebody_is_inside_two_geofences_however_many_there_are() {
    // Of the larger world every fourth geofence of each town, in whole turns: checking shapes takes its time.
    for (count, part) in [(1_000, 1), (10_000, 4)] {
        let world = world(count);
        let turn = fences::TURN * world.towns();
        let chosen = (0..count).filter(|number| (number / turn).is_multiple_of(part));
        let fences: Vec<_> = chosen.map(|number| world.geofence(&network(), number).expect("sound")).collect();
        let share = fences.len() as f64 / count as f64;
        let people: Vec<Position> = (0..500).map(|number| world.person(number).expect("sound")).collect();
        let mean = mean_matches(&fences, &people) / share;
        assert!((1.7..2.3).contains(&mean), "{count} geofences: {mean}");
    }
}

#[test]
fn the_mix_is_what_it_says() {
    let corners = |fence: Geofence| match fence.shape {
        Shape::Circle(_) => 0,
        Shape::Polygons(polygons) => polygons.geometry().coords_count() - 1,
    };
    let counts: Vec<usize> = geofences(&world(1_000)).into_iter().map(corners).collect();
    let of = |least, most| counts.iter().filter(|&&count| (least..=most).contains(&count)).count();
    assert_eq!((of(0, 0), of(8, 64), of(500, 5_000)), (800, 150, 50));
    let circles = World::new(Plan { circles_only: true, ..world(100).plan() });
    assert!(geofences(&circles).iter().all(|fence| matches!(fence.shape, Shape::Circle(_))));
}

#[test]
fn the_same_seed_draws_the_same_and_another_draws_another() {
    let (here, again) = (world(5_000), world(5_000));
    for number in [0, 17, 19, 4_999] {
        assert_eq!(here.geofence(&network(), number), again.geofence(&network(), number));
        assert_eq!(here.store(&network(), number), again.store(&network(), number));
    }
    let other = World::new(Plan { seed: 43, ..here.plan() });
    assert_ne!(here.geofence(&network(), 0), other.geofence(&network(), 0));
    // Recorded: what a server was filled with must be found unchanged by every later version.
    let at = here.store(&network(), 7).expect("sound").position;
    assert_eq!((at.latitude(), at.longitude()), (-28.14741192, 171.40761593));
}

#[test]
fn people_stay_and_go_and_never_leave_town() {
    let town = world(1_000).town(0).expect("sound");
    let (mut still, mut fast) = (0, 0);
    for number in 0..50 {
        let mut mover = Mover::new(town, 1, number).expect("sound");
        for _ in 0..1_000 {
            let seen = mover.step(10.0).expect("sound");
            assert!(seen.position.distance_to(town.centre) < 10.0 * town.spread_m);
            still += usize::from(seen.speed_mps == 0.0);
            fast += usize::from(seen.speed_mps > 5.0);
        }
    }
    assert!((20_000..45_000).contains(&still) && fast > 2_000, "{still} {fast}");
}
