//! OrganizationService: organizations, apps, keys and grants over gRPC.
//!
//! Law: every call begins with [`Access::to`]; organizations are the operator's, the rest their owner's.

use std::sync::Arc;

use tonic::{Extensions, Request, Response, Status};

use crate::{
    app::organizations::{Issued, NewKey, Organizations, check_overlap},
    domain::{
        organization::{App, Grant, Key, Organization},
        violation::Violations,
    },
    grpc::{
        access::{Access, Work},
        organization_wire::{key_to_wire, new_key},
        pb::{self, organization_service_server::OrganizationService},
        resource::{self, ListRequest, Patch, Wire},
        wire::optional_duration,
    },
};

/// Serves organizations and what belongs to them but places and campaigns.
pub struct OrganizationGrpc {
    organizations: Arc<Organizations>,
}

type Answer<T> = Result<Response<T>, Status>;

impl OrganizationGrpc {
    pub fn new(organizations: Arc<Organizations>) -> Self {
        Self { organizations }
    }

    fn operator(extensions: &Extensions) -> Result<Access, Status> {
        Access::to(Work::Organizations, extensions)
    }

    fn owner(extensions: &Extensions) -> Result<Access, Status> {
        Access::to(Work::Ownership, extensions)
    }

    async fn get<K: Wire>(&self, access: &Access, name: &str) -> Answer<K::Message> {
        resource::get::<K>(access, self.organizations.resources(), name).await.map(Response::new)
    }

    async fn list<K: Wire>(
        &self,
        access: &Access,
        parent: Option<&str>,
        page_size: i32,
        page_token: &str,
    ) -> Result<(Vec<K::Message>, String), Status> {
        let request = ListRequest { parent, page_size, page_token, filter: String::new() };
        resource::list::<K>(access, self.organizations.resources(), &request, Violations::default(), |_| true).await
    }
}

fn issued(issued: Issued) -> Response<pb::IssuedKey> {
    Response::new(pb::IssuedKey { key: Some(key_to_wire(&issued.key)), secret: issued.secret })
}

#[tonic::async_trait]
impl OrganizationService for OrganizationGrpc {
    async fn create_organization(&self, request: Request<pb::CreateOrganizationRequest>) -> Answer<pb::Organization> {
        let access = Self::operator(request.extensions())?;
        let pb::CreateOrganizationRequest { organization_id, organization } = request.into_inner();
        let id = ("organization_id", organization_id.as_str());
        let wanted = resource::wanted::<Organization>(&access, None, id, organization)?;
        let organization = self.organizations.create(wanted, access.author()).await?;
        Ok(Response::new(Organization::write(&organization)))
    }

    async fn get_organization(&self, request: Request<pb::GetOrganizationRequest>) -> Answer<pb::Organization> {
        let access = Self::owner(request.extensions())?;
        self.get::<Organization>(&access, &request.get_ref().name).await
    }

    async fn update_organization(&self, request: Request<pb::UpdateOrganizationRequest>) -> Answer<pb::Organization> {
        let access = Self::owner(request.extensions())?;
        let pb::UpdateOrganizationRequest { organization, update_mask } = request.into_inner();
        let patch = Patch::<Organization>::read(&access, organization, update_mask)?;
        let change = |organization: &Organization| patch.apply(organization);
        let changed = self.organizations.update(&patch.name, patch.etag, access.author(), change).await?;
        Ok(Response::new(Organization::write(&changed)))
    }

    async fn list_organizations(
        &self,
        request: Request<pb::ListOrganizationsRequest>,
    ) -> Answer<pb::ListOrganizationsResponse> {
        let access = Self::operator(request.extensions())?;
        let pb::ListOrganizationsRequest { page_size, page_token } = request.get_ref();
        let (organizations, next_page_token) = self.list::<Organization>(&access, None, *page_size, page_token).await?;
        Ok(Response::new(pb::ListOrganizationsResponse { organizations, next_page_token }))
    }

    async fn create_app(&self, request: Request<pb::CreateAppRequest>) -> Answer<pb::App> {
        let access = Self::owner(request.extensions())?;
        let pb::CreateAppRequest { parent, app_id, app } = request.into_inner();
        let wanted = resource::wanted::<App>(&access, Some(&parent), ("app_id", &app_id), app)?;
        Ok(Response::new(App::write(&self.organizations.create_app(wanted, access.author()).await?)))
    }

    async fn get_app(&self, request: Request<pb::GetAppRequest>) -> Answer<pb::App> {
        let access = Self::owner(request.extensions())?;
        self.get::<App>(&access, &request.get_ref().name).await
    }

    async fn list_apps(&self, request: Request<pb::ListAppsRequest>) -> Answer<pb::ListAppsResponse> {
        let access = Self::owner(request.extensions())?;
        let pb::ListAppsRequest { parent, page_size, page_token } = request.get_ref();
        let (apps, next_page_token) = self.list::<App>(&access, Some(parent), *page_size, page_token).await?;
        Ok(Response::new(pb::ListAppsResponse { apps, next_page_token }))
    }

    async fn update_app(&self, request: Request<pb::UpdateAppRequest>) -> Answer<pb::App> {
        let access = Self::owner(request.extensions())?;
        let pb::UpdateAppRequest { app, update_mask } = request.into_inner();
        let patch = Patch::<App>::read(&access, app, update_mask)?;
        let change = |app: &App| patch.apply(app);
        let app = self.organizations.update_app(&patch.name, patch.etag, access.author(), change).await?;
        Ok(Response::new(App::write(&app)))
    }

    async fn create_key(&self, request: Request<pb::CreateKeyRequest>) -> Answer<pb::IssuedKey> {
        let access = Self::owner(request.extensions())?;
        let pb::CreateKeyRequest { parent, key_id, key } = request.into_inner();
        let mut wrong = Violations::default();
        let name = resource::new_name::<Key>(&access, &mut wrong, Some(&parent), ("key_id", &key_id))?;
        let said = wrong.nest("key", new_key(key));
        let new = wrong.finish(name.zip(said))?;
        let (name, (display_name, scope)) = new;
        let new = NewKey { name, display_name, scope };
        Ok(issued(self.organizations.create_key(new, &access.scope, access.author()).await?))
    }

    async fn list_keys(&self, request: Request<pb::ListKeysRequest>) -> Answer<pb::ListKeysResponse> {
        let access = Self::owner(request.extensions())?;
        let pb::ListKeysRequest { parent, page_size, page_token } = request.get_ref();
        let (keys, next_page_token) = self.list::<Key>(&access, Some(parent), *page_size, page_token).await?;
        Ok(Response::new(pb::ListKeysResponse { keys, next_page_token }))
    }

    async fn revoke_key(&self, request: Request<pb::RevokeKeyRequest>) -> Answer<pb::Key> {
        let access = Self::owner(request.extensions())?;
        let mut wrong = Violations::default();
        let name = resource::named::<Key>(&access, &mut wrong, "name", &request.get_ref().name)?;
        let name = wrong.finish(name)?;
        let key = self.organizations.revoke_key(&name, &access.scope, access.author()).await?;
        Ok(Response::new(key_to_wire(&key)))
    }

    async fn rotate_key(&self, request: Request<pb::RotateKeyRequest>) -> Answer<pb::IssuedKey> {
        let access = Self::owner(request.extensions())?;
        let pb::RotateKeyRequest { name, overlap, etag } = request.get_ref();
        let mut wrong = Violations::default();
        let name = resource::named::<Key>(&access, &mut wrong, "name", name)?;
        let overlap = wrong.take("overlap", optional_duration(*overlap)).map(Option::unwrap_or_default);
        overlap.map(|overlap| wrong.take("overlap", check_overlap(overlap)));
        let etag = wrong.take("etag", resource::etag(etag));
        let ((name, overlap), etag) = wrong.finish(name.zip(overlap).zip(etag))?;
        Ok(issued(self.organizations.rotate_key(&name, etag, overlap, &access.scope, access.author()).await?))
    }

    async fn create_grant(&self, request: Request<pb::CreateGrantRequest>) -> Answer<pb::Grant> {
        let access = Self::owner(request.extensions())?;
        let pb::CreateGrantRequest { parent, grant_id, grant } = request.into_inner();
        let wanted = resource::wanted::<Grant>(&access, Some(&parent), ("grant_id", &grant_id), grant)?;
        Ok(Response::new(Grant::write(&self.organizations.create_grant(wanted, access.author()).await?)))
    }

    async fn list_grants(&self, request: Request<pb::ListGrantsRequest>) -> Answer<pb::ListGrantsResponse> {
        let access = Self::owner(request.extensions())?;
        let pb::ListGrantsRequest { parent, page_size, page_token } = request.get_ref();
        let (grants, next_page_token) = self.list::<Grant>(&access, Some(parent), *page_size, page_token).await?;
        Ok(Response::new(pb::ListGrantsResponse { grants, next_page_token }))
    }

    async fn delete_grant(&self, request: Request<pb::DeleteGrantRequest>) -> Answer<pb::DeleteGrantResponse> {
        let access = Self::owner(request.extensions())?;
        let pb::DeleteGrantRequest { name, etag } = request.get_ref();
        let (name, etag) = resource::versioned::<Grant>(&access, name, etag)?;
        self.organizations.delete_grant(&name, etag, access.author()).await?;
        Ok(Response::new(pb::DeleteGrantResponse {}))
    }
}
