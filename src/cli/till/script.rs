//! The till's subcommands, for scripts and pipes: no questions, and exit codes that tell what happened.
//!
//! Law 6: a redemption without an answer ends with a code of its own; it is neither a success nor a failure.

use std::{
    ops::ControlFlow::{Break, Continue},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;

use super::{
    caller::{Amount, Way},
    desk::Since,
    insist::Outcome,
    presented, tell,
};
use crate::{
    cli::{
        REFUSED,
        output::{Paint, say},
    },
    clock::SystemClock,
    domain::{redemption::RequestId, violation::Invalid},
    grpc::pb,
    ports::Clock,
};

/// Say what a coupon is worth, or why it is not good; changes nothing
///
/// Exit code 0 if it is good here and now, 3 if not.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    coupon: Coupon,
    #[command(flatten)]
    way: Way,
}

/// Redeem a coupon
///
/// Exit code 0 if it was redeemed, 1 if not, 3 if the coupon was refused, 4 if there was no answer: then the same command
/// with the --request-id that it names asks again, and redeems it once at most.
#[derive(Debug, Args)]
pub struct Redeem {
    #[command(flatten)]
    coupon: Coupon,
    /// What the discount cost, such as 4.99 or 4,99; by default the coupon's value. With a currency, "4.99 EUR", if the
    /// coupon has no value
    #[arg(long, value_name = "AMOUNT")]
    amount: Option<Amount>,
    /// The receipt or order number
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reference: String,
    /// The id of an earlier try, or your own; by default one is drawn
    #[arg(long, value_name = "ID", value_parser = request_id)]
    request_id: Option<String>,
    #[command(flatten)]
    way: Way,
}

/// Take a redemption back, whole or in part
///
/// Exit codes as of redeem; the id of a redemption is in its answer and in the list.
#[derive(Debug, Args)]
pub struct Undo {
    /// Which: its UUID
    redemption: String,
    /// How much of it, such as 4.99; by default all that is left
    #[arg(long, value_name = "AMOUNT")]
    amount: Option<Amount>,
    /// The id of an earlier try, or your own; by default one is drawn
    #[arg(long, value_name = "ID", value_parser = request_id)]
    request_id: Option<String>,
    #[command(flatten)]
    way: Way,
}

/// List what was redeemed at the store today by its clock, newest first
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, Args)]
struct Coupon {
    /// Its code, or the offer's UUID; - reads it from standard input, where other users of the machine cannot see it
    code: String,
    /// The customer's id, as the app or the loyalty card shows it
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
}

fn request_id(text: &str) -> Result<String, Invalid> {
    RequestId::parse(text).map(String::from)
}

impl Coupon {
    fn presented(&self) -> anyhow::Result<pb::Presented> {
        let mut typed = String::new();
        if self.code == "-" {
            std::io::stdin().read_line(&mut typed).context("standard input cannot be read")?;
        }
        let code = if self.code == "-" { &typed } else { &self.code };
        Ok(presented(code, self.customer.as_deref()))
    }
}

impl Check {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (presented, caller) = (self.coupon.presented()?, self.way.open()?);
        let checked = match caller.check(presented).await {
            Outcome::Done(checked) => checked,
            other => return caller.ended(other, |_| Ok(())),
        };
        match caller.json {
            true => caller.print("dintorni.v1.CheckOfferResponse", &checked)?,
            false => say(tell::checked(Paint::for_stdout(), &checked))?,
        }
        Ok(if checked.refusal.is_some() { REFUSED.into() } else { ExitCode::SUCCESS })
    }
}

impl Redeem {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (presented, caller) = (self.coupon.presented()?, self.way.open()?);
        let amount = match &self.amount {
            None => None,
            Some(amount) => match caller.currency(amount, &presented).await? {
                Continue(currency) => Some(amount.in_currency(&currency)?),
                Break(code) => return Ok(code),
            },
        };
        let again = self.request_id.is_some();
        let asked = caller.desk.redeem(presented, amount.as_ref(), &self.reference, self.request_id);
        caller.settle(&asked, again).await
    }
}

impl Undo {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let caller = self.way.open()?;
        let amount = match &self.amount {
            None => None,
            Some(amount) => match caller.currency_of(amount, &self.redemption).await? {
                Continue(currency) => Some(amount.in_currency(&currency)?),
                Break(code) => return Ok(code),
            },
        };
        let again = self.request_id.is_some();
        let asked = caller.desk.reverse(&self.redemption, amount.as_ref(), self.request_id);
        caller.settle(&asked, again).await
    }
}

impl List {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let caller = self.way.open()?;
        let today = Since::TodayOf(SystemClock.now());
        let listed = caller.desk.list(today, caller.give_up(), |_| false).await;
        caller.ended(listed, |listed| match caller.json {
            true => {
                let (redemptions, time_zone) = (listed.redemptions, listed.zone.name().to_owned());
                let list = pb::ListRedemptionsResponse { redemptions, time_zone, ..Default::default() };
                caller.print("dintorni.v1.ListRedemptionsResponse", &list)
            }
            false => say(tell::redemptions(&listed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_one_that_servers_take() {
        assert!(request_id("a1").is_ok());
        assert!(request_id("a b").is_err() && request_id("").is_err());
    }
}
