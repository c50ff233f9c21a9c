//! The laws of pools of codes in [`Coupons`] and [`CatalogStore`]: each code is added once and given once.

use std::sync::Arc;

use dintorni::{
    domain::{
        budget::{Account, Holder, Take},
        campaign::{Campaign, CampaignState},
        code::Code,
        coupon::Codes,
        name::CampaignName,
    },
    ports::{CatalogStore, Claim, Commit, Committed, Coupons, Edit, Expected, NewCode, Records},
};
use tokio::task::JoinSet;

use super::{
    coupons::{VALUE, commit, coupon, limits, offered, taken},
    on_every_engine,
};
use crate::support::{
    databases::Database,
    samples::{app, at, campaign, campaign_name, person},
};

on_every_engine! {
    each_code_of_a_pool_is_given_once
    a_code_is_in_one_pool_of_an_organization
    codes_that_were_never_given_go_with_their_campaign
    codes_go_when_nobody_can_be_given_them_any_more
}

async fn each_code_of_a_pool_is_given_once(database: Database) {
    const CODES: u64 = 5;
    limits(&database, 100, 100, 100 * VALUE).await;
    let pool = campaign_name("coffee");
    let codes: Vec<Code> = (0..CODES).map(Code::draw).collect();
    database.sql.add_codes(&pool, codes.clone()).await.expect("answered").expect("added");
    let app = app();
    let mut claims = JoinSet::new();
    for number in 0..CODES + 3 {
        let offer = offered(&database, &person(&app, &format!("p{number}"))).await;
        let sql = Arc::clone(&database.sql);
        let holder = Holder::Offer(offer);
        let take = Take { account: Account::pool(&pool), holder, units: 1, lapses_at: None };
        let claim = Some(Claim { offer, code: NewCode::Next(pool.clone()) });
        let commit = Commit { at: at(9), claim, takes: vec![take], ..Commit::default() };
        claims.spawn(async move {
            let done = sql.commit(commit).await.expect("the database answers");
            (done, sql.offer(&offer).await.expect("read").expect("there").code)
        });
    }
    let claimed = claims.join_all().await;
    let mut given: Vec<Code> = claimed.iter().filter_map(|(_, code)| code.clone()).collect();
    given.sort();
    let mut all = codes;
    all.sort();
    assert_eq!(given, all);
    let refused = claimed.iter().filter(|(done, _)| *done == Committed::Exhausted(Account::pool(&pool).id));
    assert_eq!(refused.count(), 3);
    taken(&database).await;
}

async fn a_code_is_in_one_pool_of_an_organization(database: Database) {
    let [one, two] = ["coffee", "tea"].map(campaign_name);
    let foreign = CampaignName::parse("organizations/other/campaigns/tea").expect("sound");
    let code = |text: &str| Code::parse(text).expect("sound");
    let add = async |campaign: &CampaignName, codes: &[&str]| {
        let codes = codes.iter().map(|text| code(text)).collect();
        let uploaded = database.sql.add_codes(campaign, codes).await.expect("answered").expect("added");
        (uploaded.added, uploaded.pool_size)
    };
    assert_eq!(add(&one, &["BBBB", "AAAA", "BBBB"]).await, (vec![true, true, false], 2));
    assert_eq!(add(&two, &["AAAA", "CCCC"]).await, (vec![false, true], 1));
    assert_eq!(add(&foreign, &["AAAA"]).await, (vec![true], 1));
    assert_eq!(add(&one, &[]).await, (vec![], 2));
}

async fn codes_that_were_never_given_go_with_their_campaign(database: Database) {
    let (coffee, tea) = (campaign_name("coffee"), campaign_name("tea"));
    let code = |text: &str| Code::parse(text).expect("sound");
    let add = async |campaign: &CampaignName, codes: &[&str]| {
        let codes = codes.iter().map(|text| code(text)).collect();
        let uploaded = database.sql.add_codes(campaign, codes).await.expect("answered").expect("added");
        (uploaded.added, uploaded.pool_size)
    };
    let app = app();
    let given = async |id: &str| {
        limits(&database, 9, 9, 9 * VALUE).await;
        let offer = offered(&database, &person(&app, id)).await;
        let holder = Holder::Offer(offer);
        let takes = vec![Take { account: Account::pool(&coffee), holder, units: 1, lapses_at: None }];
        let claim = Some(Claim { offer, code: NewCode::Next(coffee.clone()) });
        assert_eq!(commit(&database, Commit { at: at(9), claim, takes, ..Commit::default() }).await, Committed::Done);
        database.sql.offer(&offer).await.expect("read").and_then(|offer| offer.code).expect("a code")
    };
    add(&coffee, &["AAAA", "BBBB", "CCCC"]).await;
    assert_eq!(given("ada").await, code("AAAA"));
    let gone = vec![Edit::delete(coffee.clone(), Expected::Anything)];
    database.sql.append(gone, "tests", at(10)).await.expect("appended");
    let late = database.sql.add_codes(&coffee, vec![code("CCCC")]).await.expect("answered");
    assert_eq!(late, None, "an upload that began before");
    assert_eq!(add(&tea, &["AAAA", "BBBB", "CCCC"]).await, (vec![false, true, true], 2), "somebody has the first");
    limits(&database, 9, 9, 9 * VALUE).await;
    assert_eq!(add(&coffee, &["DDDD"]).await, (vec![true], 2), "a new one of the name");
    assert_eq!(given("bob").await, code("DDDD"));
    taken(&database).await;
}

async fn codes_go_when_nobody_can_be_given_them_any_more(database: Database) {
    let (coffee, tea) = (campaign_name("coffee"), campaign_name("tea"));
    let put = async |state, codes| {
        let campaign = Campaign { state, coupon: Some(coupon(codes)), ..campaign("coffee", None) };
        let edits = vec![Edit::put(campaign, Expected::Anything)];
        database.sql.append(edits, "tests", at(1)).await.expect("appended");
    };
    let add = async |campaign: &CampaignName, text: &str| {
        let codes = vec![Code::parse(text).expect("sound")];
        database.sql.add_codes(campaign, codes).await.expect("answered").map(|uploaded| uploaded.added == [true])
    };
    put(CampaignState::Draft, Codes::Pool).await;
    assert_eq!(add(&coffee, "AAAA").await, Some(true));
    put(CampaignState::Draft, Codes::Generated).await;
    assert_eq!(add(&coffee, "BBBB").await, None, "an upload that began before");
    assert_eq!(add(&tea, "AAAA").await, Some(true));
    put(CampaignState::Draft, Codes::Pool).await;
    assert_eq!(add(&coffee, "CCCC").await, Some(true));
    put(CampaignState::Archived, Codes::Pool).await;
    assert_eq!(add(&tea, "CCCC").await, Some(true), "it never was active");
    put(CampaignState::Active, Codes::Pool).await;
    assert_eq!(add(&coffee, "DDDD").await, Some(true));
    put(CampaignState::Archived, Codes::Pool).await;
    assert_eq!(add(&tea, "DDDD").await, Some(false), "offers of it may still be claimed");
}
