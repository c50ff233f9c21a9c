//! The one writer of a SQLite file: it gathers the changes that queued while the last group was committed.
//!
//! Law: a group is never held back by a timer, and each change in it has its own savepoint, so that one which is undone
//! takes nothing with it. Nobody is answered before the group's COMMIT; if that fails, all hear of it. A caller who goes
//! away changes nothing: what is queued is done.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    change::{Change, Outcome},
    conn::Conn,
    counters::Counters,
};
use crate::ports::StoreError;

/// Most changes in one transaction: beyond it the first would wait too long for the last.
const MAX_GROUP: usize = 128;

pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    closing: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writer; more than `queued` waiting changes are refused.
    pub fn start(conn: SqliteConnection, queued: usize, counters: Arc<Counters>) -> Self {
        let (queue, jobs) = mpsc::channel(queued.max(1));
        let closing = CancellationToken::new();
        let task = tokio::spawn(run(conn, jobs, closing.clone(), counters));
        Self { queue, closing, task: Mutex::new(Some(task)) }
    }

    pub async fn write<C: Change>(&self, change: C) -> Result<C::Output, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Queued { change, outcome: None, reply });
        self.queue.try_send(job).map_err(|full| match full {
            mpsc::error::TrySendError::Full(_) => StoreError::Unavailable("too many changes are waiting".to_owned()),
            mpsc::error::TrySendError::Closed(_) => StoreError::Unavailable("the record is closed".to_owned()),
        })?;
        answer.await.map_err(|_| StoreError::Unavailable("the writer has stopped".to_owned()))?
    }

    /// Takes no more changes, does what is queued, and closes the file.
    pub async fn close(&self) {
        self.closing.cancel();
        if let Some(task) = self.task.lock().await.take()
            && let Err(fault) = task.await
        {
            tracing::error!(%fault, "the SQLite writer had stopped");
        }
    }
}

async fn run(
    mut conn: SqliteConnection,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    closing: CancellationToken,
    counters: Arc<Counters>,
) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled(), if !jobs.is_closed() => jobs.close(),
            received = jobs.recv_many(&mut group, MAX_GROUP) => {
                if received == 0 {
                    break;
                }
                let committed = commit(&mut conn, &mut group).await;
                counters.group(group.len(), committed.is_ok());
                group.drain(..).for_each(|job| job.finish(committed.clone()));
            }
        }
    }
    if let Err(fault) = conn.close().await {
        tracing::warn!(%fault, "the SQLite file did not close cleanly");
    }
}

/// One transaction for the whole group.
async fn commit(conn: &mut SqliteConnection, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let mut conn = Conn::Sqlite(conn);
    conn.execute("BEGIN IMMEDIATE", &[]).await?;
    let done = run_all(&mut conn, group).await;
    // Some faults (a full disk) end the transaction by themselves, and then there is nothing left to roll back.
    if done.is_err() && conn.execute("ROLLBACK", &[]).await.is_err() {
        tracing::debug!("the transaction had ended by itself");
    }
    done
}

async fn run_all(conn: &mut Conn<'_>, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    for job in group {
        job.run(conn).await?;
    }
    conn.execute("COMMIT", &[]).await.map(|_| ())
}

/// A change in the queue, whatever its type.
#[async_trait]
trait Job: Send {
    /// Applies the change within its own savepoint. An error is the transaction's, not the change's.
    async fn run(&mut self, conn: &mut Conn<'_>) -> Result<(), StoreError>;

    /// Answers the caller, now that it is known whether the group was committed.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Queued<C: Change> {
    change: C,
    outcome: Option<Result<C::Output, StoreError>>,
    reply: oneshot::Sender<Result<C::Output, StoreError>>,
}

#[async_trait]
impl<C: Change> Job for Queued<C> {
    async fn run(&mut self, conn: &mut Conn<'_>) -> Result<(), StoreError> {
        conn.execute("SAVEPOINT change", &[]).await?;
        let (outcome, keep) = match self.change.apply(conn).await {
            Ok(Outcome::Keep(output)) => (Ok(output), true),
            Ok(Outcome::Undo(output)) => (Ok(output), false),
            Err(fault) => (Err(fault), false),
        };
        if !keep && let Err(ended) = conn.execute("ROLLBACK TO change", &[]).await {
            // The change's own fault (a full disk) ended the whole transaction: that is what all should hear.
            return Err(outcome.err().unwrap_or(ended));
        }
        self.outcome = Some(outcome);
        conn.execute("RELEASE change", &[]).await.map(|_| ())
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = committed
            .and(self.outcome.unwrap_or_else(|| Err(StoreError::Unavailable("the change was not reached".to_owned()))));
        // A caller who went away does not want to know.
        drop(self.reply.send(answer));
    }
}
