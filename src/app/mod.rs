//! Floor 3a: the use cases. Each speaks to the outside through ports only.

pub mod live_catalog;
