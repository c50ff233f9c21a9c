//! One ping, one decision: pure and total.
//!
//! Law 5: the receipt is what this evaluation did, not a story told beside it. Law 1: what it takes (offers, units) is
//! only proposed here; the commit decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    armed::Armed,
    catalog::Catalog,
    choice::{self, Choice},
    eligibility::{Gates, Standing},
    engagement,
    entry::AreaView,
    experiment::Drawn,
    foremost::Foremost,
    ghosts,
    happening::{Event, note_event},
    known::Known,
    presence::{self, Step},
    ranging,
    ranking::{Candidate, Cause},
    silence,
    trial::Tried,
    visiting,
};
use crate::domain::{
    budget::{Account, AccountId, Holder, Take},
    consent::{Consented, Location},
    decision::{Considered, Decision, Note, Reason, Verdict},
    geo::Position,
    name::{CampaignName, DeviceName, ProfileName},
    offer::{DecisionId, GivenOffer, OfferId},
    organization::App,
    ping::{AppEvent, Ping, Reading},
    place::{PlaceName, Store},
    presence::{Belief, DevicePresence, Transition},
    profile::{Device, Profile},
    time::Timestamp,
};

/// An open visit is saved at least so often, well within the silence that ends one.
const SAVED_EVERY: Duration = Duration::from_secs(3_600);
/// Room for the campaigns that a ping with transitions fires: more are rare.
const MOSTLY_FIRED: usize = 32;

/// Everything a decision depends on; the same question has the same answer.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub catalog: &'a Catalog,
    pub app: &'a App,
    pub profile: &'a Profile,
    pub device: &'a DeviceName,
    pub ping: &'a Ping,
    pub seed: u64,
    /// Accounts of which the ledger has nothing left for this ping.
    pub exhausted: &'a BTreeSet<AccountId>,
}

/// The decision, and what the profile is after it.
pub struct Outcome {
    pub decision: Decision,
    pub profile: Profile,
    pub effect: Effect,
    /// The units of budgets that offers of this decision need.
    pub takes: Vec<Take>,
    /// Accounts that must have a unit left for its ghosts, which take none.
    pub wanted: Vec<Account>,
    /// Offers made earlier that the device says were never shown.
    pub returned: Vec<OfferId>,
}

/// What of the profile changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    Nothing,
    /// What only the cache needs to know.
    Soft,
    /// What must survive.
    Durable,
}

/// Decides. What the device says was never shown goes back first: all else is asked of the person as they are then.
pub fn decide(question: &Question<'_>) -> Outcome {
    let Question { profile, device, ping, .. } = *question;
    let Some(through) = ping.reported_through.filter(|_| unshown(profile, device, ping).next().is_some()) else {
        return decide_of(question);
    };
    let mut profile = profile.clone();
    let offers = Arc::<Vec<_>>::make_mut(&mut profile.offers);
    let returned = engagement::return_unshown(offers, device, through, ping.clock.received_at);
    let outcome = decide_of(&Question { profile: &profile, ..*question });
    Outcome { returned, effect: Effect::Durable, ..outcome }
}

/// The offers that the ping gives back: made to the device before everything shown was reported, and not shown.
pub fn unshown<'a>(
    profile: &'a Profile,
    device: &'a DeviceName,
    ping: &Ping,
) -> impl Iterator<Item = &'a GivenOffer> + use<'a> {
    let through = ping.reported_through.filter(|_| profile.devices.get(device).is_some());
    let now = ping.clock.received_at;
    let before = move |through| engagement::told_before(through, now);
    through.into_iter().flat_map(move |through| engagement::unshown(&profile.offers, device, before(through)))
}

/// A device that the profile does not have is answered as one that never pinged.
fn decide_of(question: &Question<'_>) -> Outcome {
    let mut outcome = Outcome {
        decision: blank(question.catalog, &question.profile.name, question.device, question.ping, question.seed),
        profile: question.profile.clone(),
        effect: Effect::Nothing,
        takes: Vec::new(),
        wanted: Vec::new(),
        returned: Vec::new(),
    };
    let device = question.profile.devices.get(question.device);
    outcome.decision.test = device.is_some_and(|device| device.test);
    // Only test devices are asked whether they try something.
    let tried = device
        .filter(|device| device.test)
        .and_then(|device| Tried::by(question.catalog, question.device, &device.presence, question.ping));
    let areas = &Known::trying(&question.catalog.areas, tried.as_ref()).of_app(&question.app.name);
    match (question.profile.consents.permit::<Location>(), device) {
        (Some(permit), Some(device)) => {
            locate(question, areas, (device, permit), &mut outcome);
        }
        (None, Some(device)) => {
            outcome.decision.notes.push(Note::NoLocationConsent);
            happen_nowhere(question, areas, device, &mut outcome);
        }
        (_, None) => outcome.decision.notes.push(Note::NoLocationConsent),
    }
    outcome
}

/// A decision about a ping that nothing was decided of yet: no transitions, no offers.
fn blank(catalog: &Catalog, profile: &ProfileName, device: &DeviceName, ping: &Ping, seed: u64) -> Decision {
    let at = ping.clock.received_at;
    Decision {
        id: DecisionId::new(at, choice::random(seed, 0)),
        profile: profile.clone(),
        device: device.clone(),
        ping: ping.id.clone(),
        at,
        catalog_version: catalog.version,
        seed,
        test: false,
        event: None,
        transitions: Vec::new(),
        notes: Vec::new(),
        considered: Vec::new(),
        offers: Vec::new(),
        ghosts: Vec::new(),
        next: silence::unknown(at),
    }
}

fn locate(
    question: &Question<'_>,
    areas: &Known<'_>,
    (device, _permit): (&Device, Consented<Location>),
    outcome: &mut Outcome,
) {
    let ping = question.ping;
    let mut step = presence::step(areas, &device.presence, ping);
    let heard = ranging::listen(areas, &device.presence, &mut step.presence, ping);
    let known = (device.presence.newest_fix, device.presence.newest_sighting);
    let (fix, sighting) = ping.newest_readings();
    let repeated = is_known(fix, known.0) && is_known(sighting, known.1);
    note_readings(&mut outcome.decision.notes, &step, &heard, ping, repeated);
    step.transitions.extend(heard.transitions);
    // Of one moment by name, whatever the index's layout: replay compares the order.
    step.transitions.sort_by(|a, b| (a.at, &a.area).cmp(&(b.at, &b.area)));
    let newest = ping.newest_fix().filter(|_| !ping.is_suspect());
    outcome.decision.next = silence::next(areas, &step.presence, newest, ping.clock.received_at);
    let now = ping.clock.received_at;
    if step.presence != device.presence {
        outcome.effect = Effect::Soft;
    }
    if step.began_visits || !step.transitions.is_empty() || is_unsaved(&step.presence, now) {
        outcome.effect = Effect::Durable;
        step.presence.saved_at = Some(now);
    }
    if let Some(permit) = question.profile.consents.permit() {
        visiting::note(areas, &step, outcome.profile.visits_mut(permit), permit, now);
    }
    let event = event_of(ping, device, &mut outcome.decision.notes).map(|event| {
        let is_located = device.presence.may_locate(event.read);
        if is_located { Event::of(areas, event, ping) } else { Event::nowhere(event, ping) }
    });
    note_event(event.as_ref(), &mut outcome.decision);
    if !step.transitions.is_empty() || event.is_some() {
        consider(question, areas, device, (&step, event.as_ref()), outcome);
    }
    outcome.decision.transitions = step.transitions;
    if let Some(device) = outcome.profile.devices.get_mut(question.device) {
        device.presence = DevicePresence { catalog_version: question.catalog.version, ..step.presence };
    }
}

/// An event of the app, where nobody is to know where: it fires what it fires anywhere, and of its place nothing is kept.
fn happen_nowhere(question: &Question<'_>, areas: &Known<'_>, device: &Device, outcome: &mut Outcome) {
    let Some(event) = event_of(question.ping, device, &mut outcome.decision.notes) else { return };
    let event = Event::nowhere(event, question.ping);
    let step = Step::default();
    outcome.decision.event = Some(event.happened());
    consider(question, areas, device, (&step, Some(&event)), outcome);
}

/// What happened in the app, unless whoever had the device before did it.
fn event_of<'a>(ping: &'a Ping, device: &Device, notes: &mut Vec<Note>) -> Option<&'a AppEvent> {
    let event = ping.event.as_ref()?;
    let is_theirs = device.presence.is_theirs(event.read);
    if !is_theirs {
        notes.push(Note::OutOfOrder { readings: 1 });
    }
    is_theirs.then_some(event)
}

/// Whether the record knows too little of an open visit: without it, a lost cache would make a long visit look like
/// silence, and the next ping like a second entry.
fn is_unsaved(presence: &DevicePresence, now: Timestamp) -> bool {
    let is_inside = presence.areas.values().any(|belief| matches!(belief, Belief::Inside(_)));
    is_inside && presence.saved_at.is_none_or(|saved_at| now.since(saved_at) > SAVED_EVERY)
}

/// Whether a reading brings nothing: there is none, or it is the one that is known.
fn is_known(newest: Option<Reading>, known: Option<Reading>) -> bool {
    newest.is_none_or(|newest| known.is_some_and(|known| known.is_same(newest)))
}

/// A repetition of the newest ping is told what it was told the first time, not that it is out of order.
fn note_readings(notes: &mut Vec<Note>, step: &Step, heard: &ranging::Heard, ping: &Ping, repeated: bool) {
    let readings = step.out_of_order + heard.out_of_order;
    if readings > 0 && !repeated {
        notes.push(Note::OutOfOrder { readings });
    }
    if step.inaccurate {
        notes.push(Note::Inaccurate);
    }
    if ping.is_suspect() {
        notes.push(Note::Mocked);
    }
    if step.implausible > 0 {
        notes.push(Note::Implausible { fixes: step.implausible });
    }
    if heard.unknown > 0 {
        notes.push(Note::UnknownBeacons { sightings: heard.unknown });
    }
    if heard.crowded > 0 {
        notes.push(Note::TooManyBeacons { sightings: heard.crowded });
    }
}

/// Every campaign that the transitions and the event fire gets a verdict; the chosen become offers.
fn consider(
    question: &Question<'_>,
    areas: &Known<'_>,
    device: &Device,
    (step, event): (&Step, Option<&Event<'_>>),
    outcome: &mut Outcome,
) {
    // Where whoever had the device before was is no distance of this person's, nor where they agreed to tell nobody.
    let newest = question.ping.newest_fix().filter(|fix| device.presence.may_locate(fix.read)).map(|fix| fix.position);
    let now = question.ping.clock.received_at;
    let fired = candidates(areas, (&question.profile.name, newest), &step.transitions, event, now);
    let (fired, left_out) = fired.all();
    if left_out > 0 {
        outcome.decision.notes.push(Note::TooManyCampaigns { campaigns: left_out });
    }
    if !fired.is_empty() {
        outcome.effect = Effect::Durable;
    } else if step.transitions.is_empty() {
        return;
    }
    let profiling = question.profile.consents.permit();
    if profiling.is_none() {
        outcome.decision.notes.push(Note::ContextOnly);
    }
    let visits = profiling.map(|permit| outcome.profile.visits(permit).clone());
    let stays = |place: &PlaceName, at| visiting::begun(areas, step, place, at);
    let Question { catalog, app, profile, exhausted, .. } = *question;
    let standing = Standing { catalog, app, profile, device, now, is_suspect: step.suspect, exhausted };
    let gates = Gates::new(standing, visits.as_deref(), &stays);
    let (mut refused, mut passed) = (Vec::with_capacity(fired.len()), Vec::with_capacity(fired.len()));
    for candidate in fired {
        match gates.refusal(&candidate) {
            Some((gate, reason)) => refused.push(refused_as(&candidate, candidate.verdict_of(gate, reason))),
            None => passed.push(candidate),
        }
    }
    let chosen = choice::choose(passed, gates, question.ping.max_offers, question.seed);
    record(question, chosen, outcome);
    outcome.decision.considered.extend(refused);
}

/// Each campaign once per area and transition or event, unless there are too many.
fn candidates<'t, 'c: 't>(
    areas: &Known<'c>,
    (person, newest): (&ProfileName, Option<Position>),
    transitions: &'t [Transition],
    event: Option<&'t Event<'_>>,
    now: Timestamp,
) -> Foremost<'t> {
    let mut candidates = Foremost::at(now, MOSTLY_FIRED);
    for Transition { area, kind, at, stale, .. } in transitions {
        let number = areas.number(area);
        let (Some(view), Some(fired)) = (areas.view(number), areas.fired(number)) else { continue };
        let store = areas.store_of(view);
        let (cause, distance_m) = (Cause::Transition(*kind), distance(view, store, newest));
        let (at, stale, view) = (*at, *stale, Some(view));
        let candidate = |campaign: &'t Armed| {
            let (drawn, trial) = (Drawn::of(campaign, person), campaign.is_on_trial());
            Candidate { campaign, cause, area, at, stale, view, store, distance_m, drawn, trial }
        };
        candidates.extend(fired.by(area, *kind).map(candidate));
    }
    if let Some(event) = event {
        event.fire(areas, (person, newest), &mut candidates);
    }
    candidates
}

/// Metres from the position to the store, else to the geofence (0 inside).
pub(super) fn distance(view: AreaView<'_>, store: Option<&Arc<Store>>, position: Option<Position>) -> Option<f64> {
    let position = position?;
    match (store, view.outline()) {
        (Some(store), _) => Some(store.position.distance_to(position)),
        (None, Some(outline)) if outline.holds(position) => Some(0.0),
        (None, Some(outline)) => Some(outline.edge_distance(position, f64::INFINITY)),
        (None, None) => None,
    }
}

/// Whether [`distance`] knows of one, wherever somebody is: nobody knows where a beacon without a store is.
pub(super) fn has_distance(view: AreaView<'_>, store: Option<&Arc<Store>>) -> bool {
    store.is_some() || view.outline().is_some()
}

fn refused_as(candidate: &Candidate<'_>, reason: Reason) -> Considered {
    Considered {
        campaign: candidate.campaign.name.clone(),
        area: candidate.area.clone(),
        store: candidate.store.map(|store| store.name.clone()),
        verdict: Verdict::Refused(reason),
        rank: None,
        trial: candidate.trial,
    }
}

/// Puts the choice into the decision and the profile.
fn record(question: &Question<'_>, choice: Choice, outcome: &mut Outcome) {
    let offered_at = question.ping.clock.received_at;
    let priority = |campaign: &CampaignName| question.catalog.campaigns.get(campaign).map(|entry| entry.value.priority);
    let mut all = Vec::with_capacity(choice.offers.len() + choice.ghosts.len());
    let mut given = |id, campaign: &CampaignName, ghost, trial| {
        let priority = priority(campaign).unwrap_or_default();
        let new = GivenOffer::new(id, campaign.clone(), question.device.clone(), offered_at);
        all.push(GivenOffer { priority, ghost, trial, ..new });
    };
    for (offer, accounts) in choice.offers {
        let take = |account| Take { account, holder: Holder::Offer(offer.id), units: 1, lapses_at: None };
        if !offer.trial {
            outcome.takes.extend(accounts.into_iter().map(take));
        }
        given(offer.id, &offer.campaign, false, offer.trial);
        outcome.decision.offers.push(offer);
    }
    outcome.wanted = choice.wanted;
    for ghost in choice.ghosts {
        given(ghost.id, &ghost.campaign, true, outcome.decision.test);
        outcome.decision.ghosts.push(ghost);
    }
    if !all.is_empty() {
        let haunting = all.iter().filter(|given| given.ghost).filter_map(|given| {
            let campaign = &question.catalog.campaigns.get(&given.campaign)?.value;
            Some((given.campaign.clone(), ghosts::needed(campaign, question.catalog, question.app)))
        });
        let needed: BTreeMap<CampaignName, usize> = haunting.collect();
        outcome.profile.offers = Arc::new(outcome.profile.offers.iter().cloned().chain(all).collect());
        if !needed.is_empty() {
            outcome.profile.keep_ghosts(&needed);
        }
    }
    outcome.decision.considered = choice.considered;
    outcome.profile.forget_old_offers(offered_at);
}
