//! `DecisionService`: explains what was decided.

use std::{cmp::Reverse, sync::Arc};

use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    app::{
        decisions::{Counted, Counts, Cursor, Decisions, ListError, Reader, Wanted},
        differences::Difference,
        explanations::{ExplainError, Explanations},
        people::{CallerError, People},
        replays::{ReplayError, Replayed, Replays},
    },
    domain::{
        decision::{Reason, Verdict},
        name::{CampaignName, ProfileName, StoreName},
        offer::DecisionId,
        organization::Scope,
        reason::NOT_ELIGIBLE,
        text::quoted,
        violation::{Invalid, Violations},
    },
    grpc::{
        auth::{Principal, denied},
        explain_wire::{self, explanation_to_wire},
        offers::receipt_to_wire,
        pages::{self, MAX_BYTES},
        pb::{self, decision_service_server::DecisionService},
        sealed::Seal,
        status::{Problem, erased, revoked},
        wire::{optional_timestamp, timestamp_to_wire},
    },
    ports::VerdictCount,
};

/// Answers [`DecisionService`].
pub struct DecisionGrpc {
    pub people: Arc<People>,
    pub decisions: Arc<Decisions>,
    pub explanations: Arc<Explanations>,
    pub replays: Arc<Replays>,
    pub seal: Seal,
}

#[tonic::async_trait]
impl DecisionService for DecisionGrpc {
    async fn get_decision(&self, request: Request<pb::GetDecisionRequest>) -> Result<Response<pb::Decision>, Status> {
        let reader = self.reader(Principal::of(request.extensions())?).await?;
        let pb::GetDecisionRequest { decision } = request.into_inner();
        let id = DecisionId::parse(&decision).map_err(|invalid| Violations::one("decision", invalid))?;
        let receipt = self.decisions.get(&id, &reader).await?;
        let missing = || Problem::NotFound.says("there is no such decision, or no more, or it is not yours to see");
        Ok(Response::new(receipt_to_wire(&receipt.ok_or_else(missing)?)))
    }

    async fn list_decisions(
        &self,
        request: Request<pb::ListDecisionsRequest>,
    ) -> Result<Response<pb::ListDecisionsResponse>, Status> {
        let reader = self.reader(Principal::of(request.extensions())?).await?;
        let (wanted, bound) = wanted(request.get_ref(), &self.seal)?;
        let (receipts, next) = self.decisions.list(wanted, &reader).await?;
        let (mut decisions, mut bytes) = (Vec::new(), 0);
        for (number, (place, receipt)) in receipts.iter().enumerate() {
            let decision = receipt_to_wire(receipt);
            bytes += decision.encoded_len();
            let is_of_last = number.checked_sub(1).is_some_and(|last| receipts[last].0 == *place);
            if bytes > MAX_BYTES && !decisions.is_empty() && !is_of_last {
                break;
            }
            decisions.push(decision);
        }
        let cut = decisions.len().checked_sub(1).filter(|_| decisions.len() < receipts.len());
        let next = cut.map(|last| receipts[last].0).or(next);
        let next_page_token = next.map(|next| self.seal.token(&next.to_string(), &bound)).unwrap_or_default();
        forget_order(&mut decisions);
        Ok(Response::new(pb::ListDecisionsResponse { decisions, next_page_token }))
    }

    async fn count_verdicts(
        &self,
        request: Request<pb::CountVerdictsRequest>,
    ) -> Result<Response<pb::VerdictCounts>, Status> {
        let reader = self.reader(Principal::of(request.extensions())?).await?;
        let Counts { verdicts, until, in_tens } = self.decisions.count(counted(request.get_ref())?, &reader).await?;
        let count = |count: VerdictCount| {
            let VerdictCount { verdict, people, decisions } = count;
            pb::VerdictCount { verdict, people, decisions }
        };
        let (counts, end_time) = (verdicts.into_iter().map(count).collect(), until.map(timestamp_to_wire));
        Ok(Response::new(pb::VerdictCounts { counts, end_time, in_tens }))
    }

    async fn explain_campaign(
        &self,
        request: Request<pb::ExplainCampaignRequest>,
    ) -> Result<Response<pb::Explanation>, Status> {
        let reader = self.reader(Principal::of(request.extensions())?).await?;
        let wanted = explain_wire::wanted(request.into_inner(), self.explanations.now())?;
        let (explanation, at) = self.explanations.explain(&wanted, &reader).await?;
        Ok(Response::new(explanation_to_wire(&explanation, at)))
    }

    async fn replay_decision(
        &self,
        request: Request<pb::ReplayDecisionRequest>,
    ) -> Result<Response<pb::Replay>, Status> {
        let (_, scope) = Principal::key(request.extensions())?;
        if *scope != Scope::Operator {
            return Err(denied(scope, "this call takes an operator key"));
        }
        let pb::ReplayDecisionRequest { decision } = request.into_inner();
        let id = DecisionId::parse(&decision).map_err(|invalid| Violations::one("decision", invalid))?;
        Ok(Response::new(replay_to_wire(id, self.replays.replay(&id).await?)))
    }
}

fn replay_to_wire(id: DecisionId, replayed: Replayed) -> pb::Replay {
    let Replayed { catalog_version, differences } = replayed;
    let difference = |Difference { path, recorded, replayed }| pb::Difference { path, recorded, replayed };
    pb::Replay {
        decision: id.to_string(),
        catalog_version,
        difference_count: differences.count,
        differences: differences.told.into_iter().map(difference).collect(),
    }
}

impl From<ReplayError> for Status {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Missing => Problem::NotFound.says(error.to_string()),
            ReplayError::NotKept => Problem::InputsNotKept.says(error.to_string()),
            ReplayError::NoApp(..) => Problem::Precondition.says(error.to_string()),
            ReplayError::Aside(refused) => refused.into(),
            ReplayError::Store(error) => error.into(),
        }
    }
}

impl From<ExplainError> for Status {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Denied(why) => Problem::ScopeTooNarrow.says(why),
            ExplainError::Aside(refused) => refused.into(),
            ExplainError::Invalid(violations) => violations.into(),
            ExplainError::People(error) => error.into(),
            ExplainError::Store(error) => error.into(),
        }
    }
}

/// Whose id is not told is not told by its place in the list either: such come last, and within their hour by what they say.
fn forget_order(decisions: &mut [pb::Decision]) {
    let hour = |decision: &pb::Decision| decision.decided_at.map(|at| at.seconds.div_euclid(3_600));
    decisions.sort_by_cached_key(|decision| match decision.id.is_empty() {
        true => (true, Reverse(hour(decision)), decision.encode_to_vec()),
        false => (false, Reverse(None), Vec::new()),
    });
}

/// What is asked for, and what its page tokens are bound to.
fn wanted(request: &pb::ListDecisionsRequest, seal: &Seal) -> Result<(Wanted, String), Violations> {
    let pb::ListDecisionsRequest { profile, campaign, store, verdict, start_time, end_time, page_size, page_token } =
        request;
    let mut wrong = Violations::default();
    let bound = format!("{profile} {campaign} {store} {verdict} {start_time:?} {end_time:?}");
    let profile = wrong.take("profile", unless_empty(profile, ProfileName::parse));
    let campaign = wrong.take("campaign", unless_empty(campaign, CampaignName::parse));
    let store = wrong.take("store", unless_empty(store, StoreName::parse));
    let verdict = wrong.take("verdict", unless_empty(verdict, code));
    let from = wrong.take("start_time", optional_timestamp(*start_time));
    let until = wrong.take("end_time", optional_timestamp(*end_time));
    let window = wrong.nest("", pages::sealed_window_of(*page_size, page_token, (seal, &bound), Cursor::parse));
    let wanted = (|| {
        let (profile, campaign, store, verdict, window) = (profile?, campaign?, store?, verdict?, window?);
        let most = u32::try_from(window.limit).unwrap_or(u32::MAX);
        let (from, until, after) = (from?, until?, window.after);
        Some((Wanted { profile, campaign, store, verdict, from, until, after, most }, bound))
    })();
    wrong.finish(wanted)
}

fn counted(request: &pb::CountVerdictsRequest) -> Result<Counted, Violations> {
    let pb::CountVerdictsRequest { campaign, store, start_time, end_time } = request;
    let mut wrong = Violations::default();
    let campaign = wrong.take("campaign", CampaignName::parse(campaign));
    let store = wrong.take("store", unless_empty(store, StoreName::parse));
    let from = wrong.take("start_time", optional_timestamp(*start_time));
    let until = wrong.take("end_time", optional_timestamp(*end_time));
    let counted = (|| Some(Counted { campaign: campaign?, store: store?, from: from?, until: until? }))();
    wrong.finish(counted)
}

fn unless_empty<T>(text: &str, read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// A verdict's code that exists: nobody waits for a list that can only be empty.
fn code(text: &str) -> Result<String, Invalid> {
    let known = || [Verdict::CHOSEN, NOT_ELIGIBLE].into_iter().chain(Reason::CODES.iter().copied());
    if known().any(|code| code == text) {
        return Ok(text.to_owned());
    }
    let all: Vec<&str> = known().collect();
    Err(Invalid::new(format!("must be one of {}, was {}", all.join(", "), quoted(text))))
}

impl From<ListError> for Status {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Denied(denied) => Problem::ScopeTooNarrow.says(denied.to_string()),
            ListError::Invalid(violations) => violations.into(),
            ListError::Missing(_) => Problem::NotFound.says(error.to_string()),
            ListError::Store(error) => error.into(),
        }
    }
}

impl DecisionGrpc {
    async fn reader(&self, principal: &Principal) -> Result<Reader, Status> {
        let (name, scope) = match principal {
            Principal::Device(verified) => {
                return Ok(Reader::Person(self.people.own(&verified.caller).await?.name));
            }
            Principal::Key { name, scope } => (name, scope),
        };
        match scope {
            Scope::Operator => Ok(Reader::Operator),
            Scope::Owner => Ok(Reader::Owner(name.organization())),
            Scope::Brand => Ok(Reader::Brand(name.organization())),
            Scope::Server(app) => Ok(Reader::Server(app.clone())),
            Scope::Network | Scope::App(_) | Scope::Store(_) => {
                Err(denied(scope, "this call takes a device token, or an owner, brand or server key"))
            }
        }
    }
}

impl From<CallerError> for Status {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Revoked => revoked(),
            CallerError::Erased => erased(),
            CallerError::Anothers => Problem::ScopeTooNarrow.says(error.to_string()),
            CallerError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words in capitals of a comment that are longer than an abbreviation.
    fn codes(comment: &str) -> BTreeSet<&str> {
        let words = comment.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        words.filter(|word| word.len() > 3).collect()
    }

    #[test]
    fn the_codes_of_the_api_are_those_that_are_given() {
        let proto = include_str!("../../proto/dintorni/v1/decision_service.proto");
        let (_, refusal) = proto.split_once("message Refusal {").expect("there");
        let (comment, _) = refusal.split_once("string code").expect("there");
        let given = || Reason::CODES.iter().copied().chain([NOT_ELIGIBLE]);
        assert_eq!(codes(comment), given().collect());
        assert_eq!(given().count(), codes(comment).len(), "each once");
    }

    #[test]
    fn what_others_are_told_of_is_in_no_order_of_its_hour() {
        let seconds = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let own = |id: &str, at| pb::Decision { id: id.into(), decided_at: seconds(at), ..Default::default() };
        let line = |test, at| pb::Decision { test, decided_at: seconds(at), ..Default::default() };
        let mut page = vec![own("b", 9_000), own("a", 100), line(false, 3_600), line(true, 7_200), line(false, 7_200)];
        forget_order(&mut page);
        let sorted = [own("b", 9_000), own("a", 100), line(false, 7_200), line(true, 7_200), line(false, 3_600)];
        assert_eq!(page, sorted);
    }

    #[test]
    fn only_verdicts_that_exist_are_listed_by() {
        let sound = ["CHOSEN", "MUTED"].map(code);
        assert_eq!(sound, ["CHOSEN", "MUTED"].map(|text| Ok(text.to_owned())));
        for wrong in ["QUIET", "muted", "CHOSEN "] {
            let told = code(wrong).expect_err(wrong).to_string();
            assert!(told.contains("CHOSEN, NOT_ELIGIBLE, STALE") && told.contains("QUIET_HOURS"), "{told}");
        }
    }
}
