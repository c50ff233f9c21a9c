//! What became of an import, row by row and place by place.
//!
//! Law: everything is counted; of each list the first [`MAX_REPORTED`] are named.

use std::collections::BTreeSet;

use super::{Changed, Emptied, FAR_M, MAX_REPORTED, Move, Optional, Renumbered, Row, Sync, rows::Difference};
use crate::{
    app::phone_size,
    domain::{
        name::{GeofenceName, SourceName},
        place::{Geofence, PlaceName},
        source::Kept,
        time::Timestamp,
        violation::{Violation, Violations},
    },
    engine::effective::{self, Distances},
};

/// What became of the rows; if nothing was applied, what would have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub applied: bool,
    pub created: u64,
    pub creations: Vec<PlaceName>,
    pub changed: u64,
    pub changes: Vec<Changed>,
    pub unchanged: u64,
    pub refused: u64,
    pub problems: Vec<Problem>,
    pub small: Vec<SmallGeofence>,
    /// Of those changed: places that it moves far.
    pub moved: u64,
    /// Of those moved: those that come to where they were with latitude and longitude exchanged.
    pub exchanged: u64,
    pub moves: Vec<Move>,
    /// Of those changed: how many lose which field.
    pub emptied: Vec<Emptied>,
    /// Of those changed: places of no source that become the sync's.
    pub adopted: u64,
    pub adoptions: Vec<PlaceName>,
    /// The sync's source was never in step before.
    pub first_sync: bool,
    /// Without a sync: the sources whose places rows name, as they are met.
    pub sources: BTreeSet<SourceName>,
    /// The catalog that holds it.
    pub catalog_version: u64,
    /// Places of the source that went.
    pub removed: u64,
    pub removals: Vec<PlaceName>,
    /// Places of the source that no sound row names, and that stay.
    pub kept: u64,
    pub keeps: Vec<Kept>,
    /// Stores that the file lacks, and that seem to come under another id.
    pub renumbered: u64,
    pub renumberings: Vec<Renumbered>,
    /// Why a sync changes nothing: all that stands against it.
    pub held: Vec<Held>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub number: u64,
    pub violation: Violation,
}

/// A sound geofence that phones will enter late or never.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallGeofence {
    pub number: u64,
    pub name: GeofenceName,
    pub effective_radius_m: f64,
    pub why: &'static str,
    /// What the presence rule means there.
    pub distances: Vec<Distances>,
}

/// Why a sync as a whole changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    Empty,
    /// So many rows, and all refused.
    Unreadable {
        rows: u64,
    },
    Stale {
        as_of: Timestamp,
        last: Timestamp,
    },
    /// So many of the rows were refused, and at most that many percent may be.
    TooManyRefused {
        refused: u64,
        rows: u64,
        percent: u32,
    },
    /// So many of the source's places are not in the file, beside those that the last one lacked and those that rows without
    /// an id may mean, and at most that many percent may be.
    TooManyRemovals {
        missing: u64,
        places: u64,
        percent: u32,
    },
    /// So many of the source's stores seem to come under other ids, and at most a tenth of that many percent may.
    TooManyRenumbered {
        renumbered: u64,
        places: u64,
        percent: u32,
    },
    /// So many of the places that rows name and that are there would move far, and at most that many percent may; or so many
    /// of them to where they were with latitude and longitude exchanged, and no half of the places may.
    TooManyMoves {
        moved: u64,
        exchanged: u64,
        places: u64,
        percent: u32,
    },
    /// So many of the places that rows name and that have something in the field would lose it, and at most that many
    /// percent may.
    TooManyEmptied {
        field: Optional,
        emptied: u64,
        places: u64,
        percent: u32,
    },
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the file has no row"),
            Self::Unreadable { rows } => write!(f, "none of the file's {rows} rows is sound"),
            Self::Stale { as_of, last } => {
                write!(f, "the file is of {as_of}, and the source has had one of {last}")
            }
            Self::TooManyRefused { refused, rows, percent } => write!(
                f,
                "{refused} of the file's {rows} rows are refused, and at most {percent} percent may be: its form has \
                 changed; if the others are right, allow more"
            ),
            Self::TooManyRemovals { missing, places, percent } => write!(
                f,
                "the file lacks {missing} of the source's {places} places, beside those that the last one lacked and as many as \
                 it has rows that cannot be told, and at most {percent} percent may go unasked: it was cut, or its ids are not those of the last one; if it is right, allow the removals"
            ),
            Self::TooManyRenumbered { renumbered, places, percent } => write!(
                f,
                "{renumbered} of the source's {places} places seem to come under other ids, with the same name at the same \
                 spot, and at most {} percent may unasked: geofences, campaigns and visits of the old ones do not come \
                 with them; if it is right, allow the removals",
                f64::from(*percent) / 10.0
            ),
            Self::TooManyMoves { exchanged, places, .. } if is_swapped(*exchanged, *places) => write!(
                f,
                "{exchanged} of {places} places would move to where they were with latitude and longitude exchanged: the two \
                 are swapped in this file, or were in the last one; if this one is right, allow the moves"
            ),
            Self::TooManyMoves { moved, places, percent, .. } => write!(
                f,
                "{moved} of {places} places would move by more than {FAR_M} m, and at most {percent} percent may go so far \
                 unasked: latitude and longitude are shifted or rounded, swapped in some rows, or decimal marks were lost, or \
                 those of the last file were; if it is right, allow the moves"
            ),
            Self::TooManyEmptied { field, emptied, places, percent } => write!(
                f,
                "{field} would be emptied in {emptied} of {places} places, and at most {percent} percent may lose it \
                 unasked: its column is there, and its values were lost; if it is right, allow them to be emptied"
            ),
        }
    }
}

/// Whether so many exchanged places are the file, and not the correction of one or the other.
pub(super) fn is_swapped(exchanged: u64, places: u64) -> bool {
    exchanged > 0 && exchanged * 2 >= places
}

impl Report {
    /// Counts what the row does; `changed` is asked for what it changes.
    pub(super) fn count(&mut self, difference: &Difference, row: &Row, changed: impl FnOnce() -> Option<Changed>) {
        match difference {
            Difference::New => {
                self.created += 1;
                if self.creations.len() < MAX_REPORTED {
                    self.creations.push(row.place());
                }
            }
            Difference::Other(_) => {
                self.changed += 1;
                if self.changes.len() < MAX_REPORTED {
                    self.changes.extend(changed());
                }
            }
            Difference::None => self.unchanged += 1,
        }
    }

    /// Whose place a row names that is there already.
    pub(super) fn note_source(&mut self, row: &Row, source: Option<&SourceName>, sync: Option<&Sync>) {
        match (source, sync) {
            (None, Some(_)) => {
                self.adopted += 1;
                if self.adoptions.len() < MAX_REPORTED {
                    self.adoptions.push(row.place());
                }
            }
            (Some(source), None) if self.sources.len() < MAX_REPORTED && !self.sources.contains(source) => {
                self.sources.insert(source.clone());
            }
            (Some(_), _) | (None, None) => {}
        }
    }

    pub(super) fn refuse(&mut self, number: u64, violations: &Violations) {
        self.refused += 1;
        let room = MAX_REPORTED.saturating_sub(self.problems.len());
        self.problems.extend(violations.iter().take(room).map(|v| Problem { number, violation: v.clone() }));
    }

    pub(super) fn note_small(&mut self, number: u64, geofence: &Geofence) {
        if self.small.len() < MAX_REPORTED
            && let Some(why) = phone_size::warning(&geofence.shape, &geofence.detection)
        {
            let effective_radius_m = effective::radius_m(&geofence.shape);
            let distances = effective::distances(&geofence.shape, &geofence.detection);
            self.small.push(SmallGeofence { number, name: geofence.name.clone(), effective_radius_m, why, distances });
        }
    }

    pub(super) fn note_moves(&mut self, moves: impl Iterator<Item = Move>) {
        for far in moves {
            self.moved += 1;
            self.exchanged += u64::from(far.is_exchanged());
            if self.moves.len() < MAX_REPORTED {
                self.moves.push(far);
            }
        }
    }

    pub(super) fn remove(&mut self, removed: &[PlaceName]) {
        self.removed = removed.len() as u64;
        self.removals = removed.iter().take(MAX_REPORTED).cloned().collect();
    }

    pub(super) fn renumber(&mut self, all: Vec<Renumbered>) {
        self.renumbered = all.len() as u64;
        self.renumberings = all;
        self.renumberings.truncate(MAX_REPORTED);
    }

    /// More places stay.
    pub(super) fn keep(&mut self, kept: &[Kept]) {
        self.kept += kept.len() as u64;
        self.keeps.extend(kept.iter().take(MAX_REPORTED.saturating_sub(self.keeps.len())).cloned());
    }
}
