//! `dintorni import --sync`: the file takes the place of yesterday's.
//!
//! Laws: the time that was understood is told; every place that goes is named; what stays though the file does not name it
//! is told with its reason.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::Args;

use super::{NOTHING, PARTLY, faults::these};
use crate::{
    app::{imports::MAX_REPORTED, place_files},
    cli::{
        names,
        output::{note, say},
    },
    config::Mistakes,
    domain::{name::OrganizationName, time::Timestamp},
    grpc::{
        pb::{self, KeptWhy},
        wire::timestamp_to_wire,
    },
};

/// Removals that are named of a file that may not remove them; --dry-run --allow-removals names more.
const NAMED_IF_HELD: usize = 10;

/// Flags of a sync.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sync: the file is the whole of its source")]
pub struct Syncing {
    /// Remove what the file no longer names, of the places of this source: any id, such as "stations"; made by its first
    /// sync. Places made by hand or by another source stay. Refused rows keep their places and hold nothing else back; an
    /// empty, cut or stale file changes nothing. A CSV file is cut if its last line has no end and too few values, or nothing
    /// as its last value where every sound line before it has something, or a quote that nothing closes. A cut within its last
    /// value cannot be told: import only what was fetched whole
    #[arg(long, value_name = "SOURCE")]
    sync: Option<String>,
    /// Day or time of which the file speaks: 2026-03-12, 12/03/2026 or 2026-03-12T06:30:00Z. By default what the lines
    /// before the header say, or a map extract says of itself; if that is a day or more older, it counts all the same. A file
    /// older than the source's last changes nothing
    #[arg(long, value_name = "TIME", value_parser = place_files::time_of, requires = "sync")]
    as_of: Option<Timestamp>,
    /// Take the file even if it is older than the source's last: to go back to yesterday's after a wrong one
    #[arg(long, requires = "sync", conflicts_with = "as_of")]
    allow_stale: bool,
    /// Remove places however many they are, and however many seem to come back under another id
    #[arg(long, requires = "sync")]
    allow_removals: bool,
    /// How many of the source's places a file may lack, in percent; if it lacks more, nothing is changed. Two it may lack
    /// whatever their share, unless this is 0
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100), default_value_t = 10, requires = "sync")]
    max_removals: u32,
    /// Move places however far and however many they are, also to where they were with latitude and longitude exchanged
    #[arg(long, requires = "sync")]
    allow_moves: bool,
    /// How many of the places that are there may be moved by more than 500 m, in percent; if more are, nothing is changed. Two
    /// may whatever their share, unless this is 0. Nor is anything if half of them come to where they were with latitude and
    /// longitude exchanged, however few they are: the two are swapped, or were
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100), default_value_t = 10, requires = "sync")]
    max_moves: u32,
    /// Empty a field in however many places. Without it nothing is changed by a file that empties the same field (the brand, the
    /// opening hours, ...) in more than 10 % of the places that are there, and in three or more
    #[arg(long, requires = "sync")]
    allow_emptied: bool,
    /// How many of the file's rows may be refused, in percent; if more are, nothing is changed
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100), default_value_t = 20, requires = "sync")]
    max_refused: u32,
    /// Remove also what campaigns name, which go on without it, and stores to which a geofence or beacon belongs that stays,
    /// and that belongs to no store from then on
    #[arg(long, requires = "sync")]
    force: bool,
}

impl Syncing {
    /// What the server is asked, if it is a sync; the time that was understood is told.
    pub fn ask(&self, network: &OrganizationName, said: Option<Timestamp>) -> Result<Option<pb::ImportSync>, Mistakes> {
        let Some(source) = &self.sync else { return Ok(None) };
        let source = names::source(source, network)?;
        let (as_of, told) = self.time(said);
        note(told);
        Ok(Some(pb::ImportSync {
            source: source.to_string(),
            as_of: as_of.map(timestamp_to_wire),
            allow_removals: self.allow_removals,
            max_removed_percent: Some(self.max_removals),
            allow_moves: self.allow_moves,
            max_moved_percent: Some(self.max_moves),
            allow_emptied: self.allow_emptied,
            max_refused_percent: Some(self.max_refused),
            force: self.force,
        }))
    }
}

impl Syncing {
    /// Of which time the file speaks, and how that is known. Whoever says "today" of every file makes no old one new.
    fn time(&self, said: Option<Timestamp>) -> (Option<Timestamp>, String) {
        /// Of files that say their day some are said to be of an hour of it.
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        match (self.as_of, said) {
            _ if self.allow_stale => (None, "of whatever time (--allow-stale)".to_owned()),
            (Some(as_of), Some(said)) if said + DAY <= as_of => {
                (Some(said), format!("warning: as of {said}, for the file says so, and not of {as_of} (--as-of)"))
            }
            (Some(as_of), _) => (Some(as_of), format!("as of {as_of} (--as-of)")),
            (None, Some(said)) => (Some(said), format!("as of {said} (the file says so)")),
            (None, None) => {
                const UNKNOWN: &str = "warning: it is not known of which time the file is, and a stale one cannot be told: \
                                       say it with --as-of";
                (None, UNKNOWN.to_owned())
            }
        }
    }
}

/// Tells that a file breaks off, which makes it none.
pub fn tell_cut(word: &str, row: u64) -> anyhow::Result<ExitCode> {
    let line_end = if word == "line" { "; if it is whole, end that line" } else { "" };
    say(format!("nothing was changed: the file breaks off in {word} {row}{line_end}"))?;
    Ok(NOTHING.into())
}

/// Tells what went, what stayed and what it comes to.
pub fn tell(report: &pb::ImportPlacesResponse, dry_run: bool) -> anyhow::Result<ExitCode> {
    kept(&report.kept_places).iter().for_each(note);
    renumbered(report).iter().for_each(note);
    if report.kept_places.len() >= MAX_REPORTED {
        note(format!("of {} places that stay the first {MAX_REPORTED} are named", report.kept));
    }
    adopted(report).iter().for_each(note);
    let word = if report.applied { "removed" } else { "would be removed" };
    let shown = if !report.held.is_empty() { NAMED_IF_HELD } else { MAX_REPORTED };
    for place in report.removed_places.iter().take(shown) {
        say(format!("{word}: {place}"))?;
    }
    let more = report.removed.saturating_sub(report.removed_places.len().min(shown) as u64);
    if more > 0 {
        say(format!("{word}: {more} more"))?;
    }
    say(summary(report, dry_run))?;
    Ok(exit_code(report))
}

fn summary(report: &pb::ImportPlacesResponse, dry_run: bool) -> String {
    let pb::ImportPlacesResponse { created, changed, unchanged, removed, kept, refused, .. } = report;
    let said = format!(
        "{created} created, {changed} changed, {unchanged} unchanged, {removed} removed, {kept} kept, {refused} refused"
    );
    if report.held.is_empty() {
        return match dry_run {
            true => format!("dry run, nothing was changed; it would be: {said}"),
            false => format!("{said} (catalog version {})", report.catalog_version),
        };
    }
    let whys: Vec<&str> = report.held.iter().map(|held| held.description.as_str()).collect();
    let mut flags: Vec<Option<String>> = report.held.iter().map(|held| flag(held.why(), report)).collect();
    flags.dedup();
    // Some files no flag makes right.
    let flags = flags.into_iter().collect::<Option<Vec<_>>>();
    let rest = flags.map_or(String::new(), |flags| format!("; with {} it would be: {said}", flags.join(" ")));
    format!("nothing was changed: {}{rest}", whys.join("; and "))
}

/// What lets the file through, if anything does.
fn flag(why: pb::HeldWhy, report: &pb::ImportPlacesResponse) -> Option<String> {
    match why {
        pb::HeldWhy::TooManyRemovals | pb::HeldWhy::TooManyRenumbered => Some("--allow-removals".to_owned()),
        pb::HeldWhy::TooManyMoves => Some("--allow-moves".to_owned()),
        pb::HeldWhy::TooManyEmptied => Some("--allow-emptied".to_owned()),
        pb::HeldWhy::TooManyRefused => {
            let rows = report.created + report.changed + report.unchanged + report.refused;
            Some(format!("--max-refused {}", (report.refused * 100).div_ceil(rows.max(1))))
        }
        pb::HeldWhy::Empty | pb::HeldWhy::Unreadable | pb::HeldWhy::Stale | pb::HeldWhy::Unspecified => None,
    }
}

fn exit_code(report: &pb::ImportPlacesResponse) -> ExitCode {
    match (report.held.is_empty(), report.refused + report.kept) {
        (false, _) => NOTHING.into(),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => PARTLY.into(),
    }
}

/// A place and why it stays.
pub fn stays(place: &pb::KeptPlace) -> String {
    match place.why() {
        KeptWhy::Targeted => format!("{}: {} names it", place.place, place.campaigns.join(", ")),
        other => format!("{}: {}", place.place, reason(other)),
    }
}

fn reason(why: KeptWhy) -> &'static str {
    match why {
        KeptWhy::RowRefused => "its row, or that of the same store under a new id, was refused",
        KeptWhy::RowUntold => "it cannot be told which places some refused rows mean, and nothing was removed",
        KeptWhy::HasDependents => "a geofence or beacon belongs to it that does not go with it",
        KeptWhy::Targeted => "a campaign names it",
        KeptWhy::Unspecified => "the server says so",
    }
}

/// A line for each reason, and one for each place that campaigns keep.
fn kept(places: &[pb::KeptPlace]) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut lines = Vec::new();
    for place in places {
        let why = match place.why() {
            KeptWhy::Targeted => {
                lines.push(format!("kept: {} (--force removes it)", stays(place)));
                continue;
            }
            other => reason(other),
        };
        reasons.entry(why).or_default().push(&place.place);
    }
    let line = |(why, places): (&str, Vec<&str>)| {
        format!("kept: {}: {why}", these("place", places.into_iter().map(str::to_owned)))
    };
    lines.extend(reasons.into_iter().map(line));
    lines
}

/// The places that become the source's, on one line. A source that is in step has made its own places.
fn adopted(report: &pb::ImportPlacesResponse) -> Option<String> {
    let warning = if report.first_sync { "" } else { "warning: the source is in step already: " };
    let word = if report.applied { "are" } else { "would be" };
    let named: Vec<&str> = report.adopted_places.iter().take(NAMED_IF_HELD).map(String::as_str).collect();
    let dots = if report.adopted > named.len() as u64 { ", …" } else { "" };
    let told = format!(
        "{warning}{} places were of no source, made by hand or by an import without --sync, and {word} this one's from now on, \
         to go once its file lacks them: {}{dots}",
        report.adopted,
        named.join(", ")
    );
    (report.adopted > 0).then_some(told)
}

/// The stores that seem to have a new id, on one line.
fn renumbered(report: &pb::ImportPlacesResponse) -> Option<String> {
    let id = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let pair = |store: &pb::RenumberedStore| format!("{} is now {}", id(&store.was), id(&store.is));
    let word = if report.renumbered == 1 { "store seems" } else { "stores seem" };
    let pairs: Vec<String> = report.renumbered_stores.iter().take(NAMED_IF_HELD).map(pair).collect();
    let dots = if report.renumbered > pairs.len() as u64 { " …" } else { "" };
    let told = format!(
        "warning: {} {word} to have a new id, and geofences, campaigns and visits of the old one do not come with it: {}{dots}",
        report.renumbered,
        pairs.join(", ")
    );
    (report.renumbered > 0).then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_that_seem_to_have_a_new_id_are_told_with_both() {
        let store = |id: u32| pb::RenumberedStore {
            was: format!("organizations/acme/stores/{id}"),
            is: format!("organizations/acme/stores/x{id}"),
        };
        let of = |count: u32| {
            let renumbered_stores = (1..=count).map(store).collect();
            renumbered(&pb::ImportPlacesResponse { renumbered: count.into(), renumbered_stores, ..Default::default() })
        };
        assert_eq!(of(0), None);
        assert!(of(1).is_some_and(|told| told.contains("1 store seems") && told.ends_with(": 1 is now x1")));
        assert!(of(12).is_some_and(|told| told.contains("12 stores seem") && told.ends_with("10 is now x10 …")));
    }

    #[test]
    fn what_is_adopted_is_named_and_a_source_in_step_warns_of_it() {
        let of = |adopted: u64, first_sync| {
            let adopted_places = (1..=adopted).map(|id| format!("s{id}")).collect();
            super::adopted(&pb::ImportPlacesResponse { adopted, adopted_places, first_sync, ..Default::default() })
        };
        assert_eq!(of(0, false), None);
        assert!(of(2, true).is_some_and(|told| told.starts_with("2 places were") && told.ends_with(": s1, s2")));
        let later = of(11, false);
        assert!(later.is_some_and(|told| told.starts_with("warning: the source is in") && told.ends_with("s10, …")));
    }

    #[test]
    fn what_stays_is_told_by_reason_and_by_campaign() {
        let place = |id: &str, why: KeptWhy, campaigns: &[&str]| pb::KeptPlace {
            place: id.to_owned(),
            why: why.into(),
            campaigns: campaigns.iter().map(|&campaign| campaign.to_owned()).collect(),
        };
        let told = kept(&[
            place("a", KeptWhy::RowRefused, &[]),
            place("b", KeptWhy::Targeted, &["x", "y"]),
            place("c", KeptWhy::RowRefused, &[]),
        ]);
        let both = [
            "kept: b: x, y names it (--force removes it)",
            "kept: 2 places (a, c): its row, or that of the same store under a new id, was refused",
        ];
        assert_eq!(told, both);
    }

    #[test]
    fn a_file_that_says_its_day_is_not_made_newer() {
        let day = |day: i64| Timestamp::from_micros(day * 24 * 3_600_000_000);
        let hour = |day: i64, hour: i64| Timestamp::from_micros((day * 24 + hour) * 3_600_000_000);
        let (max_removals, max_moves, max_refused) = (10, 10, 20);
        let asked = |as_of, allow_stale| Syncing {
            sync: Some("erp".to_owned()),
            as_of,
            allow_stale,
            allow_removals: false,
            max_removals,
            allow_moves: false,
            max_moves,
            allow_emptied: false,
            max_refused,
            force: false,
        };
        let time = |as_of, said| asked(as_of, false).time(said).0;
        assert_eq!(time(Some(day(4)), Some(day(1))), Some(day(1)));
        assert_eq!(time(Some(hour(4, 9)), Some(day(4))), Some(hour(4, 9)));
        assert_eq!(time(Some(day(3)), Some(day(4))), Some(day(3)));
        assert_eq!((time(None, Some(day(4))), time(Some(day(4)), None)), (Some(day(4)), Some(day(4))));
        assert_eq!(asked(None, true).time(Some(day(4))).0, None, "nothing is older than an unknown time");
    }

    #[test]
    fn the_exit_code_tells_all_partly_and_nothing() {
        let report = pb::ImportPlacesResponse { applied: true, removed: 2, ..Default::default() };
        assert_eq!(exit_code(&report), ExitCode::SUCCESS);
        assert_eq!(exit_code(&pb::ImportPlacesResponse { kept: 1, ..report.clone() }), ExitCode::from(PARTLY));
        let held = vec![pb::Held { why: pb::HeldWhy::Empty.into(), description: "the file has no row".to_owned() }];
        let held = pb::ImportPlacesResponse { held, applied: false, ..report };
        assert_eq!(exit_code(&held), ExitCode::from(NOTHING));
        assert_eq!(summary(&held, true), "nothing was changed: the file has no row");
    }

    #[test]
    fn all_that_holds_a_file_is_told_with_all_flags_that_it_needs() {
        let held =
            |(why, description): (pb::HeldWhy, &str)| pb::Held { why: why.into(), description: description.into() };
        let whys = [
            (pb::HeldWhy::TooManyRefused, "refused"),
            (pb::HeldWhy::TooManyRenumbered, "renumbered"),
            (pb::HeldWhy::TooManyRemovals, "lacks"),
            (pb::HeldWhy::TooManyMoves, "moves"),
        ];
        let held = whys.into_iter().map(held).collect();
        let report = pb::ImportPlacesResponse { held, refused: 5, unchanged: 10, ..Default::default() };
        assert!(summary(&report, false).starts_with(
            "nothing was changed: refused; and renumbered; and lacks; and moves; with --max-refused 34 --allow-removals \
             --allow-moves it would be: 0 created"
        ));
    }
}
