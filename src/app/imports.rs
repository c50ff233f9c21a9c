//! Bringing many places to what a file says, in one use case.
//!
//! Laws: a row is created, changed, unchanged or refused, and counted once; refused rows hold everything back unless the
//! caller allows parts; the same rows again change nothing.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    phone_size::{self, effective_radius_m},
    places::check_store,
    resources::{EditError, Kind, Resources, find},
};
use crate::{
    domain::{
        name::{GeofenceName, OrganizationName, StoreName},
        organization::Organization,
        place::{Geofence, Store},
        violation::{Violation, Violations},
    },
    engine::{
        catalog::Catalog,
        effective::{self, Distances},
    },
    ports::{Edit, Expected},
};

/// Most rows of one import: its rows are held until the last has been looked at.
pub const MAX_ROWS: usize = 200_000;
/// Most rows changed under one version of the catalog.
pub const PART: usize = 5_000;
/// Most problems, and most small geofences, that a report names; all are counted.
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
    /// Apply the sound rows even if others are refused.
    pub allow_partial: bool,
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
}

/// What became of the rows; if nothing was applied, what would have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub applied: bool,
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub refused: u64,
    pub problems: Vec<Problem>,
    pub small: Vec<SmallGeofence>,
    /// The catalog that holds it.
    pub catalog_version: u64,
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

/// Imports places.
pub struct Imports {
    resources: Arc<Resources>,
}

impl Imports {
    pub fn new(resources: Arc<Resources>) -> Self {
        Self { resources }
    }

    /// Applies the rows as the options say. An error means that the parts before it are applied and the rest is not.
    pub async fn run(&self, options: &Options, rows: Vec<Numbered>, author: &str) -> Result<Report, EditError> {
        let catalog = self.resources.snapshot();
        find::<Organization>(&catalog, &options.network)?;
        let (sound, mut report) = sift(options, rows, &catalog);
        let mut rest = sound.as_slice();
        for row in rest {
            report.count(difference(row, &catalog));
        }
        report.applied = !options.dry_run && (report.refused == 0 || options.allow_partial);
        while report.applied && !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(PART));
            self.apply(part, author).await?;
            rest = after;
        }
        report.catalog_version = self.resources.snapshot().version;
        Ok(report)
    }

    async fn apply(&self, part: &[Row], author: &str) -> Result<(), EditError> {
        let editing = self.resources.begin().await;
        let mut conflict = None;
        for _ in 0..TRIES {
            let catalog = self.resources.snapshot();
            check_stores(part, &catalog)?;
            let edits = part.iter().filter_map(|row| edit(row, &catalog)).collect();
            conflict = self.resources.append(&editing, edits, author).await?;
            if conflict.is_none() {
                return Ok(());
            }
        }
        conflict.map_or(Ok(()), |name| Err(EditError::Changed(name)))
    }
}

enum Difference {
    New,
    Other(u64),
    None,
}

impl Report {
    fn count(&mut self, difference: Difference) {
        match difference {
            Difference::New => self.created += 1,
            Difference::Other(_) => self.changed += 1,
            Difference::None => self.unchanged += 1,
        }
    }

    fn refuse(&mut self, number: u64, violations: &Violations) {
        self.refused += 1;
        let room = MAX_REPORTED.saturating_sub(self.problems.len());
        self.problems.extend(violations.iter().take(room).map(|v| Problem { number, violation: v.clone() }));
    }

    fn note_small(&mut self, number: u64, geofence: &Geofence) {
        if let Some(why) = phone_size::warning(&geofence.shape)
            && self.small.len() < MAX_REPORTED
        {
            let effective_radius_m = effective_radius_m(&geofence.shape);
            let distances = effective::distances(&geofence.shape, &geofence.detection);
            self.small.push(SmallGeofence { number, name: geofence.name.clone(), effective_radius_m, why, distances });
        }
    }
}

/// The sound rows, stores first, and a report of the others.
fn sift(options: &Options, rows: Vec<Numbered>, catalog: &Catalog) -> (Vec<Row>, Report) {
    let mut report = Report::default();
    let mut seen = BTreeMap::new();
    let (mut stores, mut geofences) = (Vec::new(), Vec::new());
    let mut refusals = Vec::new();
    for Numbered { number, row } in rows {
        match row.and_then(|row| own_and_new(row, number, options, &mut seen)) {
            Ok(Row::Store(store)) => stores.push(store),
            Ok(Row::Geofence(geofence)) => geofences.push((number, geofence)),
            Err(violations) => refusals.push((number, violations)),
        }
    }
    let known: BTreeSet<StoreName> = stores.iter().map(|store| store.name.clone()).collect();
    let mut sound: Vec<Row> = stores.into_iter().map(Row::Store).collect();
    for (number, geofence) in geofences {
        match check_reference(&geofence, |store| known.contains(store) || catalog.stores.contains_key(store)) {
            Ok(()) => {
                report.note_small(number, &geofence);
                sound.push(Row::Geofence(geofence));
            }
            Err(violations) => refusals.push((number, violations)),
        }
    }
    refusals.sort_by_key(|(number, _)| *number);
    refusals.iter().for_each(|(number, violations)| report.refuse(*number, violations));
    (sound, report)
}

fn own_and_new(row: Row, number: u64, options: &Options, seen: &mut BTreeMap<String, u64>) -> Result<Row, Violations> {
    let (field, name, owner) = match &row {
        Row::Store(store) => ("store.name", store.name.to_string(), store.name.organization()),
        Row::Geofence(geofence) => ("geofence.name", geofence.name.to_string(), geofence.name.organization()),
    };
    if owner != options.network {
        return Err(Violations::one(field, format!("must be a place of {}, was {name}", options.network)));
    }
    if let Some(first) = seen.get(&name) {
        return Err(Violations::one(field, format!("{name} is in row {first} already")));
    }
    seen.insert(name, number);
    Ok(row)
}

fn check_reference(geofence: &Geofence, exists: impl Fn(&StoreName) -> bool) -> Result<(), Violations> {
    let Some(store) = &geofence.store else { return Ok(()) };
    let mut wrong = Violations::default();
    wrong.nest("geofence", check_store(geofence, store, exists(store)));
    wrong.finish(Some(()))
}

/// Stores come first, so that whoever deletes one during an import is found out before a geofence refers to it.
fn check_stores(part: &[Row], catalog: &Catalog) -> Result<(), EditError> {
    let stores: BTreeSet<&StoreName> = part
        .iter()
        .filter_map(|row| match row {
            Row::Store(store) => Some(&store.name),
            Row::Geofence(_) => None,
        })
        .collect();
    for row in part {
        if let Row::Geofence(geofence) = row {
            check_reference(geofence, |store| stores.contains(store) || catalog.stores.contains_key(store))
                .map_err(EditError::Invalid)?;
        }
    }
    Ok(())
}

/// The row as it shall be stored: a geofence that says no detection keeps the one it has, for files have none of it.
fn kept<'a>(row: &'a Row, catalog: &Catalog) -> Cow<'a, Row> {
    let Row::Geofence(wanted) = row else { return Cow::Borrowed(row) };
    match catalog.geofences.get(&wanted.name).map(|entry| entry.value.detection.clone()) {
        Some(detection) if wanted.detection.is_default() && !detection.is_default() => {
            Cow::Owned(Row::Geofence(Geofence { detection, ..wanted.clone() }))
        }
        _ => Cow::Borrowed(row),
    }
}

fn difference(row: &Row, catalog: &Catalog) -> Difference {
    fn of<K: Kind>(wanted: &K, catalog: &Catalog) -> Difference {
        match K::table(catalog).get(wanted.name()) {
            None => Difference::New,
            Some(entry) if *entry.value == *wanted => Difference::None,
            Some(entry) => Difference::Other(entry.etag),
        }
    }
    match kept(row, catalog).as_ref() {
        Row::Store(store) => of(store, catalog),
        Row::Geofence(geofence) => of(geofence, catalog),
    }
}

fn edit(row: &Row, catalog: &Catalog) -> Option<Edit> {
    let expected = match difference(row, catalog) {
        Difference::New => Expected::Absent,
        Difference::Other(etag) => Expected::Version(etag),
        Difference::None => return None,
    };
    Some(match kept(row, catalog).into_owned() {
        Row::Store(store) => Edit::put(store, expected),
        Row::Geofence(geofence) => Edit::put(geofence, expected),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fakes::{AUTHOR, geofence, owner, resources, store, store_name},
        domain::detection::{Detection, Settings},
    };

    fn rows(rows: Vec<Row>) -> Vec<Numbered> {
        (1..).zip(rows).map(|(number, row)| Numbered { number, row: Ok(row) }).collect()
    }

    fn options(dry_run: bool, allow_partial: bool) -> Options {
        Options { network: owner("acme"), dry_run, allow_partial }
    }

    fn counts(report: &Report) -> [u64; 4] {
        [report.created, report.changed, report.unchanged, report.refused]
    }

    #[tokio::test]
    async fn the_same_rows_again_change_nothing() {
        let imports = Imports::new(resources().await);
        let file = || rows(vec![Row::Geofence(geofence("g", Some("1"), 80.0)), Row::Store(store("1", "Cafe"))]);
        let dry = imports.run(&options(true, false), file(), AUTHOR).await.expect("looked at");
        assert_eq!((counts(&dry), dry.applied, dry.catalog_version), ([2, 0, 0, 0], false, 2));
        let first = imports.run(&options(false, false), file(), AUTHOR).await.expect("applied");
        assert_eq!((counts(&first), first.applied, first.catalog_version), ([2, 0, 0, 0], true, 3));
        let second = imports.run(&options(false, false), file(), AUTHOR).await.expect("applied");
        assert_eq!((counts(&second), second.catalog_version), ([0, 0, 2, 0], 3));
        let renamed = rows(vec![Row::Store(store("1", "Bar"))]);
        let third = imports.run(&options(false, false), renamed, AUTHOR).await.expect("applied");
        assert_eq!((counts(&third), third.catalog_version), ([0, 1, 0, 0], 4));
    }

    #[tokio::test]
    async fn a_file_that_says_nothing_of_detection_changes_nothing_of_it() {
        let imports = Imports::new(resources().await);
        let detection = |leave_margin_m| {
            Detection::new(Settings { leave_margin_m: Some(leave_margin_m), ..Settings::default() }).expect("sound")
        };
        let of =
            |detection, radius_m| rows(vec![Row::Geofence(Geofence { detection, ..geofence("g", None, radius_m) })]);
        let run = async |rows| counts(&imports.run(&options(false, false), rows, AUTHOR).await.expect("applied"));
        assert_eq!(run(of(detection(40.0), 80.0)).await, [1, 0, 0, 0]);
        assert_eq!(run(of(Detection::default(), 80.0)).await, [0, 0, 1, 0]);
        assert_eq!(run(of(Detection::default(), 90.0)).await, [0, 1, 0, 0]);
        let name = geofence("g", None, 80.0).name;
        assert_eq!(imports.resources.get::<Geofence>(&name).expect("there").value.detection, detection(40.0));
        assert_eq!(run(of(detection(50.0), 90.0)).await, [0, 1, 0, 0], "but it may say");
    }

    #[tokio::test]
    async fn refused_rows_hold_everything_back_unless_parts_are_allowed() {
        let imports = Imports::new(resources().await);
        let file = || {
            let other = Store { name: owner("brand").store("1").expect("sound"), ..store("1", "Not ours") };
            let sound = [Row::Store(store("1", "Cafe")), Row::Geofence(geofence("small", None, 30.0))];
            let hanging = Row::Geofence(geofence("g", Some("nowhere"), 80.0));
            let mut file =
                rows([sound.to_vec(), vec![hanging, Row::Store(store("1", "Twice")), Row::Store(other)]].concat());
            file.push(Numbered { number: 6, row: Err(Violations::one("store.position", "is required")) });
            file
        };
        let held = imports.run(&options(false, false), file(), AUTHOR).await.expect("looked at");
        assert_eq!((counts(&held), held.applied), ([2, 0, 0, 4], false));
        let told: Vec<(u64, &str)> = held.problems.iter().map(|p| (p.number, p.violation.field.as_str())).collect();
        assert_eq!(told, [(3, "geofence.store"), (4, "store.name"), (5, "store.name"), (6, "store.position")]);
        assert_eq!(held.small.iter().map(|small| small.number).collect::<Vec<_>>(), [2]);
        assert!(imports.resources.get::<Store>(&store_name("1")).is_err());

        let partly = imports.run(&options(false, true), file(), AUTHOR).await.expect("applied");
        assert_eq!((counts(&partly), partly.applied), ([2, 0, 0, 4], true));
        assert_eq!(imports.resources.get::<Store>(&store_name("1")).expect("made").value.display_name, "Cafe");
    }

    #[tokio::test]
    async fn more_rows_than_a_part_come_in_several_versions() {
        let imports = Imports::new(resources().await);
        let many = (0..PART + 1).map(|i| Row::Store(store(&i.to_string(), "Cafe"))).collect();
        let report = imports.run(&options(false, false), rows(many), AUTHOR).await.expect("applied");
        assert_eq!((report.created, report.catalog_version), (PART as u64 + 1, 4));
    }
}
