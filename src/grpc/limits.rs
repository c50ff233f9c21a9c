//! How often devices may be registered: by app key and by address.
//!
//! Law 10: the app key ships in the app, so whoever has it must not be able to fill the record with devices.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tonic::Status;

use crate::{domain::name::KeyName, grpc::status::Problem};

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
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_key: DefaultKeyedRateLimiter<KeyName>,
    clock: DefaultClock,
}

impl Limits {
    pub fn new(config: LimitsConfig) -> Self {
        let address = Quota::per_minute(config.address_per_minute).allow_burst(config.address_burst);
        let key = Quota::per_second(config.key_per_second).allow_burst(config.key_burst);
        Self {
            by_address: RateLimiter::keyed(address),
            by_key: RateLimiter::keyed(key),
            clock: DefaultClock::default(),
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
    use tonic::Code;
    use tonic_types::StatusExt;

    fn limits(address_burst: u32, key_burst: u32) -> Limits {
        let n = |n| NonZeroU32::new(n).expect("positive");
        Limits::new(LimitsConfig {
            address_per_minute: n(1),
            address_burst: n(address_burst),
            key_per_second: n(1),
            key_burst: n(key_burst),
        })
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
    fn a_subscriber_counts_once() {
        let limits = limits(1, 100);
        limits.check(&key("a"), address("2001:db8::1")).expect("first");
        limits.check(&key("a"), address("2001:db8::ffff")).expect_err("the same /64");
        limits.check(&key("a"), address("2001:db8:0:1::1")).expect("another /64");
    }
}
