//! Deleting what is past its time, a bounded batch at once.
//!
//! Law: a hold that goes is added to the nameless one of its account, so the sums stay true. An offer and its hold have
//! the same time but may go in different batches.

use async_trait::async_trait;

use super::{
    change::{Change, Outcome},
    conn::{Conn, values},
    units::fold,
};
use crate::{domain::time::Timestamp, ports::StoreError};

pub struct Sweep {
    pub now: Timestamp,
    pub most: u32,
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
        const DECISIONS: &str = "DELETE FROM decision WHERE id IN
            (SELECT id FROM decision WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const OFFERS: &str = "DELETE FROM offer WHERE id IN
            (SELECT id FROM offer WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        const HOLDS: &str = "DELETE FROM hold WHERE (offer_id, account_id) IN
            (SELECT offer_id, account_id FROM hold WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
            RETURNING account_id, units - returned";
        let mut gone = 0;
        for sql in [ANSWERS, DECISIONS, OFFERS] {
            gone += conn.execute(sql, values![self.now, u64::from(self.most)]).await?;
        }
        let holds = conn.rows(HOLDS, values![self.now, u64::from(self.most)]).await?;
        fold(conn, &holds).await?;
        Ok(Outcome::Keep(gone + holds.len() as u64))
    }
}
