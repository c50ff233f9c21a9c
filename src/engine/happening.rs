//! Events of the app: where they happened, and what they fire.
//!
//! Laws: an event fires the campaigns at its place, and those that are meant for anywhere; it is no visit, for only its app
//! says that somebody is there. Law 3: one that is learnt too late is history and fires nothing.

use super::{
    areas::Areas,
    armed::Armed,
    decide::distance,
    experiment::Drawn,
    foremost::Foremost,
    known::Known,
    ranking::{Candidate, Cause},
};
use crate::domain::{
    decision::{Decision, Happened, Note},
    geo::Position,
    name::ProfileName,
    ping::{AppEvent, Ping, STALE_AFTER},
    place::PlaceName,
    presence::Area,
    time::Timestamp,
};

/// An event, and the area it happened at.
pub struct Event<'a> {
    said: &'a AppEvent,
    /// [`Area::Anywhere`] if no place was named, or it is unknown.
    area: Area,
    at: Timestamp,
    stale: bool,
    /// It names a place that nobody registered.
    is_lost: bool,
}

impl<'a> Event<'a> {
    /// Wherever it says to be.
    pub fn nowhere(said: &'a AppEvent, ping: &Ping) -> Self {
        let at = said.read.event;
        let stale = ping.clock.received_at.since(at) > STALE_AFTER;
        Self { said, area: Area::Anywhere, at, stale, is_lost: false }
    }

    /// At the place it names, if there is such a place.
    pub fn of(areas: &Known<'_>, said: &'a AppEvent, ping: &Ping) -> Self {
        let area = said.place.as_ref().map_or(Area::Anywhere, |place| area_at(areas, place));
        Self { is_lost: said.place.is_some() && area == Area::Anywhere, area, ..Self::nowhere(said, ping) }
    }

    /// As the receipt tells it.
    pub fn happened(&self) -> Happened {
        let place = self.said.place.clone().filter(|_| self.area != Area::Anywhere);
        Happened { key: self.said.key.clone(), place, at: self.at }
    }

    /// Adds what it fires: at its place, and anywhere.
    pub fn fire<'t, 'c: 't>(
        &'t self,
        areas: &Known<'c>,
        (person, newest): (&ProfileName, Option<Position>),
        candidates: &mut Foremost<'t>,
    ) {
        let number = areas.number(&self.area);
        let view = areas.view(number);
        let store = view.and_then(|view| areas.store_of(view));
        let distance_m = view.and_then(|view| distance(view, store, newest));
        let (cause, area, at, stale) = (Cause::Event(&self.said.key), &self.area, self.at, self.stale);
        let candidate = |campaign: &'t Armed| {
            let (drawn, trial) = (Drawn::of(campaign, person), campaign.is_on_trial());
            Candidate { campaign, cause, area, at, stale, view, store, distance_m, drawn, trial }
        };
        let anywhere = areas.number(&Area::Anywhere);
        let numbers = [Some(number), Some(anywhere).filter(|&anywhere| anywhere != number)];
        let fired = numbers.into_iter().flatten().filter_map(|number| areas.fired(number));
        candidates.extend(fired.flat_map(|fired| fired.by_event(&self.said.key)).map(candidate));
    }
}

/// Where an event happens that names this place: at no known one, if there is no such place.
pub(super) fn area_at(areas: &Areas, place: &PlaceName) -> Area {
    let named = match place {
        PlaceName::Store(name) => Area::Store(name.clone()),
        PlaceName::Geofence(name) => Area::Geofence(name.clone()),
        PlaceName::Beacon(name) => Area::Beacon(name.clone()),
    };
    Some(named).filter(|area| areas.get(area).is_some()).unwrap_or(Area::Anywhere)
}

/// Tells the receipt what happened, and whether it was where nobody knows.
pub fn note_event(event: Option<&Event<'_>>, decision: &mut Decision) {
    decision.event = event.map(Event::happened);
    if event.is_some_and(|event| event.is_lost) {
        decision.notes.push(Note::UnknownPlace);
    }
}
