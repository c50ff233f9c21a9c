//! A source: a file of places that is imported again and again, and what its last sync said.
//!
//! Law: a sync touches and removes only the places of its own source.

use serde::{Deserialize, Serialize};

use super::{
    name::{CampaignName, SourceName},
    place::PlaceName,
    time::Timestamp,
};

/// Most places that a source remembers by name.
pub const MAX_ABSENTEES: usize = 1_000;
/// Most campaigns named of one place that is kept for them.
const MAX_CAMPAIGNS: usize = 10;

/// What is known of a file that keeps places in step. Made, and changed, by its syncs alone; it may be
/// deleted.
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
    /// Of how many of these it could not be told which places they mean.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untold: u64,
    /// How many places of the source it said nothing of, not even in a row that was refused for what it says of them, and
    /// that stayed all the same.
    #[serde(default)]
    pub absent: u64,
    /// The first of them, at most [`MAX_ABSENTEES`], and why they stayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absentees: Vec<Kept>,
    /// When the last sync was done; none while the first one is not.
    pub synced_at: Option<Timestamp>,
}

impl Source {
    /// One whose first sync begins.
    pub fn new(name: SourceName, as_of: Option<Timestamp>) -> Self {
        Self { name, as_of, rows: 0, refused: 0, untold: 0, absent: 0, absentees: Vec::new(), synced_at: None }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A place that no sound row names, and why it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub place: PlaceName,
    pub why: KeptWhy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptWhy {
    RowRefused,
    /// It cannot be told which places some refused rows mean.
    RowUntold,
    /// By these campaigns, the first of them.
    Targeted(Vec<CampaignName>),
    /// Something belongs to it that does not go with it.
    HasDependents,
}

impl Kept {
    /// With the first of its campaigns.
    pub fn new(place: PlaceName, mut why: KeptWhy) -> Self {
        if let KeptWhy::Targeted(campaigns) = &mut why {
            campaigns.truncate(MAX_CAMPAIGNS);
        }
        Self { place, why }
    }

    /// Whether the file said nothing at all of it, not even in a refused row.
    pub fn is_absent(&self) -> bool {
        self.why != KeptWhy::RowRefused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_stored_before_absentees_were_is_read_and_written_as_it_was() {
        let old =
            r#"{"name":"organizations/a/sources/erp","as_of":null,"rows":7,"refused":0,"absent":2,"synced_at":5}"#;
        let read: Source = serde_json::from_str(old).expect("sound");
        assert!(read.absentees.is_empty());
        assert_eq!(serde_json::to_string(&read).expect("plain"), old);
    }

    #[test]
    fn a_source_whose_first_sync_is_under_way_is_read_as_it_was_written() {
        let name = SourceName::parse("organizations/a/sources/erp").expect("sound");
        let begun = Source { untold: 3, ..Source::new(name, Some(Timestamp::from_micros(5))) };
        let written = serde_json::to_string(&begun).expect("plain");
        assert_eq!(serde_json::from_str::<Source>(&written).expect("sound"), begun);
    }
}
