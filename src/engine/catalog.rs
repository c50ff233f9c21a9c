//! The catalog as one immutable snapshot: every resource by name, with the version that last changed it.
//!
//! Law: a snapshot never changes; an edit makes the next one, and shares what did not change.

use std::sync::Arc;

use super::{areas::Areas, shared_map::SharedMap};
use crate::domain::{
    campaign::Campaign,
    catalog::{CatalogChange, Resource, ResourceName},
    name::{AppName, BeaconName, CampaignName, GeofenceName, GrantName, KeyName, OrganizationName, StoreName},
    organization::{App, Grant, Key, Organization},
    place::{Beacon, Geofence, Store},
};

/// A resource, and the version of the catalog that last changed it: its etag.
#[derive(Debug)]
pub struct Entry<T> {
    pub etag: u64,
    pub value: Arc<T>,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { etag: self.etag, value: self.value.clone() }
    }
}

/// All resources of one kind, in the order of their names.
pub type Table<Name, T> = SharedMap<Name, Entry<T>>;

/// One version of the catalog.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub version: u64,
    pub organizations: Table<OrganizationName, Organization>,
    pub apps: Table<AppName, App>,
    pub keys: Table<KeyName, Key>,
    pub grants: Table<GrantName, Grant>,
    pub stores: Table<StoreName, Store>,
    pub geofences: Table<GeofenceName, Geofence>,
    pub beacons: Table<BeaconName, Beacon>,
    pub campaigns: Table<CampaignName, Campaign>,
    /// What places, campaigns and grants compile into.
    pub areas: Arc<Areas>,
    /// Which key has the secret of that SHA-256.
    key_names: SharedMap<[u8; 32], KeyName>,
}

impl Catalog {
    /// The catalog after these changes, which are in order and newer than this version.
    pub fn after(&self, changes: &[CatalogChange]) -> Self {
        let mut next = self.clone();
        for change in changes {
            next.version = next.version.max(change.version);
            match &change.resource {
                Some(resource) => next.insert(change.version, resource),
                None => next.remove(&change.name),
            }
        }
        if changes.iter().any(|change| is_matched(&change.name)) {
            next.areas = Arc::new(self.areas.after(self, &next, changes));
        }
        next
    }

    /// The key one of whose secrets has this SHA-256.
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Option<&Entry<Key>> {
        self.keys.get(self.key_names.get(hash)?)
    }

    /// Keeps [`Self::key_names`] true before `name` becomes `new`, or nothing.
    fn rename_key(&mut self, name: &KeyName, new: Option<&Key>) {
        if let Some(old) = self.keys.get(name) {
            old.value.hashes().for_each(|hash| drop(self.key_names.remove(hash)));
        }
        if let Some(new) = new {
            new.hashes().for_each(|hash| drop(self.key_names.insert(*hash, name.clone())));
        }
    }

    fn insert(&mut self, etag: u64, resource: &Resource) {
        fn put<N: Ord + Clone, T>(table: &mut Table<N, T>, name: &N, etag: u64, value: &Arc<T>) {
            table.insert(name.clone(), Entry { etag, value: value.clone() });
        }
        if let Resource::Key(key) = resource {
            self.rename_key(&key.name, Some(key));
        }
        match resource {
            Resource::Organization(value) => put(&mut self.organizations, &value.name, etag, value),
            Resource::App(value) => put(&mut self.apps, &value.name, etag, value),
            Resource::Key(value) => put(&mut self.keys, &value.name, etag, value),
            Resource::Grant(value) => put(&mut self.grants, &value.name, etag, value),
            Resource::Store(value) => put(&mut self.stores, &value.name, etag, value),
            Resource::Geofence(value) => put(&mut self.geofences, &value.name, etag, value),
            Resource::Beacon(value) => put(&mut self.beacons, &value.name, etag, value),
            Resource::Campaign(value) => put(&mut self.campaigns, &value.name, etag, value),
        }
    }

    fn remove(&mut self, name: &ResourceName) {
        fn cut<N: Ord + Clone, T>(table: &mut Table<N, T>, name: &N) {
            table.remove(name);
        }
        if let ResourceName::Key(name) = name {
            self.rename_key(name, None);
        }
        match name {
            ResourceName::Organization(name) => cut(&mut self.organizations, name),
            ResourceName::App(name) => cut(&mut self.apps, name),
            ResourceName::Key(name) => cut(&mut self.keys, name),
            ResourceName::Grant(name) => cut(&mut self.grants, name),
            ResourceName::Store(name) => cut(&mut self.stores, name),
            ResourceName::Geofence(name) => cut(&mut self.geofences, name),
            ResourceName::Beacon(name) => cut(&mut self.beacons, name),
            ResourceName::Campaign(name) => cut(&mut self.campaigns, name),
        }
    }
}

/// Whether pings are matched against resources of this kind, so that a change of one needs compiling.
fn is_matched(name: &ResourceName) -> bool {
    match name {
        ResourceName::Store(_) | ResourceName::Geofence(_) | ResourceName::Beacon(_) => true,
        ResourceName::Campaign(_) | ResourceName::Grant(_) => true,
        ResourceName::Organization(_) | ResourceName::App(_) | ResourceName::Key(_) => false,
    }
}
