//! How the till's subcommands call, and how they tell what came of it.
//!
//! Law 6: each outcome has its exit code, and what was not answered has one of its own.

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
    desk::{Asked, Desk, Since},
    insist::{Interrupts, Outcome},
    mistake, tell,
};
use crate::{
    cli::{
        FAILED, NOT_KNOWN, REFUSED,
        json::to_json,
        names,
        output::{Paint, note, say},
    },
    config::Mistakes,
    domain::content::Money,
    grpc::pb,
};

/// How scripts call.
#[derive(Debug, Args)]
pub struct Way {
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
pub struct Amount {
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
    pub fn in_currency(&self, currency: &str) -> Result<Money, Mistakes> {
        Money::read(currency, &self.text).map_err(|invalid| mistake("--amount", &invalid))
    }
}

/// A script's till.
pub struct Caller {
    pub desk: Desk,
    interrupts: Interrupts,
    wait: Duration,
    pub json: bool,
}

impl Way {
    /// Connects at the first call, which waits for a server that is away as all calls do.
    pub fn open(self) -> anyhow::Result<Caller> {
        let Self { json, wait, counter } = self;
        let desk = counter.open_later()?;
        Ok(Caller { desk, interrupts: Interrupts::of_terminal()?, wait, json })
    }
}

fn named(money: Option<pb::Money>) -> Result<String, Mistakes> {
    let unnamed = "--amount: it has no value to take the currency from; name it, such as \"4.99 EUR\"";
    money.map(|money| money.currency).ok_or_else(|| Mistakes(vec![unnamed.to_owned()]))
}

impl Caller {
    /// When nobody waits any longer.
    pub async fn give_up(&self) {
        tokio::select! {
            () = sleep(self.wait) => {}
            () = self.interrupts.next() => {}
        }
    }

    pub async fn check(&self, presented: pb::Presented) -> Outcome<pb::CheckOfferResponse> {
        self.desk.check(presented, None, self.give_up(), waiting).await
    }

    /// The currency of an amount for this coupon; or how the command ends, if there is none to be had.
    pub async fn currency(
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
    pub async fn currency_of(&self, amount: &Amount, id: &str) -> anyhow::Result<ControlFlow<ExitCode, String>> {
        if let Some(currency) = &amount.currency {
            return Ok(Continue(currency.clone()));
        }
        let wanted = |redemption: &pb::Redemption| redemption.id.eq_ignore_ascii_case(id);
        match self.desk.list(Since::Ever, self.give_up(), wanted).await {
            Outcome::Done(listed) => {
                let found = listed
                    .redemptions
                    .into_iter()
                    .rfind(wanted)
                    .context("there is no such redemption at this store")?;
                Ok(Continue(named(found.amount)?))
            }
            other => self.ended(other, |_| Ok(())).map(Break),
        }
    }

    /// Asks for a change until it is answered, and tells what came of it. `again` if it may have been asked for before.
    pub async fn settle(&self, asked: &Asked, again: bool) -> anyhow::Result<ExitCode> {
        match self.desk.ask(asked, again, self.give_up(), waiting).await {
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
    pub fn ended<T>(
        &self,
        outcome: Outcome<T>,
        show: impl FnOnce(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
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

    pub fn print(&self, name: &str, message: &impl prost::Message) -> anyhow::Result<()> {
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
}
