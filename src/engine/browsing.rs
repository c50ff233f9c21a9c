//! Looking around: what somebody could be offered at the places near them, if what fires it happened.
//!
//! Laws: the gates are those of a decision, less the trigger; nothing is taken and nothing is remembered, so that looking is
//! free. Who is asked for their visits is supposed to be on the one that fires it. Law 4: without consent to marketing there
//! is nothing to see. Without consent to location previews are shown, for nothing is kept of them, with the note that they
//! need it to become offers.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    areas::Areas,
    boxes,
    catalog::Catalog,
    choice,
    decide::distance,
    eligibility::{Gates, Standing},
    entry::{AreaView, Mark},
    experiment::Drawn,
    foremost::{Beside, Together},
    known::Known,
    ranking::{self, Candidate, Cause},
    supposed::{self, Supposed},
};
use crate::domain::{
    audience::Rule,
    budget::AccountId,
    campaign::Campaign,
    consent::{Location, Marketing},
    content::Message,
    decision::{Note, Rank},
    geo::Position,
    name::{CampaignName, StoreName},
    offer::OfferStore,
    organization::App,
    place::{PlaceName, Store},
    presence::Area,
    profile::{Device, Profile},
    time::Timestamp,
};

/// Most places with campaigns that are looked at, the nearest: more than anybody looks through.
const MAX_PLACES: usize = 2_000;
/// Most stores among which those with campaigns are looked for, the nearest: a tenth of a second of work where none has any.
const MAX_STORES: usize = 100_000;
/// Most campaigns that are asked about, each at each of its places, the nearest first: some ten milliseconds of work.
const MAX_CANDIDATES: usize = 20_000;

/// Who looks around, where, and how far.
pub struct Look<'a> {
    pub catalog: &'a Catalog,
    pub app: &'a App,
    pub profile: &'a Profile,
    pub device: &'a Device,
    pub now: Timestamp,
    pub position: Position,
    /// Metres.
    pub radius_m: f64,
    /// Most previews wanted.
    pub limit: usize,
    /// Accounts of which the ledger has nothing left.
    pub exhausted: &'a BTreeSet<AccountId>,
}

/// What an offer would be, if it were made now.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub campaign: CampaignName,
    pub message: Message,
    /// Where it would be made: the nearest of its places.
    pub area: Area,
    pub store: Option<OfferStore>,
    pub distance_m: f64,
    pub valid_until: Timestamp,
    /// What its coupon is worth at the till.
    pub instruction: Option<String>,
}

/// A place with campaigns.
struct Spot<'a> {
    area: Area,
    view: AreaView<'a>,
    store: Option<&'a Arc<Store>>,
    distance_m: f64,
    together: Together<'a>,
}

/// The best first, each campaign once; and what was so of the person as a whole.
pub fn browse(look: &Look<'_>) -> (Vec<Preview>, Vec<Note>) {
    let Look { catalog, app, profile, device, now, exhausted, .. } = *look;
    let mut notes = Vec::new();
    notes.extend(profile.consents.permit::<Location>().is_none().then_some(Note::NoLocationConsent));
    if profile.consents.permit::<Marketing>().is_none() {
        notes.push(Note::NoMarketingConsent);
        return (Vec::new(), notes);
    }
    let profiling = profile.consents.permit();
    notes.extend(profiling.is_none().then_some(Note::ContextOnly));
    let visits = profiling.map(|permit| profile.visits(permit).clone());
    let standing = Standing { catalog, app, profile, device, now, is_suspect: false, exhausted };
    let gates = Gates::new(standing, visits.as_deref(), &|_, _| None);
    let spots = spots(&catalog.areas, look.position, look.radius_m);
    let areas = &Known::of(&catalog.areas);
    let mut passed: Vec<(Candidate<'_>, Rank)> = Vec::new();
    let (mut seen, mut left) = (BTreeSet::new(), MAX_CANDIDATES);
    let mut beside = Beside::at(&catalog.areas, now);
    for spot in &spots {
        if left == 0 {
            break;
        }
        let candidates: Vec<Candidate<'_>> =
            spot.candidates((profile, now), &mut beside).into_iter().take(left).collect();
        left -= candidates.len();
        // Who is held out of a campaign is to see no preview of it either, or the experiment would measure nothing.
        let is_hidden = |candidate: &Candidate<'_>| candidate.is_held_out() || seen.contains(&candidate.campaign.name);
        let shown = candidates.into_iter().filter(|candidate| !is_hidden(candidate));
        let (on_visit, others): (Vec<_>, Vec<_>) =
            shown.partition(|candidate| asks_for_visits(catalog, candidate.campaign));
        let others = others.into_iter().filter(|candidate| !gates.refuses(candidate));
        for candidate in others.chain(passing(&standing, areas, on_visit)).collect::<Vec<_>>() {
            seen.insert(&candidate.campaign.name);
            let rank = ranking::rank(&candidate, &gates.person);
            passed.push((candidate, rank));
        }
    }
    passed.sort_by(ranking::order);
    let previews = passed.iter().take(look.limit).map(|(candidate, _)| preview(candidate, &gates));
    (previews.collect(), notes)
}

/// Whether the campaign waits for a later visit, or its audience, or a segment that it names, has a condition about visits.
fn asks_for_visits(catalog: &Catalog, campaign: &Campaign) -> bool {
    let is_asked = |rule: &Rule| matches!(rule, Rule::Visits { .. } | Rule::LastVisit { .. });
    let audience = &campaign.audience;
    let mut rules = audience.terms().iter().flat_map(|term| term.rule.nodes());
    let is_asked_by = |rule: &Rule| match rule {
        Rule::Segment(name) => {
            let segment = catalog.segments.get(name);
            segment.is_some_and(|segment| segment.value.audience.rule().nodes().any(is_asked))
        }
        rule => is_asked(rule),
    };
    !campaign.trigger.visit.is_any() || rules.any(is_asked_by)
}

/// Those of one spot that the gates let pass if what fires them happened: each supposition is made once.
fn passing<'s>(standing: &Standing<'_>, areas: &Known<'_>, mut candidates: Vec<Candidate<'s>>) -> Vec<Candidate<'s>> {
    let kind = |candidate: &Candidate<'_>| supposed::transition(&candidate.campaign.trigger.on);
    candidates.sort_by_key(kind);
    let mut passed = Vec::new();
    for alike in candidates.chunk_by(|a, b| kind(a) == kind(b)) {
        let supposed = Supposed::of(standing, areas, (alike[0].area, kind(&alike[0])));
        let stays = |place: &PlaceName, at| supposed.begun(place, at);
        let gates = Gates::new(*standing, supposed.visits(), &stays);
        passed.extend(alike.iter().filter(|candidate| !gates.refuses(candidate)).cloned());
    }
    passed
}

impl<'a> Spot<'a> {
    /// Those that a ping would consider if what fires them happened there, by name.
    fn candidates(&self, (person, now): (&Profile, Timestamp), beside: &mut Beside<'a>) -> Vec<Candidate<'_>> {
        let candidate = |campaign| Candidate {
            campaign,
            cause: Cause::Browsed,
            area: &self.area,
            at: now,
            stale: false,
            view: Some(self.view),
            store: self.store,
            distance_m: Some(self.distance_m),
            drawn: Drawn::of(campaign, &person.name),
            trial: false,
        };
        self.together.considered(beside).map(candidate).collect()
    }
}

/// The places within the radius that have campaigns, nearest first.
fn spots(areas: &Areas, position: Position, radius_m: f64) -> Vec<Spot<'_>> {
    let mut near: BTreeSet<Area> = BTreeSet::new();
    for bounds in boxes::around(position, radius_m) {
        areas.meeting(&bounds, |_, entry| near.extend([entry.view().area()]));
    }
    let stores = areas.nearest_stores(position).take(MAX_STORES).take_while(|(_, metres)| *metres <= radius_m);
    let live = stores.map(|(store, _)| without_a_box(areas, &store.name)).filter(|areas| !areas.is_empty());
    near.extend(live.take(MAX_PLACES).flatten());
    let spot = |area: Area| {
        areas.fired(Mark::of(&area), &area)?;
        let view = areas.get(&area)?;
        let store = view.store().and_then(|store| areas.stores.get(store)).map(|entry| &entry.value);
        let distance_m = distance(view, store, Some(position))?;
        let together = Together::at(areas, &area);
        (distance_m <= radius_m).then_some(Spot { area, view, store, distance_m, together })
    };
    let mut spots: Vec<Spot<'_>> = near.into_iter().filter_map(spot).collect();
    spots.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then_with(|| a.area.cmp(&b.area)));
    spots.truncate(MAX_PLACES);
    spots
}

/// The store and its beacons, those of them that have campaigns; what else belongs to it has a box.
fn without_a_box(areas: &Areas, store: &StoreName) -> Vec<Area> {
    let beacons = areas.targets().parts(store).filter_map(|part| match part {
        PlaceName::Beacon(name) => Some(Area::Beacon(name.clone())),
        PlaceName::Geofence(_) | PlaceName::Store(_) => None,
    });
    let all = [Area::Store(store.clone())].into_iter().chain(beacons);
    all.filter(|area| areas.fired(Mark::of(area), area).is_some()).collect()
}

fn preview(candidate: &Candidate<'_>, gates: &Gates<'_>) -> Preview {
    let limits = &candidate.campaign.limits;
    Preview {
        campaign: candidate.campaign.name.clone(),
        message: choice::message(candidate, gates),
        area: candidate.area.clone(),
        store: candidate.store.map(|store| OfferStore::of(store)),
        distance_m: candidate.distance_m.unwrap_or(0.0),
        valid_until: (gates.now + limits.valid_for).min(limits.ends_at.unwrap_or(Timestamp::MAX)),
        instruction: candidate.campaign.coupon.as_ref().map(|coupon| coupon.instruction.clone()),
    }
}
