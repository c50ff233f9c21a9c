//! Which campaigns are considered where there are too many.
//!
//! Law: whoever has thousands of campaigns at one place holds up nobody's ping, and keeps none of another organization from
//! being considered. Which of them are is told by the campaigns, the places and the moment alone, so that it is the same
//! for everybody who comes there; what is history takes no place of what is news.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use super::{areas::Areas, armed::Armed, ranking::Candidate};
use crate::domain::{
    campaign::{Campaign, On, Priority},
    name::{CampaignName, OrganizationName},
    presence::Area,
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

/// What comes beside these at a place, of those that are meant for anywhere: an event there fires both.
fn also_fired<'a>(here: &[Armed], anywhere: &'a [Armed]) -> impl Iterator<Item = &'a Armed> {
    let is_event = |on: &&On| matches!(on, On::AppEvent { .. });
    // Most places wait for no event, and most organizations have nothing that is meant for anywhere.
    let here: &[Armed] = if anywhere.is_empty() { &[] } else { here };
    let events: BTreeSet<&On> = here.iter().map(|campaign| &campaign.trigger.on).filter(is_event).collect();
    anywhere.iter().filter(move |campaign| events.contains(&campaign.trigger.on))
}

/// The organizations that have more campaigns than count among these of one area, and those for anywhere that fire with
/// them; both are in the order of names.
pub fn crowding(campaigns: &[Armed], anywhere: &[Armed]) -> impl Iterator<Item = OrganizationName> {
    // Nearly everywhere there are too few of all together.
    let enough = if campaigns.len() + anywhere.len() > MOST_CONSIDERED { campaigns } else { &[] };
    let each = enough.chunk_by(|a, b| a.name.owner() == b.name.owner());
    let also = |here: &[Armed]| also_fired(here, own(anywhere, here[0].name.owner())).count();
    let crowds = each.filter(move |here| here.len() + also(here) > MOST_CONSIDERED);
    crowds.map(|here| here[0].name.organization())
}

/// That organization's among these, which are in the order of names.
fn own<'a>(campaigns: &'a [Armed], owner: &str) -> &'a [Armed] {
    let first = format!("{owner}/");
    let from = campaigns.partition_point(|campaign| campaign.name.as_str() < first.as_str());
    let own = &campaigns[from..];
    &own[..own.partition_point(|campaign| campaign.name.as_str().starts_with(&first))]
}

/// Where a campaign stands among those of its organization that wait for the same at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// How many others there are.
    pub others: usize,
    /// How many of them are considered before it.
    pub before: usize,
}

impl Standing {
    /// At that moment; an event at a place is also one anywhere.
    pub fn at((areas, area): (&Areas, &Area), campaign: &Campaign, at: Timestamp) -> Self {
        let is_event = matches!(campaign.trigger.on, On::AppEvent { .. });
        let anywhere = if is_event { areas.anywhere_beside(area) } else { &[] };
        let campaigns = areas.campaigns(area).iter().chain(anywhere);
        let order = |campaign: &Campaign| !campaign.limits.runs().contains(&at);
        let (owner, own) = (campaign.name.owner(), (order(campaign), wanted(campaign)));
        let is_other = |other: &&Armed| other.name.owner() == owner && other.name != campaign.name;
        let others = campaigns.filter(is_other).filter(|other| other.trigger.on == campaign.trigger.on);
        others.fold(Self::default(), |sum, other| Self {
            others: sum.others + 1,
            before: sum.before + usize::from((order(other), wanted(other)) < own),
        })
    }

    pub fn is_crowd(self) -> bool {
        self.others >= MOST_CONSIDERED
    }

    pub fn is_left_out(self) -> bool {
        self.before >= MOST_CONSIDERED
    }
}

/// The campaigns of one organization that pings leave out somewhere, as of one moment.
#[derive(Debug, Default)]
pub struct LeftOut(BTreeMap<CampaignName, (Area, usize)>);

impl LeftOut {
    /// From then on, or as soon as each of them starts. Areas that fire the same campaigns are alike, and looked at once.
    pub fn of(areas: &Areas, owner: &str, now: Timestamp) -> Self {
        let mut first = BTreeMap::new();
        let mut seen: HashSet<Vec<*const Campaign>> = HashSet::new();
        for area in areas.crowded.get(owner).into_iter().flatten() {
            let here = own(areas.campaigns(area), owner);
            let also = also_fired(here, own(areas.anywhere_beside(area), owner));
            let mut own: Vec<&Campaign> = here.iter().chain(also).map(|armed| &**armed).collect();
            if !seen.insert(own.iter().map(|&campaign| std::ptr::from_ref(campaign)).collect()) {
                continue;
            }
            own.sort_by_key(|&campaign| (&campaign.trigger.on, wanted(campaign)));
            for alike in own.chunk_by(|a, b| a.trigger.on == b.trigger.on) {
                for (campaign, before) in left_out(alike, now) {
                    first.entry(campaign.name.clone()).or_insert_with(|| (area.clone(), before));
                }
            }
        }
        Self(first)
    }

    /// The first area where it is, and how many come before it there.
    pub fn at(&self, campaign: &CampaignName) -> Option<(&Area, usize)> {
        self.0.get(campaign).map(|(area, before)| (area, *before))
    }
}

/// Which of these that wait for the same are left out from then on, or as soon as they start, and how many come before.
/// They are in the order of what is wanted.
fn left_out<'a>(alike: &[&'a Campaign], now: Timestamp) -> Vec<(&'a Campaign, usize)> {
    let enough = if alike.len() > MOST_CONSIDERED { alike } else { &[] };
    let starts_and_ends = enough.iter().enumerate().flat_map(|(rank, campaign)| {
        let runs = campaign.limits.runs();
        let starts = runs.start.max(now);
        let both = [(starts, true, rank), (runs.end, false, rank)];
        both.into_iter().filter(move |_| starts < runs.end)
    });
    let mut moments: Vec<(Timestamp, bool, usize)> = starts_and_ends.collect();
    // What ends then does not run any more.
    moments.sort_unstable();
    let (mut running, mut found): (Vec<usize>, Vec<(&Campaign, usize)>) = Default::default();
    for at_once in moments.chunk_by(|(a, ..), (b, ..)| a == b) {
        for &(_, starts, rank) in at_once {
            match running.binary_search(&rank) {
                Err(before) if starts => running.insert(before, rank),
                Ok(before) if !starts => drop(running.remove(before)),
                Ok(_) | Err(_) => {}
            }
        }
        for &(_, _, rank) in at_once.iter().filter(|(_, starts, _)| *starts) {
            let before = running.partition_point(|&other| other < rank);
            found.extend((before >= MOST_CONSIDERED).then_some((alike[rank], before)));
        }
    }
    found
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
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{
            audience::samples,
            campaign::{Campaign, Target, Weight},
            catalog::Resource,
            decision::{Decision, Note},
            organization::{Grant, Permission},
            place::PlaceName,
            presence::Area,
        },
        engine::{
            armed::Armed,
            decide::{Question, decide},
            faults,
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
    fn a_campaign_that_is_left_out_is_told_so_with_the_place() {
        let own = (0..=MOST_CONSIDERED).map(|i| entered(&format!("c{i:03}")));
        let mut world: Vec<Resource> = own.map(Resource::from).collect();
        world.push(geofence("quay", 0.0, 100.0).into());
        let fault = |world: &[Resource], id: &str| {
            let catalog = catalog(world.to_vec());
            let name = acme().campaign(id).expect("sound");
            let left_out = LeftOut::of(&catalog.areas, name.owner(), at(0));
            faults::of_crowd(&left_out, &name).map(|fault| (fault.code, fault.subject))
        };
        let quay = || Some(("TOO_MANY_CAMPAIGNS", "organizations/acme/geofences/quay".to_owned()));
        assert_eq!((fault(&world, "c499"), fault(&world, "c500")), (None, quay()));
        let mut ended = entered("c000");
        ended.limits.ends_at = Some(at(-1));
        let other = campaign("c001", On::Exited, "geofences/quay");
        for (i, others) in [(0, ended), (1, other)] {
            let before = std::mem::replace(&mut world[i], others.into());
            assert_eq!(fault(&world, "c500"), None, "{i} does not come before it");
            world[i] = before;
        }
        let urgent = Campaign { priority: Priority::High, ..entered("c500") };
        world[MOST_CONSIDERED] = urgent.into();
        assert_eq!((fault(&world, "c499"), fault(&world, "c500")), (quay(), None));
    }

    #[test]
    fn who_is_left_out_is_told_as_of_its_start_and_at_whichever_place() {
        const PLACES: usize = 102;
        let fences = || (0..PLACES).map(|i| geofence(&format!("f{i:03}"), 0.0, 100.0));
        let everywhere = |mut campaign: Campaign| {
            campaign.trigger.at = Target::Places(fences().map(|fence| PlaceName::Geofence(fence.name)).collect());
            campaign
        };
        let own = |i: usize| {
            let mut campaign = everywhere(entered(&format!("c{i:03}")));
            campaign.limits.ends_at = (i == 0).then(|| at(60));
            campaign
        };
        let starting = |id: &str, seconds| {
            let mut campaign = campaign(id, On::Entered, &format!("geofences/f{:03}", PLACES - 1));
            campaign.limits.starts_at = Some(at(seconds));
            campaign
        };
        let mut ended = starting("x4", -60);
        ended.limits.ends_at = Some(at(0));
        let mut world: Vec<Resource> = fences().map(Resource::from).collect();
        world.extend((0..MOST_CONSIDERED).map(|i| own(i).into()));
        world.extend([starting("x1", -60), starting("x2", 59), starting("x3", 60), ended].map(Resource::from));
        let catalog = catalog(world);
        let told = |now| {
            let left_out = LeftOut::of(&catalog.areas, acme().as_str(), now);
            let before = |id: &str| left_out.at(&acme().campaign(id).expect("sound")).map(|(_, before)| before);
            ["c499", "x1", "x2", "x3", "x4"].map(before)
        };
        assert_eq!(told(at(0)), [None, Some(500), Some(501), Some(501), None]);
        assert_eq!(told(at(60)), [None, None, Some(500), Some(501), None], "one has ended that came before");
        for one in catalog.campaigns.values().map(|entry| &entry.value) {
            let runs = one.limits.runs();
            let moment = runs.start.max(at(0));
            let last = Area::Geofence(acme().geofence("f101").expect("sound"));
            let standing = Standing::at((&catalog.areas, &last), one, moment);
            let left_out = LeftOut::of(&catalog.areas, acme().as_str(), at(0));
            let is_left_out = runs.contains(&moment) && standing.is_left_out();
            assert_eq!(left_out.at(&one.name), is_left_out.then_some((&last, standing.before)), "{}", one.name);
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
