//! Places out of files: GeoJSON, CSV and map extracts become the rows of an import.
//!
//! Laws: a file that cannot be read is refused as a whole; a wrong row is refused alone, by the number, column and value
//! that its owner will look for; the same file gives the same names every time. What a row has no column, property or tag
//! for it does not say.

use std::collections::BTreeSet;

mod csv;
mod detection;
mod fields;
mod geojson;
mod ids;
mod osm;
mod stamp;

pub use fields::Field;
use fields::{Fields, Values};
pub use ids::id_of;
pub use osm::OsmFilter;
pub use stamp::time as time_of;

use super::imports::{Numbered, Row, Unsaid};
use crate::domain::{
    geo::Position,
    name::{OrganizationName, StoreName},
    opening::{Country, OpeningHours},
    place::{Geofence, MAX_ADDRESS, MAX_BRAND, MAX_TAGS, Store},
    shape::Shape,
    text::{MAX_DISPLAY_NAME, Tag, line, optional_line, quoted},
    time::{TimeZone, Timestamp},
    violation::{Invalid, Violations},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A FeatureCollection or Feature: points are stores, polygons and multipolygons are geofences.
    GeoJson,
    /// A header line, then a store a line. With `quotes` a value may stand in them; without they are part of it.
    Csv { delimiter: u8, quotes: bool },
    /// An OpenStreetMap extract: named nodes and areas are stores.
    OsmPbf,
}

/// How a file is to be understood.
#[derive(Debug, Clone)]
pub struct Reading {
    pub network: OrganizationName,
    pub format: Format,
    /// Lines before the file proper.
    pub skip_lines: usize,
    /// The column or property that has the network's own id.
    pub id_from: String,
    /// The zone of new stores that say none; without it they are refused where it is known that they are new.
    pub time_zone: Option<TimeZone>,
    /// Columns or properties by field, where the usual names do not fit.
    pub map: Vec<(Field, String)>,
    /// Which elements of a map extract are places: those that any of these takes; without any, shops and the usual
    /// amenities.
    pub osm_filters: Vec<OsmFilter>,
}

impl Reading {
    /// A file of this format with the usual columns, and `id` for the id.
    pub fn new(network: OrganizationName, format: Format) -> Self {
        Self {
            network,
            format,
            skip_lines: 0,
            id_from: "id".to_owned(),
            time_zone: None,
            map: Vec::new(),
            osm_filters: Vec::new(),
        }
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// A file of places, read.
#[derive(Debug, Default)]
pub struct File {
    /// A CSV row has the number of its line, a feature its number from 1, an element of a map its own.
    pub rows: Vec<Numbered>,
    /// The time of which the file itself says it speaks: in the lines before its header, or in its own words.
    pub as_of: Option<Timestamp>,
    /// The row in which the file breaks off: the last one, if it lacks a line end and values, were it the last one alone that
    /// all rows before have, or the end of a quote.
    pub cut_in: Option<u64>,
    /// Fields of stores that its header has no column for, so that no row says them; none if it has no header.
    pub unsaid: Unsaid,
}

/// Reads the whole file.
pub fn read(bytes: &[u8], reading: &Reading) -> Result<File, Unreadable> {
    let (skipped, bytes) = split_lines(bytes, reading.skip_lines);
    let mut file = match reading.format {
        Format::GeoJson => geojson::read(bytes, reading)?,
        Format::Csv { delimiter, quotes } => csv::read(bytes, delimiter, quotes, reading)?,
        Format::OsmPbf => osm::read(bytes, reading)?,
    };
    file.as_of = stamp::find(&String::from_utf8_lossy(skipped)).or(file.as_of);
    Ok(file)
}

/// The rows of a file of which nothing else matters.
pub fn parse(bytes: &[u8], reading: &Reading) -> Result<Vec<Numbered>, Unreadable> {
    read(bytes, reading).map(|file| file.rows)
}

/// The first lines, and what follows them.
fn split_lines(bytes: &[u8], lines: usize) -> (&[u8], &[u8]) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut end = 0;
    for _ in 0..lines {
        let rest = &bytes[end..];
        end += rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
    }
    bytes.split_at(end)
}

/// The store that a row says at this position.
fn store(wrong: &mut Violations, values: &Values<'_>, position: Option<Position>, reading: &Reading) -> Option<Row> {
    let id = id(wrong, values, reading);
    let display_name = text(wrong, values, Field::Name, name);
    let time_zone = time_zone(wrong, values, reading);
    let mut optional =
        |field, max| text(wrong, values, field, |text| optional_line(text, max)).map(Option::unwrap_or_default);
    let address = optional(Field::Address, MAX_ADDRESS);
    let brand = optional(Field::Brand, MAX_BRAND);
    let opening_hours = text(wrong, values, Field::OpeningHours, OpeningHours::new);
    let country = text(wrong, values, Field::Country, country);
    let tags = tags(wrong, values);
    // Whether it is new nobody knows who cannot read it, and its other faults are told here.
    if !wrong.is_empty() && values.is_zoneless() {
        let said = "is missing, which matters if the store is new; --time-zone gives one to those that say none";
        wrong.add(values.get(Field::TimeZone).0, said);
    }
    Some(Row::Store(Store {
        name: reading.network.store(&id?).ok()?,
        display_name: display_name?,
        position: position?,
        time_zone: time_zone?,
        address: address?,
        brand: brand?,
        opening_hours: opening_hours?,
        country: country?,
        tags,
        source: None,
    }))
}

/// The geofence that a row says with this shape.
fn geofence(wrong: &mut Violations, values: &Values<'_>, shape: Option<Shape>, reading: &Reading) -> Option<Row> {
    let id = id(wrong, values, reading);
    let display_name = text(wrong, values, Field::Name, name);
    let store = text(wrong, values, Field::Store, |store| store_of(store, &reading.network));
    let tags = tags(wrong, values);
    let detection = detection::read(wrong, values);
    Some(Row::Geofence(Geofence {
        name: reading.network.geofence(&id?).ok()?,
        display_name: display_name?,
        shape: shape?,
        store: store?,
        tags,
        detection: detection?,
        source: None,
    }))
}

/// The value under the column it stands in, read by `read`; an absent value is empty text.
fn text<T>(
    wrong: &mut Violations,
    values: &Values<'_>,
    field: Field,
    read: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Option<T> {
    let (column, value) = values.get(field);
    wrong.take(column, value.and_then(|value| read(&value)))
}

/// A code that may be missing.
fn country(code: &str) -> Result<Option<Country>, Invalid> {
    if code.is_empty() { Ok(None) } else { Country::new(&code.to_uppercase()).map(Some) }
}

fn name(text: &str) -> Result<String, Invalid> {
    if text.is_empty() { Err(Invalid::new("is missing")) } else { line(text, MAX_DISPLAY_NAME) }
}

fn id(wrong: &mut Violations, values: &Values<'_>, reading: &Reading) -> Option<String> {
    let said = match reading.id_from.as_str() {
        "id" => "is missing; --id-from names the column that has the id",
        _ => "is missing",
    };
    let id = values.id().unwrap_or_else(|| Err(Invalid::new(said)));
    wrong.take(&reading.id_from, id.and_then(|id| id_of(&id)))
}

fn store_of(id: &str, network: &OrganizationName) -> Result<Option<StoreName>, Invalid> {
    if id.is_empty() { Ok(None) } else { network.store(&id_of(id)?).map(Some) }
}

/// Of a store that says none that of new ones. Where there is none either, [`Values::zoned`] says so.
fn time_zone(wrong: &mut Violations, values: &Values<'_>, reading: &Reading) -> Option<TimeZone> {
    let usual = || reading.time_zone.clone().unwrap_or_else(TimeZone::utc);
    text(wrong, values, Field::TimeZone, |zone| if zone.is_empty() { Ok(usual()) } else { TimeZone::new(zone) })
}

fn tags(wrong: &mut Violations, values: &Values<'_>) -> BTreeSet<Tag> {
    let mut tags = BTreeSet::new();
    // The column with which they became too many.
    let mut wide = None;
    for field in [Field::Category, Field::Tags] {
        let (column, words) = values.get(field);
        let words = wrong.take(column.as_str(), words).unwrap_or_default();
        for word in words.split([';', ',']).map(str::trim).filter(|word| !word.is_empty()) {
            tags.extend(wrong.take(column.as_str(), ids::tag_of(word)));
        }
        wide = wide.or((tags.len() > MAX_TAGS).then_some(column));
    }
    if let Some(column) = wide {
        wrong.add(column, format!("must be at most {MAX_TAGS} tags, were {}", tags.len()));
    }
    tags
}

/// A number with a decimal point.
fn degrees(text: &str) -> Result<f64, Invalid> {
    if text.is_empty() {
        return Err(Invalid::new("is missing"));
    }
    text.parse().map_err(|_| Invalid::new(format!("must be degrees such as 45.4642, was {}", quoted(text))))
}
