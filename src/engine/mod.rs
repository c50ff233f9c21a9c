//! Floor 1: the decision, pure and synchronous: no clock, no I/O, no randomness of its own.

pub mod catalog;
