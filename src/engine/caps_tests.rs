//! Caps and cool-downs against an oracle that looks at every offer by its civil date.

use std::{sync::Arc, time::Duration};

use jiff::civil::Date;
use proptest::prelude::*;

use super::{
    caps::Given,
    fixture::{DAY, acme, app, at, campaign, device_name, person},
};
use crate::domain::{
    campaign::{Campaign, MAX_WINDOW, On, Priority},
    cap::{Cap, CivilPeriod, Within},
    decision::Reason,
    name::CampaignName,
    offer::{GivenOffer, OfferId},
    organization::{App, BrandLimits, Share, Shares},
    profile::{MAX_GHOSTS, MAX_IDLE_OFFERS, Profile},
    time::{TimeZone, Timestamp},
};

/// Two of acme, one of another brand.
fn campaigns() -> [CampaignName; 3] {
    let other = crate::domain::name::OrganizationName::parse("organizations/brand").expect("sound");
    [("a", acme()), ("b", acme()), ("c", other)].map(|(id, brand)| brand.campaign(id).expect("sound"))
}

fn given(campaign: &CampaignName, offered_at: Timestamp) -> GivenOffer {
    GivenOffer::new(OfferId::new(offered_at, 7), campaign.clone(), device_name(), offered_at)
}

fn class(priority: Priority) -> Campaign {
    Campaign { priority, ..campaign("x", On::Heard, "beacons/x") }
}

fn with(offers: Vec<GivenOffer>) -> Profile {
    let mut profile = person();
    profile.offers = Arc::new(offers);
    profile
}

fn offer() -> impl Strategy<Value = GivenOffer> {
    // Many lately, some long ago.
    let ago = prop_oneof![0..200_000i64, 0..8_000_000i64];
    let returned = (any::<bool>(), any::<bool>());
    (0..3usize, ago, returned, (0..3u8, any::<bool>())).prop_map(|(index, ago, (returned, shown), (class, ghost))| {
        let offered_at = at(-ago);
        let after = |is: bool| is.then_some(offered_at + Duration::from_secs(1));
        let priority = Priority::ALL[usize::from(class)];
        let offer = given(&campaigns()[index], offered_at);
        GivenOffer { returned_at: after(returned), shown_at: after(shown), priority, ghost, ..offer }
    })
}

fn cap() -> impl Strategy<Value = Cap> {
    let window = (1..7_000_000u64).prop_map(|seconds| Within::Window(Duration::from_secs(seconds)));
    let period = prop_oneof![Just(CivilPeriod::Day), Just(CivilPeriod::Week), Just(CivilPeriod::Month)];
    (1..5u32, prop_oneof![window, period.prop_map(Within::Period)]).prop_map(|(offers, within)| Cap { offers, within })
}

/// Whether both moments are in one window, or in one civil period by the calendar's words.
fn together(within: Within, zone: &TimeZone, then: Timestamp, now: Timestamp) -> bool {
    let (then_on, now_on) = (zone.local(then).date(), zone.local(now).date());
    let week = |date: Date| (date.iso_week_date().year(), date.iso_week_date().week());
    match within {
        Within::Window(window) => now.since(then) < window,
        Within::Period(CivilPeriod::Day) => then_on == now_on,
        Within::Period(CivilPeriod::Week) => week(then_on) == week(now_on),
        Within::Period(CivilPeriod::Month) => (then_on.year(), then_on.month()) == (now_on.year(), now_on.month()),
    }
}

fn zone() -> impl Strategy<Value = TimeZone> {
    let names = vec!["Europe/Rome", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"];
    prop::sample::select(names).prop_map(|name| TimeZone::new(name).expect("known"))
}

fn number(offers: impl Iterator) -> u32 {
    offers.count() as u32
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn caps_and_cool_downs_are_what_the_calendar_says(
        offers in prop::collection::vec(offer(), 0..12),
        caps in prop::collection::vec(cap(), 1..4),
        cool_down in prop_oneof![Just(0u64), 1..300_000u64],
        zone in zone(),
        // Through the change of clocks in autumn.
        later in 0..15_000_000i64,
    ) {
        let now = at(later);
        let offers: Vec<_> = offers.into_iter().map(|mut offer| {
            let ago = at(0).since(offer.offered_at);
            let moved = |time: Option<Timestamp>| time.map(|_| now - ago + Duration::from_secs(1));
            (offer.returned_at, offer.shown_at) = (moved(offer.returned_at), moved(offer.shown_at));
            offer.offered_at = now - ago;
            offer
        }).collect();
        let (app, cool_down) = (app(), Duration::from_secs(cool_down));
        let profile = with(offers.clone());
        let spent = Given::to(&profile, (&app, &zone), now);
        let mut first = campaign("a", On::Heard, "beacons/x");
        (first.limits.per_profile, first.limits.cool_down) = (caps.clone(), cool_down);

        let count = |of: &dyn Fn(&GivenOffer) -> bool| -> Vec<GivenOffer> {
            offers.iter().filter(|offer| of(offer) && (!offer.ghost || offer.campaign == first.name) && (offer.returned_at.is_none() || offer.shown_at.is_some())).cloned().collect()
        };
        let expected = |own: Vec<GivenOffer>| {
            let full = caps.iter().find(|cap| {
                number(own.iter().filter(|offer| together(cap.within, &zone, offer.offered_at, now))) >= cap.offers
            });
            let rests = own.iter().any(|offer| now.since(offer.offered_at) < cool_down);
            (full.copied(), rests)
        };
        let own = expected(count(&|offer| offer.campaign == first.name));
        match spent.of_campaign(&first).next() {
            Some(Reason::CampaignCap { most, within, given }) => {
                prop_assert_eq!(Some(Cap { offers: most, within }), own.0);
                prop_assert!(given >= most);
            }
            Some(Reason::CoolDown { until }) => prop_assert!(own == (None, true) && now < until),
            None => prop_assert_eq!(own, (None, false)),
            other => prop_assert!(false, "{:?}", other),
        }
        let brand = expected(count(&|offer| offer.campaign.owner() == "organizations/acme"));
        match spent.of_brand(&first.name, &BrandLimits { per_profile: caps.clone(), cool_down }).next() {
            Some(Reason::BrandCap { most, within, .. }) => prop_assert_eq!(Some(Cap { offers: most, within }), brand.0),
            Some(Reason::BrandCoolDown { .. }) => prop_assert_eq!(brand, (None, true)),
            None => prop_assert_eq!(brand, (None, false)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn lower_classes_leave_of_the_day_what_is_not_theirs(
        wanted in prop::collection::vec(0..3usize, 0..40),
        daily in 1..12u32,
        (low, normal) in (1..=100u32, 1..=100u32),
    ) {
        let share = |percent| Share::new(percent).expect("sound");
        let app = App { daily_offers: daily, shares: Shares { low: share(low), normal: share(normal) }, ..app() };
        let (profile, utc) = (with(Vec::new()), TimeZone::utc());
        let classes = Priority::ALL;
        let campaigns = classes.map(class);
        let mut spent = Given::to(&profile, (&app, &utc), at(0));
        let mut got = [0u32; 3];
        for class in wanted.iter().copied() {
            let bound = [(daily * low.min(normal) / 100).max(1), (daily * normal / 100).max(1), daily][class];
            let lower: u32 = got[..=class].iter().sum();
            let has_room = got.iter().sum::<u32>() < daily && lower < bound;
            prop_assert_eq!(spent.of_app(&campaigns[class]).next().is_none(), has_room);
            if has_room {
                spent.add(&campaigns[class]);
                got[class] += 1;
            }
        }
        // Whatever came before: high ones find room until all is used.
        prop_assert_eq!(spent.of_app(&campaigns[2]).next().is_none(), got.iter().sum::<u32>() < daily);
    }
}

#[test]
fn by_default_low_ones_get_one_of_three_and_normal_ones_all() {
    let app = app();
    let most = Priority::ALL.map(|priority| app.share_of(priority));
    assert_eq!(most, [1, 3, 3]);
    let (utc, offer) = (TimeZone::utc(), given(&campaigns()[0], at(-60)));
    let low = with(vec![GivenOffer { priority: Priority::Low, ..offer.clone() }]);
    let refused = Given::to(&low, (&app, &utc), at(0)).of_app(&class(Priority::Low)).next().expect("its share");
    assert_eq!(refused.to_string(), "of 3 offers a day 1 may be of low or lower priority, and 1 were");
    assert_eq!(Given::to(&low, (&app, &utc), at(0)).of_app(&class(Priority::Normal)).next(), None);
    let normal = with(vec![offer]);
    assert_eq!(
        Given::to(&normal, (&app, &utc), at(0)).of_app(&class(Priority::Low)).next(),
        None,
        "others' do not count"
    );
}

#[test]
fn an_app_leaves_its_people_alone_between_any_two() {
    let app = App { cool_down: Duration::from_secs(600), ..app() };
    let (utc, profile) = (TimeZone::utc(), with(vec![given(&campaigns()[2], at(-599))]));
    let refused = Given::to(&profile, (&app, &utc), at(0)).of_app(&class(Priority::High)).next();
    assert_eq!(refused, Some(Reason::AppCoolDown { until: at(1) }));
    assert_eq!(Given::to(&profile, (&app, &utc), at(1)).of_app(&class(Priority::High)).next(), None);
    let nobody = with(Vec::new());
    let mut spent = Given::to(&nobody, (&app, &utc), at(0));
    let first = campaign("a", On::Heard, "beacons/x");
    spent.add(&first);
    assert_eq!(
        spent.of_app(&class(Priority::High)).next().map(|reason| reason.code()),
        Some("APP_COOL_DOWN"),
        "of one ping, too"
    );
}

#[test]
fn who_redeemed_gets_no_more_however_long_ago_it_was() {
    let mut once = campaign("a", On::Heard, "beacons/x");
    once.limits.never_after_redeemed = true;
    let (app, utc) = (app(), TimeZone::utc());
    let redeemed = GivenOffer { redeemed_at: Some(at(-50)), ..given(&once.name, at(-100)) };
    let mut profile = with(vec![redeemed]);
    let refusal = |profile: &Profile, campaign: &Campaign, now| {
        Given::to(profile, (&app, &utc), now).of_campaign(campaign).next()
    };
    assert_eq!(refusal(&profile, &once, at(0)), Some(Reason::Redeemed { at: at(-50) }));
    let years = at(0) + MAX_WINDOW * 10;
    profile.forget_old_offers(years);
    assert!(profile.offers.is_empty());
    assert_eq!(refusal(&profile, &once, years), Some(Reason::Redeemed { at: at(-50) }));
    let again = campaign("a", On::Heard, "beacons/x");
    assert_eq!(refusal(&profile, &again, years), None, "only if the campaign says so");
}

#[test]
fn what_was_never_shown_does_not_count_unless_it_was_shown_after_all() {
    let offer = given(&campaigns()[0], at(-100));
    let returned = GivenOffer { returned_at: Some(at(-50)), ..offer.clone() };
    let shown_after_all = GivenOffer { shown_at: Some(at(-90)), ..returned.clone() };
    let told_to_another_profile = GivenOffer { returned_at: Some(offer.offered_at), ..offer.clone() };
    assert!(offer.counts() && !returned.counts() && shown_after_all.counts() && told_to_another_profile.counts());
    let once = campaign("a", On::Heard, "beacons/x");
    assert_eq!(once.limits.per_profile, [Cap::rolling(1, DAY)]);
}

#[test]
fn what_counts_for_nothing_is_kept_in_bounds_and_what_counts_is_kept() {
    let offer = |i: i64| GivenOffer { trial: i % 3 > 0, ..given(&campaigns()[0], at(i)) };
    let mut profile = with((0..3 * MAX_IDLE_OFFERS as i64).map(offer).collect());
    profile.forget_old_offers(at(1_000));
    let (idle, counted): (Vec<_>, Vec<_>) = profile.offers.iter().partition(|offer| !offer.counts());
    assert_eq!((idle.len(), counted.len()), (MAX_IDLE_OFFERS, MAX_IDLE_OFFERS));
    assert_eq!(idle.last().map(|offer| offer.offered_at), Some(at(3 * MAX_IDLE_OFFERS as i64 - 1)), "the newest");
}

#[test]
fn ghosts_are_kept_in_bounds_and_of_each_campaign_the_newest() {
    let brand = acme();
    let name = |id: usize| brand.campaign(&format!("c{id}")).expect("sound");
    let ghost = |id, second| GivenOffer { ghost: true, ..given(&name(id), at(second)) };
    let mut profile =
        with((0..40).map(|second| ghost(second as usize % 4, second)).chain([given(&name(1), at(41))]).collect());
    profile.keep_ghosts(&[(name(0), 1), (name(1), 3), (name(2), 99)].into());
    let left = |profile: &Profile, id: usize| -> Vec<Timestamp> {
        profile.offers.iter().filter(|offer| offer.campaign == name(id)).map(|offer| offer.offered_at).collect()
    };
    assert_eq!(left(&profile, 0), [at(36)]);
    assert_eq!(left(&profile, 1), [at(29), at(33), at(37), at(41)], "the offer is no ghost");
    assert_eq!([left(&profile, 2).len(), left(&profile, 3).len()], [10, 10], "those that were not named stay");

    let mut haunted =
        with((0..2 * MAX_GHOSTS).map(|id| ghost(id, id as i64)).chain([given(&name(0), at(0))]).collect());
    haunted.forget_old_offers(at(3_000));
    assert_eq!((haunted.offers.len(), haunted.offers[0].campaign.clone()), (MAX_GHOSTS + 1, name(MAX_GHOSTS)));
}
