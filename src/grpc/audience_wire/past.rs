//! Conditions on visits and offers on the wire.
//!
//! Law 10: a rule asks about its own organization's offers only; another one's campaign is refused when the rule is made.

use std::ops::RangeInclusive;

use super::{Rules, tag_set, tags_to_wire};
use crate::{
    domain::{
        audience::{
            Rule,
            condition::{Ago, Count, LAST_VISIT_DAYS, OfferEvent, OffersOf, Visited, WINDOW_DAYS, within},
        },
        name::{CampaignName, OrganizationName, StoreName},
        violation::{Invalid, Violations},
    },
    grpc::{pb, wire::not_one_of},
};

pub(super) fn visits(wire: pb::VisitsCondition) -> Result<Rule, Violations> {
    use pb::visits_condition::Count as Wire;
    let pb::VisitsCondition { at, within_days, count: wanted } = wire;
    let mut wrong = Violations::default();
    let at = wrong.nest("at", visited(at));
    days(&mut wrong, "within_days", &WINDOW_DAYS, within_days);
    let count = wanted.map(|wanted| match wanted {
        Wire::AtLeast(least) => ("at_least", Count::AtLeast(least)),
        Wire::AtMost(most) => ("at_most", Count::AtMost(most)),
    });
    let count = counted(&mut wrong, count);
    wrong.finish(at.zip(count).map(|(at, count)| Rule::Visits { at, within_days, count }))
}

pub(super) fn last_visit(wire: pb::LastVisitCondition) -> Result<Rule, Violations> {
    use pb::last_visit_condition::Ago as Wire;
    let pb::LastVisitCondition { at, ago } = wire;
    let mut wrong = Violations::default();
    let at = wrong.nest("at", visited(at));
    let ago = ago.map(|ago| match ago {
        Wire::AtLeastDays(days) => ("at_least_days", Ago::AtLeast { days }),
        Wire::AtMostDays(days) => ("at_most_days", Ago::AtMost { days }),
    });
    let ago = wrong.take("", ago.ok_or_else(|| Invalid::new("needs at_least_days or at_most_days")));
    if let Some((field, ago)) = ago {
        days(&mut wrong, field, &LAST_VISIT_DAYS, ago.days());
    }
    wrong.finish(at.zip(ago).map(|(at, (_, ago))| Rule::LastVisit { at, ago }))
}

pub(super) fn offers(rules: &Rules<'_>, wire: pb::OffersCondition) -> Result<Rule, Violations> {
    use pb::offers_condition::{Count as WireCount, Of};
    let pb::OffersCondition { of, event: happened, within_days, count } = wire;
    let mut wrong = Violations::default();
    let of = match of {
        None => Some(OffersOf::ThisCampaign),
        Some(Of::WholeBrand(true)) => Some(OffersOf::Brand),
        Some(Of::WholeBrand(false)) => wrong.take("whole_brand", Err(Invalid::new("must be true, or unset"))),
        Some(Of::Campaign(name)) => {
            let own = CampaignName::parse(&name).and_then(|name| rules.own(name.owner()).map(|()| name));
            wrong.take("campaign", own).map(OffersOf::Campaign)
        }
    };
    let event = wrong.take("event", event(happened));
    days(&mut wrong, "within_days", &WINDOW_DAYS, within_days);
    let count = count.map(|count| match count {
        WireCount::AtLeast(least) => ("at_least", Count::AtLeast(least)),
        WireCount::AtMost(most) => ("at_most", Count::AtMost(most)),
    });
    let count = counted(&mut wrong, count);
    let rule = (|| Some(Rule::Offers { of: of?, event: event?, within_days, count: count? }))();
    wrong.finish(rule)
}

fn days(wrong: &mut Violations, field: &str, range: &RangeInclusive<u32>, days: u32) {
    wrong.take(field, within(range, days, "days"));
}

fn counted(wrong: &mut Violations, count: Option<(&str, Count)>) -> Option<Count> {
    let (field, count) = wrong.take("", count.ok_or_else(|| Invalid::new("needs at_least or at_most")))?;
    wrong.take(field, count.check()).map(|()| count)
}

fn visited(wire: Option<pb::VisitedPlaces>) -> Result<Visited, Violations> {
    use pb::visited_places::At;
    let mut wrong = Violations::default();
    let visited = match wire.and_then(|visited| visited.at) {
        None => Some(Visited::Here),
        Some(At::Store(store)) => wrong.take("store", StoreName::parse(&store)).map(Visited::Store),
        Some(At::Network(network)) => wrong.take("network", OrganizationName::parse(&network)).map(Visited::Network),
        Some(At::Tagged(pb::TaggedPlaces { network, tags })) => {
            let network = wrong.take("tagged.network", OrganizationName::parse(&network));
            let tags = wrong.nest("tagged", tag_set(&tags));
            network.zip(tags).map(|(network, tags)| Visited::Tagged { network, tags })
        }
    };
    wrong.finish(visited)
}

fn event(wire: i32) -> Result<OfferEvent, Invalid> {
    use pb::offers_condition::Event;
    match Event::try_from(wire) {
        Ok(Event::Offered) => Ok(OfferEvent::Offered),
        Ok(Event::Shown) => Ok(OfferEvent::Shown),
        Ok(Event::Opened) => Ok(OfferEvent::Opened),
        Ok(Event::Redeemed) => Ok(OfferEvent::Redeemed),
        Ok(Event::Unspecified) | Err(_) => Err(not_one_of(wire, Event::as_str_name)),
    }
}

pub(super) fn visits_to_wire(at: &Visited, within_days: u32, count: Count) -> pb::VisitsCondition {
    use pb::visits_condition::Count as Wire;
    let count = match count {
        Count::AtLeast(least) => Wire::AtLeast(least),
        Count::AtMost(most) => Wire::AtMost(most),
    };
    pb::VisitsCondition { at: visited_to_wire(at), within_days, count: Some(count) }
}

pub(super) fn last_visit_to_wire(at: &Visited, ago: Ago) -> pb::LastVisitCondition {
    use pb::last_visit_condition::Ago as Wire;
    let ago = match ago {
        Ago::AtLeast { days } => Wire::AtLeastDays(days),
        Ago::AtMost { days } => Wire::AtMostDays(days),
    };
    pb::LastVisitCondition { at: visited_to_wire(at), ago: Some(ago) }
}

pub(super) fn offers_to_wire(of: &OffersOf, event: OfferEvent, within_days: u32, count: Count) -> pb::OffersCondition {
    use pb::offers_condition::{Count as Wire, Event, Of};
    let of = match of {
        OffersOf::ThisCampaign => None,
        OffersOf::Campaign(name) => Some(Of::Campaign(name.to_string())),
        OffersOf::Brand => Some(Of::WholeBrand(true)),
    };
    let event = match event {
        OfferEvent::Offered => Event::Offered,
        OfferEvent::Shown => Event::Shown,
        OfferEvent::Opened => Event::Opened,
        OfferEvent::Redeemed => Event::Redeemed,
    };
    let count = match count {
        Count::AtLeast(least) => Wire::AtLeast(least),
        Count::AtMost(most) => Wire::AtMost(most),
    };
    pb::OffersCondition { of, event: event.into(), within_days, count: Some(count) }
}

fn visited_to_wire(at: &Visited) -> Option<pb::VisitedPlaces> {
    use pb::visited_places::At;
    let at = match at {
        Visited::Here => return None,
        Visited::Store(store) => At::Store(store.to_string()),
        Visited::Tagged { network, tags } => {
            At::Tagged(pb::TaggedPlaces { network: network.to_string(), tags: tags_to_wire(tags).tags })
        }
        Visited::Network(network) => At::Network(network.to_string()),
    };
    Some(pb::VisitedPlaces { at: Some(at) })
}
