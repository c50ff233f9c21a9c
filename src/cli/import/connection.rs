//! How a command reaches a server: address, key, and whom it trusts.
//!
//! Law: the key is never shown again, not in help and not in errors.

use std::{fmt, path::PathBuf};

use anyhow::Context;
use clap::Args;
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

#[derive(Args)]
pub struct Connection {
    /// Where the server is: http://HOST:PORT, or https:// together with --ca
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7447")]
    server: String,
    /// The API key; better given as the variable DINTORNI_KEY, where other users of the machine cannot see it
    #[arg(long, env = "DINTORNI_KEY", hide_env_values = true)]
    key: String,
    /// PEM file of the certificate authority that signed the server's certificate
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).field("ca", &self.ca).finish_non_exhaustive()
    }
}

impl Connection {
    /// An open connection.
    pub async fn open(&self) -> anyhow::Result<Channel> {
        let mut endpoint = Endpoint::from_shared(self.server.clone())
            .with_context(|| format!("{:?} is not the address of a server", self.server))?;
        if let Some(path) = &self.ca {
            // Fails if something installed a provider before, which then serves as well.
            rustls::crypto::ring::default_provider().install_default().ok();
            let pem = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))?;
        } else if self.server.starts_with("https:") {
            anyhow::bail!("{} needs --ca with the certificate authority to trust", self.server);
        }
        endpoint.connect().await.with_context(|| format!("{} cannot be reached", self.server))
    }

    /// The header that carries the key.
    pub fn authorization(&self) -> anyhow::Result<MetadataValue<Ascii>> {
        let mut header: MetadataValue<Ascii> =
            format!("Bearer {}", self.key.trim()).parse().ok().context("the key has characters that no key has")?;
        header.set_sensitive(true);
        Ok(header)
    }
}
