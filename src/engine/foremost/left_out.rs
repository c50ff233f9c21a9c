//! Which campaigns pings leave out somewhere: what brands read of it beside their campaigns.
//!
//! Law: it is told as of now, and of what starts later as of its start; each campaign at the first place where it is so.

use std::{
    collections::{BTreeMap, HashSet},
    hash::BuildHasher,
    ops::Range,
};

use foldhash::quality::FixedState;

use super::{MOST_CONSIDERED, Together, wanted};
use crate::{
    domain::{campaign::Campaign, name::CampaignName, presence::Area, time::Timestamp},
    engine::areas::Areas,
};

/// The campaigns of one organization that pings leave out somewhere, as of some time.
#[derive(Debug)]
pub struct LeftOut {
    first: BTreeMap<CampaignName, (Area, usize)>,
    /// Until one of the campaigns starts or ends.
    when: Range<Timestamp>,
}

impl LeftOut {
    /// From then on, or as soon as each of them starts. Areas that fire the same campaigns are alike, and looked at once.
    pub fn of(areas: &Areas, owner: &str, now: Timestamp) -> Self {
        let (mut first, mut until) = (BTreeMap::new(), Timestamp::MAX);
        let mut seen: HashSet<[u64; 2]> = HashSet::new();
        for area in areas.crowded.get(owner).into_iter().flatten() {
            let mut own: Vec<&Campaign> = Together::at(areas, area).of(owner).all().map(|armed| &**armed).collect();
            if !seen.insert(fingerprint(&own)) {
                continue;
            }
            let moments = own.iter().map(|campaign| campaign.limits.runs()).flat_map(|runs| [runs.start, runs.end]);
            until = moments.filter(|moment| *moment > now).fold(until, Timestamp::min);
            own.sort_by_key(|&campaign| (&campaign.trigger.on, wanted(campaign)));
            for alike in own.chunk_by(|a, b| a.trigger.on == b.trigger.on) {
                for (campaign, before) in left_out(alike, now) {
                    first.entry(campaign.name.clone()).or_insert_with(|| (area.clone(), before));
                }
            }
        }
        Self { first, when: now..until }
    }

    /// Whether it is the same at that moment, under the same areas.
    pub fn is_so_at(&self, now: Timestamp) -> bool {
        self.when.contains(&now)
    }

    /// The first area where it is, and how many come before it there.
    pub fn at(&self, campaign: &CampaignName) -> Option<(&Area, usize)> {
        self.first.get(campaign).map(|(area, before)| (area, *before))
    }
}

/// Tells these from any others. There may be as many sets of thousands as there are places: too much to keep.
fn fingerprint(campaigns: &[&Campaign]) -> [u64; 2] {
    let each: Vec<*const Campaign> = campaigns.iter().map(|&campaign| std::ptr::from_ref(campaign)).collect();
    [1, 2].map(|seed| FixedState::with_seed(seed).hash_one(&each))
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
    // What ends after the last start leaves nobody out.
    let last = moments.iter().filter(|(_, starts, _)| *starts).map(|(at, ..)| *at).max();
    moments.retain(|(at, ..)| Some(*at) <= last);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            campaign::{On, Priority, Target},
            catalog::Resource,
            place::PlaceName,
        },
        engine::{
            faults,
            fixture::{acme, at, campaign, catalog, geofence},
            foremost::Standing,
        },
    };

    fn entered(id: &str) -> Campaign {
        campaign(id, On::Entered, "geofences/quay")
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
        let is_so_at = |now| LeftOut::of(&catalog.areas, acme().as_str(), at(0)).is_so_at(now);
        assert_eq!([-1, 0, 58, 59].map(at).map(is_so_at), [false, true, true, false], "until the next one starts");
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
}
