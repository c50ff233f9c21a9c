//! Who pings: a test device of its own, one that is known by a name, or whoever a token belongs to.

use clap::{Args, ValueEnum};
use ring::digest::{SHA256, digest};
use tonic::transport::Channel;

use crate::{
    cli::{
        connection::{Credential, bearing},
        output::refusal,
        zoned::Zoned,
    },
    clock::SystemEntropy,
    config::Mistakes,
    domain::time::TimeZone,
    grpc::pb::{self, device_service_client::DeviceServiceClient},
    ports::Entropy,
};

/// The consent text that nobody read.
const TEXT_VERSION: &str = "dintorni-ping";

#[derive(Debug, Args)]
#[command(next_help_heading = "Who pings")]
pub struct Device {
    /// The app key, with which a test device is registered; better given as the variable DINTORNI_KEY
    #[arg(long, value_name = "SECRET", env = "DINTORNI_KEY", hide_env_values = true)]
    key: Option<Credential>,
    /// Ping as the test device of this name, which is any text of yours: the same name is the same person again. Without
    /// it everybody is new, and has been nowhere
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// What the person did not agree to; may be repeated. Without it they agreed to everything
    #[arg(long, value_name = "PURPOSE", value_enum)]
    without: Vec<Purposes>,
    /// The language the phone speaks
    #[arg(long, value_name = "TAG", default_value = "en")]
    language: String,
    /// The phone's time zone, such as Europe/Rome, which decides about quiet hours, and in which times are printed; without
    /// it the app's counts, and times are in UTC
    #[arg(long, value_name = "ZONE", value_parser = TimeZone::new)]
    time_zone: Option<TimeZone>,
    /// Ping with this device token; nobody is registered, and the device is no test device unless it was one before.
    /// Better given as the variable DINTORNI_TOKEN
    #[arg(long, value_name = "SECRET", env = "DINTORNI_TOKEN", hide_env_values = true)]
    token: Option<Credential>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purposes {
    Location,
    Marketing,
    Profiling,
}

/// Who pings, and with which token. Of the bearer of a token no names are known.
pub struct Caller {
    pub device: Option<String>,
    pub profile: Option<String>,
    pub token: String,
}

impl Device {
    /// Whether there is a key or a token, before anything is begun.
    pub fn check(&self) -> Result<(), Mistakes> {
        if self.token().is_none() {
            return Credential::key(self.key.as_ref()).map(|_| ());
        }
        if self.device.is_none() && self.without.is_empty() {
            return Ok(());
        }
        let said = "--device and --without are for registering a device: with --token (DINTORNI_TOKEN) nobody is";
        Err(Mistakes(vec![said.to_owned()]))
    }

    /// The clock that times are told on.
    pub fn zoned(&self) -> Zoned {
        self.time_zone.clone().map_or_else(Zoned::utc, Zoned::new)
    }

    fn token(&self) -> Option<&Credential> {
        Credential::given(self.token.as_ref())
    }

    /// Registers the device, unless a token was given.
    pub async fn caller(&self, channel: &Channel, entropy: &SystemEntropy) -> anyhow::Result<Caller> {
        if let Some(token) = self.token() {
            return Ok(Caller { device: None, profile: None, token: token.reveal().to_owned() });
        }
        let key = Credential::key(self.key.as_ref())?.reveal();
        let request = bearing(key, self.registration(entropy))?;
        let registered = DeviceServiceClient::new(channel.clone()).register_device(request).await;
        let pb::RegisterDeviceResponse { device, profile, token } =
            registered.map_err(|status| refusal(&status))?.into_inner();
        let token = token.map(|token| token.value).unwrap_or_default();
        Ok(Caller { device: Some(device), profile: Some(profile), token })
    }

    fn registration(&self, entropy: &SystemEntropy) -> pb::RegisterDeviceRequest {
        let secret = match &self.device {
            Some(name) => digest(&SHA256, format!("dintorni ping --device {name}").as_bytes()).as_ref().to_vec(),
            None => entropy.bytes().to_vec(),
        };
        pb::RegisterDeviceRequest {
            installation_secret: secret,
            consents: Purposes::value_variants().iter().map(|purpose| self.consent(*purpose)).collect(),
            language: self.language.clone(),
            platform: pb::Platform::Other.into(),
            time_zone: self.time_zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
            test: true,
            ..Default::default()
        }
    }

    fn consent(&self, purpose: Purposes) -> pb::Consent {
        let of = match purpose {
            Purposes::Location => pb::Purpose::Location,
            Purposes::Marketing => pb::Purpose::Marketing,
            Purposes::Profiling => pb::Purpose::Profiling,
        };
        let granted = !self.without.contains(&purpose);
        pb::Consent { purpose: of.into(), granted, text_version: TEXT_VERSION.to_owned(), given_at: None }
    }
}
