//! What a till shows: two or three lines that an assistant reads at a glance.
//!
//! Law 6: "redeemed" is said of a redemption that the server answered, and of nothing else.

use super::desk::{Asked, Listed};
use crate::{
    cli::output::{Paint, table},
    domain::{content::Money, time::TimeZone},
    grpc::{
        pb,
        wire::{money, optional_timestamp},
    },
};

pub fn amount(wire: Option<&pb::Money>) -> Option<Money> {
    money(wire.cloned()).ok().flatten()
}

/// By the clock of the shop, without seconds.
pub fn clock(shop: &TimeZone, wire: Option<prost_types::Timestamp>) -> Option<String> {
    optional_timestamp(wire).ok().flatten().map(|at| shop.minute(at))
}

/// Whether a coupon is good: what to do, or why not.
pub fn checked(paint: Paint, checked: &pb::CheckOfferResponse) -> String {
    let zone = &TimeZone::new(&checked.time_zone).unwrap_or_else(|_| TimeZone::utc());
    let terms = checked.terms.clone().unwrap_or_default();
    let Some(refused) = &checked.refusal else {
        return format!("{} {}\n      {}", paint.good("Good:"), paint.title(&terms.instruction), worth(zone, &terms));
    };
    let of = if terms.title.is_empty() { String::new() } else { format!("\n    {}", worth(zone, &terms)) };
    format!("{}{of}", refusal(paint, refused))
}

/// Why not, in the server's words.
pub fn refusal(paint: Paint, refusal: &pb::CouponRefusal) -> String {
    format!("{} {}", paint.bad("No:"), refusal.message)
}

fn worth(zone: &TimeZone, terms: &pb::CouponTerms) -> String {
    let value = amount(terms.value.as_ref()).map(|value| format!("up to {value}"));
    let until = clock(zone, terms.valid_until).map(|until| format!("good until {until}"));
    [Some(terms.title.clone()), value, until].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What the server answered to a change.
pub fn done(paint: Paint, asked: &Asked, redemption: &pb::Redemption) -> String {
    let pb::Redemption { id, instruction, .. } = redemption;
    let of = |wire: Option<&pb::Money>| amount(wire).map(|money| format!(" {money}")).unwrap_or_default();
    let (whole, reversed) = (of(redemption.amount.as_ref()), of(redemption.reversed_amount.as_ref()));
    match (asked, redemption.reverse_time) {
        (Asked::Redeem(_), _) => format!("{}{whole}: {instruction} (redemption {id})", paint.good("Redeemed")),
        (Asked::Reverse(_), Some(_)) => format!("{}{whole}, all of it (redemption {id})", paint.good("Taken back")),
        (Asked::Reverse(_), None) => {
            format!("{} of{whole}, in all{reversed} (redemption {id})", paint.good("Taken back a part"))
        }
    }
}

/// That there was no answer, and how to get one.
pub fn unknown(paint: Paint, asked: &Asked, why: &str) -> String {
    let (verb, id) = (asked.verb(), asked.request_id());
    let title = paint.bad(format!("NOT KNOWN whether it was {verb}:"));
    format!("{title} {why}\n  its request id is {id}; asking again with it does it once at most")
}

/// The command that asks again. The code is not repeated: what is on the screen is seen by others.
pub fn command(asked: &Asked) -> String {
    let (mut command, amount) = match asked {
        Asked::Redeem(request) => {
            let customer = request.presented.as_ref().is_some_and(|presented| !presented.customer.is_empty());
            let customer = if customer { " --customer ID" } else { "" };
            let reference = if request.till_reference.is_empty() { "" } else { " --reference TEXT" };
            let at = format!("--store {} --till {}", request.store, request.till);
            (format!("redeem CODE {at}{customer}{reference}"), self::amount(request.amount.as_ref()))
        }
        Asked::Reverse(request) => {
            let pb::ReverseRedemptionRequest { redemption, store, .. } = request;
            (format!("undo {redemption} --store {store}"), self::amount(request.amount.as_ref()))
        }
    };
    if let Some(amount) = amount {
        command.push_str(&format!(" --amount \"{amount}\""));
    }
    format!("dintorni till {command} --request-id {}", asked.request_id())
}

/// One redemption, as one is asked about it.
pub fn redemption(zone: &TimeZone, redemption: &pb::Redemption) -> String {
    let pb::Redemption { id, till, instruction, .. } = redemption;
    let at = clock(zone, redemption.redeem_time).unwrap_or_default();
    let amount = amount(redemption.amount.as_ref()).map(|amount| format!("{amount}, ")).unwrap_or_default();
    format!("{amount}{instruction}; {at} at {till} (redemption {id})")
}

/// Redemptions, a line each.
pub fn redemptions(listed: &Listed) -> String {
    let Listed { redemptions, zone } = listed;
    let mut rows =
        vec![["TIME", "TILL", "AMOUNT", "TAKEN BACK", "CAMPAIGN", "REFERENCE", "ID"].map(str::to_owned).to_vec()];
    rows.extend(redemptions.iter().map(|redemption| row(zone, redemption)));
    table(&rows)
}

fn row(zone: &TimeZone, redemption: &pb::Redemption) -> Vec<String> {
    let shown = |wire: Option<&pb::Money>| amount(wire).map(|money| money.to_string());
    let back = match (redemption.reverse_time, shown(redemption.reversed_amount.as_ref())) {
        (Some(_), _) => "all".to_owned(),
        (None, part) => part.unwrap_or_default(),
    };
    vec![
        clock(zone, redemption.redeem_time).unwrap_or_default(),
        redemption.till.clone(),
        shown(redemption.amount.as_ref()).unwrap_or_default(),
        back,
        redemption.campaign.clone(),
        redemption.till_reference.clone(),
        redemption.id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_ask_again_has_the_id_and_not_the_code() {
        let presented =
            pb::Presented { by: Some(pb::presented::By::Code("K7Q29XWMT4RD".to_owned())), customer: "4711".to_owned() };
        let request = pb::RedeemOfferRequest {
            request_id: "7f".to_owned(),
            store: "s".to_owned(),
            till: "t1".to_owned(),
            presented: Some(presented),
            amount: Some(pb::Money { currency: "EUR".to_owned(), minor_units: 405 }),
            ..Default::default()
        };
        let asked = Asked::Redeem(request);
        let told = format!("{}\n{}", unknown(Paint::off(), &asked, "away"), command(&asked));
        assert!(
            told.ends_with("till redeem CODE --store s --till t1 --customer ID --amount \"4.05 EUR\" --request-id 7f"),
            "{told}"
        );
        assert!(told.starts_with("NOT KNOWN whether it was redeemed: away\n"), "{told}");
        assert!(!told.contains("K7Q2") && !told.contains("4711"), "{told}");
    }

    #[test]
    fn times_are_those_of_the_shop() {
        let rome = TimeZone::new("Europe/Rome").expect("known");
        let noon = prost_types::Timestamp { seconds: 1_781_524_800, nanos: 0 };
        assert_eq!(clock(&rome, Some(noon)).as_deref(), Some("2026-06-15 14:00 CEST"));
    }
}
