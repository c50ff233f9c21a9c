//! The composition root: settings, stores, a bound socket and a stop signal in; a running server out.
//!
//! Law: `main`, the demo and the tests start the same server by [`start`]; only what they pass in differs. A stop is
//! announced (NOT_SERVING), then waits for the calls in progress, but not longer than the settings allow.

mod connections;
mod doors;
mod jobs;
mod meters;
mod services;
mod stores;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::{Identity, Server, ServerTlsConfig};

pub use self::stores::{database, open_stores};
use self::{doors::Doors, jobs::Jobs, services::Services};
use crate::{
    app::{keys, live_catalog::LiveCatalog, sharing::Sharing},
    config::{Config, ServerConfig},
    grpc::{envelope::Envelope, measure::Measure, open_streams::OpenStreams, overload::Guard},
    ports::{CatalogStore, Clock, Coupons, Entropy, History, Ledger, ProfileCache, Receipts, Records},
    storage::sql::Sql,
    telemetry::{Meter, Metrics, TelemetryConfig, serve_metrics},
};

/// A connection that answers no keepalive ping for so long is gone.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);

/// Longest wait for the database to close: what a call that outlived its grace reads keeps it open.
const CLOSING: Duration = Duration::from_secs(10);

/// The outside world, as the server sees it.
#[derive(Clone)]
pub struct Ports {
    pub records: Arc<dyn Records>,
    pub coupons: Arc<dyn Coupons>,
    pub ledger: Arc<dyn Ledger>,
    pub history: Arc<dyn History>,
    pub receipts: Arc<dyn Receipts>,
    pub catalog: Arc<dyn CatalogStore>,
    pub cache: Arc<dyn ProfileCache>,
    /// Who else writes profiles.
    pub sharing: Sharing,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// What the stores count about themselves.
    pub meters: Vec<Meter>,
    /// What keeps all that must survive.
    database: Arc<Sql>,
}

impl Ports {
    /// Lets the database go once no server stands on it any more: then all that was written is in its files, and none of it
    /// in a log beside them. Waits until nobody reads it, but not for ever.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSING, self.database.close()).await.is_err() {
            tracing::warn!("the database was still in use, and is left open; its log has what is not in its file");
        }
    }
}

/// A server that answers calls.
pub struct Running {
    /// Where; the port is a real one even if 0 was asked for.
    pub address: SocketAddr,
    /// Where Prometheus may read, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    /// The secret of the first operator key, if this start made it. Nobody else was told.
    pub operator_key: Option<String>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Waits until the server has stopped; an error if it stopped by itself or did not end cleanly.
    pub async fn stopped(self) -> anyhow::Result<()> {
        self.task.await.context("the server's task failed")?
    }
}

/// The server was told to stop before it served.
#[derive(Debug, thiserror::Error)]
#[error("stopped before it served")]
pub struct Stopped;

/// What the work comes to, unless `stop` is cancelled first: then it is left where it is, and this is [`Stopped`].
pub async fn unless_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    stop.run_until_cancelled(work).await.unwrap_or_else(|| Err(Stopped.into()))
}

/// Starts a server on `listener`; it stops when `stop` is cancelled. If it makes the first operator key, `keep` is told the
/// secret before; see [`make_operator_key`].
pub async fn start(
    config: &Config,
    ports: Ports,
    listener: TcpListener,
    stop: CancellationToken,
    keep: impl Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Running> {
    let address = listener.local_addr()?;
    let builder = builder(&config.server)?;
    let building = async { Services::build(config, &ports).await.context("the stores cannot be read") };
    let services = unless_stopped(&stop, building).await?;
    let counts = [ports.meters.clone(), meters::of_services(&services)].concat();
    let metrics = Arc::new(Metrics::new(counts, vec![meters::of_stages(&services)]));
    let (health, health_service) = tonic_health::server::health_reporter();
    let closing = CancellationToken::new();
    let guard = Guard::new(config.server.guard(), closing.clone());
    let streams =
        OpenStreams { guard: guard.clone(), idle: config.server.ping_stream_idle(), closing: closing.clone() };
    let Doors { routes, names } = services.doors(&config.server, metrics.clone(), streams)?;
    let routes = routes.add_service(health_service);
    let ingest = services.ingest.clone();
    // Who is not known takes no place, however long it takes to find that out.
    let measured = builder.layer(Measure::new(metrics.clone())).layer(Envelope);
    let mut layered = measured.layer(services.auth.clone()).layer(guard);
    let metrics_listener = bind_metrics(&config.telemetry).await?;
    let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    // Last of all that can fail: who gets the key has a server to use it on.
    let lacks_key = keys::lacks_operator(&services.live.snapshot(), ports.clock.now());
    let operator_key = if lacks_key { make_operator_key(&services.live, &ports, keep).await? } else { None };

    let (tracker, ended) = (TaskTracker::new(), CancellationToken::new());
    if let Some(listener) = metrics_listener {
        tracker.spawn(serve_metrics(listener, metrics, ended.clone()));
    }
    let jobs = Jobs {
        ports,
        live: services.live,
        ingest,
        settling: services.settling,
        replays: services.replays,
        limits: services.limits,
        people_limits: services.people_limits,
        health,
        names,
        stopped: Arc::default(),
    };
    jobs.announce(true).await;
    jobs.start(config, &tracker, &ended);
    let incoming = connections::accept(listener, config.server.keepalive(), closing.clone());
    let serving = layered.add_routes(routes).serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
    let server = config.server.clone();
    let task = tokio::spawn(async move {
        let done = until_stopped(serving, &server, &jobs, &stop, &closing).await;
        ended.cancel();
        tracker.close();
        tracker.wait().await;
        done
    });
    let data = config.server.data_dir.display();
    tracing::info!(%address, metrics = metrics_address.map(tracing::field::display), %data, "serving");
    Ok(Running { address, metrics_address, operator_key, task })
}

/// Makes the first operator key, whatever there is, and returns its secret; none if another node did the same at the same
/// moment. `keep` is told the secret before anything opens by it: if it cannot keep it, no key is made that nobody has.
pub async fn make_operator_key(
    live: &LiveCatalog,
    ports: &Ports,
    keep: impl Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Option<String>> {
    let (secret, hash) = keys::mint(ports.entropy.bytes());
    keep(&secret)?;
    let made = keys::make_operator(live, hash, ports.clock.now()).await;
    Ok(made.context("the first operator key cannot be made")?.then_some(secret))
}

/// Runs the server until `stop`, then announces it, then closes the door and waits for those inside.
async fn until_stopped(
    serving: impl Future<Output = Result<(), tonic::transport::Error>>,
    config: &ServerConfig,
    jobs: &Jobs,
    stop: &CancellationToken,
    closing: &CancellationToken,
) -> anyhow::Result<()> {
    let mut serving = std::pin::pin!(serving);
    let notice = async {
        stop.cancelled().await;
        jobs.stopping().await;
        tokio::time::sleep(config.stop_notice()).await;
    };
    tokio::select! {
        ended = &mut serving => return ended.context("the server stopped by itself"),
        () = notice => closing.cancel(),
    }
    match tokio::time::timeout(config.stop_grace(), serving).await {
        Ok(ended) => ended.context("the server did not end cleanly"),
        Err(_) => {
            tracing::warn!("some calls had not ended after the grace; they are left");
            Ok(())
        }
    }
}

async fn bind_metrics(config: &TelemetryConfig) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.metrics_address() else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).with_context(|| format!("{address} (telemetry.metrics_listen) cannot be listened on"))
}

fn builder(config: &ServerConfig) -> anyhow::Result<Server> {
    let builder = Server::builder()
        .max_concurrent_streams(config.max_streams_per_connection.get())
        .http2_keepalive_interval(Some(config.keepalive()))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER));
    if config.tls_key.as_os_str().is_empty() {
        return Ok(builder);
    }
    let read = |path| std::fs::read(path).with_context(|| format!("{} cannot be read", std::path::Path::display(path)));
    let identity = Identity::from_pem(read(&config.tls_certificate)?, read(&config.tls_key)?);
    install_tls();
    let tls = ServerTlsConfig::new().identity(identity).timeout(connections::GREETING);
    builder.tls_config(tls).context("the certificate and its key cannot be used")
}

/// Chooses who encrypts for the whole process; rustls would panic if nobody had.
fn install_tls() {
    // Fails if something was installed before, which then serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
}
