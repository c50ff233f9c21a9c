//! What becomes of a source's places that the file does not name.
//!
//! Law: only by force goes what a live campaign names, or a store to which something belongs that does not go with it; that
//! stands alone from then on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Renumbered, Row, Sync, renumbered::renumbered, rows::Sifted, unsaid::store_of};
use crate::{
    app::{place_use::named, places::released},
    domain::{
        name::{CampaignName, GeofenceName, SourceName, StoreName},
        place::PlaceName,
        source::{Kept, KeptWhy},
        time::Timestamp,
    },
    engine::catalog::Catalog,
    ports::{Edit, Expected},
};

/// What becomes of the places that no sound row names.
#[derive(Debug, Default)]
pub struct Fates {
    /// Geofences first, so that no store goes before what belongs to it.
    pub removed: Vec<PlaceName>,
    pub kept: Vec<Kept>,
    /// All places of the source.
    pub places: u64,
    /// Those that sound rows name.
    pub said: Arc<BTreeSet<PlaceName>>,
    /// Stores of which the file says nothing, and that seem to come under other ids.
    pub renumbered: Vec<Renumbered>,
}

impl Fates {
    /// The places of which the file says nothing at all, whether they go or stay.
    pub fn missing(&self) -> impl Iterator<Item = &PlaceName> {
        let staying = self.kept.iter().filter(|kept| kept.is_absent()).map(|kept| &kept.place);
        self.removed.iter().chain(staying)
    }

    /// What became of more of them.
    pub fn extend(&mut self, more: Self) {
        self.removed.extend(more.removed);
        self.kept.extend(more.kept);
    }

    fn add(&mut self, place: PlaceName, why: Option<KeptWhy>) {
        match why {
            Some(why) => self.kept.push(Kept::new(place, why)),
            None => self.removed.push(place),
        }
    }
}

/// Asks of places, geofences before stores, what keeps them though the file says nothing of them.
struct Question<'a> {
    sync: &'a Sync,
    catalog: &'a Catalog,
    campaigns: Targets,
    /// The stores that geofences of the file belong to.
    housing: BTreeSet<StoreName>,
    /// Known once the first store's turn comes: then it is known of all geofences whether they go.
    dependents: Option<BTreeSet<StoreName>>,
}

impl<'a> Question<'a> {
    fn new(sync: &'a Sync, catalog: &'a Catalog, now: Timestamp, housing: BTreeSet<StoreName>) -> Self {
        Self { sync, catalog, campaigns: Targets::of(sync, catalog, now), housing, dependents: None }
    }

    fn why(&mut self, place: &PlaceName, so_far: &Fates) -> Option<KeptWhy> {
        let Self { sync, catalog, campaigns, housing, dependents } = self;
        let said = &so_far.said;
        match place {
            PlaceName::Store(store) if campaigns.keep(place).is_none() => {
                let dependents = dependents.get_or_insert_with(|| staying(sync, said, &so_far.removed, catalog));
                let is_wanted = housing.contains(store) || dependents.contains(store);
                is_wanted.then_some(KeptWhy::HasDependents)
            }
            PlaceName::Geofence(fence) => {
                campaigns.keep_at_store(fence, (&sync.source, said), catalog).map(KeptWhy::Targeted)
            }
            PlaceName::Store(_) | PlaceName::Beacon(_) => campaigns.keep(place).map(KeptWhy::Targeted),
        }
    }
}

pub fn fates(sync: &Sync, sifted: &Sifted, catalog: &Catalog, now: Timestamp) -> Fates {
    let mut fates = Fates { said: Arc::new(sifted.sound.iter().map(Row::place).collect()), ..Fates::default() };
    let (places, unsaid) = unsaid(&sync.source, &fates.said, catalog);
    fates.places = places;
    if unsaid.is_empty() {
        return fates;
    }
    let missing = unsaid.iter().filter(|place| !sifted.may_be.contains(place));
    let rows = sifted.sound.iter().chain(&sifted.turned_away);
    fates.renumbered = renumbered(&sync.source, missing, rows, catalog);
    let doubtful = doubtful(&fates, catalog);
    let mut question = Question::new(sync, catalog, now, housing(sifted, catalog));
    for place in unsaid {
        let why = match &place {
            _ if sifted.may_be.contains(&place) || doubtful.contains(&place) => Some(KeptWhy::RowRefused),
            _ if sifted.untold > 0 => Some(KeptWhy::RowUntold),
            _ => question.why(&place, &fates),
        };
        fates.add(place, why);
    }
    fates
}

/// Stores that seem to come in refused rows under other ids, and their geofences: they went, and nothing came instead.
fn doubtful(fates: &Fates, catalog: &Catalog) -> BTreeSet<PlaceName> {
    let is_refused = |pair: &&Renumbered| !fates.said.contains(&PlaceName::Store(pair.is.clone()));
    let lost: BTreeSet<&StoreName> = fates.renumbered.iter().filter(is_refused).map(|pair| &pair.was).collect();
    if lost.is_empty() {
        return BTreeSet::new();
    }
    let fences = catalog.geofences.values().map(|entry| &entry.value);
    let fences = fences.filter(|fence| fence.store.as_ref().is_some_and(|store| lost.contains(store)));
    let fences = fences.map(|fence| PlaceName::Geofence(fence.name.clone()));
    fences.chain(lost.iter().map(|&store| PlaceName::Store(store.clone()))).collect()
}

/// How many places the source has, and those that no sound row names: geofences first.
fn unsaid(source: &SourceName, said: &BTreeSet<PlaceName>, catalog: &Catalog) -> (u64, Vec<PlaceName>) {
    let geofences = catalog.geofences.values().map(|entry| &entry.value);
    let geofences = geofences.filter(|geofence| geofence.source.as_ref() == Some(source));
    let stores = catalog.stores.values().map(|entry| &entry.value);
    let stores = stores.filter(|store| store.source.as_ref() == Some(source));
    let names = geofences.map(|geofence| PlaceName::Geofence(geofence.name.clone()));
    let names = names.chain(stores.map(|store| PlaceName::Store(store.name.clone())));
    let (mut places, mut unsaid) = (0, Vec::new());
    for name in names {
        places += 1;
        if !said.contains(&name) {
            unsaid.push(name);
        }
    }
    (places, unsaid)
}

/// The stores that geofences of the file belong to: as their rows say, or as they are if their rows were refused.
fn housing(sifted: &Sifted, catalog: &Catalog) -> BTreeSet<StoreName> {
    let sound = sifted.sound.iter().zip(&sifted.unsaid).filter_map(|(row, unsaid)| match row {
        Row::Geofence(geofence) => store_of(geofence, *unsaid, catalog).cloned(),
        Row::Store(_) => None,
    });
    let refused = sifted.may_be.iter().filter_map(|place| match place {
        PlaceName::Geofence(name) => catalog.geofences.get(name)?.value.store.clone(),
        PlaceName::Store(_) | PlaceName::Beacon(_) => None,
    });
    sound.chain(refused).collect()
}

/// The stores to which something belongs that the file does not speak of and that does not go: it was made by hand, or is of
/// another source, or is kept. By force it is let go.
fn staying(sync: &Sync, said: &BTreeSet<PlaceName>, removed: &[PlaceName], catalog: &Catalog) -> BTreeSet<StoreName> {
    if sync.force {
        return BTreeSet::new();
    }
    let removed: BTreeSet<&PlaceName> = removed.iter().collect();
    let stays = |place: PlaceName| !said.contains(&place) && !removed.contains(&place);
    let fences = catalog.geofences.values().map(|entry| &entry.value);
    let fences = fences.filter(|fence| fence.store.is_some() && stays(PlaceName::Geofence(fence.name.clone())));
    let beacons = catalog.beacons.values().filter_map(|entry| entry.value.store.clone());
    fences.filter_map(|fence| fence.store.clone()).chain(beacons).collect()
}

/// The campaigns that keep places from going.
struct Targets(BTreeMap<PlaceName, Vec<CampaignName>>);

impl Targets {
    /// By force no campaign does.
    fn of(sync: &Sync, catalog: &Catalog, now: Timestamp) -> Self {
        Self(if sync.force { BTreeMap::new() } else { named(catalog, now) })
    }

    fn keep(&self, place: &PlaceName) -> Option<Vec<CampaignName>> {
        self.0.get(place).cloned()
    }

    /// A campaign that keeps a store of the source, of which the file says nothing, keeps its geofences, where it happens.
    fn keep_at_store(
        &self,
        fence: &GeofenceName,
        (source, said): (&SourceName, &BTreeSet<PlaceName>),
        catalog: &Catalog,
    ) -> Option<Vec<CampaignName>> {
        let kept_store = || {
            let store = catalog.stores.get(catalog.geofences.get(fence)?.value.store.as_ref()?)?;
            let name = PlaceName::Store(store.value.name.clone());
            (store.value.source.as_ref() == Some(source) && !said.contains(&name)).then_some(name)
        };
        self.keep(&PlaceName::Geofence(fence.clone())).or_else(|| self.keep(&kept_store()?))
    }
}

/// The edits that remove these places, and what becomes of each: all is asked again that kept none of them when they were
/// looked at. What was removed or let go since is neither gone nor kept.
pub fn edits(
    sync: &Sync,
    said: &Arc<BTreeSet<PlaceName>>,
    part: &[PlaceName],
    catalog: &Catalog,
    now: Timestamp,
) -> (Vec<Edit>, Fates) {
    let has_stores = part.iter().any(|place| matches!(place, PlaceName::Store(_)));
    // What is housed is asked of stores alone.
    let housing = if has_stores { housed(said, catalog) } else { BTreeSet::new() };
    let mut question = Question::new(sync, catalog, now, housing);
    let mut fates = Fates { said: said.clone(), ..Fates::default() };
    let (mut edits, mut stores, mut geofences) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for place in part {
        let Some(etag) = etag_of(place, &sync.source, catalog) else { continue };
        let why = question.why(place, &fates);
        let expected = Expected::Version(etag);
        match place {
            _ if why.is_some() => {}
            PlaceName::Store(name) => {
                edits.push(Edit::delete(name.clone(), expected));
                stores.insert(name.clone());
            }
            PlaceName::Geofence(name) => {
                edits.push(Edit::delete(name.clone(), expected));
                geofences.insert(place.clone());
            }
            PlaceName::Beacon(_) => {}
        }
        fates.add(place.clone(), why);
    }
    edits.extend(released(catalog, &stores, |place| geofences.contains(place)));
    (edits, fates)
}

/// The stores that geofences of the file belong to now.
fn housed(said: &BTreeSet<PlaceName>, catalog: &Catalog) -> BTreeSet<StoreName> {
    let fences = said.iter().filter_map(|place| match place {
        PlaceName::Geofence(name) => catalog.geofences.get(name),
        PlaceName::Store(_) | PlaceName::Beacon(_) => None,
    });
    fences.filter_map(|fence| fence.value.store.clone()).collect()
}

/// The place's etag, if it is still one of the source's.
pub fn etag_of(place: &PlaceName, source: &SourceName, catalog: &Catalog) -> Option<u64> {
    let (etag, of) = match place {
        PlaceName::Store(name) => catalog.stores.get(name).map(|entry| (entry.etag, entry.value.source.as_ref()))?,
        PlaceName::Geofence(name) => {
            catalog.geofences.get(name).map(|entry| (entry.etag, entry.value.source.as_ref()))?
        }
        PlaceName::Beacon(_) => return None,
    };
    (of == Some(source)).then_some(etag)
}
