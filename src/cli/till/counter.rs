//! Where a till stands: its store, its own name, and the server it asks.

use std::fs;

use clap::Args;

use super::{desk::Desk, mistake};
use crate::{
    cli::{connection::Connection, names},
    config::Mistakes,
    domain::{
        name::{MAX_ID, StoreName},
        redemption::TillId,
    },
};

/// The name of a till whose machine has none.
const NAMELESS: &str = "till-1";

#[derive(Debug, Args)]
pub struct Counter {
    /// The store: organizations/ORGANIZATION/stores/STORE, or ORGANIZATION/STORE
    #[arg(long, value_name = "STORE", env = "DINTORNI_STORE", hide_env_values = true)]
    store: Option<String>,
    /// The till's own name, which no other till of the store has: letters, digits, . _ ~ -. By default this machine's
    #[arg(long, value_name = "NAME", env = "DINTORNI_TILL", hide_env_values = true)]
    till: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Counter {
    /// A till whose server answers now, rather than not at the first customer.
    pub async fn open(self) -> anyhow::Result<Desk> {
        self.connection.open().await?;
        self.open_later()
    }

    /// A till that connects when it first asks.
    pub fn open_later(self) -> anyhow::Result<Desk> {
        let (store, till) = (self.store()?, self.till()?);
        self.connection.check()?;
        let channel = self.connection.open_watched()?;
        Desk::new(self.connection, channel, store, till)
    }

    fn store(&self) -> Result<StoreName, Mistakes> {
        let text = self.store.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let missing =
            || Mistakes(vec!["the store is missing: give --store, or the variable DINTORNI_STORE".to_owned()]);
        names::store_of(text.ok_or_else(missing)?).map_err(|invalid| mistake("--store", &invalid))
    }

    fn till(&self) -> Result<TillId, Mistakes> {
        let given = self.till.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let host = || {
            let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
            files.iter().find_map(|file| sound_id(&fs::read_to_string(file).ok()?))
        };
        let name = given.map(str::to_owned).or_else(host).unwrap_or_else(|| NAMELESS.to_owned());
        TillId::parse(&name).map_err(|invalid| mistake("--till", &invalid))
    }
}

/// A name that a till may have, as near to this text as can be; none if nothing of it is left.
fn sound_id(text: &str) -> Option<String> {
    let sound = |c: char| if c.is_ascii_alphanumeric() || "._~-".contains(c) { c } else { '-' };
    let id: String = text.trim().chars().map(sound).collect();
    let id: String = id.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().take(MAX_ID).collect();
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_becomes_the_name_of_a_till() {
        for (host, till) in [("kassa-3\n", "kassa-3"), ("Kasse Süd.local", "Kasse-S-d.local"), ("_7", "7")] {
            assert_eq!(sound_id(host).as_deref(), Some(till));
            assert!(TillId::parse(till).is_ok());
        }
        assert_eq!((sound_id("  \n"), sound_id("..-")), (None, None));
        let long = sound_id(&"x".repeat(200)).expect("something is left");
        assert!(TillId::parse(&long).is_ok(), "{long}");
    }
}
