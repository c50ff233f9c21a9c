//! `dintorni serve`: the server, until a signal.

use std::{
    cell::Cell,
    fs::File,
    io::{IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{block_on, settings::Settings};
use crate::{
    app::live_catalog::LiveCatalog,
    clock::SystemClock,
    config::{Config, Variables},
    lifecycle,
    server::{self, Ports, Stopped},
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
    match open_and_serve(config, new_operator_key, stop).await {
        Err(error) if error.is::<Stopped>() => {}
        served => served?,
    }
    tracing::info!("stopped");
    Ok(())
}

async fn open_and_serve(config: &Config, new_operator_key: bool, stop: CancellationToken) -> anyhow::Result<()> {
    let ports = server::unless_stopped(&stop, server::open_stores(config, Arc::new(SystemClock))).await?;
    let served = serve_on(&ports, config, new_operator_key, stop).await;
    ports.close().await;
    served
}

async fn serve_on(
    ports: &Ports,
    config: &Config,
    new_operator_key: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    let handover = Handover::to(&config.server.data_dir);
    if new_operator_key {
        let loading = async { Ok(LiveCatalog::load(ports.catalog.clone()).await?) };
        let live = server::unless_stopped(&stop, loading).await?;
        let made = server::make_operator_key(&live, ports, |secret| handover.keep(secret)).await?;
        handover.give(made.as_deref())?;
    }
    let running = server::start(config, ports.clone(), listener, stop, |secret| handover.keep(secret)).await?;
    handover.give(running.operator_key.as_deref())?;
    running.stopped().await
}

/// How the first operator key comes to whoever started the server: on the terminal, else in a file only they can read.
/// Never in the log, which others read and keep.
struct Handover {
    path: PathBuf,
    /// The same file before it is known that the key opens.
    fresh: PathBuf,
    kept: Cell<bool>,
}

impl Handover {
    fn to(data_dir: &Path) -> Self {
        let fresh = data_dir.join(format!("{KEY_FILE}.new"));
        Self { path: data_dir.join(KEY_FILE), fresh, kept: Cell::new(false) }
    }

    /// Before the key opens: whatever comes between, its secret is not lost. A terminal needs no file.
    fn keep(&self, secret: &str) -> anyhow::Result<()> {
        if !std::io::stderr().is_terminal() {
            write_private(&self.fresh, secret)
                .with_context(|| format!("{} cannot be written", self.fresh.display()))?;
            self.kept.set(true);
        }
        Ok(())
    }

    /// Once the key opens, if one was made.
    fn give(&self, secret: Option<&str>) -> anyhow::Result<()> {
        match (secret, self.kept.take()) {
            (Some(_), true) => self.name_it(),
            (Some(secret), false) => show(secret),
            (None, true) => Ok(std::fs::remove_file(&self.fresh)?),
            (None, false) => {
                if self.fresh.exists() {
                    tracing::warn!(path = %self.fresh.display(), "this file is of a start that was cut short, and may have \
                        the operator key: try it, then delete the file");
                }
                Ok(())
            }
        }
    }

    /// A file left by an earlier start is replaced: its key is known to nobody any more.
    fn name_it(&self) -> anyhow::Result<()> {
        let Self { path, fresh, .. } = self;
        let named = std::fs::rename(fresh, path);
        named.with_context(|| {
            format!("{} cannot be written; the operator key is in {}", path.display(), fresh.display())
        })?;
        tracing::warn!(path = %path.display(), "the operator key is in this file: keep it safe and delete the file");
        Ok(())
    }
}

fn show(secret: &str) -> anyhow::Result<()> {
    let shown = writeln!(std::io::stderr(), "\nThe operator key, shown this once: keep it safe.\n\n    {secret}\n");
    shown.context("the operator key cannot be shown: start with --new-operator-key for another")
}

/// Makes the file anew, for its owner alone; it is on the disk when this returns.
fn write_private(path: &Path, secret: &str) -> std::io::Result<()> {
    std::fs::remove_file(path).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
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
