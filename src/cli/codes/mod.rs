//! `dintorni codes upload`: fills the pool of a campaign from a file.
//!
//! Laws: each row is in the pool or told with its line; what was answered is durable, so a cut upload is begun again and
//! adds nothing twice. Law 4: codes are secrets, so rows are told by their lines alone.

mod rows;
mod tally;

use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use futures_util::future::join;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use self::{
    rows::{Batch, batches},
    tally::Tally,
};
use super::{
    FAILED,
    connection::Connection,
    import::progress::Progress,
    names,
    output::{note, refusal, say},
};
use crate::{
    domain::name::CampaignName,
    grpc::pb::{self, campaign_service_client::CampaignServiceClient},
};

/// Messages without an answer: while one is added to the pool the next is on its way.
const IN_FLIGHT: usize = 2;
/// An answer may name each of its 10,000 rows.
const MAX_ANSWER: usize = 4 << 20;

/// Upload the codes of a campaign whose coupon takes them from a pool
#[derive(Debug, Args)]
pub struct Codes {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Upload(Upload),
}

/// Add codes to the pool of a campaign
///
/// Safe to repeat: a code that is in the pool already is counted as a duplicate and not added again. Needs a brand, owner
/// or operator key.
///
/// Exit codes: 0 all rows are in the pool, 1 some were malformed, or it failed.
#[derive(Debug, Args)]
struct Upload {
    /// One code a line: 4 to 64 letters, digits and -. Empty lines do no harm; there is no header. - for standard input
    file: PathBuf,
    /// Of which campaign: organizations/ORGANIZATION/campaigns/CAMPAIGN, or ORGANIZATION/CAMPAIGN
    #[arg(long, value_name = "CAMPAIGN", value_parser = names::campaign)]
    campaign: CampaignName,
    /// Write to this file the line of every row that was not added, and why
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl Codes {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Action::Upload(upload) = self.action;
        upload.run().await
    }
}

type Reader = Box<dyn BufRead + Send>;

impl Upload {
    async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.check()?;
        let (reader, bytes) = open(&self.file)?;
        let mut tally = Tally::new(self.report.as_deref(), bytes.map(|bytes| Progress::new(bytes, "bytes")))?;
        let sent = self.send(reader, &mut tally).await;
        tally.close()?;
        if let Err(fault) = sent {
            note(fault.advice(tally.added));
            return Err(fault.error);
        }
        anyhow::ensure!(!tally.is_empty(), "{} has no code: a line of it is one", self.file.display());
        say(tally.tell())?;
        Ok(if tally.malformed == 0 { ExitCode::SUCCESS } else { FAILED.into() })
    }

    async fn send(&self, reader: Reader, tally: &mut Tally) -> Result<(), Fault> {
        let mut client =
            CampaignServiceClient::new(self.connection.open().await?).max_decoding_message_size(MAX_ANSWER);
        let (give, mut read) = mpsc::channel::<Batch>(1);
        let reading = tokio::task::spawn_blocking(move || batches(reader, |batch| give.blocking_send(batch).is_ok()));
        let (requests, messages) = mpsc::channel(1);
        let (wait, mut waiting) = mpsc::channel(IN_FLIGHT);
        let request = self.connection.request(ReceiverStream::new(messages))?;
        let campaign = self.campaign.to_string();
        let sender = async move {
            while let Some(Batch { codes, lines, bytes }) = read.recv().await {
                let request = pb::UploadCodesRequest { campaign: campaign.clone(), codes };
                // In this order: there is room for what is on its way, and every answer finds its lines.
                if wait.send((lines, bytes)).await.is_err() || requests.send(request).await.is_err() {
                    break;
                }
            }
        };
        // Owns `waiting`: when the server has ended, so do the sender and the thread that reads.
        let receiver = async move {
            let mut answers = client.upload_codes(request).await?.into_inner();
            while let Some(answer) = answers.message().await? {
                let Ok((lines, bytes)) = waiting.try_recv() else {
                    return Err(Status::internal("there was an answer to nothing"));
                };
                tally.add(&answer, &lines, bytes);
            }
            if waiting.try_recv().is_ok() { Err(Status::unavailable("the stream ended early")) } else { Ok(()) }
        };
        let (received, ()) = join(receiver, sender).await;
        received.map_err(|status| Fault { error: refusal(&status), may_pass: may_pass(&status) })?;
        let read = reading.await.map_err(anyhow::Error::from)?;
        Ok(read.with_context(|| format!("{} cannot be read", self.file.display()))?)
    }
}

/// Why not all codes are in the pool.
struct Fault {
    error: anyhow::Error,
    /// Whether the same upload may go well later.
    may_pass: bool,
}

impl<E: Into<anyhow::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { error: error.into(), may_pass: true }
    }
}

impl Fault {
    /// What is in the pool, and what to do.
    fn advice(&self, added: u64) -> String {
        let so_far = match added {
            0 => "no code was added".to_owned(),
            added => format!("{added} codes were added before it failed"),
        };
        match self.may_pass {
            true => format!("{so_far}; begin again, which adds none twice"),
            false => format!("{so_far}; the same upload would fail again"),
        }
    }
}

/// Whether it is the moment that was refused, and not what was asked.
fn may_pass(status: &Status) -> bool {
    let moment = [Code::Unavailable, Code::ResourceExhausted, Code::DeadlineExceeded, Code::Cancelled, Code::Aborted];
    moment.contains(&status.code()) || status.source().is_some()
}

/// The file, and how long it is if that is known.
fn open(path: &Path) -> anyhow::Result<(Reader, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(stdin())), None));
    }
    let unreadable = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let bytes = file.metadata().with_context(unreadable)?.len();
    Ok((Box::new(BufReader::new(file)), Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_to_be_begun_again() {
        let advice =
            |status: Status, added| Fault { may_pass: may_pass(&status), error: refusal(&status) }.advice(added);
        let denied = advice(Status::permission_denied("not this campaign"), 0);
        assert_eq!(denied, "no code was added; the same upload would fail again");
        assert!(advice(Status::not_found("no such campaign"), 0).ends_with("fail again"));
        let away = advice(Status::unavailable("the database is away"), 3_000);
        assert_eq!(away, "3000 codes were added before it failed; begin again, which adds none twice");
    }
}
