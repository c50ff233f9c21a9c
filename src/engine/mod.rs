//! Floor 1: the decision, pure and synchronous: no clock, no I/O, no randomness of its own.
//!
//! A ping goes down this page: [`decide`](decide::decide) asks [`presence`] (over [`areas`], [`index`], [`shape`], [`crossing`] and [`probability`])
//! and [`ranging`] for transitions, [`areas`] for the campaigns they fire, [`eligibility`] (with [`audience`]) for
//! refusals, [`ranking`] and [`choice`] for the best few, and [`silence`] for when to ask again. [`catalog`] is the
//! snapshot all of them read; [`targets`] resolves what campaigns aim at when it is made.
//! What becomes of offers afterwards is in [`engagement`]; what the rule of presence means for a shape, in [`effective`].

pub mod areas;
pub mod audience;
pub mod boxes;
pub mod catalog;
pub mod choice;
pub mod compile;
#[cfg(test)]
mod compile_tests;
pub mod crossing;
pub mod decide;
#[cfg(test)]
mod decide_tests;
pub mod edges;
pub mod effective;
pub mod eligibility;
pub mod engagement;
pub mod faults;
#[cfg(test)]
mod fixture;
pub mod forest;
pub mod grants;
pub mod index;
pub mod packed;
pub mod plane;
pub mod presence;
pub mod probability;
pub mod ranging;
pub mod ranking;
pub mod shape;
pub mod shared_map;
pub mod silence;
#[cfg(test)]
mod silence_tests;
pub mod targets;
