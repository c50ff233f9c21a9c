//! The gates: may this campaign make an offer to this person now?
//!
//! Law: gates are asked in the order of their cost, the first refusal is the verdict, and every refusal carries the
//! numbers it was made of. Law 4: without a permit for marketing there is nothing to ask.

use std::{collections::BTreeSet, sync::Arc};

use super::{audience::Person, grants::Reach, ranking::Candidate, taking};
use crate::domain::{
    budget::AccountId,
    campaign::Campaign,
    consent::{Consented, Marketing},
    decision::Reason,
    offer::GivenOffer,
    organization::App,
    text::tail,
    time::{TimeOfDay, TimeZone, Timestamp},
};

/// What the gates look at, the same for all campaigns of one ping.
pub struct Gates<'a> {
    pub now: Timestamp,
    pub app: &'a App,
    pub person: Person<'a>,
    /// Offers given since the person's midnight.
    pub given_today: u32,
    /// The person's offers, each with the tail of its campaign's name.
    given: Vec<(u64, &'a GivenOffer)>,
    /// Who may reach people of the app.
    reach: Reach<'a>,
    /// What refuses everything at this hour.
    quiet: Option<Reason>,
    /// Accounts of which the ledger has nothing left.
    exhausted: &'a BTreeSet<AccountId>,
}

impl<'a> Gates<'a> {
    /// For a person of the app, whose own zone this is.
    pub fn new(
        now: Timestamp,
        (app, zone): (&'a App, &TimeZone),
        (person, reach): (Person<'a>, Reach<'a>),
        exhausted: &'a BTreeSet<AccountId>,
    ) -> Self {
        let midnight = zone.day_start(now);
        let offers = person.profile().offers.iter();
        let given_today = count(offers.clone().filter(|offer| offer.offered_at >= midnight));
        let given = offers.map(|offer| (tail(offer.campaign.as_str()), offer)).collect();
        Self { now, app, person, given_today, given, reach, quiet: quiet_hours(app, zone, now), exhausted }
    }

    /// Whether the brand of the campaign may reach people of the app.
    pub fn may_reach(&self, campaign: &Campaign) -> bool {
        self.reach.has(campaign.name.owner())
    }

    /// The first gate that refuses, or none. The permit is the proof that offers may be made at all.
    pub fn refusal(&self, candidate: &Candidate<'_>, _permit: Consented<Marketing>) -> Option<Reason> {
        let campaign = &**candidate.campaign;
        self.dates(campaign)
            .or_else(|| self.person.profile().muted.contains(campaign.name.owner()).then_some(Reason::Muted))
            .or_else(|| self.quiet.clone())
            .or_else(|| self.daily_offers())
            .or_else(|| self.own_limits(campaign))
            .or_else(|| self.missing(candidate).map(|term| Reason::Audience { term }))
            .or_else(|| self.is_exhausted(candidate).then_some(Reason::BudgetExhausted))
    }

    /// The first term of the audience that fails, in words.
    fn missing(&self, candidate: &Candidate<'_>) -> Option<Arc<str>> {
        let audience = &candidate.campaign.audience;
        if audience.terms().is_empty() { None } else { self.person.missing_from(audience, &candidate.site()) }
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

    fn daily_offers(&self) -> Option<Reason> {
        let (given, most) = (self.given_today, self.app.daily_offers);
        (given >= most).then_some(Reason::DailyOffers { given, most })
    }

    /// What the campaign allows one person: its cap, then its cool-down.
    fn own_limits(&self, campaign: &Campaign) -> Option<Reason> {
        let end = tail(campaign.name.as_str());
        let own = self.given.iter().filter(|(tail, offer)| *tail == end && offer.campaign == campaign.name);
        let cap = campaign.limits.per_profile;
        let since = self.now - cap.window;
        let given = count(own.clone().filter(|(_, offer)| offer.offered_at > since));
        if given >= cap.offers {
            return Some(Reason::CampaignCap { given, most: cap.offers, window: cap.window });
        }
        let last = own.map(|(_, offer)| offer.offered_at).max()?;
        let until = last + campaign.limits.cool_down;
        (self.now < until).then_some(Reason::CoolDown { until })
    }
}

fn quiet_hours(app: &App, zone: &TimeZone, now: Timestamp) -> Option<Reason> {
    let quiet = app.quiet_hours?;
    let local = TimeOfDay::of(zone.local(now));
    quiet.contain(local).then_some(Reason::QuietHours { local, from: quiet.from, to: quiet.to })
}

fn count(offers: impl Iterator) -> u32 {
    u32::try_from(offers.count()).unwrap_or(u32::MAX)
}
