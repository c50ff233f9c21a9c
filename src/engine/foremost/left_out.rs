//! Which campaigns pings leave out somewhere: what brands read of it beside their campaigns.
//!
//! Law: it is told as of now, and of what starts later as of its start; each campaign at the first place where it is so.

use std::collections::{BTreeMap, HashSet};

use super::{MOST_CONSIDERED, Together, wanted};
use crate::{
    domain::{campaign::Campaign, name::CampaignName, presence::Area, time::Timestamp},
    engine::areas::Areas,
};

/// The campaigns of one organization that pings leave out somewhere, as of one moment.
#[derive(Debug, Default)]
pub struct LeftOut(BTreeMap<CampaignName, (Area, usize)>);

impl LeftOut {
    /// From then on, or as soon as each of them starts. Areas that fire the same campaigns are alike, and looked at once.
    pub fn of(areas: &Areas, owner: &str, now: Timestamp) -> Self {
        let mut first = BTreeMap::new();
        let mut seen: HashSet<Vec<*const Campaign>> = HashSet::new();
        for area in areas.crowded.get(owner).into_iter().flatten() {
            let mut own: Vec<&Campaign> = Together::at(areas, area).of(owner).all().map(|armed| &**armed).collect();
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
