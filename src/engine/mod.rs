//! Floor 1: the decision, pure and synchronous: no clock, no I/O, no randomness of its own.
//!
//! A ping goes down this page: [`decide`](decide::decide) asks [`presence`] and [`ranging`] for transitions, [`areas`]
//! and [`happening`] for the campaigns (each [`armed`]) that they and events fire, [`visiting`] for which visits began,
//! [`eligibility`] (of each [`gate`], with [`audience`], [`caps`], and [`schedule`] on a [`civil`] clock) for refusals, [`experiment`] for who is held out,
//! [`ranking`] and [`choice`] for the best few, [`wording`] for what they say, and [`silence`] for when to ask again. What
//! becomes of offers afterwards is in [`engagement`]. [`browsing`] asks the same gates without a ping, and [`explain`], with
//! what is a [`remedy`]: both as if something had happened, which is [`supposed`].
//!
//! Where a position is: [`index`] (of [`packed`] trees of [`boxes`], coarse ones above exact ones) and [`nearest`] find,
//! [`known`] remembers for one ping, [`crowd`] says which of too many count (each is an [`entry`]), [`shape`] (with
//! [`edges`] and a raster of them, far away on the [`sphere`]) is exact, [`probability`] (in a [`plane`]) doubts, [`crossing`] looks between two
//! fixes, and [`effective`] (from the [`deepest`] point on) says what all of it means in metres.
//!
//! What there is: [`catalog`] is the snapshot that all of them read. An edit makes the next one from it: [`compile`] and
//! [`firing`] change what [`targets`] (with [`regions`]) and [`grants`] say they must, [`shared_map`] and [`forest`] share the rest, and
//! [`faults`] are what keeps a campaign from firing.

pub mod areas;
pub mod armed;
pub mod audience;
pub mod boxes;
#[cfg(test)]
mod brand_eye_tests;
pub mod browsing;
#[cfg(test)]
mod browsing_tests;
pub mod caps;
#[cfg(test)]
mod caps_tests;
pub mod catalog;
pub mod choice;
pub mod civil;
mod coarse;
pub mod compile;
#[cfg(test)]
mod compile_tests;
pub mod crossing;
pub mod crowd;
pub mod decide;
#[cfg(test)]
mod decide_tests;
pub mod deepest;
pub mod edges;
pub mod effective;
pub mod eligibility;
pub mod engagement;
pub mod entry;
pub mod experiment;
#[cfg(test)]
mod experiment_tests;
pub mod explain;
#[cfg(test)]
mod explain_ping_tests;
#[cfg(test)]
mod explain_place_tests;
#[cfg(test)]
mod explain_tests;
pub mod faults;
pub mod firing;
#[cfg(test)]
pub(crate) mod fixture;
pub mod foremost;
pub mod forest;
pub mod gate;
pub mod ghosts;
pub mod grants;
pub mod happening;
#[cfg(test)]
mod happening_tests;
pub mod index;
pub mod known;
#[cfg(test)]
mod known_tests;
pub mod nearest;
pub mod packed;
pub mod plane;
pub mod presence;
pub mod probability;
pub mod ranging;
pub mod ranking;
mod raster;
pub mod redeeming;
pub mod regions;
pub mod remedy;
pub mod schedule;
#[cfg(test)]
mod schedule_tests;
pub mod shape;
pub mod shared_map;
pub mod silence;
#[cfg(test)]
mod silence_tests;
pub mod sphere;
pub mod supposed;
pub mod taking;
pub mod targets;
pub mod trial;
#[cfg(test)]
mod trial_tests;
pub mod visiting;
#[cfg(test)]
mod visiting_tests;
pub mod wording;
#[cfg(test)]
mod wording_tests;
