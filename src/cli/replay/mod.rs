//! `dintorni replay`: whether the server decides as was decided before.
//!
//! Law 5: what could not be replayed is not called the same, and what was found is told however it ends. Decisions are asked
//! for in the order of the catalog's versions, so that the server builds each of them once, from the one before.

mod asking;
mod fields;
mod tally;

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures_util::StreamExt;

use self::{
    asking::{Asked, Asking},
    tally::{Outcome, Tally},
};
use super::{
    connection::Connection,
    moments, names,
    output::{Paint, note, refusal, say},
};
use crate::{
    clock::SystemClock,
    config::Mistakes,
    domain::{
        name::{CampaignName, ProfileName, StoreName},
        offer::DecisionId,
        time::Timestamp,
        violation::Invalid,
    },
    grpc::{pb, wire::timestamp_to_wire},
    ports::Clock,
};

/// Receipts of one page of the list.
const PAGE: i32 = 1_000;

/// Decide again what was decided, and say what is otherwise now
///
/// For an upgrade: start the new version on a copy of the database, and let it replay what the old one decided. Each
/// decision is made again of the profile as it was, the ping and the shared limits that had nothing left, under the catalog
/// as it was, and compared with its receipt exactly: verdicts, reasons, offers, order. Nothing is recorded. The server keeps
/// what that takes only if its setting storage.replay_days says so, and builds catalogs of the past, each as large in memory
/// as the one in force. Needs an operator key.
///
/// A field that a new version adds to receipts differs in all of them; at the end it is told apart ("not recorded then"), with
/// those that were empty then. What is one more of a list, such as an offer, is "more than then".
///
/// Exit codes: 0 all that could be replayed was decided the same, 1 nothing could be replayed, or something failed,
/// 3 something is decided otherwise, even if it broke off.
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
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    profile: Option<ProfileName>,
    /// Only decisions that considered this campaign, such as acme/espresso
    #[arg(long, value_name = "CAMPAIGN", value_parser = names::campaign)]
    campaign: Option<CampaignName>,
    /// Only decisions that considered a campaign for this store, such as acme/0042
    #[arg(long, value_name = "STORE", value_parser = names::store_of)]
    store: Option<StoreName>,
    /// Print JSON: how many there were, in how many each field is otherwise, and the first 1,000 that are, as protobuf
    /// spells Replay
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Replay {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.check()?;
        let query = self.query(SystemClock.now())?;
        let server = Asking::new(&self.connection)?;
        let asked = match self.decisions.as_slice() {
            [] => {
                let listed = server.list(query).await.inspect_err(|_| server.end_line());
                listed.with_context(|| format!("{}: the decisions cannot be listed", self.connection.url()))?
            }
            named => Asked::named(named),
        };
        let mut tally = Tally::of(asked.len());
        let ended = self.replay(&server, &asked, &mut tally).await;
        server.end_line();
        self.tell(&tally)?;
        match ended {
            Ok(()) => tally.lacks().into_iter().for_each(note),
            Err(error) => note(format!("broken off with {}: {error:#}", self.connection.url())),
        }
        Ok(tally.code())
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
            profile: self.profile.as_ref().map(ToString::to_string).unwrap_or_default(),
            campaign: self.campaign.as_ref().map(ToString::to_string).unwrap_or_default(),
            store: self.store.as_ref().map(ToString::to_string).unwrap_or_default(),
            start_time,
            end_time,
            page_size: PAGE,
            ..Default::default()
        })
    }

    /// Tells what differs as it is found.
    async fn replay(&self, server: &Asking, asked: &[Asked], tally: &mut Tally) -> anyhow::Result<()> {
        let (paint, mut outcomes) = (Paint::for_stdout(), server.outcomes(asked));
        while let Some((id, outcome)) = outcomes.next().await {
            let outcome = outcome?;
            match &outcome {
                Outcome::Differs(replay) if !self.json => {
                    server.end_line();
                    say(tally::differing(paint, replay))?;
                }
                Outcome::Failed(status) => server.note(format!("{id}: {}", refusal(status))),
                _ => {}
            }
            tally.add(outcome);
            server.count();
        }
        Ok(())
    }

    fn tell(&self, tally: &Tally) -> anyhow::Result<()> {
        if self.json { say(serde_json::to_string_pretty(&tally.to_json()?)?) } else { say(tally.tell()) }
    }
}

/// `acme/apps/shopper/profiles/ada`, with or without `organizations/` before it.
fn profile(text: &str) -> Result<ProfileName, Invalid> {
    ProfileName::parse(&names::whole(text))
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
        let ada = "organizations/acme/apps/shopper/profiles/ada";
        for typed in [ada, "acme/apps/shopper/profiles/ada"] {
            assert_eq!(query(&["--profile", typed]).expect("sound").profile, ada);
        }
    }

    #[test]
    fn what_is_misspelt_is_told_at_once() {
        let Mistakes(told) = query(&["7"]).expect_err("no id");
        assert!(told[0].contains("no decision's id"), "{told:?}");
        let Mistakes(told) = query(&["--since", "soon", "--until", "later"]).expect_err("both");
        assert!(told[0].starts_with("--since: must be") && told[1].starts_with("--until: must be"), "{told:?}");
        for wrong in [["7", "--since", "1h"].as_slice(), &["--campaign", "espresso"], &["--profile", "ada"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
