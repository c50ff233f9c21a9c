//! Caps and cool-downs: of a campaign, of a brand over its campaigns, of an app over everything.
//!
//! Laws: which offers count is said once ([`GivenOffer::counts`](crate::domain::offer::GivenOffer::counts)); what is chosen in a ping counts for the next of the same ping, by
//! the same questions. Law 1: all of it is answered from the profile's own list, which its version guards.

use std::{cell::OnceCell, iter, time::Duration};

use crate::domain::{
    campaign::{Campaign, Priority},
    cap::{Cap, CivilPeriod, Within},
    decision::Reason,
    name::CampaignName,
    organization::{App, BrandLimits},
    profile::Profile,
    text::tail,
    time::{TimeZone, Timestamp},
};

/// An offer that counts.
struct Counted<'a> {
    /// Of its campaign's name, to tell most apart at a glance.
    tail: u64,
    campaign: &'a CampaignName,
    at: Timestamp,
    priority: Priority,
}

impl<'a> Counted<'a> {
    fn of(campaign: &'a CampaignName, at: Timestamp, priority: Priority) -> Self {
        Self { tail: tail(campaign.as_str()), campaign, at, priority }
    }
}

/// What a person was given, and in this ping is being given.
pub struct Given<'a> {
    now: Timestamp,
    app: &'a App,
    zone: &'a TimeZone,
    offers: Vec<Counted<'a>>,
    /// What the person would have been given, were they not held out: for its own campaign it is as good as given, and
    /// for all others it never was. So caps cut off both sides of an experiment alike. By their tails: there may be many, and
    /// each campaign looks for its own.
    ghosts: Vec<Counted<'a>>,
    redeemed: Vec<(&'a CampaignName, Timestamp)>,
    /// A bit for each name among them, by its tail; several names may share one.
    names: u64,
    starts: [OnceCell<Timestamp>; 3],
    /// Offers of the person's civil day by class, counted when somebody asks.
    today: OnceCell<[u32; 3]>,
}

impl<'a> Given<'a> {
    /// By a profile of the app, whose person's zone this is.
    pub fn to(profile: &'a Profile, (app, zone): (&'a App, &'a TimeZone), now: Timestamp) -> Self {
        let (mut offers, mut ghosts) = (Vec::with_capacity(profile.offers.len()), Vec::new());
        for offer in profile.offers.iter().filter(|offer| offer.counts()) {
            let list = if offer.ghost { &mut ghosts } else { &mut offers };
            list.push(Counted::of(&offer.campaign, offer.offered_at, offer.priority));
        }
        ghosts.sort_by_key(|ghost| ghost.tail);
        let remembered = profile.offers.iter().filter_map(|offer| Some((&offer.campaign, offer.redeemed_at?)));
        let redeemed: Vec<(&CampaignName, Timestamp)> =
            remembered.chain(profile.redeemed.iter().map(|(campaign, at)| (campaign, *at))).collect();
        let tails = offers.iter().chain(&ghosts).map(|counted| counted.tail);
        let names =
            tails.chain(redeemed.iter().map(|(name, _)| tail(name.as_str()))).fold(0, |names, t| names | bit(t));
        Self { now, app, zone, offers, ghosts, redeemed, names, starts: Default::default(), today: OnceCell::new() }
    }

    /// Whether anything of a campaign whose name has that tail may be among what was given or redeemed; false is sure.
    pub fn may_have(&self, tail: u64) -> bool {
        self.names & bit(tail) != 0
    }

    /// Whether the caps of the app let everything pass, whatever its class.
    pub fn is_below_app_caps(&self) -> bool {
        let least = Priority::ALL.into_iter().map(|class| self.app.share_of(class)).min().unwrap_or(0);
        let given: u32 = self.today.get_or_init(|| self.count_today()).iter().sum();
        self.ghosts.is_empty() && self.app.cool_down.is_zero() && given < least.min(self.app.daily_offers)
    }

    /// Counts one that was chosen.
    pub fn add(&mut self, campaign: &'a Campaign) {
        self.names |= bit(tail(campaign.name.as_str()));
        self.offers.push(Counted::of(&campaign.name, self.now, campaign.priority));
        if let Some(today) = self.today.get_mut() {
            today[campaign.priority as usize] += 1;
        }
    }

    /// Counts one that would have been chosen.
    pub fn add_ghost(&mut self, campaign: &'a Campaign) {
        self.names |= bit(tail(campaign.name.as_str()));
        let ghost = Counted::of(&campaign.name, self.now, campaign.priority);
        self.ghosts.insert(self.ghosts.partition_point(|other| other.tail <= ghost.tail), ghost);
    }

    /// Everything that was given, as the campaign has to see it: with its own ghosts.
    fn seen_by<'s>(&'s self, campaign: &'s CampaignName) -> impl Iterator<Item = &'s Counted<'a>> {
        self.offers.iter().chain(self.ghosts_of(campaign))
    }

    fn ghosts_of<'s>(&'s self, campaign: &'s CampaignName) -> impl Iterator<Item = &'s Counted<'a>> {
        let end = tail(campaign.as_str());
        let alike = &self.ghosts[self.ghosts.partition_point(|ghost| ghost.tail < end)..];
        alike.iter().take_while(move |ghost| ghost.tail == end).filter(move |ghost| ghost.campaign == campaign)
    }

    /// Why the person gets no offer of anybody's now: the day is used up, or it is too soon. All that is so, looked for
    /// one by one.
    pub fn of_app<'s>(&'s self, campaign: &'s Campaign) -> impl Iterator<Item = Reason> + 's {
        let rests = || self.rests(self.app.cool_down, || self.seen_by(&campaign.name));
        let too_soon = iter::once_with(rests).flatten().map(|until| Reason::AppCoolDown { until });
        self.daily(campaign).into_iter().flatten().chain(too_soon)
    }

    /// Why the person gets none of the campaign's brand, which has these limits; likewise.
    pub fn of_brand<'s>(
        &'s self,
        campaign: &'s CampaignName,
        limits: &'s BrandLimits,
    ) -> impl Iterator<Item = Reason> + 's {
        let brand = campaign.owner();
        let own = move || self.seen_by(campaign).filter(move |offer| offer.campaign.owner() == brand);
        let cap = |(cap, given): (Cap, u32)| Reason::BrandCap { given, most: cap.offers, within: cap.within };
        let rests = iter::once_with(move || self.rests(limits.cool_down, own)).flatten();
        let too_soon = rests.map(|until| Reason::BrandCoolDown { until });
        self.exceeded(&limits.per_profile, own).map(cap).chain(too_soon)
    }

    /// Why the person gets none of this campaign; likewise.
    pub fn of_campaign<'s>(&'s self, campaign: &'s Campaign) -> impl Iterator<Item = Reason> + 's {
        let (name, limits) = (&campaign.name, &campaign.limits);
        let known = self.redeemed.iter().filter(|(other, _)| limits.never_after_redeemed && *other == name);
        let redeemed = known.map(|(_, at)| *at).max().map(|at| Reason::Redeemed { at });
        let end = tail(name.as_str());
        let own = move || self.seen_by(name).filter(move |offer| offer.tail == end && offer.campaign == name);
        let cap = |(cap, given): (Cap, u32)| Reason::CampaignCap { given, most: cap.offers, within: cap.within };
        let enough = move || {
            let too_soon = iter::once_with(move || self.rests(limits.cool_down, own)).flatten();
            self.exceeded(&limits.per_profile, own).map(cap).chain(too_soon.map(|until| Reason::CoolDown { until }))
        };
        let has_some = iter::once_with(move || own().next().is_some()).filter(|has_some| *has_some);
        redeemed.into_iter().chain(has_some.flat_map(move |_| enough()))
    }

    /// A class may take of the day what its share is, with all lower classes together; so the rest is kept for higher.
    fn daily(&self, campaign: &Campaign) -> [Option<Reason>; 2] {
        let (priority, mut today) = (campaign.priority, *self.today.get_or_init(|| self.count_today()));
        for ghost in self.ghosts_of(&campaign.name) {
            today[ghost.priority as usize] += u32::from(ghost.at >= self.since(CivilPeriod::Day));
        }
        let (given, daily) = (today.iter().sum(), self.app.daily_offers);
        let all = (given >= daily).then_some(Reason::DailyOffers { given, most: daily });
        let (given, most) = (today[..=priority as usize].iter().sum(), self.app.share_of(priority));
        // A share that is the whole day is used up with the day, which was told.
        let is_used_up = most < daily && given >= most;
        let of_class = is_used_up.then_some(Reason::PriorityShare { priority, given, most, daily });
        [all, of_class]
    }

    fn count_today(&self) -> [u32; 3] {
        let (midnight, mut today) = (self.since(CivilPeriod::Day), [0; 3]);
        for offer in self.offers.iter().filter(|offer| offer.at >= midnight) {
            today[offer.priority as usize] += 1;
        }
        today
    }

    /// The caps that are used up, and how much of each was given.
    fn exceeded<'s, I>(&'s self, caps: &'s [Cap], own: impl Fn() -> I + 's) -> impl Iterator<Item = (Cap, u32)> + 's
    where
        I: Iterator<Item = &'s Counted<'a>> + 's,
        'a: 's,
    {
        let given = move |within| match within {
            Within::Window(window) => {
                let since = self.now - window;
                count(own().filter(|offer| offer.at > since))
            }
            Within::Period(period) => {
                let start = self.since(period);
                count(own().filter(|offer| offer.at >= start))
            }
        };
        caps.iter().map(move |cap| (*cap, given(cap.within))).filter(|(cap, given)| *given >= cap.offers)
    }

    /// Until when it is too soon after the last of these, if it is.
    fn rests<'s, I>(&self, cool_down: Duration, own: impl Fn() -> I) -> Option<Timestamp>
    where
        I: Iterator<Item = &'s Counted<'a>>,
        'a: 's,
    {
        if cool_down.is_zero() {
            return None;
        }
        let until = own().map(|offer| offer.at).max()? + cool_down;
        (self.now < until).then_some(until)
    }

    /// When the person's civil period began; asked of the zone once.
    fn since(&self, period: CivilPeriod) -> Timestamp {
        *self.starts[period as usize].get_or_init(|| period.start(self.zone, self.now))
    }
}

/// One of 64, by the upper bits of a product that all bits of the tail reach.
fn bit(tail: u64) -> u64 {
    /// 2^64 over the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    1 << (tail.wrapping_mul(SPREAD) >> 58)
}

fn count(offers: impl Iterator) -> u32 {
    u32::try_from(offers.count()).unwrap_or(u32::MAX)
}
