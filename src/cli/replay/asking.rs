//! Asks a server to replay decisions, and asks again where that helps.
//!
//! Law 5: only what says something of a decision counts as what became of it.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    time::Duration,
};

use anyhow::anyhow;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, transport::Channel};
use tonic_types::StatusExt;

use super::tally::Outcome;
use crate::{
    cli::{
        connection::Connection,
        import::progress::Progress,
        output::{note, refusal},
    },
    grpc::pb::{self, decision_service_client::DecisionServiceClient},
};

/// Decisions of one version that are asked for at once.
const AT_ONCE: usize = 8;
/// How often one is asked for, if the server says when to try again.
const TRIES: u32 = 5;
/// The reason of a server that did not keep what a decision was made of.
const NOT_KEPT: &str = "INPUTS_NOT_KEPT";
/// That of one that has no room for more work.
const OVERLOADED: &str = "OVERLOADED";
/// That of one that failed at this one by itself.
const FAULT: &str = "SERVER_FAULT";

/// A decision, by what they are sorted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// None of one that somebody named: nobody knows it yet.
    pub catalog_version: Option<u64>,
    pub id: String,
}

impl Asked {
    /// In the order of their ids, which is that of time: so the server builds each catalog from the one before.
    pub fn named(ids: &[String]) -> Vec<Self> {
        let mut all: Vec<_> = ids.iter().map(|id| Self { catalog_version: None, id: id.clone() }).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Two of different versions at once would have each catalog built again and again.
    fn at_once(&self) -> usize {
        self.catalog_version.map_or(1, |_| AT_ONCE)
    }
}

/// A server that replays.
pub struct Asking {
    client: DecisionServiceClient<Channel>,
    /// With the key.
    metadata: MetadataMap,
    progress: RefCell<Progress>,
    /// Whether it was said that the server has no room.
    is_told: Cell<bool>,
}

impl Asking {
    pub fn new(connection: &Connection) -> anyhow::Result<Self> {
        let metadata = connection.request(())?.metadata().clone();
        let client = DecisionServiceClient::new(connection.open_watched()?);
        let progress = RefCell::new(Progress::counting("decisions listed"));
        Ok(Self { client, metadata, progress, is_told: Cell::default() })
    }

    /// All that were recorded and the query wants, in the order of their versions.
    pub async fn list(&self, mut query: pb::ListDecisionsRequest) -> anyhow::Result<Vec<Asked>> {
        let mut all = Vec::new();
        loop {
            let call = async || self.client.clone().list_decisions(self.bearing(query.clone())).await;
            let page = self.patiently(call).await.map_err(|status| refusal(&status))?;
            self.progress.borrow_mut().add(page.decisions.len() as u64);
            let listed =
                |decision: pb::Decision| Asked { catalog_version: Some(decision.catalog_version), id: decision.id };
            all.extend(page.decisions.into_iter().map(listed));
            if page.next_page_token.is_empty() {
                break;
            }
            query.page_token = page.next_page_token;
        }
        all.sort();
        Ok(all)
    }

    /// What became of each, in their order; an error if the next would fare no better.
    pub fn outcomes<'a>(
        &'a self,
        asked: &'a [Asked],
    ) -> impl Stream<Item = (&'a str, anyhow::Result<Outcome>)> + Unpin {
        self.end_line();
        *self.progress.borrow_mut() = Progress::new(asked.len() as u64, "decisions");
        let one = move |asked: &'a Asked| async move { (&*asked.id, self.outcome(asked).await) };
        let of_one_version = asked.chunk_by(|a, b| a.catalog_version == b.catalog_version);
        let outcomes = stream::iter(of_one_version)
            .flat_map(move |asked| stream::iter(asked).map(one).buffered(asked.first().map_or(1, Asked::at_once)));
        Box::pin(outcomes)
    }

    /// One more is done.
    pub fn count(&self) {
        self.progress.borrow_mut().add(1);
    }

    /// Before anything is printed.
    pub fn end_line(&self) {
        self.progress.borrow_mut().end_line();
    }

    pub fn note(&self, text: impl Display) {
        self.end_line();
        note(text);
    }

    async fn outcome(&self, asked: &Asked) -> anyhow::Result<Outcome> {
        let request = pb::ReplayDecisionRequest { decision: asked.id.clone() };
        let call = async || self.client.clone().replay_decision(self.bearing(request.clone())).await;
        let judged = self.patiently(call).await.map_or_else(|status| judge(status, asked), |replay| Ok(replay.into()));
        judged.map_err(|status| anyhow!("{}: {}", asked.id, refusal(&status)))
    }

    fn bearing<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request
    }

    /// The answer, which is asked for again while the server says when. Whose work fills it now will have it done.
    async fn patiently<T>(&self, call: impl AsyncFn() -> Result<Response<T>, Status>) -> Result<T, Status> {
        let mut tries = 1;
        loop {
            let status = match call().await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let Some(pause) = retry_after(&status) else { return Err(status) };
            if says(&status, OVERLOADED) {
                self.tell_of_waiting(&status);
            } else if tries == TRIES {
                return Err(status);
            } else {
                tries += 1;
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn tell_of_waiting(&self, status: &Status) {
        if !self.is_told.replace(true) {
            self.note(format!("{}; waiting until there is room", status.message()));
        }
    }
}

/// What a refusal says of a decision; the refusal itself if it is of something else.
fn judge(status: Status, asked: &Asked) -> Result<Outcome, Status> {
    match status.code() {
        Code::FailedPrecondition if says(&status, NOT_KEPT) => Ok(Outcome::WithoutInputs),
        // Since it was listed its time was over, or the person was erased.
        Code::NotFound if asked.catalog_version.is_some() => Ok(Outcome::WithoutInputs),
        Code::FailedPrecondition | Code::NotFound | Code::DataLoss => Ok(Outcome::Failed(status)),
        _ if says(&status, FAULT) => Ok(Outcome::Failed(status)),
        _ => Err(status),
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info().and_then(|retry| retry.retry_delay)
}

fn says(status: &Status, reason: &str) -> bool {
    status.get_error_details().error_info().is_some_and(|info| info.reason == reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::status::Problem;

    fn asked(catalog_version: Option<u64>, id: &str) -> Asked {
        Asked { catalog_version, id: id.into() }
    }

    #[test]
    fn decisions_of_one_version_come_together_and_in_the_order_of_time() {
        let listed = |version, id| asked(Some(version), id);
        let mut all = vec![listed(10, "a"), listed(9, "c"), listed(9, "b")];
        all.sort();
        assert_eq!(all, [listed(9, "b"), listed(9, "c"), listed(10, "a")]);
        let named = Asked::named(&["b", "a", "b"].map(str::to_owned));
        assert_eq!(named, [asked(None, "a"), asked(None, "b")]);
        assert_eq!((named[0].at_once(), all[0].at_once()), (1, AT_ONCE));
    }

    #[test]
    fn a_refusal_is_of_one_decision_or_of_all() {
        let of = |problem: Problem, version| judge(problem.says("no"), &asked(version, "a"));
        for version in [None, Some(7)] {
            assert!(matches!(of(Problem::InputsNotKept, version), Ok(Outcome::WithoutInputs)));
            for one in [Problem::Precondition, Problem::StoreDamaged, Problem::ServerFault] {
                assert!(matches!(of(one, version), Ok(Outcome::Failed(_))), "{one:?}");
            }
            for all in [Problem::ScopeTooNarrow, Problem::StoreUnavailable, Problem::Stopping, Problem::TooSlow] {
                assert!(of(all, version).is_err(), "{all:?}");
            }
        }
        assert!(matches!(of(Problem::NotFound, Some(7)), Ok(Outcome::WithoutInputs)), "it ended meanwhile");
        assert!(matches!(of(Problem::NotFound, None), Ok(Outcome::Failed(_))), "it may be misspelt");
        assert!(judge(Status::internal("a proxy's word"), &asked(None, "a")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_waited_for_as_long_as_it_takes_and_a_server_that_is_away_is_not() {
        let asking = Asking::new(&Connection::of("http://127.0.0.1:1", "dk_a")).expect("sound");
        let count = Cell::new(0);
        let asked = async |problem: Problem, until: u32| {
            count.set(0);
            let call = async || {
                count.set(count.get() + 1);
                if count.get() < until { Err(problem.says("no")) } else { Ok(Response::new(7)) }
            };
            asking.patiently(call).await.map_err(|status| status.code())
        };
        assert_eq!(asked(Problem::Overloaded, 1_000).await, Ok(7));
        assert!(asking.is_told.get());
        assert_eq!(asked(Problem::StoreUnavailable, TRIES).await, Ok(7));
        assert_eq!((asked(Problem::StoreUnavailable, TRIES + 1).await, count.get()), (Err(Code::Unavailable), TRIES));
        assert_eq!((asked(Problem::ScopeTooNarrow, 2).await, count.get()), (Err(Code::PermissionDenied), 1));
    }
}
