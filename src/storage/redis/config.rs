//! The settings of Redis, and what is refused before anything is sent to it.
//!
//! Law: profiles do not cross a network in the clear unless the operator said so.

use std::{net::IpAddr, time::Duration};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError};
use serde::Deserialize;

use crate::storage::Address;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `rediss://user:password@host:port` with TLS, `redis://…` without, `unix:///path` for a socket.
    pub url: Address,
    /// Longest time of one call, in milliseconds; beyond it the profile is read from SQL.
    pub timeout_ms: u64,
    /// Allows `redis://` to another machine: for a network that is private to the servers.
    pub allow_plaintext: bool,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: Address::new("redis://127.0.0.1:6379"), timeout_ms: 20, allow_plaintext: false }
    }
}

/// Why Redis is not even tried.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the Redis address {0} cannot be read: {1}")]
    Unreadable(Address, String),
    #[error("{0} would send profiles over the network in the clear: use rediss://, or set allow_plaintext")]
    Plaintext(Address),
}

impl RedisConfig {
    /// What is wrong with the settings, as far as it can be seen without connecting.
    pub fn mistakes(&self) -> Vec<String> {
        if self.url.reveal().is_empty() {
            return Vec::new();
        }
        self.server().err().map(|error| format!("redis.url: {error}")).into_iter().collect()
    }

    pub(super) fn budget(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.max(1))
    }

    /// The server to connect to, if it may be.
    pub(super) fn server(&self) -> Result<ConnectionInfo, ConnectError> {
        let server = self.url.reveal().into_connection_info().map_err(|fault| self.unreadable(&fault))?;
        match server.addr() {
            ConnectionAddr::Tcp(host, _) if !self.allow_plaintext && !is_loopback(host) => {
                Err(ConnectError::Plaintext(self.url.clone()))
            }
            _ => Ok(server),
        }
    }

    pub(super) fn unreadable(&self, fault: &RedisError) -> ConnectError {
        ConnectError::Unreadable(self.url.clone(), fault.to_string())
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, allow_plaintext: bool) -> Result<ConnectionInfo, ConnectError> {
        RedisConfig { url: Address::new(url), allow_plaintext, ..RedisConfig::default() }.server()
    }

    #[test]
    fn profiles_do_not_cross_a_network_in_the_clear() {
        for near in ["redis://127.0.0.1", "redis://localhost:7000/1", "redis://[::1]", "unix:///run/redis.sock"] {
            assert!(check(near, false).is_ok(), "{near}");
        }
        assert!(check("rediss://cache.example.com", false).is_ok());
        assert!(matches!(check("redis://cache.example.com", false), Err(ConnectError::Plaintext(_))));
        assert!(check("redis://cache.example.com", true).is_ok());
        let fault = check("http://:secret@cache", false).expect_err("no Redis").to_string();
        assert!(!fault.contains("secret"), "{fault}");
    }
}
