//! People who move: they stay somewhere, walk a few streets, ride across the town; and what their phones make of it.
//!
//! Law: positions follow from the seed and the steps taken, from nothing else.

use super::{Town, offset, random::Random};
use crate::domain::{geo::Position, violation::Invalid};

/// Staying in one place, in seconds: a coffee, a film.
const STAY_S: (f64, f64) = (120.0, 1_200.0);
/// Metres a second on foot, and on a tram.
const WALK_MPS: f64 = 1.3;
const RIDE_MPS: f64 = 8.0;
/// Standard deviation of how far a walk goes, in metres, to the north and to the east.
const WALK_M: f64 = 300.0;
/// Of ten ways, so many are walked.
const WALKS_OF_TEN: u64 = 7;
/// Accuracy that phones state in towns, in metres.
const ACCURACY_M: (f64, f64) = (4.0, 30.0);
/// Accuracy is the radius of 68 %; the deviation along one axis is that much smaller.
const RADIUS_OF_68: f64 = 1.51;
/// What each sequence of numbers is for: beyond what worlds use.
const MOVER: u64 = 16;

/// What a phone reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighted {
    pub position: Position,
    pub accuracy_m: f64,
    pub speed_mps: f64,
}

#[derive(Debug, Clone, Copy)]
enum Doing {
    Staying { left_s: f64 },
    Going { to: Position, mps: f64 },
}

/// One person in one town.
#[derive(Debug, Clone)]
pub struct Mover {
    town: Town,
    random: Random,
    at: Position,
    doing: Doing,
}

impl Mover {
    /// The mover of that number, somewhere in the town and in the middle of something.
    pub fn new(town: Town, seed: u64, number: u64) -> Result<Self, Invalid> {
        let mut random = Random::of(seed, MOVER, number);
        let at = town.somewhere(&mut random)?;
        let left_s = random.between(0.0, STAY_S.1);
        Ok(Self { town, random, at, doing: Doing::Staying { left_s } })
    }

    /// Lets so many seconds pass, and reads the phone.
    pub fn step(&mut self, seconds: f64) -> Result<Sighted, Invalid> {
        let speed_mps = match self.doing {
            Doing::Staying { left_s } if left_s > seconds => {
                self.doing = Doing::Staying { left_s: left_s - seconds };
                0.0
            }
            Doing::Staying { .. } => {
                self.doing = self.set_out()?;
                0.0
            }
            Doing::Going { to, mps } => self.go(to, mps, seconds)?,
        };
        let accuracy_m = self.random.between(ACCURACY_M.0, ACCURACY_M.1).round();
        let (east, north) = self.random.normals();
        let error_m = accuracy_m / RADIUS_OF_68;
        let position = offset(self.at, east * error_m, north * error_m)?;
        Ok(Sighted { position, accuracy_m, speed_mps })
    }

    fn set_out(&mut self) -> Result<Doing, Invalid> {
        if self.random.whole(1, 10) <= WALKS_OF_TEN {
            let (east, north) = self.random.normals();
            return Ok(Doing::Going { to: offset(self.at, east * WALK_M, north * WALK_M)?, mps: WALK_MPS });
        }
        Ok(Doing::Going { to: self.town.somewhere(&mut self.random)?, mps: RIDE_MPS })
    }

    fn go(&mut self, to: Position, mps: f64, seconds: f64) -> Result<f64, Invalid> {
        let (left_m, step_m) = (self.at.distance_to(to), mps * seconds);
        if left_m <= step_m {
            self.at = to;
            self.doing = Doing::Staying { left_s: self.random.between(STAY_S.0, STAY_S.1) };
        } else {
            let mix = |from: f64, to: f64| from + (to - from) * step_m / left_m;
            let latitude = mix(self.at.latitude(), to.latitude());
            self.at = Position::new(latitude, mix(self.at.longitude(), to.longitude()))?;
        }
        Ok(mps)
    }
}
