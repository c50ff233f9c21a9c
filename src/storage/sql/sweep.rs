//! Deleting what is past its time, and giving back what was held until now, a bounded batch at once.
//!
//! Law: a hold that goes is added to the nameless one of its account, so the sums stay true. An offer and its hold have
//! the same time but may go in different batches.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    batch::{Batch, Halt},
    change::{Change, Outcome},
    conn::{Conn, values},
    ended,
    error::unsound,
    units::{Units, fold},
};
use crate::{
    domain::{
        budget::{Holder, Unit},
        offer::OfferId,
        time::Timestamp,
    },
    ports::StoreError,
};

pub struct Sweep {
    pub now: Timestamp,
    pub most: u32,
    /// Offers made before this and not shown give their units back, if it is set.
    pub unshown: Option<Timestamp>,
    /// Where accounts of periods that are over are looked for.
    pub accounts: Arc<ended::Place>,
}

#[async_trait]
impl Change for Sweep {
    /// How many rows went.
    type Output = u64;

    /// With each sweep, and so within its time of an erasure: the log would keep what was erased until it is full.
    const EMPTIES_LOG: bool = true;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<u64>, StoreError> {
        const ANSWERS: &str = "DELETE FROM answer WHERE (device_id, ping_id) IN
            (SELECT device_id, ping_id FROM answer WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        // Before their decisions, which have as many as they like: all of a batch would go with them at once.
        const CONSIDERED: &str = "DELETE FROM considered WHERE (campaign_id, decision_id, store_id, verdict) IN
            (SELECT c.campaign_id, c.decision_id, c.store_id, c.verdict
                FROM decision AS d JOIN considered AS c ON c.decision_id = d.id
                WHERE d.expires_at <= $1 ORDER BY d.expires_at LIMIT $2)";
        const DECISIONS: &str = "DELETE FROM decision WHERE id IN
            (SELECT id FROM decision AS d WHERE expires_at <= $1
                AND NOT EXISTS (SELECT 1 FROM considered WHERE decision_id = d.id) ORDER BY expires_at LIMIT $2)";
        const OFFERS: &str = "DELETE FROM offer WHERE id IN
            (SELECT id FROM offer WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const GHOSTS: &str = "DELETE FROM ghost WHERE id IN
            (SELECT id FROM ghost WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const REDEMPTIONS: &str = "DELETE FROM redemption WHERE id IN
            (SELECT id FROM redemption WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const ASKED: &str = "DELETE FROM till_request WHERE (key_id, request_id) IN
            (SELECT key_id, request_id FROM till_request WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const HOLDS: &str = "DELETE FROM hold WHERE (holder_id, account_id) IN
            (SELECT holder_id, account_id FROM hold WHERE expires_at <= $1 AND lapses_at IS NULL
                ORDER BY expires_at LIMIT $2)
            RETURNING account_id, units - returned";
        let mut gone = 0;
        for sql in [ANSWERS, CONSIDERED, DECISIONS, OFFERS, GHOSTS, REDEMPTIONS, ASKED] {
            gone += conn.execute(sql, values![self.now, u64::from(self.most)]).await?;
        }
        let holds = conn.rows(HOLDS, values![self.now, u64::from(self.most)]).await?;
        fold(conn, &holds).await?;
        let returned = self.give_back(&mut Batch::new(conn)).await.map_err(Halt::fault)?;
        let accounts = ended::sweep(conn, &self.accounts, self.now, self.most).await?;
        Ok(Outcome::Keep(gone + holds.len() as u64 + returned + accounts))
    }
}

impl Sweep {
    /// What was held for a while, and what offers hold that nobody saw. Returns how many holds and offers those were.
    async fn give_back(&self, batch: &mut Batch<'_, '_>) -> Result<u64, Halt> {
        let mut units = Units::default();
        let mut returned = units.lapse(batch, self.now, self.most).await?;
        if let Some(before) = self.unshown {
            let offers = return_unshown(batch, before, (self.now, self.most)).await?;
            for offer in &offers {
                units.release(batch, Holder::Offer(*offer), Unit::Offers, u64::MAX).await?;
            }
            returned += offers.len() as u64;
        }
        units.settle(batch).await?;
        batch.run().await?;
        Ok(returned)
    }
}

/// Marks offers that nobody reported as shown: their units go back, and they stay good. A report that comes later is
/// counted as overrun.
async fn return_unshown(
    batch: &mut Batch<'_, '_>,
    before: Timestamp,
    (now, most): (Timestamp, u32),
) -> Result<Vec<OfferId>, Halt> {
    const SQL: &str = "UPDATE offer SET units_returned_at = $2 WHERE id IN
            (SELECT id FROM offer WHERE offered_at < $1 AND accounts > 0 AND shown_at IS NULL AND returned_at IS NULL
                AND units_returned_at IS NULL ORDER BY offered_at LIMIT $3)
            AND shown_at IS NULL AND returned_at IS NULL AND units_returned_at IS NULL
        RETURNING id";
    let rows = batch.rows(SQL, values![before, now, u64::from(most)]).await?;
    let mut offers = Vec::with_capacity(rows.len());
    for row in rows {
        offers.push(OfferId::parse(&row.get::<String>(0)?).map_err(unsound)?);
    }
    offers.sort();
    Ok(offers)
}
