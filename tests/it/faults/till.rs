//! A till that insists, repeats itself, and now and then goes astray: each request with what came of it is in its log.

use std::{collections::BTreeMap, sync::Arc};

use dintorni::grpc::pb::{self, redemption_service_client::RedemptionServiceClient};
use tonic::{Code, Status, transport::Channel};

use super::{
    caller::Caller,
    market::{Coupon, Market, Shelf, VALUE, euros},
    node::Door,
    storm::Worker,
};
use crate::support::harness::{bearing, refusal};

/// What a till asks for under a request id.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Redeem(pb::RedeemOfferRequest),
    Reverse(pb::ReverseRedemptionRequest),
}

/// The redemption, or the reason of the refusal.
pub type Told = Result<pb::Redemption, String>;

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Asked {
    pub body: Body,
    pub told: Told,
    /// Some try was not answered: it may have happened, or may happen yet, whatever the others were told.
    pub doubtful: bool,
}

pub struct Till {
    pub caller: Caller,
    pub log: Vec<Asked>,
    pub store: String,
    name: String,
    key: String,
    shelf: Shelf,
}

impl Till {
    pub fn new(number: usize, market: &Market, doors: Arc<[Door]>, seed: u64) -> Self {
        let store = market.stores[number % market.stores.len()].clone();
        let (name, key, shelf) = (format!("till-{number}"), market.key.clone(), market.shelf.clone());
        Self { caller: Caller::new(1_000 + number, doors, seed), log: Vec::new(), store, name, key, shelf }
    }

    /// Redeems a coupon under a new id.
    pub async fn sell(&mut self, coupon: &Coupon) -> Told {
        let body = self.sale(coupon, None);
        self.ask(body).await
    }

    /// A new sale, of the whole value unless an amount is said.
    pub fn sale(&self, coupon: &Coupon, amount: Option<i64>) -> Body {
        let by = pb::presented::By::Code(coupon.code.clone());
        let request_id = format!("{}-{}", self.name, self.log.len());
        Body::Redeem(pb::RedeemOfferRequest {
            store: self.store.clone(),
            till: self.name.clone(),
            presented: Some(pb::Presented { by: Some(by), customer: String::new() }),
            amount: amount.map(euros),
            till_reference: request_id.clone(),
            request_id,
        })
    }

    /// Sends it until it is answered, and notes what came of it.
    pub async fn ask(&mut self, body: Body) -> Told {
        let before = self.caller.failures;
        let told = send(&mut self.caller, &self.key, &body).await;
        let doubtful = self.caller.failures > before;
        self.log.push(Asked { body, told: told.clone(), doubtful });
        told
    }

    /// As [`Self::ask`], but from two sides at once.
    async fn ask_twice(&mut self, body: Body) {
        let mut other = self.caller.beside();
        let before = self.caller.failures;
        let (first, second) =
            tokio::join!(send(&mut self.caller, &self.key, &body), send(&mut other, &self.key, &body));
        if let (Ok(first), Ok(second)) = (&first, &second) {
            assert_eq!(first, second, "one request, two answers");
        }
        self.caller.and(&other);
        let doubtful = self.caller.failures > before || first.is_ok() != second.is_ok();
        self.log.push(Asked { body, told: first.or(second), doubtful });
    }

    /// Takes something of an own redemption back, if there is one that has something left.
    async fn take_back(&mut self) {
        let sold: Vec<(String, i64)> = self.sold().into_iter().filter(|(_, left)| *left > 0).collect();
        let Some((redemption, left)) = sold.get(self.caller.random.below(sold.len().max(1))).cloned() else { return };
        let part = 1 + self.caller.random.below(left as usize) as i64;
        let amount = (self.caller.random.below(2) == 0).then_some(part);
        let reversal = pb::ReverseRedemptionRequest {
            request_id: format!("{}-{}", self.name, self.log.len()),
            store: self.store.clone(),
            redemption,
            amount: amount.map(euros),
        };
        let told = self.ask(Body::Reverse(reversal)).await;
        let reversed = told.expect("nobody else takes it back");
        let after = reversed.amount.expect("given").minor_units - reversed.reversed_amount.map_or(0, |m| m.minor_units);
        assert_eq!(after, left - amount.unwrap_or(left), "taken back once");
    }

    /// Own redemptions with what is left of each, by the log alone.
    fn sold(&self) -> Vec<(String, i64)> {
        let mut sold = BTreeMap::new();
        for told in self.log.iter().filter_map(|asked| asked.told.as_ref().ok()) {
            let units = |money: &Option<pb::Money>| money.as_ref().map_or(0, |money| money.minor_units);
            let left = units(&told.amount) - units(&told.reversed_amount);
            sold.entry(told.id.clone()).and_modify(|known| *known = left.min(*known)).or_insert(left);
        }
        sold.into_iter().collect()
    }

    /// Some request of before that was answered with a redemption.
    fn earlier(&mut self) -> Option<Asked> {
        let done: Vec<&Asked> = self.log.iter().filter(|asked| asked.told.is_ok()).collect();
        let any = self.caller.random.below(done.len().max(1));
        done.get(any).map(|asked| (*asked).clone())
    }

    /// Sends an old request again: it is answered as before.
    async fn repeat(&mut self) {
        let Some(asked) = self.earlier() else { return };
        let again = send(&mut self.caller, &self.key, &asked.body).await;
        assert_eq!(again, asked.told, "{:?} was answered otherwise before", asked.body);
    }

    /// Sends something else under the id of an old request: it never happens.
    async fn reuse(&mut self) {
        let Some(asked) = self.earlier() else { return };
        let body = self.other(asked.body);
        let told = send(&mut self.caller, &self.key, &body).await;
        assert_eq!(told, Err("REQUEST_ID_REUSED".into()), "{body:?}");
    }

    /// Another request under the same id.
    fn other(&mut self, body: Body) -> Body {
        let coupon = self.shelf.pick(&mut self.caller.random);
        match (body, self.caller.random.below(4)) {
            (Body::Redeem(sale), 0) => Body::Redeem(pb::RedeemOfferRequest { amount: Some(euros(VALUE + 1)), ..sale }),
            (Body::Redeem(sale), 1) => Body::Redeem(pb::RedeemOfferRequest { till_reference: "other".into(), ..sale }),
            (Body::Redeem(pb::RedeemOfferRequest { request_id, .. }), 2) => {
                let Body::Redeem(sale) = self.sale(&coupon, None) else { unreachable!("a sale is one") };
                Body::Redeem(pb::RedeemOfferRequest { request_id, ..sale })
            }
            (Body::Redeem(pb::RedeemOfferRequest { request_id, store, .. }), _) => {
                let redemption = self.sold().pop().expect("it was redeemed").0;
                Body::Reverse(pb::ReverseRedemptionRequest { request_id, store, redemption, amount: None })
            }
            (Body::Reverse(pb::ReverseRedemptionRequest { request_id, amount, .. }), dice) if dice < 2 => {
                let Body::Redeem(sale) = self.sale(&coupon, amount.map(|money| money.minor_units)) else {
                    unreachable!("a sale is one")
                };
                Body::Redeem(pb::RedeemOfferRequest { request_id, ..sale })
            }
            (Body::Reverse(reversal), _) => {
                let amount = Some(euros(reversal.amount.as_ref().map_or(1, |money| money.minor_units + 1)));
                Body::Reverse(pb::ReverseRedemptionRequest { amount, ..reversal })
            }
        }
    }

    /// Keeps the other tills from a coupon for a moment, and then wants it.
    async fn lock_and_sell(&mut self) {
        let coupon = self.shelf.pick(&mut self.caller.random);
        let Body::Redeem(sale) = self.sale(&coupon, None) else { unreachable!("a sale is one") };
        let pb::RedeemOfferRequest { store, till, presented, .. } = sale.clone();
        let lock = Some(prost_types::Duration { seconds: 0, nanos: 200_000_000 });
        let check = pb::CheckOfferRequest { store, till, presented, lock };
        let attempt = |channel| {
            let request = bearing(&self.key, check.clone());
            async move { RedemptionServiceClient::new(channel).check_offer(request).await }
        };
        self.caller.insist(attempt).await;
        self.ask(Body::Redeem(sale)).await.ok();
    }

    /// After the storm: what was answered is answered so again, and what is in doubt is asked once more.
    pub async fn settle(&mut self) {
        for number in 0..self.log.len() {
            let asked = self.log[number].clone();
            match asked.told {
                Ok(_) => {
                    let again = send(&mut self.caller, &self.key, &asked.body).await;
                    assert_eq!(again, asked.told, "{:?} was answered otherwise before", asked.body);
                }
                Err(_) if asked.doubtful => {
                    self.log[number].told = send(&mut self.caller, &self.key, &asked.body).await;
                }
                Err(_) => {}
            }
        }
    }
}

impl Worker for Till {
    async fn turn(&mut self) {
        let coupon = self.shelf.pick(&mut self.caller.random);
        let amount = 1 + self.caller.random.below(VALUE as usize) as i64;
        match self.caller.random.below(10) {
            0 => self.repeat().await,
            1 => self.reuse().await,
            2 => self.take_back().await,
            3 | 4 => {
                let body = self.sale(&coupon, Some(amount));
                self.ask_twice(body).await;
            }
            5 => self.lock_and_sell().await,
            _ => drop(self.sell(&coupon).await),
        }
    }

    fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Sends it until it is done or refused for good.
async fn send(caller: &mut Caller, key: &str, body: &Body) -> Told {
    let attempt = |channel| {
        let body = body.clone();
        async move {
            match once(channel, key, body).await {
                Ok(redemption) => Ok(Ok(redemption)),
                Err(status) => match status.code() {
                    Code::FailedPrecondition | Code::NotFound | Code::AlreadyExists => Ok(Err(refusal(&status).1)),
                    _ => Err(status),
                },
            }
        }
    };
    caller.insist(attempt).await
}

/// One try.
pub async fn once(channel: Channel, key: &str, body: Body) -> Result<pb::Redemption, Status> {
    let mut tills = RedemptionServiceClient::new(channel);
    match body {
        Body::Redeem(request) => Ok(tills.redeem_offer(bearing(key, request)).await?.into_inner()),
        Body::Reverse(request) => {
            let answer = tills.reverse_redemption(bearing(key, request)).await?;
            Ok(answer.into_inner().redemption.expect("given"))
        }
    }
}
