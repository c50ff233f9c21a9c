//! Which of the offers that may be made are the best.
//!
//! Law: higher classes come first; within one, score = weight × (1 + affinity) × nearness; of equal scores the earlier campaign name wins, then the earlier
//! area. So the order is total, stable, and the same on every node.

use std::{cell::RefCell, cmp::Ordering, collections::BTreeSet, sync::Arc};

use super::{
    armed::Armed,
    audience::{Person, Site},
    entry::AreaView,
    experiment::Drawn,
    gate::Gate,
};
use crate::domain::{
    campaign::Campaign,
    decision::{Rank, Reason},
    place::Store,
    presence::{Area, TransitionKind},
    text::{EventKey, Topic},
    time::Timestamp,
};

/// Distance at which nearness is a half, in metres: two minutes and a half on foot.
const HALF_DISTANCE_M: f64 = 200.0;

/// Why a campaign is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A transition fired it.
    Transition(TransitionKind),
    /// An event of the app fired it.
    Event(&'a EventKey),
    /// The person looks around; nothing fired it.
    Browsed,
}

/// A campaign that was fired at an area.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub campaign: &'a Armed,
    pub cause: Cause<'a>,
    pub area: &'a Area,
    /// Event time.
    pub at: Timestamp,
    /// Learnt too late to fire anything.
    pub stale: bool,
    /// None where an event happened at no place.
    pub view: Option<AreaView<'a>>,
    pub store: Option<&'a Arc<Store>>,
    /// Metres from the newest fix; none if it is unknown.
    pub distance_m: Option<f64>,
    /// What the campaign's experiment, if it makes one, has for the person.
    pub drawn: Option<Drawn<'a>>,
    /// The campaign is not active, and the device tries it.
    pub trial: bool,
}

impl<'a> Candidate<'a> {
    /// Who tries a campaign is to see it.
    pub fn is_held_out(&self) -> bool {
        !self.trial && self.drawn.is_some_and(|drawn| drawn.is_held_out)
    }

    /// The verdict when a gate refuses: of whom the draw holds out before that gate, that.
    pub fn verdict_of(&self, gate: Gate, reason: Reason) -> Reason {
        match self.is_held_out() && gate.is_after_draw() {
            true => Reason::Holdout { ghost: None, otherwise: Some(Box::new(reason)) },
            false => reason,
        }
    }

    /// The place, as an audience may look at it.
    pub fn site(&self) -> Site<'a> {
        Site {
            campaign: &self.campaign.name,
            place: self.view.map(AreaView::visited_place),
            tags: self.view.map_or(const { &BTreeSet::new() }, AreaView::tags),
            store: self.store.map(Arc::as_ref),
            distance_m: self.distance_m,
            at: self.at,
            in_segment: false,
            segments: RefCell::default(),
        }
    }
}

/// What the candidate is ranked by.
pub fn rank(candidate: &Candidate<'_>, person: &Person<'_>) -> Rank {
    let weight = candidate.campaign.weight.get();
    let affinity = favourite(candidate.campaign, person).map_or(0.0, |(_, strength)| strength);
    let nearness = HALF_DISTANCE_M / (HALF_DISTANCE_M + candidate.distance_m.unwrap_or(0.0));
    let priority = candidate.campaign.priority;
    Rank { score: weight * (1.0 + affinity) * nearness, priority, weight, affinity, nearness }
}

/// The topic of the campaign that the person cares about most, and how much.
pub fn favourite<'a>(campaign: &'a Campaign, person: &Person<'_>) -> Option<(&'a Topic, f64)> {
    let known = campaign.topics.iter().filter_map(|topic| person.interest(topic).map(|strength| (topic, strength)));
    known.max_by(|(a, x), (b, y)| x.total_cmp(y).then(b.cmp(a)))
}

/// Best first.
pub fn order((a, x): &(Candidate<'_>, Rank), (b, y): &(Candidate<'_>, Rank)) -> Ordering {
    let by_name = || a.campaign.name.cmp(&b.campaign.name).then_with(|| a.area.cmp(b.area));
    y.priority.cmp(&x.priority).then_with(|| y.score.total_cmp(&x.score)).then_with(by_name)
}
