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
/// As [`STATEMENT`](super::engine::STATEMENT), which the file is opened with.
const PATIENCE: &str = "PRAGMA busy_timeout = 5000";
/// Before the first statement of a group.
const BEGIN: &[&str] = &["BEGIN IMMEDIATE", "SAVEPOINT change"];
/// Between a change that is kept and the first statement of the next.
const NEXT: &[&str] = &["RELEASE change", "SAVEPOINT change"];
/// Undoes the change that runs. Rolled back to, a savepoint stays open, as if new.
pub const UNDO: &str = "ROLLBACK TO change";

pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    closing: CancellationToken,
    task: Mutex<Option<JoinHandle<SqliteConnection>>>,
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

    /// Takes no more changes, does what is queued, and gives the connection back for [`close_last`].
    pub async fn close(&self) -> Option<SqliteConnection> {
        self.closing.cancel();
        let stopped = self.task.lock().await.take()?.await;
        stopped.inspect_err(|fault| tracing::error!(%fault, "the SQLite writer had stopped")).ok()
    }
}

/// Closes the file when nobody reads it any more: all that was written is in the file then, and none of it in the log
/// beside it, which whoever copies the file may not know of.
pub async fn close_last(mut conn: SqliteConnection) {
    if let Err(fault) = empty_log(&mut conn).await {
        tracing::warn!(%fault, "the SQLite file's log was not emptied");
    }
    if let Err(fault) = conn.close().await {
        tracing::warn!(%fault, "the SQLite file did not close cleanly");
    }
}

async fn run(
    mut conn: SqliteConnection,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    closing: CancellationToken,
    counters: Arc<Counters>,
) -> SqliteConnection {
    let mut group = Vec::with_capacity(MAX_GROUP);
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled(), if !jobs.is_closed() => jobs.close(),
            received = jobs.recv_many(&mut group, MAX_GROUP) => {
                if received == 0 {
                    break;
                }
                let kept = commit(&mut conn, &mut group).await;
                counters.transaction(kept.as_ref().copied());
                let (committed, empties_log) = (kept.map(drop), group.iter().any(|job| job.empties_log()));
                group.drain(..).for_each(|job| job.finish(committed.clone()));
                if empties_log && let Err(fault) = empty_log(&mut conn).await {
                    tracing::warn!(%fault, "the SQLite file's log was not emptied; the next sweep tries again");
                }
            }
        }
    }
    conn
}

/// One transaction for the whole group; returns whether it kept anything.
async fn commit(conn: &mut SqliteConnection, group: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
    let mut conn = Conn::Sqlite(conn, BEGIN);
    let done = run_all(&mut conn, group).await;
    // Some faults (a full disk) end the transaction by themselves, and then there is nothing left to roll back.
    if done.is_err() && conn.execute("ROLLBACK", &[]).await.is_err() {
        tracing::debug!("the transaction had ended by itself");
    }
    done
}

async fn run_all(conn: &mut Conn<'_>, group: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
    let mut kept = false;
    for job in group {
        kept |= job.run(conn).await?;
    }
    conn.execute("COMMIT", &[]).await.map(|_| kept)
}

/// Moves all that is in the log into the file and cuts the log to nothing. If somebody reads by the log it stays, because
/// nobody shall wait for that: then the next time finds it.
async fn empty_log(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut conn = Conn::Sqlite(conn, &[]);
    conn.rows("PRAGMA busy_timeout = 0", &[]).await?;
    let emptied = conn.row("PRAGMA wal_checkpoint(TRUNCATE)", &[]).await;
    conn.rows(PATIENCE, &[]).await?;
    if emptied?.is_some_and(|row| row.get::<i32>(0).is_ok_and(|busy| busy != 0)) {
        tracing::debug!("the SQLite file's log is being read, and was not emptied");
    }
    Ok(())
}

/// A change in the queue, whatever its type.
#[async_trait]
trait Job: Send {
    /// Applies the change within the savepoint that is open, and sees to a fresh one for the next; returns whether it is
    /// kept. An error is the transaction's, not the change's.
    async fn run(&mut self, conn: &mut Conn<'_>) -> Result<bool, StoreError>;

    /// See [`Change::EMPTIES_LOG`].
    fn empties_log(&self) -> bool;

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
    async fn run(&mut self, conn: &mut Conn<'_>) -> Result<bool, StoreError> {
        let (outcome, keep) = match self.change.apply(conn).await {
            Ok(Outcome::Keep(output)) => (Ok(output), true),
            Ok(Outcome::Undo(output)) => (Ok(output), false),
            Err(fault) => (Err(fault), false),
        };
        if !keep && let Err(ended) = conn.execute(UNDO, &[]).await {
            // The change's own fault (a full disk) ended the whole transaction: that is what all should hear.
            return Err(outcome.err().unwrap_or(ended));
        }
        self.outcome = Some(outcome);
        if keep {
            conn.open(NEXT);
        }
        Ok(keep)
    }

    fn empties_log(&self) -> bool {
        C::EMPTIES_LOG
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = committed
            .and(self.outcome.unwrap_or_else(|| Err(StoreError::Unavailable("the change was not reached".to_owned()))));
        // A caller who went away does not want to know.
        drop(self.reply.send(answer));
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::storage::sql::conn::values;

    /// Writes so many bytes under a label, and then keeps them or not.
    struct Note(&'static str, i64, bool);

    #[async_trait]
    impl Change for Note {
        type Output = u64;

        async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<u64>, StoreError> {
            const SQL: &str = "INSERT INTO note (label, body) VALUES ($1, randomblob($2))";
            let written = conn.execute(SQL, values![self.0, self.1]).await?;
            Ok(if self.2 { Outcome::Keep(written) } else { Outcome::Undo(written) })
        }
    }

    /// Counts the notes.
    struct Count;

    #[async_trait]
    impl Change for Count {
        type Output = u64;

        async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<u64>, StoreError> {
            let row = conn.row("SELECT COUNT(*) FROM note", &[]).await?;
            Ok(Outcome::Keep(row.map_or(Ok(0), |row| row.count(0))?))
        }
    }

    async fn writer(dir: &tempfile::TempDir, counters: &Arc<Counters>) -> Writer {
        let file = SqliteConnectOptions::new().filename(dir.path().join("notes.db")).create_if_missing(true);
        let mut conn = file.connect().await.expect("opens");
        let mut raw = Conn::Sqlite(&mut conn, &[]);
        raw.execute("CREATE TABLE note (label TEXT PRIMARY KEY, body BLOB)", &[]).await.expect("made");
        raw.rows("PRAGMA max_page_count = 40", &[]).await.expect("set");
        Writer::start(conn, 8, counters.clone())
    }

    #[tokio::test]
    async fn a_change_that_is_undone_or_fails_takes_nothing_with_it() {
        let (dir, counters) = (tempfile::tempdir().expect("made"), Arc::default());
        let writer = writer(&dir, &counters).await;
        // All are queued before the writer runs, so they share a transaction.
        let (first, undone, failed, last) = tokio::join!(
            writer.write(Note("a", 1, true)),
            writer.write(Note("b", 1, false)),
            writer.write(Note("a", 1, true)),
            writer.write(Note("c", 1, true)),
        );
        assert!(first.is_ok() && undone.is_ok() && last.is_ok());
        assert!(matches!(failed, Err(StoreError::Corrupt(_))), "the label is taken");
        assert_eq!(counters.read().transactions, 1);
        writer.write(Note("d", 1, false)).await.expect("undone");
        assert_eq!(counters.read().transactions, 1, "of what is undone there is nothing to confirm");
        assert_eq!(writer.write(Count).await.expect("counted"), 2);
    }

    #[tokio::test]
    async fn on_a_full_disk_all_of_the_group_hear_of_it_and_the_writer_goes_on() {
        let (dir, counters) = (tempfile::tempdir().expect("made"), Arc::default());
        let writer = writer(&dir, &counters).await;
        let (small, huge, after) = tokio::join!(
            writer.write(Note("small", 1, true)),
            writer.write(Note("huge", 1_000_000, true)),
            writer.write(Note("after", 1, true)),
        );
        assert!(matches!(huge, Err(StoreError::Full(_))), "{huge:?}");
        let kept = u64::from(small.is_ok()) + u64::from(after.is_ok());
        assert_eq!(writer.write(Count).await.expect("counted"), kept, "what was answered is what is there");
        assert_eq!(writer.write(Note("later", 1, true)).await.expect("room again"), 1);
    }

    #[tokio::test]
    async fn what_is_queued_is_done_before_it_closes() {
        let (dir, counters) = (tempfile::tempdir().expect("made"), Arc::default());
        let writer = writer(&dir, &counters).await;
        let (queued, _conn) = tokio::join!(writer.write(Note("a", 1, true)), writer.close());
        assert!(queued.is_ok());
        assert!(matches!(writer.write(Count).await, Err(StoreError::Unavailable(_))));
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_at_once() {
        let (dir, counters) = (tempfile::tempdir().expect("made"), Arc::default());
        let writer = writer(&dir, &counters).await;
        let mut waiting: Vec<_> = (0..9).map(|_| Box::pin(writer.write(Count))).collect();
        let mut refused = 0;
        for write in &mut waiting {
            refused +=
                u32::from(std::future::poll_fn(|cx| std::task::Poll::Ready(write.as_mut().poll(cx))).await.is_ready());
        }
        assert_eq!(refused, 1);
    }
}
