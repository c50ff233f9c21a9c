//! What tills send and are told, as messages.
//!
//! Law 8: every field is looked at, and everything wrong is said at once. Law 2: the fingerprint tells a retry from
//! another request under a used id.

use std::time::Duration;

use crate::{
    app::{
        coupon_search::{Found, What},
        tills::{AtTill, Checked, Sale},
    },
    domain::{
        code::Code,
        content::Money,
        name::{KeyName, StoreName, check_id},
        offer::{OfferId, RedemptionId},
        redemption::{MAX_LOCK, MAX_REFERENCE, Redemption, Refusal, RequestId, TillId, TillRequest},
        text::optional_line,
        time::{TimeZone, Timestamp},
        violation::{Invalid, Violations},
    },
    engine::redeeming::good_until,
    grpc::{
        pb,
        wire::{fingerprint, money, money_to_wire, optional_duration, required, timestamp_to_wire},
    },
};

/// A request to redeem, read.
pub struct Redeem {
    pub at: AtTill,
    pub sale: Sale,
}

/// A request to take back, read.
pub struct Reverse {
    pub store: StoreName,
    pub redemption: RedemptionId,
    pub request: TillRequest,
    pub amount: Option<Money>,
}

pub fn check(wire: pb::CheckOfferRequest) -> Result<(AtTill, Option<Duration>), Violations> {
    let pb::CheckOfferRequest { store, till, presented, lock } = wire;
    let mut wrong = Violations::default();
    let at = wrong.nest("", at_till(&store, &till, presented));
    let lock = optional_duration(lock).and_then(|lock| match lock {
        Some(lock) if lock > MAX_LOCK => {
            let (most, was) = (MAX_LOCK.as_secs(), lock.as_secs_f64());
            Err(Invalid::new(format!("must be 0 to {most} seconds, was {was}")))
        }
        lock => Ok(lock),
    });
    let lock = wrong.take("lock", lock);
    wrong.finish(at.zip(lock))
}

pub fn redeem(wire: pb::RedeemOfferRequest, key: &KeyName) -> Result<Redeem, Violations> {
    let fingerprint = fingerprint(&pb::RedeemOfferRequest { request_id: String::new(), ..wire.clone() });
    let pb::RedeemOfferRequest { request_id, store, till, presented, amount, till_reference } = wire;
    let mut wrong = Violations::default();
    let id = wrong.take("request_id", RequestId::parse(&request_id));
    let at = wrong.nest("", at_till(&store, &till, presented));
    let amount = wrong.nest("amount", money(amount));
    let reference = wrong.take("till_reference", optional_line(&till_reference, MAX_REFERENCE));
    let redeem = (|| {
        let request = TillRequest { key: key.clone(), id: id?, fingerprint };
        let sale = Sale { request, amount: amount?, reference: reference?.unwrap_or_default() };
        Some(Redeem { at: at?, sale })
    })();
    wrong.finish(redeem)
}

pub fn reverse(wire: pb::ReverseRedemptionRequest, key: &KeyName) -> Result<Reverse, Violations> {
    let fingerprint = fingerprint(&pb::ReverseRedemptionRequest { request_id: String::new(), ..wire.clone() });
    let pb::ReverseRedemptionRequest { request_id, store, redemption, amount } = wire;
    let mut wrong = Violations::default();
    let id = wrong.take("request_id", RequestId::parse(&request_id));
    let store = wrong.take("store", StoreName::parse(&store));
    let redemption = wrong.take("redemption", RedemptionId::parse(&redemption));
    let amount = wrong.nest("amount", money(amount));
    if amount.as_ref().is_some_and(|amount| amount.as_ref().is_some_and(|amount| amount.minor_units() == 0)) {
        wrong.add("amount.minor_units", "must be more than 0; leave the amount out to take all of it back");
    }
    let reverse = (|| {
        let request = TillRequest { key: key.clone(), id: id?, fingerprint };
        Some(Reverse { store: store?, redemption: redemption?, request, amount: amount? })
    })();
    wrong.finish(reverse)
}

fn at_till(store: &str, till: &str, presented: Option<pb::Presented>) -> Result<AtTill, Violations> {
    let mut wrong = Violations::default();
    let store = wrong.take("store", StoreName::parse(store));
    let till = wrong.take("till", TillId::parse(till));
    let pb::Presented { by, customer } = presented.unwrap_or_default();
    use pb::presented::By;
    let what = match by {
        None => wrong.take("presented", Err(Invalid::new("needs a code or an offer"))),
        Some(By::Code(code)) if code.is_empty() => wrong.take("presented.code", Err(required())),
        Some(By::Code(code)) => wrong.take("presented.code", Code::parse(&code).map(What::Code)),
        Some(By::Offer(offer)) => wrong.take("presented.offer", OfferId::parse(&offer).map(What::Offer)),
    };
    let customer = (!customer.is_empty()).then(|| check_id(&customer).map(|()| customer)).transpose();
    let customer = wrong.take("presented.customer", customer);
    wrong.finish((|| Some(AtTill { store: store?, till: till?, what: what?, customer: customer? }))())
}

pub fn checked_to_wire(checked: Checked) -> pb::CheckOfferResponse {
    let Checked { found, refusal, locked_until, zone } = checked;
    pb::CheckOfferResponse {
        terms: found.as_ref().map(terms_to_wire),
        refusal: refusal.map(|refusal| refusal_to_wire(&refusal, &zone)),
        locked_until: locked_until.map(timestamp_to_wire),
        time_zone: zone.name().to_owned(),
    }
}

fn terms_to_wire(found: &Found) -> pb::CouponTerms {
    let Found { campaign, coupon, offer, archived_at } = found;
    let valid = offer.as_ref().map(|offer| (Some(offer.valid_from), Some(offer.valid_until)));
    let without_offer = || (campaign.limits.starts_at, good_until(campaign, *archived_at));
    let (valid_from, valid_until) = valid.unwrap_or_else(without_offer);
    pb::CouponTerms {
        campaign: campaign.name.to_string(),
        title: campaign.content.words.title.unfilled(),
        instruction: coupon.instruction.clone(),
        value: coupon.value.as_ref().map(money_to_wire),
        valid_from: valid_from.map(timestamp_to_wire),
        valid_until: valid_until.map(timestamp_to_wire),
    }
}

pub fn refusal_to_wire(refusal: &Refusal, shop: &TimeZone) -> pb::CouponRefusal {
    use pb::coupon_refusal::Reason;
    let reason = match refusal {
        Refusal::UnknownCode { .. } => Reason::UnknownCode,
        Refusal::AmbiguousCode => Reason::AmbiguousCode,
        Refusal::NotYet { .. } => Reason::NotYet,
        Refusal::Ended { .. } => Reason::Ended,
        Refusal::AlreadyRedeemed { .. } => Reason::AlreadyRedeemed,
        Refusal::Returned => Reason::Returned,
        Refusal::Locked { .. } => Reason::Locked,
        Refusal::WrongStore => Reason::WrongStore,
        Refusal::CustomerRequired => Reason::CustomerRequired,
        Refusal::WrongCustomer => Reason::WrongCustomer,
        Refusal::BudgetExhausted => Reason::BudgetExhausted,
        Refusal::AmountTooHigh { .. } => Reason::AmountTooHigh,
        Refusal::WrongCurrency { .. } => Reason::WrongCurrency,
        Refusal::NotClaimed => Reason::NotClaimed,
        Refusal::Trial => Reason::Trial,
    };
    pb::CouponRefusal {
        reason: reason.into(),
        message: refusal.message(shop),
        time: refusal.time().map(timestamp_to_wire),
    }
}

pub fn redemption_to_wire(redemption: &Redemption) -> pb::Redemption {
    let Redemption { id, store, till, till_reference, campaign, offer, amount, .. } = redemption;
    let reversed = amount.as_ref().filter(|_| redemption.reversed_units > 0).map(|amount| pb::Money {
        currency: amount.currency().to_owned(),
        minor_units: i64::try_from(redemption.reversed_units).unwrap_or(i64::MAX),
    });
    pb::Redemption {
        id: id.to_string(),
        store: store.to_string(),
        till: till.to_string(),
        till_reference: till_reference.clone(),
        campaign: campaign.to_string(),
        offer: offer.map(|offer| offer.to_string()).unwrap_or_default(),
        amount: amount.as_ref().map(money_to_wire),
        redeem_time: Some(timestamp_to_wire(redemption.redeemed_at)),
        reversed_amount: reversed,
        reverse_time: redemption.reversed_at.map(timestamp_to_wire),
        instruction: redemption.instruction.clone(),
    }
}

/// A place in a list that is in the order of times and ids, as its page token says it.
pub fn place_in_list(at: Timestamp, id: impl std::fmt::Display) -> String {
    format!("{}/{id}", at.micros())
}

/// Reads it.
pub fn read_place<Id>(text: &str, parse: fn(&str) -> Result<Id, Invalid>) -> Result<(Timestamp, Id), Invalid> {
    let wrong = || Invalid::new("must be a place in this list");
    let (at, id) = text.split_once('/').ok_or_else(wrong)?;
    Ok((Timestamp::from_micros(at.parse().map_err(|_| wrong())?), parse(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> KeyName {
        KeyName::parse("organizations/acme/keys/till").expect("sound")
    }

    fn request(request_id: &str, code: &str) -> pb::RedeemOfferRequest {
        let by = Some(pb::presented::By::Code(code.into()));
        pb::RedeemOfferRequest {
            request_id: request_id.into(),
            store: "organizations/acme/stores/1".into(),
            till: "till-3".into(),
            presented: Some(pb::Presented { by, customer: String::new() }),
            ..Default::default()
        }
    }

    #[test]
    fn a_retry_has_the_same_fingerprint_and_another_body_has_not() {
        let fingerprint = |wire: pb::RedeemOfferRequest| redeem(wire, &key()).expect("sound").sale.request.fingerprint;
        assert_eq!(fingerprint(request("a", "ABCD")), fingerprint(request("b", "ABCD")));
        assert_ne!(fingerprint(request("a", "ABCD")), fingerprint(request("a", "ABCE")));
    }

    #[test]
    fn every_fault_is_named() {
        let fields = |wrong: Violations| wrong.iter().map(|violation| violation.field.clone()).collect::<Vec<_>>();
        let wrong = redeem(
            pb::RedeemOfferRequest {
                presented: Some(pb::Presented { by: None, customer: "a b".into() }),
                amount: Some(pb::Money { currency: "XX".into(), minor_units: 1 }),
                till_reference: "x".repeat(129),
                ..Default::default()
            },
            &key(),
        );
        let expected = ["request_id", "store", "till", "presented", "presented.customer", "amount", "till_reference"];
        assert_eq!(fields(wrong.err().expect("refused")), expected);
        let zero = Some(pb::Money { currency: "EUR".into(), minor_units: 0 });
        let wrong = reverse(pb::ReverseRedemptionRequest { amount: zero, ..Default::default() }, &key());
        let expected = ["request_id", "store", "redemption", "amount.minor_units"];
        assert_eq!(fields(wrong.err().expect("refused")), expected);
    }

    #[test]
    fn places_in_lists_are_read_back() {
        let at = Timestamp::from_micros(-7);
        let id = OfferId::new(Timestamp::from_micros(5_000_000), 9);
        assert_eq!(read_place(&place_in_list(at, id), OfferId::parse), Ok((at, id)));
        for wrong in ["", "/", "7", "x/y", "7/y"] {
            assert!(read_place(wrong, OfferId::parse).is_err(), "{wrong}");
        }
    }
}
