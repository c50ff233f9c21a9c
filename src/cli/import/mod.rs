//! `dintorni import FILE`: brings a network's places on a server to what a file says.
//!
//! Laws: every fault is told with its rows, column and value; standard output has the result, standard error what
//! was wrong; exit code 0 everything stands as the file says, 1 nothing was changed, 2 some rows were refused, or some
//! places stay that the file does not name, 4 nobody knows how much of it was applied.

mod changes;
mod faults;
pub(super) mod progress;
pub(super) mod send;
mod sync;

pub(super) use sync::stays;

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, ValueEnum};

use self::{
    faults::{Refused, tell_problems},
    progress::Progress,
    send::Broken,
    sync::Syncing,
};
use super::{
    NOT_KNOWN,
    connection::Connection,
    names,
    output::{causes, note, say},
};
use crate::{
    app::{
        imports::{Numbered, Optional, Unsaid},
        place_files::{self, Field, File, OsmFilter, Reading},
    },
    config::Mistakes,
    domain::{name::OrganizationName, time::TimeZone},
    grpc::pb,
};

/// What compressed files begin with.
const GZIP: &[u8] = &[0x1f, 0x8b];
const PARTLY: u8 = 2;
const NOTHING: u8 = 1;

/// Bring a network's stores and geofences to what a GeoJSON, CSV or OpenStreetMap file says
///
/// Places are known by their id, so importing again changes only what changed; nothing is deleted, but by --sync. If a row
/// is wrong, nothing is imported (with --sync or --allow-partial the other rows are): every fault is printed with its row
/// (the line of a CSV file, the number of a GeoJSON feature from 1) and column. Needs an owner, network or operator key.
///
/// Address, brand, opening hours, country, tags (with the category) and a geofence's store stay as they are in places that are
/// there if the CSV file has no column for them, the feature no such property, or the element of a map no such tag; a value
/// that is empty, or null, empties them. A map has no empty tags: what was deleted on it is emptied by hand, with UpdateStore.
/// A time zone stays where a row says none or an empty one; --time-zone is for stores that are new. Detection
/// settings stay in a geofence whose row says none of them.
///
/// Exit code 0: all is as the file says. 1: nothing was changed. 2: with --allow-partial, --sync or --dry-run, some rows
/// were refused, or some places stay that the file does not name. 4: it broke off after all rows were sent, and parts of it may
/// have been applied: import the same file again, which finds those unchanged.
#[derive(Debug, Args)]
pub struct Import {
    /// GeoJSON (points become stores, polygons geofences), CSV (a store a line) or a map extract (.osm.pbf: named nodes and
    /// areas become stores); - for standard input, with --format
    file: PathBuf,
    /// Whose places these are: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization)]
    network: OrganizationName,
    /// What the file is; by default what its name ends with
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The column or property with your own id of each place; the same id is the same place at the next import
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    id_from: String,
    /// IANA time zone, such as Europe/Rome, of new stores that say none; those that are there keep theirs
    #[arg(long, value_name = "ZONE", value_parser = TimeZone::new)]
    time_zone: Option<TimeZone>,
    /// Where a field stands if its column has an unusual name: name, latitude, longitude, time_zone, address, brand,
    /// opening_hours, country, category, tags or store; of geofences also enter_probability, confirm_probability, confirm_after_s,
    /// leave_margin_m, leave_after_s, stopped_for_s and dwell_after_s
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = mapping)]
    map: Vec<(Field, String)>,
    /// What divides the values of a CSV line: one character, or "tab"
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter, default_value = ",")]
    delimiter: u8,
    /// Quotes do not surround the values of a CSV line, they are part of them
    #[arg(long)]
    no_quotes: bool,
    /// Lines to leave out before the header or the document
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip_lines: usize,
    /// Which elements of a map extract are places; repeatable. By default every shop, and amenities such as cafe, fuel,
    /// pharmacy and restaurant
    #[arg(long, value_name = "KEY[=VALUE]")]
    osm_filter: Vec<OsmFilter>,
    /// Tell what would be done, and change nothing: which places would be created, and what would be changed in which
    #[arg(long)]
    dry_run: bool,
    /// Name what is created and changed without --dry-run as well: of each the first 1,000
    #[arg(long)]
    list: bool,
    /// Apply the sound rows even if others are refused
    #[arg(long)]
    allow_partial: bool,
    #[command(flatten)]
    sync: Syncing,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Geojson,
    Csv,
    OsmPbf,
}

fn mapping(text: &str) -> Result<(Field, String), String> {
    let (field, column) = text.split_once('=').ok_or("must be FIELD=COLUMN")?;
    let field = field.parse::<Field>().map_err(|invalid| invalid.to_string())?;
    if column.is_empty() { Err("must name a column".to_owned()) } else { Ok((field, column.to_owned())) }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() => Ok(*one),
        _ => Err("must be one ASCII character, or \"tab\"".to_owned()),
    }
}

impl Import {
    /// Reads, sends, and tells what became of every row.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.check()?;
        let reading = self.reading()?;
        let bytes = read(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        if bytes.starts_with(GZIP) {
            anyhow::bail!("{} is compressed: unpack it first (gunzip)", self.file.display());
        }
        let file = place_files::read(&bytes, &reading).with_context(|| self.file.display().to_string())?;
        drop(bytes);
        let word = faults::row_word(reading.format);
        columnless(file.unsaid).iter().for_each(note);
        match (self.sync.ask(&self.network, file.as_of)?, file.cut_in) {
            (Some(_), Some(row)) => {
                let why = refused(&file).into_iter().filter(|(refused, _)| *refused == row).collect();
                tell_problems(word, &why, &pb::ImportPlacesResponse::default());
                sync::tell_cut(word, row)
            }
            (Some(sync), None) => self.sync(file, sync, word).await,
            (None, _) => self.import(file, word).await,
        }
    }

    async fn import(&self, file: File, word: &str) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(!file.rows.is_empty(), "{} has no place", self.file.display());
        let refused = refused(&file);
        let sound: Vec<Numbered> = file.rows.into_iter().filter(|row| row.row.is_ok()).collect();
        // Rows refused here hold everything back as those refused there do; what the others would do is told anyway.
        let dry_run = self.dry_run || (!refused.is_empty() && !self.allow_partial);
        let options = pb::ImportOptions { dry_run, allow_partial: self.allow_partial, ..self.options() };
        let progress = Progress::new(sound.len() as u64, "rows");
        let report = match send::send(&self.connection, options, sound, progress).await {
            Ok((report, _)) => report,
            Err(broken) => return tell_broken(broken),
        };
        tell_problems(word, &refused, &report);
        unsynced(&report).iter().for_each(note);
        self.tell_changes(&report)?;
        say(summary(&report, refused.len() as u64, self.dry_run))?;
        Ok(exit_code(&report, refused.len() as u64, self.dry_run))
    }

    /// All rows are sent, those refused here as well: they keep their places.
    async fn sync(&self, file: File, sync: pb::ImportSync, word: &str) -> anyhow::Result<ExitCode> {
        let refused = refused(&file);
        let options = pb::ImportOptions { dry_run: self.dry_run, sync: Some(sync), ..self.options() };
        let progress = Progress::new(file.rows.len() as u64, "rows");
        let report = match send::send(&self.connection, options, file.rows, progress).await {
            Ok((report, _)) => report,
            Err(broken) => return tell_broken(broken),
        };
        tell_problems(word, &refused, &report);
        self.tell_changes(&report)?;
        sync::tell(&report, self.dry_run)
    }

    /// A line for each place that is created or changed.
    fn tell_changes(&self, report: &pb::ImportPlacesResponse) -> anyhow::Result<()> {
        match self.dry_run || self.list {
            true => changes::told(report).into_iter().try_for_each(say),
            false => Ok(()),
        }
    }

    fn options(&self) -> pb::ImportOptions {
        pb::ImportOptions { parent: self.network.to_string(), ..Default::default() }
    }

    fn reading(&self) -> anyhow::Result<Reading> {
        let extension = self.file.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        let format = match (self.format, extension.as_deref()) {
            (Some(Format::Geojson), _) | (None, Some("geojson" | "json")) => place_files::Format::GeoJson,
            (Some(Format::Csv), _) | (None, Some("csv" | "tsv" | "txt")) => {
                place_files::Format::Csv { delimiter: self.delimiter, quotes: !self.no_quotes }
            }
            (Some(Format::OsmPbf), _) | (None, Some("pbf")) => place_files::Format::OsmPbf,
            (None, Some("gz")) => anyhow::bail!("{} is compressed: unpack it first (gunzip)", self.file.display()),
            _ => {
                let missing = "say what it is with --format geojson, csv or osm-pbf";
                return Err(Mistakes(vec![format!("{}: {missing}", self.file.display())]).into());
            }
        };
        Ok(Reading {
            skip_lines: self.skip_lines,
            id_from: self.id_from.clone(),
            time_zone: self.time_zone.clone(),
            map: self.map.clone(),
            osm_filters: self.osm_filter.clone(),
            ..Reading::new(self.network.clone(), format)
        })
    }
}

/// The whole file, or standard input.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
}

fn refused(file: &File) -> Refused {
    file.rows.iter().filter_map(|row| Some((row.number, row.row.as_ref().err()?.clone()))).collect()
}

/// What the header of a file has no column for.
fn columnless(unsaid: Unsaid) -> Option<String> {
    let fields: Vec<&str> = unsaid.iter().map(Optional::as_str).collect();
    (!fields.is_empty()).then(|| format!("no column for {}: what stores have there stays", fields.join(", ")))
}

/// Tells why an import failed, and what that leaves.
fn tell_broken(Broken { why, in_parts }: Broken) -> anyhow::Result<ExitCode> {
    if !in_parts {
        return Err(why);
    }
    note(format!("dintorni: {}", causes(why.as_ref())));
    note("parts of it may have been applied; import the same file again");
    Ok(NOT_KNOWN.into())
}

/// That rows are of files which are synced, and this was no sync.
fn unsynced(report: &pb::ImportPlacesResponse) -> Option<String> {
    let sources: Vec<&str> = report.sources.iter().filter_map(|name| name.rsplit('/').next()).collect();
    let word = if report.applied { "are" } else { "would be" };
    let told = format!(
        "warning: this is no sync, and some rows are places of the source {}, which has after its next sync what its own file \
         says; the {} created {word} of no source, and no sync removes them: is --sync missing?",
        sources.join(", "),
        report.created
    );
    (!sources.is_empty()).then_some(told)
}

fn summary(report: &pb::ImportPlacesResponse, refused_here: u64, dry_run: bool) -> String {
    let pb::ImportPlacesResponse { applied, created, changed, unchanged, refused, .. } = report;
    let refused = refused + refused_here;
    let said = format!("{created} created, {changed} changed, {unchanged} unchanged, {refused} refused");
    match applied {
        true => format!("{said} (catalog version {})", report.catalog_version),
        false if dry_run => format!("dry run, nothing was changed; it would be: {said}"),
        false => format!("nothing was changed, because of the refused rows; with --allow-partial it would be: {said}"),
    }
}

fn exit_code(report: &pb::ImportPlacesResponse, refused_here: u64, dry_run: bool) -> ExitCode {
    match (report.refused + refused_here, report.applied) {
        (0, _) => ExitCode::SUCCESS,
        (_, true) => PARTLY.into(),
        (_, false) if dry_run => PARTLY.into(),
        (_, false) => NOTHING.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_or_refused() {
        assert_eq!(mapping("name=Nome Impianto"), Ok((Field::Name, "Nome Impianto".to_owned())));
        for wrong in ["name", "nom=x", "name="] {
            assert!(mapping(wrong).is_err(), "{wrong}");
        }
        assert_eq!((delimiter("|"), delimiter("tab")), (Ok(b'|'), Ok(b'\t')));
        assert!(delimiter("||").is_err() && delimiter("é").is_err());
    }

    #[test]
    fn what_a_file_has_no_column_for_is_told() {
        assert_eq!(columnless(Unsaid::default()), None);
        let unsaid = Unsaid::default().with(Optional::Country).with(Optional::Brand);
        assert_eq!(columnless(unsaid).as_deref(), Some("no column for brand, country: what stores have there stays"));
    }

    #[test]
    fn who_imports_the_file_of_a_source_without_a_sync_is_told() {
        let report = pb::ImportPlacesResponse { created: 2, ..Default::default() };
        assert_eq!(unsynced(&report), None);
        let sources = vec!["organizations/acme/sources/erp".to_owned()];
        let told = unsynced(&pb::ImportPlacesResponse { sources, ..report }).expect("one source");
        assert!(told.contains("of the source erp, which") && told.contains("the 2 created would be of no"), "{told}");
    }

    #[test]
    fn the_summary_counts_what_was_refused_here_and_there() {
        let report = pb::ImportPlacesResponse { created: 2, refused: 1, ..Default::default() };
        assert!(summary(&report, 3, false).ends_with("2 created, 0 changed, 0 unchanged, 4 refused"));
        assert_eq!(exit_code(&report, 3, false), ExitCode::from(NOTHING));
        let applied = pb::ImportPlacesResponse { applied: true, refused: 0, ..report };
        assert_eq!(exit_code(&applied, 0, false), ExitCode::SUCCESS);
        assert_eq!(exit_code(&applied, 1, false), ExitCode::from(PARTLY));
    }
}
