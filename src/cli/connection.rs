//! How a command reaches a server: address, key, and whom it trusts.
//!
//! Law: the key is never shown again, not in help and not in errors.

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{cli::output::causes, config::Mistakes};

const HEADING: &str = "Connection";
/// Where `dintorni serve` listens unless it is told otherwise.
const HERE: &str = "http://127.0.0.1:7447";
/// A server that answers at all answers sooner, from anywhere.
const CONNECT: Duration = Duration::from_secs(10);
/// Silence of a server after which it is asked whether it lives, and after that again is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// Where the server is, for calls that need no key.
#[derive(Debug, Args)]
pub struct Server {
    /// Where the server is: http://HOST:PORT, or https:// together with --ca
    /// [default: http://127.0.0.1:7447]
    #[arg(long, value_name = "URL", env = "DINTORNI_SERVER", help_heading = HEADING)]
    server: Option<String>,
    /// PEM file of the certificate authority that signed the server's certificate
    #[arg(long, value_name = "FILE", env = "DINTORNI_CA", help_heading = HEADING)]
    ca: Option<PathBuf>,
    /// The name in the server's certificate, if the URL has another one
    #[arg(long, value_name = "HOST", env = "DINTORNI_TLS_NAME", requires = "ca", help_heading = HEADING)]
    tls_name: Option<String>,
}

/// A key or a token.
#[derive(Clone)]
pub struct Credential(String);

impl Credential {
    /// As it was given, but for the white space around it.
    pub fn reveal(&self) -> &str {
        self.0.trim()
    }

    /// What was given; an empty variable gives nothing.
    pub fn given(credential: Option<&Self>) -> Option<&Self> {
        credential.filter(|credential| !credential.reveal().is_empty())
    }

    /// The API key that was given, by flag or variable.
    pub fn key(given: Option<&Self>) -> Result<&Self, Mistakes> {
        let missing =
            || Mistakes(vec!["the key is missing: give --key, or better the variable DINTORNI_KEY".to_owned()]);
        Self::given(given).ok_or_else(missing)
    }
}

impl From<&str> for Credential {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where the server is, and the key it wants to see.
#[derive(Debug, Args)]
pub struct Connection {
    #[command(flatten)]
    server: Server,
    /// The API key; better given as the variable DINTORNI_KEY, where other users of the machine cannot see it
    #[arg(long, value_name = "SECRET", env = "DINTORNI_KEY", hide_env_values = true, help_heading = HEADING)]
    key: Option<Credential>,
}

impl Server {
    /// As it was given; an empty variable gives none.
    fn named(&self) -> Option<&str> {
        self.server.as_deref().filter(|url| !url.is_empty())
    }

    /// As it was given, or the usual one.
    pub fn url(&self) -> &str {
        self.named().unwrap_or(HERE)
    }

    /// Whether there can be a server there, before anybody waits for it.
    pub fn check(&self) -> Result<(), Mistakes> {
        self.secured().map(|_| ())
    }

    /// An open connection.
    pub async fn open(&self) -> anyhow::Result<Channel> {
        self.secured()?.connect().await.with_context(|| format!("{} cannot be reached", self.url()))
    }

    fn secured(&self) -> Result<Endpoint, Mistakes> {
        let wrong = |why: String| Mistakes(vec![why]);
        let mut endpoint = self.endpoint()?.connect_timeout(CONNECT);
        if let Some(path) = &self.ca {
            if !self.url().starts_with("https:") {
                return Err(wrong(format!(
                    "--server {}: nothing is encrypted there; with --ca say https://",
                    self.url()
                )));
            }
            // Fails if something installed a provider before, which then serves as well.
            rustls::crypto::ring::default_provider().install_default().ok();
            let of_file = |why: String| wrong(format!("--ca {}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|error| of_file(error.to_string()))?;
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            if let Some(name) = &self.tls_name {
                tls = tls.domain_name(name);
            }
            endpoint = endpoint.tls_config(tls).map_err(|error| of_file(causes(&error)))?;
        } else if self.url().starts_with("https:") {
            return Err(wrong(format!("--server {}: needs --ca with the certificate authority to trust", self.url())));
        }
        Ok(endpoint)
    }

    fn endpoint(&self) -> Result<Endpoint, Mistakes> {
        let wrong = |why: String| Mistakes(vec![format!("--server {}: {why}", self.url())]);
        match self.url().split_once("://") {
            Some(("http" | "https", _)) => Endpoint::from_shared(self.url().to_owned())
                .map_err(|_| wrong("is not the address of a server".to_owned())),
            Some(_) => Err(wrong("must begin with http:// or https://".to_owned())),
            None => Err(wrong(format!("must begin with http:// or https://; is http://{} meant?", self.url()))),
        }
    }
}

impl Connection {
    #[cfg(test)]
    pub fn of(url: &str, key: &str) -> Self {
        Self { server: Server { server: Some(url.to_owned()), ca: None, tls_name: None }, key: Some(key.into()) }
    }

    /// An open connection.
    pub async fn open(&self) -> anyhow::Result<Channel> {
        self.check()?;
        self.server.open().await
    }

    /// A connection that is opened by the first call, and anew when the server is silent while a call waits: a call that
    /// is sent again on a dead one would wait as long.
    pub fn open_watched(&self) -> anyhow::Result<Channel> {
        let endpoint = self.server.secured()?.http2_keep_alive_interval(SILENCE).keep_alive_timeout(SILENCE);
        Ok(endpoint.connect_lazy())
    }

    /// Where the server is, as it was given.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Whether a server was named, and not only the usual one is meant.
    pub fn is_named(&self) -> bool {
        self.server.named().is_some()
    }

    /// Whether there is a key, before anything is begun.
    pub fn check(&self) -> Result<(), Mistakes> {
        Credential::key(self.key.as_ref()).map(|_| ())
    }

    /// A call that carries the key.
    pub fn request<T>(&self, message: T) -> anyhow::Result<Request<T>> {
        bearing(Credential::key(self.key.as_ref())?.reveal(), message)
    }
}

/// A call that carries this key or token.
pub fn bearing<T>(credential: &str, message: T) -> anyhow::Result<Request<T>> {
    const ODD: &str = "the key has characters that no key has";
    anyhow::ensure!(credential.is_ascii(), ODD);
    let mut header: MetadataValue<Ascii> = format!("Bearer {credential}").parse().ok().context(ODD)?;
    header.set_sensitive(true);
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", header);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_reached_is_told_before_anybody_waits() {
        let server = |url: &str, ca: Option<&str>| Server {
            server: Some(url.to_owned()),
            ca: ca.map(PathBuf::from),
            tls_name: None,
        };
        assert_eq!(server("", None).url(), HERE);
        server("", None).check().expect("the usual one");
        for (url, ca, named) in [
            ("localhost:7447", None, "--server localhost:7447: "),
            ("https://localhost", None, "--server https://localhost: needs --ca"),
            ("https://localhost", Some("/nowhere/ca.pem"), "--ca /nowhere/ca.pem: "),
        ] {
            let Mistakes(told) = server(url, ca).check().expect_err("refused");
            assert!(told.len() == 1 && told[0].starts_with(named), "{told:?}");
        }
    }
}
