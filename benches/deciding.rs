//! What deciding costs beside the match alone, on the fixture "a shopping street at noon" (`support/street.rs`).
//!
//! Run with `cargo bench --bench deciding`.

#[path = "support/street.rs"]
mod street;
mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use dintorni::domain::{ping::Ping, profile::Profile};
use street::Street;
use support::measure;

/// How often something is done in one turn.
const ROUNDS: usize = 2_000;

/// Counts allocations: what a decision costs is mostly these.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let street = Street::new();
    let far = street.decide(&street.person(), &street.ping(0, -2_000.0)).profile;
    let arrived = street.decide(&far, &street.ping(300, 0.0)).profile;
    say(&street, "arriving", &far, &street.ping(300, 0.0));
    say(&street, "a minute later, 10 m on", &arrived, &street.ping(360, 10.0));
    say(&street, "passing by 2 km away", &far, &street.ping(60, -1_990.0));
}

fn say(street: &Street, what: &str, profile: &Profile, ping: &Ping) {
    let outcome = street.decide(profile, ping).decision;
    let (transitions, considered) = (outcome.transitions.len(), outcome.considered.len());
    println!("{what}: {transitions} transitions, {considered} campaigns triggered, {} offers", outcome.offers.len());
    let matched = measure("    the match alone", ROUNDS, &mut || repeat(|| street.matched(ping)));
    let decided =
        measure("    decide", ROUNDS, &mut || repeat(|| street.decide(profile, ping).decision.considered.len() as u64));
    let before = ALLOCATIONS.load(Relaxed);
    drop(street.decide(profile, ping));
    let allocations = ALLOCATIONS.load(Relaxed) - before;
    println!("    {:.1} times the match alone, {allocations} allocations", decided / matched);
}

fn repeat(mut task: impl FnMut() -> u64) -> u64 {
    (0..ROUNDS).map(|_| task()).sum()
}
