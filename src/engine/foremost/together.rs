//! What fires together at one place.
//!
//! Law: an event at a place is also one anywhere, so its campaigns count together with those that are meant for anywhere,
//! whoever asks: pings, previews, explanations, and what brands read of their campaigns.

use std::collections::{BTreeSet, HashSet};

use super::{Beside, MOST_CONSIDERED, Wanted, wanted};
use crate::{
    domain::{
        campaign::{Campaign, On},
        name::{CampaignName, OrganizationName},
        presence::Area,
        time::Timestamp,
    },
    engine::{areas::Areas, armed::Armed},
};

/// The campaigns of one area, and those for anywhere beside it; both by name.
#[derive(Clone, Copy)]
pub struct Together<'a> {
    here: &'a [Armed],
    anywhere: &'a [Armed],
}

impl<'a> Together<'a> {
    pub fn new(here: &'a [Armed], anywhere: &'a [Armed]) -> Self {
        Self { here, anywhere }
    }

    pub fn at(areas: &'a Areas, area: &Area) -> Self {
        Self::new(areas.campaigns(area), areas.anywhere_beside(area))
    }

    /// That organization's.
    pub fn of(self, owner: &str) -> Self {
        Self::new(own(self.here, owner), own(self.anywhere, owner))
    }

    /// Those here, and what an event here fires besides.
    pub fn all(self) -> impl Iterator<Item = &'a Armed> {
        // Most places wait for no event, and most organizations have nothing that is meant for anywhere.
        let here: &[Armed] = if self.anywhere.is_empty() { &[] } else { self.here };
        let events: BTreeSet<&On> =
            here.iter().map(|campaign| &campaign.trigger.on).filter(|on| is_event(on)).collect();
        let also = self.anywhere.iter().filter(move |campaign| events.contains(&campaign.trigger.on));
        self.here.iter().chain(also)
    }

    /// The organizations that have more of them than count.
    pub fn crowding(self) -> impl Iterator<Item = OrganizationName> {
        self.crowds().map(|own| own.here[0].name.organization())
    }

    /// Those here that a ping considers at the moment of those beside, by name.
    pub fn considered(self, beside: &mut Beside<'a>) -> impl Iterator<Item = &'a Armed> + use<'a> {
        let each = self.enough().chunk_by(|a, b| a.name.owner() == b.name.owner());
        let left_out: HashSet<&CampaignName> = each.flat_map(|own| beside.left_out(own)).collect();
        self.here.iter().filter(move |campaign| !left_out.contains(&campaign.name))
    }

    /// Organization by organization, what has more here than counts.
    fn crowds(self) -> impl Iterator<Item = Self> {
        let each = self.enough().chunk_by(|a, b| a.name.owner() == b.name.owner());
        let each = each.map(move |here| Self::new(here, own(self.anywhere, here[0].name.owner())));
        each.filter(|own| own.all().count() > MOST_CONSIDERED)
    }

    /// Those here if there can be too many: nearly everywhere there are too few of all together.
    fn enough(self) -> &'a [Armed] {
        let is_enough = self.here.len() + self.anywhere.len() > MOST_CONSIDERED;
        if is_enough { self.here } else { &[] }
    }

    /// Those for anywhere that an event may fire.
    pub(super) fn events(self) -> impl Iterator<Item = &'a Armed> {
        self.anywhere.iter().filter(|campaign| is_event(&campaign.trigger.on))
    }

    fn waiting_for(self, on: &On) -> impl Iterator<Item = &'a Armed> {
        let anywhere: &[Armed] = if is_event(on) { self.anywhere } else { &[] };
        self.here.iter().chain(anywhere).filter(move |campaign| campaign.trigger.on == *on)
    }
}

fn is_event(on: &On) -> bool {
    matches!(on, On::AppEvent { .. })
}

/// As pings have it at one place: what is within its dates, then what is wanted.
pub(super) type Rank<'c> = (bool, Wanted<'c>);

pub(super) fn rank(campaign: &Campaign, at: Timestamp) -> Rank<'_> {
    (!campaign.limits.runs().contains(&at), wanted(campaign))
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
    /// At that moment.
    pub fn at((areas, area): (&Areas, &Area), campaign: &Campaign, at: Timestamp) -> Self {
        let own = rank(campaign, at);
        let alike = Together::at(areas, area).of(campaign.name.owner()).waiting_for(&campaign.trigger.on);
        alike.filter(|other| other.name != campaign.name).fold(Self::default(), |sum, other| Self {
            others: sum.others + 1,
            before: sum.before + usize::from(rank(other, at) < own),
        })
    }

    pub fn is_crowd(self) -> bool {
        self.others >= MOST_CONSIDERED
    }

    pub fn is_left_out(self) -> bool {
        self.before >= MOST_CONSIDERED
    }
}
