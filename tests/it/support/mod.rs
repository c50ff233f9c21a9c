//! What the tests stand on.

pub mod caches;
pub mod databases;
pub mod harness;
pub mod samples;
pub mod servers;
