//! The gates: may this campaign make an offer to this person now?
//!
//! Law: gates are asked in the order of their cost, the first refusal is the verdict, and every refusal carries the
//! numbers it was made of. Law 4: without a permit for marketing there is nothing to ask.

use std::collections::BTreeSet;

use super::audience::Person;
use crate::domain::{
    campaign::Campaign,
    consent::{Consented, Marketing},
    decision::Reason,
    name::CampaignName,
    organization::App,
    profile::Profile,
    time::{TimeOfDay, TimeZone, Timestamp},
};

/// What the gates look at, the same for all campaigns of one ping.
pub struct Gates<'a> {
    pub now: Timestamp,
    pub app: &'a App,
    /// The person's own zone.
    pub zone: &'a TimeZone,
    pub profile: &'a Profile,
    pub person: Person<'a>,
    /// Campaigns whose budget the ledger has just refused.
    pub exhausted: &'a BTreeSet<CampaignName>,
}

impl Gates<'_> {
    /// The first gate that refuses, or none. The permit is the proof that offers may be made at all.
    pub fn refusal(&self, campaign: &Campaign, _permit: Consented<Marketing>) -> Option<Reason> {
        self.dates(campaign)
            .or_else(|| self.profile.muted.contains(&campaign.name.organization()).then_some(Reason::Muted))
            .or_else(|| self.quiet_hours())
            .or_else(|| self.daily_offers())
            .or_else(|| self.cap(campaign))
            .or_else(|| self.cool_down(campaign))
            .or_else(|| self.person.missing_from(&campaign.audience).map(|term| Reason::Audience { term }))
            .or_else(|| self.exhausted.contains(&campaign.name).then_some(Reason::BudgetExhausted))
    }

    fn dates(&self, campaign: &Campaign) -> Option<Reason> {
        let limits = &campaign.limits;
        if let Some(starts_at) = limits.starts_at.filter(|&starts_at| self.now < starts_at) {
            return Some(Reason::NotStarted { starts_at });
        }
        limits.ends_at.filter(|&ends_at| ends_at <= self.now).map(|ended_at| Reason::Ended { ended_at })
    }

    fn quiet_hours(&self) -> Option<Reason> {
        let quiet = self.app.quiet_hours?;
        let local = TimeOfDay::of(self.zone.local(self.now));
        quiet.contain(local).then_some(Reason::QuietHours { local, from: quiet.from, to: quiet.to })
    }

    fn daily_offers(&self) -> Option<Reason> {
        let (given, most) = (self.given_today(), self.app.daily_offers);
        (given >= most).then_some(Reason::DailyOffers { given, most })
    }

    /// Offers given since the person's midnight.
    pub fn given_today(&self) -> u32 {
        let midnight = self.zone.day_start(self.now);
        count(self.profile.offers.iter().filter(|offer| offer.offered_at >= midnight))
    }

    fn cap(&self, campaign: &Campaign) -> Option<Reason> {
        let cap = campaign.limits.per_profile;
        let since = self.now - cap.window;
        let own = self.profile.offers.iter().filter(|offer| offer.campaign == campaign.name);
        let given = count(own.filter(|offer| offer.offered_at > since));
        (given >= cap.offers).then_some(Reason::CampaignCap { given, most: cap.offers, window: cap.window })
    }

    fn cool_down(&self, campaign: &Campaign) -> Option<Reason> {
        let own = self.profile.offers.iter().filter(|offer| offer.campaign == campaign.name);
        let last = own.map(|offer| offer.offered_at).max()?;
        let until = last + campaign.limits.cool_down;
        (self.now < until).then_some(Reason::CoolDown { until })
    }
}

fn count(offers: impl Iterator) -> u32 {
    u32::try_from(offers.count()).unwrap_or(u32::MAX)
}
