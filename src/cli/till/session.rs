//! The loop at a terminal: an assistant scans, reads, and presses Enter.
//!
//! Laws 2 and 6: what was typed before the question was shown answers nothing; what the server did not answer is kept,
//! and asked for again with its own id.

use std::{io::Write, time::Duration};

use tokio::time::sleep;

use super::{
    desk::{Asked, Desk, Since},
    insist::{Interrupts, Outcome},
    lines::{Choice, Lines, choice},
    presented, tell,
};
use crate::{
    cli::output::Paint,
    clock::SystemClock,
    domain::content::Money,
    grpc::pb::{self, coupon_refusal::Reason},
    ports::Clock,
};

/// How long other tills are kept from a coupon that was checked here.
const LOCK: Duration = Duration::from_secs(3 * 60);
/// The customer does not wait longer for a lock to be ended.
const UNLOCK: Duration = Duration::from_secs(3);
const HELP: &str = "Scan or type a code, or an offer's UUID, and read what it is worth. Then Enter redeems it.
  undo       takes back this till's last redemption of today; it is shown first
  undo ID    takes back that one
  list       what was redeemed at this store today, by its clock
  again      asks again for what was not answered
  quit       ends, as Ctrl-D does. Ctrl-C gives up waiting for an answer
Commands are small letters; a code that reads like one is typed in capitals.";

/// One sitting of an assistant.
pub struct Session<'a, L, W> {
    desk: &'a Desk,
    lines: L,
    out: W,
    paint: Paint,
    interrupts: Interrupts,
    /// What nobody knows whether it happened.
    unanswered: Vec<Asked>,
}

impl<'a, L: Lines, W: Write> Session<'a, L, W> {
    pub fn new(desk: &'a Desk, lines: L, out: W, paint: Paint, interrupts: Interrupts) -> Self {
        Self { desk, lines, out, paint, interrupts, unanswered: Vec::new() }
    }

    /// Serves until the end of the lines.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let welcome =
            format!("Till {} at {}. Scan or type a code; help tells the rest.", self.desk.till, self.desk.store);
        self.print(&welcome)?;
        while let Some(line) = self.line("> ").await? {
            match line.trim() {
                "" => {}
                "quit" => break,
                "help" => self.print(HELP)?,
                "list" => self.list().await?,
                "again" => self.again().await?,
                "undo" => self.undo(None).await?,
                other => match other.strip_prefix("undo ") {
                    Some(id) => self.undo(Some(id.trim())).await?,
                    None => self.coupon(other).await?,
                },
            }
        }
        for asked in std::mem::take(&mut self.unanswered) {
            let told =
                format!("{}:\n  {}", tell::unknown(self.paint, &asked, "it was not answered"), tell::command(&asked));
            self.print(&told)?;
        }
        Ok(())
    }

    /// What was scanned: checked, and redeemed if the assistant says so.
    async fn coupon(&mut self, text: &str) -> anyhow::Result<()> {
        let Some((presented, checked)) = self.check(text).await? else { return Ok(()) };
        self.print(&tell::checked(self.paint, &checked))?;
        if checked.refusal.is_some() {
            return Ok(());
        }
        let value = tell::amount(checked.terms.as_ref().and_then(|terms| terms.value.as_ref()));
        let question = match &value {
            Some(value) => format!("Enter redeems {value}, a smaller amount redeems that, anything else leaves it: "),
            None => "Enter redeems it, anything else leaves it: ".to_owned(),
        };
        self.lines.forget();
        let answer = self.line(&question).await?;
        let amount = match choice(answer.as_deref(), value.as_ref()) {
            // Said aloud, so that what was read is redeemed even if the coupon was changed just now.
            Choice::Whole => value,
            Choice::Part(part) => Some(part),
            Choice::Leave => return self.leave(presented).await,
        };
        let asked = self.desk.redeem(presented, amount.as_ref(), "", None);
        self.settle(asked, false).await
    }

    /// Checks it and locks it for a while; asks for the customer if the server does. None if it was left or not answered.
    async fn check(&mut self, text: &str) -> anyhow::Result<Option<(pb::Presented, pb::CheckOfferResponse)>> {
        let mut customer = None;
        loop {
            let presented = presented(text, customer.as_deref());
            let outcome = {
                let Self { desk, out, interrupts, .. } = self;
                desk.check(presented.clone(), Some(LOCK), interrupts.next(), |why| waiting(out, why)).await
            };
            let Some(checked) = self.answered(outcome)? else { return Ok(None) };
            let reason = checked.refusal.as_ref().map(pb::CouponRefusal::reason);
            if reason != Some(Reason::CustomerRequired) || customer.is_some() {
                return Ok(Some((presented, checked)));
            }
            self.lines.forget();
            customer = self.line("Customer's id (scan the card; Enter leaves it): ").await?;
            if customer.as_deref().is_none_or(|id| id.trim().is_empty()) {
                self.print("Left: nothing was redeemed.")?;
                return Ok(None);
            }
        }
    }

    /// Lets other tills have it again.
    async fn leave(&mut self, presented: pb::Presented) -> anyhow::Result<()> {
        let ended = self.desk.check(presented, Some(Duration::ZERO), sleep(UNLOCK), |_| {}).await;
        let kept = match ended {
            Outcome::Done(_) => String::new(),
            _ => format!(" Other tills may have to wait for up to {} minutes.", LOCK.as_secs() / 60),
        };
        self.print(&format!("Left: nothing was redeemed.{kept}"))
    }

    async fn undo(&mut self, id: Option<&str>) -> anyhow::Result<()> {
        let till = self.desk.till.as_str();
        let wanted = |redemption: &pb::Redemption| match id {
            Some(id) => redemption.id.eq_ignore_ascii_case(id),
            None => redemption.till == till && redemption.reverse_time.is_none(),
        };
        let since = if id.is_none() { Since::TodayOf(SystemClock.now()) } else { Since::Ever };
        let listed = self.desk.list(since, self.interrupts.next(), wanted).await;
        let Some(listed) = self.answered(listed)? else { return Ok(()) };
        let Some(redemption) = listed.redemptions.into_iter().rfind(wanted) else {
            return self.print("There is no such redemption at this store; list shows those of today.");
        };
        self.print(&tell::redemption(&listed.zone, &redemption))?;
        let left = left(&redemption);
        self.lines.forget();
        let question = match &left {
            Some(left) => {
                format!("Enter takes back {left}, a smaller amount takes back that, anything else leaves it: ")
            }
            None => "Enter takes it back, anything else leaves it: ".to_owned(),
        };
        let answer = self.line(&question).await?;
        let amount = match choice(answer.as_deref(), left.as_ref()) {
            Choice::Whole => None,
            Choice::Part(part) => Some(part),
            Choice::Leave => return self.print("Left: nothing was taken back."),
        };
        let asked = self.desk.reverse(&redemption.id, amount.as_ref(), None);
        self.settle(asked, false).await
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        let today = Since::TodayOf(SystemClock.now());
        let listed = self.desk.list(today, self.interrupts.next(), |_| false).await;
        match self.answered(listed)? {
            Some(listed) if listed.redemptions.is_empty() => self.print("Nothing was redeemed at this store today."),
            Some(listed) => self.print(&tell::redemptions(&listed)),
            None => Ok(()),
        }
    }

    async fn again(&mut self) -> anyhow::Result<()> {
        if self.unanswered.is_empty() {
            return self.print("Everything was answered.");
        }
        for asked in std::mem::take(&mut self.unanswered) {
            self.settle(asked, true).await?;
        }
        Ok(())
    }

    /// Asks until it is answered, and tells what the answer was, or that there is none.
    async fn settle(&mut self, asked: Asked, again: bool) -> anyhow::Result<()> {
        let outcome = {
            let Self { desk, out, interrupts, .. } = self;
            desk.ask(&asked, again, interrupts.next(), |why| waiting(out, why)).await
        };
        match outcome {
            Outcome::Done(redemption) => self.print(&tell::done(self.paint, &asked, &redemption)),
            Outcome::Unknown(why) => {
                let told = tell::unknown(self.paint, &asked, &why);
                self.unanswered.push(asked);
                self.print(&format!("{told}\n  again does that; list shows what was redeemed here"))
            }
            other => self.answered(other).map(|_| ()),
        }
    }

    /// What was answered; else says why there is nothing.
    fn answered<T>(&mut self, outcome: Outcome<T>) -> anyhow::Result<Option<T>> {
        let told = match outcome {
            Outcome::Done(done) => return Ok(Some(done)),
            Outcome::Refused(refused) => tell::refusal(self.paint, &refused),
            Outcome::Failed(why) => format!("{} {why}", self.paint.bad("Not done:")),
            Outcome::Unknown(why) => format!("{} {why}", self.paint.bad("No answer:")),
        };
        self.print(&told).map(|()| None)
    }

    /// The next line after a prompt; none at the end of the lines or on Ctrl-C.
    async fn line(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        write!(self.out, "{prompt}")?;
        self.out.flush()?;
        let line = tokio::select! {
            line = self.lines.next() => line,
            () = self.interrupts.next() => None,
        };
        if line.is_none() {
            writeln!(self.out)?;
        }
        Ok(line)
    }

    fn print(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }
}

fn waiting(out: &mut impl Write, why: &str) {
    // A terminal that is gone ends the session at the next line.
    writeln!(out, "No answer yet ({why}); asking again with the same id. Ctrl-C gives up.").ok();
}

/// What of the amount was not taken back yet.
fn left(redemption: &pb::Redemption) -> Option<Money> {
    let whole = tell::amount(redemption.amount.as_ref())?;
    let back = tell::amount(redemption.reversed_amount.as_ref()).map_or(0, |back| back.minor_units());
    Money::new(whole.currency(), whole.minor_units() - back).ok()
}

#[cfg(test)]
mod tests;
