//! Floor 3a: the use cases. Each speaks to the outside through ports only.

pub mod ingest;
pub mod live_catalog;
pub mod profile_store;
pub mod stripes;
