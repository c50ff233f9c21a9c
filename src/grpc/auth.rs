//! Who is calling: `authorization: Bearer …` with a device token (`dt_…`) or an API key (`dk_…`).
//!
//! Law: without a credential UNAUTHENTICATED, with one that opens something else PERMISSION_DENIED, both before
//! anything is looked up that the call is about.

use std::sync::Arc;

use tonic::{Status, metadata::MetadataMap};

use crate::{
    app::{
        keys,
        live_catalog::LiveCatalog,
        tokens::{self, Tokens, Verified},
    },
    domain::{
        name::{AppName, KeyName},
        organization::Scope,
    },
    engine::catalog::Catalog,
    grpc::status::Problem,
    ports::Clock,
};

/// Who is calling, proven.
#[derive(Debug, Clone, PartialEq)]
pub enum Principal {
    Device(Verified),
    Key { name: KeyName, scope: Scope },
}

/// Checks credentials.
#[derive(Clone)]
pub struct Auth {
    tokens: Arc<Tokens>,
    live: Arc<LiveCatalog>,
    clock: Arc<dyn Clock>,
}

impl Auth {
    pub fn new(tokens: Arc<Tokens>, live: Arc<LiveCatalog>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, live, clock }
    }

    /// Whoever calls, or UNAUTHENTICATED; UNAVAILABLE if the record cannot tell. What the principal may do is for the
    /// caller of this to ask.
    pub async fn principal(&self, metadata: &MetadataMap) -> Result<Principal, Status> {
        let credential = bearer(metadata)?;
        let now = self.clock.now();
        if credential.starts_with(tokens::PREFIX) {
            return Ok(Principal::Device(self.tokens.verify(credential, now)?));
        }
        let known = |catalog: &Catalog| keys::authenticate(catalog, credential, now);
        let mut found = known(&self.live.snapshot());
        if found.is_none() && credential.starts_with(keys::PREFIX) {
            // It may have been made on another node a moment ago.
            self.live.look_again().await?;
            found = known(&self.live.snapshot());
        }
        let unknown = || Problem::CredentialUnknown.says("the key is not known, or was revoked");
        let (name, scope) = found.ok_or_else(unknown)?;
        Ok(Principal::Key { name, scope })
    }

    /// The device that calls; keys are refused.
    pub async fn device(&self, metadata: &MetadataMap) -> Result<Verified, Status> {
        match self.principal(metadata).await? {
            Principal::Device(verified) => Ok(verified),
            Principal::Key { scope, .. } => Err(denied(&scope, "this call takes a device token")),
        }
    }

    /// The key that calls and what it opens; device tokens are refused.
    pub async fn key(&self, metadata: &MetadataMap) -> Result<(KeyName, Scope), Status> {
        match self.principal(metadata).await? {
            Principal::Key { name, scope } => Ok((name, scope)),
            Principal::Device(_) => Err(Problem::ScopeTooNarrow.says("this call takes an API key, not a device token")),
        }
    }

    /// The app key that calls, and its app; everything else is refused.
    pub async fn app(&self, metadata: &MetadataMap) -> Result<(KeyName, AppName), Status> {
        let (name, app) = match self.key(metadata).await? {
            (name, Scope::App(app)) => (name, app),
            (_, scope) => return Err(denied(&scope, "this call takes an app key")),
        };
        if !self.live.having(|catalog| catalog.apps.contains_key(&app)).await?.apps.contains_key(&app) {
            return Err(Problem::NotFound.says(format!("the app of this key is gone: {app}")));
        }
        Ok((name, app))
    }
}

/// PERMISSION_DENIED for a key of that scope; `wanted` says what would do.
pub fn denied(scope: &Scope, wanted: &str) -> Status {
    Problem::ScopeTooNarrow.says(format!("{wanted}; this key has the scope \"{}\"", scope.as_str()))
}

fn bearer(metadata: &MetadataMap) -> Result<&str, Status> {
    let missing = || Problem::CredentialMissing.says("send \"authorization: Bearer <key or token>\"");
    let header = metadata.get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, credential) = header.trim().split_once(' ').ok_or_else(missing)?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() { Ok(credential) } else { Err(missing()) }
}
