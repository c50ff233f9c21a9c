//! The command line.
//!
//! | exit code | what it means |
//! |---|---|
//! | 0 | done, whether or not somebody read standard output to its end (`dintorni … \| head`) |
//! | 1 | failed, and standard error says why; `import`: nothing was changed; `health`: not everything is SERVING; `load`: no ping was answered well, or a coupon not redeemed exactly once; `codes`: some rows were malformed, the others are in the pool; `replay`: nothing could be replayed, or something could not |
//! | 2 | `import` only: done but for the rows that were refused |
//! | 3 | `till`: the coupon was refused, and nothing happened; `ledger check`: there are faults; `replay`: something is decided otherwise |
//! | 4 | `till`: there was no answer, and nobody knows whether it happened; `import`: it broke off, and parts of it may have been applied: import the same file again |
//! | 64 | wrong flags or settings; nothing was begun |
//! | 130 | `serve`, `backup`, `restore`: ended by a signal before its end |
//!
//! Law: standard output has the result and nothing else; what is wrong, and how far it is, goes to standard error.

// They panic when the reader goes away; `output` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod backup;
mod codes;
mod connection;
mod demo;
mod explain;
mod health;
mod import;
mod json;
mod key;
mod ledger;
mod load;
mod moments;
mod names;
mod output;
mod ping;
mod replay;
mod serve;
mod settings;
mod source;
mod till;
mod zoned;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::config::{Mistakes, Variables};

const FAILED: u8 = 1;
const REFUSED: u8 = 3;
const FAULTY: u8 = 3;
const NOT_KNOWN: u8 = 4;
const WRONG_USE: u8 = 64;
const CUT_SHORT: u8 = 130;

/// The open, self-hosted backend for proximity marketing: phones say where they are, Dintorni answers with the offers
/// worth making here and now.
///
/// Begin with `dintorni demo`, then `dintorni serve`. Exit codes: 0 done, 1 failed, 2 done in part (import), 3
/// refused (till), faults found (ledger) or decided otherwise (replay), 4 not known (till, import), 64 wrong flags or
/// settings, 130 ended by a signal.
#[derive(Debug, Parser)]
#[command(name = "dintorni", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    /// See it work: two people walk past the shops of Helsinki
    Demo(demo::Demo),
    Import(import::Import),
    Source(source::Sources),
    Codes(codes::Codes),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Ping(ping::Ping),
    Explain(Box<explain::Explain>),
    Replay(Box<replay::Replay>),
    Till(Box<till::Till>),
    Load(Box<load::Load>),
    Health(health::Health),
    Key(key::Keys),
    Ledger(Box<ledger::Ledger>),
}

/// Runs what the arguments say. `variables` is the environment.
pub fn run(arguments: impl IntoIterator<Item = OsString>, variables: Variables) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            error.print().ok();
            return if asked { ExitCode::SUCCESS } else { WRONG_USE.into() };
        }
    };
    let done = match cli.command {
        Command::Serve(serve) => serve.run(variables).map(|()| ExitCode::SUCCESS),
        Command::Demo(demo) => block_on(demo.run()).map(|()| ExitCode::SUCCESS),
        Command::Import(import) => block_on(import.run()),
        Command::Source(sources) => block_on(sources.run()),
        Command::Codes(codes) => block_on(codes.run()),
        Command::Backup(backup) => block_on(backup.run(variables)),
        Command::Restore(restore) => block_on(restore.run(variables)),
        Command::Ping(ping) => block_on(ping.run()),
        Command::Explain(explain) => block_on(explain.run()),
        Command::Replay(replay) => block_on(replay.run()),
        Command::Till(till) => block_on(till.run()),
        Command::Load(load) => block_on(load.run()),
        Command::Health(health) => block_on(health.run()),
        Command::Key(keys) => block_on(keys.run()),
        Command::Ledger(ledger) => block_on(ledger.run(variables)),
    };
    match done {
        Ok(code) => code,
        Err(error) if error.is::<output::Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format!("dintorni: {}", output::causes(error.as_ref())));
            if error.is::<Mistakes>() { WRONG_USE.into() } else { FAILED.into() }
        }
    }
}

/// Runs a command's work on the multi-threaded runtime.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
