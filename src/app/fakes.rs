//! Stand-ins for the tests of use cases: a catalog in memory, a clock that stands, and resources to begin with.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::{live_catalog::LiveCatalog, resources::Resources};
use crate::{
    domain::{
        catalog::{CatalogChange, ResourceName},
        geo::Position,
        name::{GeofenceName, OrganizationName, StoreName},
        organization::Organization,
        place::{Geofence, Store},
        shape::{Circle, Shape},
        text::Tag,
        time::{TimeZone, Timestamp},
    },
    ports::{
        Action, Appended, CatalogStore, ChangeRecord, Clock, Edit, Entropy, Expected, History, HistoryOf, HistoryQuery,
        StoreError,
    },
};

/// Who edits in tests.
pub const AUTHOR: &str = "organizations/acme/keys/test";

/// Keeps all changes in memory; refuses as the port's laws say.
#[derive(Default)]
pub struct FakeCatalog {
    changes: Mutex<Vec<CatalogChange>>,
}

impl FakeCatalog {
    /// Is what it was at this version, as if it were restored from a copy.
    pub fn lose_after(&self, version: u64) {
        self.changes.lock().expect("sound").retain(|change| change.version <= version);
    }

    fn last<'a>(changes: &'a [CatalogChange], name: &ResourceName) -> Option<&'a CatalogChange> {
        changes.iter().rev().find(|change| change.name == *name)
    }
}

#[async_trait]
impl CatalogStore for FakeCatalog {
    async fn head(&self) -> Result<u64, StoreError> {
        Ok(self.changes.lock().expect("sound").last().map_or(0, |change| change.version))
    }

    async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError> {
        let changes = self.changes.lock().expect("sound");
        Ok(changes.iter().filter(|change| change.version > after && change.version <= until).cloned().collect())
    }

    async fn append(&self, edits: Vec<Edit>, _author: &str, _at: Timestamp) -> Result<Appended, StoreError> {
        let mut changes = self.changes.lock().expect("sound");
        for edit in &edits {
            let held = Self::last(&changes, &edit.name).filter(|change| change.resource.is_some());
            let as_expected = match edit.expected {
                Expected::Anything => true,
                Expected::Absent => held.is_none(),
                Expected::Version(version) => held.is_some_and(|change| change.version == version),
            };
            if !as_expected {
                return Ok(Appended::Conflict(edit.name.clone()));
            }
        }
        let version = changes.last().map_or(0, |change| change.version) + 1;
        changes.extend(edits.into_iter().map(|Edit { name, resource, .. }| CatalogChange { version, name, resource }));
        Ok(Appended::Version(version))
    }
}

#[async_trait]
impl History for FakeCatalog {
    async fn changes(&self, query: &HistoryQuery) -> Result<Vec<ChangeRecord>, StoreError> {
        let before = query.before.as_ref().map_or(u64::MAX, |(version, _)| *version);
        let mut all = self.changes_between(0, before - 1).await?;
        all.retain(|change| query.of == HistoryOf::Resource(change.name.clone()));
        let record = |change: CatalogChange| ChangeRecord {
            version: change.version,
            name: change.name,
            author: AUTHOR.to_owned(),
            at: at(0),
            action: Action::Changed,
            resource: change.resource,
        };
        Ok(all.into_iter().rev().take(query.most as usize).map(record).collect())
    }
}

/// A clock that stands at the second it is made with.
pub struct Standing(pub i64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        at(self.0)
    }
}

/// Entropy that counts.
#[derive(Default)]
pub struct Counting(Mutex<u8>);

impl Entropy for Counting {
    fn bytes(&self) -> [u8; 32] {
        let mut next = self.0.lock().expect("sound");
        *next += 1;
        [*next; 32]
    }
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Resources over this store, as another node sees them.
pub async fn node(store: &Arc<FakeCatalog>, now: i64) -> Arc<Resources> {
    let live = LiveCatalog::load(store.clone()).await.expect("read");
    Arc::new(Resources::new(Arc::new(live), Arc::new(Standing(now))))
}

/// Resources with the organizations `acme` and `brand`.
pub async fn resources() -> Arc<Resources> {
    let resources = node(&Arc::default(), 1_000).await;
    for id in ["acme", "brand"] {
        let organization =
            Organization { name: owner(id), display_name: id.to_owned(), brand_limits: Default::default() };
        resources.create(organization, AUTHOR, |_| Ok(())).await.expect("made");
    }
    resources
}

pub fn owner(id: &str) -> OrganizationName {
    OrganizationName::parse(&format!("organizations/{id}")).expect("sound")
}

pub fn store_name(id: &str) -> StoreName {
    owner("acme").store(id).expect("sound")
}

pub fn geofence_name(id: &str) -> GeofenceName {
    owner("acme").geofence(id).expect("sound")
}

fn position() -> Position {
    Position::new(60.17, 24.94).expect("sound")
}

pub fn store(id: &str, display_name: &str) -> Store {
    Store {
        name: store_name(id),
        display_name: display_name.to_owned(),
        position: position(),
        time_zone: TimeZone::utc(),
        address: String::new(),
        brand: String::new(),
        opening_hours: Default::default(),
        country: None,
        source: None,
        tags: [Tag::new("cafe").expect("sound")].into(),
    }
}

pub fn geofence(id: &str, store: Option<&str>, radius_m: f64) -> Geofence {
    Geofence {
        name: geofence_name(id),
        display_name: "Geofence".to_owned(),
        shape: Shape::Circle(Circle::new(position(), radius_m).expect("sound")),
        store: store.map(store_name),
        tags: Default::default(),
        detection: Default::default(),
        source: None,
    }
}
