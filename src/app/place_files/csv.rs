//! Stores out of CSV: a header line, then a store a line.
//!
//! Laws: a line that does not fit the header is refused alone, for its values cannot be told apart; a row's number is that
//! of the line on which an editor shows it.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};

use csv::ByteRecord;

use super::{Field, Fields, File, Reading, Unreadable, Values, degrees, fields::unsaid, id_of, store};
use crate::{
    app::imports::{Numbered, Optional, Row, Unsaid},
    domain::{
        geo::Position,
        place::PlaceName,
        violation::{Invalid, Violations},
    },
};

/// Where each column stands, by its name in lower case.
type Columns = HashMap<String, usize>;

pub fn read(bytes: &[u8], delimiter: u8, quotes: bool, reading: &Reading) -> Result<File, Unreadable> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).quoting(quotes).flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|error| Unreadable(format!("the header cannot be read: {error}")))?.clone();
    if header.iter().all(|name| name.trim().is_empty()) {
        return Err(Unreadable("has no header".to_owned()));
    }
    let columns = columns(header.iter(), reading)?;
    check_header(&columns, reading)?;
    let fields = Fields::new(reading);
    let unsaid = unsaid(&fields, &Optional::OF_STORES, |name| columns.contains_key(&name.to_lowercase()));
    let mut file = File { unsaid, ..File::default() };
    let mut lines = Lines { rest: bytes, at: 0, number: 1 + reading.skip_lines as u64 };
    let mut said = Said::default();
    let mut records = reader.into_byte_records().peekable();
    while let Some(record) = records.next() {
        let record = record.map_err(|error| Unreadable(error.to_string()))?;
        let line = lines.number(record.position().map_or(0, csv::Position::byte));
        let is_last = records.peek().is_none();
        let is_open = is_last && quotes && is_open(lines.rest, &record, delimiter);
        let row = if is_open { Err(open()) } else { row(&record, &columns, header.len(), (&fields, unsaid), reading) };
        let may_be = if row.is_err() { may_be(&record, &columns, header.len(), reading) } else { Vec::new() };
        // Many sound files end without a line end, so that one with all its values is believed.
        let is_whole = record.len() >= header.len() && !said.is_cut_before(&record);
        // And nobody cuts off what closes a quote.
        let is_ended = bytes.ends_with(b"\n") || (quotes && bytes.ends_with(b"\""));
        let is_short = is_last && !is_ended && !is_whole;
        if row.is_ok() {
            said.note(&record);
        }
        file.rows.push(Numbered::read(line, row, may_be));
        file.cut_in = (is_open || is_short).then_some(line);
    }
    Ok(file)
}

/// The columns in which every sound row so far has something; none of them before the first.
#[derive(Default)]
struct Said(Option<Vec<bool>>);

impl Said {
    fn note(&mut self, record: &ByteRecord) {
        let columns = self.0.get_or_insert_with(|| vec![true; record.len()]);
        columns.iter_mut().zip(record).for_each(|(said, value)| *said &= !value.trim_ascii().is_empty());
    }

    /// Whether the record has all that the others have but the last value: there it was cut off. One that lacks more says
    /// less, and where a value is lacking now and then it may lack in the last row, too.
    fn is_cut_before(&self, record: &ByteRecord) -> bool {
        let columns = self.0.iter().flatten().zip(record);
        let lacking = columns.map(|(said, value)| *said && value.is_empty()).enumerate();
        lacking.filter_map(|(i, lacks)| lacks.then_some(i + 1)).eq([record.len()])
    }
}

/// Counts the lines of a file. The reader's own count takes `\r\n` for an end and an empty line.
struct Lines<'a> {
    /// What follows the last record asked for, and it.
    rest: &'a [u8],
    /// Where that is.
    at: u64,
    number: u64,
}

impl Lines<'_> {
    /// The line of the record that the reader began at this byte, in the order of the file. Before the record may stand
    /// empty lines, and what is left of the last line's end.
    fn number(&mut self, begun: u64) -> u64 {
        let begun = usize::try_from(begun.saturating_sub(self.at)).unwrap_or(usize::MAX).min(self.rest.len());
        let ends = self.rest[begun..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let (before, rest) = self.rest.split_at(begun + ends);
        self.number += before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        (self.at, self.rest) = (self.at + before.len() as u64, rest);
        self.number
    }
}

/// Whether nothing closes the quote in which this last record ends: one more line end would be part of its value.
fn is_open(bytes: &[u8], record: &ByteRecord, delimiter: u8) -> bool {
    let longer = [bytes, b"\n"].concat();
    let reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(&longer[..]);
    reader.into_byte_records().next().is_some_and(|longer| longer.is_ok_and(|longer| longer != *record))
}

fn open() -> Violations {
    let said = "has a value that begins with a quote, and nothing closes it before the end of the file; \
                if quotes are part of the values in this file, say --no-quotes";
    Violations::one("", said)
}

/// Of two columns of one name nobody knows which is meant; those that nothing is read from may be as they are.
fn columns<'a>(header: impl Iterator<Item = &'a str>, reading: &Reading) -> Result<Columns, Unreadable> {
    let (mut columns, mut twice, fields) = (Columns::new(), Vec::new(), Fields::new(reading));
    for (i, name) in header.enumerate() {
        let name = name.trim().to_lowercase();
        match columns.entry(name) {
            Entry::Vacant(free) => drop(free.insert(i)),
            Entry::Occupied(first) if fields.uses(first.key()) => {
                twice.push(format!("{:?} as column {} and column {}", first.key(), first.get() + 1, i + 1));
            }
            Entry::Occupied(_) => {}
        }
    }
    if twice.is_empty() {
        return Ok(columns);
    }
    Err(Unreadable(format!("the header has {}: rename all but one", twice.join(", "))))
}

fn check_header(columns: &Columns, reading: &Reading) -> Result<(), Unreadable> {
    let fields = Fields::new(reading);
    let find = |name: &str| columns.contains_key(&name.to_lowercase()).then_some(Ok(Cow::Borrowed("here")));
    let values = Values::new(&fields, &find);
    let mut missing = Vec::new();
    if values.id().is_none() {
        missing.push(format!("{:?} (--id-from)", reading.id_from));
    }
    let mapped = reading.map.iter().map(|(field, _)| *field);
    let needed = [Field::Name, Field::Latitude, Field::Longitude].into_iter();
    for field in needed.clone().chain(mapped.filter(|field| !needed.clone().any(|needed| needed == *field))) {
        let (name, found) = values.get(field);
        if found.is_ok_and(|found| found.is_empty()) {
            missing.push(format!("{name:?} (--map {field}=COLUMN)"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let mut had: Vec<&str> = columns.keys().map(String::as_str).collect();
    had.sort_by_key(|name| columns.get(*name));
    let (missing, had) = (missing.join(", "), had.join(", "));
    Err(Unreadable(format!("the header has no column {missing}; it has: {had} (is the delimiter right?)")))
}

fn row(
    record: &ByteRecord,
    columns: &Columns,
    width: usize,
    (fields, unsaid): (&Fields<'_>, Unsaid),
    reading: &Reading,
) -> Result<(Row, Unsaid), Violations> {
    if record.iter().any(|value| value.contains(&b'\n')) {
        let said = "has a value that begins with a quote and runs over the end of the line; \
                    if quotes are part of the values in this file, say --no-quotes";
        return Err(Violations::one("", said));
    }
    if record.len() != width {
        let said =
            format!("has {} values, and the header {width} columns: is the delimiter within a value?", record.len());
        return Err(Violations::one("", said));
    }
    let mut wrong = Violations::default();
    for (name, &i) in columns {
        if record.get(i).is_some_and(|value| std::str::from_utf8(value).is_err()) && fields.uses(name) {
            wrong.add(name, "is not UTF-8");
        }
    }
    let find = |name: &str| {
        let value = record.get(*columns.get(&name.to_lowercase())?)?;
        // What is none was told above.
        Some(Ok(Cow::Owned(String::from_utf8_lossy(value).into_owned())))
    };
    let values = Values::new(fields, &find);
    let position = position(&mut wrong, &values);
    let row = store(&mut wrong, &values, position, reading);
    wrong.finish(row.map(|row| (row, values.zoned(unsaid))))
}

/// The place of a line that was refused. If the values cannot be told apart only the first one is where it should be, and
/// not even that one if lines ran into each other.
fn may_be(record: &ByteRecord, columns: &Columns, width: usize, reading: &Reading) -> Vec<PlaceName> {
    let told = || {
        let column = *columns.get(&reading.id_from.to_lowercase())?;
        let is_one_line = record.iter().all(|value| !value.contains(&b'\n')) && record.len() < 2 * width - 1;
        let is_in_place = record.len() == width || (column == 0 && record.len() > 1);
        let id = record.get(column).filter(|_| is_one_line && is_in_place)?;
        let id = std::str::from_utf8(id).ok().filter(|id| super::fields::is_said(id))?;
        reading.network.store(&id_of(id).ok()?).ok().map(PlaceName::Store)
    };
    told().into_iter().collect()
}

fn position(wrong: &mut Violations, values: &Values<'_>) -> Option<Position> {
    let mut half = |field, check: fn(f64) -> Result<Position, Invalid>| {
        let (column, text) = values.get(field);
        wrong.take(column, text.and_then(|text| degrees(&text)).and_then(|degrees| check(degrees).map(|_| degrees)))
    };
    let latitude = half(Field::Latitude, |latitude| Position::new(latitude, 0.0));
    let longitude = half(Field::Longitude, |longitude| Position::new(0.0, longitude));
    Position::new(latitude?, longitude?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::place_files::{Format, parse},
        domain::{name::OrganizationName, time::TimeZone},
    };

    fn reading() -> Reading {
        let network = OrganizationName::parse("organizations/acme").expect("sound");
        let format = Format::Csv { delimiter: b'|', quotes: true };
        Reading { time_zone: Some(TimeZone::utc()), ..Reading::new(network, format) }
    }

    fn told(row: &Result<Row, Violations>) -> Vec<(String, String)> {
        let wrong = row.as_ref().expect_err("refused");
        wrong.iter().map(|violation| (violation.field.clone(), violation.description.clone())).collect()
    }

    #[test]
    fn a_line_is_a_store_or_a_fault_by_line_column_and_value() {
        let file = "Made on Monday\nid|Nome Impianto|Latitudine|lon|category\n1|Q8 \"Nord\"|45.4|9.1|Fuel;Shop\n\
                    2|Esso|NULL|400|\n3|a|b|45|9|\n";
        let map = vec![(Field::Name, "nome impianto".to_owned())];
        let rows = parse(file.as_bytes(), &Reading { skip_lines: 1, map, ..reading() }).expect("readable");
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 4, 5]);
        let Ok(Row::Store(store)) = &rows[0].row else { panic!("{rows:?}") };
        assert_eq!((store.name.as_str(), store.display_name.as_str()), ("organizations/acme/stores/1", "Q8 \"Nord\""));
        assert_eq!(store.tags.iter().map(|tag| tag.to_string()).collect::<Vec<_>>(), ["fuel", "shop"]);
        let second = told(&rows[1].row);
        assert_eq!(second[0], ("latitudine".into(), "is missing".into()), "the name it has in the file");
        assert!(second[1].0 == "lon" && second[1].1.contains("was 400"), "{second:?}");
        assert!(told(&rows[2].row)[0].1.contains("6 values"));
    }

    #[test]
    fn a_header_without_what_is_needed_is_refused_once() {
        let said = parse(b"id,lat,lng\n1,2,3\n", &reading()).expect_err("one column").to_string();
        assert!(said.contains("\"id\"") && said.contains("is the delimiter right"), "{said}");
        assert_eq!(parse(b"", &reading()).expect_err("empty").to_string(), "has no header");
        let comma = Reading { format: Format::Csv { delimiter: b',', quotes: true }, ..reading() };
        let said = parse(b"id,lat,lng\n1,2,3\n", &comma).expect_err("no name").to_string();
        assert!(said.contains("--map name=COLUMN") && !said.contains("--id-from"), "{said}");
        let typo = Reading { map: vec![(Field::Address, "adress".to_owned())], ..comma };
        let said = parse(b"id,name,lat,lng,address\n1,a,2,3,b\n", &typo).expect_err("no such column").to_string();
        assert!(said.contains("no column \"adress\" (--map address=COLUMN)"), "{said}");
    }

    #[test]
    fn a_column_that_is_not_there_says_nothing_and_one_that_is_empty_does() {
        let unsaid = |header: &str, map: Vec<(Field, String)>| {
            let file = format!("id|name|lat|lon|{header}\n1|a|45|9|\n");
            let file = super::super::read(file.as_bytes(), &Reading { map, ..reading() }).expect("readable");
            assert_eq!(file.rows[0].unsaid, file.unsaid);
            file.unsaid.iter().map(Optional::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(unsaid("note", Vec::new()), "address brand opening_hours country tags time_zone");
        assert_eq!(unsaid("Indirizzo", Vec::new()), "brand opening_hours country tags time_zone");
        assert_eq!(unsaid("category", Vec::new()), "address brand opening_hours country time_zone", "which makes tags");
        let map = vec![(Field::Brand, "Bandiera".to_owned())];
        assert_eq!(unsaid("bandiera", map), "address opening_hours country tags time_zone");
    }

    #[test]
    fn an_empty_zone_is_not_said() {
        let rows = parse(b"id|name|lat|lon|tz\n1|a|45|9|Asia/Tokyo\n2|a|45|9|\n", &reading()).expect("readable");
        let said = |row: &Numbered| !row.unsaid.contains(Optional::TimeZone);
        assert_eq!(rows.iter().map(said).collect::<Vec<_>>(), [true, false]);
        let Ok(Row::Store(store)) = &rows[1].row else { panic!("{rows:?}") };
        assert_eq!(store.time_zone, TimeZone::utc(), "should it be new");
        assert!(!rows[1].unsaid.is_zoneless());
        let without = Reading { time_zone: None, ..reading() };
        let rows = parse(b"id|name|lat|lon|tz\n1|a|45|9|Asia/Tokyo\n2|a|45|9|null\n", &without).expect("readable");
        assert_eq!(rows.iter().map(|row| row.unsaid.is_zoneless()).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_column_that_is_read_is_there_once() {
        let comma = Reading { format: Format::Csv { delimiter: b',', quotes: true }, ..reading() };
        let refused = |reading: &Reading, header: &str| {
            let file = format!("{header}\n1,a,45,9,46,x\n");
            parse(file.as_bytes(), reading).err().map(|error| error.to_string())
        };
        let said = refused(&comma, "id,name,lat,lng, LAT ,ID").expect("refused");
        assert!(said.contains("\"lat\" as column 3 and column 5, \"id\" as column 1 and column 6"), "{said}");
        assert_eq!(refused(&comma, "id,name,lat,lng,,"), None, "nothing is read from those without a name");
        assert_eq!(refused(&comma, "id,name,lat,lng,note,note"), None, "nor from these");
        let mapped = Reading { map: vec![(Field::Address, "note".to_owned())], ..comma };
        assert!(refused(&mapped, "id,name,lat,lng,note,note").is_some_and(|said| said.contains("\"note\"")));
    }

    #[test]
    fn a_row_has_the_number_that_its_line_has_in_an_editor() {
        let numbers = |file: &str| {
            let rows = parse(file.as_bytes(), &Reading { skip_lines: 1, ..reading() }).expect("readable");
            rows.iter().map(|row| row.number).collect::<Vec<_>>()
        };
        let file = "Made on Monday\n\nid|name|lat|lon\n1|a|45|9\n\n\n2|\"b\nb\"|45|9\n3|c|45|9\n";
        assert_eq!(numbers(file), [4, 7, 9]);
        assert_eq!(numbers(&file.replace('\n', "\r\n")), [4, 7, 9]);
    }

    #[test]
    fn a_file_is_cut_where_its_last_line_lacks_values_or_the_end_of_a_quote() {
        let cut_in = |rows: &str| {
            let file = format!("id|name|lat|lon\n1|\"a\"|45|9\n{rows}");
            let file = super::super::read(file.as_bytes(), &reading()).expect("readable");
            (file.cut_in, file.rows.last().is_some_and(|last| last.row.is_ok()))
        };
        for whole in ["2|b|45|9\n", "2|b|45|9", "2|b|45|\"9\"", "2|\"say \"\"b\"\"\"|45|9\r\n"] {
            assert_eq!(cut_in(whole), (None, true), "{whole}");
        }
        for cut in ["2|b|4", "2|b|45|\"9", "2|\"b|45|9\n", "2|b|45|\"9\n3|c|45|9\n", "2|\"b\"\"|45|9", "2|b|45|"] {
            assert_eq!(cut_in(cut), (Some(3), false), "{cut}");
        }
        assert_eq!(cut_in("2|b|4\n3|c|45|9"), (None, true), "a short line within the file is a fault of its own");
        assert_eq!(cut_in("2|b||"), (None, false), "one that says no position is whole");
    }

    #[test]
    fn a_file_is_cut_before_a_last_value_that_every_row_has() {
        let without = Reading { time_zone: None, ..reading() };
        let cut_in = |rows: &str| {
            let file =
                super::super::read(format!("id|name|lat|lon|tz\n{rows}").as_bytes(), &without).expect("readable");
            file.cut_in
        };
        let first = "1|a|45|9|Europe/Rome\n";
        assert_eq!(cut_in(&format!("{first}2|b|45|9|")), Some(3), "the row would be sound");
        assert_eq!(cut_in(&format!("{first}x|y|NULL|NULL|\n2|b|45|9|")), Some(4), "one that is refused tells nothing");
        assert_eq!(cut_in(&format!("{first}2|b|45|9|\n")), None, "its line has an end");
        assert_eq!(cut_in(&format!("{first}2|b|45|9|\"\"")), None, "so has its value");
        assert_eq!(cut_in(&format!("{first}2|b|45|9|\n3|c|45|9|")), None, "it lacks now and then");
        assert_eq!(cut_in("1|a|45|9|\n2|b|45|9|"), None, "each line ends with a delimiter");
        assert_eq!(cut_in("1|a|45|9|"), None, "it is the only one");
        let columns = b"id|name|lat|lon\n1|a|45|9\n2|b|45|";
        assert_eq!(super::super::read(columns, &without).expect("readable").cut_in, Some(3), "whatever zone it lacks");
    }

    #[test]
    fn bytes_that_nobody_reads_refuse_no_row() {
        let file = b"id|name|lat|lon|town\n1|Caff\xe8|45|9|Rho\n2|Bar|45|9|Cant\xf9\n";
        let rows = parse(file, &reading()).expect("readable");
        assert_eq!(told(&rows[0].row), [("name".into(), "is not UTF-8".into())], "and is told once");
        assert!(rows[1].row.is_ok(), "{rows:?}");
    }

    #[test]
    fn too_many_tags_are_told_under_the_column_that_has_them() {
        let words: Vec<String> = (0..40).map(|i| format!("t{i}")).collect();
        let file = format!("id|name|lat|lon|category\n1|a|45|9|{}\n", words.join(";"));
        let rows = parse(file.as_bytes(), &reading()).expect("readable");
        assert_eq!(told(&rows[0].row), [("category".into(), "must be at most 32 tags, were 40".into())]);
    }

    #[test]
    fn an_open_quote_swallows_no_line_unnoticed() {
        let file = b"id|name|lat|lon\n1|\"Bar|45|9\n2|Cafe|45|9\n3|\"Pub|45|9\n";
        let rows = parse(file, &reading()).expect("readable");
        assert!(told(&rows[0].row)[0].1.contains("--no-quotes"), "{rows:?}");
        let plain = Reading { format: Format::Csv { delimiter: b'|', quotes: false }, ..reading() };
        let rows = parse(file, &plain).expect("readable");
        assert!(rows.len() == 3 && rows.iter().all(|row| row.row.is_ok()), "{rows:?}");
    }
}
