//! What is wrong with the rows of an import, as their owner reads it.
//!
//! Law: the same fault of many rows is one line, with how many they are and the first of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::{
        imports::{FAR_M, MAX_REPORTED},
        place_files::Format,
    },
    cli::output::note,
    domain::violation::Violations,
    grpc::pb,
};

/// Most lines of faults.
const SHOWN: usize = 1_000;
/// Rows that are named of those with the same fault, and places of those with the same warning.
const NAMED: usize = 5;

/// Places that are named of those that move far.
const NAMED_MOVES: usize = 10;

/// Rows that were refused before they were sent.
pub type Refused = Vec<(u64, Violations)>;

/// What a row of such a file is, for whoever looks for it there.
pub fn row_word(format: Format) -> &'static str {
    match format {
        Format::GeoJson => "feature",
        Format::Csv { .. } => "line",
        Format::OsmPbf => "element",
    }
}

/// One line for each fault, in the order of the first rows, and one for each kind of geofence that phones will miss.
pub fn tell_problems(word: &str, refused: &Refused, report: &pb::ImportPlacesResponse) {
    let here = refused.iter().flat_map(|(row, violations)| {
        violations.iter().map(|violation| (*row, violation.field.as_str(), violation.description.as_str()))
    });
    let there = report.problems.iter().map(|p| (p.row, p.field.as_str(), p.description.as_str()));
    let lines = faults(word, here.chain(there));
    lines.iter().take(SHOWN).for_each(note);
    if lines.len() > SHOWN {
        note(format!("and {} more", lines.len() - SHOWN));
    }
    if report.problems.len() >= MAX_REPORTED {
        note(format!("the server names its first {MAX_REPORTED} faults; there may be more"));
    }
    if report.problems.iter().any(|problem| problem.field == "store.time_zone") {
        note("--time-zone gives one to new stores that say none");
    }
    warnings(word, &report.small_geofences).iter().for_each(note);
    moves(report).iter().for_each(note);
    emptied(report).iter().for_each(note);
}

/// A line for each place that moves far.
fn moves(report: &pb::ImportPlacesResponse) -> Vec<String> {
    let at = |position: &Option<pb::LatLng>| {
        let pb::LatLng { latitude, longitude } = position.unwrap_or_default();
        format!("{latitude},{longitude}")
    };
    let line = |moved: &pb::MovedPlace| {
        let (from, to, km) = (at(&moved.from), at(&moved.to), moved.distance_m / 1_000.0);
        format!("warning: {}: moves by {km:.1} km, from {from} to {to}", moved.place)
    };
    let mut lines: Vec<String> = report.moved_places.iter().take(NAMED_MOVES).map(line).collect();
    if report.moved > lines.len() as u64 {
        lines.push(format!("warning: {} places in all move by more than {FAR_M} m", report.moved));
    }
    lines
}

/// A line for each field that places lose.
fn emptied(report: &pb::ImportPlacesResponse) -> Vec<String> {
    let word = if report.applied { "was" } else { "would be" };
    let places = |count| if count == 1 { "place" } else { "places" };
    let line = |lost: &pb::EmptiedField| {
        let pb::EmptiedField { field, places: count } = lost;
        format!("{field} {word} emptied in {count} {}", places(*count))
    };
    report.emptied_fields.iter().map(line).collect()
}

fn faults<'a>(word: &str, all: impl Iterator<Item = (u64, &'a str, &'a str)>) -> Vec<String> {
    let mut rows: BTreeMap<(&str, &str), BTreeSet<u64>> = BTreeMap::new();
    for (row, field, description) in all {
        rows.entry((field, description)).or_default().insert(row);
    }
    let mut grouped: Vec<_> = rows.into_iter().collect();
    grouped.sort_by_key(|(_, rows)| rows.first().copied());
    let line = |((field, description), rows): ((&str, &str), BTreeSet<u64>)| {
        let column = if field.is_empty() { String::new() } else { format!("{field}: ") };
        format!("{}: {column}{description}", these(word, rows.iter().map(u64::to_string)))
    };
    grouped.into_iter().map(line).collect()
}

fn warnings(word: &str, small: &[pb::SmallGeofence]) -> Vec<String> {
    let mut geofences: BTreeMap<&str, Vec<&pb::SmallGeofence>> = BTreeMap::new();
    small.iter().for_each(|one| geofences.entry(&one.description).or_default().push(one));
    let mut grouped: Vec<_> = geofences.into_iter().collect();
    grouped.sort_by_key(|(_, small)| small.first().map(|one| one.row));
    let named = |one: &&pb::SmallGeofence| format!("{} ({}, {:.0} m)", one.row, one.geofence, one.effective_radius_m);
    let line = |(why, small): (&str, Vec<_>)| format!("warning: {}: {why}", these(word, small.iter().map(named)));
    grouped.into_iter().map(line).collect()
}

/// `line 3`, or `1,200 lines (3, 4, 7, 8, 9 …)`.
pub fn these(word: &str, names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    let dots = if count > NAMED { " …" } else { "" };
    let named = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if count == 1 { format!("{word} {named}") } else { format!("{count} {word}s ({named}{dots})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_of_many_rows_is_one_line() {
        let many = (2..1_202).map(|row| (row, "name", "is missing"));
        let all = many.chain([(4, "lat", "was 91"), (4, "lat", "was 91"), (1, "", "has 3 values")]);
        let told = faults("line", all);
        assert_eq!(
            told,
            ["line 1: has 3 values", "1200 lines (2, 3, 4, 5, 6 …): name: is missing", "line 4: lat: was 91"]
        );
    }

    #[test]
    fn of_places_that_move_far_some_are_told_with_both_positions() {
        let at = |latitude, longitude| Some(pb::LatLng { latitude, longitude });
        let moved = |id: u32| pb::MovedPlace {
            place: format!("s{id}"),
            from: at(45.5, 9.0),
            to: at(9.0, 45.5),
            distance_m: 5_400_100.0,
        };
        let moved_places: Vec<_> = (0..12).map(moved).collect();
        let told = moves(&pb::ImportPlacesResponse { moved: 12, moved_places, ..Default::default() });
        assert_eq!((told.len(), told[0].as_str()), (11, "warning: s0: moves by 5400.1 km, from 45.5,9 to 9,45.5"));
        assert_eq!(told[10], "warning: 12 places in all move by more than 500 m");
    }

    #[test]
    fn fields_that_places_lose_are_told_with_their_number() {
        let of = |field: &str, places| pb::EmptiedField { field: field.to_owned(), places };
        let emptied_fields = vec![of("opening_hours", 23_000), of("brand", 1)];
        let report = pb::ImportPlacesResponse { emptied_fields, ..Default::default() };
        let told = ["opening_hours would be emptied in 23000 places", "brand would be emptied in 1 place"];
        assert_eq!(emptied(&report), told);
        let applied = pb::ImportPlacesResponse { applied: true, ..report };
        assert_eq!(emptied(&applied)[1], "brand was emptied in 1 place");
    }

    #[test]
    fn geofences_with_the_same_warning_are_one_line() {
        let small = |row, description: &str| pb::SmallGeofence {
            row,
            geofence: format!("g{row}"),
            effective_radius_m: 20.0,
            description: description.to_owned(),
            ..Default::default()
        };
        let told = warnings("feature", &[small(9, "late"), small(2, "never"), small(3, "never")]);
        let never = "warning: 2 features (2 (g2, 20 m), 3 (g3, 20 m)): never";
        assert_eq!(told, [never, "warning: feature 9 (g9, 20 m): late"]);
    }
}
