//! Several statements for SQLite in one text: each trip to the database's own thread costs more than a statement does.
//!
//! Law: what comes back is in the order of the statements, one result for each that was done; the first error ends it.

use futures_util::StreamExt;
use sqlx::{Arguments, AssertSqlSafe, Either, Executor, SqliteConnection, sqlite::SqliteArguments};

use super::{
    conn::{Row, Value},
    error::{store_error, unsound},
};
use crate::ports::StoreError;

/// Statements that were gathered, with their values.
#[derive(Default)]
pub struct Script {
    text: String,
    values: SqliteArguments,
}

/// What one statement did.
#[derive(Default)]
pub struct Done {
    /// Rows it changed.
    pub changed: u64,
    /// Rows of its result.
    pub rows: Vec<Row>,
}

impl Script {
    /// Puts one more statement behind the others.
    pub fn push(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<(), StoreError> {
        if !self.text.is_empty() {
            self.text.push(';');
        }
        number_from(self.values.len(), sql, &mut self.text);
        for value in values {
            let added = match value {
                Value::Text(text) => self.values.add(text.as_ref()),
                Value::MaybeText(text) => self.values.add(text.as_deref()),
                Value::Bytes(bytes) => self.values.add(*bytes),
                Value::Int(number) => self.values.add(*number),
                Value::MaybeInt(number) => self.values.add(*number),
            };
            added.map_err(unsound)?;
        }
        Ok(())
    }

    /// Puts statements without values before all others.
    pub fn after(mut self, opening: &[&'static str]) -> Self {
        for sql in opening.iter().rev() {
            self.text.insert(0, ';');
            self.text.insert_str(0, sql);
        }
        self
    }

    /// Does all of them, but for those behind an error; that comes with what was done before it.
    pub async fn run(self, conn: &mut SqliteConnection) -> (Vec<Done>, Result<(), StoreError>) {
        let (mut done, mut rows) = (Vec::new(), Vec::new());
        let mut results = conn.fetch_many(sqlx::query_with(AssertSqlSafe(self.text), self.values));
        while let Some(result) = results.next().await {
            match result {
                Ok(Either::Right(row)) => rows.push(Row::Sqlite(row)),
                Ok(Either::Left(end)) => {
                    done.push(Done { changed: end.rows_affected(), rows: std::mem::take(&mut rows) });
                }
                Err(fault) => return (done, Err(store_error(fault))),
            }
        }
        (done, Ok(()))
    }
}

/// Writes a statement whose values `$1…` come behind so many others.
fn number_from(others: usize, sql: &str, text: &mut String) {
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let number = number.parse::<usize>().map_or_else(|_| number.to_owned(), |n| (n + others).to_string());
        text.extend(["$", &number, rest]);
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::storage::sql::conn::values;

    async fn run(conn: &mut SqliteConnection, script: Script) -> (Vec<(u64, usize)>, bool) {
        let (done, result) = script.run(conn).await;
        (done.iter().map(|done| (done.changed, done.rows.len())).collect(), result.is_ok())
    }

    #[tokio::test]
    async fn each_statement_has_its_own_values_and_its_own_result() {
        let mut conn = SqliteConnectOptions::new().connect().await.expect("opens");
        let mut script = Script::default();
        script.push("CREATE TABLE note (label TEXT PRIMARY KEY, size BIGINT)", &[]).expect("sound");
        for size in 0..12_i64 {
            let label = format!("${size}");
            script.push("INSERT INTO note (size, label) VALUES ($2, $1)", values![&label, size]).expect("sound");
        }
        script
            .push("UPDATE note SET size = $1 WHERE size >= $2 RETURNING label", values![7_i64, 9_i64])
            .expect("sound");
        script.push("DELETE FROM note WHERE label = $1", values!["none"]).expect("sound");
        let (done, sound) = run(&mut conn, script).await;
        assert!(sound);
        assert_eq!(done[1..13], [(1, 0); 12]);
        assert_eq!(done[13..], [(3, 3), (0, 0)]);
        let mut script = Script::default();
        script.push("SELECT label FROM note WHERE size = $1 ORDER BY label", values![7_i64]).expect("sound");
        let (done, _) = script.run(&mut conn).await;
        let labels: Vec<String> = done[0].rows.iter().map(|row| row.get(0).expect("text")).collect();
        assert_eq!(labels, ["$10", "$11", "$7", "$9"]);
    }

    #[tokio::test]
    async fn what_is_behind_an_error_is_not_done() {
        let mut conn = SqliteConnectOptions::new().connect().await.expect("opens");
        let mut script = Script::default();
        script.push("CREATE TABLE note (label TEXT PRIMARY KEY)", &[]).expect("sound");
        for label in ["a", "a", "b"] {
            script.push("INSERT INTO note (label) VALUES ($1)", values![label]).expect("sound");
        }
        assert_eq!(run(&mut conn, script).await, (vec![(0, 0), (1, 0)], false));
        let mut script = Script::default();
        script.push("DELETE FROM note", &[]).expect("sound");
        assert_eq!(run(&mut conn, script).await, (vec![(1, 0)], true));
    }
}
