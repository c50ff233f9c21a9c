//! Where a server is, as its URL.
//!
//! Law: the URL may hold a password, so it is never printed whole, neither by `Debug` nor by `Display`.

use std::fmt;

use serde::Deserialize;

const SCHEME_END: &str = "://";

/// The URL of a database or cache: `sqlite:PATH`, `postgres://…`, `redis://…`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL, with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Without who signs in, and without what follows the path: either may be a secret. In a password that nobody escaped
    /// may be any sign; where it could end anywhere, only the scheme is told. So it is of what is no URL at all.
    fn hidden(&self) -> String {
        let bare = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
        if self.0.starts_with("sqlite:") {
            return bare(&self.0);
        }
        let (scheme, rest) = self.0.split_at(self.0.find(SCHEME_END).map_or(0, |at| at + SCHEME_END.len()));
        match rest.rsplit_once('@') {
            Some((before, place)) if !scheme.is_empty() && !before.contains(['?', '#']) && is_host(place) => {
                format!("{scheme}***@{}", bare(place))
            }
            None if is_host(rest) => format!("{scheme}{}", bare(rest)),
            _ => format!("{scheme}***"),
        }
    }
}

/// Whether what begins this text is a host, with or without a port, and not somebody's name and password.
fn is_host(text: &str) -> bool {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let of_hosts = |c: char| c.is_alphanumeric() || ".-_%[]:".contains(c);
    host.chars().all(of_hosts)
        && (host.ends_with(']') || host.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok()))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hidden())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_printed() {
        for url in [
            "postgres://ada:secret@db:5432/x?sslmode=require",
            "postgres://ada:secret#1@db/x",
            "postgres://ada:1?secret@db/x",
            "postgres://ada:1/secret@db/x",
            "postgres://ada:1@secret@db/x",
            "postgres://ada:secret",
            "postgres://ada:secret/x",
            "postgres://db/x?password=1@secret",
            "postgres:ada:secret@db/x",
            "postgres:ada:secret",
            "redis://:secret@cache",
            "redis://:#secret@cache:6379/2",
            "redis://:1/secret?@cache",
            "redis://h/?pass=secret",
            "unix:///run/redis?pass=secret",
            "host=db user=ada password=secret",
            "host=db user=ada password=1@secret",
            "postgres://user=ada password=1@host=db password=secret",
        ] {
            let address = Address::new(url);
            assert!(!format!("{address} {address:?}").contains("secret"), "{address}");
        }
    }

    #[test]
    fn where_it_is_is_told() {
        for (url, told) in [
            ("sqlite:/var/lib/a@b.db", "sqlite:/var/lib/a@b.db"),
            ("postgres://ada:secret@db/x", "postgres://***@db/x"),
            ("postgres://ada:1/2@db:5432/x?sslmode=require", "postgres://***@db:5432/x"),
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("rediss://[::1]:6379/2", "rediss://[::1]:6379/2"),
            ("redis://[::1]", "redis://[::1]"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock"),
            ("dintorni.db", "dintorni.db"),
        ] {
            assert_eq!(Address::new(url).to_string(), told);
        }
    }
}
