//! The rule of presence as people would tell it, fix by fix.

use super::*;
use crate::{
    domain::{
        campaign::{Campaign, CampaignState, On},
        catalog::{CatalogChange, ResourceName},
        geo::Position,
        ping::Sighting,
    },
    engine::fixture::{at, campaign, catalog, geofence, here, metres, ping, store},
};

/// A device walking through one world.
pub struct Walk {
    pub catalog: crate::engine::catalog::Catalog,
    pub presence: DevicePresence,
}

impl Walk {
    pub fn around(radius_m: f64) -> Self {
        Self { catalog: catalog(vec![geofence("quay", 0.0, radius_m).into()]), presence: DevicePresence::default() }
    }

    pub fn ping(&mut self, ping: &Ping) -> Vec<(TransitionKind, Timestamp, bool)> {
        let step = step(&Known::of(&self.catalog.areas), &self.presence, ping);
        self.presence = step.presence;
        step.transitions.into_iter().map(|t| (t.kind, t.at, t.stale)).collect()
    }

    pub fn fix(&mut self, seconds: i64, position: Position, accuracy: f64) -> Vec<(TransitionKind, Timestamp, bool)> {
        self.ping(&ping(seconds, &[(seconds, position, accuracy)]))
    }
}

#[test]
fn a_sure_fix_enters_at_once_and_only_once() {
    let mut walk = Walk::around(100.0);
    assert_eq!(walk.fix(0, metres(0.0, 0.0), 5.0), [(TransitionKind::Entered, at(0), false)]);
    assert_eq!(walk.fix(30, metres(0.0, 10.0), 5.0), []);
}

#[test]
fn a_likely_fix_needs_a_second_one_twenty_seconds_later() {
    let mut walk = Walk::around(100.0);
    let edge = metres(0.0, 70.0);
    assert_eq!(walk.fix(0, edge, 60.0), []);
    assert_eq!(walk.fix(19, edge, 60.0), []);
    assert_eq!(walk.fix(20, edge, 60.0), [(TransitionKind::Entered, at(0), false)]);
}

#[test]
fn a_repeated_fix_cannot_confirm_itself() {
    let mut walk = Walk::around(100.0);
    let retried = |received| {
        let mut ping = ping(0, &[(0, metres(0.0, 70.0), 60.0)]);
        ping.clock.received_at = at(received);
        ping.fixes[0].read.event = at(received);
        ping
    };
    assert_eq!(walk.ping(&retried(0)), []);
    assert_eq!(walk.ping(&retried(25)), []);
}

#[test]
fn a_fix_of_a_whole_city_moves_nobody() {
    let mut walk = Walk::around(400.0);
    assert_eq!(walk.fix(0, metres(0.0, 0.0), 5_000.0), []);
    walk.fix(10, metres(0.0, 0.0), 5.0);
    assert_eq!(walk.fix(20, metres(0.0, 9_000.0), 17_000.0), [], "tracker users get false exits from such fixes");
}

#[test]
fn leaving_needs_margin_and_time() {
    let mut walk = Walk::around(100.0);
    walk.fix(0, metres(0.0, 0.0), 5.0);
    walk.fix(50, metres(0.0, 90.0), 5.0);
    assert_eq!(walk.fix(60, metres(0.0, 110.0), 5.0), [], "within the margin of 25 m");
    assert_eq!(walk.fix(70, metres(0.0, 130.0), 5.0), []);
    assert_eq!(walk.fix(129, metres(0.0, 130.0), 5.0), []);
    let exit = (TransitionKind::Exited(Duration::from_secs(50)), at(50), false);
    assert_eq!(walk.fix(130, metres(0.0, 130.0), 5.0), [exit]);
}

#[test]
fn three_margins_away_is_left_at_once() {
    let mut walk = Walk::around(100.0);
    walk.fix(0, metres(0.0, 0.0), 5.0);
    assert_eq!(walk.fix(40, metres(0.0, 180.0), 5.0).len(), 1);
    assert_eq!(walk.fix(50, metres(0.0, 180.0), 5.0), [], "what was left cannot be left again");
}

#[test]
fn an_old_backlog_is_history_unless_it_ends_fresh_and_inside() {
    let centre = metres(0.0, 0.0);
    let mut walk = Walk::around(100.0);
    let old = walk.ping(&ping(3_600, &[(0, centre, 5.0), (60, metres(0.0, 900.0), 5.0)]));
    assert!(old.len() == 2 && old.iter().all(|(_, _, stale)| *stale));
    let mut walk = Walk::around(100.0);
    let fresh = walk.ping(&ping(3_600, &[(0, centre, 5.0), (3_590, centre, 5.0)]));
    assert_eq!(fresh, [(TransitionKind::Entered, at(0), false)]);
}

#[test]
fn out_of_order_fixes_change_nothing_but_a_set_clock_starts_anew() {
    let mut walk = Walk::around(100.0);
    walk.fix(100, metres(0.0, 900.0), 5.0);
    assert_eq!(walk.fix(50, metres(0.0, 0.0), 5.0), []);
    let mut set_back = here(200, metres(0.0, 0.0));
    set_back.clock.sent_at = at(-3_600);
    set_back.fixes[0].read = set_back.clock.reading(at(-3_600));
    assert_eq!(walk.ping(&set_back), [(TransitionKind::Entered, at(200), false)]);
}

#[test]
fn silence_and_deletion_close_a_visit_when_it_was_last_seen() {
    let mut walk = Walk::around(100.0);
    walk.fix(0, metres(0.0, 0.0), 5.0);
    walk.fix(600, metres(0.0, 0.0), 5.0);
    let later = 600 + 4 * 3_600 + 1;
    let exit = (TransitionKind::Exited(Duration::from_secs(600)), at(600), true);
    assert_eq!(walk.fix(later, metres(0.0, 0.0), 5.0), [exit, (TransitionKind::Entered, at(later), false)]);

    let gone = geofence("quay", 0.0, 100.0).name;
    walk.catalog = walk.catalog.after(&[CatalogChange { version: 2, name: gone.into(), resource: None }]);
    let exit = (TransitionKind::Exited(Duration::ZERO), at(later), true);
    assert_eq!(walk.fix(later + 9, metres(0.0, 0.0), 5.0), [exit]);
}

#[test]
fn nobody_leaves_a_store_because_its_campaign_was_paused() {
    let near = campaign("near", On::Near { radius_m: 100 }, "stores/1");
    let mut walk = Walk::around(100.0);
    walk.catalog = catalog(vec![store("1", 0.0).into(), near.clone().into()]);
    assert_eq!(walk.fix(0, metres(0.0, 0.0), 5.0).len(), 1);
    let paused = Campaign { state: CampaignState::Paused, ..near.clone() };
    let say = |version, name: ResourceName, resource| CatalogChange { version, name, resource };
    walk.catalog = walk.catalog.after(&[say(2, near.name.clone().into(), Some(paused.into()))]);
    assert_eq!(walk.fix(60, metres(0.0, 0.0), 5.0), []);
    assert!(walk.presence.areas.is_empty());

    walk.catalog = walk.catalog.after(&[say(3, near.name.clone().into(), Some(near.into()))]);
    assert_eq!(walk.fix(120, metres(0.0, 0.0), 5.0), [], "nor enters it because the campaign goes on");
    walk.catalog = walk.catalog.after(&[say(4, store("1", 0.0).name.into(), None)]);
    let kinds: Vec<_> = walk.fix(180, metres(0.0, 0.0), 5.0).iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, [TransitionKind::Exited(Duration::ZERO)], "but the store may go");
}

#[test]
fn two_chance_fixes_hours_apart_are_no_entry() {
    let mut walk = Walk::around(100.0);
    let edge = metres(0.0, 70.0);
    assert_eq!(walk.fix(0, edge, 60.0), []);
    assert_eq!(walk.fix(16 * 3_600, edge, 60.0), [], "the first is forgotten");
    assert_eq!(walk.fix(16 * 3_600 + 20, edge, 60.0).len(), 1, "this one begins anew");
}

#[test]
fn a_backlog_revives_nothing_of_an_earlier_visit() {
    let (centre, away) = (metres(0.0, 0.0), metres(0.0, 900.0));
    let mut walk = Walk::around(100.0);
    let day = walk.ping(&ping(21_600, &[(0, centre, 5.0), (3_600, away, 5.0), (21_590, centre, 5.0)]));
    let stale: Vec<bool> = day.iter().map(|(_, _, stale)| *stale).collect();
    assert_eq!(stale, [true, true, false], "entered and left in the morning, entered now");
}

#[test]
fn one_reading_from_the_future_silences_nobody() {
    let mut walk = Walk::around(100.0);
    let far = 20 * 365 * 86_400;
    walk.fix(0, metres(0.0, 900.0), 5.0);
    walk.ping(&ping(10, &[(far, metres(0.0, 900.0), 5.0)]));
    assert_eq!(walk.fix(20, metres(0.0, 0.0), 5.0).len(), 1);
}

#[test]
fn readings_from_ahead_of_the_clock_cannot_confirm_themselves() {
    let likely = |sent, stamps: &[i64]| {
        let fixes: Vec<_> = stamps.iter().map(|stamp| (*stamp, metres(0.0, 70.0), 60.0)).collect();
        ping(sent, &fixes)
    };
    for stamps in [&[180][..], &[178, 180], &[-5, 180]] {
        let mut walk = Walk::around(100.0);
        assert_eq!(walk.ping(&likely(0, stamps)), []);
        for later in [5, 25, 70, 150, 200] {
            assert_eq!(walk.ping(&likely(later, stamps)), [], "{stamps:?} sent again after {later} s");
        }
        // Of those from ahead the newest was read at 0.
        let first = if stamps[0] < 0 { stamps[0] } else { stamps[0] - 180 };
        let entered = (TransitionKind::Entered, at(first), false);
        assert_eq!(walk.ping(&likely(210, &[390])), [entered], "the next one does");
    }
}

#[test]
fn a_reading_from_ahead_is_known_still_when_the_clock_has_come_as_far() {
    let (inside, outside) = (metres(0.0, 0.0), metres(0.0, 900.0));
    let mut walk = Walk::around(100.0);
    assert_eq!(walk.ping(&ping(0, &[(50, inside, 5.0)])).len(), 1);
    assert_eq!(walk.ping(&ping(20, &[(20, outside, 5.0)])).len(), 1, "by a slower clock it was read later");
    for later in [30, 51, 90, 3_600] {
        assert_eq!(walk.ping(&ping(later, &[(50, inside, 5.0)])), [], "sent again after {later} s");
    }
    assert_eq!(walk.ping(&ping(3_700, &[(3_700, inside, 5.0)])).len(), 1);
}

#[test]
fn readings_from_ahead_are_no_earlier_than_what_came_before_them() {
    let (inside, outside) = (metres(0.0, 0.0), metres(0.0, 900.0));
    let mut walk = Walk::around(100.0);
    walk.fix(2_000, inside, 5.0);
    let sent = ping(2_060, &[(5_060, outside, 5.0), (5_660, inside, 5.0)]);
    assert_eq!(walk.ping(&sent), [], "ten minutes before now the first was read: before the known one");
    let mut walk = Walk::around(100.0);
    walk.ping(&ping(2_000, &[(5_000, inside, 5.0)]));
    let told = walk.ping(&ping(2_001, &[(5_600, outside, 5.0), (6_800, inside, 5.0)]));
    assert_eq!(told.iter().map(|(_, at, _)| *at).collect::<Vec<_>>(), [at(2_000), at(2_001)]);
}

#[test]
fn sightings_do_not_outdate_fixes() {
    let mut walk = Walk::around(100.0);
    let mut heard = ping(10, &[]);
    let beacon = crate::engine::fixture::beacon("door").identity;
    heard.sightings = vec![Sighting { beacon, rssi_dbm: None, read: heard.clock.reading(at(10)) }];
    walk.ping(&heard);
    assert_eq!(walk.ping(&ping(11, &[(8, metres(0.0, 0.0), 5.0)])).len(), 1, "read before, sent after");
}

#[test]
fn a_place_that_opens_around_somebody_is_not_entered() {
    let mut walk = Walk::around(100.0);
    let centre = metres(0.0, 0.0);
    let quay = geofence("quay", 0.0, 100.0);
    let change = |version, resource| CatalogChange { version, name: quay.name.clone().into(), resource };
    walk.catalog = walk.catalog.after(&[change(2, None)]);
    walk.fix(0, centre, 5.0);
    walk.catalog = walk.catalog.after(&[change(3, Some(quay.clone().into()))]);
    assert_eq!(walk.fix(60, centre, 5.0), []);
    assert_eq!(walk.fix(120, metres(0.0, 900.0), 5.0).len(), 1, "but it is left");
    assert_eq!(walk.fix(180, centre, 5.0).len(), 1, "and entered then");
}

#[test]
fn a_place_that_opens_around_who_was_likely_there_is_not_entered() {
    let (near, quay) = (metres(0.0, 70.0), geofence("quay", 0.0, 100.0));
    // Accuracies of the fix before it opens, and of those after: 60 m is likely inside, 90 m is not, 5 m is sure.
    for after in [&[60.0, 60.0][..], &[5.0], &[60.0, 5.0], &[90.0, 60.0, 60.0]] {
        let mut walk = Walk { catalog: catalog(Vec::new()), presence: DevicePresence::default() };
        walk.fix(0, near, 60.0);
        let opened = CatalogChange { version: 2, name: quay.name.clone().into(), resource: Some(quay.clone().into()) };
        walk.catalog = walk.catalog.after(&[opened]);
        for (seconds, accuracy) in (60..).step_by(20).zip(after) {
            assert_eq!(walk.fix(seconds, near, *accuracy), [], "{after:?} at {seconds} s");
        }
        assert_eq!(walk.fix(200, metres(0.0, 900.0), 5.0).len(), 1, "but it is left");
        assert_eq!(walk.fix(260, near, 5.0).len(), 1, "and entered then");
    }
    let mut walk = Walk { catalog: catalog(Vec::new()), presence: DevicePresence::default() };
    walk.fix(0, metres(0.0, 95.0), 90.0);
    walk.catalog = catalog(vec![quay.into()]);
    assert_eq!(walk.fix(60, near, 5.0).len(), 1, "who was hardly there enters");
}

#[test]
fn a_longer_dwell_hides_no_shorter_one_that_opens_later() {
    let mut walk = Walk::around(100.0);
    let dwell = |id: &str, minutes: u64| {
        let on = On::Dwelt { after: Duration::from_secs(60 * minutes) };
        let resource = campaign(id, on, "geofences/quay");
        CatalogChange { version: 2, name: resource.name.clone().into(), resource: Some(resource.into()) }
    };
    let mut told = |opened: &[CatalogChange], minute: i64| {
        walk.catalog = walk.catalog.after(opened);
        let told = walk.fix(60 * minute, metres(0.0, 0.0), 5.0);
        told.into_iter().map(|(kind, at, _)| (kind, at)).collect::<Vec<_>>()
    };
    let dwelt = |minutes: i64| (TransitionKind::Dwelt(Duration::from_secs(60 * minutes as u64)), at(60 * minutes));
    assert_eq!(told(&[dwell("a", 30)], 0).len(), 1, "entered");
    assert_eq!(told(&[], 40), [dwelt(30)]);
    assert_eq!(told(&[dwell("b", 10), dwell("c", 50)], 45), [dwelt(10)]);
    assert_eq!(told(&[dwell("d", 10), dwell("e", 30)], 49), [], "each once in a visit");
    assert_eq!(told(&[], 50), [dwelt(50)]);
}

#[test]
fn a_backlog_costs_no_exit_its_offer() {
    let (inside, outside) = (metres(0.0, 0.0), metres(0.0, 900.0));
    // Fixes of a ping 370 s after the last one inside, and whether the exit in it is history.
    for (fixes, stale) in [
        (&[(370, outside)][..], false),
        (&[(220, outside), (370, outside)], false),
        (&[(220, outside)], true),
        (&[(100, outside), (220, inside), (370, outside)], true),
    ] {
        let mut walk = Walk::around(100.0);
        walk.fix(0, inside, 5.0);
        let fixes: Vec<_> = fixes.iter().map(|(read, place)| (*read, *place, 5.0)).collect();
        let told = walk.ping(&ping(370, &fixes));
        assert_eq!(told[0], (TransitionKind::Exited(Duration::ZERO), at(0), stale), "{fixes:?}: {told:?}");
    }
    // The newest fix is in the middle, but not likely so; or nobody knows where.
    for accuracy in [300.0, 2_000.0] {
        let mut walk = Walk::around(100.0);
        walk.fix(0, inside, 5.0);
        let told = walk.ping(&ping(370, &[(220, outside, 5.0), (370, inside, accuracy)]));
        assert_eq!(told, [(TransitionKind::Exited(Duration::ZERO), at(0), true)], "{accuracy}");
    }
    let mut walk = Walk::around(100.0);
    walk.fix(0, inside, 5.0);
    let late = walk.ping(&ping(700, &[(500, outside, 5.0), (700, outside, 5.0)]));
    assert!(late[0].2, "eleven minutes later it is no news: {late:?}");
}

#[test]
fn an_exit_that_is_learnt_late_is_history() {
    let mut walk = Walk::around(100.0);
    walk.fix(0, metres(0.0, 0.0), 5.0);
    assert_eq!(walk.fix(3 * 3_600, metres(0.0, 9_000.0), 5.0), [(TransitionKind::Exited(Duration::ZERO), at(0), true)]);
}

#[test]
fn of_fixes_of_one_moment_the_most_accurate_counts_in_whatever_order_they_are_sent() {
    let (rough, good) = ((10, metres(0.0, 900.0), 2_000.0), (10, metres(0.0, 0.0), 10.0));
    for fixes in [[rough, good], [good, rough]] {
        let mut walk = Walk::around(100.0);
        let step = step(&Known::of(&walk.catalog.areas), &walk.presence, &ping(10, &fixes));
        assert_eq!((step.transitions.len(), step.out_of_order, step.inaccurate), (1, 0, false), "{fixes:?}");
        walk.presence = step.presence;
        assert_eq!(walk.ping(&ping(11, &fixes)), [], "sent again");
        let mut mocked = ping(20, &fixes.map(|(_, place, accuracy)| (20, place, accuracy)));
        let worst = ping(20, &[(20, rough.1, rough.2)]).fixes[0];
        mocked.fixes.push(Fix { mocked: true, ..worst });
        assert!(mocked.in_order().is_suspect(), "no tool hides behind a better fix");
    }
}

/// Entries that one phone standing so far from the centre of a circle makes with fixes 20 s apart.
pub fn entries_at(radius_m: f64, from_center_m: f64, accuracy_m: f64, fixes: i64) -> usize {
    let mut walk = Walk::around(radius_m);
    let steps = (0..fixes).map(|i| walk.fix(20 * i, metres(0.0, from_center_m), accuracy_m).len());
    steps.sum()
}
