//! The gates: may this campaign make an offer to this person now?
//!
//! Law: gates are asked in the order of [`Gate::ORDER`], the first refusal is the verdict, and every refusal carries the
//! numbers it was made of. A gate that cannot refuse need not be asked. Law 4: without a permit for marketing no gate that
//! looks at the person is passed.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    audience::{Around, Person},
    caps::Given,
    catalog::Catalog,
    gate::{Gate, GateSet},
    grants::Reach,
    ranking::Candidate,
    schedule, taking,
};
use crate::domain::{
    budget::AccountId,
    campaign::{Campaign, NthVisit, On},
    consent::{Consented, Marketing},
    decision::Reason,
    name::CampaignName,
    organization::{App, BrandLimits},
    place::PlaceName,
    profile::{Device, Profile},
    time::{TimeOfDay, TimeZone, Timestamp},
    visits::{MAX_AGE, SAME_VISIT, Visits},
};

/// Who comes near a store is there so soon, if they walk and do not hurry.
const SECONDS_A_METRE: Duration = Duration::from_secs(1);

/// Whom the gates are asked about, and when.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    pub catalog: &'a Catalog,
    pub app: &'a App,
    pub profile: &'a Profile,
    /// The device that pings.
    pub device: &'a Device,
    pub now: Timestamp,
    /// Where it says to be is not to be believed.
    pub is_suspect: bool,
    /// Accounts of which the ledger has nothing left.
    pub exhausted: &'a BTreeSet<AccountId>,
}

impl<'a> Standing<'a> {
    /// The person's own zone: the device's, else the app's.
    pub fn zone(&self) -> &'a TimeZone {
        self.device.time_zone.as_ref().unwrap_or(&self.app.time_zone)
    }
}

/// What is so of all campaigns of one brand.
struct Brand<'a> {
    /// One of them.
    campaign: CampaignName,
    /// Bytes that the names of all of them begin with.
    alike: usize,
    /// Those of the gates about the brand that may refuse; and all the others.
    gates: GateSet,
    may_reach: bool,
    is_muted: bool,
    /// None of an organization that is gone.
    limits: Option<&'a BrandLimits>,
}

/// What the gates look at, the same for all campaigns of one ping.
pub struct Gates<'a> {
    pub now: Timestamp,
    catalog: &'a Catalog,
    app: &'a App,
    /// The person's own.
    zone: &'a TimeZone,
    pub person: Person<'a>,
    marketing: Option<Consented<Marketing>>,
    is_suspect: bool,
    given: Given<'a>,
    /// The gates that may refuse somebody at this ping.
    gates: GateSet,
    /// Who may reach people of the app.
    reach: Reach<'a>,
    /// The brand that was asked about last: candidates come in the order of names, so it is mostly the next one's too.
    last_brand: RefCell<Option<Brand<'a>>>,
    /// What refuses everything at this hour, but for those who may disturb.
    quiet: Option<Reason>,
    /// Accounts of which the ledger has nothing left.
    exhausted: &'a BTreeSet<AccountId>,
}

impl<'a> Gates<'a> {
    /// `visits` are the person's with those that begin now; `stays` says when the visit to a place began that goes on at a
    /// time.
    pub fn new(
        standing: Standing<'a>,
        visits: Option<&'a Visits>,
        stays: &'a dyn Fn(&PlaceName, Timestamp) -> Option<Timestamp>,
    ) -> Self {
        let Standing { catalog, app, profile, device, now, is_suspect, exhausted } = standing;
        let zone = standing.zone();
        let around = Around { now, zone, device, catalog, visits, stays };
        let person = Person::new(profile, profile.consents.permit(), around).declared_by(app);
        let reach = catalog.areas.grants().reach(&app.name);
        let given = Given::to(profile, (app, zone), now);
        let (marketing, quiet) = (profile.consents.permit(), quiet_hours(app, zone, now));
        let gates = GateSet::ALL
            .but(Gate::Consent, marketing.is_some())
            .but(Gate::Position, !is_suspect)
            .but(Gate::QuietHours, quiet.is_none())
            .but(Gate::AppCaps, given.is_below_app_caps());
        let last_brand = RefCell::default();
        Self {
            now,
            catalog,
            app,
            zone,
            person,
            marketing,
            is_suspect,
            given,
            gates,
            reach,
            last_brand,
            quiet,
            exhausted,
        }
    }

    /// The first gate that refuses, and why; none if all let it pass.
    pub fn refusal(&self, candidate: &Candidate<'_>) -> Option<(Gate, Reason)> {
        self.first_of(GateSet::ALL, candidate)
    }

    /// Whether any gate refuses, for who does not ask why.
    pub fn refuses(&self, candidate: &Candidate<'_>) -> bool {
        let (schedule, store) = (&candidate.campaign.limits.schedule, candidate.store.map(Arc::as_ref));
        let refuses = self.gates_for(candidate).iter().any(|gate| match gate {
            // These two look for the time when they let it pass again.
            Gate::StoreHours => self.person.doors().are_closed(schedule, store),
            Gate::Schedule => schedule::is_outside_windows(schedule, store, self.zone, self.now),
            // And this one for words.
            Gate::Audience => {
                let audience = &candidate.campaign.audience;
                self.person.missing_from(audience, &candidate.site()).is_some()
            }
            gate => self.ask(gate, candidate).is_some(),
        });
        debug_assert_eq!(refuses, self.refusal(candidate).is_some());
        refuses
    }

    fn first_of(&self, wanted: GateSet, candidate: &Candidate<'_>) -> Option<(Gate, Reason)> {
        let open = self.gates_for(candidate);
        debug_assert!(Gate::ORDER.into_iter().all(|gate| open.has(gate) || self.ask(gate, candidate).is_none()));
        open.and(wanted).iter().find_map(|gate| self.ask(gate, candidate).map(|reason| (gate, reason)))
    }

    /// The gates that may refuse the candidate: most cannot, whatever they would be asked.
    fn gates_for(&self, candidate: &Candidate<'_>) -> GateSet {
        let campaign = candidate.campaign;
        let of_brand = self.of_brand(campaign, |brand| brand.gates);
        let open = campaign.gates().and(self.gates).and(of_brand);
        open.but(Gate::Freshness, !candidate.stale).but(Gate::CampaignCaps, !self.given.may_have(campaign.tail()))
    }

    /// Why this gate refuses; none if it does not. Who tries a campaign is not kept from trying it again: what the person
    /// had, and what is left, is not asked.
    pub fn ask(&self, gate: Gate, candidate: &Candidate<'_>) -> Option<Reason> {
        let campaign = &**candidate.campaign;
        if candidate.trial && (gate.is_after_draw() || gate == Gate::Budget) {
            return None;
        }
        match gate {
            Gate::Reach => self.of_brand(campaign, |brand| !brand.may_reach).then_some(Reason::NotGranted),
            Gate::Dates => self.dates(campaign),
            Gate::StoreHours => {
                let store = candidate.store.map(Arc::as_ref);
                self.person.doors().closed(&campaign.limits.schedule, store)
            }
            Gate::Schedule => {
                let store = candidate.store.map(Arc::as_ref);
                schedule::outside_windows(&campaign.limits.schedule, store, self.zone, self.now)
            }
            Gate::Budget => self.exhausted(candidate),
            Gate::Consent => self.marketing.is_none().then_some(Reason::NoMarketingConsent),
            Gate::Freshness => self.age(candidate).map(|age| Reason::Stale { age }),
            Gate::Position => self.is_suspect.then_some(Reason::Suspect),
            Gate::Muted => self.of_brand(campaign, |brand| brand.is_muted).then_some(Reason::Muted),
            Gate::QuietHours => self.quiet.clone().filter(|_| !self.may_disturb(campaign)),
            Gate::Visit => self.other_visits(candidate).next(),
            Gate::Audience => self.missing(candidate),
            Gate::AppCaps => self.given.of_app(campaign).next(),
            Gate::BrandCaps => {
                let limits = self.of_brand(campaign, |brand| brand.limits);
                limits.and_then(|limits| self.given.of_brand(&campaign.name, limits).next())
            }
            Gate::CampaignCaps => self.given.of_campaign(campaign).next(),
        }
    }

    /// Everything for which this gate refuses, the reason that [`Self::ask`] gives first: for who wants to change it.
    pub fn ask_all(&self, gate: Gate, candidate: &Candidate<'_>) -> Vec<Reason> {
        let campaign = &**candidate.campaign;
        let Some(first) = self.ask(gate, candidate) else { return Vec::new() };
        match gate {
            Gate::Visit => self.other_visits(candidate).collect(),
            Gate::AppCaps => self.given.of_app(campaign).collect(),
            Gate::BrandCaps => {
                let limits = self.of_brand(campaign, |brand| brand.limits);
                limits.into_iter().flat_map(|limits| self.given.of_brand(&campaign.name, limits)).collect()
            }
            Gate::CampaignCaps => self.given.of_campaign(campaign).collect(),
            _ => vec![first],
        }
    }

    /// How long ago a transition was that is learnt too late.
    fn age(&self, candidate: &Candidate<'_>) -> Option<Duration> {
        candidate.stale.then(|| self.now.since(candidate.at))
    }

    /// The other visits than this that the campaign waits for.
    fn other_visits<'s>(&'s self, candidate: &'s Candidate<'_>) -> impl Iterator<Item = Reason> + 's {
        let nth = candidate.campaign.trigger.visit;
        (!nth.is_any()).then(|| self.later_visits(nth, candidate)).into_iter().flatten()
    }

    fn later_visits<'s>(&'s self, nth: NthVisit, candidate: &'s Candidate<'_>) -> impl Iterator<Item = Reason> + 's {
        let site = candidate.site();
        let refused = move |(wanted, since, since_offer): (u32, Timestamp, bool)| {
            let visit = self.person.visit_number(&site, since);
            let is_early = wanted > 1 && visit.is_none_or(|visit| visit < wanted);
            is_early.then_some(Reason::Visit { visit, wanted, since_offer })
        };
        let oldest = self.now - MAX_AGE;
        // The visit that the offer was made for may begin after it, if it was made to who came near or scanned a code; else it
        // had begun.
        let made_for = match candidate.campaign.trigger.on {
            On::Near { radius_m } => (SECONDS_A_METRE * radius_m).max(SAME_VISIT),
            On::Crossed | On::AppEvent { .. } => SAME_VISIT,
            On::Entered | On::Exited | On::Dwelt { .. } | On::Heard => Duration::from_secs(1),
        };
        let offered = self.person.last_offer(&candidate.campaign.name).map(|at| at + made_for);
        let since = offered.unwrap_or(oldest).max(oldest);
        [(nth.at_least, oldest, false), (nth.every, since, offered.is_some())].into_iter().filter_map(refused)
    }

    /// The first term of the audience that fails, and what there is of what it asks.
    fn missing(&self, candidate: &Candidate<'_>) -> Option<Reason> {
        let audience = &candidate.campaign.audience;
        if audience.terms().is_empty() {
            return None;
        }
        let site = candidate.site();
        let term = self.person.missing_from(audience, &site)?;
        let found = Some(self.person.found(&term.rule, &site).into());
        Some(Reason::Audience { term: term.words.clone(), found })
    }

    /// What the person had enough of: of everything, of the brand, of the campaign.
    pub fn caps(&self, candidate: &Candidate<'_>) -> Option<Reason> {
        self.first_of(GateSet::CAPS, candidate).map(|(_, reason)| reason)
    }

    /// Something of the campaign's brand.
    fn of_brand<T>(&self, campaign: &Campaign, something: impl Fn(&Brand<'a>) -> T) -> T {
        let is_it = |brand: &&Brand<'a>| campaign.name.as_str().starts_with(&brand.campaign.as_str()[..brand.alike]);
        if let Some(brand) = self.last_brand.borrow().as_ref().filter(is_it) {
            return something(brand);
        }
        let name = campaign.name.owner();
        let organization = self.catalog.organizations.find(|other| other.as_str().cmp(name));
        let (may_reach, is_muted) = (self.reach.has(name), self.person.profile().muted.contains(name));
        let limits = organization.map(|entry| &entry.value.brand_limits);
        let gates = GateSet::ALL
            .but(Gate::Reach, may_reach)
            .but(Gate::Muted, !is_muted)
            .but(Gate::BrandCaps, limits.is_none_or(BrandLimits::is_unlimited));
        let (campaign, alike) = (campaign.name.clone(), name.len() + "/".len());
        let brand = Brand { campaign, alike, gates, may_reach, is_muted, limits };
        something(self.last_brand.borrow_mut().insert(brand))
    }

    /// Counts an offer that was chosen for what is chosen after it.
    pub fn spend(&mut self, campaign: &'a Campaign) {
        self.given.add(campaign);
        self.gates = self.gates.and_also(Gate::AppCaps);
    }

    /// Counts a ghost, for its own campaign only.
    pub fn spend_ghost(&mut self, campaign: &'a Campaign) {
        self.given.add_ghost(campaign);
        self.gates = self.gates.and_also(Gate::AppCaps);
    }

    /// Whether it says that it makes offers in quiet hours, and the publisher lets it.
    fn may_disturb(&self, campaign: &Campaign) -> bool {
        campaign.limits.in_quiet_hours && self.app.quiet_exempt.contains(campaign.name.owner())
    }

    /// An account that the offer would need and that is known to have nothing left, or could never have anything.
    fn exhausted(&self, candidate: &Candidate<'_>) -> Option<Reason> {
        if taking::gives_nothing(candidate.campaign) {
            return Some(Reason::BudgetExhausted);
        }
        if self.exhausted.is_empty() {
            return None;
        }
        let claimed_out = || taking::is_claimed_out(candidate.campaign, self.exhausted).then_some(Reason::ClaimedOut);
        taking::used_up(candidate, self.now, self.exhausted).or_else(claimed_out)
    }

    /// When each account that the offer would need, and that has nothing left, has been followed by one of a next period;
    /// none if that never happens.
    pub fn budget_renewed_at(&self, candidate: &Candidate<'_>) -> Option<Timestamp> {
        let gives = !taking::gives_nothing(candidate.campaign);
        gives.then(|| taking::renewed_at(candidate, self.now, self.exhausted)).flatten()
    }

    fn dates(&self, campaign: &Campaign) -> Option<Reason> {
        let limits = &campaign.limits;
        if let Some(starts_at) = limits.starts_at.filter(|&starts_at| self.now < starts_at) {
            return Some(Reason::NotStarted { starts_at });
        }
        let ends_at = limits.ends_at?;
        if ends_at <= self.now {
            return Some(Reason::Ended { ended_at: ends_at });
        }
        let is_over = campaign.last_offers_at().is_some_and(|last| last <= self.now);
        let coupon = campaign.coupon.as_ref().filter(|_| is_over)?;
        Some(Reason::EndsTooSoon { ends_at, redeem_after: coupon.redeem_after })
    }
}

fn quiet_hours(app: &App, zone: &TimeZone, now: Timestamp) -> Option<Reason> {
    let quiet = app.quiet_hours?;
    let local = TimeOfDay::of(zone.local(now));
    quiet.contain(local).then_some(Reason::QuietHours { local, from: quiet.from, to: quiet.to })
}
