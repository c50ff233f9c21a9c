//! Would this person get this campaign at this place and time, and if not, what would have to be otherwise?
//!
//! Laws: every gate answers by the very function that decides ([`Gates::ask`]), and a moment that is promised was asked.
//! Nothing changes, and nobody competes: that another campaign may rank higher is for the day itself. It is supposed that the
//! trigger happens then, and nothing else.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    armed::Armed,
    civil,
    decide::has_distance,
    eligibility::{Gates, Standing},
    experiment::Drawn,
    foremost::{self, MOST_CONSIDERED},
    gate::Gate,
    happening::{area_at, place_for},
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
/// Most areas that a store is asked for, by name: more than anybody draws around one.
const MOST_AREAS: usize = 1_000;
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
    /// Where the trigger happens: at the place, or wherever of what belongs to it the least keeps the person from the offer.
    pub place: &'a PlaceName,
    /// From the person to the store, else into the geofence.
    pub distance_m: f64,
}

/// What one question was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// STATE, TRIGGER, CROWD, HOLDOUT, or the gate's name.
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
    /// What it is about: the place, or what of it; none where the campaign does not fire.
    pub place: Option<PlaceName>,
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
    let Some(spot) = case.spots().min_by_key(Spot::changes) else {
        let words = format!("the campaign does not fire at {}", case.place);
        answers.push(Answer { gate: "TRIGGER", refusal: Some(("NOT_TARGETED", words)) });
        flips.push(Flip::new("TRIGGER", "the campaign must target the place, and its network must grant it"));
        return Explanation { would_offer: false, place: None, answers, flips, at: None, variant: None };
    };
    let asked = spot.at(now, |gates, candidate| ask(&spot, gates, candidate));
    let refusal = case.unknown_place();
    if refusal.is_some() {
        flips.push(Flip::new("TRIGGER", "the person must agree to location"));
    }
    answers.push(Answer { gate: "TRIGGER", refusal });
    if spot.is_left_out(now) {
        let words = "fewer campaigns of the organization must be active there, or its priority or weight be higher";
        flips.push(Flip::new("CROWD", words));
    }
    answers.extend(spot.crowd(now));
    answers.extend(asked.answers);
    flips.extend(asked.flips);
    let would_offer = answers.iter().all(|answer| answer.refusal.is_none());
    let can_wait = !would_offer && flips.iter().all(|flip| flip.at.is_some());
    let at = can_wait.then(|| spot.first_of_all(now)).flatten();
    Explanation { would_offer, place: Some(spot.place()), answers, flips, at, variant: asked.variant }
}

/// The accounts that may have nothing left at the moments that [`explain`] asks about, if it is `now`: of periods that are
/// yet to come nothing is taken. All that belongs to a store is counted as the store is.
pub fn accounts(case: &Case<'_>, now: Timestamp) -> BTreeSet<AccountId> {
    let (mut named, mut at) = (BTreeSet::new(), case.standing.now);
    let Some(spot) = case.spots().next() else { return named };
    for _ in 0..MOST_MOMENTS {
        let next = spot.at(at, |_, candidate| {
            named.extend(taking::for_offer(candidate, at).map(|account| account.id));
            named.extend(taking::for_any_claim(candidate.campaign));
            taking::next_period(candidate, at)
        });
        match next.filter(|&next| at < next && next <= now) {
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

fn ask(spot: &Spot<'_>, gates: &Gates<'_>, candidate: &Candidate<'_>) -> Asked {
    let variant = candidate.drawn.and_then(|drawn| Some(drawn.variant?.id.to_string()));
    let mut asked = Asked { answers: Vec::new(), flips: Vec::new(), variant };
    let mut is_drawn = false;
    for gate in Gate::ORDER {
        if gate.is_after_draw() && !std::mem::replace(&mut is_drawn, true) {
            asked.draw(candidate.drawn);
        }
        asked.flips.extend(spot.flips(gate, (gates, candidate)));
        let refusal = gates.ask(gate, candidate).map(|reason| (reason.code(), reason.to_string()));
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

/// What must change for the gate to pass, in words: conditions of the audience each by itself.
fn changes(gate: Gate, (gates, candidate): (&Gates<'_>, &Candidate<'_>)) -> Vec<String> {
    if gate == Gate::Audience {
        let changes = gates.person.changes_to(&candidate.campaign.audience, &candidate.site());
        let no_way =
            || vec!["the rule must be another: no change of its conditions was found that would do".to_owned()];
        return changes.map_or_else(no_way, |changes| changes.iter().map(ToString::to_string).collect());
    }
    let mut remedies: Vec<String> = Vec::new();
    for remedy in gates.ask_all(gate, candidate).iter().map(remedy) {
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

impl Flip {
    fn new(gate: &'static str, words: impl Into<String>) -> Self {
        Self { gate, words: words.into(), at: None }
    }
}

impl Case<'_> {
    /// Where the campaign fires, of all that the place stands for.
    fn spots(&self) -> impl Iterator<Item = Spot<'_>> {
        let catalog = self.standing.catalog;
        let targets = catalog.areas.targets();
        let areas = match self.is_meant_anywhere() {
            true => {
                let permit = self.standing.profile.consents.permit::<Location>();
                let named = permit.map_or(Area::Anywhere, |_| area_at(&catalog.areas, self.place));
                vec![place_for(&named, self.campaign.name.owner(), &targets.grants).clone()]
            }
            false => targets.areas_of(self.place, &self.campaign.trigger.on),
        };
        let is_meant = |area: &Area| self.is_meant_anywhere() || targets.means(catalog, self.campaign, area);
        areas.into_iter().filter(is_meant).take(MOST_AREAS).map(|area| Spot { case: self, area })
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
}

/// One area where the trigger may happen.
struct Spot<'c> {
    case: &'c Case<'c>,
    area: Area,
}

impl Spot<'_> {
    /// What people call it by.
    fn place(&self) -> PlaceName {
        match &self.area {
            Area::Geofence(name) => PlaceName::Geofence(name.clone()),
            Area::Beacon(name) => PlaceName::Beacon(name.clone()),
            Area::Around(name, _) | Area::Store(name) => PlaceName::Store(name.clone()),
            Area::Anywhere => self.case.place.clone(),
        }
    }

    /// Whether a ping considers it then, or when it starts, if the organization has more campaigns that wait for the same
    /// there than it does.
    fn crowd(&self, at: Timestamp) -> Option<Answer> {
        let (areas, campaign) = (&self.case.standing.catalog.areas, self.case.campaign);
        let crowd = foremost::Standing::at((areas, &self.area), campaign, at.max(campaign.limits.runs().start));
        let words = || {
            let brand = campaign.name.organization();
            format!("a ping considers at most {MOST_CONSIDERED} campaigns of {brand}, and so many come before it there")
        };
        let refusal = crowd.is_left_out().then(|| ("TOO_MANY_CAMPAIGNS", words()));
        crowd.is_crowd().then_some(Answer { gate: "CROWD", refusal })
    }

    fn is_left_out(&self, at: Timestamp) -> bool {
        self.crowd(at).is_some_and(|crowd| crowd.refusal.is_some())
    }

    /// How much must change for an offer.
    fn changes(&self) -> usize {
        let count =
            |asked: (&Gates<'_>, &Candidate<'_>)| Gate::ORDER.into_iter().map(|gate| changes(gate, asked).len()).sum();
        let now = self.case.standing.now;
        let of_gates: usize = self.at(now, |gates, candidate| count((gates, candidate)));
        of_gates + usize::from(self.is_left_out(now))
    }

    /// What must change for the gate to pass, and until when to wait for it.
    fn flips(&self, gate: Gate, asked: (&Gates<'_>, &Candidate<'_>)) -> Vec<Flip> {
        let changes = changes(gate, asked);
        let flip = |words: &String| {
            let others: Vec<&String> = changes.iter().filter(|other| *other != words).collect();
            let can_wait = gate != Gate::Audience;
            let at = can_wait.then(|| self.first((gate, &others), self.case.standing.now)).flatten();
            Flip { at, ..Flip::new(gate.name(), words.as_str()) }
        };
        changes.iter().map(flip).collect()
    }

    /// Supposes that the trigger happens at that moment, and asks.
    fn at<T>(&self, now: Timestamp, ask: impl FnOnce(&Gates<'_>, &Candidate<'_>) -> T) -> T {
        let Case { campaign, .. } = *self.case;
        let standing = Standing { now, ..self.case.standing };
        let (catalog, area) = (standing.catalog, &self.area);
        let tried = Tried::supposing(catalog, campaign, area);
        let areas = &Known::trying(&catalog.areas, Some(&tried));
        let view = areas.view(areas.number(area));
        let kind = supposed::transition(&campaign.trigger.on);
        let cause = match &campaign.trigger.on {
            On::AppEvent { key } => Cause::Event(key),
            _ => kind.map_or(Cause::Browsed, Cause::Transition),
        };
        let supposed = Supposed::of(&standing, areas, (area, kind));
        let stays = |place: &PlaceName, at| supposed.begun(place, at);
        let gates = Gates::new(standing, supposed.visits(), &stays);
        let drawn = Drawn::of(campaign, &standing.profile.name);
        let store = view.and_then(|view| areas.store_of(view));
        let distance_m = view.filter(|view| has_distance(*view, store)).map(|_| self.case.distance_m);
        // As if it were active, whoever tries it.
        let (campaign, at, stale, trial) = (&Armed::of(campaign), now, false, false);
        ask(&gates, &Candidate { campaign, cause, area, at, stale, view, store, distance_m, drawn, trial })
    }

    /// The first moment, not before this one, at which the gate lets it pass if all else stays but what was done to remedy
    /// other reasons; none if waiting is no use.
    fn first(&self, (gate, done): (Gate, &[&String]), from: Timestamp) -> Option<Timestamp> {
        let is_left = |reason: &Reason| done.is_empty() || !done.contains(&&remedy(reason));
        let mut at = from;
        for _ in 0..MOST_MOMENTS {
            match self.at(at, |gates, candidate| gates.ask_all(gate, candidate).into_iter().find(is_left)) {
                None => return Some(at),
                Some(reason) => at = self.next(&reason, at).filter(|&next| next > at)?,
            }
        }
        None
    }

    /// The first moment at which all gates do, if a ping considers it then.
    fn first_of_all(&self, from: Timestamp) -> Option<Timestamp> {
        let mut at = from;
        for _ in 0..MOST_ROUNDS {
            let before = at;
            for gate in Gate::ORDER {
                at = self.first((gate, &[]), at)?;
            }
            if at == before {
                return Some(at).filter(|&at| !self.is_left_out(at));
            }
        }
        None
    }

    /// When a store opens that is closed for longer than pings look ahead: within a year of what is asked about, however
    /// often that is asked.
    fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.case.standing.now + A_YEAR;
        self.at(now, |_, candidate| schedule::opens_at(candidate.store?, (now, until)))
    }

    /// A moment before which nothing about the refusal changes, and at which something may.
    fn next(&self, reason: &Reason, now: Timestamp) -> Option<Timestamp> {
        let zone = self.case.standing.zone();
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
                    let ends = self.case.standing.profile.offers.iter().map(|offer| offer.offered_at + window);
                    ends.filter(|&end| end > now).min()
                }
            },
            Reason::BudgetExhausted | Reason::UnitsExhausted { .. } => {
                self.at(now, |gates, candidate| gates.budget_renewed_at(candidate))
            }
            _ => None,
        }
    }
}
