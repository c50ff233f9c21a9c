//! A source: a file of places that is imported again and again, and what its last sync said.
//!
//! Law: a sync touches and removes only the places of its own source.

use serde::{Deserialize, Serialize};

use super::{name::SourceName, time::Timestamp};

/// What is known of a file that keeps places in step. Made, and changed, by its syncs alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub name: SourceName,
    /// The time of which the newest file spoke, once its sync was begun; none if no file ever said one. Older files are
    /// stale.
    pub as_of: Option<Timestamp>,
    /// How many rows the file of the last sync had that was done.
    pub rows: u64,
    /// How many of them were refused.
    #[serde(default)]
    pub refused: u64,
    /// How many places of the source it said nothing of, not even in a refused row, and that stayed all the same.
    #[serde(default)]
    pub absent: u64,
    /// When the last sync was done.
    pub synced_at: Timestamp,
}
