//! `dintorni till`: a reference till, for an assistant at a terminal and for scripts.
//!
//! Law 6: nothing is said to be redeemed without the server's answer; where there was none, that is said.

mod caller;
mod counter;
mod desk;
mod insist;
mod lines;
mod script;
mod session;
mod tell;

use std::{
    io::{BufReader, IsTerminal},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use self::{counter::Counter, insist::Interrupts, lines::Typed, session::Session};
use super::output::Paint;
use crate::{
    config::Mistakes,
    domain::{code::Code, name::check_id, violation::Invalid},
    grpc::pb,
};

/// What a pipe gets instead of the loop.
const NO_TERMINAL: &str = "standard input is no terminal: scripts use dintorni till check, redeem, undo or list";

/// Check and redeem coupons, as a till does
///
/// On a terminal it waits for codes: scan or type one, read what to do, and press Enter to redeem it. `help` tells the
/// rest. Scripts use the subcommands; options stand behind them.
///
/// Each redemption has a request id, drawn once, with which it is asked for again until it is answered; so it happens
/// once at most. Whoever gives up before is told that it is not known.
///
/// Exit codes: 0 done, 1 failed and nothing happened, 3 the coupon was refused, 4 it is not known whether it happened,
/// 64 wrong flags.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Till {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    counter: Counter,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(script::Check),
    Redeem(script::Redeem),
    Undo(script::Undo),
    List(script::List),
}

impl Till {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Check(check)) => check.run().await,
            Some(Command::Redeem(redeem)) => redeem.run().await,
            Some(Command::Undo(undo)) => undo.run().await,
            Some(Command::List(list)) => list.run().await,
            None => interactive(self.counter).await,
        }
    }
}

async fn interactive(counter: Counter) -> anyhow::Result<ExitCode> {
    if !std::io::stdin().is_terminal() {
        return Err(Mistakes(vec![NO_TERMINAL.to_owned()]).into());
    }
    let desk = counter.open().await?;
    let interrupts = Interrupts::of_terminal()?;
    let lines = Typed::read(BufReader::new(std::io::stdin()));
    let session = Session::new(&desk, lines, std::io::stdout(), Paint::for_stdout(), interrupts);
    session.run().await?;
    Ok(ExitCode::SUCCESS)
}

/// A code as it was scanned or typed, or the UUID of an offer with its four dashes.
fn presented(text: &str, customer: Option<&str>) -> pb::Presented {
    let text = text.trim();
    let is_offer = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    let by =
        if is_offer { pb::presented::By::Offer(text.to_owned()) } else { pb::presented::By::Code(text.to_owned()) };
    pb::Presented { by: Some(by), customer: customer.unwrap_or_default().trim().to_owned() }
}

/// What cannot be a code or a customer's id, told as an assistant understands it; none if the server must be asked.
fn unreadable(presented: &pb::Presented) -> Option<pb::CouponRefusal> {
    use pb::coupon_refusal::Reason;
    let refused = |reason: Reason, message: &str| {
        Some(pb::CouponRefusal { reason: reason.into(), message: message.to_owned(), time: None })
    };
    match &presented.by {
        Some(pb::presented::By::Code(code)) if Code::parse(code).is_err() => refused(
            Reason::UnknownCode,
            "This is no code: please scan it again, or type all of its letters and digits.",
        ),
        _ if !presented.customer.is_empty() && check_id(&presented.customer).is_err() => {
            refused(Reason::WrongCustomer, "This is no customer's id: please scan the card again.")
        }
        _ => None,
    }
}

fn mistake(flag: &str, invalid: &Invalid) -> Mistakes {
    Mistakes(vec![format!("{flag}: {invalid}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_an_offer_and_all_else_a_code() {
        let by = |text: &str| presented(text, None).by.expect("one of them");
        let offer = "0198f3a2-7c1e-7abc-8def-0123456789ab";
        assert_eq!(by(&format!(" {offer}\r\n")), pb::presented::By::Offer(offer.to_owned()));
        for code in ["K7Q2-9XWM-T4RD", "summer 20", "0198f3a27c1e7abc8def0123456789ab"] {
            assert_eq!(by(code), pb::presented::By::Code(code.to_owned()));
        }
        assert_eq!(presented("ABCD", Some(" 4711 ")).customer, "4711");
    }

    #[test]
    fn what_no_server_can_know_is_told_in_words() {
        let told = |code: &str, customer| unreadable(&presented(code, customer)).map(|refusal| refusal.message);
        assert!(told("zzz", None).is_some_and(|words| words.contains("no code")));
        assert!(told("K7Q2", Some("a card")).is_some_and(|words| words.contains("card")));
        for (code, customer) in [("zzzz", None), ("K7Q2-9XWM-T4RD", Some("4711"))] {
            assert_eq!(told(code, customer), None);
        }
    }
}
