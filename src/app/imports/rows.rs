//! The rows of an import: which are sound, and what each changes.
//!
//! Law: a row that names a place twice, another organization's, another source's, or a store that will not be there, or that
//! says what it does not say, is refused alone.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use geo::CoordsIter;

use super::{
    Changed, Numbered, Options, Report, Row, Sync, Unsaid,
    emptied::emptied,
    moves::far_moves,
    unsaid::{check_unsaid, check_zone, filled_in},
};
use crate::{
    app::{
        places::{check_crowd, check_store, is_at_its_spot},
        resources::{EditError, Kind},
    },
    domain::{
        name::{GeofenceName, SourceName, StoreName},
        place::{Geofence, PlaceName},
        shape::Shape,
        violation::Violations,
    },
    engine::{catalog::Catalog, crowd::Spot},
    ports::{Edit, Expected},
};

/// The rows of a file, looked at.
#[derive(Debug, Default)]
pub struct Sifted {
    /// Stores first.
    pub sound: Vec<Row>,
    /// What each of these does not say.
    pub unsaid: Vec<Unsaid>,
    /// The counts of the sound rows, and the faults of the others.
    pub report: Report,
    /// What refused rows may mean.
    pub may_be: BTreeSet<PlaceName>,
    /// New stores that were refused as they are here: each may be one that the file seems to lack.
    pub turned_away: Vec<Row>,
    /// Refused rows of which that cannot be told.
    pub untold: u64,
    /// All there were.
    pub rows: u64,
}

/// A row that was refused.
struct Refusal {
    number: u64,
    violations: Violations,
    may_be: Vec<PlaceName>,
}

impl Row {
    pub(super) fn place(&self) -> PlaceName {
        match self {
            Row::Store(store) => PlaceName::Store(store.name.clone()),
            Row::Geofence(geofence) => PlaceName::Geofence(geofence.name.clone()),
        }
    }

    /// Corners of its polygons, by which rows differ most in size.
    pub fn corners(&self) -> usize {
        match self {
            Row::Geofence(geofence) => corners(&geofence.shape),
            Row::Store(_) => 0,
        }
    }
}

pub fn corners(shape: &Shape) -> usize {
    match shape {
        Shape::Polygons(polygons) => polygons.geometry().coords_count(),
        Shape::Circle(_) => 0,
    }
}

pub fn sift(options: &Options, rows: Vec<Numbered>, catalog: &Catalog) -> Sifted {
    let mut sifted = Sifted { rows: rows.len() as u64, ..Sifted::default() };
    let mut seen = BTreeMap::new();
    let (mut stores, mut geofences, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for Numbered { number, row, unsaid, may_be } in rows {
        let unread = |wrong| {
            let violations = check_unread(wrong, (&may_be, unsaid), options, catalog);
            Refusal { number, violations, may_be }
        };
        let checked = row.map_err(unread).and_then(|row| {
            let checked = check_own(&row, (number, unsaid), options, &mut seen, catalog);
            let checked = refused(checked, number, &row.place());
            // Of several rows that name it the first.
            let is_first = seen.get(&row.place()) == Some(&number);
            if checked.is_err() && is_first && is_new_store(&row, options, catalog) {
                sifted.turned_away.push(row.clone());
            }
            checked.map(|()| row)
        });
        match checked {
            Ok(Row::Store(store)) => stores.push((store, unsaid)),
            Ok(Row::Geofence(geofence)) => geofences.push((number, geofence, unsaid)),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let fences: BTreeSet<GeofenceName> = geofences.iter().map(|(_, fence, _)| fence.name.clone()).collect();
    let known: BTreeSet<StoreName> = stores.iter().map(|(store, _)| store.name.clone()).collect();
    stores.into_iter().for_each(|(store, unsaid)| sifted.accept(Row::Store(store), unsaid));
    let mut crowds = Crowds { options, seen: &fences, catalog, counts: HashMap::new() };
    // Whatever the order of rows: first those that are there and stay.
    for (_, geofence, _) in geofences.iter().filter(|(_, geofence, _)| is_at_its_spot(geofence, catalog)) {
        *crowds.at(geofence) += 1;
    }
    for (number, geofence, unsaid) in geofences {
        let checked = check_reference(&geofence, |store| known.contains(store) || catalog.stores.contains_key(store))
            .and_then(|()| crowds.take(&geofence));
        match refused(checked, number, &PlaceName::Geofence(geofence.name.clone())) {
            Ok(()) => {
                sifted.report.note_small(number, &geofence);
                sifted.accept(Row::Geofence(geofence), unsaid);
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    sifted.refuse(refusals);
    let sync = options.sync.as_ref();
    for (row, unsaid) in sifted.sound.iter().zip(&sifted.unsaid) {
        let difference = difference(row, *unsaid, options, catalog);
        let changed = || Changed::by(&settled(row, *unsaid, options, catalog), catalog);
        sifted.report.count(&difference, row, changed);
        if !matches!(difference, Difference::New) {
            sifted.report.note_source(row, source_of(row, catalog), sync);
        }
    }
    sifted.report.note_moves(far_moves(&sifted.sound, catalog));
    sifted.report.emptied = emptied(&sifted, catalog);
    sifted
}

/// How many geofences there will be at the spots of a file.
struct Crowds<'a> {
    options: &'a Options,
    /// The geofences of the file, less those refused so far.
    seen: &'a BTreeSet<GeofenceName>,
    catalog: &'a Catalog,
    counts: HashMap<Spot, usize>,
}

impl Crowds<'_> {
    /// Counts one that comes to its spot; it is refused where there are too many.
    fn take(&mut self, wanted: &Geofence) -> Result<(), Violations> {
        if is_at_its_spot(wanted, self.catalog) {
            return Ok(());
        }
        let count = self.at(wanted);
        check_crowd(wanted, *count)?;
        *count += 1;
        Ok(())
    }

    /// How many there are at its spot so far.
    fn at(&mut self, wanted: &Geofence) -> &mut usize {
        let Self { options, seen, catalog, counts } = self;
        let sync = options.sync.as_ref();
        // What a sync does not name goes.
        let goes = |fence: &Geofence| sync.is_some_and(|sync| fence.source.as_ref() == Some(&sync.source));
        let stays = |fence: &Geofence| !goes(fence) && !seen.contains(&fence.name);
        let spot = Spot::of(&wanted.shape);
        counts.entry(spot).or_insert_with(|| spot.count(&catalog.areas, wanted.name.owner(), stays))
    }
}

fn refused(checked: Result<(), Violations>, number: u64, place: &PlaceName) -> Result<(), Refusal> {
    checked.map_err(|violations| Refusal { number, violations, may_be: vec![place.clone()] })
}

impl Sifted {
    fn accept(&mut self, row: Row, unsaid: Unsaid) {
        self.sound.push(row);
        self.unsaid.push(unsaid);
    }

    fn refuse(&mut self, mut refusals: Vec<Refusal>) {
        refusals.sort_by_key(|refusal| refusal.number);
        for Refusal { number, violations, may_be } in refusals {
            self.report.refuse(number, &violations);
            self.untold += u64::from(may_be.is_empty());
            self.may_be.extend(may_be);
        }
    }
}

/// Of the network, and not there.
fn is_new_store(row: &Row, options: &Options, catalog: &Catalog) -> bool {
    let Row::Store(store) = row else { return false };
    store.name.organization() == options.network && !catalog.stores.contains_key(&store.name)
}

/// All that is wrong with the row by itself.
fn check_own(
    row: &Row,
    (number, unsaid): (u64, Unsaid),
    options: &Options,
    seen: &mut BTreeMap<PlaceName, u64>,
    catalog: &Catalog,
) -> Result<(), Violations> {
    let field = match row {
        Row::Store(_) => "store.name",
        Row::Geofence(_) => "geofence.name",
    };
    let name = row.place();
    let mut wrong = Violations::default();
    wrong.nest("", check_unsaid(row, unsaid));
    if name.organization() != options.network {
        // What is there of theirs is nobody else's business.
        wrong.add(field, format!("must be a place of {}, was {name}", options.network));
        return Err(wrong);
    }
    wrong.nest("", check_zone(&name, unsaid, catalog));
    if let Some(theirs) = options.sync.as_ref().and_then(|sync| foreign(row, sync, catalog)) {
        wrong.add(field, format!("{name} is a place of {theirs}, which alone may sync it"));
    }
    match seen.get(&name) {
        Some(first) => wrong.add(field, format!("{name} is in row {first} already")),
        None => drop(seen.insert(name, number)),
    }
    wrong.finish(Some(()))
}

/// What is wrong with a row that could not be read, and with its place.
fn check_unread(
    mut wrong: Violations,
    (may_be, unsaid): (&[PlaceName], Unsaid),
    options: &Options,
    catalog: &Catalog,
) -> Violations {
    if let [name] = may_be
        && name.organization() == options.network
    {
        wrong.nest("", check_zone(name, unsaid, catalog));
    }
    wrong
}

/// The other source that the row's place belongs to.
fn foreign<'a>(row: &Row, sync: &Sync, catalog: &'a Catalog) -> Option<&'a SourceName> {
    source_of(row, catalog).filter(|source| **source != sync.source)
}

fn source_of<'a>(row: &Row, catalog: &'a Catalog) -> Option<&'a SourceName> {
    match row {
        Row::Store(store) => catalog.stores.get(&store.name)?.value.source.as_ref(),
        Row::Geofence(geofence) => catalog.geofences.get(&geofence.name)?.value.source.as_ref(),
    }
}

fn check_reference(geofence: &Geofence, exists: impl Fn(&StoreName) -> bool) -> Result<(), Violations> {
    let Some(store) = &geofence.store else { return Ok(()) };
    let mut wrong = Violations::default();
    wrong.nest("geofence", check_store(geofence, store, exists(store)));
    wrong.finish(Some(()))
}

/// Stores come first, so that whoever deletes one during an import is found out before a geofence refers to it.
pub fn check_stores(part: &[Row], catalog: &Catalog) -> Result<(), EditError> {
    let stores: BTreeSet<&StoreName> = part
        .iter()
        .filter_map(|row| match row {
            Row::Store(store) => Some(&store.name),
            Row::Geofence(_) => None,
        })
        .collect();
    for row in part {
        if let Row::Geofence(Geofence { store: Some(store), .. }) = row
            && !stores.contains(store)
            && !catalog.stores.contains_key(store)
        {
            return Err(EditError::Changed(store.clone().into()));
        }
    }
    Ok(())
}

/// The row as it shall be stored: with what it does not say. Its source is the sync's, or the one the place has. A
/// geofence that says no detection keeps the one it has.
fn settled<'a>(row: &'a Row, unsaid: Unsaid, options: &Options, catalog: &Catalog) -> Cow<'a, Row> {
    let source = options.sync.as_ref().map_or_else(|| source_of(row, catalog), |sync| Some(&sync.source)).cloned();
    match filled_in(row, unsaid, catalog) {
        Cow::Borrowed(row) => with_source(row, source, catalog),
        Cow::Owned(row) => Cow::Owned(with_source(&row, source, catalog).into_owned()),
    }
}

fn with_source<'a>(row: &'a Row, source: Option<SourceName>, catalog: &Catalog) -> Cow<'a, Row> {
    match row {
        Row::Store(wanted) if wanted.source == source => Cow::Borrowed(row),
        Row::Store(wanted) => {
            let mut store = wanted.clone();
            store.source = source;
            Cow::Owned(Row::Store(store))
        }
        Row::Geofence(wanted) => {
            let had = catalog.geofences.get(&wanted.name).map(|entry| &entry.value.detection);
            let detection = had.filter(|_| wanted.detection.is_default()).unwrap_or(&wanted.detection);
            if *detection == wanted.detection && source == wanted.source {
                return Cow::Borrowed(row);
            }
            Cow::Owned(Row::Geofence(Geofence { detection: detection.clone(), source, ..wanted.clone() }))
        }
    }
}

/// What a row changes.
#[derive(Debug)]
pub enum Difference {
    New,
    Other(u64),
    None,
}

fn difference(row: &Row, unsaid: Unsaid, options: &Options, catalog: &Catalog) -> Difference {
    fn of<K: Kind>(wanted: &K, catalog: &Catalog) -> Difference {
        match K::table(catalog).get(wanted.name()) {
            None => Difference::New,
            Some(entry) if *entry.value == *wanted => Difference::None,
            Some(entry) => Difference::Other(entry.etag),
        }
    }
    match settled(row, unsaid, options, catalog).as_ref() {
        Row::Store(store) => of(store, catalog),
        Row::Geofence(geofence) => of(geofence, catalog),
    }
}

/// The edit that the row makes necessary, if it does. Fails if the place became another source's meanwhile, or went and with
/// it the zone that was to stay.
pub fn edit(row: &Row, unsaid: Unsaid, options: &Options, catalog: &Catalog) -> Result<Option<Edit>, EditError> {
    if let Some(theirs) = options.sync.as_ref().and_then(|sync| foreign(row, sync, catalog)) {
        return Err(EditError::Changed(theirs.clone().into()));
    }
    if let Row::Store(store) = row
        && check_zone(&row.place(), unsaid, catalog).is_err()
    {
        return Err(EditError::Changed(store.name.clone().into()));
    }
    let expected = match difference(row, unsaid, options, catalog) {
        Difference::New => Expected::Absent,
        Difference::Other(etag) => Expected::Version(etag),
        Difference::None => return Ok(None),
    };
    Ok(Some(match settled(row, unsaid, options, catalog).into_owned() {
        Row::Store(store) => Edit::put(store, expected),
        Row::Geofence(geofence) => Edit::put(geofence, expected),
    }))
}
