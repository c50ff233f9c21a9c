//! How a store can fail: each way with its own advice to the caller.

use std::time::Duration;

/// The cause is for the log; what the caller is told is the edge's choice.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Away, slow or shutting down. Nothing happened, or what happened is found again under the same request id.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Others list, count or prove, as many as may at once. Nothing happened; the same again may find a place.
    #[error("the store is busy with what others list")]
    Busy,
    /// No room left on its disk. Nothing happened.
    #[error("the store is full: {0}")]
    Full(String),
    /// What was asked takes longer to find than it may. The same again would fare no better.
    #[error("the store has too much to go through within {} s", .0.as_secs())]
    TooMuch(Duration),
    /// What was read cannot be understood, or a statement was refused: a fault of ours or of the disk.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}
