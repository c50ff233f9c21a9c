//! Codes that a brand uploads: each is added once and given once.

use std::collections::BTreeSet;

use dintorni::grpc::pb::{self, refused_code::Reason};
use tonic::{Code, Status};

use super::{Shops, claim, generated};
use crate::support::harness::{TestServer, bearing, fields, refusal};

fn pool() -> pb::Coupon {
    pb::Coupon { codes: Some(pb::coupon::Codes::Pool(pb::PooledCodes {})), ..generated() }
}

async fn upload(shops: &Shops<'_>, messages: &[(&str, &[&str])]) -> Result<Vec<pb::UploadCodesResponse>, Status> {
    let message = |(campaign, codes): &(&str, &[&str])| pb::UploadCodesRequest {
        campaign: (*campaign).into(),
        codes: codes.iter().map(|&code| code.into()).collect(),
    };
    let messages: Vec<_> = messages.iter().map(message).collect();
    let request = bearing(&shops.server.operator, tokio_stream::iter(messages));
    let mut answers = shops.server.campaigns().upload_codes(request).await?.into_inner();
    let mut said = Vec::new();
    while let Some(answer) = answers.message().await? {
        said.push(answer);
    }
    Ok(said)
}

fn refused(answer: &pb::UploadCodesResponse) -> Vec<(u32, Reason)> {
    answer.refused.iter().map(|code| (code.row, code.reason())).collect()
}

#[tokio::test]
async fn each_code_is_added_once_and_each_row_answered() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let (pooled, beside) =
        (shops.campaign("pooled", pool(), vec![]).await, shops.campaign("beside", pool(), vec![]).await);
    let drawn = shops.campaign("drawn", generated(), vec![]).await;
    let rows: [(&str, &[&str]); 2] = [(&pooled, &["AAAA-1", "aaaa1", "x", "BBBB-2"]), ("", &["BBBB2", "CCCC3"])];
    let answers = upload(&shops, &rows).await.expect("answered");
    assert_eq!(answers.iter().map(|answer| (answer.added, answer.pool_size)).collect::<Vec<_>>(), [(2, 2), (1, 3)]);
    assert_eq!(refused(&answers[0]), [(1, Reason::Duplicate), (2, Reason::Malformed)]);
    assert_eq!(refused(&answers[1]), [(0, Reason::Duplicate)]);
    let again = upload(&shops, &rows).await.expect("answered");
    assert_eq!(again.iter().map(|answer| (answer.added, answer.pool_size)).collect::<Vec<_>>(), [(0, 3), (0, 3)]);
    let taken = upload(&shops, &[(&beside, &["AAAA1", "DDDD4"])]).await.expect("answered");
    assert_eq!(
        (taken[0].added, refused(&taken[0])),
        (1, vec![(0, Reason::Duplicate)]),
        "a till could not tell them apart"
    );

    let status = upload(&shops, &[(&drawn, &["EEEE5"])]).await.expect_err("refused");
    assert_eq!(status.code(), Code::FailedPrecondition);
    let status = upload(&shops, &[("", &["EEEE5"])]).await.expect_err("refused");
    assert_eq!(fields(&status), ["campaign"]);
    let many = vec!["FFFF6"; 10_001];
    let status = upload(&shops, &[(&pooled, &many)]).await.expect_err("refused");
    assert_eq!(fields(&status), ["codes"]);
    shops.proven().await;
}

#[tokio::test]
async fn each_code_is_given_once_and_none_is_left_after_the_last() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let campaign = shops.campaign("pooled", pool(), vec![]).await;
    upload(&shops, &[(&campaign, &["AAAA1", "BBBB2", "CCCC3"])]).await.expect("added");
    let mut given = BTreeSet::new();
    let (phone, offer) = shops.visitor(4).await;
    for installation in 1..=3 {
        let (phone, offer) = shops.visitor(installation).await;
        assert_eq!(offer.coupon.expect("a coupon").code, "");
        let code = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
        assert_eq!(claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code, code);
        given.insert(code);
    }
    assert_eq!(given, ["AAAA1", "BBBB2", "CCCC3"].map(String::from).into());
    let none = claim(&phone, &offer.id).await.expect_err("refused");
    assert_eq!(refusal(&none), (Code::FailedPrecondition, "CODES_EXHAUSTED".into()));
    let fifth = shops.phone(5).await;
    assert!(shops.visit(&fifth, 5).await.offers.is_empty(), "nobody is offered what cannot be claimed");
    upload(&shops, &[(&campaign, &["DDDD4"])]).await.expect("added");
    let code = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
    assert_eq!(code, "DDDD4");
    shops.redeem_code("a", "dddd-4").await.expect("redeemed");
    shops.proven().await;
}

#[tokio::test]
async fn a_pool_that_nobody_filled_has_no_code() {
    let server = TestServer::start().await;
    let shops = Shops::open(&server).await;
    let campaign = shops.campaign("pooled", pool(), vec![]).await;
    let phone = shops.phone(1).await;
    // On a slow machine the server has asked the ledger by now.
    let Some(offer) = shops.visit(&phone, 1).await.offers.pop() else { return };
    let none = claim(&phone, &offer.id).await.expect_err("refused");
    assert_eq!(refusal(&none), (Code::FailedPrecondition, "CODES_EXHAUSTED".into()));
    upload(&shops, &[(&campaign, &["AAAA1"])]).await.expect("added");
    assert_eq!(claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code, "AAAA1");
    shops.proven().await;
}
