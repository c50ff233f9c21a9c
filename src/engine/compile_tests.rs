//! Whatever is edited in whatever order, areas are what compiling the whole catalog makes of it.

use std::{collections::BTreeSet, fmt::Debug};

use proptest::prelude::*;

use super::{areas::Areas, boxes::DegreeBox, catalog::Catalog, entry::Mark, fixture};
use crate::domain::{
    campaign::{Campaign, CampaignState, Limits, On, Target, Trigger},
    catalog::{CatalogChange, Resource, ResourceName},
    name::OrganizationName,
    opening::OpeningHours,
    organization::{Grant, Permission},
    place::{Beacon, Geofence, PlaceName, Store},
    presence::Area,
    shape::{Polygons, Shape},
    text::{EventKey, Tag},
};

fn network(own: bool) -> OrganizationName {
    if own { fixture::acme() } else { OrganizationName::parse("organizations/mall").expect("sound") }
}

fn tags(mask: u8) -> BTreeSet<Tag> {
    (0..3).filter(|bit| mask & (1 << bit) != 0).map(|bit| Tag::new(&format!("t{bit}")).expect("sound")).collect()
}

fn a_store() -> impl Strategy<Value = Resource> {
    (any::<bool>(), 0..3u8, 0..8u8, -500.0..500.0f64, any::<bool>()).prop_map(|(own, id, mask, east, has_hours)| {
        let name = network(own).store(&id.to_string()).expect("sound");
        let opening_hours = OpeningHours::new(if has_hours { "Mo-Fr 08:00-20:00" } else { "" }).expect("sound");
        Store { name, opening_hours, tags: tags(mask), ..fixture::store("0", east) }.into()
    })
}

/// Its right angle on the quay, moved east.
fn triangle(east: f64, side_m: f64) -> Shape {
    let corner = |north: f64, east: f64| {
        let p = fixture::metres(north, east);
        [p.longitude(), p.latitude()]
    };
    let ring = vec![corner(0.0, east), corner(0.0, east + side_m), corner(side_m, east), corner(0.0, east)];
    Shape::Polygons(Polygons::new(&vec![vec![ring]]).expect("sound"))
}

fn a_geofence() -> impl Strategy<Value = Resource> {
    (any::<bool>(), 0..4u8, 0..8u8, prop::option::of(0..3u8), -500.0..500.0f64, any::<bool>()).prop_map(
        |(own, id, mask, store, east, drawn)| {
            let network = network(own);
            let mut fence = fixture::geofence("0", east, 60.0);
            if drawn {
                fence.shape = triangle(east, 90.0);
            }
            let store = store.map(|store| network.store(&store.to_string()).expect("sound"));
            let name = network.geofence(&id.to_string()).expect("sound");
            Geofence { name, store, tags: tags(mask), ..fence }.into()
        },
    )
}

fn a_beacon() -> impl Strategy<Value = Resource> {
    (0..2u8, 0..8u8, prop::option::of(0..3u8)).prop_map(|(id, mask, store)| {
        let store = store.map(|store| fixture::acme().store(&store.to_string()).expect("sound"));
        Beacon { store, tags: tags(mask), ..fixture::beacon(&id.to_string()) }.into()
    })
}

fn a_campaign() -> impl Strategy<Value = Resource> {
    let on = prop_oneof![
        Just(On::Entered),
        Just(On::Exited),
        Just(On::Dwelt { after: std::time::Duration::from_secs(60) }),
        (50..53u32).prop_map(|radius_m| On::Near { radius_m }),
        Just(On::Heard),
        Just(On::Crossed),
        prop_oneof!["a", "b"].prop_map(|key| On::AppEvent { key: EventKey::new(&key).expect("sound") }),
    ];
    let places = prop::collection::btree_set((any::<bool>(), 0..3u8, 0..4u8), 1..3).prop_map(|places| {
        let place = |(own, kind, id): (bool, u8, u8)| {
            let id = format!("{}/{}/{id}", network(own), ["stores", "geofences", "beacons"][usize::from(kind)]);
            PlaceName::parse(&id).expect("sound")
        };
        Target::Places(places.into_iter().map(place).collect())
    });
    let tagged =
        (any::<bool>(), 1..8u8).prop_map(|(own, mask)| Target::Tagged { network: network(own), tags: tags(mask) });
    let within = (-500.0..500.0f64, 50.0..600.0f64, any::<bool>()).prop_map(|(east, radius_m, drawn)| {
        Target::Within(if drawn { triangle(east, radius_m) } else { fixture::geofence("0", east, radius_m).shape })
    });
    let whole = any::<bool>().prop_map(|own| Target::Network(network(own)));
    let at = prop_oneof![4 => places, 4 => tagged, 2 => whole, 4 => within, 1 => Just(Target::Anywhere)];
    (0..4u8, on, at, any::<bool>(), any::<bool>()).prop_map(|(id, on, at, active, only_while_open)| {
        let state = if active { CampaignState::Active } else { CampaignState::Paused };
        let mut limits = Limits::default();
        let hour = |hours: u8| fixture::at(3_600 * i64::from(hours));
        (limits.starts_at, limits.ends_at) = (Some(hour(id)).filter(|_| only_while_open), Some(hour(2 * id + 1)));
        limits.schedule.only_while_open = only_while_open.then(Default::default);
        Campaign {
            state,
            limits,
            trigger: Trigger { on, at, visit: Default::default() },
            ..fixture::campaign(&id.to_string(), On::Entered, "stores/0")
        }
        .into()
    })
}

fn a_grant() -> impl Strategy<Value = Resource> {
    Just(
        Grant {
            name: network(false).grant("g").expect("sound"),
            grantee: fixture::acme(),
            permission: Permission::TargetPlaces,
        }
        .into(),
    )
}

fn an_edit() -> impl Strategy<Value = (Resource, bool)> {
    let resource = prop_oneof![4 => a_store(), 6 => a_geofence(), 2 => a_beacon(), 5 => a_campaign(), 1 => a_grant()];
    (resource, prop::bool::weighted(0.75))
}

/// Everything that can be asked of areas.
fn described(areas: &Areas) -> impl PartialEq + Debug + use<> {
    let fired = areas.fired.iter().map(|((_, area), fired)| {
        let campaigns: Vec<String> = fired.campaigns.iter().map(|c| format!("{} {:?}", c.name, c.trigger)).collect();
        (
            area.clone(),
            campaigns,
            (fired.dwells.clone(), fired.exits.clone()),
            fired.around.as_ref().map(|around| around.boxes()),
        )
    });
    let mut boxed: Vec<(Area, String)> = Vec::new();
    areas.boxes.meeting(&DegreeBox::new([-180.0, -90.0], [180.0, 90.0]), |bounds, entry| {
        let area = entry.view().area();
        assert!(entry.boxes().contains(&bounds), "a box of an older version of {entry:?}");
        assert_eq!(areas.get(&area), Some(entry.view()), "not the version that names lead to");
        assert_eq!(entry.mark(), Mark::of(&area));
        boxed.push((area, format!("{bounds:?}")));
    });
    boxed.sort();
    let nearest: Vec<_> =
        areas.nearest_stores(fixture::metres(0.0, 0.0)).map(|(s, d)| (d.to_bits(), s.name.clone())).collect();
    let identities: Vec<_> = areas.identities.keys().cloned().collect();
    let sorted = |mut list: Vec<_>| {
        list.sort();
        list
    };
    (fired.collect::<Vec<_>>(), boxed, sorted(nearest), identities, (areas.problems.clone(), areas.crowded.clone()))
}

/// The areas that a campaign means, each place asked by itself.
fn meant_of_all(catalog: &Catalog, campaign: &Campaign) -> BTreeSet<Area> {
    let (targets, on) = (&catalog.areas.targets, &campaign.trigger.on);
    let stores = catalog.stores.keys().map(|name| PlaceName::Store(name.clone()));
    let fences = catalog.geofences.keys().map(|name| PlaceName::Geofence(name.clone()));
    let beacons = catalog.beacons.keys().map(|name| PlaceName::Beacon(name.clone()));
    let areas = stores.chain(fences).chain(beacons).flat_map(|place| targets.areas_of(&place, on));
    areas.chain([Area::Anywhere]).filter(|area| targets.means(catalog, campaign, area)).collect()
}

/// So many places that an edit is never compiled from nothing.
fn crowd() -> impl Iterator<Item = Resource> {
    (0..60).map(|i| fixture::geofence(&format!("crowd{i}"), 1_000.0 + f64::from(i) * 200.0, 30.0).into())
}

#[test]
fn what_belongs_to_a_store_has_its_hours_after_an_edit_too() {
    let store = |hours: &str| {
        let opening_hours = OpeningHours::new(hours).expect("sound");
        Resource::from(Store { opening_hours, ..fixture::store("0", 0.0) })
    };
    let named = fixture::acme().store("0").expect("sound");
    let fence = Geofence { store: Some(named), ..fixture::geofence("g", 0.0, 60.0) };
    let mut campaign = fixture::campaign("c", On::Entered, "geofences/g");
    campaign.limits.schedule.only_while_open = Some(Default::default());
    let mut catalog = fixture::catalog(crowd().chain([store(""), fence.into(), campaign.into()]).collect());
    for (hours, problems) in [("Mo-Fr 08:00-20:00", 0), ("", 1)] {
        let resource = store(hours);
        let change = CatalogChange { version: catalog.version + 1, name: resource.name(), resource: Some(resource) };
        catalog = catalog.after(&[change]);
        assert_eq!(catalog.areas.problems().count(), problems, "{hours:?}");
    }
}

#[test]
fn exits_are_awaited_while_any_campaign_for_them_runs() {
    let (on, place, hour) = (On::Exited, "geofences/g", |hours: i64| fixture::at(3_600 * hours));
    let bye = |(i, (starts, ends)): (usize, (i64, i64))| {
        let mut bye = fixture::campaign(&format!("c{i}"), on.clone(), place);
        (bye.limits.starts_at, bye.limits.ends_at) = (Some(hour(starts)), Some(hour(ends)));
        Resource::from(bye)
    };
    let runs = [(5, 6), (1, 3), (0, 2), (1, 2), (3, 4), (7, 9)];
    let byes = runs.into_iter().enumerate().map(bye);
    let fence = fixture::geofence("g", 0.0, 60.0);
    let area = Area::Geofence(fence.name.clone());
    let catalog = fixture::catalog(byes.chain([fence.into()]).collect());
    let fired = catalog.areas.fired(Mark::of(&area), &area).expect("there are campaigns");
    let awaited = [(0, 4), (5, 6), (7, 9)].map(|(starts, ends)| hour(starts)..hour(ends)).to_vec();
    assert_eq!(fired.exits, [(fixture::acme(), awaited)]);
}

#[test]
fn where_an_organization_has_too_many_campaigns_is_known_after_an_edit_too() {
    let entered = |i: usize| Resource::from(fixture::campaign(&format!("c{i:03}"), On::Entered, "geofences/crowd7"));
    let mut catalog = fixture::catalog(crowd().chain((0..500).map(entered)).collect());
    for (stays, crowded) in [(true, 1), (false, 0)] {
        let (version, last) = (catalog.version + 1, entered(500));
        let change = CatalogChange { version, name: last.name(), resource: stays.then_some(last) };
        catalog = catalog.after(&[change]);
        assert_eq!(catalog.areas.crowded.len(), crowded);
        assert_eq!(described(&catalog.areas), described(&Areas::compile(&catalog)));
    }
}

#[test]
fn where_events_fire_too_many_with_those_for_anywhere_is_known_after_an_edit_too() {
    let event = || On::AppEvent { key: EventKey::new("scan").expect("sound") };
    let here = |i: usize| fixture::campaign(&format!("c{i:03}"), event(), "geofences/crowd7");
    let anywhere = |i: usize| {
        let mut campaign = here(i);
        campaign.trigger.at = Target::Anywhere;
        Resource::from(campaign)
    };
    let other = || fixture::campaign("other", On::Entered, "geofences/crowd8").into();
    let own = (0..250).map(|i| here(i).into()).chain((250..500).map(anywhere)).chain([other()]);
    let mut catalog = fixture::catalog(crowd().chain(own).collect());
    for last in [here(500).into(), anywhere(501)] {
        for (stays, crowded) in [(true, 1), (false, 0)] {
            let (version, last): (u64, Resource) = (catalog.version + 1, last.clone());
            let change = CatalogChange { version, name: last.name(), resource: stays.then_some(last) };
            catalog = catalog.after(&[change]);
            assert_eq!(catalog.areas.crowded.values().map(BTreeSet::len).sum::<usize>(), crowded);
            assert_eq!(described(&catalog.areas), described(&Areas::compile(&catalog)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn editing_ends_where_compiling_does(batches in prop::collection::vec(prop::collection::vec(an_edit(), 1..4), 1..25)) {
        let mut catalog = fixture::catalog(crowd().collect());
        for (i, batch) in batches.into_iter().enumerate() {
            let change = |(resource, stays): (Resource, bool)| {
                let name: ResourceName = resource.name();
                CatalogChange { version: i as u64 + 2, name, resource: stays.then_some(resource) }
            };
            let changes: Vec<CatalogChange> = batch.into_iter().map(change).collect();
            let next: Catalog = catalog.after(&changes);
            prop_assert_eq!(described(&next.areas), described(&Areas::compile(&next)), "after {:?}", changes);
            for campaign in next.campaigns.values().map(|entry| &entry.value) {
                let meant: BTreeSet<Area> = next.areas.targets.meant(&next, campaign).collect();
                prop_assert_eq!(meant, meant_of_all(&next, campaign), "{:?} after {:?}", campaign.trigger, changes);
            }
            catalog = next;
        }
    }
}
