//! What the process says of itself: logs on standard error.
//!
//! Law 4: positions, tokens, codes and traits are never logged, at any level.

use std::io::IsTerminal;

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Settings of logs and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    pub log: String,
    pub format: Format,
    /// An address, or nothing.
    pub metrics_listen: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Auto,
    Text,
    Json,
}

impl TelemetryConfig {
    /// What cannot be read as what it should be.
    pub fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if let Err(error) = EnvFilter::try_new(&self.log) {
            mistakes.push(format!("telemetry.log: {error}"));
        }
        if !self.metrics_listen.is_empty() && self.metrics_listen.parse::<std::net::SocketAddr>().is_err() {
            mistakes.push(format!("telemetry.metrics_listen: must be ADDRESS:PORT, was {:?}", self.metrics_listen));
        }
        mistakes
    }
}

/// Starts logging. Only the first call in a process counts, so that tests may start many servers.
pub fn start_logging(config: &TelemetryConfig) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let text = match config.format {
        Format::Auto => std::io::stderr().is_terminal(),
        Format::Text => true,
        Format::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = match text {
        true => registry.with(fmt::layer().with_writer(std::io::stderr).compact()).try_init(),
        false => registry.with(fmt::layer().with_writer(std::io::stderr).json().flatten_event(true)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}
