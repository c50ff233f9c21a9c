//! Why a campaign could not fire: its targets, its grants, its time.
//!
//! Law: every reason is told at once, with the name of what it is about; they are the engine's own reasons, so that
//! what is activated is what fires.

use super::resources::Obstacle;
use crate::{
    domain::{campaign::Campaign, time::Timestamp},
    engine::{catalog::Catalog, faults},
};

/// Everything that keeps `campaign` from firing under this catalog; none if it may become active.
pub fn obstacles(campaign: &Campaign, catalog: &Catalog, now: Timestamp) -> Vec<Obstacle> {
    let ended = campaign
        .limits
        .ends_at
        .filter(|&ends_at| ends_at <= now)
        .map(|ends_at| Obstacle::new("ENDED", &campaign.name, format!("limits.end_time is past: {ends_at}")));
    let faults = faults::of(catalog.areas.targets(), catalog, campaign)
        .into_iter()
        .map(|fault| Obstacle::new(fault.code, fault.subject, fault.why));
    ended.into_iter().chain(faults).collect()
}
