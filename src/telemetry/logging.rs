//! Logs, on standard error.
//!
//! Law 4: positions, tokens, codes and traits are never logged, at any level.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{Format, TelemetryConfig};

/// Starts logging. Only the first call in a process counts, so that tests may start many servers.
pub fn start_logging(config: &TelemetryConfig) {
    let filter = config.filter().unwrap_or_else(|_| EnvFilter::new("info"));
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
