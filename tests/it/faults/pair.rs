//! Two nodes on one PostgreSQL and one Redis.

use std::sync::Arc;

use dintorni::storage::{
    Address,
    sql::{Sql, SqlConfig, open},
};
use tempfile::TempDir;

use super::node::{Door, Node, doors};
use crate::support::{databases, servers::shared_redis};

pub struct Pair {
    pub a: Node,
    pub b: Node,
    pub operator: String,
    url: String,
    _data: [TempDir; 2],
}

impl Pair {
    pub async fn start(url: String, redis_port: u16, more: &[(&str, &str)]) -> Self {
        let data = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let redis = format!("redis://127.0.0.1:{redis_port}");
        let settings = [&[("storage.url", &*url), ("redis.url", &*redis)], more].concat();
        let mut a = Node::start(data[0].path(), &settings).await;
        let operator = a.operator().await;
        let b = Node::start(data[1].path(), &settings).await;
        Self { a, b, operator, url, _data: data }
    }

    /// On a database of their own in the shared servers.
    pub async fn on_shared() -> Self {
        Self::on_shared_with(&[]).await
    }

    /// The same, with settings of their own.
    pub async fn on_shared_with(more: &[(&str, &str)]) -> Self {
        let database = databases::postgres().await;
        let url = database.config.url.reveal().to_owned();
        database.sql.close().await;
        let redis = tokio::task::spawn_blocking(shared_redis).await.expect("Redis starts");
        Self::start(url, redis.port, more).await
    }

    pub fn doors(&self) -> Arc<[Door]> {
        doors(&[&self.a, &self.b])
    }

    pub async fn sql(&self) -> Arc<Sql> {
        let url = Address::new(self.url.clone());
        open(&SqlConfig { url, connections: 2, ..SqlConfig::default() }).await.expect("it opens")
    }

    pub fn must_be_sound(&self) {
        self.a.must_be_sound();
        self.b.must_be_sound();
    }
}
