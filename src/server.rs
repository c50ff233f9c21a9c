//! The composition root: settings, stores, a bound socket and a stop signal in; a running server out.
//!
//! Law: `main`, the demo and the tests start the same server by [`start`]; only what they pass in differs. A stop is
//! announced (NOT_SERVING), then waits for the calls in progress, but not longer than the settings allow.

mod jobs;
mod services;
mod stores;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming};

pub use self::stores::open_stores;
use self::{jobs::Jobs, services::Services};
use crate::{
    app::keys,
    config::{Config, ServerConfig},
    grpc::overload::Guard,
    ports::{CatalogStore, Clock, Entropy, ProfileCache, Records},
};

/// The outside world, as the server sees it.
#[derive(Clone)]
pub struct Ports {
    pub records: Arc<dyn Records>,
    pub catalog: Arc<dyn CatalogStore>,
    pub cache: Arc<dyn ProfileCache>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A server that answers calls.
pub struct Running {
    /// Where; the port is a real one even if 0 was asked for.
    pub address: SocketAddr,
    /// The secret of the first operator key, if this start made it. It is known nowhere else.
    pub operator_key: Option<String>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Waits until the server has stopped; an error if it stopped by itself or did not end cleanly.
    pub async fn stopped(self) -> anyhow::Result<()> {
        self.task.await.context("the server's task failed")?
    }
}

/// Starts a server on `listener`; it stops when `stop` is cancelled.
pub async fn start(
    config: &Config,
    ports: Ports,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<Running> {
    let address = listener.local_addr()?;
    let services = Services::build(config, &ports).await.context("the stores cannot be read")?;
    let now = ports.clock.now();
    let operator_key = keys::ensure_operator(&services.live, ports.entropy.bytes(), now)
        .await
        .context("the first operator key cannot be made")?;
    let builder = builder(&config.server)?;
    let task = tokio::spawn(serve(builder, services, ports, listener, config.clone(), stop));
    tracing::info!(%address, "serving");
    Ok(Running { address, operator_key, task })
}

async fn serve(
    builder: Server,
    services: Services,
    ports: Ports,
    listener: TcpListener,
    config: Config,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let jobs = Jobs { ports, live: services.live.clone(), limits: services.limits.clone(), health: health.clone() };
    let (tracker, ended) = (TaskTracker::new(), CancellationToken::new());
    jobs.announce(true).await;
    jobs.start(&config, &tracker, &ended);

    let routes = services.routes(&config.server)?.add_service(health_service);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let closing = CancellationToken::new();
    let router = builder.layer(Guard::new(config.server.guard())).add_routes(routes);
    let serving = router.serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.context("the server stopped by itself"),
        () = stop.cancelled() => {}
    }
    jobs.stopping().await;
    tokio::select! {
        ended = &mut serving => return ended.context("the server stopped by itself"),
        () = tokio::time::sleep(config.server.stop_notice()) => {}
    }
    closing.cancel();
    let calls = tokio::time::timeout(config.server.stop_grace(), serving).await;
    ended.cancel();
    tracker.close();
    tracker.wait().await;
    match calls {
        Ok(ended) => ended.context("the server did not end cleanly"),
        Err(_) => {
            tracing::warn!("connections were still open after the grace and have been cut");
            Ok(())
        }
    }
}

fn builder(config: &ServerConfig) -> anyhow::Result<Server> {
    let builder = Server::builder()
        .max_concurrent_streams(config.max_streams_per_connection.get())
        .http2_keepalive_interval(Some(config.keepalive()))
        .http2_keepalive_timeout(Some(config.keepalive()))
        .tcp_keepalive(Some(config.keepalive()));
    if config.tls_key.as_os_str().is_empty() {
        return Ok(builder);
    }
    let read = |path| std::fs::read(path).with_context(|| format!("{} cannot be read", std::path::Path::display(path)));
    let identity = Identity::from_pem(read(&config.tls_certificate)?, read(&config.tls_key)?);
    // Fails if something installed a provider before, which then serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    builder.tls_config(ServerTlsConfig::new().identity(identity)).context("the certificate and its key cannot be used")
}
