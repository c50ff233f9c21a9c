//! The tables, made and changed in numbered steps; the database remembers which it has.
//!
//! Law: a step that was released is never edited; a database with a step we do not know is refused.

use std::borrow::Cow;

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
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
