//! Where a server is, as its URL.
//!
//! Law: the URL may hold a password, so it is never printed whole, neither by `Debug` nor by `Display`.

use std::fmt;

use serde::Deserialize;

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

    fn hidden(&self) -> String {
        let bare = self.0.split(['?', '#']).next().unwrap_or_default();
        match (bare.split_once("://"), bare.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
            _ => bare.to_owned(),
        }
    }
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
        for url in
            ["postgres://ada:secret@db:5432/x?sslmode=require", "redis://:secret@cache", "redis://h/?pass=secret"]
        {
            let address = Address::new(url);
            assert!(!format!("{address} {address:?}").contains("secret"), "{address}");
        }
        assert_eq!(Address::new("sqlite:/var/lib/a.db").to_string(), "sqlite:/var/lib/a.db");
        assert_eq!(Address::new("postgres://ada:secret@db/x").to_string(), "postgres://***@db/x");
    }
}
