//! What is asked alike by many conditions of one ping is looked up once.

use std::cell::Cell;

use super::{
    tests::{DAY, network, with_points, world},
    *,
};
use crate::{
    domain::{
        audience::{
            condition::{Ago, Count, PlaceTest, Visited},
            samples,
        },
        consent::Purpose,
        opening::OpeningHours,
        place::Store,
        visits::VisitedPlace,
    },
    engine::fixture::{app, at, person, store},
};

#[test]
fn whether_a_store_is_open_is_looked_up_once_for_all_who_ask() {
    let (ann, app, catalog) = (person(), app(), Catalog::default());
    let (device, now) = (ann.devices.values().next().expect("one"), at(0));
    let around = Around { now, zone: &app.time_zone, device, catalog: &catalog, visits: None, stays: &|_, _| None };
    let (person, campaign) = (Person::new(&ann, None, around), samples::brand().campaign("0").expect("sound"));
    let open = Audience::new(Rule::Place(PlaceTest::OpenNow)).expect("sound");
    let is_open = |hours: &str| {
        let cafe = Store { opening_hours: OpeningHours::new(hours).expect("readable"), ..store("cafe", 0.0) };
        let (place, store) = (Some(PlaceName::Store(cafe.name.clone())), Some(&cafe));
        let site = Site {
            campaign: &campaign,
            place,
            tags: &cafe.tags,
            store,
            distance_m: None,
            at: now,
            in_segment: false,
            segments: RefCell::default(),
        };
        person.missing_from(&open, &site).is_none()
    };
    assert!(is_open("24/7"));
    // Whoever looked again would see that the hours are others.
    assert!(is_open("13:00-14:00"));
}

#[test]
fn what_many_conditions_ask_alike_is_looked_through_once() {
    let (ann, app) = (with_points(&Purpose::ALL), app());
    let catalog = world(Rule::LastVisit { at: Visited::Here, ago: Ago::AtMost { days: 30 } }, Rule::All(vec![]));
    let place = PlaceName::Store(network("acme").store("1").expect("sound"));
    let visits = Visits::new(vec![VisitedPlace { place: place.clone(), begun: vec![at(-40 * DAY)] }]);
    let (device, now, looks) = (ann.devices.values().next().expect("one"), at(0), Cell::new(0));
    let stays = |_: &PlaceName, _: Timestamp| {
        looks.set(looks.get() + 1);
        None
    };
    let around = Around { now, zone: &app.time_zone, device, catalog: &catalog, visits: Some(&visits), stays: &stays };
    let (person, campaign) = (Person::new(&ann, ann.consents.permit(), around), samples::brand().campaign("0"));
    let site = Site {
        campaign: &campaign.expect("sound"),
        place: Some(place),
        tags: &BTreeSet::new(),
        store: None,
        distance_m: None,
        at: now,
        in_segment: false,
        segments: RefCell::default(),
    };
    let is_in = |rules| person.missing_from(&Audience::new(Rule::All(rules)).expect("small"), &site).is_none();
    let segment = Rule::Segment(samples::brand().segment("0").expect("sound"));
    assert!(is_in(vec![Rule::Not(Box::new(segment)); 20]) && looks.get() == 1);
    let tags = BTreeSet::from([Tag::new("cafe").expect("sound")]);
    let often = |within_days| Rule::Visits {
        at: Visited::Tagged { network: network("acme"), tags: tags.clone() },
        within_days,
        count: Count::AtLeast(1),
    };
    assert!(is_in((41..61).map(often).collect()) && !is_in(vec![often(40)]));
    assert_eq!(person.tagged.borrow().len(), 1);
}
