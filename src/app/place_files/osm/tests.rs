//! Extracts that are written here block by block, and the real one of Monaco where it is.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;
use prost::Message;

use super::{
    wire::{Fields as Wire, Value, packed, signed},
    *,
};
use crate::{
    app::{
        imports::Row,
        place_files::{Field, Format},
    },
    domain::{
        name::OrganizationName,
        time::{TimeZone, Timestamp},
    },
};

/// A field with other fields, text or packed numbers in it.
fn field(number: u32, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &bytes.as_ref().to_vec(), &mut out);
    out
}

fn number(field: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::uint64::encode(field, &value, &mut out);
    out
}

fn sint(field: u32, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::sint64::encode(field, &value, &mut out);
    out
}

/// Numbers, each as its difference from the one before.
fn deltas(field: u32, values: &[i64]) -> Vec<u8> {
    let steps = values.iter().scan(0, |last, value| Some(value - std::mem::replace(last, *value)));
    let (steps, mut out): (Vec<i64>, _) = (steps.collect(), Vec::new());
    prost::encoding::sint64::encode_packed(field, &steps, &mut out);
    out
}

fn plain(field: u32, values: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::uint32::encode_packed(field, values, &mut out);
    out
}

fn blob(kind: &str, block: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(block).expect("in memory");
    let blob = field(3, zlib.finish().expect("in memory"));
    let header = [field(1, kind), number(3, blob.len() as u64)].concat();
    [&(header.len() as u32).to_be_bytes()[..], &header, &blob].concat()
}

/// Two shops, the corners of a square, a supermarket on it, a mall around it, and a way out of the extract.
fn extract() -> Vec<u8> {
    let words = ["", "shop", "bakery", "name", "Pane", "addr:street", "Via Po", "addr:housenumber", "7", "supermarket"];
    let more = ["Coop", "outer", "type", "multipolygon", "mall", "opening_hours", "Mo-Fr 08:00-20:00", "yes", "vacant"];
    let strings: Vec<u8> = words.iter().chain(&more).flat_map(|word| field(1, word)).collect();
    let ids = [1, 2, 11, 12, 13, 14];
    let latitudes = [450_000_000, 451_000_000, 0, 0, 20_000_000, 20_000_000];
    let longitudes = [90_000_000, 91_000_000, 0, 20_000_000, 20_000_000, 0];
    let tags = [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 0, 1, 18, 3, 4, 0, 0, 0, 0, 0];
    let dense = [deltas(1, &ids), deltas(8, &latitudes), deltas(9, &longitudes), plain(10, &tags)].concat();
    let way = |id, keys: &[u32], values: &[u32], refs: &[i64]| {
        field(3, [number(1, id), plain(2, keys), plain(3, values), deltas(8, refs)].concat())
    };
    let square = way(21, &[1, 3], &[9, 10], &[11, 12, 13, 14, 11]);
    let outside = way(22, &[1, 3], &[17, 4], &[11, 12, 99, 11]);
    let line = way(23, &[1, 3], &[17, 4], &[11, 12, 13]);
    let members = [plain(8, &[11]), deltas(9, &[21]), plain(10, &[1])].concat();
    let relation = field(4, [number(1, 31), plain(2, &[1, 3, 12]), plain(3, &[14, 4, 13]), members].concat());
    let lone = field(1, [sint(1, 41), plain(2, &[1, 3]), plain(3, &[2, 10]), sint(8, -10), sint(9, -20)].concat());
    let group = |bytes: Vec<u8>| field(2, bytes);
    let groups =
        [group(field(2, dense)), group([square, outside, line].concat()), group(relation), group(lone)].concat();
    let header = [field(4, "OsmSchema-V0.6"), field(4, "DenseNodes"), number(32, 1_000)].concat();
    let data = [field(1, strings), groups].concat();
    [blob("OSMHeader", &header), blob("OSMData", &data)].concat()
}

fn reading(filters: &[&str]) -> Reading {
    let network = OrganizationName::parse("organizations/acme").expect("sound");
    let osm_filters = filters.iter().map(|filter| filter.parse().expect("sound")).collect();
    Reading { time_zone: Some(TimeZone::utc()), osm_filters, ..Reading::new(network, Format::OsmPbf) }
}

fn ids(file: &File) -> Vec<&str> {
    let stores = file.rows.iter().filter_map(|row| match &row.row {
        Ok(Row::Store(store)) => Some(store.name.id()),
        _ => None,
    });
    stores.collect()
}

#[test]
fn nodes_and_areas_become_stores_at_their_middle() {
    let file = read(&extract(), &reading(&[])).expect("readable");
    assert_eq!(file.as_of, Some(Timestamp::from_micros(1_000_000_000)));
    assert_eq!(ids(&file), ["node~2F1", "way~2F21", "relation~2F31", "node~2F41"]);
    let unsaid = |row: &Numbered| row.unsaid.iter().map(Optional::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(unsaid(&file.rows[0]), "brand country time_zone");
    assert_eq!(unsaid(&file.rows[1]), "address brand opening_hours country time_zone", "whatever another element has");
    let Ok(Row::Store(bakery)) = &file.rows[0].row else { panic!("{file:?}") };
    assert_eq!((bakery.address.as_str(), bakery.opening_hours.as_str()), ("Via Po 7", "Mo-Fr 08:00-20:00"));
    assert_eq!(bakery.tags.iter().map(|tag| tag.to_string()).collect::<Vec<_>>(), ["bakery"]);
    assert!((bakery.position.latitude() - 45.0).abs() < 1e-9 && (bakery.position.longitude() - 9.0).abs() < 1e-9);
    for row in &file.rows[1..] {
        let Ok(Row::Store(area)) = &row.row else { continue };
        let there = if area.name.id() == "node~2F41" { (-1e-6, -2e-6) } else { (1.0, 1.0) };
        let (latitude, longitude) = (area.position.latitude(), area.position.longitude());
        assert!((latitude - there.0).abs() < 1e-9 && (longitude - there.1).abs() < 1e-9, "{area:?}");
    }
    let told = |row: &Numbered| row.row.as_ref().expect_err("refused").to_string();
    let refused: Vec<&Numbered> = file.rows.iter().filter(|row| row.row.is_err()).collect();
    assert_eq!(refused.iter().map(|row| (row.number, row.may_be.len())).collect::<Vec<_>>(), [(22, 1), (23, 1)]);
    assert!(told(refused[0]).contains("way/22 has corners outside") && told(refused[1]).contains("is a line"));
}

#[test]
fn an_area_across_the_antimeridian_is_where_its_corners_are() {
    let of = |kind, lines: &[[f64; 4]]| {
        let mut parts = Parts { ways: HashMap::new(), nodes: HashMap::new() };
        let latitudes = [-17.0, -17.0, -16.0, -16.0];
        for (way, line) in lines.iter().enumerate() {
            let ids = |corner: usize| (4 * way + corner) as i64;
            parts.nodes.extend((0..4).map(|corner| (ids(corner), [line[corner], latitudes[corner]])));
            parts.ways.insert(way as i64, [0, 1, 2, 3, 0].map(ids).to_vec());
        }
        let members = if kind == Kind::Way { parts.ways[&0].clone() } else { (0..lines.len() as i64).collect() };
        let found = Found { kind, id: 1, tags: BTreeMap::new(), category: String::new(), at: [0.0; 2], members };
        found.middle(&parts).expect("it has an outline")
    };
    let cut = [[-180.0, -179.8, -179.8, -180.0], [179.8, 180.0, 180.0, 179.8]];
    for (middle, longitude) in [
        (of(Kind::Way, &[[179.9, -179.7, -179.7, 179.9]]), -179.9),
        (of(Kind::Way, &[[-179.9, 179.7, 179.7, -179.9]]), 179.9),
        (of(Kind::Relation, &cut), -180.0),
        (of(Kind::Way, &[[-1.0, 1.0, 1.0, -1.0]]), 0.0),
    ] {
        let expected = Position::new(-16.5, longitude).expect("sound");
        assert!(middle.distance_to(expected) < 1.0, "{middle:?} {longitude}");
    }
}

#[test]
fn filters_say_what_a_place_is() {
    assert_eq!(ids(&read(&extract(), &reading(&["shop=mall", "shop=vacant"])).expect("readable")).len(), 2);
    assert!(read(&extract(), &reading(&["amenity"])).expect("readable").rows.is_empty());
    assert!("=x".parse::<OsmFilter>().is_err() && "shop=".parse::<OsmFilter>().is_err());
    let street = Reading { map: vec![(Field::Address, "addr:street".into())], ..reading(&["shop=bakery"]) };
    let file = read(&extract(), &street).expect("readable");
    assert!(matches!(&file.rows[0].row, Ok(Row::Store(store)) if store.address == "Via Po"));
}

#[test]
fn an_extract_that_breaks_off_or_needs_more_is_refused() {
    let whole = extract();
    let data = whole.windows(9).position(|window| window == b"OSMHeader").expect("there") + 60;
    for end in [1, 3, 20, data, whole.len() - 1] {
        let said = read(&whole[..end], &reading(&[])).expect_err("refused").to_string();
        assert!(said.contains("breaks off"), "{end}: {said}");
    }
    let other = blob("OSMHeader", &field(4, "HistoricalInformation"));
    assert!(read(&other, &reading(&[])).expect_err("refused").to_string().contains("HistoricalInformation"));
}

#[test]
fn the_extract_of_monaco_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/osm-monaco");
    let Ok(bytes) = std::fs::read(format!("{folder}/monaco.osm.pbf")) else {
        eprintln!("not tried: there is no {folder}");
        return;
    };
    let file = read(&bytes, &reading(&[])).expect("readable");
    assert_eq!(file.as_of.map(|at| at.to_string()[..7].to_owned()).as_deref(), Some("2021-04"));
    // What others cut of the same map, points alone.
    let cut = std::fs::read(format!("{folder}/monaco_pois.geojson")).expect("beside it");
    let cut: serde_json::Value = serde_json::from_slice(&cut).expect("JSON");
    let read: HashMap<&str, &Numbered> =
        file.rows.iter().flat_map(|row| row.may_be.iter().map(move |place| (place.as_str(), row))).collect();
    let mut same = 0;
    for feature in cut["features"].as_array().expect("features") {
        let (id, properties) = (feature["id"].as_str().expect("an id"), &feature["properties"]);
        let name = format!("organizations/acme/stores/{}", id.replace('/', "~2F"));
        let Some(row) = read.get(name.as_str()) else { continue };
        let Ok(Row::Store(store)) = &row.row else { continue };
        let point = &feature["geometry"]["coordinates"];
        if let (Some(longitude), Some(latitude)) = (point[0].as_f64(), point[1].as_f64()) {
            assert!((store.position.longitude() - longitude).abs() < 1e-6, "{id}");
            assert!((store.position.latitude() - latitude).abs() < 1e-6, "{id}");
            assert_eq!(properties["name"].as_str().unwrap_or(&store.display_name).trim(), store.display_name, "{id}");
            same += 1;
        }
    }
    assert!(
        same > 150,
        "{same} of {} features, {} rows",
        cut["features"].as_array().map_or(0, Vec::len),
        file.rows.len()
    );
}

proptest! {
    #[test]
    fn garbled_extracts_are_refused_or_read(at in 0_usize..600, byte: u8, block in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = extract();
        let at = at % bytes.len();
        bytes[at] = byte;
        drop(read(&bytes, &reading(&[])));
        drop(read(&blob("OSMData", &block), &reading(&[])));
    }
}

/// Fields as prost writes them.
#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(sint64, tag = "1")]
    id: i64,
    #[prost(uint32, repeated, tag = "2")]
    keys: Vec<u32>,
    #[prost(double, tag = "3")]
    skipped: f64,
    #[prost(sint64, repeated, tag = "8")]
    refs: Vec<i64>,
    #[prost(string, tag = "20")]
    text: String,
}

#[test]
fn what_prost_writes_is_read() {
    let sample = Sample { id: -7, keys: vec![1, 300], skipped: 1.5, refs: vec![10, -3, 5], text: "é".into() };
    let bytes = sample.encode_to_vec();
    let fields: Vec<_> = Wire(&bytes).collect::<Result<_, _>>().expect("sound");
    let [(1, Value::Number(id)), (2, Value::Bytes(keys)), (3, Value::Other), (8, Value::Bytes(refs)), (20, text)] =
        fields.as_slice()
    else {
        panic!("{fields:?}")
    };
    assert_eq!((signed(*id), packed(keys), wire::deltas(refs)), (-7, Ok(vec![1, 300]), Ok(vec![10, 7, 12])));
    assert_eq!(*text, Value::Bytes("é".as_bytes()));
    for end in 1..bytes.len() {
        let whole = Wire(&bytes[..end]).all(|field| field.is_ok());
        assert!(!whole || Sample::decode(&bytes[..end]).is_ok(), "cut at {end}");
    }
}
