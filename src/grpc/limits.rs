//! How often devices may be registered, by app key and by address; how often tills may call, and people look around or
//! report events.
//!
//! Law 10: the app key ships in the app, so whoever has it must not be able to fill the record with devices, or with the
//! receipts of one.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, state::keyed::DefaultKeyedStateStore,
};
use tonic::Status;

use crate::{
    domain::{
        name::{DeviceName, KeyName, ProfileName},
        time::Timestamp,
    },
    grpc::status::Problem,
    ports::Clock,
};

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, Elapsed, NoOpMiddleware<Duration>>;

/// Settings of [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsConfig {
    pub address_per_minute: NonZeroU32,
    pub address_burst: NonZeroU32,
    pub key_per_second: NonZeroU32,
    pub key_burst: NonZeroU32,
}

/// Counts registrations, in this node's memory only.
pub struct Limits {
    by_address: Limiter<IpAddr>,
    by_key: Limiter<KeyName>,
    clock: Elapsed,
}

/// Counts calls of tills by their key, in this node's memory only.
pub struct TillLimits {
    by_key: Limiter<KeyName>,
    clock: Elapsed,
}

impl TillLimits {
    /// So many calls a second by each key, and at most `burst` at once.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let clock = Elapsed::new(clock);
        let key = Quota::per_second(per_second).allow_burst(burst);
        Self { by_key: RateLimiter::dashmap_with_clock(key, clock.clone()), clock }
    }

    /// Counts one call, or refuses it. Keys are few: nothing needs to be forgotten.
    pub fn check(&self, key: &KeyName) -> Result<(), Status> {
        let free = self.by_key.check_key(key);
        let wait = |until: governor::NotUntil<Duration>| until.wait_time_from(self.clock.now());
        free.map_err(|until| Problem::RateLimited.says_until(wait(until), "the tills of this key call too fast"))
    }
}

/// How often one person looks around for offers, and at once: an app that shows a map asks when it was moved.
const BROWSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();
const BROWSES_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// The same for stores, which cost less and are no secret.
const STORE_LOOKS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
const STORE_LOOKS_AT_ONCE: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Settings of [`PeopleLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeopleLimitsConfig {
    pub events_per_minute: NonZeroU32,
    pub events_burst: NonZeroU32,
}

/// Counts what one person does beside pinging, in this node's memory only.
pub struct PeopleLimits {
    /// Looks around for offers: whoever could look everywhere all the time could copy every campaign there is.
    pub browses: CallLimit<ProfileName>,
    pub store_looks: CallLimit<ProfileName>,
    /// Events of the app, each of which may write a receipt, and nothing but the public app key is needed to send them. By
    /// the device: whose it is, and whether its token was revoked, is found out later.
    pub events: CallLimit<DeviceName>,
}

impl PeopleLimits {
    pub fn new(config: PeopleLimitsConfig, clock: &Arc<dyn Clock>) -> Self {
        let PeopleLimitsConfig { events_per_minute, events_burst } = config;
        Self {
            browses: CallLimit::new((BROWSES_PER_MINUTE, BROWSES_AT_ONCE), "this person looks around too often", clock),
            store_looks: CallLimit::new(
                (STORE_LOOKS_PER_MINUTE, STORE_LOOKS_AT_ONCE),
                "this person looks for stores too often",
                clock,
            ),
            events: CallLimit::new((events_per_minute, events_burst), "this device reports events too fast", clock),
        }
    }

    /// Forgets who has been quiet, as [`Limits::prune`].
    pub fn prune(&self) {
        let Self { browses, store_looks, events } = self;
        browses.prune();
        store_looks.prune();
        events.prune();
    }
}

/// Counts one kind of call by whoever makes it.
pub struct CallLimit<K: Hash + Eq + Clone> {
    by_caller: Limiter<K>,
    said: &'static str,
    clock: Elapsed,
}

impl<K: Hash + Eq + Clone> CallLimit<K> {
    fn new((per_minute, at_once): (NonZeroU32, NonZeroU32), said: &'static str, clock: &Arc<dyn Clock>) -> Self {
        let clock = Elapsed::new(clock.clone());
        let quota = Quota::per_minute(per_minute).allow_burst(at_once);
        Self { by_caller: RateLimiter::dashmap_with_clock(quota, clock.clone()), said, clock }
    }

    fn prune(&self) {
        self.by_caller.retain_recent();
        self.by_caller.shrink_to_fit();
    }

    /// Counts one call, or refuses it.
    pub fn check(&self, caller: &K) -> Result<(), Status> {
        let free = self.by_caller.check_key(caller);
        let wait = |until: governor::NotUntil<Duration>| until.wait_time_from(self.clock.now());
        free.map_err(|until| Problem::RateLimited.says_until(wait(until), self.said))
    }
}

/// The time that passed, by the server's clock. It never goes back, and goes on at once when the clock was set back.
#[derive(Clone)]
struct Elapsed {
    clock: Arc<dyn Clock>,
    /// When it was asked last, and what had passed then.
    seen: Arc<Mutex<(Timestamp, Duration)>>,
}

impl Elapsed {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let begun = clock.now();
        Self { clock, seen: Arc::new(Mutex::new((begun, Duration::ZERO))) }
    }
}

impl governor::clock::Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        *seen = (now, seen.1.saturating_add(now.since(seen.0)));
        seen.1
    }
}

impl Limits {
    pub fn new(config: LimitsConfig, clock: Arc<dyn Clock>) -> Self {
        let clock = Elapsed::new(clock);
        let address = Quota::per_minute(config.address_per_minute).allow_burst(config.address_burst);
        let key = Quota::per_second(config.key_per_second).allow_burst(config.key_burst);
        Self {
            by_address: RateLimiter::dashmap_with_clock(address, clock.clone()),
            by_key: RateLimiter::dashmap_with_clock(key, clock.clone()),
            clock,
        }
    }

    /// Counts one registration, or refuses it. An address that is refused uses up nothing of its key's share.
    pub fn check(&self, key: &KeyName, address: Option<IpAddr>) -> Result<(), Status> {
        if let Some(address) = address {
            let free = self.by_address.check_key(&network(address));
            free.map_err(|until| refuse(until.wait_time_from(self.clock.now()), "address"))?;
        }
        let free = self.by_key.check_key(key);
        free.map_err(|until| refuse(until.wait_time_from(self.clock.now()), "app key"))
    }

    /// Forgets who has been quiet: call it from time to time, since the counts grow with every new address.
    pub fn prune(&self) {
        self.by_address.retain_recent();
        self.by_address.shrink_to_fit();
        self.by_key.retain_recent();
        self.by_key.shrink_to_fit();
    }
}

fn refuse(wait: Duration, by: &str) -> Status {
    Problem::RateLimited.says_until(wait, format!("this {by} registers devices too fast"))
}

/// One subscriber has a whole /64 of IPv6, and counts once.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (!0 << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
    use tonic::Code;
    use tonic_types::StatusExt;

    /// A clock that is set by hand, in seconds.
    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Relaxed) * 1_000_000)
        }
    }

    fn limits(address_burst: u32, key_burst: u32) -> Limits {
        limits_by(Arc::new(Hands(AtomicI64::new(1_000_000))), address_burst, key_burst)
    }

    fn limits_by(clock: Arc<Hands>, address_burst: u32, key_burst: u32) -> Limits {
        let n = |n| NonZeroU32::new(n).expect("positive");
        let config = LimitsConfig {
            address_per_minute: n(1),
            address_burst: n(address_burst),
            key_per_second: n(1),
            key_burst: n(key_burst),
        };
        Limits::new(config, clock)
    }

    fn key(id: &str) -> KeyName {
        KeyName::parse(&format!("organizations/acme/keys/{id}")).expect("sound")
    }

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn an_address_over_its_share_is_told_when_to_come_back() {
        let limits = limits(2, 100);
        for _ in 0..2 {
            limits.check(&key("a"), address("10.0.0.1")).expect("within its share");
        }
        let status = limits.check(&key("b"), address("10.0.0.1")).expect_err("over its share");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_some());
        limits.check(&key("a"), address("10.0.0.2")).expect("another address");
    }

    #[test]
    fn a_share_comes_back_by_the_clock_even_if_it_was_set_back() {
        let clock = Arc::new(Hands(AtomicI64::new(1_000_000)));
        let limits = limits_by(clock.clone(), 1, 100);
        let check = || limits.check(&key("a"), address("10.0.0.1"));
        check().expect("its share");
        check().expect_err("over its share");
        clock.0.store(500_000, Relaxed);
        check().expect_err("no time has passed");
        clock.0.store(500_061, Relaxed);
        check().expect("a minute has passed");
    }

    #[test]
    fn a_refused_address_does_not_use_up_its_key() {
        let limits = limits(1, 2);
        limits.check(&key("a"), address("10.0.0.1")).expect("first");
        for _ in 0..5 {
            limits.check(&key("a"), address("10.0.0.1")).expect_err("over its share");
        }
        limits.check(&key("a"), address("10.0.0.2")).expect("the key has one left");
        limits.check(&key("a"), address("10.0.0.3")).expect_err("the key is used up");
    }

    #[test]
    fn each_person_has_a_share_of_each_kind() {
        let clock: Arc<dyn Clock> = Arc::new(Hands(AtomicI64::new(1_000_000)));
        let two = NonZeroU32::new(2).expect("positive");
        let limits = PeopleLimits::new(PeopleLimitsConfig { events_per_minute: two, events_burst: two }, &clock);
        let person = |id: &str| ProfileName::parse(&format!("organizations/a/apps/b/profiles/{id}")).expect("sound");
        let device = |id: &str| DeviceName::parse(&format!("organizations/a/apps/b/devices/{id}")).expect("sound");
        let looks = |limit: &CallLimit<_>, id| (0..99).take_while(|_| limit.check(&person(id)).is_ok()).count();
        let events = |id| (0..99).take_while(|_| limits.events.check(&device(id)).is_ok()).count();
        assert_eq!([events("1"), looks(&limits.browses, "ann"), looks(&limits.store_looks, "ann")], [2, 10, 20]);
        let status = limits.events.check(&device("1")).expect_err("over the share");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(
            status.get_error_details().retry_info().and_then(|info| info.retry_delay),
            Some(Duration::from_secs(30))
        );
        assert_eq!((events("2"), looks(&limits.browses, "bob")), (2, 10));
    }

    #[test]
    fn a_subscriber_counts_once() {
        let limits = limits(1, 100);
        limits.check(&key("a"), address("2001:db8::1")).expect("first");
        limits.check(&key("a"), address("2001:db8::ffff")).expect_err("the same /64");
        limits.check(&key("a"), address("2001:db8:0:1::1")).expect("another /64");
    }
}
