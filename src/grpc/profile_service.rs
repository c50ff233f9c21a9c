//! `ProfileService`: people, for themselves and for their publisher.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    app::{links::Links, people::People},
    domain::{
        name::{DeviceName, OrganizationName, ProfileName},
        profile::Profile,
        violation::{Invalid, Violations},
    },
    grpc::{
        auth::Auth,
        pb::{self, profile_service_server::ProfileService},
        people::Actor,
        profile_wire::{patch, profile_to_wire},
        wire::required,
    },
    ports::Clock,
};

/// Answers [`ProfileService`].
pub struct ProfileGrpc {
    pub auth: Auth,
    pub people: Arc<People>,
    pub links: Arc<Links>,
    pub clock: Arc<dyn Clock>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ProfileService for ProfileGrpc {
    async fn get_profile(&self, request: Request<pb::GetProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(&self.auth, request.metadata())?;
        let pb::GetProfileRequest { name } = request.into_inner();
        let name = actor.profile(&self.people, "name", &name).await?;
        answer(&self.people.get(&name).await?)
    }

    async fn update_profile(&self, request: Request<pb::UpdateProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(&self.auth, request.metadata())?;
        let pb::UpdateProfileRequest { profile, update_mask } = request.into_inner();
        let message = profile.ok_or_else(|| Violations::one("profile", required()))?;
        let name = actor.profile(&self.people, "profile.name", &message.name).await?;
        let app = self.people.app(&name.app())?;
        let patch = patch(&app, actor.writer(), message, update_mask.as_ref(), self.clock.now())?;
        answer(&self.people.update(&name, &patch).await?)
    }

    async fn delete_profile(&self, request: Request<pb::DeleteProfileRequest>) -> Answer<pb::DeleteProfileResponse> {
        let actor = Actor::of(&self.auth, request.metadata())?;
        let pb::DeleteProfileRequest { name } = request.into_inner();
        let name = actor.profile(&self.people, "name", &name).await?;
        self.people.erase(&name).await?;
        Ok(Response::new(pb::DeleteProfileResponse {}))
    }

    async fn link_profile(&self, request: Request<pb::LinkProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::publisher(&self.auth, request.metadata())?;
        let pb::LinkProfileRequest { device, profile_id } = request.into_inner();
        let mut wrong = Violations::default();
        let device = wrong.take("device", DeviceName::parse(&device));
        if let Some(device) = &device {
            actor.reaches(&device.app())?;
        }
        let app = device.as_ref().map(DeviceName::app);
        let person = wrong.take("profile_id", person(app.as_ref().map(|app| app.profile(&profile_id))));
        let (device, person) = wrong.finish(device.zip(person.flatten()))?;
        answer(&self.links.link(&device, &person).await?)
    }

    async fn unlink_profile(&self, request: Request<pb::UnlinkProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::publisher(&self.auth, request.metadata())?;
        let pb::UnlinkProfileRequest { device } = request.into_inner();
        let device = DeviceName::parse(&device).map_err(|invalid| Violations::one("device", invalid))?;
        actor.reaches(&device.app())?;
        answer(&self.links.unlink(&device).await?)
    }

    async fn revoke_device_tokens(
        &self,
        request: Request<pb::RevokeDeviceTokensRequest>,
    ) -> Answer<pb::RevokeDeviceTokensResponse> {
        let actor = Actor::publisher(&self.auth, request.metadata())?;
        let pb::RevokeDeviceTokensRequest { device } = request.into_inner();
        let device = DeviceName::parse(&device).map_err(|invalid| Violations::one("device", invalid))?;
        actor.reaches(&device.app())?;
        self.links.revoke_tokens(&device).await?;
        Ok(Response::new(pb::RevokeDeviceTokensResponse {}))
    }

    async fn mute_brand(&self, request: Request<pb::MuteBrandRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(&self.auth, request.metadata())?;
        let pb::MuteBrandRequest { name, brand } = request.into_inner();
        let name = actor.profile(&self.people, "name", &name).await?;
        answer(&self.people.mute(&name, &organization(&brand)?).await?)
    }

    async fn unmute_brand(&self, request: Request<pb::UnmuteBrandRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(&self.auth, request.metadata())?;
        let pb::UnmuteBrandRequest { name, brand } = request.into_inner();
        let name = actor.profile(&self.people, "name", &name).await?;
        answer(&self.people.unmute(&name, &organization(&brand)?).await?)
    }
}

fn answer(profile: &Profile) -> Answer<pb::Profile> {
    Ok(Response::new(profile_to_wire(profile)))
}

/// The profile of somebody known.
fn person(name: Option<Result<ProfileName, Invalid>>) -> Result<Option<ProfileName>, Invalid> {
    let name = name.transpose()?;
    if name.as_ref().is_some_and(ProfileName::is_anonymous) {
        return Err(Invalid::new("must not begin with \"anon-\", as anonymous profiles do"));
    }
    Ok(name)
}

fn organization(name: &str) -> Result<OrganizationName, Status> {
    Ok(OrganizationName::parse(name).map_err(|invalid| Violations::one("brand", invalid))?)
}
