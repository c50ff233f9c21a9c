//! What only the Redis cache promises: it survives strange values, a server that is away, one that hangs, and a line that
//! went silent.

use std::{sync::Arc, time::Duration};

use dintorni::{
    ports::{CachedProfile, ProfileCache},
    storage::{
        Address, codec,
        redis::{RedisCache, RedisConfig},
    },
};
use redis::AsyncTypedCommands;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
};

use crate::support::{
    caches::{self, redis_config},
    samples::{Person, app, at, person},
    servers::{free_port, redis as start_redis, shared_redis},
};

const DAY_MS: i64 = 86_400_000;

/// Where the cache keeps a person, under the present encoding.
fn key_of(person: &Person) -> String {
    format!("dintorni:{}:{{{}}}", codec::ENCODING, person.name)
}

async fn raw() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(("127.0.0.1", shared_redis().port)).expect("sound");
    client.get_multiplexed_async_connection().await.expect("Redis answers")
}

#[tokio::test]
async fn a_strange_value_is_a_miss_and_is_overwritten() {
    let cache = caches::redis().await;
    let mut raw = raw().await;
    let ada = person(&app(), "ada");
    let key = key_of(&ada);
    let copy = CachedProfile { profile: Arc::new(ada.profile(1)), confirmed_at: at(0) };
    for strange in ["a string", "a hash of garbage", "another's profile"] {
        raw.del(&key).await.expect("deleted");
        match strange {
            "a string" => raw.set(&key, "garbage").await.expect("set"),
            "a hash of garbage" => {
                let fields = [("p", "garbage"), ("c", "garbage"), ("r", "zzz")];
                raw.hset_multiple(&key, &fields).await.expect("set");
            }
            _ => {
                let bob = person(&ada.name.app(), "bob");
                let copy = CachedProfile { profile: Arc::new(bob.profile(9)), confirmed_at: at(0) };
                cache.put(copy).await.expect("kept");
                let from = key_of(&bob);
                raw.rename(&from, &key).await.expect("renamed");
            }
        }
        assert_eq!(cache.get(&ada.name).await.expect("answers"), None, "{strange}");
        cache.put(copy.clone()).await.expect("answers");
        assert_eq!(cache.get(&ada.name).await.expect("answers"), Some(copy.clone()), "{strange}");
    }
    assert_eq!(cache.counts().undecodable, 3);
}

#[tokio::test]
async fn copies_and_erasures_go_after_a_day() {
    let cache = caches::redis().await;
    let ada = person(&app(), "ada");
    let mut raw = raw().await;
    let key = key_of(&ada);
    let copy = CachedProfile { profile: Arc::new(ada.profile(1)), confirmed_at: at(0) };
    cache.put(copy).await.expect("kept");
    assert!((DAY_MS - 60_000..=DAY_MS).contains(&pttl(&mut raw, &key).await));
    cache.forget(&ada.name, 1).await.expect("forgotten");
    assert!((DAY_MS - 60_000..=DAY_MS).contains(&pttl(&mut raw, &key).await));
}

async fn pttl(raw: &mut redis::aio::MultiplexedConnection, key: &str) -> i64 {
    redis::cmd("PTTL").arg(key).query_async(raw).await.expect("Redis answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_without_redis_and_finds_it_when_it_comes() {
    let port = free_port();
    let cache = RedisCache::connect(&redis_config(port)).await.expect("it starts anyway");
    let ada = person(&app(), "ada");
    assert!(cache.get(&ada.name).await.is_err(), "nobody is there");
    let server = tokio::task::spawn_blocking(move || start_redis(port)).await.expect("Redis starts");
    answers_again(&cache).await;
    drop(server);
    while cache.get(&ada.name).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let _server = tokio::task::spawn_blocking(move || start_redis(port)).await.expect("Redis starts again");
    answers_again(&cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_a_redis_that_refused_it_for_its_password() {
    let server = tokio::task::spawn_blocking(|| start_redis(free_port())).await.expect("Redis starts");
    let url = Address::new(format!("redis://:secret@127.0.0.1:{}", server.port));
    let cache = RedisCache::connect(&RedisConfig { url, ..redis_config(server.port) }).await.expect("it starts");
    let ada = person(&app(), "ada");
    let refused = cache.get(&ada.name).await.expect_err("that user has no password").to_string();
    assert!(refused.contains("Password authentication failed"), "{refused}");
    let client = redis::Client::open(("127.0.0.1", server.port)).expect("sound");
    let mut raw = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let set = redis::cmd("CONFIG").arg(&["SET", "requirepass", "secret"]).query_async::<()>(&mut raw).await;
    set.expect("set");
    answers_again(&cache).await;
}

async fn answers_again(cache: &RedisCache) {
    let name = person(&app(), "ada").name;
    let answered = async {
        while cache.get(&name).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answered).await.expect("it finds Redis");
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_budget_and_no_more() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = silent.local_addr().expect("bound").port();
    let config = RedisConfig { timeout_ms: 20, ..redis_config(port) };
    let cache = RedisCache::connect(&config).await.expect("it starts");
    let ada = person(&app(), "ada");
    // Far more than 200 calls can take once it rests, far less than they would take at the budget each.
    let calls = async {
        for _ in 0..200 {
            assert!(cache.get(&ada.name).await.is_err());
        }
    };
    tokio::time::timeout(Duration::from_secs(2), calls).await.expect("it does not wait for each");
    assert_eq!(cache.counts().failures, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_goes_silent_is_replaced() {
    let server = tokio::task::spawn_blocking(shared_redis).await.expect("Redis starts");
    let door = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = door.local_addr().expect("bound").port();
    let (silence, silent) = oneshot::channel();
    let door = tokio::spawn(first_line_goes_silent(door, server.port, silent));
    let cache = RedisCache::connect(&RedisConfig { timeout_ms: 50, ..redis_config(port) }).await.expect("it starts");
    answers_again(&cache).await;
    silence.send(()).expect("the door is open");
    let name = person(&app(), "ada").name;
    let silent = async { while cache.get(&name).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), silent).await.expect("nothing comes through");
    answers_again(&cache).await;
    door.abort();
}

/// A door to Redis. From a word on nothing comes through the first line, and nobody hears that it ended, as when a machine
/// on the way lost power; the others go on.
async fn first_line_goes_silent(door: TcpListener, redis: u16, silent: oneshot::Receiver<()>) {
    let ends = async || {
        let (client, _) = door.accept().await.expect("it listens");
        (client, TcpStream::connect(("127.0.0.1", redis)).await.expect("Redis answers"))
    };
    let (mut client, mut server) = ends().await;
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = silent => {}
    }
    let mut others = JoinSet::new();
    loop {
        let (mut client, mut server) = ends().await;
        others.spawn(async move { copy_bidirectional(&mut client, &mut server).await.ok() });
    }
}
