//! A file as the whole of its source: what goes because the file no longer names it, and what holds a bad file back.
//!
//! Laws: a sync removes places of its own source only; a bad file (empty, unreadable, stale, much too short, or moving or
//! emptying everything) changes nothing; a refused row keeps its place, under a new id, too, and if that place cannot be told nothing is removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    emptied::too_many,
    known,
    removal::{Fates, fates},
    report::{Held, Report, is_swapped},
    rows::Sifted,
};
use crate::{
    domain::{
        name::{OrganizationName, SourceName},
        place::PlaceName,
        source::{Kept, KeptWhy, MAX_ABSENTEES, Source},
        time::Timestamp,
        violation::{Invalid, Violations},
    },
    engine::catalog::Catalog,
    ports::{Edit, Expected},
};

/// Percent of a source's places that may go unasked, if nobody says otherwise.
pub const DEFAULT_REMOVED_PERCENT: u32 = 10;
/// Percent of a file's rows that may be refused, if nobody says otherwise: one of five stores.
pub const DEFAULT_REFUSED_PERCENT: u32 = 20;
/// Percent of the places that are there and that rows name which may move far unasked, if nobody says otherwise.
pub const DEFAULT_MOVED_PERCENT: u32 = 10;
/// So many places may go, move far, have new ids or lose a field whatever their share, unless none may: a shop or two that
/// close or change hands are an ordinary day, of whatever network.
pub(super) const FEW: u64 = 2;
/// How far a file may be of the future: it speaks of a day, and the day begins earlier in the east. A mistyped year would
/// make every later file stale.
const MAX_AHEAD: Duration = Duration::from_secs(2 * 24 * 3_600);

/// How a file takes the place of the last one of its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    pub source: SourceName,
    /// The time of which the file speaks, if it is known.
    pub as_of: Option<Timestamp>,
    /// Remove what the file does not name, however much it is, and take whatever new ids it gives.
    pub allow_removals: bool,
    /// Percent of the source's places that may go unasked, 0 to 100.
    pub max_removed_percent: u32,
    /// Move whatever the file moves, however far and however much it is.
    pub allow_moves: bool,
    /// Percent of the places that are there and that rows name which may move far unasked, 0 to 100.
    pub max_moved_percent: u32,
    /// Empty whatever the file says is empty, in however many places.
    pub allow_emptied: bool,
    /// Percent of the file's rows that may be refused, 0 to 100.
    pub max_refused_percent: u32,
    /// Remove also what campaigns name, and stores to which something belongs that stays.
    pub force: bool,
}

impl Sync {
    /// A sync that asks for nothing unusual, of a file of unknown time.
    pub fn of(source: SourceName) -> Self {
        Self {
            source,
            as_of: None,
            allow_removals: false,
            max_removed_percent: DEFAULT_REMOVED_PERCENT,
            allow_moves: false,
            max_moved_percent: DEFAULT_MOVED_PERCENT,
            allow_emptied: false,
            max_refused_percent: DEFAULT_REFUSED_PERCENT,
            force: false,
        }
    }

    /// Refuses what no sync may ask.
    pub(super) fn check(&self, network: &OrganizationName, now: Timestamp) -> Result<(), Violations> {
        let mut wrong = Violations::default();
        if self.source.organization() != *network {
            wrong.add("options.sync.source", format!("must be a source of {network}, was {}", self.source));
        }
        if let Some(as_of) = self.as_of.filter(|as_of| *as_of > now + MAX_AHEAD) {
            let said = format!("must be at most 2 days after now, {now}, was {as_of}");
            wrong.add("options.sync.as_of", Invalid::new(said));
        }
        wrong.finish(Some(()))
    }

    /// The source's etag; 0 if there is none yet.
    pub(super) fn head(&self, catalog: &Catalog) -> u64 {
        catalog.sources.get(&self.source).map_or(0, |entry| entry.etag)
    }

    /// The edit that says the sync is done. A file of unknown time leaves the source's time as it is.
    pub(super) fn conclusion(&self, told: &Told, now: Timestamp, catalog: &Catalog) -> Edit {
        let Told { rows, refused, untold, absent, absentees } = told.clone();
        let as_of = self.as_of.or_else(|| known(self, catalog)?.as_of);
        let source = Source::new(self.source.clone(), as_of);
        let synced_at = Some(now);
        Edit::put(
            Source { rows, refused, untold, absent, absentees, synced_at, ..source },
            Expected::Version(self.head(catalog)),
        )
    }
}

/// What the source remembers of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    pub rows: u64,
    pub refused: u64,
    pub untold: u64,
    /// As [`Source::absent`].
    pub absent: u64,
    /// As [`Source::absentees`].
    pub absentees: Vec<Kept>,
}

impl Told {
    /// Of more places that stay.
    pub(super) fn note(&mut self, kept: &[Kept]) {
        let absent = || kept.iter().filter(|kept| kept.is_absent());
        self.absent += absent().count() as u64;
        self.absentees.extend(absent().take(MAX_ABSENTEES.saturating_sub(self.absentees.len())).cloned());
    }
}

/// What a sync will do.
#[derive(Debug, Default)]
pub struct Plan {
    pub told: Told,
    /// Geofences first.
    pub removed: Vec<PlaceName>,
    /// The places that sound rows name.
    pub said: Arc<BTreeSet<PlaceName>>,
}

/// The places that go, and what will be remembered; the report says them too, what stays and why, and what holds all back.
pub fn plan(sync: &Sync, sifted: &mut Sifted, catalog: &Catalog, now: Timestamp) -> Plan {
    sifted.report.first_sync = known(sync, catalog).is_none_or(|source| source.synced_at.is_none());
    if let Some(bad) = bad_file(sync, sifted, catalog) {
        sifted.report.held.push(bad);
        sifted.report.forget_rows();
        return Plan::default();
    }
    let mut fates = fates(sync, sifted, catalog, now);
    // Where the row was refused, the old store stays.
    let renumbered = fates.renumbered.iter().filter(|pair| fates.said.contains(&PlaceName::Store(pair.is.clone())));
    let lost =
        Lost { renumbered: renumbered.count() as u64, missing: missing(&fates, known(sync, catalog), sifted.untold) };
    sifted.report.renumber(std::mem::take(&mut fates.renumbered));
    sifted.report.held = too_much(sync, sifted, lost, fates.places);
    sifted.report.held.extend(too_many(sync, &sifted.report.emptied));
    sifted.report.remove(&fates.removed);
    sifted.report.keep(&fates.kept);
    let Sifted { rows, untold, report: Report { refused, .. }, .. } = *sifted;
    let mut told = Told { rows, refused, untold, ..Told::default() };
    told.note(&fates.kept);
    Plan { told, removed: fates.removed, said: fates.said }
}

/// How many places would go.
struct Lost {
    /// For others that seem to be the same.
    renumbered: u64,
    missing: u64,
}

/// All that the file asks for more of than it may.
fn too_much(sync: &Sync, sifted: &Sifted, Lost { renumbered, missing }: Lost, places: u64) -> Vec<Held> {
    let exceeds = |part: u64, percent: u32, whole: u64| part * 100 > u64::from(percent) * whole;
    let is_many = |part: u64, percent: u32| part > FEW || percent == 0;
    let Report { refused, moved, exchanged, changed, unchanged, .. } = sifted.report;
    let mut held = Vec::new();
    let (rows, percent) = (sifted.rows, sync.max_refused_percent);
    if exceeds(refused, percent, rows) {
        held.push(Held::TooManyRefused { refused, rows, percent });
    }
    let percent = sync.max_removed_percent;
    // Each of them loses more than a store that is closed.
    if !sync.allow_removals && is_many(renumbered, percent) && exceeds(renumbered * 10, percent, places) {
        held.push(Held::TooManyRenumbered { renumbered, places, percent });
    }
    if !sync.allow_removals && is_many(missing, percent) && exceeds(missing, percent, places) {
        held.push(Held::TooManyRemovals { missing, places, percent });
    }
    let (places, percent) = (changed + unchanged, sync.max_moved_percent);
    let is_far = is_many(moved, percent) && exceeds(moved, percent, places);
    if !sync.allow_moves && (is_far || is_swapped(exchanged, places)) {
        held.push(Held::TooManyMoves { moved, exchanged, places, percent });
    }
    held
}

/// How many places the file lacks, beside those that the last one lacked: these were counted when they went missing, and
/// what kept them may be over by now. Of what the source does not remember by name as many are left out as stayed, but
/// nothing that goes. Rows of which it cannot be told what they mean may each mean one that is lacking; what the last file's
/// were taken for is counted now.
fn missing(fates: &Fates, last: Option<&Arc<Source>>, untold: u64) -> u64 {
    let named: BTreeMap<&PlaceName, &KeptWhy> =
        last.iter().flat_map(|last| &last.absentees).map(|kept| (&kept.place, &kept.why)).collect();
    let unnamed = last.map_or(0, |last| last.absent.saturating_sub(named.len() as u64));
    let count =
        |places: &mut dyn Iterator<Item = &PlaceName>| places.filter(|place| !named.contains_key(place)).count() as u64;
    let going = count(&mut fates.removed.iter());
    let staying = count(&mut fates.kept.iter().filter(|kept| kept.is_absent()).map(|kept| &kept.place));
    let doubtful = fates.missing().filter(|place| named.get(place) == Some(&&KeptWhy::RowUntold)).count() as u64;
    let uncounted = doubtful.min(last.map_or(0, |last| last.untold));
    (going + staying.saturating_sub(unnamed) + uncounted).saturating_sub(untold)
}

/// What makes a file one that says nothing about its places.
fn bad_file(sync: &Sync, sifted: &Sifted, catalog: &Catalog) -> Option<Held> {
    let last = known(sync, catalog).and_then(|source| source.as_of);
    match (sync.as_of, last) {
        (Some(as_of), Some(last)) if as_of < last => return Some(Held::Stale { as_of, last }),
        _ => {}
    }
    match (sifted.rows, sifted.sound.is_empty()) {
        (0, _) => Some(Held::Empty),
        (rows, true) => Some(Held::Unreadable { rows }),
        (_, false) => None,
    }
}

impl Report {
    /// A bad file's rows are no news of any place.
    fn forget_rows(&mut self) {
        (self.created, self.changed, self.unchanged, self.adopted) = (0, 0, 0, 0);
        (self.moved, self.exchanged) = (0, 0);
        self.moves.clear();
        self.adoptions.clear();
        self.emptied.clear();
    }
}
