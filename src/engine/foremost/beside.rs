//! What is meant for anywhere, as it counts beside what is meant for places: what one look at many places asks of it.
//!
//! Law: it is ordered once for a moment, of each organization and event as far as it counts, however many places are looked
//! at; so what a look costs does not grow with the product of both.

use std::collections::{BTreeMap, HashMap};

use super::{
    MOST_CONSIDERED,
    together::{Rank, Together, rank},
};
use crate::{
    domain::{campaign::On, name::CampaignName, presence::Area, time::Timestamp},
    engine::{areas::Areas, armed::Armed},
};

/// The foremost of those that wait for the same event, in order.
type Events<'a> = BTreeMap<&'a On, Vec<Rank<'a>>>;

/// The campaigns for anywhere as of one moment, of the organizations that were asked for.
pub struct Beside<'a> {
    anywhere: &'a [Armed],
    at: Timestamp,
    foremost: HashMap<&'a str, Events<'a>>,
}

impl<'a> Beside<'a> {
    pub fn at(areas: &'a Areas, at: Timestamp) -> Self {
        Self { anywhere: areas.campaigns(&Area::Anywhere), at, foremost: HashMap::new() }
    }

    /// Which of one organization's campaigns at a place a ping leaves out there.
    pub(super) fn left_out(&mut self, here: &'a [Armed]) -> Vec<&'a CampaignName> {
        let Some(first) = here.first() else { return Vec::new() };
        let (at, beside) = (self.at, self.of(first.name.owner()));
        if here.len() + beside.values().map(Vec::len).sum::<usize>() <= MOST_CONSIDERED {
            return Vec::new();
        }
        let mut here: Vec<(&On, Rank<'a>, &CampaignName)> =
            here.iter().map(|campaign| (&campaign.trigger.on, rank(campaign, at), &campaign.name)).collect();
        here.sort_unstable();
        let mut left_out = Vec::new();
        for alike in here.chunk_by(|(a, ..), (b, ..)| a == b) {
            let beside = beside.get(alike[0].0).map(Vec::as_slice).unwrap_or_default();
            let before = |own: usize, rank: &Rank<'_>| own + beside.partition_point(|other| other < rank);
            let counted = alike.iter().enumerate();
            let beyond = counted.filter(|(own, (_, rank, _))| before(*own, rank) >= MOST_CONSIDERED);
            left_out.extend(beyond.map(|(_, (.., name))| *name));
        }
        left_out
    }

    fn of(&mut self, owner: &'a str) -> &Events<'a> {
        let (anywhere, at) = (self.anywhere, self.at);
        self.foremost.entry(owner).or_insert_with(|| foremost(Together::new(&[], anywhere).of(owner).events(), at))
    }
}

/// Event by event, as many as count.
fn foremost<'a>(events: impl Iterator<Item = &'a Armed>, at: Timestamp) -> Events<'a> {
    let mut foremost = Events::new();
    for campaign in events {
        foremost.entry(&campaign.trigger.on).or_default().push(rank(campaign, at));
    }
    for alike in foremost.values_mut() {
        alike.sort_unstable();
        alike.truncate(MOST_CONSIDERED);
        alike.shrink_to_fit();
    }
    foremost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            campaign::{Campaign, Priority, Target, Trigger},
            catalog::Resource,
            text::EventKey,
        },
        engine::{
            fixture::{acme, at, campaign, catalog, geofence},
            foremost::Standing,
        },
    };

    fn on(key: &str) -> On {
        On::AppEvent { key: EventKey::new(key).expect("sound") }
    }

    fn anywhere(i: usize, key: &str) -> Campaign {
        let trigger = Trigger { on: on(key), at: Target::Anywhere, visit: Default::default() };
        let priority = if i.is_multiple_of(3) { Priority::High } else { Priority::Normal };
        let mut campaign = Campaign { trigger, priority, ..campaign(&format!("c{i:04}"), on(key), "geofences/f0") };
        campaign.limits.ends_at = i.is_multiple_of(7).then(|| at(60));
        campaign
    }

    #[test]
    fn what_is_left_out_at_each_place_is_what_a_ping_leaves_out_there() {
        const PLACES: usize = 6;
        let mut world: Vec<Resource> = (0..PLACES).map(|i| geofence(&format!("f{i}"), 0.0, 100.0).into()).collect();
        world.extend((0..2 * MOST_CONSIDERED).map(|i| anywhere(i, "scanned").into()));
        world.extend((0..MOST_CONSIDERED - 2).map(|i| anywhere(i + 5_000, "touched").into()));
        for i in 0..8 * PLACES {
            let (place, key) = (format!("geofences/f{}", i % PLACES), ["scanned", "touched", "left"][i % 3]);
            let priority = [Priority::Low, Priority::Normal, Priority::High, Priority::High][i % 4];
            let mut own = Campaign { priority, ..campaign(&format!("b{i:04}"), on(key), &place) };
            own.limits.ends_at = i.is_multiple_of(5).then(|| at(60));
            world.push(own.into());
        }
        let catalog = catalog(world);
        let mut told = Vec::new();
        for now in [at(0), at(60)] {
            let mut beside = Beside::at(&catalog.areas, now);
            for i in 0..PLACES {
                let place = Area::Geofence(acme().geofence(&format!("f{i}")).expect("sound"));
                let here = Together::at(&catalog.areas, &place);
                let considered: Vec<&str> = here.considered(&mut beside).map(|own| own.name.as_str()).collect();
                let by_pings = catalog.areas.campaigns(&place).iter();
                let by_pings = by_pings.filter(|own| !Standing::at((&catalog.areas, &place), own, now).is_left_out());
                assert_eq!(considered, by_pings.map(|own| own.name.as_str()).collect::<Vec<_>>(), "{place}");
                told.push(considered.len());
            }
            let kept = beside.foremost.values().flat_map(BTreeMap::values).map(Vec::len);
            assert_eq!(kept.collect::<Vec<_>>(), [MOST_CONSIDERED, MOST_CONSIDERED - 2], "for all places together");
        }
        assert!(told.iter().any(|considered| *considered < 8) && told.iter().all(|considered| *considered > 0));
    }
}
