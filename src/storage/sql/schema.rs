//! The tables, made and changed in numbered steps; the database remembers which it has.
//!
//! Law: a step that was released is never edited; a database with a step we do not know is refused.

use std::borrow::Cow;

use sqlx::{
    SqlStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::conn::Conn;
use crate::ports::StoreError;

const STEPS: [(i64, &str, &str); 8] = [
    (1, "initial", include_str!("schema/0001_initial.sql")),
    (2, "tills", include_str!("schema/0002_tills.sql")),
    (3, "receipts", include_str!("schema/0003_receipts.sql")),
    (4, "experiments", include_str!("schema/0004_experiments.sql")),
    (5, "verdicts", include_str!("schema/0005_verdicts.sql")),
    (6, "ended", include_str!("schema/0006_ended.sql")),
    (7, "inputs", include_str!("schema/0007_inputs.sql")),
    (8, "lists", include_str!("schema/0008_lists.sql")),
];

/// What brings a database of any earlier step to the newest.
pub fn migrator() -> Migrator {
    let step = |&(number, title, sql): &(i64, &'static str, &'static str)| {
        Migration::new(number, Cow::Borrowed(title), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
}

/// Brings a database of any earlier step to the newest, step by step, and says so, for each may take minutes. What cannot be
/// read before is told by the step that fails.
pub async fn bring_up(conn: &mut Conn<'_>) -> Result<(), MigrateError> {
    let had = steps(conn).await.ok().flatten().unwrap_or_default();
    if !had.is_empty() {
        let missing: Vec<i64> = STEPS.iter().map(|(number, ..)| *number).filter(|step| !had.contains(step)).collect();
        for (done, step) in missing.iter().enumerate() {
            let (which, all) = (done + 1, missing.len());
            tracing::info!("changing tables, step {which} of {all}; if another node does so, it is waited for");
            run_to(*step, conn).await?;
        }
    }
    run_to(i64::MAX, conn).await
}

async fn run_to(step: i64, conn: &mut Conn<'_>) -> Result<(), MigrateError> {
    match conn {
        Conn::Sqlite(conn, _) => migrator().run_to(step, &mut **conn).await,
        Conn::Postgres(conn, _) => migrator().run_to(step, &mut **conn).await,
    }
}

/// Whether this binary knows the step of that number.
pub fn knows(number: i64) -> bool {
    STEPS.iter().any(|(known, ..)| *known == number)
}

/// Whether there is no step that a database of these steps lacks.
pub fn is_whole(steps: &[i64]) -> bool {
    STEPS.iter().all(|(number, ..)| steps.contains(number))
}

/// The steps that a database has; none if it is not ours.
pub async fn steps(conn: &mut Conn<'_>) -> Result<Option<Vec<i64>>, StoreError> {
    const IN_SQLITE: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
    const IN_POSTGRES: &str = "SELECT 1 FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')";
    let ours = match conn {
        Conn::Sqlite(..) => IN_SQLITE,
        Conn::Postgres(..) => IN_POSTGRES,
    };
    if conn.row(ours, &[]).await?.is_none() {
        return Ok(None);
    }
    let rows = conn.rows("SELECT version FROM _sqlx_migrations ORDER BY version", &[]).await?;
    rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>().map(Some)
}
