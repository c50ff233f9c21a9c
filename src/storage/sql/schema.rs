//! The tables, made and changed in numbered steps; the database remembers which it has.
//!
//! Law: a step that was released is never edited; a database with a step we do not know is refused.

use std::borrow::Cow;

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

const STEPS: [(i64, &str, &str); 1] = [(1, "initial", include_str!("schema/0001_initial.sql"))];

/// What brings a database of any earlier step to the newest.
pub fn migrator() -> Migrator {
    let step = |&(number, title, sql): &(i64, &'static str, &'static str)| {
        Migration::new(number, Cow::Borrowed(title), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
}
