//! One connection of either engine: the only file in which the two differ for a statement.
//!
//! Law: every statement is one text for SQLite and PostgreSQL, with `$1…` for its values, and never holds a value.

use std::{borrow::Cow, time::Duration};

use sqlx::{
    Decode, PgConnection, Postgres, Row as _, Sqlite, SqliteConnection, Type, postgres::PgRow, sqlite::SqliteRow,
};

use super::{
    error::{store_error, unsound},
    script::{Done, Script},
};
use crate::{
    domain::{
        offer::{DecisionId, OfferId, RedemptionId},
        time::Timestamp,
    },
    ports::StoreError,
};

/// A borrowed connection, in or out of a transaction.
pub enum Conn<'c> {
    /// With what is to be run before the next statement, in the same trip.
    Sqlite(&'c mut SqliteConnection, &'static [&'static str]),
    /// With the longest wait for the result of a statement, for the case that nobody is there to keep a limit of its own.
    Postgres(&'c mut PgConnection, Duration),
}

/// A value for a statement.
pub enum Value<'a> {
    Text(Cow<'a, str>),
    MaybeText(Option<Cow<'a, str>>),
    Bytes(&'a [u8]),
    Int(i64),
    MaybeInt(Option<i64>),
}

/// One row of a result.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A statement with its values, for whichever engine the context asks.
macro_rules! statement {
    ($sql:expr, $values:expr) => {{
        let mut statement = sqlx::query($sql);
        for value in $values {
            statement = match value {
                Value::Text(text) => statement.bind(text.as_ref()),
                Value::MaybeText(text) => statement.bind(text.as_deref()),
                Value::Bytes(bytes) => statement.bind(*bytes),
                Value::Int(number) => statement.bind(*number),
                Value::MaybeInt(number) => statement.bind(*number),
            };
        }
        statement
    }};
}

impl Conn<'_> {
    /// Runs a statement; returns how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let changed = match self {
            Conn::Sqlite(conn, []) => {
                statement!(sql, values).execute(&mut **conn).await.map(|done| done.rows_affected())
            }
            Conn::Sqlite(..) => return self.opened(sql, values).await.map(|done| done.changed),
            Conn::Postgres(conn, longest) => {
                let done = within(*longest, statement!(sql, values).execute(&mut **conn)).await;
                done.map(|done| done.rows_affected())
            }
        };
        changed.map_err(store_error)
    }

    /// Runs a statement; returns all rows of its result.
    pub async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let rows = match self {
            Conn::Sqlite(conn, []) => {
                let rows = statement!(sql, values).fetch_all(&mut **conn).await;
                rows.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
            }
            Conn::Sqlite(..) => return self.opened(sql, values).await.map(|done| done.rows),
            Conn::Postgres(conn, longest) => {
                let rows = within(*longest, statement!(sql, values).fetch_all(&mut **conn)).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
        };
        rows.map_err(store_error)
    }

    /// As [`Self::rows`], of a statement that finds much or little by its values: PostgreSQL, which would plan it once for any,
    /// plans it for these.
    pub async fn rows_for(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let Conn::Postgres(conn, longest) = self else { return self.rows(sql, values).await };
        let rows = within(*longest, statement!(sql, values).persistent(false).fetch_all(&mut **conn)).await;
        rows.map(|rows| rows.into_iter().map(Row::Postgres).collect()).map_err(store_error)
    }

    /// Runs a statement that gives one row or none.
    pub async fn row(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.pop())
    }

    /// Has these run before the next statement, if what was to be run before the last one was.
    pub fn open(&mut self, next: &'static [&'static str]) {
        if let Conn::Sqlite(_, opening @ []) = self {
            *opening = next;
        }
    }

    /// Runs a script of SQLite's; what was done of it comes before its error.
    pub async fn script(&mut self, script: Script) -> (Vec<Done>, Result<(), StoreError>) {
        match self {
            Conn::Sqlite(conn, opening) => {
                let opening = std::mem::take(opening);
                let (mut done, result) = script.after(opening).run(conn).await;
                done.drain(..opening.len().min(done.len()));
                (done, result)
            }
            Conn::Postgres(..) => (Vec::new(), Err(unsound("a script is SQLite's"))),
        }
    }

    async fn opened(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Done, StoreError> {
        let mut script = Script::default();
        script.push(sql, values)?;
        let (mut done, result) = self.script(script).await;
        result.map(|()| done.pop().unwrap_or_default())
    }
}

/// A line that hangs would keep who waits for it, and who waits for him, for ever.
async fn within<T>(longest: Duration, result: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(longest, result)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

impl Row {
    /// The value in a column, counted from 0; an `Option` where it may be NULL.
    pub fn get<T>(&self, column: usize) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        let value = match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        };
        value.map_err(store_error)
    }

    /// A count or version: never negative.
    pub fn count(&self, column: usize) -> Result<u64, StoreError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("a count is negative: {number}")))
    }
}

/// `values![a, b]`: the values of a statement, each by its `From`.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::storage::sql::conn::Value::from($value)),*] };
}
pub(super) use values;

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text.as_str().into())
    }
}

impl<'a> From<Option<&'a String>> for Value<'a> {
    fn from(text: Option<&'a String>) -> Self {
        Value::MaybeText(text.map(Cow::from))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Value::MaybeInt(number)
    }
}

/// Counts and limits above what a column holds are as good as endless.
impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Value::Int(at.micros())
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(at: Option<Timestamp>) -> Self {
        Value::MaybeInt(at.map(Timestamp::micros))
    }
}

impl From<&OfferId> for Value<'_> {
    fn from(id: &OfferId) -> Self {
        Value::Text(id.to_string().into())
    }
}

impl From<&DecisionId> for Value<'_> {
    fn from(id: &DecisionId) -> Self {
        Value::Text(id.to_string().into())
    }
}

impl From<&RedemptionId> for Value<'_> {
    fn from(id: &RedemptionId) -> Self {
        Value::Text(id.to_string().into())
    }
}
