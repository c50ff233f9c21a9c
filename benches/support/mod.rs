//! What all benches share: runs of two things that take turns, and the ratio of their medians.
//!
//! Law: a figure is a ratio within one run, for machines differ and are never idle; and both sides must find the same (but
//! for one in a hundred, where theirs is an approximation), or there is no figure.

#![expect(clippy::disallowed_methods, reason = "benches measure; nothing is decided by it")]
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// How often each side has its turn.
const TURNS: usize = 9;

/// Something to time, and a number that says what it found.
pub type Task<'a> = &'a mut dyn FnMut() -> u64;

/// Lets both take turns; prints the medians per operation and their ratio.
pub fn compare(what: &str, operations: usize, (ours, us): (&str, Task<'_>), (theirs, them): (&str, Task<'_>)) {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let (our_time, our_finds) = timed(us);
        let (their_time, their_finds) = timed(them);
        let alike = our_finds.abs_diff(their_finds) * 100 <= our_finds;
        assert!(alike, "{what}: {ours} finds {our_finds}, {theirs} finds {their_finds}");
        // The first turn warms the caches.
        if turn > 0 {
            our_times.push(our_time);
            their_times.push(their_time);
        }
    }
    let (our_time, their_time) = (median(our_times) / operations as f64, median(their_times) / operations as f64);
    println!("{what}");
    println!("    {ours:<38} {:>12}", shown(our_time));
    println!("    {theirs:<38} {:>12}    {:.2} times ours", shown(their_time), their_time / our_time);
}

/// Times one thing by itself; prints the median per operation and returns it in seconds.
pub fn measure(what: &str, operations: usize, task: Task<'_>) -> f64 {
    task();
    let time = median((0..TURNS).map(|_| timed(task).0).collect()) / operations as f64;
    println!("{what:<42} {:>12}", shown(time));
    time
}

/// Lets all take turns; prints the median of each per operation and returns them in seconds.
pub fn in_turn<const N: usize>(operations: usize, mut tasks: [(&str, Task<'_>); N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for turn in 0..=TURNS {
        for ((_, task), times) in tasks.iter_mut().zip(&mut times) {
            let (time, _) = timed(task);
            // The first turn warms the caches.
            if turn > 0 {
                times.push(time);
            }
        }
    }
    let medians = times.map(|times| median(times) / operations as f64);
    tasks.iter().zip(medians).for_each(|((what, _), time)| println!("    {what:<38} {:>12}", shown(time)));
    medians
}

/// Seconds that it takes, and what it finds.
pub fn timed(task: Task<'_>) -> (f64, u64) {
    let begun = Instant::now();
    let found = black_box(task());
    (begun.elapsed().as_secs_f64(), found)
}

/// The middle one.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn shown(seconds: f64) -> String {
    format!("{:.3?}", Duration::from_secs_f64(seconds))
}
