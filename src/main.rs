//! The `dintorni` program; everything is in [`dintorni::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    dintorni::cli::run(std::env::args_os(), std::env::vars_os().collect())
}
