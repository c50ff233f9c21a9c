//! Which geofences hold a position, and which stores are nearest: against what a user would write with rstar and geo.
//!
//! Run with `cargo bench --bench matching`; it needs about 3 GB for its worlds. Arguments: parts of the names of what to run.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use dintorni::{
    domain::{
        catalog::{CatalogChange, Resource},
        geo::{METRES_PER_DEGREE, Position},
        name::OrganizationName,
        place::Geofence,
        shape::Shape,
    },
    engine::catalog::Catalog,
    world::{Plan, World},
};
use geo::{BoundingRect, Contains, Distance, Haversine};
use rstar::{AABB, PointDistance, RTree, RTreeObject};
use support::{compare, measure, timed};

/// Corners of a circle that is drawn as a polygon: as many as PostGIS makes it by default.
const CORNERS: u32 = 32;
/// Positions asked about in one turn.
const QUERIES: u64 = 20_000;

/// Counts what is allocated, for queries must not allocate and a circle has its bytes to keep to.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        BYTES.fetch_add(layout.size() as u64, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn network() -> OrganizationName {
    OrganizationName::parse("organizations/bench").expect("sound")
}

fn world(stores: u64, geofences: u64, circles_only: bool) -> World {
    World::new(Plan { seed: 1, stores, geofences, circles_only })
}

fn people(world: &World) -> Vec<Position> {
    (0..QUERIES).map(|number| world.person(number).expect("sound")).collect()
}

fn changes(resources: impl Iterator<Item = Resource>) -> Vec<CatalogChange> {
    let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
    resources.map(change).collect()
}

fn geofences(world: &World) -> Vec<CatalogChange> {
    changes((0..world.plan().geofences).map(|number| world.geofence(&network(), number).expect("sound").into()))
}

fn stores(world: &World) -> Vec<CatalogChange> {
    changes((0..world.plan().stores).map(|number| world.store(&network(), number).expect("sound").into()))
}

/// A geofence as one would put it into rstar.
struct Plain {
    bounds: AABB<[f64; 2]>,
    shape: PlainShape,
}

enum PlainShape {
    Circle(geo::Point, f64),
    Polygons(geo::MultiPolygon),
}

impl RTreeObject for Plain {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.bounds
    }
}

impl Plain {
    fn new(fence: &Geofence) -> Self {
        match &fence.shape {
            Shape::Circle(circle) => {
                let (centre, high) = (circle.center(), circle.radius_m() / METRES_PER_DEGREE + 1e-6);
                let wide = high / centre.latitude().to_radians().cos();
                let (x, y) = (centre.longitude(), centre.latitude());
                let bounds = AABB::from_corners([x - wide, y - high], [x + wide, y + high]);
                Self { bounds, shape: PlainShape::Circle(geo::point! { x: x, y: y }, circle.radius_m()) }
            }
            Shape::Polygons(polygons) => {
                let around = polygons.geometry().bounding_rect().expect("some corners");
                let bounds = AABB::from_corners(around.min().into(), around.max().into());
                Self { bounds, shape: PlainShape::Polygons(polygons.geometry().clone()) }
            }
        }
    }

    fn holds(&self, point: geo::Point) -> bool {
        match &self.shape {
            PlainShape::Circle(centre, radius_m) => Haversine.distance(*centre, point) <= *radius_m,
            PlainShape::Polygons(polygons) => polygons.contains(&point),
        }
    }
}

/// With circles as polygons, which is what geo::Contains takes.
fn drawn(mut plain: Plain) -> Plain {
    if let PlainShape::Circle(centre, radius_m) = plain.shape {
        let corner = |i: u32| {
            let turn = f64::from(i) / f64::from(CORNERS) * std::f64::consts::TAU;
            let (up, across) = turn.sin_cos();
            let high = radius_m / METRES_PER_DEGREE;
            (centre.x() + across * high / centre.y().to_radians().cos(), centre.y() + up * high)
        };
        let ring: Vec<(f64, f64)> = (0..=CORNERS).map(corner).collect();
        plain.shape = PlainShape::Polygons(geo::MultiPolygon(vec![geo::Polygon::new(ring.into(), Vec::new())]));
    }
    plain
}

fn plain(changes: &[CatalogChange], draw: impl Fn(Plain) -> Plain) -> RTree<Plain> {
    let fence = |change: &CatalogChange| match &change.resource {
        Some(Resource::Geofence(fence)) => Some(draw(Plain::new(fence))),
        _ => None,
    };
    RTree::bulk_load(changes.iter().filter_map(fence).collect())
}

fn matches_of(catalog: &Catalog, people: &[Position]) -> u64 {
    let mut found = 0;
    for &person in people {
        catalog.areas.holding(person, |_| found += 1);
    }
    found
}

fn plain_matches(tree: &RTree<Plain>, people: &[Position]) -> u64 {
    let mut found = 0;
    for person in people {
        let at = [person.longitude(), person.latitude()];
        let point = geo::point! { x: at[0], y: at[1] };
        found += tree.locate_in_envelope_intersecting(AABB::from_point(at)).filter(|fence| fence.holds(point)).count();
    }
    found as u64
}

fn matching(what: &str, world: &World) -> f64 {
    let (people, changes) = (people(world), geofences(world));
    let before = BYTES.load(Relaxed);
    let catalog = Catalog::default().after(&changes);
    let bytes = (BYTES.load(Relaxed) - before) as f64 / changes.len() as f64;
    let tree = plain(&changes, |plain| plain);
    let drawn = plain(&changes, drawn);
    matches_of(&catalog, &people);
    let allocations = ALLOCATIONS.load(Relaxed);
    matches_of(&catalog, &people);
    let allocations = ALLOCATIONS.load(Relaxed) - allocations;
    compare(
        what,
        people.len(),
        ("the index and exact test of a ping", &mut || matches_of(&catalog, &people)),
        ("rstar, geo::Contains and Haversine", &mut || plain_matches(&tree, &people)),
    );
    compare(
        "    and with circles as polygons",
        people.len(),
        ("the index and exact test of a ping", &mut || matches_of(&catalog, &people)),
        ("rstar and geo::Contains", &mut || plain_matches(&drawn, &people)),
    );
    let found = matches_of(&catalog, &people) as f64 / people.len() as f64;
    println!("    {found:.2} matches and {allocations} allocations a query; {bytes:.0} bytes a geofence beside itself");
    measure("    again", people.len(), &mut || matches_of(&catalog, &people))
}

/// A store as one would put it into rstar.
struct Dot([f64; 3]);

impl RTreeObject for Dot {
    type Envelope = AABB<[f64; 3]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(self.0)
    }
}

impl PointDistance for Dot {
    fn distance_2(&self, to: &[f64; 3]) -> f64 {
        (0..3).map(|axis| (self.0[axis] - to[axis]).powi(2)).sum()
    }
}

fn nearest(what: &str, world: &World) {
    let (people, changes) = (people(world), stores(world));
    let catalog = Catalog::default().after(&changes);
    let dot = |change: &CatalogChange| match &change.resource {
        Some(Resource::Store(store)) => Some(Dot(store.position.unit_vector())),
        _ => None,
    };
    let tree = RTree::bulk_load(changes.iter().filter_map(dot).collect());
    let total = |metres: f64| (metres * 10.0).round() as u64;
    let ours = |at: &Position| catalog.areas.nearest_stores(*at).take(10).map(|(_, metres)| total(metres)).sum::<u64>();
    let metres = |chord_2: f64| 2.0 * 6_371_008.8 * (chord_2.sqrt() / 2.0).asin();
    let theirs = |at: &Position| {
        let at = at.unit_vector();
        tree.nearest_neighbor_iter(at).take(10).map(|dot| total(metres(dot.distance_2(&at)))).sum::<u64>()
    };
    compare(
        what,
        people.len(),
        ("the ten nearest stores, with metres", &mut || people.iter().map(ours).sum()),
        ("rstar nearest_neighbor_iter, with metres", &mut || people.iter().map(theirs).sum()),
    );
}

fn building(what: &str, world: &World) {
    let changes = geofences(world);
    let corners: usize = changes.iter().map(corners).sum();
    let (build, _) = timed(&mut || Catalog::default().after(&changes).geofences.len() as u64);
    println!(
        "{what}: built in {build:.2} s, {:.0} geofences and {:.0} corners a second",
        changes.len() as f64 / build,
        corners as f64 / build
    );
    let mut catalog = Catalog::default().after(&changes);
    let mut number = 0;
    let each = 200;
    let edit = measure("    an edit: a geofence moves", each, &mut || {
        for _ in 0..each {
            number = (number + 7_919) % world.plan().geofences;
            let name = network().geofence(&format!("g{number}")).expect("sound");
            let moved = world.geofence(&network(), number + 1).expect("sound");
            let fence: Resource = Geofence { name, ..moved }.into();
            let change = CatalogChange { version: catalog.version + 1, name: fence.name(), resource: Some(fence) };
            catalog = catalog.after(&[change]);
        }
        catalog.version
    });
    println!("    a build costs {:.0} edits", build / edit);
}

fn corners(change: &CatalogChange) -> usize {
    match &change.resource {
        Some(Resource::Geofence(fence)) => match &fence.shape {
            Shape::Circle(_) => 0,
            Shape::Polygons(polygons) => polygons.geometry().iter().map(|p| p.exterior().0.len()).sum(),
        },
        _ => 0,
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    if runs("mix") {
        matching("100,000 geofences of the mix", &world(0, 100_000, false));
    }
    if runs("circles") {
        let small = matching("10,000 circles", &world(0, 10_000, true));
        let large = matching("1,000,000 circles", &world(0, 1_000_000, true));
        println!("    from 10,000 to 1,000,000: {:.2} times", large / small);
    }
    if runs("nearest") {
        nearest("1,000,000 stores", &world(1_000_000, 1_000_000, true));
    }
    if runs("building") {
        building("1,000,000 circles", &world(0, 1_000_000, true));
        building("20,000 of the mix", &world(0, 20_000, false));
    }
}
