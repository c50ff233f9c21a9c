//! Floor 3b: the adapters of the ports, and how what they keep is encoded.
//!
//! | port | embedded | several machines |
//! |---|---|---|
//! | `Records`, `CatalogStore` | [`sql`] on SQLite | [`sql`] on PostgreSQL, by the same code |
//! | `ProfileCache` | [`memory`] | [`redis`] |
//!
//! Law: SQL decides and the caches only propose; nothing above this floor learns which engine it speaks to.

mod address;
mod cache_counts;
pub mod codec;
pub mod memory;
pub mod redis;
pub mod sql;

pub use address::Address;
pub use cache_counts::CacheCounts;
