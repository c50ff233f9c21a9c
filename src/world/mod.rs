//! Made-up worlds: stores and geofences in towns, and people who move there. All of it follows from a seed.
//!
//! Law: pure (no clock, no I/O, no randomness of its own), and the same seed draws the same world in every version. A
//! module of its own beside the floors, since two have to draw the very same worlds: `dintorni load`, which fills servers
//! with them, and the benches, which see this crate from outside. It imports the domain alone; `tests/it/layers.rs` keeps
//! that too.
//!
//! However many geofences a world has, somebody in it is inside about two of them ([`MATCHES`]): more geofences make more
//! towns, not denser ones, as it is with real networks.

mod fences;
pub mod mover;
pub mod random;

use std::collections::BTreeSet;

use self::random::Random;
use crate::domain::{
    detection::Detection,
    geo::{METRES_PER_DEGREE, Position},
    name::OrganizationName,
    place::{Geofence, Store},
    text::Tag,
    time::TimeZone,
    violation::Invalid,
};

/// Geofences that a random position in a town is inside of, on average.
pub const MATCHES: f64 = 2.0;
/// Geofences of one town; there are as many towns as that needs.
const A_TOWN: u64 = 1_000;
/// Geofences carry one of so many tags, `t00` to `t99`, and stores as well: campaigns can aim at a hundredth of them.
pub const TAGS: u64 = 100;
/// Towns lie between these latitudes, as people do.
const LATITUDES: (f64, f64) = (-55.0, 65.0);
/// Towns keep off the antimeridian: what crosses it would have to be cut in two.
const MAX_LONGITUDE: f64 = 179.0;

/// What each sequence of numbers is for.
const STORE: u64 = 1;
const GEOFENCE: u64 = 2;
const PERSON: u64 = 3;

/// What a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub stores: u64,
    pub geofences: u64,
    /// All geofences are circles; else 80 % are, 15 % are polygons of 8 to 64 corners, and 5 % of 500 to 5,000.
    pub circles_only: bool,
}

/// Where many people and places are: most of them near its centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Town {
    pub centre: Position,
    /// Standard deviation of positions, in metres, to the north and to the east.
    pub spread_m: f64,
}

impl Town {
    /// A position as the town's stores and people have it.
    pub fn somewhere(&self, random: &mut Random) -> Result<Position, Invalid> {
        let (east, north) = random.normals();
        offset(self.centre, east * self.spread_m, north * self.spread_m)
    }
}

/// A world; its things are drawn when they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct World {
    plan: Plan,
    towns: u64,
    spread_m: f64,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let towns = plan.geofences.div_ceil(A_TOWN).max(1);
        // Of two positions drawn from the same bell curve, one lies in an area A around the other with probability
        // A / (4 pi spread^2); there are `density` such areas.
        let density = plan.geofences.max(1) as f64 / towns as f64;
        let spread_m =
            (density * fences::mean_area_m2(plan.circles_only) / (4.0 * std::f64::consts::PI * MATCHES)).sqrt();
        Self { plan, towns, spread_m }
    }

    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// How many towns there are.
    pub fn towns(&self) -> u64 {
        self.towns
    }

    /// The town of that number, from 0; beyond the last it begins anew.
    pub fn town(&self, number: u64) -> Result<Town, Invalid> {
        let number = (number % self.towns) as f64;
        let mut random = Random::of(self.plan.seed, 0, 0);
        // Multiples of these two numbers fill a square evenly, however many there are.
        let (x, y) = ((random.unit() + number * 0.754_877_666_246_693).fract(), random.unit());
        let y = (y + number * 0.569_840_290_998_053).fract();
        // Evenly on the globe is evenly in the sine of the latitude.
        let (south, north) = (LATITUDES.0.to_radians().sin(), LATITUDES.1.to_radians().sin());
        let latitude = (south + (north - south) * y).asin().to_degrees();
        let centre = Position::new(latitude, (2.0 * x - 1.0) * MAX_LONGITUDE)?;
        Ok(Town { centre, spread_m: self.spread_m })
    }

    /// The store of that number, from 0, as this network's.
    pub fn store(&self, network: &OrganizationName, number: u64) -> Result<Store, Invalid> {
        let mut random = Random::of(self.plan.seed, STORE, number);
        Ok(Store {
            name: network.store(&format!("s{number}"))?,
            display_name: format!("Store {number}"),
            position: self.town(number)?.somewhere(&mut random)?,
            time_zone: TimeZone::utc(),
            address: String::new(),
            brand: String::new(),
            opening_hours: Default::default(),
            country: None,
            source: None,
            tags: tags(number)?,
        })
    }

    /// The geofence of that number, from 0, as this network's.
    pub fn geofence(&self, network: &OrganizationName, number: u64) -> Result<Geofence, Invalid> {
        let mut random = Random::of(self.plan.seed, GEOFENCE, number);
        let kind = if self.plan.circles_only { fences::Kind::Circle } else { fences::Kind::of(number) };
        // Kinds come in turns of twenty, so a town gets whole turns.
        let centre = self.town(number / fences::TURN)?.somewhere(&mut random)?;
        Ok(Geofence {
            name: network.geofence(&format!("g{number}"))?,
            display_name: format!("Geofence {number}"),
            shape: fences::shape(kind, centre, &mut random)?,
            store: None,
            tags: tags(number)?,
            detection: Detection::default(),
            source: None,
        })
    }

    /// Where the person of that number is, as stores are: the position to ask about.
    pub fn person(&self, number: u64) -> Result<Position, Invalid> {
        self.town(number)?.somewhere(&mut Random::of(self.plan.seed, PERSON, number))
    }
}

fn tags(number: u64) -> Result<BTreeSet<Tag>, Invalid> {
    Ok([Tag::new(&format!("t{:02}", number % TAGS))?].into())
}

/// The position so many metres to the east and north, for distances within a town.
fn offset(from: Position, east_m: f64, north_m: f64) -> Result<Position, Invalid> {
    let latitude = from.latitude() + north_m / METRES_PER_DEGREE;
    let shrink = from.latitude().to_radians().cos();
    let longitude = from.longitude() + east_m / (METRES_PER_DEGREE * shrink);
    Position::new(millimetres(latitude), millimetres(longitude))
}

/// Degrees to about a millimetre: mathematical functions differ in their last bits between machines, worlds must not.
fn millimetres(degrees: f64) -> f64 {
    (degrees * 1e8).round() / 1e8
}

#[cfg(test)]
mod tests;
