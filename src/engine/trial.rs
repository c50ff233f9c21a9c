//! Campaigns on trial: what a test device is matched against while a brand tries with it what is not active.
//!
//! Laws: the same evaluation as ever, with the same areas and the device's campaigns on top; nobody else is matched
//! against them, and no ping of anybody else asks about them. What is tried takes nothing: no cap, budget or experiment
//! knows of it, so that nothing of a trial is left when the campaign becomes active.

use std::sync::Arc;

use super::{areas::Areas, catalog::Catalog};
use crate::domain::{campaign::Campaign, name::DeviceName};

impl Catalog {
    /// What the device is matched against in place of [`Self::areas`]; none if it tries nothing.
    pub fn areas_tried_by(&self, device: &DeviceName) -> Option<Areas> {
        let tried: Vec<&Arc<Campaign>> = self.tried_by(device).collect();
        (!tried.is_empty()).then(|| self.areas.with_tried(self, &tried))
    }
}

impl Areas {
    /// These areas, firing these campaigns as well as if they were active. It costs what their places are, as activating
    /// them would.
    fn with_tried(&self, catalog: &Catalog, tried: &[&Arc<Campaign>]) -> Self {
        let mut areas = self.clone();
        let fired = tried.iter().flat_map(|campaign| areas.fire_also(catalog, campaign)).collect();
        areas.reindex(self, &fired);
        areas
    }
}
