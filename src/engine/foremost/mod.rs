//! Which campaigns are considered where there are too many.
//!
//! Law: whoever has thousands of campaigns at one place holds up nobody's ping, and keeps none of another organization from
//! being considered. Which of them are is told by the campaigns, the places and the moment alone, so that it is the same
//! for everybody who comes there; what is history takes no place of what is news.

mod beside;
mod left_out;
mod together;

use std::cmp::Reverse;

pub use beside::Beside;
pub use left_out::LeftOut;
pub use together::{Standing, Together};

use super::ranking::Candidate;
use crate::domain::{
    campaign::{Campaign, Priority},
    time::Timestamp,
};

/// Most campaigns of one organization that are considered at once, each counted at each of its places: more than anybody
/// can tell apart, and about as many as a receipt and its transaction can hold without being felt.
pub const MOST_CONSIDERED: usize = 500;

/// Candidates while they are gathered: of each organization the foremost, at most [`MOST_CONSIDERED`].
pub struct Foremost<'t> {
    now: Timestamp,
    candidates: Vec<Candidate<'t>>,
    left_out: usize,
    /// From so many on it is looked whether there are too many.
    enough: usize,
}

/// What comes before what: what is on trial, for its tester is to see it; what is news; what is within its dates; each
/// campaign once, at the nearest of its places, before any of them twice; then the class, and what the brand says that it
/// wants.
type Order<'c> = (bool, bool, bool, usize, Wanted<'c>);
/// Class, weight and name.
type Wanted<'c> = (Reverse<Priority>, Reverse<u64>, &'c str);

impl<'t> Foremost<'t> {
    pub fn at(now: Timestamp, room: usize) -> Self {
        Self { now, candidates: Vec::with_capacity(room), left_out: 0, enough: MOST_CONSIDERED }
    }

    /// In the order of names and areas, and how many are left out.
    pub fn all(mut self) -> (Vec<Candidate<'t>>, usize) {
        if self.candidates.len() > MOST_CONSIDERED {
            self.leave_out();
        }
        // What one transition fires is in order.
        self.candidates.sort_by(|a, b| (&a.campaign.name, a.area).cmp(&(&b.campaign.name, b.area)));
        (self.candidates, self.left_out)
    }

    /// Who is left out among these would be among more of them, too.
    fn leave_out(&mut self) {
        let mut candidates = std::mem::take(&mut self.candidates);
        let metres = |candidate: &Candidate<'_>| candidate.distance_m.unwrap_or(0.0);
        candidates.sort_by(|a, b| {
            let by_distance = || metres(a).total_cmp(&metres(b)).then_with(|| a.area.cmp(b.area));
            a.campaign.name.cmp(&b.campaign.name).then_with(|| a.stale.cmp(&b.stale)).then_with(by_distance)
        });
        // Names of one organization are side by side.
        for own in candidates.chunk_by(|a, b| a.campaign.name.owner() == b.campaign.name.owner()) {
            let left_out = own.len().saturating_sub(MOST_CONSIDERED);
            self.left_out += left_out;
            match left_out {
                0 => self.candidates.extend_from_slice(own),
                _ => self.candidates.extend(self.foremost(own).into_iter().cloned()),
            }
        }
        // So that it is rarely looked in vain, however many organizations there are.
        self.enough = 2 * self.candidates.len();
    }

    /// Of one organization's, by name and distance.
    fn foremost<'c>(&self, own: &'c [Candidate<'t>]) -> Vec<&'c Candidate<'t>> {
        let mut turn = 0;
        let orders = own.iter().enumerate().map(|(i, candidate)| {
            let is_again = i > 0 && own[i - 1].campaign.name == candidate.campaign.name;
            turn = if is_again { turn + 1 } else { 0 };
            (self.order(candidate, turn), candidate)
        });
        let mut orders: Vec<(Order<'c>, &Candidate<'t>)> = orders.collect();
        orders.sort_by_key(|(order, _)| *order);
        orders.into_iter().take(MOST_CONSIDERED).map(|(_, candidate)| candidate).collect()
    }

    fn order<'c>(&self, candidate: &'c Candidate<'t>, turn: usize) -> Order<'c> {
        let campaign = candidate.campaign;
        let runs = candidate.trial || campaign.limits.runs().contains(&self.now);
        (!candidate.trial, candidate.stale, !runs, turn, wanted(campaign))
    }
}

fn wanted(campaign: &Campaign) -> Wanted<'_> {
    // Weights are no numbers to compare, but their bits are: they are never negative.
    (Reverse(campaign.priority), Reverse(campaign.weight.get().to_bits()), campaign.name.as_str())
}

impl<'t> Extend<Candidate<'t>> for Foremost<'t> {
    fn extend<I: IntoIterator<Item = Candidate<'t>>>(&mut self, fired: I) {
        self.candidates.extend(fired);
        if self.candidates.len() > self.enough {
            self.leave_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::*;
    use crate::{
        domain::{
            audience::samples,
            campaign::{Campaign, On, Weight},
            catalog::Resource,
            decision::{Decision, Note},
            organization::{Grant, Permission},
            presence::Area,
        },
        engine::{
            armed::Armed,
            decide::{Question, decide},
            fixture::{acme, app, at, campaign, catalog, device_name, geofence, here, metres, person},
            ranking::Cause,
        },
    };

    fn entered(id: &str) -> Campaign {
        campaign(id, On::Entered, "geofences/quay")
    }

    /// One more than count of acme's, of which that is one, and one of another brand.
    fn decided(one: Campaign) -> Decision {
        let own = (0..=MOST_CONSIDERED).map(|i| entered(&format!("c{i:03}"))).filter(|other| other.name != one.name);
        let others = Campaign { name: samples::brand().campaign("x").expect("sound"), ..entered("x") };
        let name = acme().grant("g").expect("sound");
        let grant = Grant { name, grantee: samples::brand(), permission: Permission::TargetPlaces };
        let mut world: Vec<Resource> = own.map(Resource::from).collect();
        world.extend([one.clone().into(), others.into(), grant.into(), geofence("quay", 0.0, 100.0).into()]);
        let (catalog, app, profile, device) = (catalog(world), app(), person(), device_name());
        let (ping, exhausted) = (&here(0, metres(0.0, 0.0)), &BTreeSet::new());
        let question =
            Question { catalog: &catalog, app: &app, profile: &profile, device: &device, ping, seed: 7, exhausted };
        decide(&question).decision
    }

    #[test]
    fn a_brand_with_too_many_campaigns_shuts_no_other_out_and_its_least_wanted_are_left_out() {
        let (last, first) = (|| entered("c500"), entered("c000"));
        let mut ended = first;
        ended.limits.ends_at = Some(at(-1));
        let heavy = Campaign { weight: Weight::new(1.5).expect("sound"), ..last() };
        let light = Campaign { weight: Weight::new(0.5).expect("sound"), ..entered("c001") };
        let urgent = Campaign { priority: Priority::High, weight: Weight::new(0.5).expect("sound"), ..last() };
        let cases = [(last(), "c500"), (ended, "c000"), (heavy, "c499"), (light, "c001"), (urgent, "c499")];
        for (one, left_out) in cases {
            let decision = decided(one);
            let considered: BTreeSet<&str> = decision.considered.iter().map(|one| one.campaign.as_str()).collect();
            assert_eq!(considered.len(), MOST_CONSIDERED + 1, "{left_out}");
            assert!(considered.contains("organizations/brand/campaigns/x"), "{left_out}");
            assert!(!considered.contains(format!("organizations/acme/campaigns/{left_out}").as_str()), "{left_out}");
            assert_eq!(decision.notes, [Note::TooManyCampaigns { campaigns: 1 }]);
        }
    }

    #[test]
    fn each_campaign_counts_at_the_nearest_of_its_places_however_they_are_gathered() {
        let campaigns = ["a", "b", "c"].map(|id| Armed::of(&Arc::new(entered(id))));
        let areas: Vec<Area> =
            (0..400).map(|i| Area::Geofence(acme().geofence(&format!("f{i:03}")).expect("sound"))).collect();
        let candidate = |i: usize| {
            let (campaign, place) = (&campaigns[i % 3], i / 3);
            let (cause, area, distance_m) = (Cause::Browsed, &areas[place], Some((place * 37 % 400) as f64));
            let (at, stale, view, store, drawn, trial) = (at(0), false, None, None, None, false);
            Candidate { campaign, cause, area, at, stale, view, store, distance_m, drawn, trial }
        };
        let all: Vec<Candidate<'_>> = (0..1_200).map(candidate).collect();
        for at_once in [1, 70, 1_200] {
            let mut foremost = Foremost::at(at(0), 0);
            all.chunks(at_once).for_each(|some| foremost.extend(some.iter().cloned()));
            let (kept, left_out) = foremost.all();
            assert_eq!((kept.len(), left_out), (MOST_CONSIDERED, 700));
            let within = |id: &str| {
                let own = kept.iter().filter(|kept| kept.campaign.name.as_str().ends_with(id));
                let metres: Vec<f64> = own.filter_map(|kept| kept.distance_m).collect();
                (metres.len(), metres.into_iter().fold(0.0, f64::max))
            };
            assert_eq!(["/a", "/b", "/c"].map(within), [(167, 166.0), (167, 166.0), (166, 165.0)]);
        }
        // The nearer half happened long ago.
        let news = |i: usize| Candidate { stale: i < 600, ..candidate(i) };
        let mut foremost = Foremost::at(at(0), 0);
        foremost.extend((0..1_200).map(news));
        assert!(foremost.all().0.iter().all(|kept| !kept.stale), "history takes no place of what is news");
    }
}
