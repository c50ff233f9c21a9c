//! Stores and geofences out of GeoJSON (RFC 7946).
//!
//! Law: a feature that is not sound is refused alone; coordinates of another reference system are refused as a whole,
//! for they would look sound and lie elsewhere.

use std::{borrow::Cow, collections::BTreeSet};

use geojson::{Feature, GeometryValue, feature::Id};
use serde_json::Value;

use super::{
    Fields, File, Reading, Unreadable, Values,
    fields::{Found, is_said},
    geofence, id_of, stamp, store,
};
use crate::{
    app::imports::{Numbered, Optional, Row, Unsaid},
    domain::{
        geo::Position,
        place::PlaceName,
        shape::{Coordinates, Polygons, Shape},
        text::quoted,
        violation::{Invalid, Violations},
    },
};

pub fn read(bytes: &[u8], reading: &Reading) -> Result<File, Unreadable> {
    let file: Value = serde_json::from_slice(bytes).map_err(|error| Unreadable(format!("is not JSON: {error}")))?;
    check_reference_system(&file)?;
    let fields = Fields::new(reading);
    let as_of = file.get("timestamp").and_then(Value::as_str).and_then(|text| stamp::time(text).ok());
    let features = features(file)?;
    check_ids(&features, reading)?;
    let numbered = |(number, value): (u64, Value)| {
        let may_be = may_be(&value, reading);
        Numbered::read(number, row(value, &fields, reading), may_be)
    };
    Ok(File { rows: (1..).zip(features).map(numbered).collect(), as_of, ..File::default() })
}

/// The places that a feature may mean, whatever else is wrong with it: what had an outline yesterday may have none today.
fn may_be(feature: &Value, reading: &Reading) -> Vec<PlaceName> {
    let wanted = &reading.id_from;
    let properties = feature.get("properties").and_then(Value::as_object);
    let named = properties.and_then(|all| all.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)));
    let exact = properties.and_then(|all| all.get(wanted));
    let own = feature.get("id").filter(|_| wanted == "id");
    let id = exact.or(named.map(|(_, value)| value)).or(own).and_then(|id| said(id).ok()).filter(|id| is_said(id));
    let Some(id) = id.and_then(|id| id_of(&id).ok()) else { return Vec::new() };
    let (store, geofence) = (reading.network.store(&id), reading.network.geofence(&id));
    store.map(PlaceName::Store).into_iter().chain(geofence.map(PlaceName::Geofence)).collect()
}

fn features(mut file: Value) -> Result<Vec<Value>, Unreadable> {
    match file.get("type").and_then(Value::as_str) {
        Some("FeatureCollection") => match file.get_mut("features").map(Value::take) {
            Some(Value::Array(features)) => Ok(features),
            _ => Err(Unreadable("the FeatureCollection has no list of features".to_owned())),
        },
        Some("Feature") => Ok(vec![file]),
        Some(other) => Err(Unreadable(format!("must be a FeatureCollection or a Feature, was a {}", quoted(other)))),
        None => Err(Unreadable("is not GeoJSON: it has no type".to_owned())),
    }
}

/// The names of a feature's properties.
fn names_of(feature: &Value) -> impl Iterator<Item = &str> {
    let properties = feature.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str))
}

/// If no feature has an id, each would be refused for the same reason.
fn check_ids(features: &[Value], reading: &Reading) -> Result<(), Unreadable> {
    const SHOWN: usize = 50;
    let wanted = &reading.id_from;
    let names = || features.iter().flat_map(names_of);
    let own = |feature: &Value| wanted == "id" && feature.get("id").is_some();
    if features.is_empty() || features.iter().any(own) || names().any(|name| name.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let had: BTreeSet<&str> = names().collect();
    let had = had.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    Err(Unreadable(format!("no feature has the property {} (--id-from); they have: {had}", quoted(wanted))))
}

fn check_reference_system(file: &Value) -> Result<(), Unreadable> {
    let Some(name) = file.pointer("/crs/properties/name").and_then(Value::as_str) else { return Ok(()) };
    if ["CRS84", "4326"].iter().any(|wgs84| name.ends_with(wgs84)) {
        return Ok(());
    }
    let said = format!("must have WGS84 coordinates (RFC 7946), and says they are {}", quoted(name));
    Err(Unreadable(said))
}

fn row(value: Value, fields: &Fields<'_>, reading: &Reading) -> Result<(Row, Unsaid), Violations> {
    let feature: Feature = serde_json::from_value(value)
        .map_err(|error| Violations::one("", format!("is not a GeoJSON feature: {error}")))?;
    let find = |name: &str| property(&feature, name);
    let values = Values::new(fields, &find);
    let mut wrong = Violations::default();
    let row = match feature.geometry.as_ref().map(|geometry| &geometry.value) {
        Some(GeometryValue::Point { coordinates }) => {
            let position = wrong.take("geometry", position(coordinates.as_slice()));
            store(&mut wrong, &values, position, reading)
        }
        Some(GeometryValue::Polygon { coordinates }) => {
            let shape = wrong.take("geometry", shape(std::slice::from_ref(coordinates)));
            geofence(&mut wrong, &values, shape, reading)
        }
        Some(GeometryValue::MultiPolygon { coordinates }) => {
            let shape = wrong.take("geometry", shape(coordinates));
            geofence(&mut wrong, &values, shape, reading)
        }
        other => {
            let had = other.map_or("nothing", GeometryValue::type_name);
            let said = format!("must be a Point (a store), Polygon or MultiPolygon (a geofence), was {had}");
            wrong.take("geometry", Err(Invalid::new(said)))
        }
    };
    wrong.finish(row.map(|row| {
        let unsaid = values.unsaid(Optional::of(&row));
        (row, unsaid)
    }))
}

/// A property as text, or the feature's own id, which stands beside the properties. Lists are joined with `;`, and null is
/// empty.
fn property<'a>(feature: &Feature, name: &str) -> Found<'a> {
    let properties = feature.properties.as_ref();
    let exact = properties.and_then(|properties| properties.get(name));
    let found = exact.or_else(|| {
        properties
            .and_then(|properties| properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
            .map(|(_, v)| v)
    });
    match (found, &feature.id) {
        (Some(value), _) => Some(said(value).map(Cow::Owned)),
        (None, Some(Id::String(id))) if name == "id" => Some(Ok(Cow::Owned(id.clone()))),
        (None, Some(Id::Number(id))) if name == "id" => Some(Ok(Cow::Owned(id.to_string()))),
        _ => None,
    }
}

fn said(value: &Value) -> Result<String, Invalid> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(list) => {
            let said = list.iter().filter(|value| !value.is_null()).map(said);
            Ok(said.collect::<Result<Vec<_>, _>>()?.join(";"))
        }
        Value::Null => Ok(String::new()),
        Value::Object(_) => Err(Invalid::new("must be text, a number or a list of these, was an object")),
    }
}

fn position(coordinates: &[f64]) -> Result<Position, Invalid> {
    match coordinates {
        [longitude, latitude, ..] => Position::new(*latitude, *longitude),
        _ => Err(Invalid::new("must have a longitude and a latitude")),
    }
}

fn shape(polygons: &[Vec<Vec<geojson::Position>>]) -> Result<Shape, Invalid> {
    let corner = |position: &geojson::Position| match position.as_slice() {
        [longitude, latitude, ..] => Ok([*longitude, *latitude]),
        _ => Err(Invalid::new("every corner must have a longitude and a latitude")),
    };
    let ring = |ring: &Vec<geojson::Position>| ring.iter().map(corner).collect::<Result<Vec<_>, _>>();
    let polygon = |rings: &Vec<Vec<geojson::Position>>| rings.iter().map(ring).collect::<Result<Vec<_>, _>>();
    let coordinates: Coordinates = polygons.iter().map(polygon).collect::<Result<_, _>>()?;
    Polygons::new(&coordinates).map(Shape::Polygons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::place_files::{Format, parse},
        domain::name::OrganizationName,
    };

    fn reading() -> Reading {
        Reading::new(OrganizationName::parse("organizations/acme").expect("sound"), Format::GeoJson)
    }

    fn parsed(features: &str) -> Vec<Numbered> {
        let file = format!(r#"{{"type":"FeatureCollection","features":[{features}]}}"#);
        parse(file.as_bytes(), &reading()).expect("readable")
    }

    #[test]
    fn the_demo_is_sound() {
        let file = include_bytes!("../../../deploy/demo/helsinki.geojson");
        let rows = parse(file, &reading()).expect("readable");
        let stores = rows.iter().filter(|row| matches!(row.row, Ok(Row::Store(_)))).count();
        let geofences: Vec<_> = rows
            .iter()
            .filter_map(|row| match &row.row {
                Ok(Row::Geofence(geofence)) => Some(geofence),
                _ => None,
            })
            .collect();
        assert_eq!((rows.len(), stores, geofences.len()), (591, 583, 8));
        let holes = |shape: &Shape| match shape {
            Shape::Polygons(polygons) => polygons.geometry().iter().map(|p| p.interiors().len()).sum(),
            Shape::Circle(_) => 0,
        };
        assert_eq!(geofences.iter().map(|geofence| holes(&geofence.shape)).max(), Some(2));
    }

    #[test]
    fn features_are_refused_one_by_one() {
        let zone = r#""time_zone":"Europe/Monaco","name":"Esso""#;
        let rows = parsed(&format!(
            r#"{{"type":"Feature","id":"node/1","properties":{{{zone},"category":["fuel","Car wash"]}},"geometry":{{"type":"Point","coordinates":[7.4,43.7,12]}}}},
               {{"type":"Feature","properties":{{"name":"Esso"}},"geometry":{{"type":"Point","coordinates":[7.4,143.7]}}}},
               {{"type":"Feature","id":3,"properties":{{{zone}}},"geometry":{{"type":"LineString","coordinates":[[0,0],[1,1]]}}}},
               {{"type":"Feature","id":4,"properties":{{{zone}}},"geometry":{{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}}}},
               {{"type":"Feature","id":5,"properties":{{{zone}}},"geometry":null}}, 7"#
        ));
        let Ok(Row::Store(store)) = &rows[0].row else { panic!("{rows:?}") };
        assert_eq!(store.name.as_str(), "organizations/acme/stores/node~2F1");
        assert_eq!(store.tags.iter().map(|tag| tag.to_string()).collect::<Vec<_>>(), ["car_wash", "fuel"]);
        let told: Vec<String> =
            rows[1..].iter().map(|row| row.row.as_ref().expect_err("refused").to_string()).collect();
        assert!(told[0].contains("geometry: latitude") && told[0].contains("id: is missing"), "{told:?}");
        assert!(told[0].contains("time_zone: is missing"), "{told:?}");
        assert!(told[1].contains("was LineString") && told[2].contains("ring 0: crosses"), "{told:?}");
        assert!(told[3].contains("was nothing") && told[4].contains("not a GeoJSON feature"), "{told:?}");
    }

    #[test]
    fn a_feature_that_says_no_id_may_be_any_place() {
        let of = |id: &str| {
            let feature = r#"{"type":"Feature","id":ID,"properties":{"name":"Esso"},"geometry":null}"#;
            parsed(&feature.replace("ID", id)).remove(0)
        };
        for nothing in [r#""N/A""#, r#""NULL""#, r#""\\N""#, r#"" ""#, "null"] {
            let row = of(nothing);
            assert!(row.row.is_err() && row.may_be.is_empty(), "{nothing}: {row:?}");
        }
        assert_eq!(of("7").may_be.len(), 2, "a store or a geofence");
    }

    #[test]
    fn each_feature_says_what_it_has_a_property_for() {
        let point = r#"{"type":"Point","coordinates":[7.4,43.7]}"#;
        let square = r#"{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]}"#;
        let feature = |properties: &str, geometry: &str| {
            let usual = r#""name":"Esso","time_zone":"Europe/Monaco""#;
            format!(r#"{{"type":"Feature","id":7,"properties":{{{usual}{properties}}},"geometry":{geometry}}}"#)
        };
        let of = |properties: &str, geometry: &str| parsed(&feature(properties, geometry)).remove(0);
        let unsaid = |properties: &str, geometry: &str| {
            let row = of(properties, geometry);
            assert!(row.row.is_ok(), "{row:?}");
            row.unsaid.iter().map(Optional::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(unsaid("", point), "address brand opening_hours country tags");
        assert_eq!(unsaid(r#","addr":"","Brand":null"#, point), "opening_hours country tags", "they say it is empty");
        assert_eq!(unsaid(r#","category":["fuel",null]"#, point), "address brand opening_hours country");
        assert_eq!((unsaid("", square), unsaid(r#","store":null"#, square)), ("tags store".into(), "tags".into()));
        for (object, field) in [(r#","brand":{"en":"Esso"}"#, "brand"), (r#","tags":["a",{}]"#, "tags")] {
            let told = of(object, point).row.expect_err("refused").to_string();
            assert!(told.contains(&format!("{field}: must be text")) && told.contains("was an object"), "{told}");
        }
    }

    #[test]
    fn an_id_that_no_feature_has_is_told_once_with_what_they_have() {
        let file = br#"{"type":"Feature","id":7,"properties":{"name":"Esso","ref":"12"},"geometry":null}"#;
        let from = |id_from: &str| parse(file, &Reading { id_from: id_from.to_owned(), ..reading() });
        let said = from("code").expect_err("no such property").to_string();
        assert!(said.contains("\"code\" (--id-from); they have: name, ref"), "{said}");
        assert!(from("REF").is_ok() && from("id").is_ok());
    }

    #[test]
    fn another_reference_system_is_refused() {
        let file =
            r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:3003"}},"features":[]}"#;
        assert!(parse(file.as_bytes(), &reading()).expect_err("refused").to_string().contains("EPSG:3003"));
        assert!(parse(b"[]", &reading()).is_err() && parse(b"{", &reading()).is_err());
    }
}
