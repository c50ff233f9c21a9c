//! The till's subcommands, for scripts and pipes: no questions, and exit codes that tell what happened.
//!
//! Law 6: a redemption without an answer ends with a code of its own; it is neither a success nor a failure.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use tokio::time::sleep;

use super::{
    counter::Counter,
    desk::{Asked, Desk},
    insist::{Interrupts, Outcome},
    mistake, presented, tell,
};
use crate::{
    cli::{
        FAILED, NOT_KNOWN, REFUSED,
        json::to_json,
        names,
        output::{Paint, note, say},
    },
    clock::SystemClock,
    config::Mistakes,
    domain::{content::Money, redemption::RequestId, time::TimeZone, violation::Invalid},
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

/// List what was redeemed at the store today, newest first
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

/// How scripts call.
#[derive(Debug, Args)]
struct Way {
    /// Print JSON, as protobuf spells the answer; of a refused coupon the refusal
    #[arg(long)]
    json: bool,
    /// How long to ask again while there is no answer, such as 30s or 2m
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = names::span)]
    wait: Duration,
    #[command(flatten)]
    counter: Counter,
}

/// An amount, perhaps with its currency.
#[derive(Debug, Clone, PartialEq)]
struct Amount {
    text: String,
    currency: Option<String>,
}

impl From<&str> for Amount {
    fn from(text: &str) -> Self {
        match text.trim().rsplit_once(' ') {
            Some((text, currency)) => Self { text: text.to_owned(), currency: Some(currency.to_owned()) },
            None => Self { text: text.to_owned(), currency: None },
        }
    }
}

impl Amount {
    fn in_currency(&self, currency: &str) -> Result<Money, Mistakes> {
        Money::read(currency, &self.text).map_err(|invalid| mistake("--amount", &invalid))
    }
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

/// A script's till.
struct Caller {
    desk: Desk,
    zone: TimeZone,
    interrupts: Interrupts,
    wait: Duration,
    json: bool,
}

impl Way {
    async fn open(self) -> anyhow::Result<Caller> {
        let Self { json, wait, counter } = self;
        let (zone, desk) = (counter.zone(), counter.open().await?);
        Ok(Caller { desk, zone, interrupts: Interrupts::of_terminal()?, wait, json })
    }
}

impl Check {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (presented, caller) = (self.coupon.presented()?, self.way.open().await?);
        let checked = match caller.check(presented).await {
            Outcome::Done(checked) => checked,
            other => return caller.ended(other, |_| Ok(())),
        };
        match caller.json {
            true => caller.print("dintorni.v1.CheckOfferResponse", &checked)?,
            false => say(tell::checked(Paint::for_stdout(), &caller.zone, &checked))?,
        }
        Ok(if checked.refusal.is_some() { REFUSED.into() } else { ExitCode::SUCCESS })
    }
}

impl Redeem {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (presented, caller) = (self.coupon.presented()?, self.way.open().await?);
        let amount = match &self.amount {
            None => None,
            Some(amount) => match caller.currency(amount, &presented).await? {
                Continue(currency) => Some(amount.in_currency(&currency)?),
                Break(code) => return Ok(code),
            },
        };
        let asked = caller.desk.redeem(presented, amount.as_ref(), &self.reference, self.request_id);
        caller.settle(&asked).await
    }
}

impl Undo {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let caller = self.way.open().await?;
        let amount = match &self.amount {
            None => None,
            Some(amount) => match caller.currency_of(amount, &self.redemption).await? {
                Continue(currency) => Some(amount.in_currency(&currency)?),
                Break(code) => return Ok(code),
            },
        };
        let asked = caller.desk.reverse(&self.redemption, amount.as_ref(), self.request_id);
        caller.settle(&asked).await
    }
}

impl List {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let caller = self.way.open().await?;
        let since = caller.zone.day_start(SystemClock.now());
        let listed = caller.desk.list(Some(since), caller.give_up(), |_| false).await;
        caller.ended(listed, |redemptions| match caller.json {
            true => {
                let list = pb::ListRedemptionsResponse { redemptions, ..Default::default() };
                caller.print("dintorni.v1.ListRedemptionsResponse", &list)
            }
            false => say(tell::redemptions(&caller.zone, &redemptions)),
        })
    }
}

fn named(money: Option<pb::Money>) -> Result<String, Mistakes> {
    let unnamed = "--amount: it has no value to take the currency from; name it, such as \"4.99 EUR\"";
    money.map(|money| money.currency).ok_or_else(|| Mistakes(vec![unnamed.to_owned()]))
}

impl Caller {
    async fn give_up(&self) {
        tokio::select! {
            () = sleep(self.wait) => {}
            () = self.interrupts.next() => {}
        }
    }

    async fn check(&self, presented: pb::Presented) -> Outcome<pb::CheckOfferResponse> {
        self.desk.check(presented, None, self.give_up(), waiting).await
    }

    /// The currency of an amount for this coupon; or how the command ends, if there is none to be had.
    async fn currency(
        &self,
        amount: &Amount,
        presented: &pb::Presented,
    ) -> anyhow::Result<ControlFlow<ExitCode, String>> {
        if let Some(currency) = &amount.currency {
            return Ok(Continue(currency.clone()));
        }
        // Terms are told of a coupon that was redeemed too, so that a later try finds the same currency.
        let outcome = match self.check(presented.clone()).await {
            Outcome::Done(pb::CheckOfferResponse { terms: Some(terms), .. }) => {
                return Ok(Continue(named(terms.value)?));
            }
            Outcome::Done(pb::CheckOfferResponse { refusal: Some(refusal), .. }) => Outcome::Refused(refusal),
            other => other,
        };
        self.ended(outcome, |_| anyhow::bail!("the server said nothing of this coupon")).map(Break)
    }

    /// The same of a redemption.
    async fn currency_of(&self, amount: &Amount, id: &str) -> anyhow::Result<ControlFlow<ExitCode, String>> {
        if let Some(currency) = &amount.currency {
            return Ok(Continue(currency.clone()));
        }
        let wanted = |redemption: &pb::Redemption| redemption.id.eq_ignore_ascii_case(id);
        match self.desk.list(None, self.give_up(), wanted).await {
            Outcome::Done(listed) => {
                let found = listed.into_iter().rfind(wanted).context("there is no such redemption at this store")?;
                Ok(Continue(named(found.amount)?))
            }
            other => self.ended(other, |_| Ok(())).map(Break),
        }
    }

    /// Asks for a change until it is answered, and tells what came of it.
    async fn settle(&self, asked: &Asked) -> anyhow::Result<ExitCode> {
        match self.desk.ask(asked, self.give_up(), waiting).await {
            Outcome::Unknown(why) => {
                let told = tell::unknown(Paint::off(), asked, &why);
                note(format!("dintorni: {told}:\n  {}", tell::command(asked)));
                Ok(NOT_KNOWN.into())
            }
            other => self.ended(other, |redemption| match self.json {
                true => self.print("dintorni.v1.Redemption", &redemption),
                false => say(tell::done(Paint::for_stdout(), asked, &redemption)),
            }),
        }
    }

    /// Tells what is there, or why there is nothing. What only asked has failed if it was not answered.
    fn ended<T>(&self, outcome: Outcome<T>, show: impl FnOnce(T) -> anyhow::Result<()>) -> anyhow::Result<ExitCode> {
        match outcome {
            Outcome::Done(done) => show(done).map(|()| ExitCode::SUCCESS),
            Outcome::Refused(refused) => {
                note(tell::refusal(Paint::off(), &refused));
                if self.json {
                    self.print("dintorni.v1.CouponRefusal", &refused)?;
                }
                Ok(REFUSED.into())
            }
            Outcome::Failed(why) => Err(why),
            Outcome::Unknown(why) => {
                note(format!("dintorni: no answer: {why}"));
                Ok(FAILED.into())
            }
        }
    }

    fn print(&self, name: &str, message: &impl prost::Message) -> anyhow::Result<()> {
        say(serde_json::to_string_pretty(&to_json(name, message)?)?)
    }
}

fn waiting(why: &str) {
    note(format!("no answer yet ({why}); asking again"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_may_name_its_currency() {
        assert_eq!(Amount::from("4,99").in_currency("EUR").expect("sound").to_string(), "4.99 EUR");
        let named = Amount::from(" 405 JPY");
        assert_eq!((named.currency.as_deref(), named.text.as_str()), (Some("JPY"), "405"));
        assert!(Amount::from("4.99").in_currency("JPY").is_err());
    }

    #[test]
    fn a_request_id_is_one_that_servers_take() {
        assert!(request_id("a1").is_ok());
        assert!(request_id("a b").is_err() && request_id("").is_err());
    }
}
