//! How the process stops: the first SIGTERM, SIGINT or SIGHUP asks it to finish what it does, a second one of the first
//! two ends it at once.
//!
//! Law: a terminal that closes stops the process as any signal does; it may send SIGHUP twice, so that hurries nothing.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after the second signal: something may have been cut short.
const CUT_SHORT: i32 = 130;
/// SIGHUP in the mask of ignored signals, which nohup sets.
const HANGUP: u64 = 1;

/// A token that the first signal cancels. Must be called inside a runtime; fails if signals cannot be listened to.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Listening would undo nohup.
    let mut hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let stop = CancellationToken::new();
    let soft = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => {}
            () = received(hangup.as_mut()) => {}
        }
        soft.cancel();
        tracing::info!("stopping; a second signal ends at once");
        either(&mut terminate, &mut interrupt).await;
        tracing::warn!("ended by a second signal");
        std::process::exit(CUT_SHORT);
    });
    Ok(stop)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Never, of a signal that is not listened to.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever started this process wants it to outlive the terminal; as far as Linux tells.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP != 0)
}
