//! The gates: may this campaign make an offer to this person now?
//!
//! Law: gates are asked in the order of their cost, the first refusal is the verdict, and every refusal carries the
//! numbers it was made of. Law 4: without a permit for marketing there is nothing to ask.

use std::{collections::BTreeSet, sync::Arc};

use super::{audience::Person, caps::Given, catalog::Catalog, grants::Reach, ranking::Candidate, schedule, taking};
use crate::domain::{
    budget::AccountId,
    campaign::Campaign,
    consent::{Consented, Marketing},
    decision::Reason,
    organization::App,
    time::{TimeOfDay, TimeZone, Timestamp},
};

/// What the gates look at, the same for all campaigns of one ping.
pub struct Gates<'a> {
    pub now: Timestamp,
    catalog: &'a Catalog,
    app: &'a App,
    /// The person's own.
    zone: &'a TimeZone,
    pub person: Person<'a>,
    given: Given<'a>,
    /// Who may reach people of the app.
    reach: Reach<'a>,
    /// What refuses everything at this hour, but for those who may disturb.
    quiet: Option<Reason>,
    /// Accounts of which the ledger has nothing left.
    exhausted: &'a BTreeSet<AccountId>,
}

impl<'a> Gates<'a> {
    /// For a person of the app, whose own zone this is.
    pub fn new(
        (catalog, now): (&'a Catalog, Timestamp),
        (app, zone): (&'a App, &'a TimeZone),
        person: Person<'a>,
        exhausted: &'a BTreeSet<AccountId>,
    ) -> Self {
        let reach = catalog.areas.grants().reach(&app.name);
        let given = Given::to(person.profile(), (app, zone), now);
        Self { now, catalog, app, zone, person, given, reach, quiet: quiet_hours(app, zone, now), exhausted }
    }

    /// Whether the brand of the campaign may reach people of the app.
    pub fn may_reach(&self, campaign: &Campaign) -> bool {
        self.reach.has(campaign.name.owner())
    }

    /// The first gate that refuses, or none. The permit is the proof that offers may be made at all.
    pub fn refusal(&self, candidate: &Candidate<'_>, _permit: Consented<Marketing>) -> Option<Reason> {
        let campaign = &**candidate.campaign;
        let store = candidate.store.map(|store| &**store);
        self.dates(campaign)
            .or_else(|| self.person.profile().muted.contains(campaign.name.owner()).then_some(Reason::Muted))
            .or_else(|| self.quiet.clone().filter(|_| !self.may_disturb(campaign)))
            .or_else(|| self.caps(campaign))
            .or_else(|| schedule::refusal(&campaign.limits.schedule, store, self.zone, self.now))
            .or_else(|| self.missing(candidate).map(|term| Reason::Audience { term }))
            .or_else(|| self.is_exhausted(candidate).then_some(Reason::BudgetExhausted))
    }

    /// The first term of the audience that fails, in words.
    fn missing(&self, candidate: &Candidate<'_>) -> Option<Arc<str>> {
        let audience = &candidate.campaign.audience;
        if audience.terms().is_empty() { None } else { self.person.missing_from(audience, &candidate.site()) }
    }

    /// What the person had enough of: of everything, of the brand, of the campaign.
    pub fn caps(&self, campaign: &Campaign) -> Option<Reason> {
        let owner = campaign.name.owner();
        let brand = || self.catalog.organizations.find(|name| name.as_str().cmp(owner));
        self.given
            .of_app(campaign.priority)
            .or_else(|| self.given.of_brand(owner, &brand()?.value.brand_limits))
            .or_else(|| self.given.of_campaign(campaign))
    }

    /// Counts an offer that was chosen for what is chosen after it.
    pub fn spend(&mut self, campaign: &'a Campaign) {
        self.given.add(campaign);
    }

    /// Whether it says that it makes offers in quiet hours, and the publisher lets it.
    fn may_disturb(&self, campaign: &Campaign) -> bool {
        campaign.limits.in_quiet_hours && self.app.quiet_exempt.contains(campaign.name.owner())
    }

    /// Whether an account that the offer would need is known to have nothing left.
    fn is_exhausted(&self, candidate: &Candidate<'_>) -> bool {
        let accounts = || taking::for_offer(candidate, self.now).any(|account| self.exhausted.contains(&account.id));
        !self.exhausted.is_empty() && accounts()
    }

    fn dates(&self, campaign: &Campaign) -> Option<Reason> {
        let limits = &campaign.limits;
        if let Some(starts_at) = limits.starts_at.filter(|&starts_at| self.now < starts_at) {
            return Some(Reason::NotStarted { starts_at });
        }
        limits.ends_at.filter(|&ends_at| ends_at <= self.now).map(|ended_at| Reason::Ended { ended_at })
    }
}

fn quiet_hours(app: &App, zone: &TimeZone, now: Timestamp) -> Option<Reason> {
    let quiet = app.quiet_hours?;
    let local = TimeOfDay::of(zone.local(now));
    quiet.contain(local).then_some(Reason::QuietHours { local, from: quiet.from, to: quiet.to })
}
