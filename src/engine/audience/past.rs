//! What the person did before: visits and offers.
//!
//! Laws: nothing older than 90 days is asked for, so nothing depends on when it was forgotten; of another network's places
//! only what it granted is told, and of another organization's offers nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Past, Person, Site};
use crate::domain::{
    audience::condition::{Ago, OfferEvent, OffersOf, Visited},
    name::CampaignName,
    offer::GivenOffer,
    place::PlaceName,
    text::{Tag, tail},
    time::Timestamp,
    visits::{MAX_AGE, SAME_VISIT, VisitedPlace},
};

const DAY: Duration = Duration::from_secs(86_400);

impl Person<'_> {
    /// How many visits began in the last days; none if that is not to be known.
    pub(super) fn visits(&self, at: &Visited, within_days: u32, site: &Site<'_>) -> Option<usize> {
        let past = self.past_at(at, site)?;
        let since = self.around.now - DAY * within_days;
        let count = |begun: &[Timestamp]| begun.iter().filter(|&&begun| begun > since).count();
        Some(match at {
            Visited::Here => count(past.visits.at(site.place.as_ref()?)),
            _ => self.meant(at, past, site).map(|known| count(&known.begun)).sum(),
        })
    }

    /// When the newest visit began but for the one that is going on at the site; none if there is none, or it is not to be
    /// known.
    pub(super) fn last_visit(&self, at: &Visited, site: &Site<'_>) -> Option<Timestamp> {
        let past = self.past_at(at, site)?;
        let going_on = site.place.as_ref().and_then(|place| (self.around.stays)(place, site.at));
        let is_over = |known: &VisitedPlace, begun: Timestamp| {
            let is_here = Some(&known.place) == site.place.as_ref();
            !is_here || going_on.is_none_or(|stay| begun + SAME_VISIT < stay)
        };
        let last = |known: &VisitedPlace| known.begun.iter().copied().rev().find(|&begun| is_over(known, begun));
        let newest = self.meant(at, past, site).filter_map(last).max();
        newest.filter(|&begun| self.around.now.since(begun) < MAX_AGE)
    }

    /// Which visit to the site's place this is, of those since an instant; none if that is not to be known. One that
    /// begins after the person has come near, or was seen to pass, is the next.
    pub fn visit_number(&self, site: &Site<'_>, since: Timestamp) -> Option<u32> {
        let (past, place) = (self.past?, site.place.as_ref()?);
        let stay = (self.around.stays)(place, site.at).unwrap_or(site.at);
        let is_before = |begun: &&Timestamp| **begun >= since && **begun + SAME_VISIT < stay;
        let before = past.visits.at(place).iter().filter(is_before).count();
        u32::try_from(before).ok()?.checked_add(1)
    }

    /// When the person was last offered the campaign, but for trials and what was never shown; none if that is too long ago.
    pub fn last_offer(&self, campaign: &CampaignName) -> Option<Timestamp> {
        let end = tail(campaign.as_str());
        let is_it = |name: &CampaignName| tail(name.as_str()) == end && name == campaign;
        let offers = self.profile.offers.iter().filter(|offer| is_it(&offer.campaign));
        let is_own = |offer: &&GivenOffer| offer.counts() && !offer.is_of_another();
        let newest = offers.filter(is_own).map(|offer| offer.offered_at).max();
        newest.filter(|&at| self.around.now.since(at) < MAX_AGE)
    }

    pub(super) fn was(&self, ago: Ago, at: Timestamp) -> bool {
        let since = self.around.now.since(at);
        match ago {
            Ago::AtLeast { days } => since >= DAY * days,
            Ago::AtMost { days } => since <= DAY * days,
        }
    }

    /// How many offers had this happen to them in the last days; none if that is not to be known. What the campaign itself
    /// would have offered counts as shown at once: who is held out is compared with those who were offered it.
    pub(super) fn offers(&self, of: &OffersOf, event: OfferEvent, within_days: u32, site: &Site<'_>) -> Option<usize> {
        let since = self.around.now - DAY * within_days;
        let (brand, end) = (site.campaign.owner(), tail(site.campaign.as_str()));
        let is_this = |name: &CampaignName| tail(name.as_str()) == end && name == site.campaign;
        let is_meant = |offer: &&GivenOffer| match of {
            OffersOf::ThisCampaign => is_this(&offer.campaign),
            OffersOf::Campaign(name) => offer.campaign == *name && name.owner() == brand,
            OffersOf::Brand => offer.campaign.owner() == brand,
        };
        let is_made = |offer: &GivenOffer| !offer.ghost || is_this(&offer.campaign);
        let is_own = |offer: &&GivenOffer| is_made(offer) && !offer.trial && !offer.is_of_another();
        let offers = self.past?.offers.iter().filter(is_own).filter(is_meant);
        Some(offers.filter_map(|offer| when(offer, event)).filter(|&at| at > since).count())
    }

    /// What is remembered, if the campaign's organization may ask about visits there.
    fn past_at(&self, at: &Visited, site: &Site<'_>) -> Option<Past<'_>> {
        let grants = self.around.catalog.areas.grants();
        let is_granted = at.network().is_none_or(|network| grants.lets(site.campaign.owner(), network));
        self.past.filter(|_| is_granted)
    }

    /// The visited places that are meant.
    fn meant<'s>(
        &'s self,
        at: &'s Visited,
        past: Past<'s>,
        site: &'s Site<'_>,
    ) -> impl Iterator<Item = &'s VisitedPlace> {
        let tagged = match at {
            Visited::Tagged { tags, .. } => self.tagged(tags, past),
            Visited::Here | Visited::Store(_) | Visited::Network(_) => Arc::default(),
        };
        let is_meant = move |(i, known): &(usize, &VisitedPlace)| match at {
            Visited::Here => Some(&known.place) == site.place.as_ref(),
            Visited::Store(store) => matches!(&known.place, PlaceName::Store(name) if name == store),
            Visited::Tagged { network, .. } => known.place.owner() == network.as_str() && tagged.get(*i) == Some(&true),
            Visited::Network(network) => known.place.owner() == network.as_str(),
        };
        past.visits.iter().enumerate().filter(is_meant).map(|(_, known)| known)
    }

    /// Of each visited place whether it has all the tags.
    fn tagged(&self, tags: &BTreeSet<Tag>, past: Past<'_>) -> Arc<[bool]> {
        let known = self.tagged.borrow().get(tags).cloned();
        known.unwrap_or_else(|| {
            let found: Arc<[bool]> = past.visits.iter().map(|known| self.is_tagged(&known.place, tags)).collect();
            self.tagged.borrow_mut().insert(tags.clone(), found.clone());
            found
        })
    }

    /// Whether the place has all the tags now.
    fn is_tagged(&self, place: &PlaceName, wanted: &BTreeSet<Tag>) -> bool {
        let catalog = self.around.catalog;
        let tags = match place {
            PlaceName::Store(name) => catalog.stores.get(name).map(|entry| &entry.value.tags),
            PlaceName::Geofence(name) => catalog.geofences.get(name).map(|entry| &entry.value.tags),
            PlaceName::Beacon(name) => catalog.beacons.get(name).map(|entry| &entry.value.tags),
        };
        tags.is_some_and(|tags| wanted.is_subset(tags))
    }
}

fn when(offer: &GivenOffer, event: OfferEvent) -> Option<Timestamp> {
    match event {
        OfferEvent::Offered => Some(offer.offered_at),
        OfferEvent::Shown if offer.ghost => Some(offer.offered_at),
        OfferEvent::Shown => offer.shown_at,
        OfferEvent::Opened => offer.opened_at,
        OfferEvent::Redeemed => offer.redeemed_at,
    }
}
