//! Erasing a person: a tombstone stays, and nothing else.
//!
//! Law: the units that the person's offers used stay taken, in the nameless hold of their accounts, so that no budget is
//! given twice and no row points to whom it was given; what they held for a while goes back.

use async_trait::async_trait;

use super::{
    batch::{Batch, Halt},
    change::{Change, Outcome},
    conn::{Conn, values},
    units::{Units, fold},
};
use crate::{
    domain::{name::ProfileName, time::Timestamp},
    ports::StoreError,
};

pub struct Erasure {
    pub name: ProfileName,
    pub at: Timestamp,
}

#[async_trait]
impl Change for Erasure {
    /// The version it had; none if there is no such profile.
    type Output = Option<u64>;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<Option<u64>>, StoreError> {
        // First, because it locks the row: a commit of the same profile comes wholly before or is stale.
        const TOMBSTONE: &str = "UPDATE profile SET state = NULL, erased_at = $2 WHERE id = $1 AND state IS NOT NULL
            RETURNING version";
        let name = self.name.as_str();
        let Some(row) = conn.row(TOMBSTONE, values![name, self.at]).await? else { return Ok(Outcome::Undo(None)) };
        let version = row.count(0)?;
        erase_answers(conn, name).await?;
        erase_offers(conn, name).await?;
        for sql in [
            "DELETE FROM ghost WHERE profile_id = $1",
            "DELETE FROM decision_input WHERE decision_id IN (SELECT id FROM decision WHERE profile_id = $1)",
            "DELETE FROM decision WHERE profile_id = $1",
            "DELETE FROM device WHERE profile_id = $1",
        ] {
            conn.execute(sql, values![name]).await?;
        }
        Ok(Outcome::Keep(Some(version)))
    }
}

/// Those of its devices, and those it had from devices that belong to somebody else by now.
async fn erase_answers(conn: &mut Conn<'_>, profile: &str) -> Result<(), StoreError> {
    const OF_DEVICES: &str = "DELETE FROM answer WHERE device_id IN (SELECT id FROM device WHERE profile_id = $1)";
    const OF_DECISIONS: &str = "DELETE FROM answer
        WHERE (device_id, ping_id) IN (SELECT device_id, ping_id FROM decision WHERE profile_id = $1)";
    for sql in [OF_DEVICES, OF_DECISIONS] {
        conn.execute(sql, values![profile]).await?;
    }
    Ok(())
}

async fn erase_offers(conn: &mut Conn<'_>, profile: &str) -> Result<(), StoreError> {
    // Waits for whoever redeems one of them, so that what follows sees that redemption.
    const LOCK: &str = "UPDATE offer SET test = test WHERE profile_id = $1";
    // What was redeemed is the shops' to know, but not by whom.
    const REDEMPTIONS: &str = "UPDATE redemption SET offer_id = NULL, profile_id = NULL, accounts = 0
        WHERE profile_id = $1";
    const HOLDS: &str = "DELETE FROM hold WHERE holder_id IN (SELECT id FROM offer WHERE profile_id = $1)
        RETURNING account_id, units - returned";
    conn.execute(LOCK, values![profile]).await?;
    conn.execute(REDEMPTIONS, values![profile]).await?;
    let mut units = Units::default();
    let mut batch = Batch::new(conn);
    units.lapse_of(&mut batch, profile).await.map_err(Halt::fault)?;
    batch.run().await.map_err(Halt::fault)?;
    let holds = conn.rows(HOLDS, values![profile]).await?;
    fold(conn, &holds).await?;
    conn.execute("DELETE FROM offer WHERE profile_id = $1", values![profile]).await?;
    let mut batch = Batch::new(conn);
    units.settle(&mut batch).await.map_err(Halt::fault)?;
    batch.run().await.map_err(Halt::fault)
}
