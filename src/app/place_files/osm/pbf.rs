//! Map extracts in OpenStreetMap's own binary form (`.osm.pbf`): blocks of nodes, ways and relations.
//!
//! Laws: an extract that breaks off or is garbled is refused as a whole; no block makes us hold more than the format
//! allows.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::wire::{Broken, Fields, Value, deltas, packed, signed};
use crate::domain::time::Timestamp;

/// As the format says: a block's header, and what it unpacks to.
const MAX_HEADER: usize = 64 << 10;
const MAX_BLOCK: usize = 32 << 20;
/// What a reader must know to understand the extracts that are made today.
const KNOWN: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];
/// Coordinates are counted in billionths of a degree.
const NANO: f64 = 1e-9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Node,
    Way,
    Relation,
}

/// What a block holds of one node, way or relation.
#[derive(Debug)]
pub struct Element<'a> {
    pub kind: Kind,
    pub id: i64,
    pub tags: Vec<(&'a str, &'a str)>,
    /// Of a node, longitude first; degrees.
    pub at: [f64; 2],
    /// Of a way its nodes; of a relation the ways that are its outline.
    pub members: Vec<i64>,
}

/// Why an extract cannot be read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Unsound {
    #[error("breaks off, or is garbled, after {0} bytes")]
    Broken(usize),
    #[error("needs what cannot be read here: {0}")]
    Unknown(String),
}

/// Hands every element of the extract to `see`, in its order. Returns the time of which the extract says it speaks.
pub fn each(bytes: &[u8], mut see: impl FnMut(Element<'_>)) -> Result<Option<Timestamp>, Unsound> {
    let (mut rest, mut as_of) = (bytes, None);
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let broken = |_| Unsound::Broken(at);
        let (kind, blob) = next_blob(&mut rest).map_err(broken)?;
        match kind {
            b"OSMHeader" => as_of = header(&unpacked(blob, at)?, at)?,
            b"OSMData" => block(&unpacked(blob, at)?, &mut see).map_err(broken)?,
            _ => {}
        }
    }
    Ok(as_of)
}

/// The kind of the next blob, and the blob.
fn next_blob<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Broken> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(Broken)?;
    let length = u32::from_be_bytes(*length) as usize;
    let header = after.get(..length).filter(|_| length <= MAX_HEADER).ok_or(Broken)?;
    let (mut kind, mut size): (&[u8], _) = (&[], None);
    for field in Fields(header) {
        match field? {
            (1, Value::Bytes(bytes)) => kind = bytes,
            (3, Value::Number(number)) => size = usize::try_from(number).ok(),
            _ => {}
        }
    }
    let (blob, next) = after[length..].split_at_checked(size.ok_or(Broken)?).ok_or(Broken)?;
    *rest = next;
    Ok((kind, blob))
}

fn unpacked(blob: &[u8], at: usize) -> Result<Vec<u8>, Unsound> {
    for field in Fields(blob) {
        match field.map_err(|_| Unsound::Broken(at))? {
            (1, Value::Bytes(raw)) if raw.len() <= MAX_BLOCK => return Ok(raw.to_vec()),
            (3, Value::Bytes(zlib)) => {
                let mut block = Vec::new();
                let read = ZlibDecoder::new(zlib).take(MAX_BLOCK as u64 + 1).read_to_end(&mut block);
                return match read {
                    Ok(length) if length <= MAX_BLOCK => Ok(block),
                    _ => Err(Unsound::Broken(at)),
                };
            }
            (4..=7, Value::Bytes(_)) => {
                return Err(Unsound::Unknown("blocks that are not packed with zlib".to_owned()));
            }
            _ => {}
        }
    }
    Err(Unsound::Broken(at))
}

fn header(block: &[u8], at: usize) -> Result<Option<Timestamp>, Unsound> {
    let mut as_of = None;
    for field in Fields(block) {
        match field.map_err(|_| Unsound::Broken(at))? {
            (4, Value::Bytes(feature)) if !KNOWN.iter().any(|known| known.as_bytes() == feature) => {
                return Err(Unsound::Unknown(String::from_utf8_lossy(feature).into_owned()));
            }
            (32, Value::Number(seconds)) => {
                as_of = Some(Timestamp::from_micros((seconds as i64).saturating_mul(1_000_000)));
            }
            _ => {}
        }
    }
    Ok(as_of)
}

/// What the elements of one block share.
struct Block<'a> {
    strings: Vec<&'a str>,
    /// Units of a billionth of a degree, of longitude and latitude alike.
    granularity: i64,
    /// Longitude first.
    offset: [i64; 2],
}

fn block(bytes: &[u8], see: &mut impl FnMut(Element<'_>)) -> Result<(), Broken> {
    let mut block = Block { strings: Vec::new(), granularity: 100, offset: [0, 0] };
    let mut groups = Vec::new();
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(table)) => block.strings = strings(table)?,
            (2, Value::Bytes(group)) => groups.push(group),
            (17, Value::Number(granularity)) => block.granularity = granularity as i64,
            (19, Value::Number(latitude)) => block.offset[1] = latitude as i64,
            (20, Value::Number(longitude)) => block.offset[0] = longitude as i64,
            _ => {}
        }
    }
    for group in groups {
        for field in Fields(group) {
            match field? {
                (1, Value::Bytes(node)) => see(block.element(Kind::Node, node)?),
                (2, Value::Bytes(nodes)) => block.dense(nodes, see)?,
                (3, Value::Bytes(way)) => see(block.element(Kind::Way, way)?),
                (4, Value::Bytes(relation)) => see(block.element(Kind::Relation, relation)?),
                _ => {}
            }
        }
    }
    Ok(())
}

fn strings(table: &[u8]) -> Result<Vec<&str>, Broken> {
    let text = |field| match field? {
        (1, Value::Bytes(text)) => std::str::from_utf8(text).map_err(|_| Broken),
        _ => Err(Broken),
    };
    Fields(table).map(text).collect()
}

impl<'a> Block<'a> {
    fn text(&self, index: u64) -> Result<&'a str, Broken> {
        let index = usize::try_from(index).map_err(|_| Broken)?;
        self.strings.get(index).copied().ok_or(Broken)
    }

    fn degrees(&self, latitude: i64, longitude: i64) -> [f64; 2] {
        let degrees =
            |units: i64, offset: i64| NANO * offset.saturating_add(units.saturating_mul(self.granularity)) as f64;
        [degrees(longitude, self.offset[0]), degrees(latitude, self.offset[1])]
    }

    fn element(&self, kind: Kind, bytes: &[u8]) -> Result<Element<'a>, Broken> {
        let (mut id, mut at, mut keys, mut values) = (0, [0, 0], Vec::new(), Vec::new());
        let (mut members, mut roles, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for field in Fields(bytes) {
            match (kind, field?) {
                (Kind::Node, (1, Value::Number(number))) => id = signed(number),
                (_, (1, Value::Number(number))) => id = number as i64,
                (_, (2, Value::Bytes(bytes))) => keys = packed(bytes)?,
                (_, (3, Value::Bytes(bytes))) => values = packed(bytes)?,
                (Kind::Node, (8, Value::Number(latitude))) => at[0] = signed(latitude),
                (Kind::Node, (9, Value::Number(longitude))) => at[1] = signed(longitude),
                (Kind::Way, (8, Value::Bytes(refs))) | (Kind::Relation, (9, Value::Bytes(refs))) => {
                    members = deltas(refs)?;
                }
                (Kind::Relation, (8, Value::Bytes(bytes))) => roles = packed(bytes)?,
                (Kind::Relation, (10, Value::Bytes(bytes))) => kinds = packed(bytes)?,
                _ => {}
            }
        }
        if kind == Kind::Relation {
            members = self.outline(members, &roles, &kinds)?;
        }
        let pairs = keys.into_iter().zip(values);
        let tags = pairs.map(|(key, value)| Ok((self.text(key)?, self.text(value)?))).collect::<Result<_, _>>()?;
        Ok(Element { kind, id, tags, at: self.degrees(at[0], at[1]), members })
    }

    /// The members that are ways around the outside.
    fn outline(&self, members: Vec<i64>, roles: &[u64], kinds: &[u64]) -> Result<Vec<i64>, Broken> {
        const WAY: u64 = 1;
        let mut ways = Vec::new();
        for ((member, role), kind) in members.into_iter().zip(roles).zip(kinds) {
            if *kind == WAY && matches!(self.text(*role)?, "outer" | "") {
                ways.push(member);
            }
        }
        Ok(ways)
    }

    /// Nodes one after the other: their ids, latitudes and longitudes, and their tags each ended by a zero.
    fn dense(&self, bytes: &[u8], see: &mut impl FnMut(Element<'_>)) -> Result<(), Broken> {
        let (mut ids, mut latitudes, mut longitudes, mut tags) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(bytes)) => ids = deltas(bytes)?,
                (8, Value::Bytes(bytes)) => latitudes = deltas(bytes)?,
                (9, Value::Bytes(bytes)) => longitudes = deltas(bytes)?,
                (10, Value::Bytes(bytes)) => tags = packed(bytes)?,
                _ => {}
            }
        }
        if ids.len() != latitudes.len() || ids.len() != longitudes.len() {
            return Err(Broken);
        }
        let mut words = tags.into_iter();
        for ((id, latitude), longitude) in ids.into_iter().zip(latitudes).zip(longitudes) {
            let mut tags = Vec::new();
            while let Some(key) = words.next().filter(|key| *key != 0) {
                tags.push((self.text(key)?, self.text(words.next().ok_or(Broken)?)?));
            }
            let at = self.degrees(latitude, longitude);
            see(Element { kind: Kind::Node, id, tags, at, members: Vec::new() });
        }
        Ok(())
    }
}
