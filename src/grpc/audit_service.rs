//! AuditService: who changed what, over gRPC.
//!
//! Law: the changes of an organization are its owner's and the operator's to read.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    domain::violation::{Invalid, Violations},
    grpc::{
        access::{Access, Work},
        pages,
        pb::{self, audit_service_server::AuditService, change::Action as Wire},
        resource::parent,
        wire::timestamp_to_wire,
    },
    ports::{Action, ChangeRecord, History, HistoryOf, HistoryQuery},
};

/// Serves the audit.
pub struct AuditGrpc {
    pub history: Arc<dyn History>,
}

#[tonic::async_trait]
impl AuditService for AuditGrpc {
    async fn list_changes(
        &self,
        request: Request<pb::ListChangesRequest>,
    ) -> Result<Response<pb::ListChangesResponse>, Status> {
        let access = Access::to(Work::Ownership, request.extensions())?;
        let pb::ListChangesRequest { parent: of, page_size, page_token } = request.get_ref();
        let mut wrong = Violations::default();
        let organization = parent(&access, &mut wrong, of)?;
        let window = wrong.nest("", pages::window_of(*page_size, page_token, of, place));
        let (organization, window) = wrong.finish(organization.zip(window))?;
        let most = u32::try_from(window.limit).unwrap_or(u32::MAX);
        let query = HistoryQuery { of: HistoryOf::Organization(organization), before: window.after, most };
        let changes = self.history.changes(&query).await?;
        let last = changes.last().filter(|_| changes.len() == window.limit);
        let next_page_token = last.map(|last| pages::token(&format!("{} {}", last.version, last.name), of));
        let changes = changes.iter().map(change_to_wire).collect();
        Ok(Response::new(pb::ListChangesResponse { changes, next_page_token: next_page_token.unwrap_or_default() }))
    }
}

/// Where a list goes on: a version and a name.
fn place(text: &str) -> Result<(u64, String), Invalid> {
    let place = text.split_once(' ').and_then(|(version, name)| Some((version.parse().ok()?, name.to_owned())));
    place.ok_or_else(|| Invalid::new("must be a version and a name"))
}

fn change_to_wire(change: &ChangeRecord) -> pb::Change {
    let action = match change.action {
        Action::Created => Wire::Created,
        Action::Changed => Wire::Changed,
        Action::Deleted => Wire::Deleted,
    };
    pb::Change {
        name: change.name.to_string(),
        action: action.into(),
        change_time: Some(timestamp_to_wire(change.at)),
        author: change.author.clone(),
        catalog_version: change.version,
    }
}
