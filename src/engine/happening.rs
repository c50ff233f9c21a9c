//! Events of the app: where they happened, and what they fire.
//!
//! Laws: an event fires the campaigns at its place, and those that are meant for anywhere; it is no visit, for only its app
//! says that somebody is there. Law 3: one that is learnt too late is history and fires nothing. Law 10: a campaign that is
//! meant for anywhere learns of a place only where its brand may target it.

use super::{
    areas::Areas,
    armed::Armed,
    decide::distance,
    experiment::Drawn,
    foremost::Foremost,
    grants::Grants,
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
        let (cause, at, stale) = (Cause::Event(&self.said.key), self.at, self.stale);
        let candidates_at = |area: &'t Area, waiting: Vec<&'c Armed>| {
            let view = areas.view(areas.number(area));
            let store = view.and_then(|view| areas.store_of(view));
            let distance_m = view.and_then(|view| distance(view, store, newest));
            waiting.into_iter().map(move |campaign| {
                let (drawn, trial) = (Drawn::of(campaign, person), campaign.is_on_trial());
                Candidate { campaign, cause, area, at, stale, view, store, distance_m, drawn, trial }
            })
        };
        let waiting = |area: &Area| {
            let fired = areas.fired(areas.number(area)).into_iter();
            fired.flat_map(|fired| fired.by_event(&self.said.key))
        };
        let is_told = |campaign: &&Armed| *place_for(&self.area, campaign.name.owner(), areas.grants()) == self.area;
        let (told, untold): (Vec<_>, Vec<_>) = waiting(&Area::Anywhere).partition(is_told);
        let at_place = waiting(&self.area).filter(|_| self.area != Area::Anywhere);
        candidates.extend(candidates_at(&self.area, at_place.chain(told).collect()));
        candidates.extend(candidates_at(&Area::Anywhere, untold));
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

/// Where a campaign of the brand that is meant for anywhere is told that an event happened: at its place only if the brand
/// may target that, or it would reach, and its receipts would tell, places of networks that granted nothing.
pub(super) fn place_for<'a>(area: &'a Area, brand: &str, grants: &Grants) -> &'a Area {
    let is_told = area.owner().is_some_and(|network| grants.lets(brand, network));
    if is_told { area } else { &Area::Anywhere }
}

/// Tells the receipt what happened, and whether it was where nobody knows.
pub fn note_event(event: Option<&Event<'_>>, decision: &mut Decision) {
    decision.event = event.map(Event::happened);
    if event.is_some_and(|event| event.is_lost) {
        decision.notes.push(Note::UnknownPlace);
    }
}
