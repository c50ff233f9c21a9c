//! What the writers of both engines run: one change, in a transaction that they make around it.
//!
//! Law: a change that says [`Outcome::Undo`] or fails leaves nothing behind; one that says [`Outcome::Keep`] is durable
//! before its caller hears of it.

use async_trait::async_trait;

use super::conn::Conn;
use crate::ports::StoreError;

/// One change of the database.
#[async_trait]
pub trait Change: Send + Sync + 'static {
    type Output: Send + 'static;

    /// Whether SQLite's log is emptied after it, so that what is gone from the file is gone from beside it as well.
    const EMPTIES_LOG: bool = false;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<Self::Output>, StoreError>;
}

/// What shall become of what a change did.
pub enum Outcome<T> {
    Keep(T),
    Undo(T),
}
