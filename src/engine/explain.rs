//! Would this person get this campaign at this place and time, and if not, what would have to be otherwise?
//!
//! Laws: every gate answers by the very function that decides ([`Gates::ask`]), and a moment that is promised was asked.
//! Nothing changes, and nobody competes: that another campaign may rank higher is for the day itself. It is supposed that
//! the trigger happens then.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    armed::Armed,
    civil,
    decide::has_distance,
    eligibility::{Gates, Standing},
    experiment::Drawn,
    gate::Gate,
    happening::area_at,
    known::Known,
    ranking::{Candidate, Cause},
    remedy::remedy,
    schedule,
    supposed::{self, Supposed},
    taking,
    trial::Tried,
};
use crate::domain::{
    budget::AccountId,
    campaign::{Campaign, CampaignState},
    cap::{CivilPeriod, Within},
    consent::Location,
    decision::{Note, Reason},
    place::PlaceName,
    presence::Area,
    schedule::{Weekdays, Window, spans},
    time::Timestamp,
    trigger::{On, Target},
};

/// Most moments that one gate is asked at, and most rounds until all gates agree: a year of days, or the offers that a
/// profile remembers.
const MOST_MOMENTS: usize = 1_000;
const MOST_ROUNDS: usize = 100;
const DAY: Duration = Duration::from_secs(86_400);
const A_YEAR: Duration = Duration::from_secs(366 * 86_400);

/// What is supposed.
pub struct Case<'a> {
    /// What is exhausted is asked of [`accounts`].
    pub standing: Standing<'a>,
    /// Active, whatever it is.
    pub campaign: &'a Arc<Campaign>,
    /// What it really is.
    pub state: CampaignState,
    /// Where the trigger happens: the place, or one of what belongs to it.
    pub place: &'a PlaceName,
    /// From the person to the store, else into the geofence.
    pub distance_m: f64,
}

/// What one question was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// STATE, TRIGGER, HOLDOUT, or the gate's name.
    pub gate: &'static str,
    /// The code and the words of the refusal; none if it passed.
    pub refusal: Option<(&'static str, String)>,
}

/// One thing that would have to be otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// Of which answer.
    pub gate: &'static str,
    pub words: String,
    /// If waiting will do, until when.
    pub at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub would_offer: bool,
    /// In the order in which they are asked. Nothing is asked where the campaign does not fire.
    pub answers: Vec<Answer>,
    /// All that must change, in the same order; the fewest conditions of the audience.
    pub flips: Vec<Flip>,
    /// When first nothing refuses, if all else stays as it is and waiting is enough.
    pub at: Option<Timestamp>,
    /// The variant of the experiment that the person is drawn, held out or not.
    pub variant: Option<String>,
}

impl Explanation {
    /// Tells no more of a budget than that it is used up.
    pub fn forget_budgets(&mut self) {
        let refusals = self.answers.iter_mut().filter_map(|answer| answer.refusal.as_mut());
        for (code, words) in refusals.filter(|(code, _)| *code == Reason::BudgetExhausted.code()) {
            *words = Reason::meaning_of(code).unwrap_or_default().to_owned();
        }
    }
}

/// Asks everything.
pub fn explain(case: &Case<'_>) -> Explanation {
    let is_active = case.state == CampaignState::Active;
    let state = (!is_active).then(|| ("NOT_ACTIVE", format!("the campaign is {}", case.state.as_str())));
    let mut answers = vec![Answer { gate: "STATE", refusal: state }];
    let mut flips = Vec::new();
    if !is_active {
        flips.push(Flip::new("STATE", "the campaign must be activated"));
    }
    let now = case.standing.now;
    let Some(asked) = case.at(now, |gates, candidate| ask(case, gates, candidate)) else {
        let words = format!("the campaign does not fire at {}", case.place);
        answers.push(Answer { gate: "TRIGGER", refusal: Some(("NOT_TARGETED", words)) });
        flips.push(Flip::new("TRIGGER", "the campaign must target the place, and its network must grant it"));
        return Explanation { would_offer: false, answers, flips, at: None, variant: None };
    };
    let refusal = case.unknown_place();
    if refusal.is_some() {
        flips.push(Flip::new("TRIGGER", "the person must agree to location"));
    }
    answers.push(Answer { gate: "TRIGGER", refusal });
    answers.extend(asked.answers);
    flips.extend(asked.flips);
    let would_offer = answers.iter().all(|answer| answer.refusal.is_none());
    let can_wait = !would_offer && flips.iter().all(|flip| flip.at.is_some());
    let at = can_wait.then(|| case.first_of_all(now)).flatten();
    Explanation { would_offer, answers, flips, at, variant: asked.variant }
}

/// The accounts that may have nothing left at the moments that [`explain`] asks about, if it is `now`: of periods that are
/// yet to come nothing is taken.
pub fn accounts(case: &Case<'_>, now: Timestamp) -> BTreeSet<AccountId> {
    let (mut named, mut at) = (BTreeSet::new(), case.standing.now);
    for _ in 0..MOST_MOMENTS {
        let next = case.at(at, |_, candidate| {
            named.extend(taking::for_offer(candidate, at).map(|account| account.id));
            taking::next_period(candidate, at)
        });
        match next.flatten().filter(|&next| at < next && next <= now) {
            Some(next) => at = next,
            None => break,
        }
    }
    named
}

/// What the gates and the draw say.
struct Asked {
    answers: Vec<Answer>,
    flips: Vec<Flip>,
    variant: Option<String>,
}

fn ask(case: &Case<'_>, gates: &Gates<'_>, candidate: &Candidate<'_>) -> Asked {
    let variant = candidate.drawn.and_then(|drawn| Some(drawn.variant?.id.to_string()));
    let mut asked = Asked { answers: Vec::new(), flips: Vec::new(), variant };
    let mut is_drawn = false;
    for gate in Gate::ORDER {
        if gate.is_after_draw() && !std::mem::replace(&mut is_drawn, true) {
            asked.draw(candidate.drawn);
        }
        let reasons = gates.ask_all(gate, candidate);
        asked.flips.extend(flips(case, gate, &reasons, (gates, candidate)));
        let refusal = reasons.first().map(|reason| (reason.code(), reason.to_string()));
        asked.answers.push(Answer { gate: gate.name(), refusal });
    }
    asked
}

impl Asked {
    fn draw(&mut self, drawn: Option<Drawn<'_>>) {
        let Some(drawn) = drawn else { return };
        let reason = drawn.is_held_out.then_some(Reason::Holdout { ghost: None, otherwise: None });
        if reason.is_some() {
            self.flips.push(Flip::new("HOLDOUT", "the experiment must end, or its holdout be smaller"));
        }
        let refusal = reason.map(|reason| (reason.code(), reason.to_string()));
        self.answers.push(Answer { gate: "HOLDOUT", refusal });
    }
}

/// What must change for the gate to pass: conditions of the audience each by itself.
fn flips(
    case: &Case<'_>,
    gate: Gate,
    reasons: &[Reason],
    (gates, candidate): (&Gates<'_>, &Candidate<'_>),
) -> Vec<Flip> {
    if reasons.is_empty() {
        return Vec::new();
    }
    if gate == Gate::Audience {
        let changes = gates.person.changes_to(&case.campaign.audience, &candidate.site());
        return changes.iter().map(|change| Flip::new(gate.name(), change.to_string())).collect();
    }
    let mut remedies: Vec<String> = Vec::new();
    for remedy in reasons.iter().map(remedy) {
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    let flip = |words: &String| {
        let others: Vec<&String> = remedies.iter().filter(|other| *other != words).collect();
        let at = case.first((gate, &others), case.standing.now);
        Flip { at, ..Flip::new(gate.name(), words.as_str()) }
    };
    remedies.iter().map(flip).collect()
}

impl Flip {
    fn new(gate: &'static str, words: impl Into<String>) -> Self {
        Self { gate, words: words.into(), at: None }
    }
}

impl Case<'_> {
    /// Supposes that the trigger happens at that moment, and asks; none if the campaign does not fire there.
    fn at<T>(&self, now: Timestamp, ask: impl FnOnce(&Gates<'_>, &Candidate<'_>) -> T) -> Option<T> {
        let standing = Standing { now, ..self.standing };
        let catalog = standing.catalog;
        let area = &self.area()?;
        let tried = Tried::supposing(catalog, self.campaign, area);
        let areas = &Known::trying(&catalog.areas, Some(&tried));
        let view = areas.view(areas.number(area));
        let kind = supposed::transition(&self.campaign.trigger.on);
        let cause = match &self.campaign.trigger.on {
            On::AppEvent { key } => Cause::Event(key),
            _ => kind.map_or(Cause::Browsed, Cause::Transition),
        };
        let supposed = Supposed::of(&standing, areas, (area, kind));
        let stays = |place: &PlaceName, at| supposed.begun(place, at);
        let gates = Gates::new(standing, supposed.visits(), &stays);
        let drawn = Drawn::of(self.campaign, &standing.profile.name);
        let store = view.and_then(|view| areas.store_of(view));
        let distance_m = view.filter(|view| has_distance(*view, store)).map(|_| self.distance_m);
        // As if it were active, whoever tries it.
        let (campaign, at, stale, trial) = (&Armed::of(self.campaign), now, false, false);
        Some(ask(&gates, &Candidate { campaign, cause, area, at, stale, view, store, distance_m, drawn, trial }))
    }

    /// Where the campaign fires, of all that the place stands for.
    fn area(&self) -> Option<Area> {
        let catalog = self.standing.catalog;
        let targets = catalog.areas.targets();
        if self.is_meant_anywhere() {
            let permit = self.standing.profile.consents.permit::<Location>();
            return Some(permit.map_or(Area::Anywhere, |_| area_at(&catalog.areas, self.place)));
        }
        let areas = targets.areas_of(self.place, &self.campaign.trigger.on);
        areas.into_iter().find(|area| targets.means(catalog, self.campaign, area))
    }

    fn is_meant_anywhere(&self) -> bool {
        self.campaign.trigger.at == Target::Anywhere
    }

    /// Why nobody gets to know where the trigger happens, if it must happen at a place.
    fn unknown_place(&self) -> Option<(&'static str, String)> {
        let is_known = self.standing.profile.consents.permit::<Location>().is_some();
        let words = || "the person did not agree to location: pings of theirs are matched with no place".to_owned();
        (!is_known && !self.is_meant_anywhere()).then(|| (Note::NoLocationConsent.code(), words()))
    }

    /// The first moment, not before this one, at which the gate lets it pass if all else stays but what was done to remedy
    /// other reasons; none if waiting is no use.
    fn first(&self, (gate, done): (Gate, &[&String]), from: Timestamp) -> Option<Timestamp> {
        let is_left = |reason: &Reason| done.is_empty() || !done.contains(&&remedy(reason));
        let mut at = from;
        for _ in 0..MOST_MOMENTS {
            match self.at(at, |gates, candidate| gates.ask_all(gate, candidate).into_iter().find(is_left))? {
                None => return Some(at),
                Some(reason) => at = self.next(&reason, at).filter(|&next| next > at)?,
            }
        }
        None
    }

    /// The first moment at which all gates do.
    fn first_of_all(&self, from: Timestamp) -> Option<Timestamp> {
        let mut at = from;
        for _ in 0..MOST_ROUNDS {
            let before = at;
            for gate in Gate::ORDER {
                at = self.first((gate, &[]), at)?;
            }
            if at == before {
                return Some(at);
            }
        }
        None
    }

    /// When a store opens that is closed for longer than pings look ahead: within a year of what is asked about, however
    /// often that is asked.
    fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.standing.now + A_YEAR;
        self.at(now, |_, candidate| schedule::opens_at(candidate.store?, (now, until)))?
    }

    /// A moment before which nothing about the refusal changes, and at which something may.
    fn next(&self, reason: &Reason, now: Timestamp) -> Option<Timestamp> {
        let zone = self.standing.zone();
        match reason {
            Reason::NotStarted { starts_at } => Some(*starts_at),
            Reason::QuietHours { from, to, .. } => {
                let loud = [Window { days: Weekdays::ALL, from: *to, to: *from }];
                let is_whole_day = from == to;
                let end = || civil::first(zone, (now, now + 3 * DAY), true, |date| spans(&loud, date));
                if is_whole_day { None } else { end() }
            }
            Reason::OutsideWindows { next_at, .. } => *next_at,
            Reason::StoreClosed { opens_at } => opens_at.or_else(|| self.opens_at(now)),
            Reason::LastCall { closes_at, .. } => Some(*closes_at),
            Reason::DailyOffers { most: 0, .. } | Reason::PriorityShare { most: 0, .. } => None,
            Reason::DailyOffers { .. } | Reason::PriorityShare { .. } => Some(CivilPeriod::Day.next(zone, now)),
            Reason::AppCoolDown { until } | Reason::BrandCoolDown { until } | Reason::CoolDown { until } => {
                Some(*until)
            }
            Reason::BrandCap { within, .. } | Reason::CampaignCap { within, .. } => match *within {
                Within::Period(period) => Some(period.next(zone, now)),
                Within::Window(window) => {
                    let ends = self.standing.profile.offers.iter().map(|offer| offer.offered_at + window);
                    ends.filter(|&end| end > now).min()
                }
            },
            Reason::BudgetExhausted | Reason::UnitsExhausted { .. } => {
                self.at(now, |gates, candidate| gates.budget_renewed_at(candidate))?
            }
            _ => None,
        }
    }
}
