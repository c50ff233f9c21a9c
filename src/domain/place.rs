//! Stores, geofences and beacons: the places of a network.
//!
//! Law: a place belongs to one organization, and what it refers to (a geofence's store) belongs to the same one.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{
    detection::Detection,
    geo::Position,
    name::{BeaconName, GeofenceName, OrganizationName, SourceName, StoreName},
    opening::{Country, OpeningHours},
    shape::Shape,
    text::{Tag, quoted},
    time::TimeZone,
    violation::Invalid,
};

/// Most tags on one place.
pub const MAX_TAGS: usize = 32;
/// Longest address, in characters.
pub const MAX_ADDRESS: usize = 500;
/// Longest brand, in characters.
pub const MAX_BRAND: usize = 200;
/// Longest opening hours, in characters.
pub const MAX_OPENING_HOURS: usize = 1_000;

/// A point of sale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Store {
    pub name: StoreName,
    pub display_name: String,
    pub position: Position,
    pub time_zone: TimeZone,
    /// Free text; empty if unknown.
    pub address: String,
    /// The brand over the door; empty if none.
    pub brand: String,
    pub opening_hours: OpeningHours,
    /// Whose holidays its opening hours mean; none if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    pub tags: BTreeSet<Tag>,
    /// The file that keeps it in step; none if it is kept by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
}

/// A circle or (multi)polygon, standing alone or belonging to a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geofence {
    pub name: GeofenceName,
    pub display_name: String,
    pub shape: Shape,
    pub store: Option<StoreName>,
    pub tags: BTreeSet<Tag>,
    /// Geofences stored before there was such a thing have the default.
    #[serde(default, skip_serializing_if = "Detection::is_default")]
    pub detection: Detection,
    /// As a store's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
}

/// A radio tag in a store or zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beacon {
    pub name: BeaconName,
    pub display_name: String,
    pub identity: BeaconIdentity,
    pub store: Option<StoreName>,
    pub tags: BTreeSet<Tag>,
}

/// What a beacon says of itself on the air.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BeaconIdentity {
    IBeacon { uuid: [u8; 16], major: u16, minor: u16 },
    EddystoneUid { namespace: [u8; 10], instance: [u8; 6] },
}

impl BeaconIdentity {
    /// Reads `ibeacon:UUID:MAJOR:MINOR` or `eddystone-uid:NAMESPACE:INSTANCE` (hex).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            Invalid::new(format!(
                "must be ibeacon:UUID:MAJOR:MINOR or eddystone-uid:NAMESPACE:INSTANCE (20 and 12 hex digits), was {}",
                quoted(text)
            ))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let identity = match parts.as_slice() {
            ["ibeacon", uuid, major, minor] => (|| {
                let (uuid, major, minor) = (hex(&uuid.replace('-', ""))?, major.parse().ok()?, minor.parse().ok()?);
                Some(Self::IBeacon { uuid, major, minor })
            })(),
            ["eddystone-uid", namespace, instance] => {
                (|| Some(Self::EddystoneUid { namespace: hex(namespace)?, instance: hex(instance)? }))()
            }
            _ => None,
        };
        identity.ok_or_else(refuse)
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for BeaconIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::IBeacon { uuid, major, minor } => {
                write!(f, "ibeacon:{}:{major}:{minor}", uuid::Uuid::from_bytes(*uuid))
            }
            Self::EddystoneUid { namespace, instance } => {
                write!(f, "eddystone-uid:{}:{}", digits(namespace), digits(instance))
            }
        }
    }
}

impl fmt::Debug for BeaconIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for BeaconIdentity {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<BeaconIdentity> for String {
    fn from(identity: BeaconIdentity) -> String {
        identity.to_string()
    }
}

/// The name of any place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PlaceName {
    Store(StoreName),
    Geofence(GeofenceName),
    Beacon(BeaconName),
}

impl PlaceName {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.split('/').nth(2) {
            Some("stores") => StoreName::parse(text).map(Self::Store),
            Some("geofences") => GeofenceName::parse(text).map(Self::Geofence),
            Some("beacons") => BeaconName::parse(text).map(Self::Beacon),
            _ => Err(Invalid::new(format!(
                "must name a place: organizations/{{organization}}/(stores|geofences|beacons)/{{id}}, was {}",
                quoted(text)
            ))),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Store(name) => name.as_str(),
            Self::Geofence(name) => name.as_str(),
            Self::Beacon(name) => name.as_str(),
        }
    }

    /// The organization's name as text, to look it up by.
    pub fn owner(&self) -> &str {
        match self {
            Self::Store(name) => name.owner(),
            Self::Geofence(name) => name.owner(),
            Self::Beacon(name) => name.owner(),
        }
    }

    pub fn organization(&self) -> OrganizationName {
        match self {
            Self::Store(name) => name.organization(),
            Self::Geofence(name) => name.organization(),
            Self::Beacon(name) => name.organization(),
        }
    }
}

impl fmt::Display for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for PlaceName {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<PlaceName> for String {
    fn from(name: PlaceName) -> String {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geofences_stored_before_detection_was_are_read_and_written_as_they_were() {
        let old = r#"{"name":"organizations/a/geofences/g","display_name":"G","shape":{"circle":{"center":[60.0,25.0],"radius_m":80.0}},"store":null,"tags":[]}"#;
        let read: Geofence = serde_json::from_str(old).expect("sound");
        assert!(read.detection.is_default());
        assert_eq!(serde_json::to_string(&read).expect("plain"), old);
    }

    #[test]
    fn beacon_identities_read_what_they_write() {
        for text in
            ["ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:65535", "eddystone-uid:00112233445566778899:aabbccddeeff"]
        {
            assert_eq!(BeaconIdentity::parse(text).expect("sound").to_string(), text);
        }
        for bad in ["ibeacon:x:1:2", "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:65536", "eddystone-uid:00:11", "é"]
        {
            assert!(BeaconIdentity::parse(bad).is_err(), "{bad}");
        }
    }
}
