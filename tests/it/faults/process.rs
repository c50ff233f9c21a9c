//! A process that a test may kill, pause and listen to.
//!
//! Law: it never outlives the test, however that ends: a small shell beside it kills it when the shell's own standard
//! input closes, which the system does when the test process is gone.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Longest wait for anything a process should say or do: far more than it takes, even on a busy machine.
pub const LONGEST: Duration = Duration::from_secs(60);

/// `$1` is the signal that ends the process at last. Says the process's id, then what the process says; ends with its exit code, or 128 and the signal that ended it.
const KEEPER: &str = r#"exec 3<&0; last=$1; shift
"$@" 2>&1 3<&- </dev/null & process=$!
echo $process
{ read -r _ <&3; kill -s $last $process; kill -CONT $process; } & leash=$!
wait $process; code=$?
kill $leash 2>/dev/null
exit $code"#;

pub struct Process {
    keeper: Child,
    /// While this is open the process runs.
    leash: Option<ChildStdin>,
    pub id: u32,
    lines: UnboundedReceiver<String>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Runs the command; it is killed when this is dropped.
    pub async fn start(command: &[String]) -> Self {
        Self::start_until(command, "KILL").await
    }

    /// As [`Self::start`], but the end is by that signal.
    pub async fn start_until(command: &[String], last: &str) -> Self {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", last])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Only the shell's own remarks on how the process ended.
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let leash = keeper.stdin.take();
        let output = BufReader::new(keeper.stdout.take().expect("piped"));
        let (send, mut lines) = unbounded_channel();
        let said = Arc::new(Mutex::new(Vec::new()));
        let log = said.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                log.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
                send.send(line).ok();
            }
        });
        let id = lines.recv().await.and_then(|line| line.trim().parse().ok()).expect("the keeper says the id");
        Self { keeper, leash, id, lines, said }
    }

    /// Waits for the next line that has all of `parts`.
    pub async fn line(&mut self, parts: &[&str]) -> String {
        let found = async {
            while let Some(line) = self.lines.recv().await {
                if parts.iter().all(|part| line.contains(part)) {
                    return Some(line);
                }
            }
            None
        };
        let found = tokio::time::timeout(LONGEST, found).await.ok().flatten();
        found.unwrap_or_else(|| panic!("{parts:?} was never said:\n{}", self.said()))
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.id.to_string()]).status().expect("kill runs");
        assert!(sent.success(), "process {} is not there to get {signal}:\n{}", self.id, self.said());
    }

    /// Waits until it has ended; returns its exit code, or 128 and the signal that ended it.
    pub async fn ended(&mut self) -> i32 {
        let silence = async { while self.lines.recv().await.is_some() {} };
        tokio::time::timeout(LONGEST, silence).await.unwrap_or_else(|_| panic!("it does not end:\n{}", self.said()));
        self.keeper.wait().expect("waited for").code().expect("sh ends by itself")
    }

    /// All it said until now.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.take());
        self.keeper.wait().ok();
    }
}
