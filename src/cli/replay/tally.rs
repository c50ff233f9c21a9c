//! What came of replays, one by one and together.

use std::process::ExitCode;

use serde_json::{Value, json};
use tonic::Status;

use super::fields::Fields;
use crate::{
    cli::{FAILED, FAULTY, json::to_json, output::Paint},
    grpc::pb,
};

/// Most decisions that JSON lists.
const MOST_LISTED: usize = 1_000;

/// What became of one decision.
pub enum Outcome {
    Same,
    Differs(pb::Replay),
    WithoutInputs,
    /// The server says what is wrong with this one.
    Failed(Status),
}

impl From<pb::Replay> for Outcome {
    fn from(replay: pb::Replay) -> Self {
        if replay.difference_count == 0 { Outcome::Same } else { Outcome::Differs(replay) }
    }
}

/// How many there were of each.
#[derive(Default)]
pub struct Tally {
    /// All that there are.
    asked: u64,
    replayed: u64,
    differ: u64,
    without_inputs: u64,
    failed: u64,
    fields: Fields,
    /// The first [`MOST_LISTED`] that differ.
    differing: Vec<pb::Replay>,
}

impl Tally {
    /// Of so many that are to be replayed.
    pub fn of(asked: usize) -> Self {
        Self { asked: asked as u64, ..Self::default() }
    }

    /// Those of which nothing is known, because it broke off.
    fn left(&self) -> u64 {
        self.asked.saturating_sub(self.replayed + self.without_inputs + self.failed)
    }

    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Same => self.replayed += 1,
            Outcome::Differs(replay) => {
                (self.replayed, self.differ) = (self.replayed + 1, self.differ + 1);
                self.fields.add(&replay);
                if self.differing.len() < MOST_LISTED {
                    self.differing.push(replay);
                }
            }
            Outcome::WithoutInputs => self.without_inputs += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }

    /// What is otherwise in how many, and how many there were of each.
    pub fn tell(&self) -> String {
        let Self { replayed, differ, without_inputs, failed, fields, .. } = self;
        let noun = if *replayed == 1 { "decision" } else { "decisions" };
        let verb = if *differ == 1 { "differs" } else { "differ" };
        let unless_none = |count, what| if count == 0 { String::new() } else { format!(", {count} {what}") };
        let (failed, left) = (unless_none(*failed, "could not be replayed"), unless_none(self.left(), "not reached"));
        let mut lines = fields.tell();
        if !lines.is_empty() {
            lines.insert(0, "otherwise:".to_owned());
        }
        lines.push(format!(
            "{replayed} {noun} replayed, {differ} {verb}, {without_inputs} without inputs{failed}{left}"
        ));
        lines.join("\n")
    }

    pub fn to_json(&self) -> anyhow::Result<Value> {
        let listed = self.differing.iter().map(|replay| to_json("dintorni.v1.Replay", replay));
        Ok(json!({
            "replayed": self.replayed,
            "differ": self.differ,
            "withoutInputs": self.without_inputs,
            "failed": self.failed,
            "notReached": self.left(),
            "fields": self.fields.to_json(),
            "differing": listed.collect::<anyhow::Result<Vec<Value>>>()?,
        }))
    }

    /// Why nothing is known, if nothing was replayed.
    pub fn lacks(&self) -> Option<&'static str> {
        match self {
            Self { replayed: 0, without_inputs: 0, failed: 0, .. } => Some(
                "nothing was replayed: no decision is on record that --since, --until, --profile, --campaign and --store \
                 ask for",
            ),
            Self { replayed: 0, without_inputs: 1.., .. } => Some(
                "nothing was replayed: the server kept nothing that those decisions were made of; its setting \
                 storage.replay_days says for how long it does",
            ),
            _ => None,
        }
    }

    pub fn code(&self) -> ExitCode {
        match self {
            Self { differ: 1.., .. } => FAULTY.into(),
            Self { failed: 1.., .. } | Self { replayed: 0, .. } => FAILED.into(),
            _ if self.left() > 0 => FAILED.into(),
            _ => ExitCode::SUCCESS,
        }
    }
}

/// What is otherwise in one decision.
pub fn differing(paint: Paint, replay: &pb::Replay) -> String {
    let pb::Replay { decision, catalog_version, differences, difference_count } = replay;
    let noun = if *difference_count == 1 { "difference" } else { "differences" };
    let title = format!("{decision}  {difference_count} {noun} (catalog version {catalog_version})");
    let mut lines = vec![paint.bad(title)];
    for pb::Difference { path, recorded, replayed } in differences {
        lines.push(format!("  {}", if path.is_empty() { "the whole" } else { path }));
        for (what, value) in [("recorded", recorded), ("replayed", replayed)] {
            lines.push(format!("    {what}  {}", if value.is_empty() { "nothing" } else { value }));
        }
    }
    let more = difference_count.saturating_sub(differences.len() as u64);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(difference_count: u64) -> pb::Replay {
        let verdict = |recorded: &str, replayed: &str| pb::Difference {
            path: "considered[3].verdict".into(),
            recorded: recorded.into(),
            replayed: replayed.into(),
        };
        let differences = if difference_count == 0 { vec![] } else { vec![verdict(r#"{"refused":"muted"}"#, "")] };
        pb::Replay { decision: "0198".into(), catalog_version: 12, differences, difference_count }
    }

    fn tally(outcomes: impl IntoIterator<Item = Outcome>) -> Tally {
        let all: Vec<_> = outcomes.into_iter().collect();
        let mut tally = Tally::of(all.len());
        all.into_iter().for_each(|outcome| tally.add(outcome));
        tally
    }

    #[test]
    fn a_decision_that_differs_is_told_place_by_place() {
        let told = differing(Paint::off(), &replay(18));
        let wanted = "0198  18 differences (catalog version 12)\n  considered[3].verdict\n    \
             recorded  {\"refused\":\"muted\"}\n    replayed  nothing\n  and 17 more";
        assert_eq!(told, wanted);
        assert!(!differing(Paint::off(), &replay(1)).contains("more"));
    }

    #[test]
    fn the_end_is_told_and_is_no_success_unless_something_was_replayed_the_same() {
        let failed = || Outcome::Failed(Status::not_found("gone"));
        let code = |tally: &Tally| format!("{:?}", tally.code());
        let (success, failure, faulty) = (ExitCode::SUCCESS, ExitCode::from(FAILED), ExitCode::from(FAULTY));
        let mixed = tally([Outcome::from(replay(0)), replay(2).into(), Outcome::WithoutInputs, failed()]);
        let told = "otherwise:\n  considered[].verdict: not there now, in 1 decision\n\
                    2 decisions replayed, 1 differs, 1 without inputs, 1 could not be replayed";
        assert_eq!(mixed.tell(), told);
        assert_eq!((code(&mixed), mixed.lacks()), (format!("{faulty:?}"), None));
        let json = mixed.to_json().expect("spelt");
        assert_eq!((&json["differ"], &json["differing"][0]["differenceCount"]), (&json!(1), &json!("2")));
        let same = tally([replay(0).into(), Outcome::WithoutInputs]);
        assert_eq!(same.tell(), "1 decision replayed, 0 differ, 1 without inputs");
        assert_eq!((code(&same), same.lacks()), (format!("{success:?}"), None));
        assert_eq!(code(&tally([replay(0).into(), failed()])), format!("{failure:?}"));
        let broken_off = Tally { asked: 7, ..same };
        assert_eq!(broken_off.tell(), "1 decision replayed, 0 differ, 1 without inputs, 5 not reached");
        assert_eq!(
            (code(&broken_off), &broken_off.to_json().expect("spelt")["notReached"]),
            (format!("{failure:?}"), &json!(5))
        );
        assert_eq!(code(&Tally { asked: 7, ..mixed }), format!("{faulty:?}"));
        for (nothing, why) in [(tally([]), "--since"), (tally([Outcome::WithoutInputs]), "storage.replay_days")] {
            assert_eq!(code(&nothing), format!("{failure:?}"));
            assert!(nothing.lacks().is_some_and(|told| told.contains(why)));
        }
    }
}
