//! `DecisionService`: explains what was decided.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    app::{
        decisions::{Decisions, Reader},
        people::{CallerError, People},
    },
    domain::{offer::DecisionId, organization::Scope, violation::Violations},
    grpc::{
        auth::{Auth, Principal, denied},
        offers::receipt_to_wire,
        pb::{self, decision_service_server::DecisionService},
        status::{Problem, revoked},
    },
};

/// Answers [`DecisionService`].
pub struct DecisionGrpc {
    pub auth: Auth,
    pub people: Arc<People>,
    pub decisions: Arc<Decisions>,
}

#[tonic::async_trait]
impl DecisionService for DecisionGrpc {
    async fn get_decision(&self, request: Request<pb::GetDecisionRequest>) -> Result<Response<pb::Decision>, Status> {
        let reader = self.reader(self.auth.principal(request.metadata())?).await?;
        let pb::GetDecisionRequest { decision } = request.into_inner();
        let id = DecisionId::parse(&decision).map_err(|invalid| Violations::one("decision", invalid))?;
        let receipt = self.decisions.get(&id, &reader).await?;
        let missing = || Problem::NotFound.says("there is no such decision, or no more, or it is not yours to see");
        Ok(Response::new(receipt_to_wire(&receipt.ok_or_else(missing)?)))
    }
}

impl DecisionGrpc {
    async fn reader(&self, principal: Principal) -> Result<Reader, Status> {
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
            Scope::Server(app) => Ok(Reader::Server(app)),
            Scope::Network | Scope::App(_) | Scope::Store(_) => {
                Err(denied(&scope, "this call takes a device token, or an owner, brand or server key"))
            }
        }
    }
}

impl From<CallerError> for Status {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Revoked => revoked(),
            CallerError::Store(error) => error.into(),
        }
    }
}
