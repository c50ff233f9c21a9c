//! Asking until there is an answer, with the same request id each time.
//!
//! Laws 2 and 6: a call that may have happened is asked for again, and never taken for one that did not. What was not
//! answered is not known.

use std::{error::Error, io, sync::Arc, time::Duration};

use prost::Message;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::{sleep, timeout},
};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::{cli::output::refusal, grpc::pb};

/// Longest time of one try: a server gives up as soon (server.timeout_ms).
const TRY: Duration = Duration::from_secs(10);
/// Between two tries, at first and at last, unless the server names a time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// The detail of a refused coupon.
const COUPON_REFUSAL: &str = "type.googleapis.com/dintorni.v1.CouponRefusal";

/// What came of asking.
#[derive(Debug)]
pub enum Outcome<T> {
    Done(T),
    /// The coupon is not good here and now; nothing happened.
    Refused(pb::CouponRefusal),
    /// Refused for another reason; nothing happened.
    Failed(anyhow::Error),
    /// It may have happened or not; why there is no answer.
    Unknown(String),
}

/// Ctrl-C, for whoever waits at that moment.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Notify>);

impl Interrupts {
    /// From now on Ctrl-C does not end the process.
    pub fn of_terminal() -> io::Result<Self> {
        let (interrupts, mut signals) = (Self::default(), signal(SignalKind::interrupt())?);
        let told = interrupts.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                told.interrupt();
            }
        });
        Ok(interrupts)
    }

    pub fn interrupt(&self) {
        self.0.notify_waiters();
    }

    pub async fn next(&self) {
        self.0.notified().await;
    }
}

/// Asks again and again, until there is an answer or whoever waits gives up. `doubtful` if it was asked for before, so that
/// it may have happened already. `tell` hears once that it takes long.
pub async fn insist<T, F: Future<Output = Result<Response<T>, Status>>>(
    mut doubtful: bool,
    give_up: impl Future<Output = ()>,
    mut tell: impl FnMut(&str),
    mut call: impl FnMut() -> F,
) -> Outcome<T> {
    let (mut give_up, mut pause) = (std::pin::pin!(give_up), PAUSES.0);
    let mut last = "there was no answer yet".to_owned();
    for attempt in 0_u32.. {
        let answer = tokio::select! {
            answer = timeout(TRY, call()) => answer,
            () = &mut give_up => {
                doubtful = true;
                break;
            }
        };
        let wait = match answer {
            Ok(Ok(done)) => return Outcome::Done(done.into_inner()),
            Ok(Err(status)) => {
                doubtful |= may_have_happened(&status);
                if !may_pass(&status) {
                    return ended(&status, doubtful);
                }
                last = refusal(&status).to_string();
                retry_after(&status).unwrap_or(pause)
            }
            Err(_) => {
                doubtful = true;
                last = format!("there was no answer in {} s", TRY.as_secs());
                pause
            }
        };
        if attempt == 0 {
            tell(&last);
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = &mut give_up => break,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
    if doubtful { Outcome::Unknown(last) } else { Outcome::Failed(anyhow::Error::msg(last)) }
}

/// A refusal that will stay. If an earlier try may have happened, only a word about the request or the coupon itself settles
/// it: whoever may not call any more is not told what came of what they called before.
fn ended<T>(status: &Status, doubtful: bool) -> Outcome<T> {
    let of_request = matches!(status.code(), Code::InvalidArgument | Code::AlreadyExists);
    match coupon_refusal(status) {
        Some(refused) => Outcome::Refused(refused),
        None if of_request => Outcome::Failed(refusal(status)),
        None if doubtful => Outcome::Unknown(refusal(status).to_string()),
        None => Outcome::Failed(refusal(status)),
    }
}

/// A record that is damaged may have the change or not; asking again mends nothing.
fn may_have_happened(status: &Status) -> bool {
    status.code() == Code::DataLoss || (is_lost(status) && !never_arrived(status))
}

/// Whether it says nothing of what was asked. A broken connection has a source: it is the client's library that speaks.
/// UNKNOWN and INTERNAL are what it makes of a proxy's answers in between, and a server of one that failed midway.
fn is_lost(status: &Status) -> bool {
    use Code::{Cancelled, DeadlineExceeded, Internal, Unavailable, Unknown};
    matches!(status.code(), Unavailable | DeadlineExceeded | Cancelled | Unknown | Internal)
        || status.source().is_some()
}

/// Nobody listened there.
fn never_arrived(status: &Status) -> bool {
    let refused = |cause: &io::Error| cause.kind() == io::ErrorKind::ConnectionRefused;
    anyhow::Chain::new(status).any(|cause| cause.downcast_ref().is_some_and(refused))
}

fn may_pass(status: &Status) -> bool {
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    is_lost(status) || matches!(reason.as_deref(), Some("RATE_LIMITED" | "OVERLOADED"))
}

fn retry_after(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info().and_then(|retry| retry.retry_delay)
}

/// Why the coupon is refused, if it is that.
pub fn coupon_refusal(status: &Status) -> Option<pb::CouponRefusal> {
    let said = tonic_types::Status::decode(status.details()).ok()?;
    let detail = said.details.iter().find(|detail| detail.type_url == COUPON_REFUSAL)?;
    pb::CouponRefusal::decode(detail.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use super::*;
    use crate::grpc::status::{Problem, with_detail};

    /// What comes of these answers, one after the other, and how often was asked.
    async fn asked(answers: Vec<Result<u8, Status>>) -> (Outcome<u8>, usize) {
        let (answers, count) = (std::cell::RefCell::new(answers.into_iter()), Cell::new(0));
        let call = || {
            count.set(count.get() + 1);
            let answer = answers.borrow_mut().next();
            async move { answer.expect("no more than were answered").map(Response::new) }
        };
        let outcome = insist(false, pending(), |_| {}, call).await;
        (outcome, count.get())
    }

    fn away() -> Result<u8, Status> {
        Err(Problem::StoreUnavailable.says("away"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_happened_is_asked_again() {
        let slow = Err(Status::deadline_exceeded("slow"));
        let limited = Err(Problem::RateLimited.says("too fast"));
        let (outcome, count) = asked(vec![away(), slow, limited, Ok(7)]).await;
        assert!(matches!(outcome, Outcome::Done(7)) && count == 4, "{outcome:?} {count}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_after_a_lost_answer_settles_nothing_unless_it_is_the_coupons() {
        let denied = || Err(Status::permission_denied("no"));
        let detail = pb::CouponRefusal { message: "Already redeemed.".to_owned(), ..Default::default() };
        let refused = with_detail(Problem::Precondition.says("no"), "dintorni.v1.CouponRefusal", &detail);
        assert!(matches!(asked(vec![denied()]).await, (Outcome::Failed(_), 1)));
        assert!(matches!(asked(vec![away(), denied()]).await, (Outcome::Unknown(_), 2)));
        assert!(matches!(asked(vec![away(), Err(refused)]).await.0, Outcome::Refused(told) if told == detail));
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_nothing_of_the_request_settles_nothing() {
        for code in [Code::Unknown, Code::Internal] {
            let call = async || Err::<Response<u8>, _>(Status::new(code, "500 from a proxy"));
            assert!(matches!(insist(false, sleep(TRY), |_| {}, call).await, Outcome::Unknown(_)), "{code:?}");
            assert!(matches!(asked(vec![Err(Status::new(code, "")), Ok(7)]).await, (Outcome::Done(7), 2)), "{code:?}");
        }
        let damaged = Err(Problem::StoreDamaged.says("damaged"));
        assert!(matches!(asked(vec![damaged]).await, (Outcome::Unknown(_), 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_does_not_know() {
        let interrupts = Interrupts::default();
        let call = || pending::<Result<Response<u8>, Status>>();
        let told = Cell::new(0);
        let asking = insist(false, interrupts.next(), |_| told.set(told.get() + 1), call);
        let later = async {
            sleep(3 * TRY).await;
            interrupts.interrupt();
        };
        let (outcome, ()) = tokio::join!(asking, later);
        assert!(matches!(outcome, Outcome::Unknown(why) if why.contains("no answer in 10 s")));
        assert_eq!(told.get(), 1, "told once that it takes long");
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_arrived_has_not_happened_unless_it_was_asked_for_before() {
        let refused = || Status::from_error(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
        let asked = async |before| insist(before, sleep(TRY), |_| {}, async || Err::<Response<u8>, _>(refused())).await;
        assert!(matches!(asked(false).await, Outcome::Failed(_)));
        assert!(matches!(asked(true).await, Outcome::Unknown(_)));
        let denied = async || Err::<Response<u8>, _>(Status::permission_denied("no"));
        assert!(matches!(insist(true, pending(), |_| {}, denied).await, Outcome::Unknown(_)));
        let wrong = async || Err::<Response<u8>, _>(Status::invalid_argument("no"));
        assert!(matches!(insist(true, pending(), |_| {}, wrong).await, Outcome::Failed(_)));
    }
}
