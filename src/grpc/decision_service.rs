//! `DecisionService`: explains what was decided.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    app::decisions::{Decisions, ReadError, Viewer},
    domain::{offer::DecisionId, organization::Scope, violation::Violations},
    grpc::{
        auth::{Auth, Principal, denied},
        offers::decision_to_wire,
        pb::{self, decision_service_server::DecisionService},
        status::{Problem, revoked},
    },
};

/// Answers [`DecisionService`].
pub struct DecisionEdge {
    pub auth: Auth,
    pub decisions: Arc<Decisions>,
}

#[tonic::async_trait]
impl DecisionService for DecisionEdge {
    async fn get_decision(&self, request: Request<pb::GetDecisionRequest>) -> Result<Response<pb::Decision>, Status> {
        let viewer = viewer(self.auth.principal(request.metadata())?)?;
        let pb::GetDecisionRequest { decision } = request.into_inner();
        let id = DecisionId::parse(&decision).map_err(|invalid| Violations::one("decision", invalid))?;
        let seen = self.decisions.read(&viewer, &id).await?;
        Ok(Response::new(decision_to_wire(&seen)))
    }
}

fn viewer(principal: Principal) -> Result<Viewer, Status> {
    let (name, scope) = match principal {
        Principal::Device(verified) => return Ok(Viewer::Device(verified.caller)),
        Principal::Key { name, scope } => (name, scope),
    };
    match scope {
        Scope::Operator => Ok(Viewer::Operator),
        Scope::Owner => Ok(Viewer::Owner(name.organization())),
        Scope::Brand => Ok(Viewer::Brand(name.organization())),
        Scope::Server(app) => Ok(Viewer::Server(app)),
        Scope::Network | Scope::App(_) => {
            Err(denied(&scope, "this call takes a device token, or an owner, brand or server key"))
        }
    }
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Revoked => revoked(),
            ReadError::NotFound => Problem::NotFound.says(error.to_string()),
            ReadError::Store(error) => error.into(),
        }
    }
}
