//! `dintorni replay`: whether the server decides as was decided before.
//!
//! Law 5: what could not be replayed is not called the same. Decisions are asked for in the order of the catalog's versions,
//! so that the server builds each of them once, from the one before.

mod tally;

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Args;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use self::tally::{Outcome, Tally};
use super::{
    connection::Connection,
    import::progress::Progress,
    moments, names,
    output::{Paint, note, refusal, say},
};
use crate::{
    clock::SystemClock,
    config::Mistakes,
    domain::{
        name::{CampaignName, StoreName},
        offer::DecisionId,
        time::Timestamp,
    },
    grpc::{
        pb::{self, decision_service_client::DecisionServiceClient},
        wire::timestamp_to_wire,
    },
    ports::Clock,
};

/// Decisions of one version that are asked for at once.
const AT_ONCE: usize = 8;
/// How often one is asked for, if the server says when to try again.
const TRIES: u32 = 5;
const PAGE: i32 = 1_000;
/// The reason of a server that did not keep what a decision was made of.
const NOT_KEPT: &str = "INPUTS_NOT_KEPT";

/// Decide again what was decided, and say what is otherwise now
///
/// For an upgrade: start the new version on a copy of the database, and let it replay what the old one decided. Each
/// decision is made again of the profile as it was and the ping, under the catalog as it was, and compared with its receipt
/// exactly: verdicts, reasons, offers, order. Nothing is recorded. The server keeps what that takes only if its setting
/// storage.replay_days says so. Needs an operator key.
///
/// Exit codes: 0 all that could be replayed was decided the same, 1 nothing could be replayed, or something failed,
/// 3 something is decided otherwise.
#[derive(Debug, Args)]
pub struct Replay {
    /// The ids of decisions; without any, all that were recorded in the span
    #[arg(value_name = "DECISION", conflicts_with_all = ["since", "until", "profile", "campaign", "store"])]
    decisions: Vec<String>,
    /// From when on: a time such as 2026-11-22T18:30:00Z, or how long ago, such as 24h
    #[arg(long, value_name = "WHEN", default_value = "24h")]
    since: String,
    /// Until when, in the same way; without it until now
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only decisions about this person, organizations/O/apps/A/profiles/P
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Only decisions that considered this campaign, such as acme/espresso
    #[arg(long, value_name = "CAMPAIGN", value_parser = names::campaign)]
    campaign: Option<CampaignName>,
    /// Only decisions that considered a campaign for this store, such as acme/0042
    #[arg(long, value_name = "STORE", value_parser = names::store_of)]
    store: Option<StoreName>,
    /// Print JSON: how many there were, and the first 1,000 that are otherwise, as protobuf spells Replay
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A decision, by what they are sorted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    catalog_version: u64,
    id: String,
}

type Client = DecisionServiceClient<Channel>;

impl Replay {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.check()?;
        let query = self.query(SystemClock.now())?;
        let mut client = DecisionServiceClient::new(self.connection.open().await?);
        let asked = if self.decisions.is_empty() { self.list(&mut client, query).await? } else { self.named() };
        let tally = self.replay(&client, &asked).await?;
        if self.json {
            say(serde_json::to_string_pretty(&tally.to_json()?)?)?;
        } else {
            say(tally.tell())?;
        }
        if let Some(why) = tally.lacks() {
            note(why);
        }
        Ok(tally.code())
    }

    fn named(&self) -> Vec<Asked> {
        self.decisions.iter().map(|id| Asked { catalog_version: 0, id: id.clone() }).collect()
    }

    /// What of the flags is a question to the server.
    fn query(&self, now: Timestamp) -> Result<pb::ListDecisionsRequest, Mistakes> {
        let mut wrong = Vec::new();
        for id in &self.decisions {
            wrong.extend(DecisionId::parse(id).err().map(|invalid| format!("{id:?} is no decision's id: {invalid}")));
        }
        let mut read = |flag: &str, text: &str| {
            moments::before(text, now).map_err(|why| wrong.push(format!("{flag}: {why}"))).ok().map(timestamp_to_wire)
        };
        let start_time = read("--since", &self.since);
        let end_time = self.until.as_deref().and_then(|until| read("--until", until));
        if !wrong.is_empty() {
            return Err(Mistakes(wrong));
        }
        Ok(pb::ListDecisionsRequest {
            profile: self.profile.as_deref().map(names::whole).unwrap_or_default(),
            campaign: self.campaign.as_ref().map(ToString::to_string).unwrap_or_default(),
            store: self.store.as_ref().map(ToString::to_string).unwrap_or_default(),
            start_time,
            end_time,
            page_size: PAGE,
            ..Default::default()
        })
    }

    async fn list(&self, client: &mut Client, mut query: pb::ListDecisionsRequest) -> anyhow::Result<Vec<Asked>> {
        let mut all = Vec::new();
        loop {
            let page = client.list_decisions(self.connection.request(query.clone())?).await;
            let page = page.map_err(|status| refusal(&status))?.into_inner();
            let asked = |decision: pb::Decision| Asked { catalog_version: decision.catalog_version, id: decision.id };
            all.extend(page.decisions.into_iter().map(asked));
            if page.next_page_token.is_empty() {
                break;
            }
            query.page_token = page.next_page_token;
        }
        all.sort();
        Ok(all)
    }

    async fn replay(&self, client: &Client, asked: &[Asked]) -> anyhow::Result<Tally> {
        let (mut tally, paint) = (Tally::default(), Paint::for_stdout());
        let mut progress = Progress::new(asked.len() as u64, "decisions");
        for of_one_version in asked.chunk_by(|a, b| a.catalog_version == b.catalog_version) {
            let mut outcomes = self.outcomes(client, of_one_version);
            while let Some((id, outcome)) = outcomes.next().await {
                let outcome = outcome?;
                match &outcome {
                    Outcome::Differs(replay) if !self.json => say(tally::differing(paint, replay))?,
                    Outcome::Failed(status) => note(format!("{id}: {}", refusal(status))),
                    _ => {}
                }
                tally.add(outcome);
                progress.add(1);
            }
        }
        Ok(tally)
    }

    /// In the order in which they are asked for.
    fn outcomes<'a>(
        &'a self,
        client: &'a Client,
        asked: &'a [Asked],
    ) -> impl Stream<Item = (&'a str, anyhow::Result<Outcome>)> + Unpin {
        let one = |asked: &'a Asked| async { (&*asked.id, self.outcome(client.clone(), &asked.id).await) };
        Box::pin(stream::iter(asked).map(one).buffered(AT_ONCE))
    }

    /// What became of one; an error if the others would fare no better.
    async fn outcome(&self, mut client: Client, decision: &str) -> anyhow::Result<Outcome> {
        let mut tries = 1;
        loop {
            let request = pb::ReplayDecisionRequest { decision: decision.to_owned() };
            let status = match client.replay_decision(self.connection.request(request)?).await {
                Ok(answer) => return Ok(Outcome::from(answer.into_inner())),
                Err(status) => status,
            };
            match (status.code(), retry_after(&status)) {
                (Code::FailedPrecondition, _) if is_not_kept(&status) => return Ok(Outcome::WithoutInputs),
                (Code::FailedPrecondition | Code::NotFound | Code::DataLoss, _) => return Ok(Outcome::Failed(status)),
                (_, Some(pause)) if tries < TRIES => tokio::time::sleep(pause).await,
                _ => bail!(refusal(&status)),
            }
            tries += 1;
        }
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info().and_then(|retry| retry.retry_delay)
}

fn is_not_kept(status: &Status) -> bool {
    status.get_error_details().error_info().is_some_and(|info| info.reason == NOT_KEPT)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        replay: Replay,
    }

    fn read(arguments: &[&str]) -> Result<Replay, clap::Error> {
        Alone::try_parse_from([&["replay"], arguments].concat()).map(|alone| alone.replay)
    }

    fn query(arguments: &[&str]) -> Result<pb::ListDecisionsRequest, Mistakes> {
        read(arguments).expect("read").query(Timestamp::from_micros(1_800_000_000_000_000))
    }

    #[test]
    fn a_span_and_names_are_asked_for() {
        let seconds = |at: Option<prost_types::Timestamp>| at.map(|at| at.seconds);
        let usual = query(&[]).expect("sound");
        assert_eq!((seconds(usual.start_time), usual.end_time), (Some(1_800_000_000 - 86_400), None));
        let wanted =
            ["--since", "2027-01-01T00:00:00Z", "--until", "1h", "--campaign", "acme/espresso", "--store", "acme/7"];
        let wanted = query(&wanted).expect("sound");
        assert_eq!((seconds(wanted.start_time), seconds(wanted.end_time)), (Some(1_798_761_600), Some(1_799_996_400)));
        let names = ["organizations/acme/campaigns/espresso", "organizations/acme/stores/7"];
        assert_eq!([&*wanted.campaign, &*wanted.store], names);
    }

    #[test]
    fn what_is_misspelt_is_told_at_once() {
        let Mistakes(told) = query(&["7"]).expect_err("no id");
        assert!(told[0].contains("no decision's id"), "{told:?}");
        let Mistakes(told) = query(&["--since", "soon", "--until", "later"]).expect_err("both");
        assert!(told[0].starts_with("--since: must be") && told[1].starts_with("--until: must be"), "{told:?}");
        assert!(read(&["7", "--since", "1h"]).is_err() && read(&["--campaign", "espresso"]).is_err());
    }

    #[test]
    fn decisions_of_one_version_come_together_and_in_the_order_of_time() {
        let asked = |catalog_version, id: &str| Asked { catalog_version, id: id.into() };
        let mut all = vec![asked(10, "a"), asked(9, "c"), asked(9, "b")];
        all.sort();
        assert_eq!(all, [asked(9, "b"), asked(9, "c"), asked(10, "a")]);
    }
}
