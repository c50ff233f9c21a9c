//! Stores, geofences and beacons on the wire.
//!
//! Law 8: every field is decided upon, and everything wrong with a place is said at once.

use std::collections::BTreeSet;

use crate::{
    domain::{
        name::{BeaconName, GeofenceName, SourceName, StoreName},
        opening::{Country, OpeningHours},
        place::{Beacon, BeaconIdentity, Geofence, MAX_ADDRESS, MAX_BRAND, MAX_TAGS, Store},
        shape::{Circle, Coordinates, Polygons, Shape},
        text::{MAX_DISPLAY_NAME, Tag, line, optional_line},
        time::TimeZone,
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        detection_wire, pb,
        resource::{Patched, Wire},
        wire::{position, position_to_wire, required},
    },
};

impl Wire for Store {
    type Message = pb::Store;
    const FIELD: &'static str = "store";

    fn read(message: pb::Store, name: StoreName) -> Result<Self, Violations> {
        let pb::Store {
            name: _,
            display_name,
            position: at,
            time_zone,
            address,
            brand,
            opening_hours,
            tags,
            etag: _,
            country,
            source,
        } = message;
        let mut wrong = Violations::default();
        let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
        let position = wrong.nest("position", position(at));
        let time_zone = wrong.take("time_zone", zone(&time_zone));
        let address = wrong.take("address", optional_line(&address, MAX_ADDRESS));
        let brand = wrong.take("brand", optional_line(&brand, MAX_BRAND));
        let opening_hours = wrong.take("opening_hours", OpeningHours::new(&opening_hours));
        let country = wrong.take("country", optional_country(&country));
        let source = wrong.take("source", optional_source(&source));
        let tags = self::tags(&mut wrong, &tags);
        let store = (|| {
            let (address, brand) = (address?.unwrap_or_default(), brand?.unwrap_or_default());
            let (opening_hours, country, source) = (opening_hours?, country?, source?);
            let (display_name, position, time_zone) = (display_name?, position?, time_zone?);
            Some(Store {
                name,
                display_name,
                position,
                time_zone,
                address,
                brand,
                opening_hours,
                country,
                tags,
                source,
            })
        })();
        wrong.finish(store)
    }

    fn write(entry: &Entry<Self>) -> pb::Store {
        let Store { name, display_name, position, time_zone, address, brand, opening_hours, country, tags, source } =
            entry.value.as_ref();
        pb::Store {
            name: name.to_string(),
            display_name: display_name.clone(),
            position: Some(position_to_wire(*position)),
            time_zone: time_zone.name().to_owned(),
            address: address.clone(),
            brand: brand.clone(),
            opening_hours: opening_hours.as_str().to_owned(),
            country: country.map(Country::as_str).unwrap_or_default().to_owned(),
            tags: words(tags),
            etag: entry.etag.to_string(),
            source: source.as_ref().map(SourceName::to_string).unwrap_or_default(),
        }
    }
}

impl Wire for Geofence {
    type Message = pb::Geofence;
    const FIELD: &'static str = "geofence";

    fn read(message: pb::Geofence, name: GeofenceName) -> Result<Self, Violations> {
        let pb::Geofence {
            name: _,
            display_name,
            shape: outline,
            store,
            tags,
            etag: _,
            detection,
            effective_distances: _,
            source,
        } = message;
        let mut wrong = Violations::default();
        let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
        let shape = wrong.nest("shape", shape(outline));
        let store = wrong.take("store", optional_store(&store));
        let tags = self::tags(&mut wrong, &tags);
        let detection = wrong.nest("detection", detection_wire::read(detection));
        let source = wrong.take("source", optional_source(&source));
        let geofence = (|| {
            let (display_name, shape, store) = (display_name?, shape?, store?);
            let (detection, source) = (detection?, source?);
            Some(Geofence { name, display_name, shape, store, tags, detection, source })
        })();
        wrong.finish(geofence)
    }

    fn write(entry: &Entry<Self>) -> pb::Geofence {
        let Geofence { name, display_name, shape, store, tags, detection, source } = entry.value.as_ref();
        pb::Geofence {
            name: name.to_string(),
            display_name: display_name.clone(),
            shape: Some(shape_to_wire(shape)),
            store: store.as_ref().map(StoreName::to_string).unwrap_or_default(),
            tags: words(tags),
            etag: entry.etag.to_string(),
            detection: detection_wire::write(detection),
            effective_distances: Vec::new(),
            source: source.as_ref().map(SourceName::to_string).unwrap_or_default(),
        }
    }
}

impl Wire for Beacon {
    type Message = pb::Beacon;
    const FIELD: &'static str = "beacon";

    fn read(message: pb::Beacon, name: BeaconName) -> Result<Self, Violations> {
        let pb::Beacon { name: _, display_name, identity, store, tags, etag: _ } = message;
        let mut wrong = Violations::default();
        let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
        let identity = wrong.take("identity", BeaconIdentity::parse(&identity));
        let store = wrong.take("store", optional_store(&store));
        let tags = self::tags(&mut wrong, &tags);
        let beacon =
            (|| Some(Beacon { name, display_name: display_name?, identity: identity?, store: store?, tags }))();
        wrong.finish(beacon)
    }

    fn write(entry: &Entry<Self>) -> pb::Beacon {
        let Beacon { name, display_name, identity, store, tags } = entry.value.as_ref();
        pb::Beacon {
            name: name.to_string(),
            display_name: display_name.clone(),
            identity: identity.to_string(),
            store: store.as_ref().map(StoreName::to_string).unwrap_or_default(),
            tags: words(tags),
            etag: entry.etag.to_string(),
        }
    }
}

macro_rules! patched {
    ($($K:ident)*) => { $(
        impl Patched for $K {
            fn name_of(message: &pb::$K) -> &str {
                &message.name
            }
            fn etag_of(message: &pb::$K) -> &str {
                &message.etag
            }
        }
    )* };
}
patched!(Store Geofence Beacon);

/// A time zone that must be there.
pub fn zone(name: &str) -> Result<TimeZone, Invalid> {
    if name.is_empty() { Err(required()) } else { TimeZone::new(name) }
}

/// A country that may be left out.
fn optional_country(code: &str) -> Result<Option<Country>, Invalid> {
    if code.is_empty() { Ok(None) } else { Country::new(code).map(Some) }
}

/// A store that may be left out.
pub fn optional_store(name: &str) -> Result<Option<StoreName>, Invalid> {
    if name.is_empty() { Ok(None) } else { StoreName::parse(name).map(Some) }
}

/// A source that may be left out.
fn optional_source(name: &str) -> Result<Option<SourceName>, Invalid> {
    if name.is_empty() { Ok(None) } else { SourceName::parse(name).map(Some) }
}

/// Tags of a place; what is wrong is noted under `tags`.
pub fn tags(wrong: &mut Violations, tags: &[String]) -> BTreeSet<Tag> {
    if tags.len() > MAX_TAGS {
        wrong.add("tags", format!("must be at most {MAX_TAGS}, were {}", tags.len()));
        return BTreeSet::new();
    }
    let each = tags.iter().enumerate().filter_map(|(i, tag)| wrong.take(format!("tags[{i}]"), Tag::new(tag)));
    each.collect()
}

fn words(tags: &BTreeSet<Tag>) -> Vec<String> {
    tags.iter().map(Tag::to_string).collect()
}

pub fn shape(wire: Option<pb::Shape>) -> Result<Shape, Violations> {
    let missing = || Violations::one("", "needs a circle or polygons");
    match wire.and_then(|shape| shape.outline).ok_or_else(missing)? {
        pb::shape::Outline::Circle(pb::Circle { center, radius_m }) => {
            let mut wrong = Violations::default();
            let center = wrong.nest("circle.center", position(center));
            wrong.take("circle.radius_m", Circle::check_radius(radius_m));
            wrong.finish(center.and_then(|center| Circle::new(center, radius_m).ok()).map(Shape::Circle))
        }
        pb::shape::Outline::Polygons(polygons) => {
            let polygons = coordinates(polygons).and_then(|coordinates| Polygons::new(&coordinates));
            polygons.map(Shape::Polygons).map_err(|invalid| Violations::one("polygons", invalid))
        }
    }
}

/// How many corners the polygons of a shape have, all rings together.
pub fn corners(wire: &pb::Shape) -> usize {
    let Some(pb::shape::Outline::Polygons(polygons)) = &wire.outline else { return 0 };
    polygons.polygons.iter().flat_map(|polygon| &polygon.rings).map(|ring| ring.coordinates.len() / 2).sum()
}

fn coordinates(polygons: pb::Polygons) -> Result<Coordinates, Invalid> {
    let mut coordinates = Coordinates::new();
    for (p, polygon) in polygons.polygons.into_iter().enumerate() {
        let mut rings = Vec::with_capacity(polygon.rings.len());
        for (r, ring) in polygon.rings.into_iter().enumerate() {
            let (corners, rest) = ring.coordinates.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(Invalid::new(format!(
                    "polygon {p}, ring {r}: must have pairs of longitude and latitude, had {} numbers",
                    ring.coordinates.len()
                )));
            }
            rings.push(corners.to_vec());
        }
        coordinates.push(rings);
    }
    Ok(coordinates)
}

pub fn shape_to_wire(shape: &Shape) -> pb::Shape {
    let outline = match shape {
        Shape::Circle(circle) => pb::shape::Outline::Circle(pb::Circle {
            center: Some(position_to_wire(circle.center())),
            radius_m: circle.radius_m(),
        }),
        Shape::Polygons(polygons) => {
            let polygons = polygons.geometry().iter().map(polygon_to_wire).collect();
            pb::shape::Outline::Polygons(pb::Polygons { polygons })
        }
    };
    pb::Shape { outline: Some(outline) }
}

fn polygon_to_wire(polygon: &geo::Polygon) -> pb::Polygon {
    let ring = |line: &geo::LineString| pb::Ring { coordinates: line.coords().flat_map(|c| [c.x, c.y]).collect() };
    pb::Polygon { rings: std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring).collect() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::detection::{Detection, Settings};

    fn again<K: Wire>(value: K) {
        let entry = Entry { etag: 7, value: Arc::new(value) };
        let read = K::read(K::write(&entry), entry.value.name().clone()).expect("sound");
        assert!(read == *entry.value);
    }

    fn tag(word: &str) -> BTreeSet<Tag> {
        BTreeSet::from([Tag::new(word).expect("sound")])
    }

    #[test]
    fn places_survive_the_wire() {
        let store = StoreName::parse("organizations/acme/stores/1").expect("sound");
        let position = crate::domain::geo::Position::new(60.17, 24.94).expect("sound");
        again(Store {
            name: store.clone(),
            display_name: "Kluuvi".into(),
            position,
            time_zone: TimeZone::new("Europe/Helsinki").expect("known"),
            address: "Aleksanterinkatu 9".into(),
            brand: String::new(),
            opening_hours: OpeningHours::new("Mo-Fr 08:00-21:00; PH off").expect("sound"),
            country: Some(Country::new("FI").expect("known")),
            tags: tag("mall"),
            source: Some(SourceName::parse("organizations/acme/sources/erp").expect("sound")),
        });
        let shell = vec![[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0], [0.0, 0.0]];
        let hole = vec![[1.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 1.0]];
        for shape in [
            Shape::Polygons(Polygons::new(&vec![vec![shell, hole]]).expect("sound")),
            Shape::Circle(Circle::new(position, 80.0).expect("sound")),
        ] {
            let name = GeofenceName::parse("organizations/acme/geofences/1").expect("sound");
            let (store, tags) = (Some(store.clone()), tag("yard"));
            let (display_name, detection) = ("Yard".into(), quarter_of_an_hour());
            again(Geofence { name, display_name, shape, store, tags, detection, source: None });
        }
        again(Beacon {
            name: BeaconName::parse("organizations/acme/beacons/1").expect("sound"),
            display_name: "Door".into(),
            identity: BeaconIdentity::parse("eddystone-uid:00112233445566778899:aabbccddeeff").expect("sound"),
            store: None,
            tags: BTreeSet::new(),
        });
    }

    /// Every setting differs from its default.
    fn quarter_of_an_hour() -> Detection {
        let span = Some(std::time::Duration::from_secs(900));
        let (confirm_after, half) = (Some(std::time::Duration::ZERO), Some(0.5));
        Detection::new(Settings {
            enter_probability: half,
            confirm_probability: half,
            confirm_after,
            leave_margin_m: Some(50.0),
            leave_after: span,
            stopped_for: span,
            dwell_after: span,
        })
        .expect("sound")
    }

    #[test]
    fn settings_of_a_geofence_are_refused_by_their_names() {
        let detection = pb::Detection { leave_margin_m: Some(1.0), ..pb::Detection::default() };
        let message = pb::Geofence { detection: Some(detection), ..pb::Geofence::default() };
        let name = GeofenceName::parse("organizations/acme/geofences/1").expect("sound");
        let wrong = Geofence::read(message, name).expect_err("three faults");
        assert!(wrong.iter().any(|violation| violation.field == "detection.leave_margin_m"), "{wrong}");
    }

    #[test]
    fn every_fault_of_a_store_is_named() {
        let message = pb::Store {
            position: Some(pb::LatLng { latitude: 91.0, longitude: 0.0 }),
            tags: vec!["ok".into(), "Not ok".into()],
            opening_hours: "Mo-Fr 08:00-25".into(),
            country: "Italy".into(),
            ..Default::default()
        };
        let name = StoreName::parse("organizations/acme/stores/1").expect("sound");
        let wrong = Store::read(message, name).expect_err("six faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let expected = ["display_name", "position.latitude", "time_zone", "opening_hours", "country", "tags[1]"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn half_a_corner_is_refused() {
        let ring = pb::Ring { coordinates: vec![0.0, 0.0, 1.0] };
        let polygons = pb::Polygons { polygons: vec![pb::Polygon { rings: vec![ring] }] };
        let wire = pb::Shape { outline: Some(pb::shape::Outline::Polygons(polygons)) };
        assert!(shape(Some(wire)).expect_err("refused").to_string().contains("ring 0: must have pairs"));
    }
}
