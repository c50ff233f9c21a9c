//! Redis and PostgreSQL that a test may break: each comes back on the port it had.

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
};

use super::process::Process;
use crate::support::servers::{POSTGRES_IS_READY, REDIS_IS_READY, fresh_dir, postgres_command, redis_command};

/// A server with its own directory.
pub struct Outside {
    process: Option<Process>,
    pub port: u16,
    dir: PathBuf,
    command: Vec<String>,
    ready: &'static str,
}

impl Outside {
    pub async fn redis() -> Self {
        let (dir, port) = (fresh_dir("redis"), lasting_port());
        let command = redis_command(&dir, port);
        Self::start(dir, port, command, REDIS_IS_READY).await
    }

    pub async fn postgres() -> Self {
        let (dir, port) = (fresh_dir("postgres"), lasting_port());
        let command = postgres_command(&dir, port);
        Self::start(dir, port, command, POSTGRES_IS_READY).await
    }

    async fn start(dir: PathBuf, port: u16, command: Vec<String>, ready: &'static str) -> Self {
        let process = Some(run(&command, ready).await);
        Self { process, port, dir, command, ready }
    }

    /// Ends it by that signal, and leaves it down.
    pub async fn end(&mut self, signal: &str) {
        let mut process = self.process.take().expect("it runs");
        process.signal(signal);
        process.ended().await;
    }

    /// Pauses it or lets it go on.
    pub fn signal(&self, signal: &str) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Starts it again after [`Self::end`].
    pub async fn again(&mut self) {
        self.process = Some(run(&self.command, self.ready).await);
    }

    /// Runs a Redis command.
    pub fn redis_says(&self, command: &str) {
        let client = redis::Client::open(("127.0.0.1", self.port)).expect("sound");
        let mut connection = client.get_connection().expect("Redis answers");
        redis::cmd(command).query::<()>(&mut connection).unwrap_or_else(|fault| panic!("{command}: {fault}"));
    }

    /// What Redis would load if it started now is kept aside, and brought back by [`Self::restore`].
    pub fn back_up(&self) {
        self.redis_says("SAVE");
        std::fs::copy(self.dir.join("dump.rdb"), self.dir.join("old.rdb")).expect("copied");
    }

    /// The next start of Redis loads what was backed up.
    pub fn restore(&self) {
        std::fs::copy(self.dir.join("old.rdb"), self.dir.join("dump.rdb")).expect("copied");
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        drop(self.process.take());
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

async fn run(command: &[String], ready: &str) -> Process {
    // Both end quickly by it, and PostgreSQL with its children.
    let mut process = Process::start_until(command, "INT").await;
    process.line(&[ready]).await;
    process
}

/// A free port outside of those that the system gives away, so that nobody takes it while its server is down: not even
/// a client that tries to reach the server (which may be given the port it calls, and then meets itself).
fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 10;
    let mut ports = (0..1_000).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port below 32768 is free")
}
