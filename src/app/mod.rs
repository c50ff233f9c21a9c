//! Floor 3a: the use cases. Each speaks to the outside through ports only.

pub mod decisions;
pub mod devices;
pub mod ingest;
pub mod keys;
pub mod live_catalog;
pub mod profile_store;
pub mod stripes;
pub mod tokens;
