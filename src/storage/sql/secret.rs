//! Secrets that the first node makes and all nodes share.

use async_trait::async_trait;

use super::{
    change::{Change, Outcome},
    conn::{Conn, values},
    error::unsound,
};
use crate::ports::StoreError;

pub struct Secret {
    pub label: String,
    pub fresh: [u8; 32],
}

#[async_trait]
impl Change for Secret {
    /// The secret that is kept.
    type Output = [u8; 32];

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<[u8; 32]>, StoreError> {
        const KEEP: &str = "INSERT INTO secret (label, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        conn.execute(KEEP, values![&self.label, self.fresh.as_slice()]).await?;
        let row = conn.row("SELECT value FROM secret WHERE label = $1", values![&self.label]).await?;
        let kept: Vec<u8> = row.ok_or_else(|| unsound("a secret vanished"))?.get(0)?;
        let kept = kept.try_into().map_err(|_| unsound("a secret is not of 32 bytes"))?;
        Ok(Outcome::Keep(kept))
    }
}
