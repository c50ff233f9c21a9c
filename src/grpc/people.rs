//! Whose profiles a credential opens.
//!
//! Law: asked and answered before the profile is looked up, so that a refusal says nothing of who exists. A device acts
//! for the person it belongs to now, by the record.

use tonic::{Extensions, Status};

use crate::{
    app::{
        ingest::DeviceCaller,
        people::{PeopleError, Whose},
        profile_patch::Writer,
    },
    domain::{
        name::{AppName, DeviceName, OrganizationName, ProfileName},
        organization::Scope,
        violation::Violations,
    },
    grpc::{
        auth::{Principal, denied},
        status::Problem,
    },
};

/// Who acts on profiles.
#[derive(Debug, Clone, PartialEq)]
pub enum Actor {
    Device(DeviceCaller),
    /// The publisher's server.
    Server(AppName),
    Owner(OrganizationName),
    Operator,
}

impl Actor {
    /// Whoever calls, if its credential opens profiles at all.
    pub fn of(extensions: &Extensions) -> Result<Self, Status> {
        let (key, scope) = match Principal::of(extensions)? {
            Principal::Device(verified) => return Ok(Self::Device(verified.caller.clone())),
            Principal::Key { name, scope } => (name, scope),
        };
        match scope {
            Scope::Server(app) => Ok(Self::Server(app.clone())),
            Scope::Owner => Ok(Self::Owner(key.organization())),
            Scope::Operator => Ok(Self::Operator),
            Scope::Network | Scope::Brand | Scope::App(_) | Scope::Store(_) => {
                Err(denied(scope, "this call takes a device token, or a server, owner or operator key"))
            }
        }
    }

    /// As [`Self::of`], and device tokens are refused.
    pub fn publisher(extensions: &Extensions) -> Result<Self, Status> {
        match Self::of(extensions)? {
            Self::Device(_) => {
                Err(Problem::ScopeTooNarrow.says("this call takes a server, owner or operator key, not a device token"))
            }
            publisher => Ok(publisher),
        }
    }

    /// What it may write.
    pub fn writer(&self) -> Writer {
        match self {
            Self::Device(_) => Writer::Device,
            Self::Server(_) | Self::Owner(_) | Self::Operator => Writer::Server,
        }
    }

    /// Refuses people of apps that the key does not open. A device's profile is for [`Self::profile`] to say.
    pub fn reaches(&self, app: &AppName) -> Result<(), Status> {
        let open = match self {
            Self::Device(caller) => caller.device.app() == *app,
            Self::Server(own) => own == app,
            Self::Owner(own) => *own == app.organization(),
            Self::Operator => true,
        };
        let refuse = || Problem::ScopeTooNarrow.says(format!("this credential opens no profiles of {app}"));
        if open { Ok(()) } else { Err(refuse()) }
    }

    /// The app whose people it opens, if it is only one.
    pub fn app(&self) -> Option<AppName> {
        match self {
            Self::Device(caller) => Some(caller.device.app()),
            Self::Server(app) => Some(app.clone()),
            Self::Owner(_) | Self::Operator => None,
        }
    }

    /// The profile that the request names in `field`; a device may leave it empty. What is no name is noted; what the
    /// caller may not touch is refused at once.
    pub fn named(&self, wrong: &mut Violations, field: &str, name: &str) -> Result<Option<ProfileName>, Status> {
        if matches!(self, Self::Device(_)) && name.is_empty() {
            return Ok(None);
        }
        let named = wrong.take(field, ProfileName::parse(name));
        named.iter().try_for_each(|named| self.reaches(&named.app()))?;
        Ok(named)
    }

    /// The device in `field`, as [`Self::named`].
    pub fn device(&self, wrong: &mut Violations, field: &str, name: &str) -> Result<Option<DeviceName>, Status> {
        let named = wrong.take(field, DeviceName::parse(name));
        named.iter().try_for_each(|named| self.reaches(&named.app()))?;
        Ok(named)
    }

    /// The profile that is [`Self::named`], or the device's own.
    pub fn profile<'a>(&'a self, named: Option<&'a ProfileName>) -> Result<Whose<'a>, Status> {
        match (self, named) {
            (Self::Device(caller), named) => Ok(Whose::Own(caller, named)),
            (_, Some(named)) => Ok(Whose::Named(named)),
            (_, None) => Err(Problem::ScopeTooNarrow.says("this credential has no profile of its own")),
        }
    }
}

impl From<PeopleError> for Status {
    fn from(error: PeopleError) -> Self {
        let said = error.to_string();
        match error {
            PeopleError::NotFound(_) => Problem::NotFound.says(said),
            PeopleError::Changed => Problem::EtagMismatch.says(said),
            PeopleError::Invalid(violations) => {
                let mut wrong = Violations::default();
                wrong.nest("profile", Err::<(), _>(violations));
                wrong.into()
            }
            PeopleError::Refused(_) => Problem::Precondition.says(said),
            PeopleError::Busy => Problem::Busy.says(said),
            PeopleError::Caller(error) => error.into(),
            PeopleError::Store(error) => error.into(),
        }
    }
}
