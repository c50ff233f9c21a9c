//! What the process says of itself: logs for people, metrics for machines.

mod endpoint;
mod logging;
mod metrics;

use std::net::SocketAddr;

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

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
        if let Err(error) = self.filter() {
            mistakes.push(format!("telemetry.log: {error}"));
        }
        if !self.metrics_listen.is_empty() && self.metrics_address().is_none() {
            mistakes.push(format!("telemetry.metrics_listen: must be ADDRESS:PORT, was {:?}", self.metrics_listen));
        }
        mistakes
    }

    /// What is logged, or why that cannot be read.
    fn filter(&self) -> Result<EnvFilter, String> {
        let parts: Vec<&str> = self.log.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        // The library takes a word that is no level for a target, logs everything of that, and nothing of all others.
        let is_odd = |part: &&&str| !part.contains('=') && part.parse::<LevelFilter>().is_err();
        match parts.iter().find(is_odd).or(parts.is_empty().then_some(&"")) {
            Some(part) => Err(format!("must be off, error, warn, info, debug or trace, or target=level, was {part:?}")),
            None => EnvFilter::try_new(parts.join(",")).map_err(|error| error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_a_mistake() {
        let mistakes = |log: &str| {
            let config = TelemetryConfig { log: log.to_owned(), format: Format::Auto, metrics_listen: String::new() };
            config.contradictions()
        };
        for log in
            ["", "warning", "inf", "dintorni", "info,notice", "dintorni=warning", "info, dintorni::app=debug, trase"]
        {
            let found = mistakes(log);
            assert!(found.len() == 1 && found[0].starts_with("telemetry.log: "), "{log}: {found:?}");
        }
        assert_eq!(
            mistakes("inf"),
            ["telemetry.log: must be off, error, warn, info, debug or trace, or target=level, was \"inf\""]
        );
        for log in ["off", "INFO", "info,dintorni::app=debug", "warn, dintorni::app=debug"] {
            assert_eq!(mistakes(log), Vec::<String>::new(), "{log}");
        }
    }
}
