//! What must be so of coupons after a storm, counted from the tills' and phones' own logs and held against the record.
//!
//! Laws 1 and 2: a code is redeemed once until it is taken back, no limit is passed, what was acknowledged is there, what
//! is there was asked for, and nothing is stuck: what is still good can still be redeemed.

use std::collections::{BTreeMap, BTreeSet};

use dintorni::grpc::pb::{
    self, ledger_service_client::LedgerServiceClient, redemption_service_client::RedemptionServiceClient,
};
use tokio::task::JoinSet;

use super::{
    caller::Caller,
    holder::{Holder, code},
    market::{Codes, Coupon, Market, Ware},
    till::{Body, Till, Told},
};
use crate::support::harness::bearing;

/// How often something passing (another till's lock) may be in the way of a good coupon.
const LOCKED: usize = 100;

/// Redemptions by their ids.
type Redemptions = BTreeMap<String, pb::Redemption>;

/// Settles what is in doubt, redeems what is left, and proves that all was right. Returns how many redemptions stand.
pub async fn tally(market: &Market, tills: Vec<Till>, holders: Vec<Holder>) -> usize {
    let holders = must_keep_codes(market, holders).await;
    let mut tills = settled(tills).await;
    assert_eq!(known(&tills), recorded(market, &mut tills[0].caller).await, "the logs and the record");
    must_keep_limits(market, &known(&tills));

    sell_the_rest(market, &mut tills).await;
    let (known, caller) = (known(&tills), &mut tills[0].caller);
    assert_eq!(known, recorded(market, caller).await, "the logs and the record, at the end");
    must_keep_limits(market, &known);
    must_be_proven(market, caller, known.len()).await;
    let attempts: usize = tills.iter().map(|till| till.log.len()).sum();
    let claims: usize = holders.iter().map(|holder| holder.claims.len()).sum();
    let live = known.values().filter(|redemption| is_live(redemption)).count();
    println!("{attempts} requests of tills, {claims} claims, {} redemptions of which {live} stand", known.len());
    live
}

async fn settled(tills: Vec<Till>) -> Vec<Till> {
    let mut settling = JoinSet::new();
    for mut till in tills {
        settling.spawn(async move {
            till.settle().await;
            till
        });
    }
    let mut tills = settling.join_all().await;
    tills.sort_by(|a, b| a.store.cmp(&b.store));
    tills
}

/// All redemptions as the tills know them: as redeemed, less all that was taken back.
fn known(tills: &[Till]) -> Redemptions {
    let mut known = Redemptions::new();
    for asked in tills.iter().flat_map(|till| &till.log) {
        let Ok(told) = &asked.told else { continue };
        if let Body::Redeem(sale) = &asked.body {
            let said = (&sale.request_id, &sale.store, &sale.till);
            assert_eq!((&told.till_reference, &told.store, &told.till), said, "another's redemption");
            let fresh = known.insert(told.id.clone(), told.clone()).is_none();
            assert!(fresh, "two requests were one redemption: {told:?}");
        }
    }
    for asked in tills.iter().flat_map(|till| &till.log) {
        if let (Ok(told), Body::Reverse(_)) = (&asked.told, &asked.body) {
            let redemption = known.get_mut(&told.id).expect("it was redeemed");
            if taken_back(told) > taken_back(redemption) {
                *redemption = told.clone();
            }
        }
    }
    known
}

fn taken_back(redemption: &pb::Redemption) -> i64 {
    redemption.reversed_amount.as_ref().map_or(0, |money| money.minor_units)
}

fn is_live(redemption: &pb::Redemption) -> bool {
    redemption.reverse_time.is_none()
}

/// All redemptions as the server lists them, each once.
async fn recorded(market: &Market, caller: &mut Caller) -> Redemptions {
    let mut recorded = Redemptions::new();
    for store in &market.stores {
        let mut page_token = String::new();
        loop {
            let page = page(market, caller, store, page_token).await;
            for redemption in page.redemptions {
                let twice = recorded.insert(redemption.id.clone(), redemption);
                assert_eq!(twice, None, "it is listed twice");
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    recorded
}

async fn page(market: &Market, caller: &mut Caller, store: &str, page_token: String) -> pb::ListRedemptionsResponse {
    let request =
        pb::ListRedemptionsRequest { parent: store.to_owned(), page_size: 100, page_token, ..Default::default() };
    let attempt = |channel| {
        let request = bearing(&market.key, request.clone());
        async move { Ok(RedemptionServiceClient::new(channel).list_redemptions(request).await?.into_inner()) }
    };
    caller.insist(attempt).await
}

/// Each code at most once, and of each limit no more than it.
fn must_keep_limits(market: &Market, redemptions: &Redemptions) {
    let mut used = BTreeSet::new();
    for redemption in redemptions.values().filter(|redemption| is_live(redemption) && !redemption.offer.is_empty()) {
        assert!(used.insert(&redemption.offer), "offer {} is redeemed twice", redemption.offer);
    }
    for ware in market.wares {
        let counts = market.stores.clone().map(|store| live(redemptions, ware, &store));
        let within = ware.in_each.is_none_or(|limit| counts.iter().all(|count| *count <= limit))
            && ware.in_all.is_none_or(|limit| counts.iter().sum::<u64>() <= limit);
        assert!(within, "{}: {counts:?} redemptions in the shops", ware.id);
    }
}

fn live(redemptions: &Redemptions, ware: &Ware, store: &str) -> u64 {
    let campaign = ware.campaign();
    let of = |redemption: &&pb::Redemption| redemption.campaign == campaign && redemption.store == store;
    redemptions.values().filter(of).filter(|redemption| is_live(redemption)).count() as u64
}

/// One code for each offer, one offer for each code; and asked for again it is the same.
async fn must_keep_codes(market: &Market, holders: Vec<Holder>) -> Vec<Holder> {
    let mut asking = JoinSet::new();
    for mut holder in holders {
        asking.spawn(async move {
            for number in 0..holder.claims.len() {
                let (offer, told) = (holder.claims[number].offer.clone(), holder.claims[number].told.clone());
                let again = holder.claim(&offer).await;
                let code = |told: &Result<pb::WalletOffer, String>| told.as_ref().map(code).map(str::to_owned).ok();
                assert!(told.is_err() || code(&again) == code(&told), "another code for {offer}");
                holder.claims[number].told = again;
            }
            holder
        });
    }
    let holders = asking.join_all().await;
    let claims = || holders.iter().flat_map(|holder| &holder.claims);
    let codes: BTreeSet<&str> = claims().filter_map(|claimed| claimed.told.as_ref().ok()).map(code).collect();
    assert_eq!(codes.len(), claims().filter(|claimed| claimed.told.is_ok()).count(), "a code was given twice");
    for ware in market.wares {
        let of = || claims().filter(|claimed| claimed.ware == ware);
        let given = of().filter(|claimed| claimed.told.is_ok()).count();
        let expected = match ware.codes {
            Codes::Pool(size) => size.min(of().count()),
            Codes::Drawn | Codes::Everyones(_) => of().count(),
        };
        assert_eq!(given, expected, "codes of {} that were given", ware.id);
    }
    holders
}

/// Brings every code that is not used to a till: it is redeemed, unless a limit is reached exactly.
async fn sell_the_rest(market: &Market, tills: &mut [Till]) {
    let (mut used, codes) = (used(tills), market.shelf.all());
    for coupon in &codes {
        if coupon.offer.is_empty() {
            while must_sell_or_be_full(market, tills, coupon).await {}
        } else if used.insert(coupon.offer.clone()) {
            must_sell_or_be_full(market, tills, coupon).await;
        }
    }
}

fn used(tills: &[Till]) -> BTreeSet<String> {
    known(tills).into_values().filter(is_live).map(|redemption| redemption.offer).collect()
}

/// Whether it was redeemed in the first shop or in the second; if not, both have all they may have.
async fn must_sell_or_be_full(market: &Market, tills: &mut [Till], coupon: &Coupon) -> bool {
    let last = tills.len() - 1;
    for at in [0, last] {
        match when_unlocked(&mut tills[at], coupon).await {
            Ok(_) => return true,
            Err(reason) => assert_eq!(reason, "BUDGET_EXHAUSTED", "{coupon:?} is stuck"),
        }
    }
    let known = known(tills);
    let counts = market.stores.clone().map(|store| live(&known, coupon.ware, &store));
    let full = coupon.ware.in_each.is_some_and(|limit| counts == [limit; 2])
        || coupon.ware.in_all.is_some_and(|limit| counts.iter().sum::<u64>() == limit);
    assert!(full, "{} is refused at {counts:?} redemptions", coupon.ware.id);
    false
}

async fn when_unlocked(till: &mut Till, coupon: &Coupon) -> Told {
    for _ in 0..LOCKED {
        let told = till.sell(coupon).await;
        if told != Err("LOCKED".into()) {
            return told;
        }
        till.caller.pause().await;
    }
    Err("LOCKED".into())
}

/// The server's own proof finds nothing, and counts as many.
async fn must_be_proven(market: &Market, caller: &mut Caller, redemptions: usize) {
    let attempt = |channel| {
        let request = bearing(&market.world.operator, pb::CheckLedgerRequest {});
        async move { Ok(LedgerServiceClient::new(channel).check_ledger(request).await?.into_inner()) }
    };
    let proof = caller.insist(attempt).await;
    assert_eq!(proof.faults, []);
    assert_eq!((proof.fault_count, proof.redemptions), (0, redemptions as u64));
}
