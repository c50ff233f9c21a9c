//! How many ghosts of a campaign a profile has to keep.
//!
//! Law: whoever counts to a number is answered the same by that many of the newest as by all: caps refuse at their number,
//! cool-downs and counts of visits look at the last, and a condition of the audience tells no more apart than one above its
//! own. All of them count a ghost for its own campaign only, so nobody else needs it.

use super::catalog::Catalog;
use crate::domain::{
    audience::{Rule, condition::Count},
    campaign::Campaign,
    organization::App,
};

/// The most that anything asks of the campaign's own ghosts.
pub fn needed(campaign: &Campaign, catalog: &Catalog, app: &App) -> usize {
    let owner = campaign.name.organization();
    let brand = catalog.organizations.get(&owner).map(|entry| entry.value.brand_limits.per_profile.as_slice());
    let caps = campaign.limits.per_profile.iter().chain(brand.unwrap_or_default()).map(|cap| cap.offers);
    let asked = campaign.audience.rule().nodes().map(|rule| match rule {
        Rule::Segment(name) => {
            let segment = catalog.segments.get(name);
            segment.map_or(0, |entry| entry.value.audience.rule().nodes().map(counted).max().unwrap_or(0))
        }
        rule => counted(rule),
    });
    let most = caps.chain(asked).chain([1, app.daily_offers]).max().unwrap_or(1);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// Up to what the condition counts offers.
fn counted(rule: &Rule) -> u32 {
    match rule {
        Rule::Offers { count: Count::AtLeast(count), .. } => *count,
        Rule::Offers { count: Count::AtMost(count), .. } => count.saturating_add(1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            audience::{
                Audience,
                condition::{OfferEvent, OffersOf},
            },
            campaign::On,
            cap::Cap,
            catalog::Resource,
            organization::{BrandLimits, Organization},
            segment::Segment,
        },
        engine::fixture::{DAY, acme, app, campaign, catalog},
    };

    #[test]
    fn as_many_as_the_largest_number_that_anything_counts_to() {
        let offers = |count| {
            let (of, event) = (OffersOf::ThisCampaign, OfferEvent::Offered);
            Audience::new(Rule::Offers { of, event, within_days: 9, count }).expect("sound")
        };
        let often = Segment {
            name: acme().segment("often").expect("sound"),
            display_name: "often".into(),
            audience: offers(Count::AtLeast(70)),
        };
        let world = |brand: u32| -> Vec<Resource> {
            let brand_limits = BrandLimits { per_profile: vec![Cap::rolling(brand, DAY)], ..BrandLimits::default() };
            let brand = Organization { name: acme(), display_name: "Acme".into(), brand_limits };
            vec![brand.into(), often.clone().into()]
        };
        let needed = |brand, daily_offers, cap, audience: &Audience| {
            let mut once = campaign("a", On::Heard, "beacons/x");
            (once.limits.per_profile, once.audience) = (vec![Cap::rolling(cap, DAY)], audience.clone());
            needed(&once, &catalog(world(brand)), &crate::domain::organization::App { daily_offers, ..app() })
        };
        let everyone = Audience::everyone();
        assert_eq!([needed(1, 0, 1, &everyone), needed(1, 3, 2, &everyone), needed(1, 3, 50, &everyone)], [1, 3, 50]);
        assert_eq!(needed(20, 3, 5, &everyone), 20);
        assert_eq!([Count::AtLeast(9), Count::AtMost(9)].map(|count| needed(1, 3, 5, &offers(count))), [9, 10]);
        let in_segment = Audience::new(Rule::Not(Box::new(Rule::Segment(often.name.clone())))).expect("sound");
        assert_eq!(needed(1, 3, 5, &in_segment), 70);
    }
}
