//! Bringing many places to what a file says, in one use case.
//!
//! Laws: a row is created, changed, unchanged or refused, and counted once; refused rows hold everything back unless the
//! caller allows parts; the same rows again change nothing. With a [`Sync`] the file is the whole of its source: see
//! `sync`.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, Weak},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::resources::{EditError, Resources, find};
use crate::{
    domain::{
        name::{OrganizationName, SourceName},
        organization::Organization,
        place::{Geofence, PlaceName, Store},
        shape::MAX_CORNERS,
        source::Source,
        violation::Violations,
    },
    engine::catalog::Catalog,
    ports::{Appended, Edit, Expected, StoreError},
};

mod absentees;
mod changes;
#[cfg(test)]
mod days_tests;
mod deletion;
mod emptied;
#[cfg(test)]
mod guard_tests;
mod moves;
mod removal;
mod renumbered;
mod report;
mod rows;
mod sync;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
mod unsaid;

pub use self::{
    absentees::as_of_now,
    changes::Changed,
    emptied::Emptied,
    moves::{FAR_M, Move},
    renumbered::Renumbered,
    report::{Held, Problem, Report, SmallGeofence},
    sync::Sync,
    unsaid::{Optional, Unsaid},
};
use self::{
    removal::Fates,
    rows::{Sifted, check_stores, edit, sift},
    sync::{Plan, Told, plan},
};

/// Most rows of one import: its rows are held until the last has been looked at.
pub const MAX_ROWS: usize = 200_000;
/// Most rows changed under one version of the catalog; and together they have no more corners than one geofence may have
/// alone, which are some 4 MiB. A part is one transaction, and everybody else's edits wait for it.
pub const PART: usize = 5_000;
/// Most problems, small geofences, places created, changed, moved, adopted, removed and kept, and new ids that a report names; all
/// are counted.
pub const MAX_REPORTED: usize = 1_000;
/// How often a part is computed anew because somebody else's edit came first.
const TRIES: usize = 4;

/// How an import is meant.
#[derive(Debug, Clone)]
pub struct Options {
    /// Every row is a place of this organization.
    pub network: OrganizationName,
    /// Look and count, change nothing.
    pub dry_run: bool,
    /// Apply the sound rows even if others are refused; a sync does so anyway.
    pub allow_partial: bool,
    /// The rows are the whole of a source.
    pub sync: Option<Sync>,
}

/// A place as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    Store(Store),
    Geofence(Geofence),
}

/// One row of a file: its number there, and the place it says, or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    pub number: u64,
    pub row: Result<Row, Violations>,
    /// Fields that it does not say, which stay as they are; of a refused row only whether it has no zone matters.
    pub unsaid: Unsaid,
    /// Of a refused row: every place it may mean; none if that cannot be told.
    pub may_be: Vec<PlaceName>,
}

impl Numbered {
    /// A row as it was read, with what it does not say.
    pub fn read(number: u64, read: Result<(Row, Unsaid), Violations>, may_be: Vec<PlaceName>) -> Self {
        match read {
            Ok((row, unsaid)) => Self { number, row: Ok(row), unsaid, may_be },
            Err(wrong) => Self { number, row: Err(wrong), unsaid: Unsaid::default(), may_be },
        }
    }

    /// A row that says this place, and all of it.
    pub fn sound(number: u64, row: Row) -> Self {
        Self { number, row: Ok(row), unsaid: Unsaid::default(), may_be: Vec::new() }
    }
}

/// Imports places.
pub struct Imports {
    resources: Arc<Resources>,
    /// Those of sources that are synced now; who has no part in one does not wait for it.
    syncing: std::sync::Mutex<HashMap<SourceName, Weak<Mutex<()>>>>,
}

impl Imports {
    pub fn new(resources: Arc<Resources>) -> Self {
        Self { resources, syncing: Default::default() }
    }

    /// Applies the rows as the options say. An error means that the parts before it are applied and the rest is not.
    pub async fn run(&self, options: &Options, rows: Vec<Numbered>, author: &str) -> Result<Report, EditError> {
        let _alone = match &options.sync {
            Some(sync) => Some(self.turn(&sync.source).await),
            None => None,
        };
        // What it names may have been made on another node a moment ago.
        let catalog = self.resources.newest().await?;
        find::<Organization>(&catalog, &options.network)?;
        let checked = options.sync.as_ref().map_or(Ok(()), |sync| sync.check(&options.network, self.resources.now()));
        checked.map_err(EditError::Invalid)?;
        let (sifted, planned) = self.planned(options, rows, &catalog).await?;
        let Sifted { sound, unsaid, mut report, .. } = sifted;
        report.applied = !options.dry_run && may_apply(options, &report);
        if report.applied {
            let head = match &options.sync {
                Some(sync) => Some(self.begin(sync, author, sync.head(&catalog)).await?),
                None => None,
            };
            self.apply(options, (&sound, &unsaid), author, head).await?;
            if let Some((sync, head)) = options.sync.as_ref().zip(head) {
                let Plan { mut told, removed, said } = planned;
                let fates = self.remove(sync, &said, &removed, author, head).await?;
                told.note(&fates.kept);
                report.remove(&fates.removed);
                report.keep(&fates.kept);
                self.conclude(sync, &told, author, head).await?;
            }
        }
        report.catalog_version = self.resources.snapshot().version;
        Ok(report)
    }

    /// Held by a sync from looking at the source to writing it, so that two of one source do not mingle.
    async fn turn(&self, source: &SourceName) -> OwnedMutexGuard<()> {
        let turn = {
            // Nobody panics while it is held.
            let mut all = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, turn| turn.strong_count() > 0);
            all.get(source).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::default();
                all.insert(source.clone(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }

    /// What the rows say, and which places go. A file of many corners takes seconds, and pings do not wait for it.
    async fn planned(
        &self,
        options: &Options,
        rows: Vec<Numbered>,
        catalog: &Arc<Catalog>,
    ) -> Result<(Sifted, Plan), EditError> {
        let (options, catalog, now) = (options.clone(), catalog.clone(), self.resources.now());
        let planned = tokio::task::spawn_blocking(move || {
            let mut sifted = sift(&options, rows, &catalog);
            let planned = options.sync.as_ref().map(|sync| plan(sync, &mut sifted, &catalog, now));
            (sifted, planned.unwrap_or_default())
        });
        planned.await.map_err(|gone| StoreError::Unavailable(gone.to_string()).into())
    }

    /// Makes the source if this is its first sync, so that none has places without being there; and writes of which time a
    /// newer file is: from then on one of before is stale, though this sync may break off. Returns the source's etag.
    async fn begin(&self, sync: &Sync, author: &str, head: u64) -> Result<u64, EditError> {
        let begun = self.append(author, |catalog| {
            check_head(Some(sync), Some(head), catalog)?;
            let begun = match known(sync, catalog) {
                None => Some(Edit::put(Source::new(sync.source.clone(), sync.as_of), Expected::Absent)),
                Some(source) if sync.as_of.is_some() && source.as_of != sync.as_of => {
                    let newer = Source { as_of: sync.as_of, ..Source::clone(source) };
                    Some(Edit::put(newer, Expected::Version(head)))
                }
                Some(_) => None,
            };
            let is_new = begun.is_some();
            Ok((begun.into_iter().collect(), is_new))
        });
        // Not the snapshot's: by now that may be of a sync on another node, which this one must not go on as.
        let (is_new, version) = begun.await?;
        Ok(if is_new { version } else { head })
    }

    async fn apply(
        &self,
        options: &Options,
        (sound, unsaid): (&[Row], &[Unsaid]),
        author: &str,
        head: Head,
    ) -> Result<(), EditError> {
        let sync = options.sync.as_ref();
        let mut unsaid = unsaid.iter().copied();
        for part in parts(sound, Row::corners) {
            let unsaid: Vec<Unsaid> = unsaid.by_ref().take(part.len()).collect();
            self.append(author, |catalog| {
                check_head(sync, head, catalog)?;
                check_stores(part, catalog)?;
                let edits = part.iter().zip(&unsaid).map(|(row, unsaid)| edit(row, *unsaid, options, catalog));
                Ok((edits.filter_map(Result::transpose).collect::<Result<_, _>>()?, ()))
            })
            .await?;
        }
        Ok(())
    }

    /// Removes what nothing keeps even now, and returns what became of these.
    async fn remove(
        &self,
        sync: &Sync,
        said: &Arc<BTreeSet<PlaceName>>,
        removed: &[PlaceName],
        author: &str,
        head: u64,
    ) -> Result<Fates, EditError> {
        let now = self.resources.now();
        let mut fates = Fates::default();
        for part in removed.chunks(PART) {
            let part = self.append(author, |catalog| {
                check_head(Some(sync), Some(head), catalog)?;
                Ok(removal::edits(sync, said, part, catalog, now))
            });
            fates.extend(part.await?.0);
        }
        Ok(fates)
    }

    /// Writes that the source is in step, last of all: until then the same sync may be run again.
    async fn conclude(&self, sync: &Sync, told: &Told, author: &str, head: u64) -> Result<(), EditError> {
        let now = self.resources.now();
        self.append(author, |catalog| {
            check_head(Some(sync), Some(head), catalog)?;
            Ok((vec![sync.conclusion(told, now, catalog)], ()))
        })
        .await?;
        Ok(())
    }

    /// Makes the edits, and returns what comes beside them of the catalog that they were made of, and the version they made.
    async fn append<T>(
        &self,
        author: &str,
        edits: impl Fn(&Catalog) -> Result<(Vec<Edit>, T), EditError>,
    ) -> Result<(T, u64), EditError> {
        let editing = self.resources.begin().await;
        let mut tries = 0;
        loop {
            let (edits, made) = edits(&self.resources.snapshot())?;
            tries += 1;
            match self.resources.append(&editing, edits, author).await? {
                Appended::Version(version) => return Ok((made, version)),
                Appended::Conflict(name) if tries == TRIES => return Err(EditError::Changed(name)),
                Appended::Conflict(_) => {}
            }
        }
    }
}

/// All of them in their order, each part no larger than one may be.
fn parts<T>(all: &[T], corners: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fit = rest.iter().take(PART).take_while(|one| {
            sum += corners(one);
            sum <= MAX_CORNERS
        });
        let (part, later) = rest.split_at_checked(fit.count().max(1))?;
        rest = later;
        Some(part)
    })
}

fn may_apply(options: &Options, report: &Report) -> bool {
    match options.sync {
        Some(_) => report.held.is_empty(),
        None => report.refused == 0 || options.allow_partial,
    }
}

/// The etag of a sync's source when it began, 0 if there was none; nothing without a sync.
type Head = Option<u64>;

/// Whoever syncs the same source on another node is found out here.
fn check_head(sync: Option<&Sync>, head: Head, catalog: &Catalog) -> Result<(), EditError> {
    match sync {
        Some(sync) if Some(sync.head(catalog)) != head => Err(EditError::Changed(sync.source.clone().into())),
        _ => Ok(()),
    }
}

/// The source's entry, if a sync of it was ever begun.
fn known<'a>(sync: &Sync, catalog: &'a Catalog) -> Option<&'a Arc<Source>> {
    catalog.sources.get(&sync.source).map(|entry| &entry.value)
}
