//! `dintorni ledger check`.

use dintorni::grpc::pb;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    Ran, call, dintorni, is_plain, run,
    tills::{code, coupons},
};
use crate::support::{
    databases,
    harness::{TestServer, bearing},
};

/// Of the database in that server's directory, beside the server.
async fn check(server: &TestServer, more: &[&str]) -> Ran {
    let data = server.data.path().to_str().expect("text");
    let ran = run(dintorni(&[&["ledger", "check", "--data-dir", data], more].concat())).await;
    assert!(is_plain(&ran), "{ran:?}");
    ran
}

/// Somebody claims and redeems a coupon of a campaign with a budget.
async fn some_redemption(server: &TestServer) {
    let acme = server.publisher("acme").await;
    let campaign = coupons(server, &acme, pb::coupon::Codes::Generated(pb::GeneratedCodes {})).await;
    let budget = pb::Budget { unit: pb::budget::Unit::Money.into(), limit: 10_000, ..Default::default() };
    let limits = Some(pb::Limits { budgets: vec![budget], ..Default::default() });
    let edit = pb::Campaign { name: campaign.clone(), limits, ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["limits.budgets".into()] });
    let request = pb::UpdateCampaignRequest { campaign: Some(edit), update_mask };
    server.campaigns().update_campaign(bearing(&server.operator, request)).await.expect("edited");
    let code = code(server, &acme.phone(1).await, &campaign).await;
    let redeem = ["till", "redeem", &code, "--store", "acme/brera"];
    let redeemed = call(server.address, &server.operator, &redeem).await;
    assert_eq!(redeemed.code, Some(0), "{redeemed:?}");
}

/// Changes the file behind the server's back.
async fn tamper(server: &TestServer, sql: &'static str) -> u64 {
    let file = SqliteConnectOptions::new().filename(server.data.path().join("dintorni.db"));
    let mut conn = SqliteConnection::connect_with(&file).await.expect("opened");
    sqlx::query(sql).execute(&mut conn).await.expect("changed").rows_affected()
}

#[tokio::test]
async fn a_sound_record_is_proven_beside_its_server_and_by_it() {
    let server = TestServer::start().await;
    let fresh = check(&server, &[]).await;
    assert_eq!(fresh.code, Some(0), "{fresh:?}");
    assert!(fresh.out.contains("accounts      0\n") && fresh.out.ends_with("nothing is wrong\n"), "{fresh:?}");
    assert!(fresh.err.starts_with("reading sqlite:"), "{fresh:?}");
    some_redemption(&server).await;
    let outside: Value = serde_json::from_str(&check(&server, &["--json"]).await.out).expect("JSON");
    assert_eq!((&outside["redemptions"], &outside["accounts"]), (&"1".into(), &"1".into()), "{outside}");
    let inside = call(server.address, &server.operator, &["ledger", "check", "--json"]).await;
    let inside: Value = serde_json::from_str(&inside.out).unwrap_or_else(|_| panic!("JSON: {inside:?}"));
    for field in ["accounts", "holds", "offers", "redemptions", "lateOverrun", "faults", "faultCount"] {
        assert_eq!(inside[field], outside[field], "{field}");
    }
}

#[tokio::test]
async fn a_wrong_account_is_named_with_its_numbers() {
    let server = TestServer::start().await;
    some_redemption(&server).await;
    assert_eq!(tamper(&server, "UPDATE account SET taken = taken + 7").await, 1);
    let ran = check(&server, &[]).await;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.out.contains("\n1 fault\nunbalanced account  organizations/acme/campaigns/bill/"), "{ran:?}");
    assert!(ran.out.ends_with("taken is 507, and its holds have 500\n"), "{ran:?}");
    let asked = call(server.address, &server.operator, &["ledger", "check"]).await;
    assert!(asked.code == Some(3) && asked.out.contains("taken is 507"), "{asked:?}");
    assert_eq!(tamper(&server, "DELETE FROM hold").await, 1);
    let ran = check(&server, &[]).await;
    assert!(ran.code == Some(3) && ran.out.contains("\n2 faults\n") && ran.out.contains("\nmissing hold "), "{ran:?}");
}

#[tokio::test]
async fn what_was_given_or_redeemed_too_often_is_named() {
    const OFFER: &str = "INSERT INTO offer (id, profile_id, given_to, campaign_id, decision_id, catalog_version, test,
            accounts, offered_at, show_by, valid_from, valid_until, expires_at)
        SELECT '7', profile_id, given_to, campaign_id, decision_id, catalog_version, 0,
            0, offered_at + 86399000000, show_by, valid_from, valid_until, expires_at FROM offer WHERE campaign_id LIKE '%/bill'";
    const REDEMPTION: &str = "INSERT INTO redemption (id, offer_id, profile_id, campaign_id, store_id, till,
            till_reference, instruction, units, test, accounts, redeemed_at, reversed_units, expires_at)
        SELECT '7', offer_id, profile_id, campaign_id, store_id, till,
            till_reference, instruction, 0, 0, 0, redeemed_at, 0, expires_at FROM redemption";
    const BRAND: &str = r#"UPDATE catalog_change
        SET body = replace(body, '"per_profile":[]', '"per_profile":[{"offers":1,"window":{"secs":86400,"nanos":0}}]')
        WHERE kind = 'organization'"#;
    let server = TestServer::start().await;
    some_redemption(&server).await;
    for (sql, fault) in [
        (OFFER, "cap exceeded  organizations/acme/campaigns/bill  2 offers in 86400 s where the cap is 1 (offer 7)"),
        (BRAND, "3 offers in 86400 s where the cap is 1 (offer 7)"),
        (REDEMPTION, "redeemed twice  offer "),
        ("UPDATE offer SET redeemed_at = NULL", "is not redeemed, and a redemption stands"),
        ("UPDATE redemption SET reversed_at = redeemed_at", ""),
        (
            "UPDATE offer SET redeemed_at = offered_at WHERE campaign_id LIKE '%/bill'",
            "is redeemed, and no redemption stands",
        ),
    ] {
        assert!(tamper(&server, sql).await > 0, "{sql}");
        let ran = check(&server, &[]).await;
        assert!(ran.code == Some(3) && ran.out.contains(fault), "{fault} is not in {ran:?}");
    }
}

#[tokio::test]
async fn postgres_is_read_as_well() {
    let database = databases::postgres().await;
    let url = format!("storage.url={}", database.config.url.reveal());
    let ran = run(dintorni(&["ledger", "check", "--set", &url])).await;
    assert!(ran.code == Some(0) && ran.out.ends_with("nothing is wrong\n"), "{ran:?}");
}

#[tokio::test]
async fn what_cannot_be_read_is_not_called_sound() {
    let server = TestServer::start().await;
    let nowhere = run(dintorni(&["ledger", "check", "--data-dir", "/nowhere"])).await;
    assert!(nowhere.code == Some(1) && nowhere.out.is_empty() && nowhere.err.contains("/nowhere"), "{nowhere:?}");
    let publisher = server.publisher("acme").await;
    let denied = call(server.address, &publisher.key, &["ledger", "check"]).await;
    assert!(denied.code == Some(1) && denied.err.contains("PermissionDenied"), "{denied:?}");
    assert_eq!(tamper(&server, "DELETE FROM _sqlx_migrations WHERE version = 3").await, 1);
    let older = check(&server, &[]).await;
    assert!(older.code == Some(1) && older.out.is_empty() && older.err.contains("older binary"), "{older:?}");
    assert_eq!(tamper(&server, "UPDATE _sqlx_migrations SET version = 999 WHERE version = 2").await, 1);
    let newer = check(&server, &[]).await;
    assert!(newer.code == Some(1) && newer.err.contains("newer binary"), "{newer:?}");
    tamper(&server, "DROP TABLE _sqlx_migrations").await;
    let foreign = check(&server, &[]).await;
    assert!(foreign.code == Some(1) && foreign.err.contains("is not a Dintorni database"), "{foreign:?}");
}
