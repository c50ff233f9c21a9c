//! No flapping: a phone whose errors drift, as real ones do, standing at the edge, and coming for ten minutes.
//!
//! The errors are a first-order Gauss-Markov process in each axis (a time constant of minutes, as multipath has), with
//! one outlier in a hundred; all of it is seeded, so that a run can be repeated.

use std::f64::consts::TAU;

use super::tests::Walk;
use crate::{
    domain::{geo::Position, presence::TransitionKind},
    engine::{choice::random, fixture::metres, probability::sigma},
};

/// Time constants of the errors, in seconds.
pub const TAUS_S: [f64; 3] = [60.0, 120.0, 300.0];
/// Radii of the circles, in metres.
const RADII_M: [f64; 3] = [20.0, 50.0, 150.0];
/// Accuracies of phones, in metres.
const ACCURACIES_M: [f64; 7] = [5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0];
const HOUR_S: i64 = 3_600;

/// A phone with errors of its own.
pub struct Phone {
    seed: u64,
    drawn: u64,
    pub accuracy_m: f64,
    tau_s: f64,
    error: [f64; 2],
    pub now: i64,
}

impl Phone {
    pub fn new(seed: u64, accuracy_m: f64, tau_s: f64) -> Self {
        let mut phone = Self { seed, drawn: 0, accuracy_m, tau_s, error: [0.0; 2], now: 0 };
        phone.error = phone.gaussians().map(|g| g * sigma(accuracy_m));
        phone
    }

    fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        (random(self.seed, self.drawn) >> 75) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller.
    fn gaussians(&mut self) -> [f64; 2] {
        let (radius, turn) = ((-2.0 * (1.0 - self.uniform()).ln()).sqrt(), TAU * self.uniform());
        [radius * turn.cos(), radius * turn.sin()]
    }

    /// Its errors so many seconds later.
    pub fn drift(&mut self, pause: i64) -> [f64; 2] {
        self.now += pause;
        let keep = (-(pause as f64) / self.tau_s).exp();
        let fresh = (1.0 - keep * keep).sqrt() * sigma(self.accuracy_m);
        let drawn = self.gaussians();
        self.error = [0, 1].map(|i| self.error[i] * keep + drawn[i] * fresh);
        self.error
    }

    /// The next fix, 10 to 60 s later, of a phone whose true place is so far from the centre then.
    fn fix(&mut self, from_center_m: impl Fn(i64) -> f64) -> (i64, Position, f64) {
        let pause = 10 + (51.0 * self.uniform()) as i64;
        let mut error = self.drift(pause);
        if self.uniform() < 0.01 {
            let (turn, far) = (TAU * self.uniform(), 4.0 * sigma(self.accuracy_m));
            error = [far * turn.cos(), far * turn.sin()];
        }
        (self.now, metres(error[0], from_center_m(self.now) + error[1]), self.accuracy_m)
    }
}

/// Entries of a phone in one run.
fn entries(walk: &mut Walk, phone: &mut Phone, until: i64, from_center_m: impl Fn(i64) -> f64) -> u32 {
    let mut entries = 0;
    while phone.now < until {
        let (at, position, accuracy) = phone.fix(&from_center_m);
        let told = walk.fix(at, position, accuracy);
        entries += told.iter().filter(|(kind, ..)| *kind == TransitionKind::Entered).count() as u32;
    }
    entries
}

/// A visit of ten minutes, walked to and from at 1.4 m/s from half a kilometre away: metres from the centre.
fn visit(seconds: i64, standing_m: f64) -> f64 {
    let (begin, end) = (600, 1_200);
    let away = (begin - seconds).max(seconds - end).max(0);
    (1.4 * away as f64).clamp(standing_m, 650.0)
}

/// Hours of one accuracy, and how many entries they had.
#[derive(Default)]
struct Hours {
    runs: u32,
    entries: u32,
    with_more: u32,
}

/// 1,000 hours on the edge of a circle: phones as accurate as the circle is large, or better.
fn stand_on_the_edge(radius_m: f64) {
    let phones: Vec<f64> = ACCURACIES_M.into_iter().filter(|accuracy| *accuracy <= radius_m).collect();
    let mut hours: Vec<Hours> = phones.iter().map(|_| Hours::default()).collect();
    for run in 0..1_000 {
        let (of, tau_s) = (run % phones.len(), TAUS_S[run / phones.len() % TAUS_S.len()]);
        let mut phone = Phone::new(run as u64, phones[of], tau_s);
        let entries = entries(&mut Walk::around(radius_m), &mut phone, HOUR_S, |_| radius_m);
        let sum = &mut hours[of];
        *sum = Hours {
            runs: sum.runs + 1,
            entries: sum.entries + entries,
            with_more: sum.with_more + u32::from(entries > 1),
        };
    }
    for (accuracy, Hours { runs, entries, with_more }) in phones.iter().zip(hours) {
        let said =
            format!("{radius_m} m, accuracy {accuracy} m: {entries} entries in {runs} hours, {with_more} with more");
        println!("{said}");
        assert!(f64::from(entries) <= 1.15 * f64::from(runs) && 10 * with_more <= runs, "{said}");
    }
}

#[test]
fn nobody_flaps_on_the_edge_of_a_kiosk() {
    stand_on_the_edge(20.0);
}

#[test]
fn nobody_flaps_on_the_edge_of_a_shop() {
    stand_on_the_edge(50.0);
}

#[test]
fn nobody_flaps_on_the_edge_of_a_mall() {
    stand_on_the_edge(150.0);
}

#[test]
fn ten_minutes_inside_are_one_entry() {
    let (mut visits, mut once) = (0, 0);
    for radius_m in RADII_M {
        for run in 0..300 {
            let phones = ACCURACIES_M.iter().filter(|accuracy| 2.0 * **accuracy <= radius_m).count();
            let mut phone = Phone::new(1_000_000 + run as u64, ACCURACIES_M[run % phones], TAUS_S[run / phones % 3]);
            let standing_m = phone.uniform() * radius_m / 2.0;
            let mut walk = Walk::around(radius_m);
            visits += 1;
            once += u32::from(entries(&mut walk, &mut phone, 1_800, |t| visit(t, standing_m)) == 1);
        }
    }
    println!("{once} of {visits} visits gave exactly one entry");
    assert!(100 * once >= 98 * visits, "{once} of {visits}");
}
