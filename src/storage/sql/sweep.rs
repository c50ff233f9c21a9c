//! Deleting what is past its time, and giving back what was held until now, a bounded batch at once.
//!
//! Laws: a hold that goes is added to the nameless one of its account, so the sums stay true. An offer and its hold have
//! the same time but may go in different batches. What costs statements of its own for each row goes in transactions of a
//! few rows, so that on a slow line as well each comes to its end, and what it did stays done.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    batch::{Batch, Halt},
    change::{Change, Outcome},
    conn::{Conn, values},
    ended,
    engine::Engine,
    error::unsound,
    units::{Units, fold},
};
use crate::{
    domain::{
        budget::{Holder, Unit},
        offer::OfferId,
        time::Timestamp,
    },
    ports::{Past, StoreError},
};

/// Most rows of a transaction that sends statements for each: an offer of three budgets is returned by seven, so at 10 ms a
/// trip it takes less than half of the ten seconds that a transaction has.
const AT_ONCE: u32 = 50;

/// What is to be swept.
#[derive(Clone)]
pub struct Sweep {
    pub past: Past,
    pub now: Timestamp,
    pub most: u32,
    /// Offers made before this and not shown give their units back, if it is set.
    pub unshown: Option<Timestamp>,
    /// Where accounts of periods that are over are looked for.
    pub accounts: Arc<ended::Place>,
}

impl Sweep {
    /// Returns how many rows went, or how many holds and offers gave their units back. What was done before a fault stays.
    pub async fn run(self, engine: &Engine) -> Result<u64, StoreError> {
        if self.past == Past::Records {
            return engine.write(Expired { now: self.now, most: self.most }).await;
        }
        let (mut left, mut gone) = (self.most, 0);
        while left > 0 {
            let most = AT_ONCE.min(left);
            let few = engine.write(Few(Self { most, ..self.clone() })).await?;
            gone += few.gone;
            if few.found < u64::from(most) {
                break;
            }
            left -= most;
        }
        Ok(gone)
    }
}

/// What is deleted set by set.
struct Expired {
    now: Timestamp,
    most: u32,
}

#[async_trait]
impl Change for Expired {
    /// How many rows went.
    type Output = u64;

    /// With each sweep, and so within its time of an erasure: the log would keep what was erased until it is full.
    const EMPTIES_LOG: bool = true;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<u64>, StoreError> {
        const ANSWERS: &str = "DELETE FROM answer WHERE (device_id, ping_id) IN
            (SELECT device_id, ping_id FROM answer WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const INPUTS: &str = "DELETE FROM decision_input WHERE decision_id IN
            (SELECT decision_id FROM decision_input WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
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
        let mut gone = 0;
        for sql in [ANSWERS, INPUTS, CONSIDERED, DECISIONS, OFFERS, GHOSTS, REDEMPTIONS, ASKED] {
            gone += conn.execute(sql, values![self.now, u64::from(self.most)]).await?;
        }
        Ok(Outcome::Keep(gone))
    }
}

/// One transaction of a sweep whose rows cost statements of their own.
struct Few(Sweep);

/// What came of it.
struct Found {
    /// Rows that it was about; if they are fewer than it may take there are no more.
    found: u64,
    /// Of those, how many went or gave back.
    gone: u64,
}

#[async_trait]
impl Change for Few {
    type Output = Found;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<Found>, StoreError> {
        let Sweep { past, now, most, unshown, accounts } = &self.0;
        let found = match past {
            // Set by set: see [`Expired`].
            Past::Records => 0,
            Past::Holds => delete_holds(conn, *now, *most).await?,
            Past::Lapsed => lapse(&mut Batch::new(conn), *now, *most).await.map_err(Halt::fault)?,
            Past::Unshown => {
                let Some(before) = *unshown else { return Ok(Outcome::Undo(Found { found: 0, gone: 0 })) };
                return_unshown(&mut Batch::new(conn), before, (*now, *most)).await.map_err(Halt::fault)?
            }
            Past::Accounts => {
                let (found, gone) = ended::sweep(conn, accounts, *now, *most).await?;
                return Ok(Outcome::Keep(Found { found, gone }));
            }
        };
        Ok(Outcome::Keep(Found { found, gone: found }))
    }
}

/// Returns how many holds were deleted.
async fn delete_holds(conn: &mut Conn<'_>, now: Timestamp, most: u32) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM hold WHERE (holder_id, account_id) IN
            (SELECT holder_id, account_id FROM hold WHERE expires_at <= $1 AND lapses_at IS NULL
                ORDER BY expires_at LIMIT $2)
        RETURNING account_id, units - returned";
    let holds = conn.rows(SQL, values![now, u64::from(most)]).await?;
    fold(conn, &holds).await?;
    Ok(holds.len() as u64)
}

/// Gives back what was held for a while; returns how many holds that were.
async fn lapse(batch: &mut Batch<'_, '_>, now: Timestamp, most: u32) -> Result<u64, Halt> {
    let mut units = Units::default();
    let lapsed = units.lapse(batch, now, most).await?;
    units.settle(batch).await?;
    batch.run().await?;
    Ok(lapsed)
}

/// Gives back what offers hold that nobody saw; returns how many offers those were.
async fn return_unshown(batch: &mut Batch<'_, '_>, before: Timestamp, limits: (Timestamp, u32)) -> Result<u64, Halt> {
    let mut units = Units::default();
    let offers = mark_unshown(batch, before, limits).await?;
    for offer in &offers {
        units.release(batch, Holder::Offer(*offer), Unit::Offers, u64::MAX).await?;
    }
    units.settle(batch).await?;
    batch.run().await?;
    Ok(offers.len() as u64)
}

/// Marks offers that nobody reported as shown: their units go back, and they stay good. A report that comes later is
/// counted as overrun.
async fn mark_unshown(
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
