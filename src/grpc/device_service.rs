//! `DeviceService`: registers installations of an app.

use std::{net::IpAddr, sync::Arc};

use tonic::{Extensions, Request, Response, Status};

use crate::{
    app::{
        devices::{Devices, InstallationSecret, RegisterError, Registration},
        live_catalog::LiveCatalog,
        tokens::Token,
    },
    domain::{
        app_version::AppVersion,
        language::language,
        name::{AppName, KeyName},
        organization::Scope,
        time::{TimeZone, Timestamp},
        violation::{Invalid, Violations},
    },
    grpc::{
        auth::{Principal, denied},
        limits::Limits,
        pb::{self, device_service_server::DeviceService},
        proxies::Proxies,
        status::Problem,
        wire::{consents, platform, timestamp_to_wire},
    },
    ports::Clock,
};

/// Longest attestation, in bytes: what the platforms send has about 6 KiB.
const MAX_ATTESTATION: usize = 16 * 1024;

/// Answers [`DeviceService`].
pub struct DeviceGrpc {
    pub live: Arc<LiveCatalog>,
    pub limits: Arc<Limits>,
    pub proxies: Proxies,
    pub devices: Arc<Devices>,
    pub clock: Arc<dyn Clock>,
}

impl DeviceGrpc {
    /// The app key that calls, and its app; everything else is refused.
    async fn app<'a>(&self, extensions: &'a Extensions) -> Result<(&'a KeyName, &'a AppName), Status> {
        let (key, app) = match Principal::key(extensions)? {
            (key, Scope::App(app)) => (key, app),
            (_, scope) => return Err(denied(scope, "this call takes an app key")),
        };
        if !self.live.having(|catalog| catalog.apps.contains_key(app)).await?.apps.contains_key(app) {
            return Err(Problem::NotFound.says(format!("the app of this key is gone: {app}")));
        }
        Ok((key, app))
    }
}

#[tonic::async_trait]
impl DeviceService for DeviceGrpc {
    async fn register_device(
        &self,
        request: Request<pb::RegisterDeviceRequest>,
    ) -> Result<Response<pb::RegisterDeviceResponse>, Status> {
        let (key, app) = self.app(request.extensions()).await?;
        let peer: Option<IpAddr> = request.remote_addr().map(|peer| peer.ip());
        let address = peer.map(|peer| self.proxies.caller(peer, request.metadata()));
        self.limits.check(key, address)?;
        let app = app.clone();
        let registration = registration(request.into_inner(), self.clock.now())?;
        let registered = self.devices.register(&app, &registration).await?;
        Ok(Response::new(pb::RegisterDeviceResponse {
            device: registered.device.to_string(),
            profile: registered.profile.to_string(),
            token: Some(token_to_wire(registered.token)),
        }))
    }
}

pub(super) fn token_to_wire(token: Token) -> pb::DeviceToken {
    pb::DeviceToken { value: token.value, expires_at: Some(timestamp_to_wire(token.expires_at)) }
}

fn registration(request: pb::RegisterDeviceRequest, now: Timestamp) -> Result<Registration, Violations> {
    let pb::RegisterDeviceRequest {
        installation_secret,
        consents: answers,
        language: tag,
        platform: system,
        time_zone,
        test,
        attestation,
        app_version,
    } = request;
    let mut wrong = Violations::default();
    let secret = wrong.take("installation_secret", InstallationSecret::new(installation_secret));
    let consents = consents(&mut wrong, "consents", answers, now);
    let language = wrong.take("language", language(&tag));
    let platform = wrong.take("platform", platform(system));
    let time_zone = wrong.take("time_zone", optional_zone(&time_zone));
    wrong.take("attestation", bounded(&attestation));
    let app_version = wrong.take("app_version", optional_version(&app_version));
    let registration = (|| {
        let (language, platform, time_zone, app_version) = (language?, platform?, time_zone?, app_version?);
        Some(Registration { secret: secret?, consents, language, platform, time_zone, app_version, test })
    })();
    wrong.finish(registration)
}

fn optional_zone(name: &str) -> Result<Option<TimeZone>, Invalid> {
    if name.is_empty() { Ok(None) } else { TimeZone::new(name).map(Some) }
}

fn optional_version(version: &str) -> Result<Option<AppVersion>, Invalid> {
    if version.is_empty() { Ok(None) } else { AppVersion::parse(version).map(Some) }
}

fn bounded(attestation: &[u8]) -> Result<(), Invalid> {
    let length = attestation.len();
    if length <= MAX_ATTESTATION {
        return Ok(());
    }
    Err(Invalid::new(format!("must have at most {MAX_ATTESTATION} bytes, had {length}")))
}

impl From<RegisterError> for Status {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Busy => Problem::Busy.says("the profile is changing too fast; register again"),
            RegisterError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut pb::RegisterDeviceRequest);

    fn sound() -> pb::RegisterDeviceRequest {
        pb::RegisterDeviceRequest {
            installation_secret: vec![7; 16],
            consents: vec![pb::Consent { purpose: 1, granted: true, text_version: "2026-01".into(), given_at: None }],
            language: "it".into(),
            platform: pb::Platform::Ios.into(),
            time_zone: String::new(),
            test: false,
            attestation: vec![],
            app_version: "4.12".into(),
        }
    }

    #[test]
    fn each_field_is_refused_by_its_name() {
        let cases: [(&str, Spoil); _] = [
            ("installation_secret", |r| r.installation_secret = vec![7; 15]),
            ("installation_secret", |r| r.installation_secret = vec![7; 33]),
            ("consents[0].purpose", |r| r.consents[0].purpose = 0),
            ("consents[0].text_version", |r| r.consents[0].text_version = String::new()),
            ("language", |r| r.language = "italiano".into()),
            ("platform", |r| r.platform = 0),
            ("platform", |r| r.platform = 99),
            ("time_zone", |r| r.time_zone = "Europe/Atlantis".into()),
            ("app_version", |r| r.app_version = "4.12-beta".into()),
            ("attestation", |r| r.attestation = vec![0; MAX_ATTESTATION + 1]),
        ];
        assert!(registration(sound(), Timestamp::default()).is_ok());
        for (field, spoil) in cases {
            let mut request = sound();
            spoil(&mut request);
            let wrong = registration(request, Timestamp::default()).expect_err(field);
            let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!(fields, [field]);
        }
    }

    #[test]
    fn an_empty_registration_is_told_everything_it_lacks() {
        let wrong = registration(pb::RegisterDeviceRequest::default(), Timestamp::default()).expect_err("refused");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["installation_secret", "language", "platform"]);
    }
}
