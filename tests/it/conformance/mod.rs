//! The laws of the ports, each a test, written once and run on every adapter against real servers.

mod catalog_store;
mod postgres;
mod profile_cache;
mod records;
mod redis;
mod sqlite;
mod units;
