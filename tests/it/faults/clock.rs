//! A clock that is set back by an hour or a day: nothing is redeemed twice or given back twice, and what waits for a time
//! does not wait until the clock is there again.

use std::time::Duration;

use dintorni::grpc::pb::{self, budget::Unit};
use tokio::sync::watch;

use super::{
    market::{Market, WARES},
    storm::Storm,
    tally::tally,
    world::World,
};
use crate::{
    support::{
        databases,
        harness::{TestServer, refusal},
    },
    tills::{Shops, budget, by_code, claim, generated, held},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const SEED: u64 = 0x00d1_4722;

#[tokio::test]
async fn a_coupon_that_was_good_is_good_and_no_lock_lasts_until_the_clock_is_there_again() {
    for back in [HOUR, DAY] {
        let server = TestServer::start().await;
        let shops = Shops::open(&server).await;
        shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 9)]).await;
        let (_, code) = shops.holder(1).await;
        let (phone, offer) = shops.visitor(2).await;
        let lock = |till: &str| pb::CheckOfferRequest {
            store: shops.stores[0].clone(),
            till: till.into(),
            presented: Some(by_code(&code)),
            lock: Some(prost_types::Duration { seconds: 900, nanos: 0 }),
        };
        assert!(shops.check(lock("till-2")).await.locked_until.is_some());
        server.clock.set_back(back);
        server.clock.advance(15 * MINUTE);

        let checked = shops.check(lock("till-3")).await;
        assert_eq!(checked.refusal, None, "set back by {back:?}");
        let others = shops.redeem_code("a", &code).await.expect_err("refused");
        assert_eq!(refusal(&others).1, "LOCKED", "a lock of now holds as any");
        server.clock.advance(15 * MINUTE);
        shops.redeem_code("a", &code).await.expect("the lock is over");
        let late = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
        shops.redeem_code("b", &late).await.expect("claimed before it was offered, by this clock");
        assert_eq!(shops.proven().await.redemptions, 2);
    }
}

#[tokio::test]
async fn what_was_done_is_done_whatever_the_clock_says() {
    for back in [HOUR, DAY] {
        let server = TestServer::start().await;
        let shops = Shops::open(&server).await;
        shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1), budget(Unit::Money, 500)]).await;
        let (phone, code) = shops.holder(1).await;
        let redeemed = shops.redeem_code("a", &code).await.expect("redeemed");
        server.clock.set_back(back);
        shops.sweep().await;
        assert_eq!(shops.redeem_code("a", &code).await.expect("a retry"), redeemed);
        let again = shops.redeem_code("b", &code).await.expect_err("refused");
        assert_eq!(refusal(&again).1, "ALREADY_REDEEMED");

        let reversed = shops.reverse("c", &redeemed.id, None).await.expect("taken back before it was redeemed");
        assert_eq!(held(&phone).await[0].state(), pb::wallet_offer::State::Open);
        assert_eq!(shops.reverse("c", &redeemed.id, None).await.expect("a retry"), reversed);
        let second = shops.redeem_code("d", &code).await.expect("good again");
        server.clock.advance(back);
        shops.sweep().await;
        assert_eq!(shops.redeem_code("d", &code).await.expect("a retry"), second);
        assert_eq!(shops.redeem_code("a", &code).await.expect("a retry"), redeemed);
        assert_eq!(shops.proven().await.redemptions, 2);
    }
}

#[tokio::test]
async fn what_lapsed_comes_back_once_and_is_not_oversold_when_it_is_good_again() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1)]).await;
    let (_, first) = shops.holder(1).await;
    server.clock.advance(DAY + 5 * MINUTE);
    shops.sweep().await;
    let (_, second) = shops.holder(2).await;
    for back in [HOUR, DAY] {
        server.clock.set_back(back);
        shops.sweep().await;
        shops.proven().await;
    }
    // By this clock both are good, and one unit is left for them.
    let none = shops.redeem_code("a", &first).await.expect_err("refused");
    assert_eq!(refusal(&none).1, "BUDGET_EXHAUSTED");
    shops.redeem_code("b", &second).await.expect("it holds the unit");
    server.clock.advance(3 * DAY);
    shops.sweep().await;
    shops.sweep().await;
    assert_eq!(shops.proven().await.redemptions, 1);
    shops.latecomer(3).await;
    let told = shops.visit(&shops.phone(4).await, 4).await;
    assert!(told.offers.is_empty(), "nobody else is offered it, once one was refused: {told:?}");
}

#[tokio::test]
async fn nobody_is_shut_out_until_the_clock_is_there_again() {
    for back in [HOUR, DAY] {
        let server = TestServer::start_with(&[("tills.wrong_codes", "3"), ("tills.burst", "40")]).await;
        let shops = Shops::open(&server).await;
        shops.campaign("umbrella", generated(), vec![]).await;
        let (_, code) = shops.holder(1).await;
        for wrong in 0..4 {
            shops.redeem_code(&format!("w{wrong}"), "0000-0000-0000").await.expect_err("refused");
        }
        let out = shops.redeem_code("a", &code).await.expect_err("refused");
        assert_eq!(refusal(&out).1, "LOCKED_OUT");
        while refusal(&shops.redeem_code("a", &code).await.expect_err("refused")).1 != "RATE_LIMITED" {}

        server.clock.set_back(back);
        assert_eq!(refusal(&shops.redeem_code("a", &code).await.expect_err("refused")).1, "RATE_LIMITED");
        server.clock.advance(5 * MINUTE);
        let redeemed = shops.redeem_code("a", &code).await.expect("it may call again, and is no longer shut out");
        assert_eq!(shops.redeem_code("a", &code).await.expect("the same"), redeemed);
        shops.proven().await;
    }
}

#[tokio::test]
async fn what_a_clock_far_ahead_made_forgotten_can_be_claimed_and_used_when_it_is_right_again() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 1)]).await;
    let (phone, offer) = shops.visitor(1).await;
    server.clock.advance(91 * DAY);
    // Its token has ended by that clock, as all have.
    let anew = shops.phone(1).await;
    assert_eq!(anew.profile, phone.profile);
    shops.visit(&anew, 2).await;
    server.clock.set_back(91 * DAY);
    let code = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
    let again = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
    assert_eq!(again, code);
    shops.redeem_code("a", &code).await.expect("it was claimed");
    shops.proven().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tills_and_phones_in_the_midst_of_it_do_nothing_twice() {
    // The clock stands still between the jumps, and with it the limit of calls.
    let settings = [("tills.burst", "1000000"), ("devices.address_burst", "1000")];
    let server = TestServer::start_with(&settings).await;
    let here = watch::Sender::new(Some(server.channel.clone()));
    let doors = vec![here.subscribe()].into();
    let market = Market::open(World::found(server.channel.clone(), server.operator.clone()).await, &WARES).await;
    println!("seed {SEED:#x}");
    let holders = Storm::of(market.holders(6, &doors, SEED).await, 4).over().await;
    let mut tills = Storm::of(market.tills(10, &doors, SEED), 50);
    let moments = tills.moments(5, SEED);
    // First a day ahead, so that all claims lapse, and back; then twice back, and ahead to where it began.
    let jumps = [(25, true), (25, false), (1, false), (24, false), (25, true)];
    for ((hours, ahead), moment) in jumps.into_iter().zip(moments) {
        tills.reached(moment).await;
        if ahead {
            server.clock.advance(hours * HOUR)
        } else {
            server.clock.set_back(hours * HOUR)
        };
        databases::sweep(&*server.ports.records, dintorni::ports::Clock::now(&*server.clock), 1_000).await;
    }
    let tills = tills.over().await;
    server.clock.advance(MINUTE);
    tally(&market, tills, holders).await;
}
