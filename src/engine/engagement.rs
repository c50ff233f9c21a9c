//! What became of offers that were made.
//!
//! Laws: each event of an offer has one time, the earliest reported, so that reports may come twice and in any order.
//! What was returned stays returned: an offer that was shown after all is a late report, and takes no unit again.

use std::time::Duration;

use crate::domain::{
    name::DeviceName,
    offer::{GivenOffer, OfferId},
    time::Timestamp,
};

/// What may happen to an offer on the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Shown,
    Opened,
    Dismissed,
}

/// Notes the event. It happened between the offer and `received_at`, whatever `at` says; what was opened or dismissed
/// was shown then at the latest.
pub fn note(offer: &mut GivenOffer, event: Event, at: Timestamp, received_at: Timestamp) {
    let at = at.min(received_at).max(offer.offered_at);
    offer.shown_at = earliest(offer.shown_at, Some(at));
    match event {
        Event::Shown => {}
        Event::Opened => offer.opened_at = earliest(offer.opened_at, Some(at)),
        Event::Dismissed => offer.dismissed_at = earliest(offer.dismissed_at, Some(at)),
    }
}

/// How long an answer may be on its way to a phone: calls end after ten seconds by default, and a phone asks again once.
const ON_ITS_WAY: Duration = Duration::from_secs(30);

/// The offers made to this device before then that were not shown.
pub fn unshown<'a>(
    offers: &'a [GivenOffer],
    device: &'a DeviceName,
    before: Timestamp,
) -> impl Iterator<Item = &'a GivenOffer> + use<'a> {
    offers.iter().filter(move |offer| is_unshown(offer, device, before))
}

/// Returns the offers made to this device before `through` that were not shown; all that was shown until then has been
/// reported.
pub fn return_unshown(
    offers: &mut [GivenOffer],
    device: &DeviceName,
    through: Timestamp,
    now: Timestamp,
) -> Vec<OfferId> {
    let before = told_before(through, now);
    let unshown = offers.iter_mut().filter(|offer| is_unshown(offer, device, before));
    let give_back = |offer: &mut GivenOffer| {
        offer.returned_at = Some(now);
        offer.id
    };
    unshown.map(give_back).collect()
}

/// Offers from this time on may still be on their way to the phone, whatever it says: it does not know of them.
pub fn told_before(through: Timestamp, now: Timestamp) -> Timestamp {
    through.min(now - ON_ITS_WAY)
}

/// A ghost has no phone that could say so, and stays.
fn is_unshown(offer: &GivenOffer, device: &DeviceName, before: Timestamp) -> bool {
    let is_unseen = || offer.shown_at.is_none() && offer.opened_at.is_none() && offer.claimed_at.is_none();
    let is_used = || offer.redeemed_at.is_some() || offer.reversed_at.is_some();
    let is_open = !offer.ghost && offer.returned_at.is_none() && is_unseen() && !is_used();
    is_open && offer.offered_at < before && offer.device == *device
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{AppName, CampaignName};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn device(id: &str) -> DeviceName {
        AppName::parse("organizations/pub/apps/a").and_then(|app| app.device(id)).expect("sound")
    }

    fn offered(seconds: i64) -> GivenOffer {
        let campaign = CampaignName::parse("organizations/x/campaigns/c").expect("sound");
        GivenOffer::new(OfferId::new(at(seconds), seconds as u128), campaign, device("d"), at(seconds))
    }

    #[test]
    fn the_earliest_report_counts_in_any_order() {
        let events = [(Event::Opened, 30), (Event::Shown, 20), (Event::Shown, 25), (Event::Dismissed, 40)];
        let mut orders = [events; 4];
        for (turn, order) in orders.iter_mut().enumerate() {
            order.rotate_left(turn);
        }
        for order in orders {
            let mut offer = offered(10);
            for (event, seconds) in order.into_iter().chain(order) {
                note(&mut offer, event, at(seconds), at(100));
            }
            assert_eq!((offer.shown_at, offer.opened_at), (Some(at(20)), Some(at(30))));
            assert_eq!(offer.dismissed_at, Some(at(40)));
        }
    }

    #[test]
    fn nothing_happens_before_the_offer_or_after_its_report() {
        let mut offer = offered(10);
        note(&mut offer, Event::Opened, at(500), at(100));
        assert_eq!((offer.shown_at, offer.opened_at), (Some(at(100)), Some(at(100))));
        note(&mut offer, Event::Shown, at(-500), at(100));
        assert_eq!((offer.shown_at, offer.opened_at), (Some(at(10)), Some(at(100))));
    }

    #[test]
    fn only_what_this_device_has_not_shown_is_returned_and_a_late_report_leaves_it_so() {
        let mut offers = [offered(1), offered(2), offered(3), offered(9)];
        note(&mut offers[1], Event::Shown, at(4), at(5));
        offers[2].device = device("another");
        let mut through = |through, now| return_unshown(&mut offers, &device("d"), at(through), at(now));
        assert_eq!(through(20, 31), [], "their answers may be on their way");
        let returned = through(5, 40);
        assert_eq!((returned, through(5, 41)), (vec![offered(1).id], vec![]));
        note(&mut offers[0], Event::Shown, at(4), at(42));
        assert_eq!((offers[0].shown_at, offers[0].returned_at), (Some(at(4)), Some(at(40))));
    }
}
