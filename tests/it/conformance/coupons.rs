//! The laws of coupons in [`Records`], [`Coupons`] and [`Ledger`]: what is claimed, redeemed and taken back, and what that
//! does to the accounts.

use std::time::Duration;

use crate::support::{
    databases::Database,
    samples::{Person, app, at, campaign, campaign_name, offer_id, organization, person, returned},
};
use dintorni::{
    domain::{
        budget::{Account, Budget, Holder, Period, Spot, Take, Unit},
        campaign::Limits,
        code::Code,
        content::Money,
        coupon::{Codes, Coupon, RedeemedAt},
        name::{KeyName, StoreName},
        offer::{OfferCoupon, OfferId, RedemptionId},
        redemption::{Lock, Redemption, RequestId, TillId, TillRequest},
        time::Timestamp,
    },
    ports::{
        CatalogStore, Claim, Commit, Committed, Coupons, Edit, EngagementMark, Expected, Ledger, NewCode, OfferQuery,
        OfferState, Records, RedemptionQuery, RedemptionsOf, TillChange,
    },
};

use super::on_every_engine;

on_every_engine! {
    what_a_claim_holds_is_confirmed_or_comes_back
    an_offer_is_redeemed_once_and_again_only_when_it_was_taken_back
    a_tills_request_happens_once
    a_lock_keeps_others_away
    of_several_offers_the_newest_that_can_be_redeemed_is_meant
    what_the_till_is_first_to_see_was_overrun
    lists_give_each_once_newest_first
    whoever_is_absorbed_or_erased_leaves_true_sums
}

/// A value of one redemption, in minor units.
pub(super) const VALUE: u64 = 500;

fn budget(unit: Unit, limit: u64) -> Budget {
    Budget { unit, limit, period: Period::Whole, per_store: false, time_zone: None }
}

fn account(unit: Unit) -> Account {
    budget(unit, 0).account(&campaign_name("coffee"), Spot { place: "", time_zone: None, at: at(0) })
}

/// The campaign with budgets of everything.
pub(super) fn coupon(codes: Codes) -> Coupon {
    Coupon {
        codes,
        instruction: "5 off".to_owned(),
        value: None,
        redeem_after: Duration::ZERO,
        holder_only: false,
        at: RedeemedAt::Anywhere,
    }
}

/// A campaign with a pool of codes, and with these budgets.
pub(super) async fn limits(database: &Database, offers: u64, redemptions: u64, money: u64) {
    let budgets =
        vec![budget(Unit::Offers, offers), budget(Unit::Redemptions, redemptions), budget(Unit::Money, money)];
    let campaign = dintorni::domain::campaign::Campaign {
        limits: Limits { budgets, ..Limits::default() },
        coupon: Some(coupon(Codes::Pool)),
        ..campaign("coffee", None)
    };
    database.sql.append(vec![Edit::put(campaign, Expected::Anything)], "tests", at(0)).await.expect("appended");
}

pub(super) async fn commit(database: &Database, commit: Commit) -> Committed {
    database.sql.commit(commit).await.expect("the database answers")
}

/// Makes the person with one offer.
pub(super) async fn offered(database: &Database, person: &Person) -> OfferId {
    let offer = offer_id();
    let made = person.answers(1, "ping-0001", &[(offer, &campaign_name("coffee"))]);
    assert_eq!(commit(database, made).await, Committed::Done);
    offer
}

fn takes(offer: OfferId, money: u64, lapses_at: Option<Timestamp>) -> Vec<Take> {
    let take = |unit, units| Take { account: account(unit), holder: Holder::Offer(offer), units, lapses_at };
    vec![take(Unit::Redemptions, 1), take(Unit::Money, money)]
}

pub(super) fn claim(offer: OfferId, now: u64) -> Commit {
    let code = Code::draw(u64::from_be_bytes(offer.to_string().as_bytes()[28..36].try_into().expect("eight")));
    let claim = Some(Claim { offer, code: NewCode::This(code) });
    Commit { at: at(now), claim, takes: takes(offer, VALUE, Some(at(now + 100))), ..Commit::default() }
}

fn request(id: &str) -> TillRequest {
    let key = KeyName::parse("organizations/acme/keys/till").expect("sound");
    TillRequest { key, id: RequestId::parse(id).expect("sound"), fingerprint: [7; 32] }
}

fn till(id: &str) -> TillId {
    TillId::parse(id).expect("sound")
}

fn store() -> StoreName {
    organization().store("one").expect("sound")
}

pub(super) fn redemption(offer: OfferId, money: u64, now: u64) -> Redemption {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let random = u128::from(COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) << 64;
    Redemption {
        id: RedemptionId::new(at(now), random),
        store: store(),
        till: till("till-1"),
        till_reference: "r".to_owned(),
        campaign: campaign_name("coffee"),
        offer: Some(offer),
        profile: None,
        amount: Some(Money::new("EUR", money as i64).expect("sound")),
        instruction: "5 off".to_owned(),
        redeemed_at: at(now),
        reversed_units: 0,
        reversed_at: None,
    }
}

pub(super) fn redeem(id: &str, redemption: &Redemption) -> Commit {
    let takes = redemption.offer.map(|offer| takes(offer, redemption.units(), None)).unwrap_or_default();
    let till = Some(TillChange::Redeem(request(id), redemption.clone()));
    Commit { at: redemption.redeemed_at, takes, till, ..Commit::default() }
}

pub(super) fn reverse(id: &str, redemption: &Redemption, units: u64, now: u64) -> Commit {
    let till = TillChange::Reverse { request: request(id), redemption: redemption.clone(), units };
    Commit { at: at(now), till: Some(till), ..Commit::default() }
}

/// Redemptions and money that are taken, after proving everything.
pub(super) async fn taken(database: &Database) -> (u64, u64) {
    let proof = database.sql.prove(at(1)).await.expect("read");
    assert_eq!(proof.faults, []);
    let balances = database.sql.balances().await.expect("read");
    let of = |unit| {
        let id = account(unit).id;
        balances.iter().find(|balance| balance.account == id.as_str()).map_or(0, |balance| balance.taken)
    };
    (of(Unit::Redemptions), of(Unit::Money))
}

async fn what_a_claim_holds_is_confirmed_or_comes_back(database: Database) {
    limits(&database, 9, 2, 2 * VALUE).await;
    let app = app();
    let (ada, bob, eve) = (person(&app, "ada"), person(&app, "bob"), person(&app, "eve"));
    let [first, second, third] =
        [offered(&database, &ada).await, offered(&database, &bob).await, offered(&database, &eve).await];
    assert_eq!(commit(&database, claim(first, 10)).await, Committed::Done);
    assert_eq!(commit(&database, claim(second, 20)).await, Committed::Done);
    assert_eq!(commit(&database, claim(third, 30)).await, Committed::Exhausted(account(Unit::Money).id));
    assert_eq!(taken(&database).await, (2, 2 * VALUE));
    assert_eq!(commit(&database, redeem("a", &redemption(first, 200, 40))).await, Committed::Done);
    assert_eq!(taken(&database).await, (2, VALUE + 200), "what it did not cost is free");

    database.sweep(at(119), 9).await;
    assert_eq!(taken(&database).await, (2, VALUE + 200), "neither what is confirmed nor what is not over");
    for _ in 0..2 {
        database.sweep(at(120), 9).await;
        assert_eq!(taken(&database).await, (1, 200), "once");
    }
    assert_eq!(commit(&database, redeem("b", &redemption(second, VALUE, 121))).await, Committed::Done);
    assert_eq!(taken(&database).await, (2, VALUE + 200), "taken anew");
}

async fn an_offer_is_redeemed_once_and_again_only_when_it_was_taken_back(database: Database) {
    limits(&database, 9, 9, 9 * VALUE).await;
    let offer = offered(&database, &person(&app(), "ada")).await;
    let first = redemption(offer, VALUE, 10);
    assert_eq!(commit(&database, redeem("a", &first)).await, Committed::Done);
    assert_eq!(commit(&database, redeem("b", &redemption(offer, VALUE, 11))).await, Committed::Stale);
    assert_eq!(commit(&database, reverse("c", &first, 100, 12)).await, Committed::Done);
    assert_eq!(taken(&database).await, (1, VALUE - 100));
    let stale = reverse("d", &first, 100, 13);
    assert_eq!(commit(&database, stale).await, Committed::Stale, "it is not as it was");
    assert_eq!(commit(&database, redeem("e", &redemption(offer, VALUE, 14))).await, Committed::Stale);
    let part = database.sql.redemption(&first.id).await.expect("read").expect("there");
    assert_eq!((part.left(), part.reversed_at), (VALUE - 100, None));
    assert_eq!(commit(&database, reverse("f", &part, VALUE - 100, 15)).await, Committed::Done);
    assert_eq!(taken(&database).await, (0, 0));
    let kept = database.sql.offer(&offer).await.expect("read").expect("there");
    assert_eq!((kept.redeemed_at, kept.reversed_at), (None, Some(at(15))));
    assert_eq!(commit(&database, redeem("g", &redemption(offer, 300, 16))).await, Committed::Done);
    assert_eq!(taken(&database).await, (1, 300));
}

async fn a_tills_request_happens_once(database: Database) {
    limits(&database, 9, 9, 9 * VALUE).await;
    let offer = offered(&database, &person(&app(), "ada")).await;
    let first = redemption(offer, VALUE, 10);
    assert_eq!(commit(&database, redeem("a", &first)).await, Committed::Done);
    assert_eq!(commit(&database, reverse("b", &first, 200, 11)).await, Committed::Done);
    for (again, reversed) in [(redeem("a", &redemption(offer, VALUE, 12)), 0), (reverse("b", &first, 200, 13), 200)] {
        let Committed::Asked(answer) = commit(&database, again).await else { panic!("it was asked before") };
        assert_eq!((answer.redemption.id, answer.redemption.reversed_units), (first.id, reversed));
        assert_eq!(answer.fingerprint, [7; 32]);
    }
    assert_eq!(taken(&database).await, (1, VALUE - 200));
    assert_eq!(database.sql.till_answer(&request("z")).await.expect("read"), None);
}

async fn a_lock_keeps_others_away(database: Database) {
    limits(&database, 9, 9, 9 * VALUE).await;
    let offer = offered(&database, &person(&app(), "ada")).await;
    let lock = |id: &str, now, until| Commit {
        at: at(now),
        till: Some(TillChange::Lock(offer, Lock { store: store(), till: till(id), until: at(until) })),
        ..Commit::default()
    };
    assert_eq!(commit(&database, lock("till-2", 10, 70)).await, Committed::Done);
    assert_eq!(commit(&database, lock("till-3", 11, 71)).await, Committed::Stale);
    assert_eq!(commit(&database, redeem("a", &redemption(offer, 1, 12))).await, Committed::Stale);
    assert_eq!(commit(&database, lock("till-2", 13, 20)).await, Committed::Done);
    let kept = database.sql.offer(&offer).await.expect("read").expect("there");
    assert_eq!(kept.lock.map(|lock| (lock.till, lock.until)), Some((till("till-2"), at(20))));
    assert_eq!(commit(&database, redeem("a", &redemption(offer, 1, 20))).await, Committed::Done);
}

async fn of_several_offers_the_newest_that_can_be_redeemed_is_meant(database: Database) {
    let (ada, coffee) = (person(&app(), "ada"), campaign_name("coffee"));
    let mut offers = Vec::new();
    for version in 1..=3 {
        let offer = offer_id();
        let mut made = ada.answers(version, &format!("ping-{version:04}"), &[(offer, &coffee)]);
        let valid_from = made.at + std::time::Duration::from_secs(10);
        let coupon = OfferCoupon { code: None, instruction: "5 off".to_owned(), valid_from };
        made.decision.as_mut().expect("given").offers[0].coupon = Some(coupon);
        made.takes.clear();
        assert_eq!(commit(&database, made).await, Committed::Done);
        offers.push(offer);
    }
    let meant = async |now| {
        let offer = database.sql.offer_to(&ada.name, &coffee, now).await.expect("read").expect("there").id;
        offers.iter().position(|known| *known == offer)
    };
    assert_eq!(meant(at(5)).await, Some(2), "none is good yet");
    assert_eq!(meant(at(12)).await, Some(1), "the newest is too young");
    assert_eq!(meant(at(86_402)).await, Some(2), "the others have ended");
    let used = Redemption { profile: Some(ada.name.clone()), ..redemption(offers[1], 0, 12) };
    let redeemed = Commit { takes: Vec::new(), ..redeem("a", &used) };
    assert_eq!(commit(&database, redeemed).await, Committed::Done);
    assert_eq!(meant(at(12)).await, Some(0), "the second was redeemed");
}

async fn what_the_till_is_first_to_see_was_overrun(mut database: Database) {
    database.config.return_unshown_hours = 1;
    let database = database.reopen().await;
    limits(&database, 9, 9, 9 * VALUE).await;
    let offer = offered(&database, &person(&app(), "ada")).await;
    database.sweep(at(2 * 3_600), 9).await;
    let sale = redemption(offer, VALUE, 2 * 3_600);
    assert_eq!(commit(&database, redeem("a", &sale)).await, Committed::Done);
    let shown = EngagementMark { shown_at: Some(at(1)), returned_at: None, ..returned(offer, at(1)) };
    let report = Commit { at: at(2 * 3_600), engagement: vec![shown], ..Commit::default() };
    assert_eq!(commit(&database, report).await, Committed::Done);
    let proof = database.sql.prove(at(1)).await.expect("read");
    assert_eq!((proof.faults, proof.late_overrun), (vec![], 1), "once, whoever tells");
}

async fn lists_give_each_once_newest_first(database: Database) {
    limits(&database, 99, 99, 99 * VALUE).await;
    let ada = person(&app(), "ada");
    let (mut offers, mut redemptions) = (Vec::new(), Vec::new());
    for version in 1..=4 {
        let pair = [offer_id(), offer_id()];
        let coffee = campaign_name("coffee");
        let made = ada.answers(version, &format!("ping-{version:04}"), &[(pair[0], &coffee), (pair[1], &coffee)]);
        assert_eq!(commit(&database, made).await, Committed::Done);
        let profile = Some(ada.name.clone());
        let redeemed = Redemption { profile, ..redemption(pair[0], 1, 10 + version / 2) };
        assert_eq!(commit(&database, redeem(&format!("r{version}"), &redeemed)).await, Committed::Done);
        offers.extend(pair.map(|id| (at(version), id)));
        redemptions.push((redeemed.redeemed_at, redeemed.id));
    }
    offers.sort();
    offers.reverse();
    redemptions.sort();
    redemptions.reverse();
    let mut query = OfferQuery { profile: ada.name.clone(), state: None, now: at(99), after: None, most: 3 };
    let mut listed = Vec::new();
    loop {
        let page = database.sql.offers(&query).await.expect("read");
        let Some(last) = page.last() else { break };
        query.after = Some((last.offered_at, last.id));
        listed.extend(page.into_iter().map(|offer| (offer.offered_at, offer.id)));
    }
    assert_eq!(listed, offers);
    for (state, count) in
        [(OfferState::Redeemed, 4), (OfferState::Open, 4), (OfferState::Ended, 0), (OfferState::Returned, 0)]
    {
        let query = OfferQuery { state: Some(state), after: None, most: 99, ..query.clone() };
        assert_eq!(database.sql.offers(&query).await.expect("read").len(), count, "{state:?}");
    }
    let of_person = |campaign| RedemptionsOf::Person(ada.name.clone(), campaign_name(campaign));
    let none = RedemptionQuery { of: of_person("tea"), from: None, until: None, after: None, most: 3 };
    assert_eq!(database.sql.redemptions(&none).await.expect("read"), []);
    let campaign = RedemptionsOf::Campaign(campaign_name("coffee"));
    for of in [RedemptionsOf::Store(store()), campaign, of_person("coffee")] {
        let mut query = RedemptionQuery { of, from: None, until: None, after: None, most: 3 };
        let mut listed = Vec::new();
        loop {
            let page = database.sql.redemptions(&query).await.expect("read");
            let Some(last) = page.last() else { break };
            query.after = Some((last.redeemed_at, last.id));
            listed.extend(page.into_iter().map(|redemption| (redemption.redeemed_at, redemption.id)));
        }
        assert_eq!(listed, redemptions);
        let within = RedemptionQuery { from: Some(at(11)), until: Some(at(12)), after: None, most: 99, ..query };
        let within = database.sql.redemptions(&within).await.expect("read");
        assert_eq!(within.len(), 2, "the second and the third");
    }
}

async fn whoever_is_absorbed_or_erased_leaves_true_sums(database: Database) {
    limits(&database, 9, 9, 9 * VALUE).await;
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let offer = offered(&database, &ada).await;
    assert_eq!(commit(&database, claim(offer, 10)).await, Committed::Done);
    let used = Redemption { profile: Some(ada.name.clone()), ..redemption(offer, VALUE, 20) };
    assert_eq!(commit(&database, redeem("a", &used)).await, Committed::Done);
    let mut absorbs = bob.writes(1);
    absorbs.absorbed = Some(dintorni::ports::Absorbed { name: ada.name.clone(), expected: 1, by: bob.name.clone() });
    assert_eq!(commit(&database, absorbs).await, Committed::Done);
    let as_it_was = reverse("b", &used, VALUE, 21);
    assert_eq!(commit(&database, as_it_was).await, Committed::Stale, "it is in another's profile now");
    let read = async || database.sql.redemption(&used.id).await.expect("read").expect("there");
    assert_eq!(read().await.profile, Some(bob.name.clone()));
    database.sql.erase(&bob.name, at(30)).await.expect("erased");
    let left = read().await;
    assert_eq!((left.profile, left.offer), (None, None));
    assert_eq!(database.sql.offer(&offer).await.expect("read"), None);
    assert_eq!(taken(&database).await, (1, VALUE), "what was used stays used");
}
