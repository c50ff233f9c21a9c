//! `dintorni demo`: two people walk two streets of Helsinki past its real shops, through the public API.
//!
//! Law: nothing here is staged. The server is the one that `serve` starts, the calls go over a real socket, and what is
//! printed is what was answered.

mod api;
mod campaigns;
mod clock;
mod people;
mod print;
mod walk;
mod world;

use std::{sync::Arc, time::Duration};

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

use self::{clock::WalkClock, print::Printer, walk::Street, world::World};
use crate::{
    cli::output::note,
    config::{Config, Sources},
    lifecycle,
    ports::Clock,
    server::{self, Running},
};

/// The streets, © OpenStreetMap contributors (see deploy/demo/README.md).
const STREETS: &str = include_str!("../../../deploy/demo/walks.geojson");
/// A phone takes a fix so often while its owner walks.
const STEP: Duration = Duration::from_secs(5);
/// Between two streets there is time for a coffee.
const BREAK: Duration = Duration::from_secs(20 * 60);

/// Starts a server in a temporary folder, walks two people past the shops of Helsinki, and ends.
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the server running after the walk, and print how to call it
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// Sets the scene, walks, and tells what came of it.
    pub async fn run(self) -> anyhow::Result<()> {
        let folder = tempfile::Builder::new().prefix("dintorni-demo-").tempdir()?;
        let streets = Street::read_all(STREETS)?;
        // Who is left with the server afterwards meets the true time.
        let clock = Arc::new(WalkClock::behind(streets.iter().map(takes).sum()));
        let stop = CancellationToken::new();
        let running = start(folder.path(), clock.clone(), stop.clone()).await?;
        let operator_key = running.operator_key.clone().unwrap_or_default();
        let channel = Endpoint::try_from(format!("http://{}", running.address))?.connect().await?;
        let entropy = crate::clock::SystemEntropy::new().map_err(|_| anyhow::anyhow!("no randomness"))?;
        let mut world = world::set(channel, &operator_key, crate::ports::Entropy::bytes(&entropy)).await?;

        let mut printer = Printer::new();
        printer.scene(&running.address, folder.path(), &world, clock.now())?;
        for street in &streets {
            stroll(street, &mut world, &clock, &mut printer).await?;
            clock.push(BREAK);
        }
        printer.summary(&world)?;
        if self.keep {
            printer.how_to_call(&running.address, &operator_key, &world.app_key)?;
            lifecycle::stop_on_signal()?.cancelled().await;
            note("stopping, and removing the folder; a second Ctrl-C ends at once");
        } else {
            printer.what_next()?;
        }
        stop.cancel();
        running.stopped().await
    }
}

async fn start(folder: &std::path::Path, clock: Arc<WalkClock>, stop: CancellationToken) -> anyhow::Result<Running> {
    let mut sources = Sources::default();
    sources.flag("demo", "server.data_dir", &folder.to_string_lossy());
    sources.flag("demo", "telemetry.metrics_listen", "");
    let config = Config::read(&sources)?;
    let ports = server::open_stores(&config, clock).await?;
    server::start(&config, ports, TcpListener::bind("127.0.0.1:0").await?, stop, |_| Ok(())).await
}

/// How often everybody takes a fix in a street.
fn steps(street: &Street) -> u64 {
    street.duration().as_secs() / STEP.as_secs() + 2
}

/// How long they are in a street and at the coffee after it.
fn takes(street: &Street) -> Duration {
    STEP * u32::try_from(steps(street)).unwrap_or(0) + BREAK
}

/// Everybody walks the street side by side.
async fn stroll(street: &Street, world: &mut World, clock: &WalkClock, printer: &mut Printer) -> anyhow::Result<()> {
    printer.street(street)?;
    for step in 0..steps(street) {
        let walked = STEP * u32::try_from(step).unwrap_or(u32::MAX);
        let position = street.position(walked);
        let mut heard = Vec::new();
        for phone in &mut world.phones {
            let answered = phone.at(position, clock.now(), world.beacon).await?;
            heard.extend(answered.map(|answered| (phone.owner.name, answered)));
        }
        printer.step(walked, clock.now(), &heard)?;
        clock.push(STEP);
    }
    Ok(())
}
