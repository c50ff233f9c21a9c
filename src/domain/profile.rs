//! A profile: one person of one app, over devices and channels, with everything a decision may read.
//!
//! Law 1: the version serialises every change. Law 4: traits, interests and visits are behind [`Consented<Profiling>`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    app_version::AppVersion,
    audience::TraitValue,
    campaign::MAX_WINDOW,
    consent::{Consented, Consents, Profiling, Purpose},
    few::Few,
    name::{CampaignName, DeviceName, OrganizationName, ProfileName},
    offer::GivenOffer,
    organization::App,
    presence::DevicePresence,
    text::{Topic, TraitKey},
    time::{TimeZone, Timestamp},
    visits::Visits,
};

/// Redemptions of forgotten offers that a profile remembers at most: the oldest go first.
pub const MAX_REDEEMED: usize = 1_000;
/// Offers that count for nothing (trials, and such as came back unshown) that a profile keeps at most: the oldest go first.
/// Nothing else bounds them, and the whole profile is written with each new one.
pub const MAX_IDLE_OFFERS: usize = 200;
/// Ghosts that a profile keeps at most, of all campaigns together: the oldest go first. A ghost takes no slot and no other
/// campaign's caps, so nothing else bounds them. Whoever is held out of a thousand campaigns at once still has the last one
/// of each, in less than 200 KiB of a profile (the codec's tests measure it).
pub const MAX_GHOSTS: usize = 1_000;

/// One person. What pings seldom change is shared by the copies that they make.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub name: ProfileName,
    pub revision: Revision,
    pub created_at: Timestamp,
    pub consents: Consents,
    /// Brands this person does not want to hear from.
    pub muted: BTreeSet<OrganizationName>,
    pub devices: Few<DeviceName, Device>,
    /// Offers given, oldest first: each for as long as something happened to it within [`MAX_WINDOW`].
    pub offers: Arc<Vec<GivenOffer>>,
    /// When campaigns were last redeemed whose offers are forgotten: at most [`MAX_REDEEMED`].
    pub redeemed: Arc<BTreeMap<CampaignName, Timestamp>>,
    personal: Arc<Personal>,
    visits: Arc<Visits>,
}

/// How new a copy of a profile is. Copies compare by `version`, then by `soft`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Revision {
    /// Counts the commits; SQL decides on it.
    pub version: u64,
    /// Counts what only the cache knows since that commit: pending confirmations, times last seen.
    pub soft: u64,
}

/// Traits and interests, which only profiling may read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Personal {
    pub traits: BTreeMap<TraitKey, TraitValue>,
    /// Strength from 0 to 1.
    pub interests: BTreeMap<Topic, f64>,
}

/// One installation of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    pub language: String,
    pub platform: Platform,
    /// Where the phone's clock is; the app's zone if it did not say.
    pub time_zone: Option<TimeZone>,
    /// If the app said which it is.
    pub app_version: Option<AppVersion>,
    /// A test device: it takes no budget, is in no statistic, and its offers are worth nothing.
    pub test: bool,
    /// Tokens of an older epoch are revoked.
    pub token_epoch: u64,
    pub registered_at: Timestamp,
    pub presence: DevicePresence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    Ios,
    Android,
    Other,
}

impl Platform {
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::Ios => "iOS",
            Platform::Android => "Android",
            Platform::Other => "another",
        }
    }
}

impl Profile {
    /// A profile nobody has changed yet, of version 0: its first commit makes it version 1.
    pub fn new(name: ProfileName, created_at: Timestamp, consents: Consents, personal: Personal) -> Self {
        Self {
            name,
            revision: Revision::default(),
            created_at,
            consents,
            muted: BTreeSet::new(),
            devices: Few::default(),
            offers: Arc::default(),
            redeemed: Arc::default(),
            personal: Arc::new(personal),
            visits: Arc::default(),
        }
    }

    /// What only profiling may read; the permit is the proof that it may.
    pub fn personal(&self, _permit: Consented<Profiling>) -> &Personal {
        &self.personal
    }

    /// The traits and interests for their owner and for storage: to show, change or keep them, not to decide by.
    pub fn personal_of_record(&self) -> &Personal {
        &self.personal
    }

    pub fn personal_of_record_mut(&mut self) -> &mut Personal {
        Arc::make_mut(&mut self.personal)
    }

    /// Forgets the traits that the app declares no more, or as another kind.
    pub fn keep_declared(&mut self, app: &App) {
        if !self.personal.traits.iter().all(|(key, value)| app.declares(key, value)) {
            self.personal_of_record_mut().traits.retain(|key, value| app.declares(key, value));
        }
    }

    /// When places were visited, which only profiling may read.
    pub fn visits(&self, _permit: Consented<Profiling>) -> &Arc<Visits> {
        &self.visits
    }

    pub fn visits_mut(&mut self, _permit: Consented<Profiling>) -> &mut Arc<Visits> {
        &mut self.visits
    }

    /// Notes what the person agrees to now. Where their devices are is remembered for as long as they agree to location, and
    /// visits for as long as to profiling too; a consent tells nothing of what was read before it.
    pub fn agree(&mut self, consents: Consents, now: Timestamp) {
        let agrees = consents.granted(Purpose::Location);
        if !agrees || !self.consents.granted(Purpose::Location) {
            let agreed = agrees.then_some(now);
            self.devices.values_mut().for_each(|device| device.presence = device.presence.unlocated(agreed));
        }
        let may_remember = consents.granted(Purpose::Location) && consents.granted(Purpose::Profiling);
        if !may_remember && !self.visits.is_empty() {
            self.visits = Arc::default();
        }
        self.consents = consents;
    }

    /// Takes over what another copy knows of the devices and this one, mostly the record's, does not: where they were seen
    /// since. Then it is newer than both, for neither may know all of it.
    pub fn recall(&mut self, held: &Profile) {
        if ![&self.consents, &held.consents].iter().all(|consents| consents.granted(Purpose::Location)) {
            return;
        }
        let mut has_news = false;
        for (name, known) in held.devices.iter() {
            let own = self.devices.get_mut(name).filter(|own| own.token_epoch == known.token_epoch);
            let own = own.filter(|own| own.presence != known.presence && own.presence.goes_on_in(&known.presence));
            if let Some(own) = own {
                own.presence = known.presence.clone();
                has_news = true;
            }
        }
        if has_news {
            self.revision.soft = self.revision.soft.max(held.revision.soft) + 1;
        }
    }

    /// The visits for storage and for another copy of the profile: to keep them, not to decide by.
    pub fn visits_of_record(&self) -> &Arc<Visits> {
        &self.visits
    }

    pub fn visits_of_record_mut(&mut self) -> &mut Visits {
        Arc::make_mut(&mut self.visits)
    }

    /// Forgets offers that no cap and no condition can ask for any more, but not that they were redeemed; and of those that
    /// count for nothing all but the newest.
    pub fn forget_old_offers(&mut self, now: Timestamp) {
        // What came back may turn out to have been shown; a trial counts for nothing whatever becomes of it.
        let returned = self.offers.iter().filter(|offer| !offer.counts() && !offer.trial).count();
        self.keep_newest(MAX_IDLE_OFFERS.saturating_sub(returned), |offer| offer.trial);
        self.keep_newest(MAX_IDLE_OFFERS, |offer| !offer.counts());
        self.keep_newest(MAX_GHOSTS, |offer| offer.ghost && offer.counts());
        let is_old = |offer: &GivenOffer| now.since(offer.newest_time()) > MAX_WINDOW;
        if self.offers.iter().any(is_old) {
            for offer in self.offers.clone().iter().filter(|offer| is_old(offer)) {
                offer.redeemed_at.into_iter().for_each(|at| self.remember_redeemed(&offer.campaign, at));
            }
            Arc::make_mut(&mut self.offers).retain(|offer| !is_old(offer));
        }
    }

    /// Of the campaigns named keeps so many ghosts, the newest.
    pub fn keep_ghosts(&mut self, most: &BTreeMap<CampaignName, usize>) {
        let mut left = most.clone();
        let is_over = |offer: &GivenOffer| {
            let room = left.get_mut(&offer.campaign).filter(|_| offer.ghost && offer.counts());
            room.is_some_and(|room| std::mem::replace(room, room.saturating_sub(1)) == 0)
        };
        let over: Vec<bool> = self.offers.iter().rev().map(is_over).collect();
        if over.contains(&true) {
            let mut over = over.into_iter().rev();
            Arc::make_mut(&mut self.offers).retain(|_| !over.next().unwrap_or_default());
        }
    }

    /// Drops the oldest of those offers that are more than `most`.
    fn keep_newest(&mut self, most: usize, is_meant: impl Fn(&GivenOffer) -> bool) {
        let mut over = self.offers.iter().filter(|offer| is_meant(offer)).count().saturating_sub(most);
        if over == 0 {
            return;
        }
        Arc::make_mut(&mut self.offers).retain(|offer| {
            let is_dropped = over > 0 && is_meant(offer);
            over -= usize::from(is_dropped);
            !is_dropped
        });
    }

    /// Remembers that the campaign was redeemed, beyond its offer.
    pub fn remember_redeemed(&mut self, campaign: &CampaignName, at: Timestamp) {
        let redeemed = Arc::make_mut(&mut self.redeemed);
        let last = redeemed.entry(campaign.clone()).or_insert(at);
        *last = at.max(*last);
        if redeemed.len() > MAX_REDEEMED
            && let Some(oldest) = redeemed.iter().min_by_key(|(_, at)| **at).map(|(campaign, _)| campaign.clone())
        {
            redeemed.remove(&oldest);
        }
    }
}
