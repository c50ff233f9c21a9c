//! One server process of ours, and the door that phones find it by.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;
use tonic::transport::Channel;

use super::process::{LONGEST, Process};

/// Where a node is now; none while it is down.
pub type Door = watch::Receiver<Option<Channel>>;

pub struct Node {
    data: PathBuf,
    settings: Vec<(String, String)>,
    /// What stands before the program on its command line.
    prefix: Vec<String>,
    pub process: Process,
    here: watch::Sender<Option<Channel>>,
    /// What ended processes of this node said.
    before: Mutex<String>,
}

impl Node {
    /// A server with its data in `data`, on a free port.
    pub async fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_under(&[], data, settings).await
    }

    /// As [`Self::start`], with the program run by `prefix`.
    pub async fn start_under(prefix: &[&str], data: &Path, settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let prefix: Vec<String> = prefix.iter().map(|word| word.to_string()).collect();
        let (process, channel) = run(&prefix, data, &settings).await;
        let here = watch::Sender::new(Some(channel));
        Self { data: data.to_owned(), settings, prefix, process, here, before: Mutex::default() }
    }

    pub fn door(&self) -> Door {
        self.here.subscribe()
    }

    /// A connection to it.
    pub fn channel(&self) -> Channel {
        self.here.borrow().clone().expect("it runs")
    }

    /// The secret of the first operator key, which the first start of all wrote into a file.
    pub async fn operator(&mut self) -> String {
        self.process.line(&["the operator key is in this file"]).await;
        std::fs::read_to_string(self.data.join("operator.key")).expect("the file is there").trim().to_owned()
    }

    /// Kills it with SIGKILL and starts it again on the same data.
    pub async fn crash(&mut self) {
        self.process.signal("KILL");
        self.here.send_replace(None);
        assert_eq!(self.process.ended().await, 128 + 9, "{}", self.said());
        let (process, channel) = run(&self.prefix, &self.data, &self.settings).await;
        let ended = std::mem::replace(&mut self.process, process);
        self.before.lock().unwrap_or_else(PoisonError::into_inner).push_str(&ended.said());
        self.here.send_replace(Some(channel));
    }

    /// Asks it to stop, and waits for its clean end.
    pub async fn stop(&mut self) {
        self.process.signal("TERM");
        self.here.send_replace(None);
        assert_eq!(self.process.ended().await, 0, "{}", self.said());
    }

    /// All that its processes said.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.before.lock().unwrap_or_else(PoisonError::into_inner), self.process.said())
    }

    /// No part of it panicked or found the store damaged.
    pub fn must_be_sound(&self) {
        let said = self.said();
        for word in ["panicked", "is damaged"] {
            let lines: Vec<&str> = said.lines().filter(|line| line.contains(word)).collect();
            assert!(lines.is_empty(), "{lines:#?}");
        }
    }
}

/// The command line of a server.
pub fn command(data: &Path, settings: &[(String, String)]) -> Vec<String> {
    let mut words: Vec<String> =
        [env!("CARGO_BIN_EXE_dintorni"), "serve", "--listen", "127.0.0.1:0", "--data-dir"].map(str::to_owned).to_vec();
    words.push(data.display().to_string());
    // All phones of a storm have one address.
    let ours = ["telemetry.metrics_listen=", "telemetry.format=json", "devices.address_burst=1000"];
    let all = ours.map(str::to_owned).into_iter().chain(settings.iter().map(|(key, value)| format!("{key}={value}")));
    words.extend(all.flat_map(|setting| ["--set".to_owned(), setting]));
    words
}

async fn run(prefix: &[String], data: &Path, settings: &[(String, String)]) -> (Process, Channel) {
    let words = prefix.iter().cloned().chain(command(data, settings)).collect::<Vec<_>>();
    let mut process = Process::start(&words).await;
    let line = process.line(&["\"serving\"", "\"address\""]).await;
    let said: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
    let address = said["address"].as_str().expect("the address is text");
    let channel = Channel::from_shared(format!("http://{address}")).expect("sound").connect_timeout(LONGEST);
    (process, channel.connect_lazy())
}

/// Several nodes at once.
pub fn doors(nodes: &[&Node]) -> Arc<[Door]> {
    nodes.iter().map(|node| node.door()).collect()
}
