//! A campaign as it waits at the areas that fire it: what pings ask of it first, told once for each snapshot.
//!
//! Law: it says nothing that the campaign does not; it only says it without looking the campaign up, which is large.

use std::{ops::Deref, sync::Arc};

use super::{
    gate::{Gate, GateSet},
    taking::for_any_claim,
};
use crate::domain::{
    budget::Unit,
    campaign::{Campaign, On},
    presence::{Area, TransitionKind},
    text::tail,
};

/// A campaign, and what most questions about it come to.
#[derive(Debug, Clone)]
pub struct Armed {
    campaign: Arc<Campaign>,
    /// Of its name.
    tail: u64,
    fires: Fires,
    gates: GateSet,
}

/// What fires it, but for its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fires {
    Entered,
    Near,
    Dwelt,
    Exited,
    Heard,
    Crossed,
    Event,
}

impl Armed {
    pub fn of(campaign: &Arc<Campaign>) -> Self {
        let fires = match campaign.trigger.on {
            On::Entered => Fires::Entered,
            On::Near { .. } => Fires::Near,
            On::Dwelt { .. } => Fires::Dwelt,
            On::Exited => Fires::Exited,
            On::Heard => Fires::Heard,
            On::Crossed => Fires::Crossed,
            On::AppEvent { .. } => Fires::Event,
        };
        Self { campaign: campaign.clone(), tail: tail(campaign.name.as_str()), fires, gates: gates(campaign) }
    }

    pub fn campaign(&self) -> &Arc<Campaign> {
        &self.campaign
    }

    /// The tail of its name.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// The gates that may ever refuse it; all others let it pass, whoever comes.
    pub fn gates(&self) -> GateSet {
        self.gates
    }

    /// Whether a transition at the area fires it.
    pub fn is_fired_by(&self, area: &Area, kind: TransitionKind) -> bool {
        let at_geofence = || matches!(area, Area::Geofence(_));
        match kind {
            TransitionKind::Entered => match self.fires {
                Fires::Entered => at_geofence(),
                Fires::Near => {
                    matches!((&self.trigger.on, area), (On::Near { radius_m }, Area::Around(_, r)) if r == radius_m)
                }
                Fires::Dwelt | Fires::Exited | Fires::Heard | Fires::Crossed | Fires::Event => false,
            },
            TransitionKind::Dwelt(reached) => {
                self.fires == Fires::Dwelt && self.trigger.on == On::Dwelt { after: reached }
            }
            TransitionKind::Exited(_) => self.fires == Fires::Exited,
            TransitionKind::Heard => self.fires == Fires::Heard,
            TransitionKind::Crossed => self.fires == Fires::Crossed && at_geofence(),
        }
    }
}

impl Deref for Armed {
    type Target = Campaign;

    fn deref(&self) -> &Campaign {
        &self.campaign
    }
}

fn gates(campaign: &Campaign) -> GateSet {
    let limits = &campaign.limits;
    let caps = limits.never_after_redeemed || !limits.per_profile.is_empty() || !limits.cool_down.is_zero();
    let needs_units = limits.budgets.iter().any(|budget| budget.unit == Unit::Offers);
    let needs_units = needs_units || for_any_claim(campaign).next().is_some();
    GateSet::ALL
        .but(Gate::Dates, limits.starts_at.is_none() && limits.ends_at.is_none())
        .but(Gate::StoreHours, limits.schedule.only_while_open.is_none())
        .but(Gate::Schedule, limits.schedule.windows.is_empty())
        .but(Gate::Budget, !needs_units)
        .but(Gate::Visit, campaign.trigger.visit.is_any())
        .but(Gate::Audience, campaign.audience.terms().is_empty())
        .but(Gate::CampaignCaps, !caps)
}
