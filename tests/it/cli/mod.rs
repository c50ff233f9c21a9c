//! The operator's commands: the real binary, against real servers.

mod backups;
mod codes;
mod deploy;
mod explains;
mod health;
mod imports;
mod keys;
mod ledgers;
mod loads;
mod pings;
mod replays;
mod tills;

use std::{
    net::SocketAddr,
    process::{Command, Output, Stdio},
};

/// The binary, with nothing of our environment that would change what it does.
pub fn dintorni(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dintorni"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DINTORNI") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a run of the binary said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs it to its end, beside the server that runs in this test.
pub async fn run(mut command: Command) -> Ran {
    tokio::task::spawn_blocking(move || command.output().expect("the binary runs").into()).await.expect("it ends")
}

/// Runs it against that server with that key.
pub async fn call(server: SocketAddr, key: &str, arguments: &[&str]) -> Ran {
    let mut command = dintorni(arguments);
    command.env("DINTORNI_SERVER", format!("http://{server}")).env("DINTORNI_KEY", key);
    run(command).await
}

/// Nothing that a pipe gets has colours in it.
pub fn is_plain(ran: &Ran) -> bool {
    !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}')
}

#[tokio::test]
async fn wrong_flags_are_told_apart_from_failures() {
    let ran =
        run(dintorni(&["key", "create", "till", "--organization", "acme", "--scope", "app", "--key", "dk_x"])).await;
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(ran.err.contains("--app"), "{ran:?}");
    let ran = run(dintorni(&["key", "revoke", "till", "--key", "dk_secret"])).await;
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(ran.err.contains("--organization") && !ran.err.contains("dk_secret"), "{ran:?}");
    assert_eq!(run(dintorni(&["--help"])).await.code, Some(0));
    assert!(is_plain(&ran));
}

#[tokio::test]
async fn a_key_in_the_environment_is_not_in_the_help() {
    let mut command = dintorni(&["key", "list", "--help"]);
    command.env("DINTORNI_KEY", "dk_secret");
    let ran = run(command).await;
    assert!(ran.out.contains("DINTORNI_KEY") && !ran.out.contains("dk_secret"), "{}", ran.out);
}
