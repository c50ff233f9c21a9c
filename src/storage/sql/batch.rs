//! The statements of one change, gathered for as few trips to the database as what it asks for allows.
//!
//! Law: they are done in the order they were given, all before whatever is asked for; the first that had to change a row
//! and changed none ends it, and then nothing of the change stands.

use super::{
    conn::{Conn, Row, Value},
    error::unsound,
    script::{Done, Script},
    writer::UNDO,
};
use crate::ports::{Committed, StoreError};

/// Most statements in one trip: a longer text is seldom one that was prepared before.
const LONGEST: usize = 16;

/// Why a statement ended the change.
#[derive(Debug)]
pub enum Halt {
    Refused(Committed),
    /// The id of the ping, or of the till's request, is used already.
    Used,
    Failed(StoreError),
}

impl Halt {
    /// Of a change that nothing can refuse.
    pub fn fault(self) -> StoreError {
        match self {
            Halt::Failed(fault) => fault,
            refused => unsound(format!("nothing was to be refused: {refused:?}")),
        }
    }
}

impl From<StoreError> for Halt {
    fn from(fault: StoreError) -> Self {
        Halt::Failed(fault)
    }
}

/// PostgreSQL is asked at once: a statement that fails would end its transaction, and take the reason with it.
pub struct Batch<'b, 'c> {
    conn: &'b mut Conn<'c>,
    script: Script,
    /// What it means that the statement changed no row; none if that means nothing.
    otherwise: Vec<Option<Halt>>,
}

impl<'b, 'c> Batch<'b, 'c> {
    pub fn new(conn: &'b mut Conn<'c>) -> Self {
        Self { conn, script: Script::default(), otherwise: Vec::new() }
    }

    /// A statement that may change rows or none.
    pub async fn add(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<(), Halt> {
        self.gather(sql, values, None).await
    }

    /// A statement that changes a row, or ends everything so.
    pub async fn must(&mut self, sql: &'static str, values: &[Value<'_>], otherwise: Halt) -> Result<(), Halt> {
        self.gather(sql, values, Some(otherwise)).await
    }

    /// Does everything; returns how many rows the last statement changed.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Halt> {
        match self.conn {
            Conn::Postgres(..) => Ok(self.conn.execute(sql, values).await?),
            Conn::Sqlite(..) => Ok(self.last(sql, values).await?.changed),
        }
    }

    /// Does everything; returns all rows of the last statement's result.
    pub async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Halt> {
        match self.conn {
            Conn::Postgres(..) => Ok(self.conn.rows(sql, values).await?),
            Conn::Sqlite(..) => Ok(self.last(sql, values).await?.rows),
        }
    }

    /// Does everything, and then the statement once for each row of values; returns how many rows each of those changed.
    pub async fn each(&mut self, sql: &'static str, rows: &[Vec<Value<'_>>]) -> Result<Vec<u64>, Halt> {
        self.run().await?;
        let mut changed = Vec::with_capacity(rows.len());
        for rows in rows.chunks(LONGEST) {
            for values in rows {
                match self.conn {
                    Conn::Postgres(..) => changed.push(self.conn.execute(sql, values).await?),
                    Conn::Sqlite(..) => self.gather(sql, values, None).await?,
                }
            }
            changed.extend(self.flush().await?.iter().map(|done| done.changed));
        }
        Ok(changed)
    }

    /// Does what was gathered.
    pub async fn run(&mut self) -> Result<(), Halt> {
        self.flush().await.map(drop)
    }

    async fn gather(&mut self, sql: &'static str, values: &[Value<'_>], otherwise: Option<Halt>) -> Result<(), Halt> {
        match self.conn {
            Conn::Postgres(..) => match (self.conn.execute(sql, values).await?, otherwise) {
                (0, Some(halt)) => Err(halt),
                _ => Ok(()),
            },
            Conn::Sqlite(..) => {
                if self.otherwise.len() == LONGEST {
                    self.flush().await?;
                }
                self.script.push(sql, values)?;
                self.otherwise.push(otherwise);
                Ok(())
            }
        }
    }

    async fn last(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Done, Halt> {
        self.gather(sql, values, None).await?;
        Ok(self.flush().await?.pop().unwrap_or_default())
    }

    async fn flush(&mut self) -> Result<Vec<Done>, Halt> {
        let otherwise = std::mem::take(&mut self.otherwise);
        if otherwise.is_empty() {
            return Ok(Vec::new());
        }
        let (done, result) = self.conn.script(std::mem::take(&mut self.script)).await;
        let unmet = otherwise.into_iter().zip(&done).find_map(|(halt, done)| halt.filter(|_| done.changed == 0));
        if let Some(halt) = unmet {
            // What came behind it was done all the same.
            self.conn.execute(UNDO, &[]).await?;
            return Err(halt);
        }
        result?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::storage::sql::conn::values;

    const TABLE: &str = "CREATE TABLE note (label TEXT PRIMARY KEY, size BIGINT)";
    const INSERT: &str = "INSERT INTO note (label, size) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const GROW: &str = "UPDATE note SET size = size + 1 WHERE label = $1";
    const COUNT: &str = "SELECT COUNT(*), SUM(size) FROM note";

    async fn counted(batch: &mut Batch<'_, '_>) -> (u64, u64) {
        let rows = batch.rows(COUNT, &[]).await.expect("counted");
        (rows[0].count(0).expect("a number"), rows[0].count(1).expect("a number"))
    }

    #[tokio::test]
    async fn the_first_that_changed_nothing_ends_it_and_nothing_stands() {
        let mut conn = SqliteConnectOptions::new().connect().await.expect("opens");
        let mut conn = Conn::Sqlite(&mut conn, &["BEGIN IMMEDIATE", TABLE]);
        let mut batch = Batch::new(&mut conn);
        for size in 0..3 * LONGEST as i64 {
            batch.must(INSERT, values![&size.to_string(), 1_i64], Halt::Used).await.expect("gathered");
        }
        assert_eq!(counted(&mut batch).await, (48, 48));
        conn.open(&["SAVEPOINT change"]);
        let mut batch = Batch::new(&mut conn);
        batch.add(GROW, values!["1"]).await.expect("gathered");
        batch.add(GROW, values!["none"]).await.expect("gathered");
        let rows: Vec<_> = (0..20_i64).map(|size| vec!["2".into(), size.into()]).collect();
        assert_eq!(batch.each(INSERT, &rows).await.expect("done"), [0; 20]);
        batch.must(INSERT, values!["2", 5_i64], Halt::Used).await.expect("gathered");
        batch.must(GROW, values!["none"], Halt::Refused(Committed::Stale)).await.expect("gathered");
        let halt = batch.execute(GROW, values!["3"]).await.expect_err("the id is used");
        assert!(matches!(halt, Halt::Used), "{halt:?}");
        assert_eq!(counted(&mut batch).await, (48, 48));
    }
}
