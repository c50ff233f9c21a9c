//! `dintorni serve`: the server, until a signal.

use std::{
    fs::File,
    io::{IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{block_on, settings::Settings};
use crate::{
    app::{keys, live_catalog::LiveCatalog},
    clock::SystemClock,
    config::{Config, Variables},
    lifecycle,
    server::{self, Ports},
    telemetry,
};

/// Holds the first operator key, within the data directory, when there is no terminal to show it on.
const KEY_FILE: &str = "operator.key";

/// Run the server until SIGTERM, SIGINT or SIGHUP
///
/// Without any flag it serves gRPC on 127.0.0.1:7447, and metrics on 127.0.0.1:7448, and keeps its data in ./data. Its
/// first start makes the operator key, which opens everything: it is shown on the terminal, or else is in the file
/// operator.key in the data directory.
///
/// The first signal lets calls in progress end; a second one, but for SIGHUP, ends at once. Under nohup SIGHUP is
/// ignored.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to serve gRPC [setting: server.listen, 127.0.0.1:7447 by default]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Make the first operator key anew, because its secret was lost; the lost one opens nothing from then on
    #[arg(long)]
    new_operator_key: bool,
}

impl Serve {
    pub fn run(self, variables: Variables) -> anyhow::Result<()> {
        let config = self.settings.read(variables, &[("--listen", "server.listen", self.listen.as_ref())])?;
        telemetry::start_logging(&config.telemetry);
        block_on(serve(&config, self.new_operator_key))
    }
}

async fn serve(config: &Config, new_operator_key: bool) -> anyhow::Result<()> {
    let stop = lifecycle::stop_on_signal().context("signals cannot be listened to")?;
    let ports = server::open_stores(config, Arc::new(SystemClock)).await?;
    let served = serve_on(&ports, config, new_operator_key, stop).await;
    ports.close().await;
    served?;
    tracing::info!("stopped");
    Ok(())
}

async fn serve_on(
    ports: &Ports,
    config: &Config,
    new_operator_key: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    if new_operator_key && let Some(secret) = operator_key(ports).await? {
        hand_over(&secret, &config.server.data_dir)?;
    }
    let running = server::start(config, ports.clone(), listener, stop).await?;
    if let Some(secret) = &running.operator_key {
        hand_over(secret, &config.server.data_dir)?;
    }
    running.stopped().await
}

async fn operator_key(ports: &Ports) -> anyhow::Result<Option<String>> {
    let live = LiveCatalog::load(ports.catalog.clone()).await?;
    Ok(keys::make_operator(&live, ports.entropy.bytes(), ports.clock.now()).await?)
}

/// Gives the first operator key to whoever started the server: on the terminal, else in a file only they can read.
/// Never in the log, which others read and keep.
fn hand_over(secret: &str, data_dir: &Path) -> anyhow::Result<()> {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        return Ok(writeln!(terminal, "\nThe operator key, shown this once: keep it safe.\n\n    {secret}\n")?);
    }
    let path = data_dir.join(KEY_FILE);
    write_private(&path, secret).with_context(|| format!("{} cannot be written", path.display()))?;
    tracing::warn!(path = %path.display(), "the operator key is in this file: keep it safe and delete the file");
    Ok(())
}

/// A file left by an earlier start is replaced: its key is known to nobody any more.
fn write_private(path: &Path, secret: &str) -> std::io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    std::fs::remove_file(&fresh).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_file_is_for_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(KEY_FILE);
        std::fs::write(&path, "older").expect("written");
        write_private(&path, "dk_x").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "dk_x\n");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
}
