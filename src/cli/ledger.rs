//! `dintorni ledger check`: whether anything was oversold, redeemed twice, or offered too often.
//!
//! Law: it only reads, so it may be run at any hour while the server works. What could not be read is not called sound.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{
    FAULTY,
    connection::Connection,
    json::to_json,
    output::{Paint, note, refusal, say, table, time},
    settings::Settings,
};
use crate::{
    clock::SystemClock,
    config::Variables,
    grpc::{
        ledger_service::proof_to_wire,
        pb::{self, ledger_fault::Kind, ledger_service_client::LedgerServiceClient},
    },
    ports::Clock,
    server::database,
    storage::sql,
};

/// Prove that nothing was oversold
#[derive(Debug, Args)]
pub struct Ledger {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(Check),
}

/// Prove from the database that nothing was oversold, redeemed twice or offered too often
///
/// Reads the database of the settings, as it is at one moment, and changes nothing; a server may run on it. Start it with
/// the flags and variables of your `dintorni serve`, as the same user. With --server (or DINTORNI_SERVER) it asks that
/// server instead, with an operator key. Takes seconds for a million offers.
///
/// Exit codes: 0 nothing is wrong, 1 it could not be read, 3 there are faults.
#[derive(Debug, Args)]
struct Check {
    /// Print JSON, as protobuf spells CheckLedgerResponse
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    connection: Connection,
}

impl Ledger {
    pub async fn run(self, variables: Variables) -> anyhow::Result<ExitCode> {
        let Action::Check(check) = self.action;
        check.run(variables).await
    }
}

impl Check {
    async fn run(self, variables: Variables) -> anyhow::Result<ExitCode> {
        let proof = if self.connection.is_named() { self.ask().await? } else { self.read(variables).await? };
        match self.json {
            true => say(serde_json::to_string_pretty(&to_json("dintorni.v1.CheckLedgerResponse", &proof)?)?)?,
            false => say(tell(Paint::for_stdout(), &proof))?,
        }
        Ok(if proof.fault_count == 0 { ExitCode::SUCCESS } else { FAULTY.into() })
    }

    async fn ask(&self) -> anyhow::Result<pb::CheckLedgerResponse> {
        let mut client = LedgerServiceClient::new(self.connection.open().await?);
        let answer = client.check_ledger(self.connection.request(pb::CheckLedgerRequest {})?).await;
        Ok(answer.map_err(|status| refusal(&status))?.into_inner())
    }

    async fn read(&self, variables: Variables) -> anyhow::Result<pb::CheckLedgerResponse> {
        let database = database(&self.settings.read(variables, &[])?);
        note(format!("reading {}", database.url));
        Ok(proof_to_wire(&sql::prove(&database.url, SystemClock.now()).await?))
    }
}

/// What was looked at, and what is wrong.
fn tell(paint: Paint, proof: &pb::CheckLedgerResponse) -> String {
    let pb::CheckLedgerResponse { accounts, holds, offers, redemptions, late_overrun, .. } = proof;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let late = match late_overrun {
        0 => "0".to_owned(),
        late => format!("{late}: so many offers were shown after their units had gone back (return_unshown_hours)"),
    };
    let looked = table(&[
        row("as of", time(proof.time)),
        row("accounts", accounts.to_string()),
        row("holds", holds.to_string()),
        row("offers", offers.to_string()),
        row("redemptions", redemptions.to_string()),
        row("late overrun", late),
    ]);
    let faults: Vec<Vec<String>> = proof.faults.iter().map(fault).collect();
    match proof.fault_count {
        0 => format!("{looked}\n{}", paint.good("nothing is wrong")),
        count => {
            let more = count.saturating_sub(faults.len() as u64);
            let more = if more == 0 { String::new() } else { format!("\nand {more} more") };
            let title = paint.bad(format!("{count} {}", if count == 1 { "fault" } else { "faults" }));
            format!("{looked}\n{title}\n{}{more}", table(&faults))
        }
    }
}

fn fault(fault: &pb::LedgerFault) -> Vec<String> {
    let what = match fault.kind() {
        Kind::UnbalancedAccount => "unbalanced account",
        Kind::MissingHold => "missing hold",
        Kind::CapExceeded => "cap exceeded",
        Kind::RedeemedTwice => "redeemed twice",
        Kind::UnmatchedRedemption => "unmatched redemption",
        Kind::Unspecified => "unknown to this binary",
    };
    [what, fault.subject.as_str(), fault.description.as_str()].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_each_and_those_left_out_are_counted() {
        let fault = pb::LedgerFault {
            kind: Kind::RedeemedTwice.into(),
            subject: "offer 7".to_owned(),
            description: "was redeemed 2 times".to_owned(),
        };
        let sound = pb::CheckLedgerResponse { accounts: 3, ..Default::default() };
        assert!(tell(Paint::off(), &sound).ends_with("late overrun  0\nnothing is wrong"));
        let wrong = pb::CheckLedgerResponse { faults: vec![fault], fault_count: 1_200, late_overrun: 4, ..sound };
        let told = tell(Paint::off(), &wrong);
        assert!(told.contains("late overrun  4: so many offers"), "{told}");
        let end = "1200 faults\nredeemed twice  offer 7  was redeemed 2 times\nand 1199 more";
        assert!(told.ends_with(end), "{told}");
    }
}
