//! `dintorni load till`: tills that redeem, and the proof that each coupon was redeemed once.
//!
//! Laws: everything goes through the public API, as phones and tills do; a latency begins when its redemption was due; the
//! result is believed only if the log of the tills, the server's list and its ledger agree.

mod drive;
mod holders;
mod meters;
mod report;
mod scene;
mod verify;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, value_parser};
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt;

use self::{drive::Work, meters::Commits, report::Report, scene::Scene};
use super::{pace::Pace, process, rate};
use crate::{
    cli::{
        FAILED,
        connection::Connection,
        output::{note, refusal, say},
    },
    clock::SystemEntropy,
    ports::Entropy,
};

/// Tills of one connection: fewer than a server takes (server.max_streams_per_connection).
const TILLS_A_CONNECTION: u32 = 128;
/// Longer than any load.
const FOR_EVER: Duration = Duration::from_secs(7 * 86_400);

/// Put a load of tills on a server, and see how it bears it
///
/// It makes an organization with stores, campaigns and phones, through the API and anew at each run; the phones get offers
/// and claim their codes, and the tills redeem all of them, each with a store key of its own. Without --rate each till
/// redeems the next coupon when the last is answered; with it redemptions are due at that rate whether or not the server
/// answers. In the end the log of the tills, the list of redemptions and the ledger must agree.
///
/// The phones are ordinary devices, so use a server of its own; from one address it registers few of them, unless it is
/// started with --set devices.address_per_minute=1000000 --set devices.address_burst=1000000 --set
/// devices.key_per_second=1000000 --set devices.key_burst=1000000. A key for each till is within tills.calls_per_second up
/// to 1,000 redemptions a second by each.
///
/// For example: DINTORNI_KEY=dk_… dintorni load till --coupons 50000 --metrics 127.0.0.1:7448
///
/// Exit code 0 if every coupon was redeemed exactly once and nothing disagrees, else 1.
#[derive(Debug, Args)]
pub struct TillLoad {
    /// How many codes are claimed, and redeemed
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    coupons: u32,
    /// How many tills redeem at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = value_parser!(u32).range(1..=1_000))]
    tills: u32,
    /// At how many stores they are
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = value_parser!(u32).range(1..=1_000))]
    stores: u32,
    /// Redemptions a second, over all tills; 0: as many as can be
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, value_parser = rate)]
    rate: f64,
    /// Which share of the redemptions is asked for once more with the same request id, and must be answered the same
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    repeat: f64,
    /// Where the server's metrics are, HOST:PORT, to tell how many changes one commit of its disk carried
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
    /// The server's process, to tell what it uses of the processor; by default whoever listens there on this machine
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print JSON: latencies in microseconds, the server's CPU in seconds for 1,000 redemptions
    #[arg(long)]
    json: bool,
    /// With an operator key
    #[command(flatten)]
    connection: Connection,
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok();
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "must be a share, 0 to 1".to_owned())
}

impl TillLoad {
    /// Sets the scene, redeems, and proves what was redeemed.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.check()?;
        let mut channels = Vec::new();
        for _ in 0..self.tills.div_ceil(TILLS_A_CONNECTION).max(4) {
            channels.push(self.connection.open().await?);
        }
        let entropy = SystemEntropy::new().map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let run: String = entropy.bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let scene = Scene::set(&self.connection, &channels[0], &run, (self.stores, self.tills)).await?;
        let coupons = holders::claim(&channels, &scene, &run, self.coupons as usize).await?;
        let report = self.drive(&channels, &scene, Work::new(run, coupons, self.repeat)).await?;
        say(if self.json { report.as_json()? } else { report.as_table() })?;
        report.proof.faults.iter().for_each(|fault| note(format!("dintorni: {fault}")));
        Ok(if report.proof.faults.is_empty() { ExitCode::SUCCESS } else { FAILED.into() })
    }

    async fn drive(&self, channels: &[Channel], scene: &Scene, work: Work) -> anyhow::Result<Report> {
        let pid = self.server_pid.or_else(|| process::listening_at(self.connection.url()));
        let used = || pid.and_then(process::used);
        let commits = self.commits().await?;
        let before = used();
        let pace = Pace::start((self.rate > 0.0).then_some(self.rate), Duration::ZERO, FOR_EVER)?;
        let work = Arc::new(work);
        let log = drive::all(&work, &pace, channels, &scene.tills).await?;
        let took = pace.measured_from().elapsed();
        let server = used().zip(before).map(|(after, before)| after.saturating_sub(before));
        let commits = commits.zip(self.commits().await?).map(|(before, after)| after.since(&before));
        let proof = verify::prove(&self.connection, &channels[0], scene, &work, &log).await?;
        let rate = (self.rate > 0.0).then_some(self.rate);
        Ok(Report { tills: scene.tills.len(), rate, took, log, server, commits, proof })
    }

    async fn commits(&self) -> anyhow::Result<Option<Commits>> {
        let Some(address) = self.metrics.clone() else { return Ok(None) };
        tokio::task::spawn_blocking(move || Commits::read(&address).map(Some)).await?
    }
}

/// The stable reason of a refusal, or its code.
fn reason(status: &Status) -> String {
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    reason.unwrap_or_else(|| format!("{:?}", status.code()))
}

/// A refusal that ends the load, with the setting that would help.
fn hopeless(status: &Status, limit: &str) -> anyhow::Error {
    let help = match reason(status).as_str() {
        "RATE_LIMITED" => limit,
        "OVERLOADED" => "fewer --tills, or a server with a larger server.max_in_flight",
        _ => return refusal(status),
    };
    anyhow::anyhow!("{}; what helps: {help}", refusal(status))
}
