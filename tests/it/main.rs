//! The integration tests: one binary, real servers on free ports, started once and stopped with it.

mod cli;
mod conformance;
mod edge;
mod faults;
mod layers;
mod owners;
mod people;
mod support;
mod tills;
mod traces;
