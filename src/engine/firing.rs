//! Which campaigns fire at which areas, for a whole catalog or after an edit.
//!
//! Laws: a broken campaign is skipped and reported, never fatal; "near a store within r" becomes a circle around it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use super::{
    areas::{Areas, Fired},
    armed::Armed,
    catalog::Catalog,
    compile::Touched,
    entry::{AreaEntry, Mark},
    faults::{self, Fault},
    foremost::Together,
    regions,
    targets::Findable,
};
use crate::domain::{
    campaign::{Campaign, CampaignState, On, Target},
    name::{CampaignName, OrganizationName, StoreName},
    place::PlaceName,
    presence::Area,
    time::Timestamp,
};

/// From so many questions whether a campaign means a place on, all campaigns are resolved anew.
const MAX_QUESTIONS: usize = 200_000;

impl Areas {
    /// Asks every active campaign for all its areas.
    pub(super) fn fire_all(&mut self, catalog: &Catalog) {
        let mut fired: BTreeMap<Area, Vec<Armed>> = BTreeMap::new();
        let mut problems = BTreeMap::new();
        for campaign in active(catalog) {
            let armed = Armed::of(campaign);
            let meant: Vec<Area> = self.targets.meant(catalog, campaign).collect();
            note_problems(
                &mut problems,
                campaign,
                faults::meaning(meant.iter().cloned(), &self.targets, catalog, campaign),
            );
            meant.into_iter().for_each(|area| fired.entry(area).or_default().push(armed.clone()));
        }
        self.problems = Arc::new(problems);
        let made = |(area, mut campaigns): (Area, Vec<Armed>)| {
            campaigns.dedup_by(|a, b| a.name == b.name);
            let fired = fired_at(catalog, &area, campaigns)?;
            Some(((Mark::of(&area), area), Arc::new(fired)))
        };
        let fired: Vec<_> = fired.into_iter().filter_map(made).collect();
        self.fired = Default::default();
        self.fired.extend(fired);
        self.crowded = Arc::new(self.crowds());
    }

    /// Brings what areas fire up to date; returns the circles around stores that may have come, gone or moved.
    pub(super) fn fire(&mut self, old: &Self, before: &Catalog, next: &Catalog, touched: &Touched) -> BTreeSet<Area> {
        let campaigns: Vec<&Arc<Campaign>> = active(next).collect();
        let changed = touched.campaigns.len() + usize::from(touched.grants) * campaigns.len();
        if touched.places.len() * campaigns.len() > MAX_QUESTIONS || changed > campaigns.len() / 2 {
            self.fire_all(next);
            let areas = old.fired.keys().chain(self.fired.keys()).map(|(_, area)| area);
            return areas.filter(|area| is_around(area)).cloned().collect();
        }
        let mut stirred = BTreeSet::new();
        for name in &touched.campaigns {
            stirred.extend(self.replace_campaign(old, before, next, name));
        }
        for area in self.areas_at(old, &campaigns, touched) {
            let firing = campaigns.iter().filter(|campaign| self.targets.means(next, campaign, &area));
            let firing = firing.map(|&campaign| Armed::of(campaign)).collect();
            self.put_fired(next, &area, firing);
            stirred.extend(Some(area).filter(is_around));
        }
        // Events at any place fire what is meant for anywhere, too.
        let anywhere = |areas: &Self| areas.fired(Mark::of(&Area::Anywhere), &Area::Anywhere).map(Arc::as_ptr);
        if anywhere(old) != anywhere(self) {
            self.crowded = Arc::new(self.crowds());
        }
        self.renew_problems((before, next), &campaigns, touched);
        stirred
    }

    /// Returns the circles around stores that the campaign was meant for, and those that it is.
    fn replace_campaign(
        &mut self,
        old: &Self,
        before: &Catalog,
        next: &Catalog,
        name: &CampaignName,
    ) -> BTreeSet<Area> {
        let mut stirred = BTreeSet::new();
        let was_meant = active_named(before, name).into_iter().flat_map(|c| old.targets.meant(before, c));
        for area in was_meant {
            let others = |campaign: &&Armed| campaign.name != *name;
            let left = self.campaigns(&area).iter().filter(others).cloned().collect();
            self.put_fired(next, &area, left);
            stirred.extend(Some(area).filter(is_around));
        }
        if let Some(campaign) = active_named(next, name) {
            stirred.extend(self.fire_also(next, campaign));
        }
        stirred
    }

    /// Lets the campaign fire at all its areas; returns the circles around stores that it is meant for.
    fn fire_also(&mut self, next: &Catalog, campaign: &Arc<Campaign>) -> BTreeSet<Area> {
        let (name, armed) = (&campaign.name, Armed::of(campaign));
        let is_meant: BTreeSet<Area> = self.targets.meant(next, campaign).collect();
        for area in &is_meant {
            let mut firing: Vec<Armed> = self.campaigns(area).to_vec();
            firing.retain(|other| other.name != *name);
            let at = firing.partition_point(|other| other.name < *name);
            firing.insert(at, armed.clone());
            self.put_fired(next, area, firing);
        }
        is_meant.into_iter().filter(is_around).collect()
    }

    fn put_fired(&mut self, next: &Catalog, area: &Area, campaigns: Vec<Armed>) {
        let key = (Mark::of(area), area.clone());
        self.note_crowd(area, &campaigns);
        match fired_at(next, area, campaigns) {
            Some(fired) => self.fired.insert(key, Arc::new(fired)),
            None => self.fired.remove(&key),
        }
    }

    /// Where which organizations have too many campaigns.
    fn crowds(&self) -> BTreeMap<OrganizationName, BTreeSet<Area>> {
        let mut crowds: BTreeMap<OrganizationName, BTreeSet<Area>> = BTreeMap::new();
        for ((_, area), fired) in self.fired.iter() {
            for owner in Together::new(&fired.campaigns, self.anywhere_beside(area)).crowding() {
                crowds.entry(owner).or_default().insert(area.clone());
            }
        }
        crowds
    }

    /// Remembers which organizations have too many of these campaigns at the area.
    fn note_crowd(&mut self, area: &Area, campaigns: &[Armed]) {
        let together = Together::new(campaigns, self.anywhere_beside(area));
        let crowding: Vec<OrganizationName> = together.crowding().collect();
        if crowding.is_empty() && !self.crowded.values().any(|areas| areas.contains(area)) {
            return;
        }
        let crowded = Arc::make_mut(&mut self.crowded);
        for areas in crowded.values_mut() {
            areas.remove(area);
        }
        for owner in crowding {
            crowded.entry(owner).or_default().insert(area.clone());
        }
        crowded.retain(|_, areas| !areas.is_empty());
    }

    /// Every area that the touched places are, or were, or lend their tags to.
    fn areas_at(&self, old: &Self, campaigns: &[&Arc<Campaign>], touched: &Touched) -> BTreeSet<Area> {
        let mut triggers: Vec<&On> = Vec::new();
        for on in campaigns.iter().map(|campaign| &campaign.trigger.on) {
            if !triggers.iter().any(|other| asks_alike(on, other)) {
                triggers.push(on);
            }
        }
        let both = [&old.targets, &self.targets];
        let of_place = |place: &PlaceName| -> Vec<Area> {
            both.iter().flat_map(|targets| triggers.iter().flat_map(|&on| targets.areas_of(place, on))).collect()
        };
        touched.places.iter().flat_map(of_place).collect()
    }

    /// What belongs to touched stores, whose hours are its own.
    fn touched_by_hours(&self, touched: &Touched) -> BTreeSet<PlaceName> {
        let stores = touched.places.iter().filter_map(|place| match place {
            PlaceName::Store(store) => Some(store),
            PlaceName::Geofence(_) | PlaceName::Beacon(_) => None,
        });
        stores.flat_map(|store| self.targets.parts(store).cloned()).collect()
    }

    fn renew_problems(
        &mut self,
        (before, next): (&Catalog, &Catalog),
        campaigns: &[&Arc<Campaign>],
        touched: &Touched,
    ) {
        let hours = self.touched_by_hours(touched);
        let concerned = campaigns.iter().filter(|campaign| concerns((before, next), campaign, (touched, &hours)));
        let concerned = concerned.map(|campaign| &campaign.name);
        let mut problems = BTreeMap::clone(&self.problems);
        for name in touched.campaigns.iter().chain(concerned) {
            problems.remove(name);
            if let Some(campaign) = active_named(next, name) {
                note_problems(&mut problems, campaign, faults::of(&self.targets, next, campaign));
            }
        }
        self.problems = Arc::new(problems);
    }
}

/// Whether both triggers ask for the same areas.
fn asks_alike(one: &On, other: &On) -> bool {
    match (one, other) {
        (On::AppEvent { .. }, On::AppEvent { .. }) => true,
        _ => one == other || (one.is_at_geofences() && other.is_at_geofences()),
    }
}

pub(super) fn is_around(area: &Area) -> bool {
    matches!(area, Area::Around(..))
}

fn active(catalog: &Catalog) -> impl Iterator<Item = &Arc<Campaign>> {
    catalog.campaigns.values().map(|entry| &entry.value).filter(|campaign| campaign.state == CampaignState::Active)
}

fn active_named<'a>(catalog: &'a Catalog, name: &CampaignName) -> Option<&'a Arc<Campaign>> {
    let campaign = &catalog.campaigns.get(name)?.value;
    (campaign.state == CampaignState::Active).then_some(campaign)
}

/// Whether a change of places, segments or other campaigns may be one of the campaign's problems, or the end of one.
fn concerns(
    (before, next): (&Catalog, &Catalog),
    campaign: &Campaign,
    (touched, hours): (&Touched, &BTreeSet<PlaceName>),
) -> bool {
    let spot = |catalog, place| Findable::of(catalog, place).and_then(|found| found.spot(catalog));
    let is_touched = |store: &StoreName| touched.places.contains(&PlaceName::Store(store.clone()));
    touched.grants
        || faults::audiences(next, campaign).any(|audience| {
            audience.visited_stores().any(is_touched)
                || audience.offering().any(|name| touched.campaigns.contains(name))
        })
        || (!touched.segments.is_empty() && campaign.audience.segments().any(|name| touched.segments.contains(name)))
        || match &campaign.trigger.at {
            Target::Places(places) => {
                let mut touched = touched.places.iter();
                touched.any(|place| places.contains(place) || !matches!(place, PlaceName::Store(_)))
                    || hours.iter().any(|part| places.contains(part))
            }
            Target::Tagged { network, .. } | Target::Network(network) => {
                touched.places.iter().any(|place| place.organization() == *network)
            }
            Target::Within(shape) => {
                let mut spots = touched.places.iter().flat_map(|place| [spot(before, place), spot(next, place)]);
                spots.any(|spot| spot.is_some_and(|spot| regions::holds(shape, spot)))
            }
            Target::Anywhere => false,
        }
}

fn note_problems(problems: &mut BTreeMap<CampaignName, Vec<Fault>>, campaign: &Campaign, faults: Vec<Fault>) {
    if !faults.is_empty() {
        problems.insert(campaign.name.clone(), faults);
    }
}

/// What these campaigns make of an area; none if there are none.
pub(super) fn fired_at(catalog: &Catalog, area: &Area, campaigns: Vec<Armed>) -> Option<Fired> {
    let around = match area {
        Area::Around(store, radius_m) => AreaEntry::around(&catalog.stores.get(store)?.value, *radius_m),
        Area::Geofence(_) | Area::Beacon(_) | Area::Store(_) | Area::Anywhere => None,
    };
    let dwell = |campaign: &Armed| match campaign.trigger.on {
        On::Dwelt { after } => Some(after),
        On::Entered | On::Exited | On::Near { .. } | On::Heard | On::Crossed | On::AppEvent { .. } => None,
    };
    let dwells: BTreeSet<_> = campaigns.iter().filter_map(dwell).collect();
    let dwells = dwells.into_iter().collect();
    let leaving: Vec<&Armed> = campaigns.iter().filter(|campaign| campaign.trigger.on == On::Exited).collect();
    let exits = leaving.chunk_by(|a, b| a.name.owner() == b.name.owner()).map(|own| {
        let runs = own.iter().map(|campaign| campaign.limits.runs()).collect();
        (own[0].name.organization(), apart(runs))
    });
    let exits = exits.collect();
    (!campaigns.is_empty()).then_some(Fired { campaigns, dwells, exits, around })
}

/// The same times, apart from each other and rising.
fn apart(mut times: Vec<Range<Timestamp>>) -> Vec<Range<Timestamp>> {
    times.sort_by_key(|time| time.start);
    times.dedup_by(|next, last| {
        let is_met = next.start <= last.end;
        if is_met {
            last.end = last.end.max(next.end);
        }
        is_met
    });
    times
}
