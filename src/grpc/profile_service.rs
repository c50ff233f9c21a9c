//! `ProfileService`: people, for themselves and for their publisher.

use std::sync::Arc;

use tonic::{Extensions, Request, Response, Status};

use crate::{
    app::{
        links::Links,
        people::{People, PeopleError},
    },
    domain::{
        name::{DeviceName, OrganizationName, ProfileName, check_id},
        organization::App,
        profile::Profile,
        violation::{Invalid, Violations},
    },
    grpc::{
        pb::{self, profile_service_server::ProfileService},
        people::Actor,
        profile_wire::{patch, profile_to_wire},
        wire::required,
    },
    ports::Clock,
};

/// Answers [`ProfileService`].
pub struct ProfileGrpc {
    pub people: Arc<People>,
    pub links: Arc<Links>,
    pub clock: Arc<dyn Clock>,
}

type Answer<T> = Result<Response<T>, Status>;

impl ProfileGrpc {
    async fn answer(&self, profile: &Profile) -> Answer<pb::Profile> {
        let app = self.people.app(&profile.name.app()).await?;
        Ok(Response::new(profile_to_wire(profile, &app)))
    }

    /// The device that a publisher's request names, and nothing else.
    async fn device(&self, extensions: &Extensions, device: &str) -> Result<DeviceName, Status> {
        let actor = Actor::publisher(extensions)?;
        let mut wrong = Violations::default();
        let device = actor.device(&mut wrong, "device", device)?;
        Ok(wrong.finish(device)?)
    }

    /// The app by which an update is read. Of a profile without a sound name it is the caller's, if it has only one.
    async fn app(&self, actor: &Actor, named: Option<&ProfileName>) -> Result<Option<Arc<App>>, PeopleError> {
        match named.map(ProfileName::app).or_else(|| actor.app()) {
            Some(app) => self.people.app(&app).await.map(Some),
            None => Ok(None),
        }
    }
}

#[tonic::async_trait]
impl ProfileService for ProfileGrpc {
    async fn get_profile(&self, request: Request<pb::GetProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(request.extensions())?;
        let named = named(&actor, &request.get_ref().name)?;
        let whose = actor.profile(named.as_ref())?;
        self.answer(&self.people.read(whose).await?).await
    }

    async fn update_profile(&self, request: Request<pb::UpdateProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(request.extensions())?;
        let pb::UpdateProfileRequest { profile, update_mask } = request.into_inner();
        let message = profile.ok_or_else(|| Violations::one("profile", required()))?;
        let mut wrong = Violations::default();
        let named = actor.named(&mut wrong, "profile.name", &message.name)?;
        let app = self.app(&actor, named.as_ref()).await?;
        let read = |app| patch(app, actor.writer(), message, update_mask.as_ref(), self.clock.now());
        let patch = app.as_deref().and_then(|app| wrong.nest("", read(app)));
        let patch = wrong.finish(patch)?;
        let whose = actor.profile(named.as_ref())?;
        self.answer(&self.people.update(whose, &patch).await?).await
    }

    async fn delete_profile(&self, request: Request<pb::DeleteProfileRequest>) -> Answer<pb::DeleteProfileResponse> {
        let actor = Actor::of(request.extensions())?;
        let named = named(&actor, &request.get_ref().name)?;
        let whose = actor.profile(named.as_ref())?;
        self.people.erase(whose).await?;
        Ok(Response::new(pb::DeleteProfileResponse {}))
    }

    async fn link_profile(&self, request: Request<pb::LinkProfileRequest>) -> Answer<pb::Profile> {
        let actor = Actor::publisher(request.extensions())?;
        let pb::LinkProfileRequest { device, profile_id } = request.into_inner();
        let mut wrong = Violations::default();
        let device = actor.device(&mut wrong, "device", &device)?;
        wrong.take("profile_id", check_person_id(&profile_id));
        let person = device.as_ref().and_then(|device| device.app().profile(&profile_id).ok());
        let (device, person) = wrong.finish(device.zip(person))?;
        self.answer(&self.links.link(&device, &person).await?).await
    }

    async fn unlink_profile(&self, request: Request<pb::UnlinkProfileRequest>) -> Answer<pb::Profile> {
        let device = self.device(request.extensions(), &request.get_ref().device).await?;
        self.answer(&self.links.unlink(&device).await?).await
    }

    async fn revoke_device_tokens(
        &self,
        request: Request<pb::RevokeDeviceTokensRequest>,
    ) -> Answer<pb::RevokeDeviceTokensResponse> {
        let device = self.device(request.extensions(), &request.get_ref().device).await?;
        self.links.revoke_tokens(&device).await?;
        Ok(Response::new(pb::RevokeDeviceTokensResponse {}))
    }

    async fn mute_brand(&self, request: Request<pb::MuteBrandRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(request.extensions())?;
        let pb::MuteBrandRequest { name, brand } = request.get_ref();
        let (named, brand) = muted(&actor, name, brand)?;
        let whose = actor.profile(named.as_ref())?;
        self.answer(&self.people.mute(whose, &brand).await?).await
    }

    async fn unmute_brand(&self, request: Request<pb::UnmuteBrandRequest>) -> Answer<pb::Profile> {
        let actor = Actor::of(request.extensions())?;
        let pb::UnmuteBrandRequest { name, brand } = request.get_ref();
        let (named, brand) = muted(&actor, name, brand)?;
        let whose = actor.profile(named.as_ref())?;
        self.answer(&self.people.unmute(whose, &brand).await?).await
    }
}

/// The profile that a request names in `name`, of which nothing else can be wrong.
fn named(actor: &Actor, name: &str) -> Result<Option<ProfileName>, Status> {
    let mut wrong = Violations::default();
    let named = actor.named(&mut wrong, "name", name)?;
    Ok(wrong.finish(Some(named))?)
}

/// The profile and the brand of a request to hear no more, or again, of a brand.
fn muted(actor: &Actor, name: &str, brand: &str) -> Result<(Option<ProfileName>, OrganizationName), Status> {
    let mut wrong = Violations::default();
    let brand = wrong.take("brand", OrganizationName::parse(brand));
    let named = actor.named(&mut wrong, "name", name)?;
    Ok(wrong.finish(brand.map(|brand| (named, brand)))?)
}

/// The id of somebody known.
fn check_person_id(id: &str) -> Result<(), Invalid> {
    check_id(id)?;
    if ProfileName::is_anonymous_id(id) {
        return Err(Invalid::new("must not begin with \"anon-\", as anonymous profiles do"));
    }
    Ok(())
}
