//! Two shops of the town and what their coupons are for: codes that are drawn, uploaded, or everyone's, with limits that
//! are worth breaking.

use std::sync::{Arc, Mutex, PoisonError};

use dintorni::grpc::pb::{
    self, budget::Unit, campaign_service_client::CampaignServiceClient,
    organization_service_client::OrganizationServiceClient, place_service_client::PlaceServiceClient,
};

use super::{
    caller::Random,
    holder::Holder,
    node::Door,
    phone::Phone,
    till::Till,
    world::{Rules, Spot, World},
};
use crate::support::harness::bearing;

/// What one coupon is worth, in cents.
pub const VALUE: i64 = 500;
/// More than any storm spends, so that each claim and sale moves an account that all of them share.
const MONEY: u64 = 1_000_000_000;
/// How many of those that came last are asked for again and again: many tills then want the same one.
const NEWEST: usize = 6;

#[derive(Debug, PartialEq, Eq)]
pub enum Codes {
    /// Drawn when it is claimed.
    Drawn,
    /// So many were uploaded.
    Pool(usize),
    /// The same for everyone; nobody is offered it.
    Everyones(&'static str),
}

/// A campaign with a coupon.
#[derive(Debug, PartialEq, Eq)]
pub struct Ware {
    pub id: &'static str,
    pub codes: Codes,
    /// Most redemptions in each shop.
    pub in_each: Option<u64>,
    /// Most redemptions in both.
    pub in_all: Option<u64>,
}

impl Ware {
    pub fn campaign(&self) -> String {
        format!("organizations/acme/campaigns/{}", self.id)
    }

    fn budgets(&self) -> Vec<pb::Budget> {
        let budget = |unit: Unit, limit| pb::Budget { unit: unit.into(), limit, ..Default::default() };
        let each = self.in_each.map(|limit| pb::Budget { per_store: true, ..budget(Unit::Redemptions, limit) });
        let all = self.in_all.map(|limit| budget(Unit::Redemptions, limit));
        each.into_iter().chain(all).chain([budget(Unit::Money, MONEY)]).collect()
    }

    fn coupon(&self) -> pb::Coupon {
        use pb::coupon::Codes as Kind;
        let codes = match self.codes {
            Codes::Drawn => Kind::Generated(pb::GeneratedCodes {}),
            Codes::Pool(_) => Kind::Pool(pb::PooledCodes {}),
            Codes::Everyones(code) => Kind::Fixed(code.into()),
        };
        pb::Coupon {
            codes: Some(codes),
            instruction: format!("5 EUR off one {}", self.id),
            value: Some(euros(VALUE)),
            ..Default::default()
        }
    }
}

/// No limit, a limit at the tills of each shop, more claims than codes, and one code that everybody brings.
pub const WARES: [Ware; 4] = [
    Ware { id: "umbrella", codes: Codes::Drawn, in_each: None, in_all: None },
    Ware { id: "scarf", codes: Codes::Drawn, in_each: Some(7), in_all: None },
    Ware { id: "gift", codes: Codes::Pool(11), in_each: None, in_all: None },
    Ware { id: "jingle", codes: Codes::Everyones("JINGLE26"), in_each: None, in_all: Some(9) },
];

/// A code that somebody brings to a till.
#[derive(Debug, Clone)]
pub struct Coupon {
    pub ware: &'static Ware,
    pub code: String,
    /// Empty if it is everyone's.
    pub offer: String,
}

/// All that can be brought to tills.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Vec<Coupon>>>);

impl Shelf {
    pub fn put(&self, coupon: Coupon) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(coupon);
    }

    pub fn all(&self) -> Vec<Coupon> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Any one, and every other time one of the newest.
    pub fn pick(&self, random: &mut Random) -> Coupon {
        let coupons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let among = if random.below(2) == 0 { coupons.len().min(NEWEST) } else { coupons.len() };
        coupons[coupons.len() - 1 - random.below(among)].clone()
    }
}

pub struct Market {
    pub world: World,
    pub stores: [String; 2],
    /// Opens the tills of both.
    pub key: String,
    pub shelf: Shelf,
    pub wares: &'static [Ware],
}

impl Market {
    pub async fn open(world: World, wares: &'static [Ware]) -> Self {
        let stores = [store(&world, "one").await, store(&world, "two").await];
        let key = key(&world, &stores).await;
        let market = Self { world, stores, key, shelf: Shelf::default(), wares };
        for ware in wares {
            let spot = if let Codes::Everyones(_) = ware.codes { Spot::Station } else { Spot::Plaza };
            let rules = Rules { id: ware.id, spot, cap: 50, budget: None };
            market.world.activate(&rules, ware.budgets(), Some(ware.coupon())).await;
            match ware.codes {
                Codes::Drawn => {}
                Codes::Pool(size) => upload(&market.world, ware, size).await,
                Codes::Everyones(code) => market.shelf.put(Coupon { ware, code: code.into(), offer: String::new() }),
            }
        }
        market
    }

    /// What is made last is live on all nodes when everything is.
    pub fn last(&self) -> Rules {
        let ware = self.wares.last().expect("some");
        Rules { id: ware.id, spot: Spot::Plaza, cap: 50, budget: None }
    }

    pub async fn holders(&self, count: u8, doors: &Arc<[Door]>, seed: u64) -> Vec<Holder> {
        let mut holders = Vec::new();
        for number in 0..count {
            let registered = self.world.register(number).await;
            holders.push(Holder::new(Phone::new(number.into(), registered, doors.clone(), seed), self));
        }
        holders
    }

    pub fn tills(&self, count: usize, doors: &Arc<[Door]>, seed: u64) -> Vec<Till> {
        (0..count).map(|number| Till::new(number, self, doors.clone(), seed)).collect()
    }
}

async fn store(world: &World, id: &str) -> String {
    let position = Some(Spot::Station.position());
    let store = pb::Store { display_name: id.into(), position, time_zone: "Europe/Rome".into(), ..Default::default() };
    let request =
        pb::CreateStoreRequest { parent: "organizations/acme".into(), store_id: id.into(), store: Some(store) };
    let mut places = PlaceServiceClient::new(world.channel.clone());
    places.create_store(bearing(&world.operator, request)).await.expect("made").into_inner().name
}

async fn key(world: &World, stores: &[String]) -> String {
    let scope = pb::key::Scope::Store.into();
    let key = pb::Key { display_name: "tills".into(), scope, stores: stores.to_vec(), ..Default::default() };
    let request = pb::CreateKeyRequest { parent: "organizations/acme".into(), key_id: "tills".into(), key: Some(key) };
    let mut organizations = OrganizationServiceClient::new(world.channel.clone());
    organizations.create_key(bearing(&world.operator, request)).await.expect("made").into_inner().secret
}

async fn upload(world: &World, ware: &Ware, size: usize) {
    let codes = (0..size).map(|number| format!("{}-{number:04}", ware.id)).collect();
    let messages = tokio_stream::iter([pb::UploadCodesRequest { campaign: ware.campaign(), codes }]);
    let mut campaigns = CampaignServiceClient::new(world.channel.clone());
    let answers = campaigns.upload_codes(bearing(&world.operator, messages)).await.expect("taken");
    let answer = answers.into_inner().message().await.expect("answered").expect("an answer");
    assert_eq!(answer.added as usize, size);
}

pub fn euros(minor_units: i64) -> pb::Money {
    pb::Money { currency: "EUR".into(), minor_units }
}
