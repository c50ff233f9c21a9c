//! The catalog as one immutable snapshot: every resource by name, with the version that last changed it.
//!
//! Law: a snapshot never changes; an edit makes the next one, and shares what did not change.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{areas::Areas, shared_map::SharedMap};
use crate::domain::{
    campaign::Campaign,
    catalog::{CatalogChange, Resource, ResourceName},
    code::Code,
    coupon::Codes,
    name::{
        AppName, BeaconName, CampaignName, DeviceName, GeofenceName, GrantName, KeyName, OrganizationName, SegmentName,
        SourceName, StoreName,
    },
    organization::{App, Grant, Key, Organization},
    place::{Beacon, Geofence, Store},
    segment::Segment,
    source::Source,
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
    pub segments: Table<SegmentName, Segment>,
    pub sources: Table<SourceName, Source>,
    /// What places, campaigns and grants compile into.
    pub areas: Arc<Areas>,
    /// Which key has the secret of that SHA-256.
    key_names: SharedMap<[u8; 32], KeyName>,
    /// Campaigns whose coupon has that code for everyone.
    code_names: SharedMap<Code, Vec<CampaignName>>,
    /// Campaigns that the device may try.
    trials: SharedMap<DeviceName, Vec<CampaignName>>,
}

impl Catalog {
    /// The catalog after these changes, which are in order and newer than this version.
    pub fn after(&self, changes: &[CatalogChange]) -> Self {
        let mut next = self.clone();
        let (mut stores, mut geofences) = (Vec::new(), Vec::new());
        for change in last_of_each(changes) {
            next.version = next.version.max(change.version);
            let etag = change.version;
            match &change.resource {
                // Of these there may be very many at once.
                Some(Resource::Store(value)) => {
                    stores.push((value.name.clone(), Entry { etag, value: value.clone() }));
                }
                Some(Resource::Geofence(value)) => {
                    geofences.push((value.name.clone(), Entry { etag, value: value.clone() }));
                }
                Some(resource) => next.insert(etag, resource),
                None => next.remove(&change.name),
            }
        }
        next.stores.extend(stores);
        next.geofences.extend(geofences);
        if changes.iter().any(|change| is_matched(&change.name)) {
            next.areas = Arc::new(self.areas.after(self, &next, changes));
        }
        next
    }

    /// The app of a device.
    pub fn app_of(&self, device: &DeviceName) -> Option<&App> {
        let app = device.app_text();
        self.apps.find(|name| name.as_str().cmp(app)).map(|entry| &*entry.value)
    }

    /// The key one of whose secrets has this SHA-256.
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Option<&Entry<Key>> {
        self.keys.get(self.key_names.get(hash)?)
    }

    /// Campaigns that give this code to everyone.
    pub fn with_code(&self, code: &Code) -> impl Iterator<Item = &Arc<Campaign>> {
        let names = self.code_names.get(code).into_iter().flatten();
        names.filter_map(|name| self.campaigns.get(name)).map(|entry| &entry.value)
    }

    /// Campaigns that are not active, and that the device tries.
    pub fn tried_by(&self, device: &DeviceName) -> impl Iterator<Item = &Arc<Campaign>> {
        let names = self.trials.get(device).into_iter().flatten();
        names.filter_map(|name| self.campaigns.get(name)).map(|entry| &entry.value)
    }

    /// Keeps [`Self::trials`] true before `name` becomes `new`, or nothing.
    fn rename_trials(&mut self, name: &CampaignName, new: Option<&Campaign>) {
        let testers = |campaign: &Campaign| match campaign.is_on_trial() {
            true => campaign.testers.clone(),
            false => BTreeSet::new(),
        };
        let old = self.campaigns.get(name).map(|entry| testers(&entry.value)).unwrap_or_default();
        let new = new.map(testers).unwrap_or_default();
        for device in old.symmetric_difference(&new) {
            let mut names = self.trials.get(device).cloned().unwrap_or_default();
            names.retain(|other| other != name);
            names.extend(new.contains(device).then(|| name.clone()));
            names.sort();
            if names.is_empty() { self.trials.remove(device) } else { self.trials.insert(device.clone(), names) }
        }
    }

    /// Keeps [`Self::code_names`] true before `name` becomes `new`, or nothing.
    fn rename_code(&mut self, name: &CampaignName, new: Option<&Campaign>) {
        let old = self.campaigns.get(name).and_then(|entry| fixed_code(&entry.value)).cloned();
        let new = new.and_then(fixed_code).cloned();
        for (code, is_new) in old.map(|code| (code, false)).into_iter().chain(new.map(|code| (code, true))) {
            let mut names = self.code_names.get(&code).cloned().unwrap_or_default();
            names.retain(|other| other != name);
            names.extend(is_new.then(|| name.clone()));
            if names.is_empty() { self.code_names.remove(&code) } else { self.code_names.insert(code, names) }
        }
    }

    /// Keeps [`Self::key_names`] true before `name` becomes `new`, or nothing.
    fn rename_key(&mut self, name: &KeyName, new: Option<&Key>) {
        if let Some(old) = self.keys.get(name) {
            old.value.hashes().for_each(|hash| self.key_names.remove(hash));
        }
        if let Some(new) = new {
            new.hashes().for_each(|hash| self.key_names.insert(*hash, name.clone()));
        }
    }

    fn insert(&mut self, etag: u64, resource: &Resource) {
        fn put<N: Ord + Clone, T>(table: &mut Table<N, T>, name: &N, etag: u64, value: &Arc<T>) {
            table.insert(name.clone(), Entry { etag, value: value.clone() });
        }
        match resource {
            Resource::Key(key) => self.rename_key(&key.name, Some(key)),
            Resource::Campaign(campaign) => {
                self.rename_code(&campaign.name, Some(campaign));
                self.rename_trials(&campaign.name, Some(campaign));
            }
            _ => {}
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
            Resource::Segment(value) => put(&mut self.segments, &value.name, etag, value),
            Resource::Source(value) => put(&mut self.sources, &value.name, etag, value),
        }
    }

    fn remove(&mut self, name: &ResourceName) {
        fn cut<N: Ord + Clone, T>(table: &mut Table<N, T>, name: &N) {
            table.remove(name);
        }
        match name {
            ResourceName::Key(name) => self.rename_key(name, None),
            ResourceName::Campaign(name) => {
                self.rename_code(name, None);
                self.rename_trials(name, None);
            }
            _ => {}
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
            ResourceName::Segment(name) => cut(&mut self.segments, name),
            ResourceName::Source(name) => cut(&mut self.sources, name),
        }
    }
}

fn fixed_code(campaign: &Campaign) -> Option<&Code> {
    match &campaign.coupon.as_ref()?.codes {
        Codes::Fixed(code) => Some(code),
        Codes::Generated | Codes::Pool => None,
    }
}

/// What the changes come to: of each resource the last one.
fn last_of_each(changes: &[CatalogChange]) -> Vec<&CatalogChange> {
    let mut seen = HashSet::with_capacity(changes.len());
    let mut last: Vec<&CatalogChange> = changes.iter().rev().filter(|change| seen.insert(&change.name)).collect();
    last.reverse();
    last
}

/// Whether pings are matched against resources of this kind, so that a change of one needs compiling.
fn is_matched(name: &ResourceName) -> bool {
    match name {
        ResourceName::Store(_) | ResourceName::Geofence(_) | ResourceName::Beacon(_) => true,
        ResourceName::Campaign(_) | ResourceName::Segment(_) | ResourceName::Grant(_) => true,
        ResourceName::Organization(_) | ResourceName::App(_) | ResourceName::Key(_) | ResourceName::Source(_) => false,
    }
}
