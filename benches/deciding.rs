//! What deciding costs beside the match alone, and of it the receipt, on the fixture "a chain's malls at noon"
//! (`support/malls.rs`), in a world of 1,000,000 circles and in one of 100,000 geofences of the mix. The receipt is made
//! while deciding; what it costs to make is what a copy of it costs.
//!
//! Run with `cargo bench --bench deciding`; it needs about 2 GB.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/malls.rs"]
mod malls;
mod support;

use std::hint::black_box;

use counting::allocations;
use dintorni::domain::{decision::Decision, ping::Ping, profile::Profile};
use malls::Malls;
use support::{Task, in_turn};

/// How often each visitor pings in one turn.
const ROUNDS: usize = 5;

fn main() {
    for (what, geofences, circles_only) in
        [("1,000,000 circles", 1_000_000, true), ("100,000 of the mix", 100_000, false)]
    {
        println!("in a world of {what}");
        let malls = Malls::new(geofences, circles_only);
        let new = malls.each(|mall| malls.person(mall));
        let far = walk(&malls, &new, |mall| malls.ping(mall, 0, -2_000.0));
        let arrived = walk(&malls, &far, |mall| malls.ping(mall, 300, -390.0));
        say(&malls, "arriving at the mall", &far, |mall| malls.ping(mall, 300, -390.0));
        say(&malls, "a minute later, 10 m on", &arrived, |mall| malls.ping(mall, 360, -380.0));
        say(&malls, "then among the shops", &arrived, |mall| malls.ping(mall, 600, 0.0));
        say(&malls, "passing by 2 km away", &far, |mall| malls.ping(mall, 60, -1_990.0));
        let settled = walk(&malls, &new, |number| malls.ping_in_town(number, 0));
        let settled = walk(&malls, &settled, |number| malls.ping_in_town(number, 60));
        say(&malls, "staying somewhere in town", &settled, |number| malls.ping_in_town(number, 120));
    }
}

/// The visitors after their pings.
fn walk(malls: &Malls, before: &[Profile], ping: impl Fn(usize) -> Ping) -> Vec<Profile> {
    malls.each(|mall| malls.decide(&before[mall], &ping(mall)).profile)
}

fn say(malls: &Malls, what: &str, before: &[Profile], ping: impl Fn(usize) -> Ping) {
    let visitors: Vec<(&Profile, Ping)> = before.iter().zip(malls.each(ping)).collect();
    let (outcome, count) = allocations(|| malls.decide(visitors[0].0, &visitors[0].1));
    let receipt = outcome.decision;
    let (transitions, considered) = (receipt.transitions.len(), receipt.considered.len());
    println!("  {what}: {transitions} transitions, {considered} campaigns triggered, {} offers", receipt.offers.len());
    let receipts: Vec<Decision> = visitors.iter().map(|(before, ping)| malls.decide(before, ping).decision).collect();
    let matched = &mut || each(&visitors, |(_, ping)| malls.matched(ping));
    let decided = &mut || each(&visitors, |(before, ping)| malls.decide(before, ping).decision.considered.len() as u64);
    let copied = &mut || each(&receipts, |receipt| black_box(receipt.clone()).considered.len() as u64);
    let tasks: [(&str, Task<'_>); 3] =
        [("the match alone", matched), ("decide", decided), ("a copy of the receipt", copied)];
    let [matched, decided, copied] = in_turn(ROUNDS * visitors.len(), tasks);
    let (times, share) = (decided / matched, copied / decided * 100.0);
    println!("    {times:.1} times the match alone, the receipt {share:.0} % of it; {count} allocations");
}

fn each<T>(things: &[T], task: impl Fn(&T) -> u64) -> u64 {
    (0..ROUNDS).map(|_| things.iter().map(&task).sum::<u64>()).sum()
}
