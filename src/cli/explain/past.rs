//! What somebody made up did before: visits and offers, as they are typed.
//!
//! Law 9: times that are said as "so long before" are counted from the moment that is asked about.

use crate::{
    cli::{moments, names},
    domain::{text::quoted, time::Timestamp},
    grpc::{pb, wire::timestamp_to_wire},
};

/// `acme/stores/0042=3d`.
pub fn visit(text: &str, asked: Timestamp) -> Result<pb::PersonaVisit, String> {
    let (place, time) = text.split_once('=').ok_or_else(|| format!("must be PLACE=WHEN, was {}", quoted(text)))?;
    Ok(pb::PersonaVisit { place: names::whole(place), time: when(time, asked)? })
}

/// `acme/espresso=7d,shown=7d,opened=6d,redeemed=5d`.
pub fn offer(text: &str, asked: Timestamp) -> Result<pb::PersonaOffer, String> {
    let wrong = || format!("must be CAMPAIGN=WHEN[,shown=WHEN][,opened=WHEN][,redeemed=WHEN], was {}", quoted(text));
    let mut parts = text.split(',').map(|part| part.split_once('=').ok_or_else(wrong));
    let (campaign, time) = parts.next().ok_or_else(wrong)??;
    let campaign = names::campaign(campaign).map_err(|invalid| invalid.to_string())?.to_string();
    let mut offer = pb::PersonaOffer { campaign, time: when(time, asked)?, ..Default::default() };
    for part in parts {
        let (what, time) = part?;
        let field = match what {
            "shown" => &mut offer.shown_time,
            "opened" => &mut offer.opened_time,
            "redeemed" => &mut offer.redeemed_time,
            _ => return Err(wrong()),
        };
        if field.replace(when(time, asked)?.ok_or_else(wrong)?).is_some() {
            return Err(format!("says {what} twice, was {}", quoted(text)));
        }
    }
    Ok(offer)
}

fn when(text: &str, asked: Timestamp) -> Result<Option<prost_types::Timestamp>, String> {
    moments::before(text, asked).map(|at| Some(timestamp_to_wire(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn asked() -> Timestamp {
        Timestamp::from_micros(100 * DAY * 1_000_000)
    }

    fn day(day: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds: day * DAY, nanos: 0 })
    }

    #[test]
    fn the_past_is_told_by_the_time_or_by_how_long_ago() {
        let three_days = visit("acme/stores/0042=3d", asked()).expect("sound");
        assert_eq!((three_days.place.as_str(), three_days.time), ("organizations/acme/stores/0042", day(97)));
        assert_eq!(visit("acme/stores/0042=1970-04-08T00:00:00Z", asked()).expect("sound").time, day(97));
        let used = offer("acme/espresso=7d,redeemed=5d,shown=6d", asked()).expect("sound");
        assert_eq!(used.campaign, "organizations/acme/campaigns/espresso");
        assert_eq!((used.time, used.shown_time), (day(93), day(94)));
        assert_eq!((used.opened_time, used.redeemed_time), (None, day(95)));
    }

    #[test]
    fn what_is_misspelt_is_told() {
        for wrong in ["", "acme/stores/0042", "acme/stores/0042=", "acme/stores/0042=yesterday"] {
            assert!(visit(wrong, asked()).is_err(), "{wrong}");
        }
        for wrong in ["", "acme/espresso", "espresso=7d", "acme/espresso=7d,used=1d", "acme/espresso=7d,shown"] {
            assert!(offer(wrong, asked()).is_err(), "{wrong}");
        }
        assert!(offer("acme/espresso=7d,shown=6d,shown=5d", asked()).is_err_and(|why| why.contains("twice")));
    }
}
