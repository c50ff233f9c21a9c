//! `LedgerService`: the proof that nothing was oversold, for the operator.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    domain::organization::Scope,
    grpc::{
        auth::{Principal, denied},
        pb::{self, ledger_service_server::LedgerService},
        wire::timestamp_to_wire,
    },
    ports::{Clock, Ledger, LedgerFault, LedgerFaultKind, LedgerProof},
};

/// Answers [`LedgerService`].
pub struct LedgerGrpc {
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl LedgerService for LedgerGrpc {
    async fn check_ledger(
        &self,
        request: Request<pb::CheckLedgerRequest>,
    ) -> Result<Response<pb::CheckLedgerResponse>, Status> {
        let (_, scope) = Principal::key(request.extensions())?;
        if *scope != Scope::Operator {
            return Err(denied(scope, "this call takes an operator key"));
        }
        Ok(Response::new(proof_to_wire(&self.ledger.prove(self.clock.now()).await?)))
    }
}

/// The proof, as it is answered.
pub fn proof_to_wire(proof: &LedgerProof) -> pb::CheckLedgerResponse {
    let LedgerProof { at, accounts, holds, offers, redemptions, late_overrun, faults, fault_count } = proof;
    pb::CheckLedgerResponse {
        time: Some(timestamp_to_wire(*at)),
        accounts: *accounts,
        holds: *holds,
        offers: *offers,
        redemptions: *redemptions,
        late_overrun: *late_overrun,
        faults: faults.iter().map(fault_to_wire).collect(),
        fault_count: *fault_count,
    }
}

fn fault_to_wire(fault: &LedgerFault) -> pb::LedgerFault {
    use pb::ledger_fault::Kind;
    let LedgerFault { kind, subject, description } = fault;
    let kind = match kind {
        LedgerFaultKind::UnbalancedAccount => Kind::UnbalancedAccount,
        LedgerFaultKind::MissingHold => Kind::MissingHold,
        LedgerFaultKind::CapExceeded => Kind::CapExceeded,
        LedgerFaultKind::RedeemedTwice => Kind::RedeemedTwice,
        LedgerFaultKind::UnmatchedRedemption => Kind::UnmatchedRedemption,
    };
    pb::LedgerFault { kind: kind.into(), subject: subject.clone(), description: description.clone() }
}
