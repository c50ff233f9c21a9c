//! The laws of the ports, each a test, written once and run on every adapter against real servers.

mod arms;
mod catalog_store;
mod coupon_histories;
mod coupons;
mod ended_accounts;
mod inputs;
mod pools;
mod postgres;
mod profile_cache;
mod receipts;
mod records;
mod redis;
mod sqlite;
mod units;

/// Each law as a test on SQLite and one on PostgreSQL.
macro_rules! on_every_engine {
    ($($law:ident)*) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() { super::$law(crate::support::databases::sqlite().await).await; }
        )* }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() { super::$law(crate::support::databases::postgres().await).await; }
        )* }
    };
}
use on_every_engine;
