//! What active campaigns add to building a snapshot of a million circles.
//!
//! Run with `cargo bench --bench compiling`; it needs about 2 GB.

#[path = "support/malls.rs"]
mod malls;
mod support;

use dintorni::{
    domain::{
        campaign::On,
        catalog::{CatalogChange, Resource},
        place::PlaceName,
        trigger::Target,
    },
    engine::catalog::Catalog,
    world::{Plan, World},
};
use support::{median, timed};

const CIRCLES: u64 = 1_000_000;
const CAMPAIGNS: u64 = 10_000;
/// How often each is built, turn by turn.
const TURNS: usize = 5;

fn change(resource: Resource) -> CatalogChange {
    CatalogChange { version: 1, name: resource.name(), resource: Some(resource) }
}

fn main() {
    let world = World::new(Plan { seed: 1, stores: 0, geofences: CIRCLES, circles_only: true });
    let circle = |number| change(world.geofence(&malls::network(), number).expect("sound").into());
    let circles: Vec<CatalogChange> = (0..CIRCLES).map(circle).chain(malls::grants().map(change)).collect();
    let campaign = |number: u64| {
        let at = format!("{}/geofences/g{}", malls::network(), number * (CIRCLES / CAMPAIGNS));
        let place = PlaceName::parse(&at).expect("sound");
        change(malls::campaign(number, On::Entered, Target::Places([place].into())).into())
    };
    let both: Vec<CatalogChange> = circles.iter().cloned().chain((0..CAMPAIGNS).map(campaign)).collect();
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare.push(timed(&mut || Catalog::default().after(&circles).geofences.len() as u64).0);
        let (seconds, fired) = timed(&mut || {
            let catalog = Catalog::default().after(&both);
            assert_eq!(catalog.areas.problems().count(), 0, "every campaign fires somewhere");
            catalog.campaigns.len() as u64
        });
        assert_eq!(fired, CAMPAIGNS);
        whole.push(seconds);
    }
    let (bare, whole) = (median(bare), median(whole));
    println!("{CIRCLES} circles: {bare:.2} s; with {CAMPAIGNS} active campaigns of five terms: {whole:.2} s");
    println!("    the campaigns take {:.1} % of the circles' time", (whole - bare) / bare * 100.0);
}
