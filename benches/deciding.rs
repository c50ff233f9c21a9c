//! What deciding costs beside the match alone, and of it the receipt, on the fixture "a shopping street at noon"
//! (`support/street.rs`). The receipt is made while deciding; what it costs to make is what a copy of it costs.
//!
//! Run with `cargo bench --bench deciding`.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/street.rs"]
mod street;
mod support;

use std::hint::black_box;

use counting::allocations;
use dintorni::domain::{ping::Ping, profile::Profile};
use street::Street;
use support::{Task, in_turn};

/// How often something is done in one turn.
const ROUNDS: usize = 2_000;

fn main() {
    let street = Street::new();
    let far = street.decide(&street.person(), &street.ping(0, -2_000.0)).profile;
    let arrived = street.decide(&far, &street.ping(300, 0.0)).profile;
    say(&street, "arriving", &far, &street.ping(300, 0.0));
    say(&street, "a minute later, 10 m on", &arrived, &street.ping(360, 10.0));
    say(&street, "passing by 2 km away", &far, &street.ping(60, -1_990.0));
}

fn say(street: &Street, what: &str, profile: &Profile, ping: &Ping) {
    let (outcome, count) = allocations(|| street.decide(profile, ping));
    let receipt = outcome.decision;
    let (transitions, considered) = (receipt.transitions.len(), receipt.considered.len());
    println!("{what}: {transitions} transitions, {considered} campaigns triggered, {} offers", receipt.offers.len());
    let matched = &mut || repeat(|| street.matched(ping));
    let decided = &mut || repeat(|| street.decide(profile, ping).decision.considered.len() as u64);
    let copied = &mut || repeat(|| black_box(receipt.clone()).considered.len() as u64);
    let tasks: [(&str, Task<'_>); 3] =
        [("the match alone", matched), ("decide", decided), ("a copy of the receipt", copied)];
    let [matched, decided, copied] = in_turn(ROUNDS, tasks);
    let (times, share) = (decided / matched, copied / decided * 100.0);
    println!("    {times:.1} times the match alone, the receipt {share:.0} % of it; {count} allocations");
}

fn repeat(mut task: impl FnMut() -> u64) -> u64 {
    (0..ROUNDS).map(|_| task()).sum()
}
