//! The two doors a load goes through: a call for each ping, and a stream for each device.
//!
//! Law: whatever becomes of a turn, it is recorded once.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status, Streaming, transport::Channel};

use super::{pace::Pace, tally::Tallies, walker::Walker};
use crate::{
    cli::connection::bearing,
    grpc::pb::{
        PingRequest, PingStreamResponse, ping_stream_response::Result as Outcome,
        proximity_service_client::ProximityServiceClient,
    },
};

/// A server that is away is not asked again sooner: else a load without a rate would only count refusals.
const REST: Duration = Duration::from_millis(100);

/// What callers share.
#[derive(Clone)]
pub struct Shared {
    pub pace: Arc<Pace>,
    pub tallies: Arc<Tallies>,
}

impl Shared {
    /// When the next ping is due, once it is; none if the time is over.
    async fn turn(&self) -> Option<Instant> {
        let due = self.pace.turn().await?;
        self.tallies.begin(due);
        Some(due)
    }
}

/// One after the other, a call for each ping, by these devices in turn.
pub async fn call(shared: Shared, caller: usize, channel: Channel, mut walkers: Vec<Walker>) -> anyhow::Result<()> {
    let (mut client, count) = (ProximityServiceClient::new(channel), walkers.len().max(1));
    let mut next = 0;
    while let Some(due) = shared.turn().await {
        let Some(walker) = walkers.get_mut(next % count) else { break };
        next += 1;
        let ping = walker.ping()?;
        let request = bearing(&walker.token, ping)?;
        let answer = client.ping(request).await;
        shared.tallies.record(caller, due, answer.as_ref().map(Response::get_ref).map_err(Status::code));
        if answer.is_err_and(|status| status.code() == Code::Unavailable) {
            tokio::time::sleep(REST).await;
        }
    }
    Ok(())
}

/// The pings of one device in a stream, at most `window` of them without an answer. A stream that ends is opened again.
pub async fn stream(
    shared: Shared,
    caller: usize,
    channel: Channel,
    mut walker: Walker,
    window: usize,
) -> anyhow::Result<()> {
    let mut client = ProximityServiceClient::new(channel);
    while let Some(first) = shared.turn().await {
        let (pings, sent) = mpsc::channel(window);
        let code = match client.stream_pings(bearing(&walker.token, ReceiverStream::new(sent))?).await {
            Ok(answers) => {
                let (waiting, answered) = mpsc::channel(window);
                let sender = send(&shared, &mut walker, first, pings, waiting);
                let reader = read(&shared.tallies, caller, answers.into_inner(), answered);
                if let (Some(due), ()) = join(sender, reader).await {
                    shared.tallies.record(caller, due, Err(Code::Unavailable));
                }
                continue;
            }
            Err(status) => status.code(),
        };
        shared.tallies.record(caller, first, Err(code));
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

/// Sends until the time is over or the stream has ended; returns the turn that came too late for the stream, if any.
/// `waiting` has room for the window.
async fn send(
    shared: &Shared,
    walker: &mut Walker,
    first: Instant,
    pings: mpsc::Sender<PingRequest>,
    waiting: mpsc::Sender<Instant>,
) -> Option<Instant> {
    let mut next = Some(first);
    while let Some(due) = next {
        let Ok(ping) = walker.ping() else { return Some(due) };
        if waiting.send(due).await.is_err() {
            return Some(due);
        }
        // From here on the reader answers for it.
        pings.send(ping).await.ok()?;
        waiting.reserve().await.ok()?;
        next = shared.turn().await;
    }
    None
}

/// Records answers in the order of the pings, and for those that got none how the stream ended.
async fn read(
    tallies: &Tallies,
    caller: usize,
    mut answers: Streaming<PingStreamResponse>,
    mut waiting: mpsc::Receiver<Instant>,
) {
    let code = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                let Ok(due) = waiting.try_recv() else { break Code::Internal };
                let answer = match &answer.result {
                    Some(Outcome::Answer(answer)) => Ok(answer),
                    Some(Outcome::Error(error)) => Err(Code::from(error.code)),
                    None => Err(Code::Internal),
                };
                tallies.record(caller, due, answer);
            }
            Ok(None) => break Code::Unavailable,
            Err(status) => break status.code(),
        }
    };
    waiting.close();
    while let Some(due) = waiting.recv().await {
        tallies.record(caller, due, Err(code));
    }
}
