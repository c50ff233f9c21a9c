//! Many areas over each other: found as surely as few, and no more of them than a ping bears.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    catalog::Catalog,
    crowd::MOST_AT_ONCE,
    fixture::{at, catalog, geofence, metres, ping},
    known::Known,
    presence, silence,
};
use crate::domain::presence::{DevicePresence, Transition, TransitionKind};

/// What a walk along these metres to the east does, a fix each half minute.
fn walked(catalog: &Catalog, walk: &[f64]) -> (DevicePresence, Vec<Transition>) {
    let (mut device, mut transitions) = (DevicePresence::default(), Vec::new());
    for (i, east) in walk.iter().enumerate() {
        let now = 30 * i as i64;
        let ping = ping(now, &[(now, metres(0.0, *east), 8.0)]);
        let step = presence::step(&Known::of(&catalog.areas), &device, &ping);
        device = step.presence;
        transitions.extend(step.transitions);
    }
    transitions.sort_by(|a, b| (a.at, &a.area).cmp(&(b.at, &b.area)));
    (device, transitions)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn of_many_areas_each_is_as_if_it_were_alone(
        circles in prop::collection::vec((-300.0..300.0f64, 50.0..600.0f64), 20..120),
        walk in prop::collection::vec(-700.0..700.0f64, 1..10),
    ) {
        let fence = |(i, &(east, radius_m)): (usize, &(f64, f64))| geofence(&format!("f{i}"), east, radius_m);
        let fences: Vec<_> = circles.iter().enumerate().map(fence).collect();
        let (device, together) = walked(&catalog(fences.iter().cloned().map(Into::into).collect()), &walk);
        let mut alone = Vec::new();
        for fence in fences {
            let (one, transitions) = walked(&catalog(vec![fence.into()]), &walk);
            alone.extend(transitions);
            for (area, belief) in one.areas.iter() {
                let also = device.areas.iter().find(|(other, _)| *other == area);
                prop_assert_eq!(also.map(|(_, belief)| belief), Some(belief));
            }
        }
        alone.sort_by(|a, b| (a.at, &a.area).cmp(&(b.at, &b.area)));
        prop_assert_eq!(together, alone);
    }
}

#[test]
fn of_more_areas_than_anybody_needs_the_smallest_count() {
    let count = MOST_AT_ONCE + 400;
    let fences = (0..count).map(|i| geofence(&format!("f{i}"), 0.0, 500.0 + i as f64).into());
    let catalog = catalog(fences.collect());
    let smallest: BTreeSet<String> = (0..MOST_AT_ONCE).map(|i| format!("organizations/acme/geofences/f{i}")).collect();
    let (device, transitions) = walked(&catalog, &[0.0, 50.0, 10.0]);
    let entered: BTreeSet<String> = transitions.iter().map(|entered| entered.area.to_string()).collect();
    assert!(entered == smallest && transitions.len() == MOST_AT_ONCE, "{} entries", transitions.len());
    let next = silence::next(&Known::of(&catalog.areas), &device, None, at(60));
    assert_eq!(next.safe_radius_m.round(), 484.0, "whoever leaves the smallest is in one that did not count before");
    let (_, transitions) = walked(&catalog, &[0.0, 50.0, 3_000.0, 3_100.0]);
    let left = transitions.iter().filter(|left| matches!(left.kind, TransitionKind::Exited(_)));
    assert!(left.map(|left| left.area.to_string()).collect::<BTreeSet<_>>() == smallest, "they end as they began");
}

#[test]
fn a_shop_under_a_thousand_circles_is_entered_all_the_same() {
    let fences = (0..2 * MOST_AT_ONCE).map(|i| geofence(&format!("f{i}"), 0.0, 5_000.0 + i as f64).into());
    let shop = geofence("shop", 1_000.0, 60.0).into();
    let (_, transitions) = walked(&catalog(fences.chain([shop]).collect()), &[0.0, 500.0, 1_000.0, 1_010.0]);
    let at_shop = transitions.iter().filter(|transition| transition.area.to_string().ends_with("/shop"));
    assert_eq!(at_shop.map(|transition| transition.kind).collect::<Vec<_>>(), [TransitionKind::Entered]);
    assert!(transitions.iter().all(|transition| transition.kind == TransitionKind::Entered), "nobody left the others");
}
