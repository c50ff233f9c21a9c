//! What the process says of itself: logs for people, metrics for machines.

mod endpoint;
mod logging;
mod metrics;

use std::net::SocketAddr;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

pub use self::{
    endpoint::serve_metrics,
    logging::start_logging,
    metrics::{Meter, Metrics, Timing, Timings},
};

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
    /// Where metrics are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listen.parse().ok()
    }

    /// What cannot be read as what it should be.
    pub fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if let Err(error) = EnvFilter::try_new(&self.log) {
            mistakes.push(format!("telemetry.log: {error}"));
        }
        if !self.metrics_listen.is_empty() && self.metrics_address().is_none() {
            mistakes.push(format!("telemetry.metrics_listen: must be ADDRESS:PORT, was {:?}", self.metrics_listen));
        }
        mistakes
    }
}
