//! `dintorni load`: puts a load of moving devices on a server, and tells how it bears it.
//!
//! Laws: pings are due at a rate that does not wait for the server, and their latency begins when they are due; they go
//! the way of every phone, through the public API; test devices take no budget and are in no statistic.

mod calls;
mod fill;
mod pace;
mod process;
mod report;
mod tally;
mod till;
mod walker;

use std::{io::IsTerminal, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Subcommand, value_parser};
use tokio::{task::JoinSet, time::Instant};
use tonic::transport::Channel;

use self::{
    calls::Shared,
    pace::Pace,
    report::Report,
    tally::{Tallies, Tally},
    walker::{Registrar, Walker},
};
use super::{
    FAILED,
    connection::{Credential, Server},
    names,
    output::{note, say},
    ping::position,
};
use crate::{
    clock::SystemEntropy,
    config::Mistakes,
    domain::{geo::Position, violation::Invalid},
    ports::Entropy,
    world::{Plan, Town, World, mover::Mover},
};

/// Streams that a server takes on one connection unless it is set otherwise (server.max_streams_per_connection); more
/// would wait until others end.
const STREAMS_A_CONNECTION: usize = 256;
/// Connections of calls, unless it is said otherwise: more than a server has processors gain little.
const CONNECTIONS: usize = 4;
/// How long the last answers may take.
const LAST: Duration = Duration::from_secs(30);
/// Standard deviation of positions around --around, in metres.
const AROUND_M: f64 = 1_000.0;
/// What is probably wrong if nobody entered or left anything.
const MET_NOTHING: &str = "no ping changed anything: the devices meet the geofences of a world (dintorni load world) \
    only with its --seed, --geofences and --circles-only, or another place's with --around";
const SECOND: Duration = Duration::from_secs(1);

/// Put a load of moving devices on a server, and see how it bears it
///
/// It registers devices with an app key, lets each of them walk, ride and stay in the towns of a made-up world
/// (dintorni load world), and pings. With --rate pings are due at that rate whether or not the server answers, and a
/// latency begins when its ping was due: a server that falls behind cannot hide it. Without, each caller pings as soon
/// as it is answered.
///
/// For example: DINTORNI_KEY=dk_… dintorni load --rate 2000 --devices 5000 --duration 60s
///
/// Exit code 0 if any ping was answered well, whatever the others were.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Load {
    #[command(subcommand)]
    command: Option<Command>,
    /// Pings a second, over all devices; 0: as many as can be
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, value_parser = rate)]
    rate: f64,
    /// One stream for each device (StreamPings) instead of a call for each ping
    #[arg(long)]
    streams: bool,
    /// How many devices ping in turn
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Most pings without an answer at a time; with --streams one for each device at least
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = value_parser!(u32).range(1..=100_000))]
    in_flight: u32,
    /// Connections to spread the devices over; by default 4, and more if streams need them
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u32).range(1..=10_000))]
    connections: Option<u32>,
    /// How long to measure, such as 30s or 5m
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = names::span)]
    duration: Duration,
    /// How long to ping before that, unmeasured, until caches are warm
    #[arg(long, value_name = "SPAN", default_value = "5s", value_parser = names::span)]
    warm_up: Duration,
    /// What the devices and the towns they are in are drawn from; the same as of the world, to meet its geofences
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many geofences the world was filled with: that decides where its towns are
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = value_parser!(u64).range(..=10_000_000))]
    geofences: u64,
    /// The world was filled with circles only (dintorni load world --circles-only): its towns are smaller
    #[arg(long)]
    circles_only: bool,
    /// Let all devices be about a kilometre around this position instead, in degrees, such as 45.4719,9.1881
    #[arg(long, value_name = "LAT,LNG", value_parser = position, allow_hyphen_values = true)]
    around: Option<Position>,
    /// How long somebody moves between two pings, whatever the rate: 1.3 metres a second on foot, 8 riding
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = names::span)]
    step: Duration,
    /// Register ordinary devices: their offers take budget, and statistics count them
    #[arg(long)]
    real: bool,
    /// The server's process, to tell what it uses of the processor; by default whoever listens there on this machine
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print JSON: latencies in microseconds, the server's CPU in milliseconds for 1,000 pings
    #[arg(long)]
    json: bool,
    /// The app key, with which devices are registered; better given as the variable DINTORNI_KEY
    #[arg(long, value_name = "SECRET", env = "DINTORNI_KEY", hide_env_values = true)]
    key: Option<Credential>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Command {
    World(Box<fill::Fill>),
    Till(Box<till::TillLoad>),
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    let sound = rate.filter(|rate| (0.0..=10_000_000.0).contains(rate));
    sound.ok_or_else(|| "must be a number a second, 0 to 10,000,000".to_owned())
}

impl Load {
    /// Loads, and prints the report; or does what the subcommand says.
    pub async fn run(mut self) -> anyhow::Result<ExitCode> {
        match self.command.take() {
            Some(Command::World(fill)) => return fill.run().await,
            Some(Command::Till(tills)) => return tills.run().await,
            None => {}
        }
        let (connections, registrar) = (self.connections()?, self.registrar()?);
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            channels.push(self.server.open().await?);
        }
        let walkers = registrar.register(&channels, self.movers()?).await?;
        let report = self.drive(&channels, walkers).await?;
        if self.around.is_none() && report.tally.good() > 0 && report.tally.changed == 0 {
            note(MET_NOTHING);
        }
        say(if self.json { report.as_json()? } else { report.as_table() })?;
        Ok(if report.tally.good() > 0 { ExitCode::SUCCESS } else { FAILED.into() })
    }

    /// How many connections to open; those named must be enough for the streams.
    fn connections(&self) -> Result<usize, Mistakes> {
        let needed = if self.streams { (self.devices as usize).div_ceil(STREAMS_A_CONNECTION) } else { 1 };
        match self.connections.map(|number| number as usize) {
            Some(number) if number < needed => Err(Mistakes(vec![format!(
                "--connections {number}: {} streams need {needed}: servers take {STREAMS_A_CONNECTION} on each",
                self.devices
            )])),
            Some(number) => Ok(number),
            None => Ok(needed.max(CONNECTIONS)),
        }
    }

    fn registrar(&self) -> anyhow::Result<Registrar> {
        let entropy = SystemEntropy::new().map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let run = entropy.bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let key = Credential::key(self.key.as_ref())?.reveal().to_owned();
        Ok(Registrar { key, seed: self.seed, test: !self.real, step: self.step.as_secs_f64(), run })
    }

    fn movers(&self) -> Result<Vec<Mover>, Invalid> {
        let plan = Plan { seed: self.seed, stores: 0, geofences: self.geofences, circles_only: self.circles_only };
        let world = World::new(plan);
        let town = |number| match self.around {
            Some(centre) => Ok(Town { centre, spread_m: AROUND_M }),
            None => world.town(number),
        };
        (0..u64::from(self.devices)).map(|number| Mover::new(town(number)?, self.seed, number)).collect()
    }

    /// Pings until the time is over, watched by the second.
    async fn drive(&self, channels: &[Channel], walkers: Vec<Walker>) -> anyhow::Result<Report> {
        let pid = self.server_pid.or_else(|| process::listening_at(self.server.url()));
        let used = || pid.and_then(process::used);
        let pace = Pace::start((self.rate > 0.0).then_some(self.rate), self.warm_up, self.duration)?;
        let shared = Shared { pace: pace.clone(), tallies: Arc::new(Tallies::new(pace.clone())?) };
        let devices = walkers.len();
        let mut callers = self.callers(&shared, channels, walkers);
        tokio::time::sleep_until(pace.measured_from()).await;
        let before = used();
        let mut tally = self.watch(&shared).await?;
        let server = used().zip(before).map(|(after, before)| after.saturating_sub(before));
        let last = async {
            while let Some(ended) = callers.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(LAST, last).await {
            Ok(ended) => ended?,
            // Those that wait are told of in the report.
            Err(_) => callers.abort_all(),
        }
        tally.add(&shared.tallies.drain()?)?;
        let unanswered = shared.tallies.begun().saturating_sub(tally.answers());
        Ok(Report {
            door: if self.streams { "streams" } else { "calls" },
            rate: (self.rate > 0.0).then_some(self.rate),
            devices,
            connections: channels.len(),
            measured: self.duration,
            tally,
            unsent: pace.unsent(),
            unanswered,
            server,
        })
    }

    fn callers(&self, shared: &Shared, channels: &[Channel], walkers: Vec<Walker>) -> JoinSet<anyhow::Result<()>> {
        let mut callers = JoinSet::new();
        let (in_flight, devices) = (self.in_flight as usize, walkers.len());
        let channel = |caller: usize| channels[caller % channels.len()].clone();
        if self.streams {
            let window = (in_flight / devices).max(1);
            for (caller, walker) in walkers.into_iter().enumerate() {
                callers.spawn(calls::stream(shared.clone(), caller, channel(caller), walker, window));
            }
            return callers;
        }
        let mut shares: Vec<Vec<Walker>> = (0..in_flight.min(devices)).map(|_| Vec::new()).collect();
        let count = shares.len();
        walkers.into_iter().enumerate().for_each(|(number, walker)| shares[number % count].push(walker));
        for (caller, share) in shares.into_iter().enumerate() {
            callers.spawn(calls::call(shared.clone(), caller, channel(caller), share));
        }
        callers
    }

    /// Collects until the end; on a terminal, a line a second.
    async fn watch(&self, shared: &Shared) -> anyhow::Result<Tally> {
        let (mut all, from, end) = (Tally::new()?, shared.pace.measured_from(), shared.pace.end());
        let is_terminal = std::io::stderr().is_terminal();
        let mut next: Instant = from;
        for second in 1.. {
            next = (next + SECOND).min(end);
            tokio::time::sleep_until(next).await;
            let tally = shared.tallies.drain()?;
            all.add(&tally)?;
            if is_terminal {
                note(report::line(second, &tally));
            }
            if next == end {
                break;
            }
        }
        Ok(all)
    }
}
