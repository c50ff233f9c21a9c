//! What a ping costs the server, beside a bare tonic server that answers with a constant of the same size.
//!
//! Both are processes of their own, and `dintorni load` puts the same load on them in turns: devices that stand still, so
//! that nothing changes, as fast as they are answered. Then the latency of pings while geofences are edited, beside that
//! while they are not. Run with `cargo bench --bench serving`; an argument is the number of geofences of the world
//! (100,000).

#[path = "serving/bare.rs"]
mod bare;
#[path = "serving/edits.rs"]
mod edits;
mod support;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use edits::Edits;
use support::median;

/// How often each has its turn.
const TURNS: usize = 5;
const GEOFENCES: &str = "100000";
/// Nobody is kept from registering many devices from one address.
const UNLIMITED: [&str; 4] = [
    "devices.address_per_minute=1000000",
    "devices.address_burst=1000000",
    "devices.key_per_second=1000000",
    "devices.key_burst=1000000",
];

/// A server, killed at the end.
struct Server {
    process: Child,
    url: String,
    /// Of the app.
    key: String,
    operator: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let first = args.next();
    if first.as_deref() == Some(bare::ARGUMENT) {
        return bare::serve();
    }
    let geofences = first.unwrap_or_else(|| GEOFENCES.to_owned());
    let data = tempfile::tempdir().expect("a directory");
    let ours = dintorni(data.path(), &geofences);
    let theirs = bare();
    compare("a call for each ping", &geofences, &ours, &theirs, "--in-flight 64");
    compare("a stream for each device", &geofences, &ours, &theirs, "--streams --in-flight 1000");
    compare_edited(&geofences, &ours);
}

/// A server with a world in it.
fn dintorni(data: &Path, geofences: &str) -> Server {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_dintorni"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    serve.env("DINTORNI__TELEMETRY__FORMAT", "json").env("DINTORNI__TELEMETRY__METRICS_LISTEN", "");
    for setting in UNLIMITED {
        serve.args(["--set", setting]);
    }
    let mut process = serve.stderr(Stdio::piped()).spawn().expect("dintorni runs");
    let log = BufReader::new(process.stderr.take().expect("piped"));
    let mut server = Server { process, url: String::new(), key: String::new(), operator: String::new() };
    let mut lines = log.lines().map_while(Result::ok);
    server.url = format!("http://{}", said(&mut lines, "address"));
    let operator = std::fs::read_to_string(said(&mut lines, "path")).expect("the operator's key");
    server.operator = operator.trim().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    let world = ["world", "--stores", "1000", "--geofences", geofences, "--campaigns", "100"];
    server.key = load(&server.url, &server.operator, &world).trim().to_owned();
    server
}

/// What the log says next under this name.
fn said(log: &mut impl Iterator<Item = String>, name: &str) -> String {
    let values = log.filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
    let mut told = values.filter_map(|line| line[name].as_str().map(str::to_owned));
    told.next().expect("it says so")
}

fn bare() -> Server {
    let mut serve = Command::new(std::env::current_exe().expect("a path"));
    let mut process = serve.arg(bare::ARGUMENT).stdout(Stdio::piped()).spawn().expect("it runs");
    let said = BufReader::new(process.stdout.take().expect("piped")).lines().next();
    let url = said.and_then(Result::ok).expect("an address");
    Server { process, url, key: format!("dk_{}", "a".repeat(43)), operator: String::new() }
}

fn load(url: &str, key: &str, args: &[&str]) -> String {
    let mut load = Command::new(env!("CARGO_BIN_EXE_dintorni"));
    load.arg("load").args(args).args(["--server", url]).env("DINTORNI_KEY", key).stderr(Stdio::inherit());
    let output = load.output().expect("dintorni runs");
    assert!(output.status.success(), "load {args:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a load on the server reports; `how` are more of its arguments.
fn report(server: &Server, geofences: &str, how: &str) -> serde_json::Value {
    let common = ["--json", "--duration", "5s", "--warm-up", "3s", "--geofences", geofences];
    let args: Vec<&str> = common.into_iter().chain(how.split(' ')).collect();
    serde_json::from_str(&load(&server.url, &server.key, &args)).expect("JSON")
}

fn compare(what: &str, geofences: &str, ours: &Server, theirs: &Server, how: &str) {
    let cost = |server: &Server| {
        let report = report(server, geofences, &format!("--devices 1000 --step 0s {how}"));
        report["server_cpu_ms_per_1000"].as_f64().expect("the server runs here")
    };
    let turns: Vec<(f64, f64)> = (0..TURNS).map(|_| (cost(ours), cost(theirs))).collect();
    let our_cost = median(turns.iter().map(|turn| turn.0).collect());
    let their_cost = median(turns.iter().map(|turn| turn.1).collect());
    let (our_rate, their_rate) = (1e6 / our_cost, 1e6 / their_cost);
    println!("{what}: milliseconds of CPU for 1,000 pings, and pings a second of one processor");
    println!(
        "    dintorni             {our_cost:>8.1} {our_rate:>10.0}    {:.2} times the bare server",
        our_cost / their_cost
    );
    println!("    tonic, with a constant {their_cost:>6.1} {their_rate:>10.0}");
}

/// The latency that 99 of 100 pings keep below, of people who walk, at a rate that leaves room.
fn compare_edited(geofences: &str, server: &Server) {
    let p99 = || {
        let report = report(server, geofences, "--devices 500 --rate 500");
        report["latency_us"]["p99"].as_f64().expect("answers")
    };
    let mut turns = Vec::new();
    let mut edits = 0;
    for _ in 0..TURNS {
        let alone = p99();
        let editing = Edits::begin(&server.url, &server.operator, geofences.parse().expect("a number"));
        turns.push((alone, p99()));
        edits += editing.stop();
    }
    let alone = median(turns.iter().map(|turn| turn.0).collect());
    let edited = median(turns.iter().map(|turn| turn.1).collect());
    println!("500 pings a second of walkers, p99: {:.2} ms", alone / 1e3);
    println!("    while geofences are edited ({edits} edits): {:.2} ms, {:.2} times", edited / 1e3, edited / alone);
}
