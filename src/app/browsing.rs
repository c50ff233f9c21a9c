//! Looking around for offers: previews, of which nothing is kept.
//!
//! Law 1: nothing is taken by looking. What other nodes found exhausted this one may still show for a while; a preview is no
//! promise.

use std::sync::Arc;

use super::{
    aside::{Aside, Refused},
    ingest::Ingest,
    live_catalog::LiveCatalog,
    turns::Turns,
};
use crate::{
    domain::{decision::Note, geo::Position, name::DeviceName, profile::Profile},
    engine::browsing::{Look, Preview, browse},
    ports::Clock,
};

/// Looks that are answered, or wait to be.
const AT_ONCE: usize = 256;

/// Where is looked, and for how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    pub position: Position,
    /// Metres.
    pub radius_m: f64,
    /// Most previews wanted.
    pub limit: usize,
}

/// Shows what could be offered.
pub struct Browsing {
    catalog: Arc<LiveCatalog>,
    ingest: Arc<Ingest>,
    clock: Arc<dyn Clock>,
    aside: Aside,
}

impl Browsing {
    pub fn new(catalog: Arc<LiveCatalog>, ingest: Arc<Ingest>, clock: Arc<dyn Clock>, turns: Arc<Turns>) -> Self {
        let aside = Aside::new("looks around", AT_ONCE, turns);
        Self { catalog, ingest, clock, aside }
    }

    /// The previews for a person, best first, as this device would get them, else the one that was registered last; none
    /// if there is no device to get them.
    pub async fn previews(
        &self,
        profile: Profile,
        device: Option<&DeviceName>,
        view: View,
    ) -> Result<Option<(Vec<Preview>, Vec<Note>)>, Refused> {
        let (app, now) = (profile.name.app(), self.clock.now());
        let catalog = self.catalog.having(|catalog| catalog.apps.contains_key(&app)).await?;
        let Some(app) = catalog.apps.get(&app).map(|entry| entry.value.clone()) else { return Ok(None) };
        let device = match device {
            Some(device) => profile.devices.get(device),
            None => profile.devices.values().max_by_key(|device| device.registered_at),
        };
        let View { position, radius_m, limit } = view;
        let Some(device) = device.cloned() else { return Ok(None) };
        let (exhausted, publisher) = (self.ingest.exhausted(now), profile.name.organization());
        let look = move || {
            let (catalog, app, profile, device, exhausted) = (&catalog, &app, &profile, &device, &exhausted);
            browse(&Look { catalog, app, profile, device, now, position, radius_m, limit, exhausted })
        };
        Ok(Some(self.aside.enter(publisher)?.run(look).await?))
    }
}
