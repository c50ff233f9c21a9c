//! The command line.
//!
//! Exit codes: 0 done, 1 failed, 64 wrong flags or settings (nothing was started), 130 ended by a second signal.

mod serve;
mod settings;

use std::{collections::BTreeMap, ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::config::Mistakes;

const FAILED: u8 = 1;
const WRONG_USE: u8 = 64;

/// The open, self-hosted backend for proximity marketing: phones say where they are, Dintorni answers with the offers
/// worth making here and now.
#[derive(Debug, Parser)]
#[command(name = "dintorni", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    Serve(serve::Serve),
}

/// Runs what the arguments say. `variables` is the environment.
pub fn run(arguments: impl IntoIterator<Item = OsString>, variables: BTreeMap<String, String>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            error.print().ok();
            return if asked { ExitCode::SUCCESS } else { WRONG_USE.into() };
        }
    };
    let done = match cli.command {
        Command::Serve(serve) => serve.run(variables),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dintorni: {error:#}");
            if error.is::<Mistakes>() { WRONG_USE.into() } else { FAILED.into() }
        }
    }
}

/// Runs a command's work on the multi-threaded runtime.
fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
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
