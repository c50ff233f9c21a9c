//! What is supposed of somebody who is asked about before anything happened: that what fires a campaign happens now, and
//! that the visit it belongs to began when it must have.
//!
//! Law: the visits are told apart and counted by the very code that notes those of pings; nothing is remembered.

use std::{sync::Arc, time::Duration};

use super::{eligibility::Standing, known::Known, presence::Step, visiting};
use crate::domain::{
    campaign::On,
    place::PlaceName,
    presence::{Area, Transition, TransitionKind},
    time::Timestamp,
    visits::Visits,
};

/// A moment as it would be.
pub struct Supposed<'k, 'a> {
    areas: &'k Known<'a>,
    step: Step,
    /// With the visit that begins; none without consent to profiling.
    visits: Option<Arc<Visits>>,
}

impl<'k, 'a> Supposed<'k, 'a> {
    /// That the transition happens at the area now; if none is named, that nothing changes.
    pub fn of(
        standing: &Standing<'_>,
        areas: &'k Known<'a>,
        (area, kind): (&Area, Option<TransitionKind>),
    ) -> Supposed<'k, 'a> {
        let (before, at) = (&standing.device.presence, standing.now);
        let happens =
            |kind| Transition { area: area.clone(), kind, at, stale: false, initial: false, distance_m: None };
        let step = kind.map_or_else(|| Step::standing(before), |kind| visiting::suppose(areas, before, happens(kind)));
        let visits = standing.profile.consents.permit().map(|permit| {
            let mut visits = standing.profile.visits(permit).clone();
            visiting::note(areas, &step, &mut visits, permit, at);
            visits
        });
        Self { areas, step, visits }
    }

    pub fn visits(&self) -> Option<&Visits> {
        self.visits.as_deref()
    }

    /// As [`visiting::begun`].
    pub fn begun(&self, place: &PlaceName, at: Timestamp) -> Option<Timestamp> {
        visiting::begun(self.areas, &self.step, place, at)
    }
}

/// What has to happen where people are; none if it happens in the app. Who leaves, and was not there, came just before.
pub fn transition(on: &On) -> Option<TransitionKind> {
    match on {
        On::Entered | On::Near { .. } => Some(TransitionKind::Entered),
        On::Exited => Some(TransitionKind::Exited(Duration::ZERO)),
        On::Dwelt { after } => Some(TransitionKind::Dwelt(*after)),
        On::Heard => Some(TransitionKind::Heard),
        On::Crossed => Some(TransitionKind::Crossed),
        On::AppEvent { .. } => None,
    }
}
