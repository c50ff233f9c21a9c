//! `dintorni backup FILE` and `dintorni restore FILE`: the embedded database, kept elsewhere and brought back.
//!
//! Law: both find the database by the settings that `serve` reads, so the same flags name the same database.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    CUT_SHORT,
    output::{note, say},
    settings::Settings,
};
use crate::{
    clock::SystemClock,
    config::Variables,
    lifecycle,
    ports::Clock,
    server::database,
    storage::sql::{self, BackupError},
};

/// Copy the embedded database to a file, also while the server runs on it
///
/// Copies everything the server must not lose, as it is at one moment, into one file, and checks the copy. It holds what
/// people did, and the secret that signs device tokens: keep it as safe as the server itself.
///
/// Start it with the flags and variables of your `dintorni serve`, as the same user. PostgreSQL has pg_dump instead.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to make; one that is there is never written over
    file: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// Put a backup in the place of the embedded database; the server must be stopped
///
/// Checks the backup, then puts it in the place of the database. What happened after the backup is lost: offers are
/// forgotten, devices that registered since must register again, keys that were made since do not open.
///
/// Start it with the flags and variables of your `dintorni serve`, as the same user. PostgreSQL has pg_restore instead.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup; it stays as it is
    file: PathBuf,
    /// Do it although there is a database, which is kept beside it under a dated name
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Backup {
    /// Makes the backup; a signal before its end leaves nothing behind.
    pub async fn run(self, variables: Variables) -> anyhow::Result<ExitCode> {
        let storage = database(&self.settings.read(variables, &[])?);
        let stop = lifecycle::stop_on_signal()?;
        let Some(copied) = stop.run_until_cancelled(sql::backup(&storage.url, &self.file)).await else {
            note("dintorni: stopped before the end; there is no backup");
            return Ok(CUT_SHORT.into());
        };
        say(format!("{}: {} bytes, checked", self.file.display(), copied?))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    /// Puts the backup in place, or changes nothing; a signal before that leaves nothing behind.
    pub async fn run(self, variables: Variables) -> anyhow::Result<ExitCode> {
        let storage = database(&self.settings.read(variables, &[])?);
        let stop = lifecycle::stop_on_signal()?;
        note(format!("copying {}, and checking the copy", self.file.display()));
        let preparing = sql::prepare(&storage.url, &self.file, self.force);
        let Some(prepared) = stop.run_until_cancelled(preparing).await else {
            note("dintorni: stopped before the end; nothing was changed");
            return Ok(CUT_SHORT.into());
        };
        let restored =
            prepared.and_then(|checked| checked.restore(SystemClock.now())).map_err(|error| match error {
                BackupError::Exists(path) if !self.force => anyhow::anyhow!(
                    "{} is there already; --force replaces it, and keeps it under another name",
                    path.display()
                ),
                other => other.into(),
            })?;
        if let Some(aside) = restored.aside {
            note(format!("what was there before is now {}", aside.display()));
        }
        say(format!("{}: restored from {}", restored.path.display(), self.file.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
