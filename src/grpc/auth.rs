//! Who is calling: `authorization: Bearer …` with a device token (`dt_…`) or an API key (`dk_…`).
//!
//! Law: without a credential UNAUTHENTICATED, before anything of the message is read; with one that opens something else
//! PERMISSION_DENIED, before anything is looked up that the call is about.

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::Either;
use tonic::{
    Extensions, Status,
    body::Body,
    codegen::http::{self, HeaderMap},
};
use tower::{Layer, Service};

use crate::{
    app::{
        keys,
        live_catalog::LiveCatalog,
        tokens::{self, Tokens, Verified},
    },
    domain::{name::KeyName, organization::Scope},
    grpc::status::Problem,
    ports::Clock,
};

/// The calls that ask for a credential.
const ASKED: &str = "/dintorni.";

/// Who is calling, proven. The door puts it beside each request.
#[derive(Debug, Clone, PartialEq)]
pub enum Principal {
    Device(Verified),
    Key { name: KeyName, scope: Scope },
}

impl Principal {
    /// Who sent the request with these extensions. What the principal may do is for the caller of this to ask.
    ///
    /// # Errors
    /// UNAUTHENTICATED if it did not come through the door.
    pub fn of(extensions: &Extensions) -> Result<&Self, Status> {
        extensions.get().ok_or_else(missing)
    }

    /// The device that calls; keys are refused.
    pub fn device(extensions: &Extensions) -> Result<Verified, Status> {
        match Self::of(extensions)? {
            Self::Device(verified) => Ok(verified.clone()),
            Self::Key { scope, .. } => Err(denied(scope, "this call takes a device token")),
        }
    }

    /// The key that calls and what it opens; device tokens are refused.
    pub fn key(extensions: &Extensions) -> Result<(&KeyName, &Scope), Status> {
        match Self::of(extensions)? {
            Self::Key { name, scope } => Ok((name, scope)),
            Self::Device(_) => Err(Problem::ScopeTooNarrow.says("this call takes an API key, not a device token")),
        }
    }
}

/// Checks credentials at the door.
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

    /// Whoever calls, or UNAUTHENTICATED; none for a key that this node does not know.
    fn known(&self, headers: &HeaderMap) -> Result<Option<Principal>, Status> {
        let (credential, now) = (bearer(headers)?, self.clock.now());
        if credential.starts_with(tokens::PREFIX) {
            return Ok(Some(Principal::Device(self.tokens.verify(credential, now)?)));
        }
        match keys::authenticate(&self.live.snapshot(), credential, now) {
            Some((name, scope)) => Ok(Some(Principal::Key { name, scope })),
            None if credential.starts_with(keys::PREFIX) => Ok(None),
            None => Err(unknown()),
        }
    }

    /// The same for a key that may have been made on another node a moment ago; UNAVAILABLE if the record cannot tell.
    async fn looked_up(&self, headers: &HeaderMap) -> Result<Principal, Status> {
        self.live.look_again().await?;
        self.known(headers)?.ok_or_else(unknown)
    }
}

impl<S> Layer<S> for Auth {
    type Service = Authenticated<S>;
    fn layer(&self, inner: S) -> Authenticated<S> {
        Authenticated { auth: Arc::new(self.clone()), inner }
    }
}

/// A service that only those who are known reach.
#[derive(Clone)]
pub struct Authenticated<S> {
    auth: Arc<Auth>,
    inner: S,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for Authenticated<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Error: Send,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Answer<S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if !request.uri().path().starts_with(ASKED) {
            return Either::Left(self.inner.call(request));
        }
        match self.auth.known(request.headers()) {
            Ok(Some(principal)) => {
                request.extensions_mut().insert(principal);
                Either::Left(self.inner.call(request))
            }
            Ok(None) => Either::Right(self.look_up(request)),
            Err(refusal) => Either::Right(Box::pin(ready(Ok(refusal.into_http())))),
        }
    }
}

impl<S> Authenticated<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Error: Send,
    S::Future: Send + 'static,
{
    fn look_up(&mut self, mut request: http::Request<Body>) -> Answer<S::Error> {
        // The one that was made ready is called; the clone waits for the next request.
        let inner = self.inner.clone();
        let (auth, mut inner) = (self.auth.clone(), std::mem::replace(&mut self.inner, inner));
        Box::pin(async move {
            match auth.looked_up(request.headers()).await {
                Ok(principal) => {
                    request.extensions_mut().insert(principal);
                    inner.call(request).await
                }
                Err(refusal) => Ok(refusal.into_http()),
            }
        })
    }
}

/// PERMISSION_DENIED for a key of that scope; `wanted` says what would do.
pub fn denied(scope: &Scope, wanted: &str) -> Status {
    Problem::ScopeTooNarrow.says(format!("{wanted}; this key has the scope {}", scope.as_str()))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Status> {
    let header = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, credential) = header.trim().split_once(' ').ok_or_else(missing)?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() { Ok(credential) } else { Err(missing()) }
}

fn missing() -> Status {
    Problem::CredentialMissing.says("send \"authorization: Bearer <key or token>\"")
}

fn unknown() -> Status {
    Problem::CredentialUnknown.says("the credential is not known, or was revoked")
}
