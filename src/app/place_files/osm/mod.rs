//! Stores out of a map extract: OpenStreetMap's shops and the like, each at its middle.
//!
//! Laws: an element has the id that the GeoJSON of the same map gives it (`node/123`); what the extract cuts in two is
//! refused alone, and so keeps its place.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use geo::{BoundingRect, Centroid, Coord, LineString, MapCoords, MultiLineString, Polygon, Rect};

use self::pbf::Kind;
use super::{Fields, File, Reading, Unreadable, Values, id_of, store};
use crate::{
    app::imports::{Numbered, Optional},
    domain::{
        geo::Position,
        place::PlaceName,
        text::quoted,
        violation::{Invalid, Violations},
    },
};

mod pbf;
mod wire;

/// What is taken if nobody says otherwise, beside every shop that is not empty.
const AMENITIES: [&str; 16] = [
    "bank",
    "bar",
    "biergarten",
    "cafe",
    "car_wash",
    "cinema",
    "fast_food",
    "food_court",
    "fuel",
    "ice_cream",
    "marketplace",
    "pharmacy",
    "post_office",
    "pub",
    "restaurant",
    "theatre",
];
/// Shops that are none.
const NO_SHOPS: [&str; 2] = ["no", "vacant"];

/// Which elements are places: those with this tag, of this value if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsmFilter {
    key: String,
    value: Option<String>,
}

impl FromStr for OsmFilter {
    type Err = Invalid;
    /// Reads `KEY` or `KEY=VALUE`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        if key.is_empty() || value.is_some_and(str::is_empty) {
            return Err(Invalid::new(format!("must be KEY or KEY=VALUE, such as amenity=fuel, was {}", quoted(text))));
        }
        Ok(Self { key: key.to_owned(), value: value.map(str::to_owned) })
    }
}

/// The value by which the tags make an element a place, if they do.
fn wanted<'a>(tags: &[(&str, &'a str)], filters: &[OsmFilter]) -> Option<&'a str> {
    let fits = |(key, value): &&(&str, &'a str)| match filters {
        [] => match *key {
            "shop" => !NO_SHOPS.contains(value),
            "amenity" => AMENITIES.contains(value),
            _ => false,
        },
        filters => filters.iter().any(|f| f.key == *key && f.value.as_ref().is_none_or(|wanted| wanted == value)),
    };
    tags.iter().find(fits).map(|(_, value)| *value)
}

/// An element that may be a place.
struct Found {
    kind: Kind,
    id: i64,
    tags: BTreeMap<String, String>,
    /// Why it is one.
    category: String,
    at: [f64; 2],
    members: Vec<i64>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Node => "node",
            Kind::Way => "way",
            Kind::Relation => "relation",
        };
        write!(f, "{kind}/{}", self.id)
    }
}

/// Where the parts of found elements are.
#[derive(Default)]
struct Parts {
    ways: HashMap<i64, Vec<i64>>,
    nodes: HashMap<i64, [f64; 2]>,
}

/// The places of an extract that have a name. A row has the number that its element has on the map.
pub fn read(bytes: &[u8], reading: &Reading) -> Result<File, Unreadable> {
    let refuse = |unsound: pbf::Unsound| Unreadable(format!("the map extract {unsound}"));
    let (mut found, mut as_of) = (Vec::new(), None);
    // What is made of what comes later in the file, so that each part is looked for once.
    let mut ways = BTreeSet::new();
    pbf::each(bytes, |element| {
        let Some(category) = wanted(&element.tags, &reading.osm_filters) else { return };
        let is_area = element.tags.contains(&("type", "multipolygon"));
        if element.kind == Kind::Relation && is_area {
            ways.extend(element.members.iter().copied());
        } else if element.kind == Kind::Relation {
            return;
        }
        let category = category.to_owned();
        let tags = element.tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        found.push(Found {
            kind: element.kind,
            id: element.id,
            tags,
            category,
            at: element.at,
            members: element.members,
        });
    })
    .map(|time| as_of = time)
    .map_err(refuse)?;
    let parts = parts(bytes, &found, &ways).map_err(refuse)?;
    let fields = Fields::new(reading);
    let named = found.iter().filter(|found| found.name().is_some());
    let rows = named.map(|found| found.numbered(&parts, &fields, reading)).collect();
    Ok(File { rows, as_of, ..File::default() })
}

fn parts(bytes: &[u8], found: &[Found], ways: &BTreeSet<i64>) -> Result<Parts, pbf::Unsound> {
    let mut parts = Parts::default();
    if !ways.is_empty() {
        pbf::each(bytes, |element| {
            if element.kind == Kind::Way && ways.contains(&element.id) {
                parts.ways.insert(element.id, element.members);
            }
        })?;
    }
    let own = found.iter().filter(|found| found.kind == Kind::Way).map(|found| &found.members);
    let nodes: BTreeSet<i64> = own.chain(parts.ways.values()).flatten().copied().collect();
    if !nodes.is_empty() {
        pbf::each(bytes, |element| {
            if element.kind == Kind::Node && nodes.contains(&element.id) {
                parts.nodes.insert(element.id, element.at);
            }
        })?;
    }
    Ok(parts)
}

impl Parts {
    fn line(&self, nodes: &[i64]) -> Option<LineString> {
        let corners: Option<Vec<_>> = nodes.iter().map(|node| self.nodes.get(node).map(|&[x, y]| (x, y))).collect();
        corners.map(LineString::from)
    }
}

impl Found {
    /// Many shops on the map have only their brand's name.
    fn name(&self) -> Option<&str> {
        ["name", "brand", "operator"].iter().find_map(|key| self.tags.get(*key)).map(String::as_str)
    }

    fn address(&self) -> Option<String> {
        let part = |keys: [&str; 2]| {
            let words: Vec<&str> = keys.iter().filter_map(|key| Some(self.tags.get(*key)?.as_str())).collect();
            (!words.is_empty()).then(|| words.join(" "))
        };
        let lines = [part(["addr:street", "addr:housenumber"]), part(["addr:postcode", "addr:city"])];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// What the map says under a name, or what follows from it.
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let follows = || match name {
            "name" => self.name().map(Cow::Borrowed),
            "address" => self.address().map(Cow::Owned),
            "category" => Some(Cow::Borrowed(self.category.as_str())),
            _ => None,
        };
        match name {
            "id" => Some(Cow::Owned(self.to_string())),
            _ => self.tags.get(name).map(|value| Cow::Borrowed(value.as_str())).or_else(follows),
        }
    }

    fn numbered(&self, parts: &Parts, fields: &Fields<'_>, reading: &Reading) -> Numbered {
        let find = |name: &str| self.value(name).map(Ok);
        let values = Values::new(fields, &find);
        let mut wrong = Violations::default();
        let position = wrong.take("geometry", self.middle(parts));
        let row = store(&mut wrong, &values, position, reading);
        // A map has no empty tags: what was deleted there is not said.
        let row = wrong.finish(row.map(|row| (row, values.unsaid(&Optional::OF_STORES))));
        let id = values.id().and_then(|id| reading.network.store(&id_of(&id.ok()?).ok()?).ok());
        let may_be = id.map(PlaceName::Store).into_iter().collect();
        Numbered::read(self.id.unsigned_abs(), row, may_be)
    }

    /// A node's point, the centroid of a closed way, and the middle of a relation's outline.
    fn middle(&self, parts: &Parts) -> Result<Position, Invalid> {
        let cut = || Invalid::new(format!("{self} has corners outside the extract"));
        let middle = match self.kind {
            Kind::Node => Some(geo::Point::from((self.at[0], self.at[1]))),
            Kind::Way => {
                let line = parts.line(&self.members).ok_or_else(cut)?;
                if line.0.len() < 4 || !line.is_closed() {
                    return Err(Invalid::new(format!("{self} is a line, not an area")));
                }
                in_one_piece(Polygon::new(line, Vec::new())).centroid()
            }
            Kind::Relation => {
                let lines = self.members.iter().map(|way| parts.line(parts.ways.get(way)?));
                in_one_piece(MultiLineString(lines.collect::<Option<Vec<_>>>().ok_or_else(cut)?)).centroid()
            }
        };
        let middle = middle.ok_or_else(|| Invalid::new(format!("{self} has no outline")))?;
        Position::new(middle.y(), if middle.x() > 180.0 { middle.x() - 360.0 } else { middle.x() })
    }
}

/// What lies across the antimeridian, and so seems wider than half the world, with longitudes that go on to the east of it.
fn in_one_piece<G>(outline: G) -> G
where
    G: BoundingRect<f64> + MapCoords<f64, f64, Output = G>,
{
    let is_across = outline.bounding_rect().into().is_some_and(|bounds: Rect| bounds.width() > 180.0);
    let east = |at: Coord| if at.x < 0.0 { Coord { x: at.x + 360.0, ..at } } else { at };
    if is_across { outline.map_coords(east) } else { outline }
}

#[cfg(test)]
mod tests;
