//! Stores, geofences and beacons: what may refer to what, and what may be deleted.
//!
//! Law: a place refers only to places of its own organization that exist; nothing that a live campaign names is deleted
//! unasked.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    place_use::naming,
    resources::{EditError, Kind, Obstacle, Resources, find},
};
use crate::{
    domain::{
        name::{OrganizationName, SourceName, StoreName},
        organization::Organization,
        place::{Beacon, Geofence, PlaceName, Store},
        violation::Violations,
    },
    engine::{
        catalog::{Catalog, Entry},
        crowd::{MOST_AT_ONCE, Spot},
    },
    ports::{Edit, Expected},
};

/// A resource that is a place.
pub trait Place: Kind {
    /// Its name among all places.
    fn place_name(&self) -> PlaceName;
    /// The organization it belongs to.
    fn network(&self) -> OrganizationName;
    /// The store it belongs to, if it does.
    fn store(&self) -> Option<&StoreName>;
    /// The file that keeps it in step, if one does.
    fn source(&self) -> Option<&SourceName> {
        None
    }
    /// Refuses what clashes with other places of the network.
    fn check_unique(&self, _catalog: &Catalog) -> Result<(), EditError> {
        Ok(())
    }
    /// What belongs to this place and must not go on naming it.
    fn dependents(&self, _catalog: &Catalog) -> Vec<Dependent> {
        Vec::new()
    }
}

/// A place that belongs to a store, and the edit that makes it stand alone.
pub struct Dependent {
    name: PlaceName,
    released: Edit,
}

impl Place for Store {
    fn place_name(&self) -> PlaceName {
        PlaceName::Store(self.name.clone())
    }
    fn network(&self) -> OrganizationName {
        self.name.organization()
    }
    fn store(&self) -> Option<&StoreName> {
        None
    }
    fn source(&self) -> Option<&SourceName> {
        self.source.as_ref()
    }
    fn dependents(&self, catalog: &Catalog) -> Vec<Dependent> {
        dependents(catalog, |store| *store == self.name)
    }
}

impl Place for Geofence {
    fn place_name(&self) -> PlaceName {
        PlaceName::Geofence(self.name.clone())
    }
    fn network(&self) -> OrganizationName {
        self.name.organization()
    }
    fn store(&self) -> Option<&StoreName> {
        self.store.as_ref()
    }
    fn source(&self) -> Option<&SourceName> {
        self.source.as_ref()
    }
    fn check_unique(&self, catalog: &Catalog) -> Result<(), EditError> {
        if is_at_its_spot(self, catalog) {
            return Ok(());
        }
        let others = |fence: &Geofence| fence.name != self.name;
        let count = Spot::of(&self.shape).count(&catalog.areas, self.name.owner(), others);
        check_crowd(self, count).map_err(EditError::Invalid)
    }
}

impl Place for Beacon {
    fn place_name(&self) -> PlaceName {
        PlaceName::Beacon(self.name.clone())
    }
    fn network(&self) -> OrganizationName {
        self.name.organization()
    }
    fn store(&self) -> Option<&StoreName> {
        self.store.as_ref()
    }
    fn check_unique(&self, catalog: &Catalog) -> Result<(), EditError> {
        let twins = catalog.areas.beacons(&self.identity).into_iter();
        let mut others = twins.filter(|name| **name != self.name && name.owner() == self.name.owner());
        others.next().map_or(Ok(()), |twin| Err(EditError::IdentityTaken(twin.clone())))
    }
}

/// Whether the geofence is in the catalog, and makes its spot no fuller.
pub fn is_at_its_spot(fence: &Geofence, catalog: &Catalog) -> bool {
    let had = catalog.geofences.get(&fence.name).map(|entry| &entry.value.shape);
    had.is_some_and(|had| *had == fence.shape || Spot::of(had) == Spot::of(&fence.shape))
}

/// Refuses a geofence where so many others like it are.
pub fn check_crowd(fence: &Geofence, others: usize) -> Result<(), Violations> {
    if others < MOST_AT_ONCE {
        return Ok(());
    }
    let said = format!(
        "must not be where {MOST_AT_ONCE} other geofences of {} of about its size are, for no more of them count; is it \
         where a geocoder puts what it does not find?",
        fence.name.organization()
    );
    Err(Violations::one("geofence.shape", said))
}

fn dependents(catalog: &Catalog, goes: impl Fn(&StoreName) -> bool) -> Vec<Dependent> {
    let mut dependents = members::<Geofence>(catalog, &goes, |geofence| Geofence { store: None, ..geofence });
    dependents.extend(members::<Beacon>(catalog, &goes, |beacon| Beacon { store: None, ..beacon }));
    dependents
}

fn members<P: Place>(catalog: &Catalog, goes: impl Fn(&StoreName) -> bool, release: impl Fn(P) -> P) -> Vec<Dependent> {
    let of_store = |entry: &&Entry<P>| entry.value.store().is_some_and(&goes);
    let dependent = |entry: &Entry<P>| Dependent {
        name: entry.value.place_name(),
        released: Edit::put(release(entry.value.as_ref().clone()), Expected::Version(entry.etag)),
    };
    P::table(catalog).values().filter(of_store).map(dependent).collect()
}

/// The edits that let what belongs to these stores stand alone, less the geofences that go as well.
pub fn released(
    catalog: &Catalog,
    stores: &BTreeSet<StoreName>,
    goes: impl Fn(&PlaceName) -> bool,
) -> impl Iterator<Item = Edit> {
    let dependents = if stores.is_empty() { Vec::new() } else { dependents(catalog, |store| stores.contains(store)) };
    dependents.into_iter().filter(move |dependent| !goes(&dependent.name)).map(|dependent| dependent.released)
}

/// Edits the places of networks.
pub struct Places {
    resources: Arc<Resources>,
}

impl Places {
    pub fn new(resources: Arc<Resources>) -> Self {
        Self { resources }
    }

    /// For reading, which asks for nothing more.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    pub async fn create<P: Place>(&self, place: P, author: &str) -> Result<Entry<P>, EditError> {
        let wanted = place.clone();
        self.resources
            .create(place, author, move |catalog| {
                find::<Organization>(catalog, &wanted.network())?;
                check_source(&wanted, None)?;
                check(&wanted, catalog)
            })
            .await
    }

    /// As [`Resources::update`]; `change` returns the place as it shall be, or refuses what it is.
    pub async fn update<P: Place>(
        &self,
        name: &P::Name,
        etag: Option<u64>,
        author: &str,
        change: impl Fn(&P) -> Result<P, EditError>,
    ) -> Result<Entry<P>, EditError> {
        self.resources
            .update(name, etag, author, |place, catalog| {
                let next = change(place)?;
                check_source(&next, place.source())?;
                check(&next, catalog)?;
                Ok(next)
            })
            .await
    }

    /// Deletes the place. What stands in the way is listed, unless `force`: then campaigns go on without it, and what
    /// belongs to a store stands alone from then on.
    pub async fn delete<P: Place>(
        &self,
        name: &P::Name,
        etag: Option<u64>,
        force: bool,
        author: &str,
    ) -> Result<(), EditError> {
        let now = self.resources.now();
        self.resources
            .delete(name, etag, author, |place: &P, catalog| {
                let dependents = place.dependents(catalog);
                let mut obstacles = naming(catalog, &place.place_name(), now);
                obstacles.extend(dependents.iter().map(belongs));
                if force || obstacles.is_empty() {
                    return Ok(dependents.into_iter().map(|dependent| dependent.released).collect());
                }
                Err(EditError::Refused(obstacles))
            })
            .await
    }
}

/// Syncs alone give places a source.
fn check_source<P: Place>(place: &P, had: Option<&SourceName>) -> Result<(), EditError> {
    match place.source() {
        Some(source) if Some(source) != had => {
            let had = had.map_or("empty".to_owned(), |had| format!("{had}, or empty"));
            let said = format!("must be {had}: only a sync gives a place a source; was {source}");
            let field = format!("{}.source", field_of::<P>());
            Err(EditError::Invalid(Violations::one(field, said)))
        }
        _ => Ok(()),
    }
}

/// Requests call the resource what its collection holds: `geofence.store`.
fn field_of<P: Place>() -> &'static str {
    P::COLLECTION.trim_end_matches('s')
}

fn check<P: Place>(place: &P, catalog: &Catalog) -> Result<(), EditError> {
    if let Some(store) = place.store() {
        let exists = catalog.stores.contains_key(store);
        let mut wrong = Violations::default();
        let checked = wrong.nest(field_of::<P>(), check_store(place, store, exists));
        wrong.finish(checked).map_err(EditError::Invalid)?;
    }
    place.check_unique(catalog)
}

/// Refuses a store of another organization, or one that does not exist.
pub fn check_store<P: Place>(place: &P, store: &StoreName, exists: bool) -> Result<(), Violations> {
    if store.organization() != place.network() {
        return Err(Violations::one("store", format!("must be a store of {}, was {store}", place.network())));
    }
    if exists { Ok(()) } else { Err(Violations::one("store", format!("{store} does not exist"))) }
}

fn belongs(dependent: &Dependent) -> Obstacle {
    Obstacle::new("BELONGS_TO_STORE", &dependent.name, format!("{} belongs to it", dependent.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            campaigns::Campaigns,
            fakes::{AUTHOR, at, geofence, geofence_name, owner, resources, store, store_name},
            place_use::named,
        },
        domain::{
            audience::{
                Audience, Rule,
                condition::{Count, Visited},
            },
            campaign::{Campaign, CampaignState, On},
            place::BeaconIdentity,
        },
    };

    fn beacon(id: &str, minor: u16) -> Beacon {
        Beacon {
            name: owner("acme").beacon(id).expect("sound"),
            display_name: "Door".into(),
            identity: BeaconIdentity::IBeacon { uuid: [7; 16], major: 1, minor },
            store: None,
            tags: Default::default(),
        }
    }

    #[tokio::test]
    async fn a_reference_must_exist_in_the_same_organization() {
        let places = Places::new(resources().await);
        let hanging = places.create(geofence("g", Some("1"), 80.0), AUTHOR).await;
        assert!(matches!(hanging, Err(EditError::Invalid(_))));
        let foreign = Geofence { store: Some(owner("brand").store("1").expect("sound")), ..geofence("g", None, 80.0) };
        assert!(matches!(places.create(foreign, AUTHOR).await, Err(EditError::Invalid(_))));
        let nowhere = Store { name: owner("nobody").store("1").expect("sound"), ..store("1", "Cafe") };
        assert!(matches!(places.create(nowhere, AUTHOR).await, Err(EditError::NotFound(_))));
    }

    #[tokio::test]
    async fn one_identity_is_one_beacon() {
        let places = Places::new(resources().await);
        places.create(beacon("a", 1), AUTHOR).await.expect("made");
        let taken = places.create(beacon("b", 1), AUTHOR).await.expect_err("taken");
        assert_eq!(taken.to_string(), "organizations/acme/beacons/a has this identity already");
        places.create(beacon("b", 2), AUTHOR).await.expect("made");
        let twin = places.update(&beacon("b", 2).name, None, AUTHOR, |_: &Beacon| Ok(beacon("b", 1))).await;
        assert!(matches!(twin, Err(EditError::IdentityTaken(_))));
    }

    #[tokio::test]
    async fn what_is_in_use_is_deleted_by_force_only() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        places.create(geofence("g", Some("1"), 80.0), AUTHOR).await.expect("made");
        let campaign = crate::app::campaigns::tests::campaign(On::Entered, &["stores/1"]);
        campaigns.create(campaign, AUTHOR).await.expect("made");
        crate::app::campaigns::tests::granted(&resources).await;

        let Err(EditError::Refused(obstacles)) = places.delete::<Store>(&store_name("1"), None, false, AUTHOR).await
        else {
            panic!("it is in use")
        };
        let codes: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.code).collect();
        assert_eq!(codes, ["TARGETED_BY_CAMPAIGN", "BELONGS_TO_STORE"]);

        places.delete::<Store>(&store_name("1"), None, true, AUTHOR).await.expect("deleted");
        let left: Entry<Geofence> = places.resources().get(&geofence_name("g")).await.expect("stays");
        assert_eq!(left.value.store, None);
        places.delete::<Geofence>(&geofence_name("g"), None, false, AUTHOR).await.expect("free now");
    }

    #[tokio::test]
    async fn a_store_that_only_audiences_name_is_in_use_as_well() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        for id in ["1", "2"] {
            places.create(store(id, "Cafe"), AUTHOR).await.expect("made");
        }
        crate::app::campaigns::tests::granted(&resources).await;
        let regulars =
            |id| Rule::Visits { at: Visited::Store(store_name(id)), within_days: 30, count: Count::AtLeast(3) };
        let near = || crate::app::campaigns::tests::campaign(On::Near { radius_m: 60 }, &["stores/1"]);
        let asking = |id| Campaign { audience: Audience::new(regulars(id)).expect("sound"), ..near() };
        let name = campaigns.create(asking("3"), AUTHOR).await.expect("a draft may be anything").value.name.clone();
        let activate = || campaigns.become_state(&name, CampaignState::Active, None, AUTHOR);
        let Err(EditError::Refused(found)) = activate().await else {
            panic!("nobody visited a store that is not there")
        };
        assert_eq!((found.len(), found[0].code, &*found[0].subject), (1, "STORE_MISSING", store_name("3").as_str()));
        campaigns.update(&name, None, AUTHOR, |_| Ok(asking("2"))).await.expect("a draft");
        activate().await.expect("all is there");
        let Err(EditError::Refused(found)) = places.delete::<Store>(&store_name("2"), None, false, AUTHOR).await else {
            panic!("an audience names it")
        };
        assert_eq!((found.len(), found[0].code, &found[0].subject), (1, "NAMED_BY_CAMPAIGN", &name.to_string()));
        assert!(
            named(&resources.snapshot(), at(0)).contains_key(&PlaceName::Store(store_name("2"))),
            "nor does a sync remove it"
        );
        places.delete::<Store>(&store_name("2"), None, true, AUTHOR).await.expect("by force");
        let problems: Vec<String> = resources.snapshot().areas.problems().map(|problem| problem.what).collect();
        assert_eq!(problems, [format!("{} does not exist, so nobody has visited it", store_name("2"))]);
        places.create(store("2", "Cafe"), AUTHOR).await.expect("made");
        assert_eq!(resources.snapshot().areas.problems().count(), 0, "it is there again");
    }

    #[tokio::test]
    async fn a_brand_without_a_grant_is_in_nobodys_way() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources));
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        let draft = crate::app::campaigns::tests::campaign(On::Near { radius_m: 100 }, &["stores/1"]);
        campaigns.create(draft, AUTHOR).await.expect("made");
        places.delete::<Store>(&store_name("1"), None, false, AUTHOR).await.expect("free to go");
    }
}
