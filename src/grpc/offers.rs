//! Offers, transitions and decisions as messages.

use crate::{
    app::{
        brand_view::{BrandLine, BrandReceipt, BrandVerdict},
        decisions::Receipt,
    },
    domain::{
        decision::{Considered, Decision, Happened, Next, Note, Rank, Verdict},
        experiment::Arm,
        offer::{Ghost, Offer, OfferStore, Surface},
        presence::{Area, Transition, TransitionKind},
        reason::{NOT_ELIGIBLE, NOT_ELIGIBLE_MEANING},
    },
    grpc::{
        content_wire::{custom_to_wire, survey_to_wire},
        coupon_wire::offer_coupon_to_wire,
        pb,
        wire::{duration_to_wire, money_to_wire, position_to_wire, timestamp_to_wire},
    },
};

pub fn offer_to_wire(offer: &Offer) -> pb::Offer {
    let Offer {
        id,
        campaign,
        content,
        area,
        store,
        distance_m,
        reason,
        surface,
        show_by,
        valid_until,
        coupon,
        arm,
        trial,
    } = offer;
    pb::Offer {
        id: id.to_string(),
        campaign: campaign.to_string(),
        title: content.title.clone(),
        body: content.body.clone(),
        image_url: content.image_url.clone(),
        link: content.link.clone(),
        price: content.price.as_ref().map(money_to_wire),
        place: place_to_wire(area).0,
        store: store.as_ref().map(store_to_wire),
        distance_m: *distance_m,
        reason: reason.clone(),
        show_by: Some(timestamp_to_wire(*show_by)),
        valid_until: Some(timestamp_to_wire(*valid_until)),
        coupon: coupon.as_ref().map(offer_coupon_to_wire),
        surface: surface_to_wire(*surface).into(),
        variant: arm.as_ref().map(variant_of).unwrap_or_default(),
        language: content.language.clone(),
        call_to_action: content.call_to_action.clone(),
        survey: survey_to_wire(content.survey.as_ref()),
        custom_json: custom_to_wire(content.custom.as_ref()),
        trial: *trial,
    }
}

fn variant_of(arm: &Arm) -> String {
    arm.variant.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn ghost_to_wire(ghost: &Ghost) -> pb::GhostOffer {
    let Ghost { id, campaign, arm, area: _, store: _ } = ghost;
    pb::GhostOffer { id: id.to_string(), campaign: campaign.to_string(), variant: variant_of(arm) }
}

fn surface_to_wire(surface: Surface) -> pb::Surface {
    match surface {
        Surface::LockScreen => pb::Surface::LockScreen,
        Surface::List => pb::Surface::List,
    }
}

pub fn store_to_wire(store: &OfferStore) -> pb::OfferStore {
    let OfferStore { name, display_name, address, position } = store;
    pb::OfferStore {
        name: name.to_string(),
        display_name: display_name.clone(),
        address: address.clone(),
        position: Some(position_to_wire(*position)),
    }
}

/// The place's name, and the circle's radius around a store.
pub fn place_to_wire(area: &Area) -> (String, Option<u32>) {
    match area {
        Area::Geofence(name) => (name.to_string(), None),
        Area::Around(store, radius_m) => (store.to_string(), Some(*radius_m)),
        Area::Beacon(name) => (name.to_string(), None),
        Area::Store(name) => (name.to_string(), None),
        Area::Anywhere => (String::new(), None),
    }
}

/// The distance stays behind: whoever reports a position knows it, and nobody else may.
pub fn transition_to_wire(transition: &Transition) -> pb::Transition {
    use pb::transition::Kind;
    let Transition { area, kind, at, stale, initial, distance_m: _ } = transition;
    let (kind, duration) = match kind {
        TransitionKind::Entered => (Kind::Entered, None),
        TransitionKind::Dwelt(threshold) => (Kind::Dwelt, Some(*threshold)),
        TransitionKind::Exited(visit) => (Kind::Exited, Some(*visit)),
        TransitionKind::Crossed => (Kind::Crossed, None),
        TransitionKind::Heard => (Kind::Heard, None),
    };
    let (place, radius_m) = place_to_wire(area);
    pb::Transition {
        kind: kind.into(),
        place,
        radius_m,
        at: Some(timestamp_to_wire(*at)),
        duration: duration.map(duration_to_wire),
        stale: *stale,
        initial: *initial,
    }
}

pub fn next_to_wire(next: &Next) -> pb::Next {
    let Next { safe_radius_m, at } = next;
    pb::Next { safe_radius_m: *safe_radius_m, at: Some(timestamp_to_wire(*at)) }
}

pub fn notes_to_wire(notes: &[Note]) -> Vec<String> {
    notes.iter().map(|note| note.code().to_owned()).collect()
}

/// The receipt, as far as its reader may see it.
pub fn receipt_to_wire(receipt: &Receipt) -> pb::Decision {
    match receipt {
        Receipt::Whole(decision) => decision_to_wire(decision),
        Receipt::OfBrand(seen) => brand_receipt_to_wire(seen),
    }
}

fn brand_receipt_to_wire(seen: &BrandReceipt) -> pb::Decision {
    let BrandReceipt { id, hour, test, lines } = seen;
    pb::Decision {
        id: id.map(|id| id.to_string()).unwrap_or_default(),
        decided_at: Some(timestamp_to_wire(*hour)),
        test: *test,
        considered: lines.iter().map(brand_line_to_wire).collect(),
        ..Default::default()
    }
}

fn brand_line_to_wire(line: &BrandLine) -> pb::ConsideredCampaign {
    use pb::considered_campaign::Verdict as Wire;
    let BrandLine { campaign, area, store, verdict, trial } = line;
    let refused = |code: &str, description: String| Wire::Refused(pb::Refusal { code: code.to_owned(), description });
    pb::ConsideredCampaign {
        campaign: campaign.to_string(),
        place: place_to_wire(area).0,
        verdict: Some(match verdict {
            // The offer's id stands beside the till's reference in the list of redemptions.
            BrandVerdict::Chosen => Wire::Chosen(String::new()),
            BrandVerdict::NotEligible => refused(NOT_ELIGIBLE, NOT_ELIGIBLE_MEANING.to_owned()),
            BrandVerdict::OfPerson(reason) => refused(reason.code(), reason.meaning().to_owned()),
            BrandVerdict::Refused(reason) => refused(reason.code(), reason.to_string()),
        }),
        rank: None,
        store: store.as_ref().map(|store| store.to_string()).unwrap_or_default(),
        trial: *trial,
    }
}

fn decision_to_wire(decision: &Decision) -> pb::Decision {
    let Decision {
        id,
        profile,
        device,
        ping,
        at,
        catalog_version,
        seed,
        test,
        event,
        transitions,
        notes,
        considered,
        offers,
        ghosts,
        next,
    } = decision;
    pb::Decision {
        id: id.to_string(),
        profile: profile.to_string(),
        device: device.to_string(),
        ping_id: ping.to_string(),
        decided_at: Some(timestamp_to_wire(*at)),
        catalog_version: *catalog_version,
        test: *test,
        transitions: transitions.iter().map(transition_to_wire).collect(),
        notes: notes_to_wire(notes),
        considered: considered.iter().map(considered_to_wire).collect(),
        offers: offers.iter().map(offer_to_wire).collect(),
        next: Some(next_to_wire(next)),
        ghosts: ghosts.iter().map(ghost_to_wire).collect(),
        app_event: event.as_ref().map(event_to_wire),
        seed: *seed,
    }
}

fn event_to_wire(event: &Happened) -> pb::ReportedAppEvent {
    let Happened { key, place, at } = event;
    let place = place.as_ref().map(ToString::to_string).unwrap_or_default();
    pb::ReportedAppEvent { key: key.to_string(), place, at: Some(timestamp_to_wire(*at)) }
}

fn considered_to_wire(considered: &Considered) -> pb::ConsideredCampaign {
    use pb::considered_campaign::Verdict as Wire;
    let Considered { campaign, area, store, verdict, rank, trial } = considered;
    let verdict = match verdict {
        Verdict::Chosen(offer) => Wire::Chosen(offer.to_string()),
        Verdict::Refused(reason) => {
            Wire::Refused(pb::Refusal { code: reason.code().to_owned(), description: reason.to_string() })
        }
    };
    pb::ConsideredCampaign {
        campaign: campaign.to_string(),
        place: place_to_wire(area).0,
        verdict: Some(verdict),
        rank: rank.as_ref().map(rank_to_wire),
        store: store.as_ref().map(|store| store.to_string()).unwrap_or_default(),
        trial: *trial,
    }
}

fn rank_to_wire(rank: &Rank) -> pb::Rank {
    let Rank { score, priority, weight, affinity, nearness } = *rank;
    pb::Rank { score, weight, affinity, nearness, priority: priority.as_str().to_uppercase() }
}
