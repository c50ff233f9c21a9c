//! The services that are served, and their names.

use std::convert::Infallible;

use tonic::{
    body::Body,
    codegen::{Service, http},
    server::NamedService,
    service::Routes,
};

/// Services by their paths. What has no path here is UNIMPLEMENTED.
#[derive(Default)]
pub(super) struct Doors {
    pub routes: Routes,
    /// Of the services that need the record to answer.
    pub names: Vec<&'static str>,
}

impl Doors {
    /// Opens a door; its health is then told under its name.
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + NamedService,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }
}
