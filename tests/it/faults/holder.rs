//! A phone whose person comes and goes, asks for the code of each coupon it is offered, and brings it to the tills.

use super::{
    caller::Caller,
    market::{Coupon, Market, Shelf, Ware},
    phone::{Phone, claim},
    storm::Worker,
    world::Spot,
};
use dintorni::grpc::pb;

/// What came of asking for one offer's code.
pub struct Claimed {
    pub offer: String,
    pub ware: &'static Ware,
    /// The offer, or the reason of the refusal.
    pub told: Result<pb::WalletOffer, String>,
}

pub struct Holder {
    pub phone: Phone,
    pub claims: Vec<Claimed>,
    shelf: Shelf,
    wares: &'static [Ware],
}

impl Holder {
    pub fn new(phone: Phone, market: &Market) -> Self {
        Self { phone, claims: Vec::new(), shelf: market.shelf.clone(), wares: market.wares }
    }

    async fn take(&mut self, offer: &pb::Offer) {
        let told = self.claim(&offer.id).await;
        let ware = self.wares.iter().find(|ware| ware.campaign() == offer.campaign).expect("a ware");
        if let Ok(held) = &told {
            self.shelf.put(Coupon { ware, code: code(held).to_owned(), offer: offer.id.clone() });
        }
        self.claims.push(Claimed { offer: offer.id.clone(), ware, told });
    }

    /// Asks for the code; now and then twice at once, which must come to the same.
    pub async fn claim(&mut self, offer: &str) -> Result<pb::WalletOffer, String> {
        let token = self.phone.registered.token.clone();
        let caller = &mut self.phone.caller;
        if caller.random.below(4) > 0 {
            return claim(caller, &token, offer).await;
        }
        let mut other = caller.beside();
        let (first, second) = tokio::join!(claim(caller, &token, offer), claim(&mut other, &token, offer));
        caller.and(&other);
        if let (Ok(first), Ok(second)) = (&first, &second) {
            assert_eq!(code(first), code(second), "two codes for {offer}");
        }
        first.or(second)
    }
}

pub fn code(held: &pb::WalletOffer) -> &str {
    &held.coupon.as_ref().expect("a coupon").code
}

impl Worker for Holder {
    async fn turn(&mut self) {
        self.phone.visit(Spot::Home).await;
        self.phone.visit(Spot::Plaza).await;
        let offers = self.phone.log.last().expect("told").answer.offers.clone();
        for offer in &offers {
            self.take(offer).await;
        }
    }

    fn caller(&self) -> &Caller {
        &self.phone.caller
    }
}
