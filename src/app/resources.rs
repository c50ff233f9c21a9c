//! Reading and editing the resources of the catalog: create, update and delete once for all kinds.
//!
//! Laws: creating again with the same content is harmless; an edit happens only if the resource is still the one it was
//! computed from; an edit that changes nothing makes no new version.

use std::{fmt::Display, ops::Bound, sync::Arc};

use tokio::sync::{Mutex, MutexGuard};

use super::live_catalog::LiveCatalog;
use crate::{
    domain::{
        campaign::Campaign,
        catalog::{Resource, ResourceName},
        name::{
            AppName, BeaconName, CampaignName, GeofenceName, GrantName, KeyName, OrganizationName, SegmentName,
            SourceName, StoreName,
        },
        organization::{App, Grant, Key, Organization},
        place::{Beacon, Geofence, Store},
        segment::Segment,
        source::Source,
        time::Timestamp,
        violation::{Invalid, Violations},
    },
    engine::catalog::{Catalog, Entry, Table},
    ports::{Appended, Clock, Edit, Expected, StoreError},
};

/// How often an edit is computed anew because somebody else's came first.
const TRIES: usize = 4;

/// Why a use case on resources did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EditError {
    #[error("{0} does not exist")]
    NotFound(ResourceName),
    #[error("{}", exists(.0))]
    AlreadyExists(ResourceName),
    #[error("{0} has this identity already")]
    IdentityTaken(BeaconName),
    /// Somebody changed it since the etag was read, or faster than we could.
    #[error("{0} was changed meanwhile; read it again")]
    Changed(ResourceName),
    #[error("{0}")]
    Invalid(Violations),
    /// The catalog is not in a state that allows it.
    #[error("{}", in_words(.0))]
    Refused(Vec<Obstacle>),
    /// The caller's key does not reach so far.
    #[error("{0}")]
    Denied(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// A stable code, such as `TARGETED_BY_CAMPAIGN`.
    pub code: &'static str,
    /// The name of what stands in the way.
    pub subject: String,
    /// Why, in words.
    pub description: String,
}

impl Obstacle {
    pub fn new(code: &'static str, subject: impl Display, description: impl Into<String>) -> Self {
        Self { code, subject: subject.to_string(), description: description.into() }
    }
}

fn exists(name: &ResourceName) -> String {
    match name {
        ResourceName::Key(_) => {
            format!("{name} exists already, and its secret cannot be shown again: rotate the key to get another")
        }
        _ => format!("{name} exists already, with other content"),
    }
}

fn in_words(obstacles: &[Obstacle]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = obstacles.iter().take(SHOWN).map(|obstacle| obstacle.description.as_str()).collect();
    let more = obstacles.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join("; "))
}

/// A kind of resource: what it is named by, and where the catalog keeps it.
pub trait Kind: Clone + PartialEq + Into<Resource> + Send + Sync + 'static {
    type Name: Ord + Clone + Display + Into<ResourceName> + Send + Sync;
    /// As in names: `stores`.
    const COLLECTION: &'static str;

    fn name(&self) -> &Self::Name;
    fn table(catalog: &Catalog) -> &Table<Self::Name, Self>;
    fn parse_name(text: &str) -> Result<Self::Name, Invalid>;

    /// Whether creating `self` again over `existing` asks for what is there already.
    fn repeats(&self, existing: &Self) -> bool {
        self == existing
    }
}

macro_rules! kinds {
    ($($Kind:ident($Name:ident) = $table:ident $({ $($extra:item)* })?;)*) => { $(
        impl Kind for $Kind {
            type Name = $Name;
            const COLLECTION: &'static str = stringify!($table);

            fn name(&self) -> &$Name {
                &self.name
            }
            fn table(catalog: &Catalog) -> &Table<$Name, Self> {
                &catalog.$table
            }
            fn parse_name(text: &str) -> Result<$Name, Invalid> {
                $Name::parse(text)
            }
            $($($extra)*)?
        }
    )* };
}

kinds! {
    Organization(OrganizationName) = organizations;
    App(AppName) = apps;
    Grant(GrantName) = grants;
    Store(StoreName) = stores;
    Geofence(GeofenceName) = geofences;
    Beacon(BeaconName) = beacons;
    Segment(SegmentName) = segments;
    Source(SourceName) = sources;
    Key(KeyName) = keys {
        // Its secret was shown once and cannot be shown again.
        fn repeats(&self, _: &Self) -> bool {
            false
        }
    };
    Campaign(CampaignName) = campaigns {
        // It may have been activated since.
        fn repeats(&self, existing: &Self) -> bool {
            *self == Campaign { state: self.state, ..existing.clone() }
        }
    };
}

/// Some resources in the order of their names, and whether there are more.
pub struct Page<K> {
    pub entries: Vec<Entry<K>>,
    pub more: bool,
}

/// Reads and edits resources of every kind.
pub struct Resources {
    catalog: Arc<LiveCatalog>,
    clock: Arc<dyn Clock>,
    /// Held from looking at the catalog until the edit is in force, so that what one edit refers to is not deleted by
    /// another on this node at the same moment. Across nodes a reference may be left hanging; it is then inert.
    editing: Mutex<()>,
}

impl Resources {
    pub fn new(catalog: Arc<LiveCatalog>, clock: Arc<dyn Clock>) -> Self {
        Self { catalog, clock, editing: Mutex::new(()) }
    }

    pub fn snapshot(&self) -> Arc<Catalog> {
        self.catalog.snapshot()
    }

    /// With everything that was made on other nodes until now.
    pub async fn newest(&self) -> Result<Arc<Catalog>, StoreError> {
        self.catalog.refresh().await?;
        Ok(self.snapshot())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The resource; one that is missing is looked for again, for another node may have made it a moment ago.
    pub async fn get<K: Kind>(&self, name: &K::Name) -> Result<Entry<K>, EditError> {
        let snapshot = self.catalog.having(|catalog| K::table(catalog).get(name).is_some()).await?;
        find::<K>(&snapshot, name).cloned()
    }

    /// Up to `limit` resources of `parent` (all of the kind if none) after the name `after`, of those that `keep` wants.
    pub fn list<K: Kind>(
        &self,
        parent: Option<&OrganizationName>,
        after: Option<&K::Name>,
        limit: usize,
        keep: impl Fn(&K) -> bool,
    ) -> Page<K> {
        let catalog = self.snapshot();
        let prefix = parent.map_or(String::new(), |parent| format!("{parent}/{}/", K::COLLECTION));
        // Ids begin with a letter or digit, so no name of this parent sorts before this one.
        let first = K::parse_name(&format!("{prefix}0")).ok();
        let from = match (after, &first) {
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        let mut entries: Vec<Entry<K>> = K::table(&catalog)
            .from(from)
            .take_while(|(name, _)| (*name).clone().into().as_str().starts_with(&prefix))
            .filter(|(_, entry)| keep(&entry.value))
            .take(limit.saturating_add(1))
            .map(|(_, entry)| entry.clone())
            .collect();
        let more = entries.len() > limit;
        entries.truncate(limit);
        Page { entries, more }
    }

    /// Makes the resource, or finds it as it is wanted. `check` sees the catalog it is made in.
    pub async fn create<K: Kind>(
        &self,
        wanted: K,
        author: &str,
        check: impl Fn(&Catalog) -> Result<(), EditError>,
    ) -> Result<Entry<K>, EditError> {
        let name = wanted.name().clone();
        self.retry(&name, author, |catalog| {
            if let Some(existing) = K::table(catalog).get(&name) {
                let same = wanted.repeats(&existing.value);
                return if same { Ok(Vec::new()) } else { Err(EditError::AlreadyExists(name.clone().into())) };
            }
            check(catalog)?;
            Ok(vec![Edit::put(wanted.clone(), Expected::Absent)])
        })
        .await?;
        find::<K>(&self.snapshot(), &name).cloned()
    }

    /// Makes the resource what `change` says of it as it is. With an etag only if it is still that of it.
    pub async fn update<K: Kind>(
        &self,
        name: &K::Name,
        etag: Option<u64>,
        author: &str,
        change: impl Fn(&K, &Catalog) -> Result<K, EditError>,
    ) -> Result<Entry<K>, EditError> {
        self.retry(name, author, |catalog| {
            let entry = current::<K>(catalog, name, etag)?;
            let next = change(&entry.value, catalog)?;
            let same = next == *entry.value;
            Ok(if same { Vec::new() } else { vec![Edit::put(next, Expected::Version(entry.etag))] })
        })
        .await?;
        find::<K>(&self.snapshot(), name).cloned()
    }

    /// Removes the resource, together with the edits that `along` finds necessary. With an etag only if it is still that
    /// of it.
    pub async fn delete<K: Kind>(
        &self,
        name: &K::Name,
        etag: Option<u64>,
        author: &str,
        along: impl Fn(&K, &Catalog) -> Result<Vec<Edit>, EditError>,
    ) -> Result<(), EditError> {
        self.retry(name, author, |catalog| {
            let entry = current::<K>(catalog, name, etag)?;
            let mut edits = along(&entry.value, catalog)?;
            edits.push(Edit::delete(name.clone(), Expected::Version(entry.etag)));
            Ok(edits)
        })
        .await
    }

    /// Appends what `edits` makes of the catalog, and computes it anew if somebody else's edit came first; or if there is
    /// nothing to do, or it is refused, by a catalog that was not the newest: another node may have made what is missing, or
    /// changed what seems to be done, a moment ago.
    async fn retry<N: Clone + Into<ResourceName>>(
        &self,
        name: &N,
        author: &str,
        edits: impl Fn(&Catalog) -> Result<Vec<Edit>, EditError>,
    ) -> Result<(), EditError> {
        let editing = self.begin().await;
        for _ in 0..TRIES {
            let snapshot = self.snapshot();
            let edits = match edits(&snapshot) {
                Ok(edits) if !edits.is_empty() => edits,
                other => match self.catalog.look_again().await {
                    Ok(version) if version != snapshot.version => continue,
                    Ok(_) => return other.map(drop),
                    Err(away) => return other.and(Err(away.into())),
                },
            };
            if let Appended::Version(_) = self.append(&editing, edits, author).await? {
                return Ok(());
            }
        }
        Err(EditError::Changed(name.clone().into()))
    }

    /// Keeps every other edit of this node waiting while the guard lives.
    pub async fn begin(&self) -> MutexGuard<'_, ()> {
        self.editing.lock().await
    }

    /// Appends the edits, if there are any; without them the version is that of the snapshot. A conflict means that nothing
    /// happened, and that the snapshot is newer now.
    pub async fn append(
        &self,
        _editing: &MutexGuard<'_, ()>,
        edits: Vec<Edit>,
        author: &str,
    ) -> Result<Appended, EditError> {
        if edits.is_empty() {
            return Ok(Appended::Version(self.snapshot().version));
        }
        let appended = self.catalog.edit(edits, author, self.now()).await?;
        if matches!(appended, Appended::Conflict(_)) {
            self.catalog.refresh().await?;
        }
        Ok(appended)
    }
}

/// The resource, or that there is none.
pub fn find<'a, K: Kind>(catalog: &'a Catalog, name: &K::Name) -> Result<&'a Entry<K>, EditError> {
    K::table(catalog).get(name).ok_or_else(|| EditError::NotFound(name.clone().into()))
}

fn current<'a, K: Kind>(catalog: &'a Catalog, name: &K::Name, etag: Option<u64>) -> Result<&'a Entry<K>, EditError> {
    let entry = find::<K>(catalog, name)?;
    if etag.is_some_and(|etag| etag != entry.etag) {
        return Err(EditError::Changed(name.clone().into()));
    }
    Ok(entry)
}
