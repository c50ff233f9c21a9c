//! Everything the catalog holds, as one closed list, and the form of one change to it.
//!
//! Law: a resource knows its own name, so no store of them can file one under another's.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    campaign::Campaign,
    name::{
        AppName, BeaconName, CampaignName, GeofenceName, GrantName, KeyName, OrganizationName, SegmentName, SourceName,
        StoreName,
    },
    organization::{App, Grant, Key, Organization},
    place::{Beacon, Geofence, Store},
    segment::Segment,
    source::Source,
    text::quoted,
    violation::Invalid,
};

macro_rules! resources {
    ($($Kind:ident($Name:ident) = $collection:literal),* $(,)?) => {
        /// One resource of the catalog.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Resource { $($Kind(Arc<$Kind>)),* }

        /// The name of one resource of the catalog.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceName { $($Kind($Name)),* }

        impl Resource {
            pub fn name(&self) -> ResourceName {
                match self { $(Resource::$Kind(resource) => ResourceName::$Kind(resource.name.clone())),* }
            }
        }

        impl ResourceName {
            pub fn as_str(&self) -> &str {
                match self { $(ResourceName::$Kind(name) => name.as_str()),* }
            }

            /// What a person calls it: "store".
            pub fn kind(&self) -> &'static str {
                match self { $(ResourceName::$Kind(_) => $collection),* }
            }

            pub fn organization(&self) -> OrganizationName {
                match self { $(ResourceName::$Kind(name) => name.organization()),* }
            }

            /// Reads any name of the list.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                $(if let Ok(name) = $Name::parse(text) { return Ok(ResourceName::$Kind(name)); })*
                Err(Invalid::new(format!("must name a resource of the catalog, was {}", quoted(text))))
            }
        }

        $(impl From<$Name> for ResourceName {
            fn from(name: $Name) -> Self { ResourceName::$Kind(name) }
        })*

        $(impl From<$Kind> for Resource {
            fn from(resource: $Kind) -> Self { Resource::$Kind(Arc::new(resource)) }
        })*
    };
}

resources! {
    Organization(OrganizationName) = "organization",
    App(AppName) = "app",
    Key(KeyName) = "key",
    Grant(GrantName) = "grant",
    Store(StoreName) = "store",
    Geofence(GeofenceName) = "geofence",
    Beacon(BeaconName) = "beacon",
    Campaign(CampaignName) = "campaign",
    Segment(SegmentName) = "segment",
    Source(SourceName) = "source",
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change, as the change feed carries it.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogChange {
    /// The catalog's version that it made; several changes may share one.
    pub version: u64,
    pub name: ResourceName,
    /// The resource as it is since then; none if it was deleted.
    pub resource: Option<Resource>,
}
