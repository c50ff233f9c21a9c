//! From the campaigns that passed every gate to the few that become offers.
//!
//! Law: all candidates compete once; a campaign is offered at its best place only; caps are spent in the order of the
//! result, the better before the worse; what is left out says by what.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    eligibility::Gates,
    entry::AreaView,
    ranking::{self, Candidate, Cause},
    taking,
    wording::{self, Facts},
};
use crate::domain::{
    budget::Account,
    content::Message,
    decision::{Considered, Rank, Reason, Verdict},
    name::CampaignName,
    offer::{Ghost, Offer, OfferCoupon, OfferId, OfferStore, Surface},
    presence::{Area, TransitionKind},
    text::TraitKey,
};

/// What was chosen, and the verdict on everything that competed.
#[derive(Debug, Default)]
pub struct Choice {
    /// Best first, each with the accounts that must have a unit left.
    pub offers: Vec<(Offer, Vec<Account>)>,
    /// Best first.
    pub considered: Vec<Considered>,
    /// What those held out would have got, best first.
    pub ghosts: Vec<Ghost>,
    /// The accounts that must have a unit left for these: of what is spent nobody is held out.
    pub wanted: Vec<Account>,
}

/// Chooses at most `max_offers`, and spends the person's caps in the order of the result.
pub fn choose<'a>(passed: Vec<Candidate<'a>>, mut gates: Gates<'a>, max_offers: u32, seed: u64) -> Choice {
    let rank = |candidate| {
        let rank = ranking::rank(&candidate, &gates.person);
        (candidate, rank)
    };
    let mut ranked: Vec<(Candidate<'_>, Rank)> = Vec::with_capacity(passed.len());
    ranked.extend(passed.into_iter().map(rank));
    let mut best_first: Vec<&(Candidate<'_>, Rank)> = ranked.iter().collect();
    best_first.sort_unstable_by(|a, b| ranking::order(a, b));
    let mut slots = Slots::new(max_offers);
    let mut choice = Choice { considered: Vec::with_capacity(ranked.len()), ..Choice::default() };
    for (candidate, rank) in best_first {
        let verdict = match slots.refusal(candidate, &gates) {
            Some(reason) if candidate.is_held_out() => {
                Verdict::Refused(Reason::Holdout { ghost: None, otherwise: Some(Box::new(reason)) })
            }
            Some(reason) => Verdict::Refused(reason),
            None if candidate.is_held_out() => {
                let number = GHOSTS + choice.ghosts.len() as u64;
                let id = OfferId::new(gates.now, random(seed, number));
                choice.ghosts.extend(ghost(candidate, id));
                // As of the offer that it stands for.
                if !is_trial(candidate, &gates) {
                    choice.wanted.extend(taking::for_offer(candidate, gates.now));
                    gates.spend_ghost(candidate.campaign);
                }
                Verdict::Refused(Reason::Holdout { ghost: Some(id), otherwise: None })
            }
            None => {
                let number = choice.offers.len() as u64 + 1;
                let offer = offer(candidate, &gates, OfferId::new(gates.now, random(seed, number)));
                let offer = Offer { surface: surface(&choice), ..offer };
                let (verdict, trial) = (Verdict::Chosen(offer.id), offer.trial);
                choice.offers.push((offer, taking::for_offer(candidate, gates.now).collect()));
                // As caps count it ever after.
                if !trial {
                    gates.spend(candidate.campaign);
                }
                verdict
            }
        };
        let (campaign, area) = (candidate.campaign.name.clone(), candidate.area.clone());
        let store = candidate.store.map(|store| store.name.clone());
        choice.considered.push(Considered {
            campaign,
            area,
            store,
            verdict,
            rank: Some(*rank),
            trial: candidate.trial,
        });
    }
    choice
}

/// Whether what comes of it is worth nothing and counts for nothing.
fn is_trial(candidate: &Candidate<'_>, gates: &Gates<'_>) -> bool {
    candidate.trial || gates.person.device().test
}

/// The best of a ping interrupts; all others wait in the list.
fn surface(choice: &Choice) -> Surface {
    if choice.offers.is_empty() { Surface::LockScreen } else { Surface::List }
}

/// Numbers of random bits from here on are those of ghosts: no ping has so many offers.
const GHOSTS: u64 = 1 << 32;

/// How many offers may still be chosen. A ghost takes no slot: what is offered instead of it is what the person gets
/// without the campaign.
struct Slots<'a> {
    max_offers: u32,
    chosen: BTreeSet<&'a CampaignName>,
    taken: u32,
    rank: u32,
}

impl<'a> Slots<'a> {
    fn new(max_offers: u32) -> Self {
        Self { max_offers, chosen: BTreeSet::new(), taken: 0, rank: 0 }
    }

    /// Why this one, next in rank, cannot be chosen; if it can, it takes a slot, unless it is for nobody.
    fn refusal(&mut self, candidate: &Candidate<'a>, gates: &Gates<'a>) -> Option<Reason> {
        if self.chosen.contains(&candidate.campaign.name) {
            return Some(Reason::SameCampaign);
        }
        let rank = self.rank + 1;
        if !candidate.is_held_out() {
            self.rank = rank;
        }
        if self.taken >= self.max_offers {
            return Some(Reason::Outranked { rank, most: self.max_offers });
        }
        // It passed the caps before anything was chosen.
        if self.taken > 0
            && let Some(reason) = gates.caps(candidate)
        {
            return Some(reason);
        }
        self.chosen.insert(&candidate.campaign.name);
        self.taken += u32::from(!candidate.is_held_out());
        None
    }
}

/// None if the campaign makes no experiment.
fn ghost(candidate: &Candidate<'_>, id: OfferId) -> Option<Ghost> {
    Some(Ghost {
        id,
        campaign: candidate.campaign.name.clone(),
        arm: candidate.drawn?.arm(),
        area: candidate.area.clone(),
        store: candidate.store.map(|store| store.name.clone()),
    })
}

fn offer(candidate: &Candidate<'_>, gates: &Gates<'_>, id: OfferId) -> Offer {
    let limits = &candidate.campaign.limits;
    let end = limits.ends_at.unwrap_or(crate::domain::time::Timestamp::MAX);
    // Whoever says to be a test device takes no budget, so nothing of worth may be had by saying so.
    let trial = is_trial(candidate, gates);
    Offer {
        id,
        campaign: candidate.campaign.name.clone(),
        content: message(candidate, gates),
        arm: candidate.drawn.map(|drawn| drawn.arm()),
        trial,
        area: candidate.area.clone(),
        store: candidate.store.map(|store| OfferStore::of(store)),
        distance_m: candidate.distance_m,
        reason: reason(candidate, gates),
        surface: Surface::List,
        show_by: (gates.now + limits.show_within).min(end),
        valid_until: (gates.now + limits.valid_for).min(end),
        coupon: candidate.campaign.coupon.as_ref().map(|coupon| OfferCoupon {
            // A trial is worth nothing, and everyone's code is not for whoever tries.
            code: coupon.open_code(&limits.budgets).filter(|_| !trial).cloned(),
            instruction: coupon.instruction.clone(),
            valid_from: gates.now + coupon.redeem_after,
        }),
    }
}

/// What it says to this person, here.
pub(super) fn message(candidate: &Candidate<'_>, gates: &Gates<'_>) -> Message {
    let traits = |key: &TraitKey| gates.person.trait_value(key);
    let facts = Facts {
        traits: &traits,
        store: candidate.store.map(Arc::as_ref),
        place: candidate.view.map(AreaView::display_name),
        distance_m: candidate.distance_m,
    };
    wording::message(candidate.campaign, candidate.drawn, &gates.person.device().language, &facts)
}

/// Why this person got it, in words: what happened, where, and what they like.
fn reason(candidate: &Candidate<'_>, gates: &Gates<'_>) -> String {
    let place = candidate.view.map_or("", AreaView::display_name);
    let event = match candidate.cause {
        Cause::Transition(kind) => passage(kind, candidate.area, place),
        Cause::Browsed => place.to_owned(),
        Cause::Event(key) if place.is_empty() => key.to_string(),
        Cause::Event(key) => format!("{key} at {place}"),
    };
    match ranking::favourite(candidate.campaign, &gates.person) {
        Some((topic, strength)) if strength > 0.0 => format!("{event}; interested in {topic}"),
        _ => event,
    }
}

fn passage(kind: TransitionKind, area: &Area, place: &str) -> String {
    match (kind, area) {
        (TransitionKind::Entered, Area::Around(_, radius)) => format!("within {radius} m of {place}"),
        (TransitionKind::Entered, _) => format!("entered {place}"),
        (TransitionKind::Dwelt(span), _) => format!("at {place} for {}", minutes(span)),
        (TransitionKind::Exited(_), _) => format!("left {place}"),
        (TransitionKind::Crossed, _) => format!("passed through {place}"),
        (TransitionKind::Heard, _) => format!("close to {place}"),
    }
}

fn minutes(span: std::time::Duration) -> String {
    match span.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// The `number`-th 128 random bits of a seed: SplitMix64 (Steele, Lea, Flood 2014), twice.
pub fn random(seed: u64, number: u64) -> u128 {
    let mix = |n: u64| {
        let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (u128::from(mix(2 * number)) << 64) | u128::from(mix(2 * number + 1))
}
