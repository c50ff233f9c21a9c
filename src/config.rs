//! The settings: defaults from `deploy/default.toml`, then a file, variables and flags.
//!
//! Law: every mistake is reported, all at once, before a port is bound; an unknown setting is a mistake. The
//! environment comes in as an argument, so this can be tested.

mod layers;

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};

pub use self::layers::{Sources, Variables};
use crate::{
    app::{lockouts::LockoutsConfig, profile_store::ProfileStoreConfig, reversals::ReversalsConfig},
    grpc::{
        limits::{LimitsConfig, PeopleLimitsConfig, TillLimits},
        overload::GuardConfig,
        proxies::Proxies,
    },
    ports::Clock,
    storage::{memory::MemoryConfig, redis::RedisConfig, sql::SqlConfig},
    telemetry::TelemetryConfig,
};

/// The settings' defaults and reasons.
pub const DEFAULTS: &str = include_str!("../deploy/default.toml");
/// What variables that set something begin with: `DINTORNI__SERVER__LISTEN`.
pub const VARIABLES: &str = "DINTORNI__";

/// Most readers of the database at once while the cache is away; no database serves more.
const MOST_READS: usize = 1_000_000;
/// Days for which a till's request is answered as before.
const ANSWER_DAYS: u32 = 2;
/// Most profiles in memory: at 3 kB each more than any machine has.
const MOST_PROFILES: usize = 1_000_000_000;

/// All settings. What each is for is said in [`DEFAULTS`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub storage: SqlConfig,
    pub memory: MemoryConfig,
    pub redis: RedisConfig,
    pub devices: DevicesConfig,
    pub profiles: ProfileStoreConfig,
    pub tills: TillsSettings,
    pub catalog: CatalogConfig,
    pub sweep: SweepConfig,
    pub telemetry: TelemetryConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    pub reflection: bool,
    pub max_message_bytes: NonZeroU32,
    pub max_in_flight: NonZeroU32,
    pub max_streams_per_connection: NonZeroU32,
    pub timeout_ms: NonZeroU32,
    pub stream_timeout_ms: NonZeroU32,
    pub ping_stream_idle_ms: NonZeroU32,
    pub keepalive_seconds: NonZeroU32,
    pub stop_notice_ms: u32,
    pub stop_grace_ms: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicesConfig {
    pub token_days: NonZeroU32,
    pub trusted_proxies: Proxies,
    pub address_per_minute: NonZeroU32,
    pub address_burst: NonZeroU32,
    pub key_per_second: NonZeroU32,
    pub key_burst: NonZeroU32,
    pub events_per_minute: NonZeroU32,
    pub events_burst: NonZeroU32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TillsSettings {
    pub calls_per_second: NonZeroU32,
    pub burst: NonZeroU32,
    pub wrong_codes: NonZeroU32,
    pub wrong_codes_of_store: NonZeroU32,
    pub lockout_seconds: NonZeroU32,
    pub reversible_days: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogConfig {
    pub poll_ms: NonZeroU32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    pub every_seconds: NonZeroU32,
    pub most_rows: NonZeroU32,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    let allowed =
        "an IP address and a port, such as 127.0.0.1:7447, 0.0.0.0:7447 or [::]:7447 (names are not looked up)";
    text.parse().map_err(|_| D::Error::custom(format!("must be {allowed}, was {text:?}")))
}

/// Everything wrong with the settings, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

impl Config {
    /// The settings in force, or all that is wrong with them.
    pub fn read(sources: &Sources) -> Result<Self, Mistakes> {
        let config = layers::merge(sources)?;
        let mistakes = config.contradictions();
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    /// What is of the right kind and cannot be used all the same.
    fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let ServerConfig { tls_certificate, tls_key, .. } = &self.server;
        if tls_certificate.as_os_str().is_empty() != tls_key.as_os_str().is_empty() {
            mistakes.push("server.tls_certificate and server.tls_key: set both or neither".to_owned());
        }
        for path in [tls_certificate, tls_key].into_iter().filter(|path| !path.as_os_str().is_empty()) {
            if let Err(error) = std::fs::metadata(path) {
                mistakes.push(format!("server.tls_certificate, server.tls_key: {}: {error}", path.display()));
            }
        }
        mistakes.extend(self.storage.mistakes());
        mistakes.extend(self.redis.mistakes());
        let (reversible, kept) = (self.tills.reversible_days, self.storage.offer_days);
        if reversible.saturating_add(ANSWER_DAYS) >= kept {
            mistakes.push(format!(
                "tills.reversible_days: must be less than storage.offer_days ({kept}) by more than {ANSWER_DAYS}, was \
                 {reversible}: what is taken back must be on record"
            ));
        }
        for (setting, value, most) in [
            ("profiles.fallback_reads", self.profiles.fallback_reads, MOST_READS),
            ("memory.profiles", self.memory.profiles, MOST_PROFILES),
        ] {
            if value > most {
                mistakes.push(format!("{setting}: must be at most {most}, was {value}"));
            }
        }
        mistakes.extend(self.telemetry.contradictions());
        mistakes
    }
}

impl ServerConfig {
    pub fn guard(&self) -> GuardConfig {
        GuardConfig {
            max_in_flight: self.max_in_flight.get() as usize,
            max_message_bytes: self.max_message_bytes.get() as usize,
            timeout: millis(self.timeout_ms.get()),
            stream_timeout: millis(self.stream_timeout_ms.get()),
        }
    }

    pub fn ping_stream_idle(&self) -> Duration {
        millis(self.ping_stream_idle_ms.get())
    }

    pub fn keepalive(&self) -> Duration {
        Duration::from_secs(self.keepalive_seconds.get().into())
    }

    pub fn stop_notice(&self) -> Duration {
        millis(self.stop_notice_ms)
    }

    pub fn stop_grace(&self) -> Duration {
        millis(self.stop_grace_ms)
    }
}

impl TillsSettings {
    pub fn limits(&self, clock: Arc<dyn Clock>) -> TillLimits {
        TillLimits::new(self.calls_per_second, self.burst, clock)
    }

    pub fn lockouts(&self) -> LockoutsConfig {
        let period = Duration::from_secs(self.lockout_seconds.get().into());
        LockoutsConfig { till: self.wrong_codes.get(), store: self.wrong_codes_of_store.get(), period }
    }

    pub fn reversals(&self) -> ReversalsConfig {
        ReversalsConfig { reversible: Duration::from_secs(86_400) * self.reversible_days }
    }
}

impl CatalogConfig {
    pub fn poll(&self) -> Duration {
        millis(self.poll_ms.get())
    }
}

impl SweepConfig {
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.every_seconds.get().into())
    }
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

impl DevicesConfig {
    pub fn limits(&self) -> LimitsConfig {
        let Self { address_per_minute, address_burst, key_per_second, key_burst, .. } = *self;
        LimitsConfig { address_per_minute, address_burst, key_per_second, key_burst }
    }

    pub fn people_limits(&self) -> PeopleLimitsConfig {
        let Self { events_per_minute, events_burst, .. } = *self;
        PeopleLimitsConfig { events_per_minute, events_burst }
    }

    pub fn token_lifetime(&self) -> Duration {
        Duration::from_secs(86_400) * self.token_days.get()
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Sources {
        Sources::new(variables.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    fn mistakes(sources: &Sources) -> Vec<String> {
        Config::read(sources).expect_err("refused").0
    }

    #[test]
    fn the_defaults_are_sound_and_later_sources_win() {
        let config = Config::read(&Sources::default()).expect("sound");
        assert_eq!(config.server.listen.port(), 7447);

        let variables =
            [("DINTORNI__SERVER__LISTEN", "127.0.0.1:2"), ("DINTORNI__SWEEP__MOST_ROWS", "7"), ("HOME", "/")];
        let file = "[server]\nlisten = \"127.0.0.1:1\"\nreflection = false";
        let mut sources = environment(&variables).with_file("a.toml", file);
        sources.flag("--listen", "server.listen", "127.0.0.1:3");
        let config = Config::read(&sources).expect("sound");
        assert_eq!(config.server.listen.port(), 3);
        assert_eq!(config.sweep.most_rows.get(), 7);
        assert!(!config.server.reflection);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_their_origin() {
        let variables = [("DINTORNI__DEVICES__TOKEN_DAYS", "soon"), ("DINTORNI__SERVER__REFLECTION", "maybe")];
        let text = "[server]\nlisten = \"nowhere\"\nmax_in_flight = 0\nlisden = 1\n[sweep]\nevery_seconds = 1.5";
        let mut sources = environment(&variables).with_file("a.toml", text);
        sources.flag("--set", "server.timeout_ms", "-1");
        sources.flag("--set", "telemetry.format", "xml");
        let found = mistakes(&sources).join("\n");
        for part in [
            "a.toml: server.listen: must be an IP address and a port, ",
            "a.toml: server.max_in_flight: ",
            "a.toml: there is no setting server.lisden; did you mean server.listen?",
            "a.toml: sweep.every_seconds: must be a whole number",
            "DINTORNI__DEVICES__TOKEN_DAYS: devices.token_days: must be a whole number",
            "DINTORNI__SERVER__REFLECTION: server.reflection: must be true or false",
            "--set: server.timeout_ms: ",
            "--set: telemetry.format: ",
        ] {
            assert!(found.contains(part), "{part} is not in:\n{found}");
        }
        assert_eq!(mistakes(&sources).len(), 8, "{found}");
    }

    #[test]
    fn variables_that_are_no_text_are_mistakes_only_if_they_are_ours() {
        let odd = |text: &[u8]| OsString::from_vec(text.to_vec());
        let foreign = (odd(b"LS\xffCOLORS"), odd(b"\xff"));
        let sources =
            |ours: &[(OsString, OsString)]| Sources::new(ours.iter().cloned().chain([foreign.clone()]).collect());
        assert!(Config::read(&sources(&[])).is_ok());
        let found = mistakes(&sources(&[
            (odd(b"DINTORNI__STORAGE__URL"), odd(b"postgres://ada:secret\xff@db/x")),
            (odd(b"DINTORNI__SERVER__\xff"), odd(b"1")),
        ]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("DINTORNI__SERVER__") && found[0].ends_with(": must be text in UTF-8"),
            "{found:?}"
        );
        assert_eq!(found[1], "DINTORNI__STORAGE__URL: must be text in UTF-8");
    }

    #[test]
    fn what_no_store_can_use_is_refused_before_one_is_opened() {
        let mut sources = Sources::default();
        for (setting, value) in [
            ("storage.url", "mysql://ada:secret@db/x"),
            ("storage.write_queue", "9223372036854775807"),
            ("redis.url", "redis://ada:secret@cache.example.com"),
            ("profiles.fallback_reads", "9223372036854775807"),
            ("memory.profiles", "9223372036854775807"),
        ] {
            sources.flag("--set", setting, value);
        }
        let found = mistakes(&sources);
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found.iter().all(|mistake| !mistake.contains("secret")), "{found:?}");
        for url in ["postgres://ada@db:port/x", "sqlite:"] {
            let mut sources = Sources::default();
            sources.flag("--set", "storage.url", url);
            assert!(mistakes(&sources)[0].starts_with("storage.url: "), "{url}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_and_half_a_certificate_are_mistakes() {
        let sources = Sources::default().with_file("a.toml", "[server");
        assert!(mistakes(&sources)[0].starts_with("a.toml: "));
        let mut sources = Sources::default();
        sources.flag("--set", "server.tls_key", "/nowhere/key.pem");
        assert_eq!(mistakes(&sources).len(), 2);
    }
}
