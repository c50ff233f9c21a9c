//! Coupons through the public API: claimed on the phone, redeemed at the till, taken back, and counted.

mod budgets;
mod life;
mod pools;
mod promises;
mod refusals;
mod storms;
mod trials;

use std::time::Duration;

use dintorni::{
    grpc::pb::{self, redemption_service_client::RedemptionServiceClient, wallet_service_client::WalletServiceClient},
    ports::{Clock, LedgerProof},
};
use tonic::{Status, transport::Channel};

use crate::support::{
    databases,
    harness::{HERE, Phone, Publisher, TestServer, bearing, refusal},
};

const DAY: Duration = Duration::from_secs(86_400);

/// A publisher that is network and brand as well, with two shops where phones ping from, and a key for the first.
pub struct Shops<'a> {
    pub server: &'a TestServer,
    pub acme: Publisher<'a>,
    pub stores: [String; 2],
    /// Opens the tills of the first shop.
    pub key: String,
}

impl<'a> Shops<'a> {
    pub async fn open(server: &'a TestServer) -> Self {
        let acme = server.publisher("acme").await;
        let stores = [store(server, &acme, "one").await, store(server, &acme, "two").await];
        let key = store_key(server, &acme, &stores[..1]).await;
        Self { server, acme, stores, key }
    }

    /// An active campaign with that coupon for whoever comes near the first shop, as often as they come.
    pub async fn campaign(&self, id: &str, coupon: pb::Coupon, budgets: Vec<pb::Budget>) -> String {
        self.plain_campaign(id, Some(coupon), budgets).await
    }

    /// The same with a coupon or without one.
    pub async fn plain_campaign(&self, id: &str, coupon: Option<pb::Coupon>, budgets: Vec<pb::Budget>) -> String {
        let trigger = pb::Trigger {
            on: Some(pb::trigger::On::Near(pb::Near { radius_m: 60 })),
            at: Some(pb::trigger::At::Places(pb::Places { places: vec![self.stores[0].clone()] })),
            ..Default::default()
        };
        let per_profile = vec![pb::Cap { offers: 50, within: seconds(DAY).map(pb::cap::Within::Window) }];
        let campaign = pb::Campaign {
            display_name: id.into(),
            content: Some(pb::Content { title: id.into(), ..Default::default() }),
            trigger: Some(trigger),
            limits: Some(pb::Limits { per_profile, budgets, ..Default::default() }),
            coupon,
            ..Default::default()
        };
        let (operator, mut campaigns) = (&self.server.operator, self.server.campaigns());
        let request = pb::CreateCampaignRequest {
            parent: self.acme.organization.clone(),
            campaign_id: id.into(),
            campaign: Some(campaign),
        };
        let made = campaigns.create_campaign(bearing(operator, request)).await.expect("made").into_inner();
        let request = pb::ActivateCampaignRequest { name: made.name, ..Default::default() };
        campaigns.activate_campaign(bearing(operator, request)).await.expect("active").into_inner().name
    }

    /// A phone that came near, and its only offer.
    pub async fn visitor(&self, installation: u8) -> (Phone<'a>, pb::Offer) {
        let phone = self.phone(installation).await;
        let offer = self.visit(&phone, installation).await.offers.pop().expect("an offer");
        (phone, offer)
    }

    /// A phone that comes when no coupon is left to claim. It is offered nothing; or, while nobody has asked the ledger yet,
    /// what it cannot claim.
    pub async fn latecomer(&self, installation: u8) {
        let phone = self.phone(installation).await;
        let answer = self.visit(&phone, installation).await;
        if let Some(offer) = answer.offers.first() {
            assert_eq!(refusal(&claim(&phone, &offer.id).await.expect_err("refused")).1, "BUDGET_EXHAUSTED");
        }
    }

    pub async fn phone(&self, installation: u8) -> Phone<'a> {
        self.acme.phone(installation).await
    }

    pub async fn visit(&self, phone: &Phone<'_>, number: u8) -> pb::PingResponse {
        phone.ping(&format!("ping-{number:04}")).await.expect("answered")
    }

    /// A phone that came near and claimed its offer, and the code.
    pub async fn holder(&self, installation: u8) -> (Phone<'a>, String) {
        let (phone, offer) = self.visitor(installation).await;
        let code = claim(&phone, &offer.id).await.expect("claimed").coupon.expect("a coupon").code;
        (phone, code)
    }

    pub fn tills(&self) -> RedemptionServiceClient<Channel> {
        RedemptionServiceClient::new(self.server.channel.clone())
    }

    pub async fn check(&self, request: pb::CheckOfferRequest) -> pb::CheckOfferResponse {
        self.tills().check_offer(bearing(&self.key, request)).await.expect("checked").into_inner()
    }

    pub async fn redeem(&self, request: pb::RedeemOfferRequest) -> Result<pb::Redemption, Status> {
        Ok(self.tills().redeem_offer(bearing(&self.key, request)).await?.into_inner())
    }

    /// Redeems a code under this request id.
    pub async fn redeem_code(&self, id: &str, code: &str) -> Result<pb::Redemption, Status> {
        self.redeem(self.sale(id, by_code(code))).await
    }

    pub fn sale(&self, id: &str, presented: pb::Presented) -> pb::RedeemOfferRequest {
        pb::RedeemOfferRequest {
            request_id: id.into(),
            store: self.stores[0].clone(),
            till: "till-1".into(),
            presented: Some(presented),
            ..Default::default()
        }
    }

    pub async fn reverse(&self, id: &str, redemption: &str, amount: Option<i64>) -> Result<pb::Redemption, Status> {
        let request = pb::ReverseRedemptionRequest {
            request_id: id.into(),
            store: self.stores[0].clone(),
            redemption: redemption.into(),
            amount: amount.map(euros),
        };
        let answer = self.tills().reverse_redemption(bearing(&self.key, request)).await?;
        Ok(answer.into_inner().redemption.expect("given"))
    }

    /// Proves the ledger, and that nothing is wrong.
    pub async fn proven(&self) -> LedgerProof {
        let proof = self.server.ports.ledger.prove(self.server.clock.now()).await.expect("read");
        assert_eq!(proof.faults, []);
        proof
    }

    /// Does what the server does from time to time.
    pub async fn sweep(&self) {
        databases::sweep(&*self.server.ports.records, self.server.clock.now(), 1_000).await;
    }
}

async fn store(server: &TestServer, acme: &Publisher<'_>, id: &str) -> String {
    let (display_name, time_zone) = (id.to_owned(), "Europe/Rome".to_owned());
    let store = pb::Store { display_name, position: Some(HERE), time_zone, ..Default::default() };
    let parent = acme.organization.clone();
    let request = pb::CreateStoreRequest { parent, store_id: id.into(), store: Some(store) };
    server.places().create_store(bearing(&server.operator, request)).await.expect("made").into_inner().name
}

/// The secret of a key that opens the tills of these stores.
pub async fn store_key(server: &TestServer, acme: &Publisher<'_>, stores: &[String]) -> String {
    let scope = pb::key::Scope::Store.into();
    let key = pb::Key { display_name: "tills".into(), scope, stores: stores.to_vec(), ..Default::default() };
    let parent = acme.organization.clone();
    let request = pb::CreateKeyRequest { parent, key_id: format!("tills-{}", stores.len()), key: Some(key) };
    server.organizations().create_key(bearing(&server.operator, request)).await.expect("made").into_inner().secret
}

pub fn wallet(phone: &Phone<'_>) -> WalletServiceClient<Channel> {
    WalletServiceClient::new(phone.server.channel.clone())
}

pub async fn claim(phone: &Phone<'_>, offer: &str) -> Result<pb::WalletOffer, Status> {
    let request = pb::ClaimOfferRequest { offer: offer.into() };
    let answer = wallet(phone).claim_offer(bearing(&phone.token, request)).await?;
    Ok(answer.into_inner().offer.expect("given"))
}

pub async fn held(phone: &Phone<'_>) -> Vec<pb::WalletOffer> {
    let request = pb::ListOffersRequest::default();
    wallet(phone).list_offers(bearing(&phone.token, request)).await.expect("listed").into_inner().offers
}

pub fn generated() -> pb::Coupon {
    pb::Coupon {
        codes: Some(pb::coupon::Codes::Generated(pb::GeneratedCodes {})),
        instruction: "5 EUR off".into(),
        value: Some(euros(500)),
        ..Default::default()
    }
}

pub fn euros(minor_units: i64) -> pb::Money {
    pb::Money { currency: "EUR".into(), minor_units }
}

pub fn budget(unit: pb::budget::Unit, limit: u64) -> pb::Budget {
    pb::Budget { unit: unit.into(), limit, ..Default::default() }
}

pub fn by_code(code: &str) -> pb::Presented {
    pb::Presented { by: Some(pb::presented::By::Code(code.into())), customer: String::new() }
}

pub fn by_offer(offer: &str) -> pb::Presented {
    pb::Presented { by: Some(pb::presented::By::Offer(offer.into())), customer: String::new() }
}

pub fn seconds(span: Duration) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: span.as_secs() as i64, nanos: 0 })
}
