//! From what is on a till's counter to the coupon that is meant.
//!
//! Law 6: if it is not clear which coupon is meant, none is.

use std::{collections::BTreeSet, sync::Arc};

use super::promises::Promises;
use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        code::Code,
        coupon::Coupon,
        offer::OfferId,
        redemption::{KeptOffer, Refusal},
        time::Timestamp,
    },
    engine::redeeming::{self, Counter, Presented, is_redeemed_at},
    ports::{Coupons, StoreError},
};

/// What was scanned or typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Code(Code),
    Offer(OfferId),
}

/// A coupon, and whose offer it is of. What an offer is good for is what it was made with; the rest of its campaign is as it
/// is today.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub campaign: Arc<Campaign>,
    pub coupon: Coupon,
    /// None for everyone's code without a customer that has an offer.
    pub offer: Option<KeptOffer>,
    /// When the campaign was archived, if it was, that is known, and there is no offer.
    pub archived_at: Option<Timestamp>,
}

/// What came of a search.
#[derive(Debug)]
pub struct Sought {
    /// None if there is no such coupon here.
    pub found: Option<Found>,
    /// The first reason against it here and now.
    pub refusal: Option<Refusal>,
    /// Whether somebody has it, here or elsewhere: it was not made up.
    is_somebodys: bool,
}

impl Sought {
    /// Whether whoever asks may be guessing.
    pub fn is_guess(&self) -> bool {
        match self.refusal {
            Some(Refusal::UnknownCode { .. }) => !self.is_somebodys,
            Some(Refusal::WrongCustomer) => true,
            _ => false,
        }
    }
}

/// Finds coupons.
pub struct CouponSearch {
    coupons: Arc<dyn Coupons>,
    promises: Promises,
}

impl CouponSearch {
    pub fn new(coupons: Arc<dyn Coupons>, promises: Promises) -> Self {
        Self { coupons, promises }
    }

    /// The coupon, and whether it is good. Of several that one which is; of several good ones, or of several people, none.
    pub async fn find(&self, what: &What, customer: Option<&str>, counter: &Counter<'_>) -> Result<Sought, StoreError> {
        let mut meant = self.meant(what, customer, counter).await?;
        let is_somebodys = !meant.is_empty();
        let told = |found, refusal| Ok(Sought { found, refusal, is_somebodys });
        // Of brands that have nothing to do with this network, and of drafts, no till learns anything.
        meant.retain(|found| is_of_network(found, counter));
        if meant.iter().any(|found| is_redeemed_at(&found.campaign, &found.coupon, counter)) {
            meant.retain(|found| is_redeemed_at(&found.campaign, &found.coupon, counter));
        }
        if is_of_several_people(&meant, customer) {
            return told(None, Some(Refusal::AmbiguousCode));
        }
        let judge = |found: Found| {
            let Found { campaign, coupon, offer, archived_at } = &found;
            let presented = Presented { campaign, coupon, offer: offer.as_ref(), customer, archived_at: *archived_at };
            let refusal = redeeming::refusal(&presented, counter);
            (found, refusal)
        };
        let (good, bad): (Vec<_>, Vec<_>) = meant.into_iter().map(judge).partition(|(_, refusal)| refusal.is_none());
        match (good.len(), bad.into_iter().next()) {
            (0, None) => told(None, Some(unknown(what))),
            (0, Some((found, refusal))) => told(Some(found), refusal),
            (1, _) => told(good.into_iter().next().map(|(found, _)| found), None),
            _ => told(None, Some(Refusal::AmbiguousCode)),
        }
    }

    async fn meant(
        &self,
        what: &What,
        customer: Option<&str>,
        counter: &Counter<'_>,
    ) -> Result<Vec<Found>, StoreError> {
        let code = match what {
            What::Offer(id) => {
                let offer = self.coupons.offer(id).await?;
                return self.of_offers(offer.into_iter().collect(), counter).await;
            }
            What::Code(code) => code,
        };
        let mut offers = self.coupons.offers_with_code(code).await?;
        let drawn = code.as_drawn();
        if offers.is_empty() && drawn != *code {
            offers = self.coupons.offers_with_code(&drawn).await?;
        }
        let mut meant = self.of_offers(offers, counter).await?;
        for campaign in counter.catalog.with_code(code) {
            meant.extend(self.of_everyone(campaign, customer, counter).await?);
        }
        Ok(meant)
    }

    /// A coupon whose code everybody has, for each app's customer of that id who has an offer; by itself if none has.
    async fn of_everyone(
        &self,
        campaign: &Arc<Campaign>,
        customer: Option<&str>,
        counter: &Counter<'_>,
    ) -> Result<Vec<Found>, StoreError> {
        let Some(coupon) = &campaign.coupon else { return Ok(Vec::new()) };
        let mut offers = Vec::new();
        if let Some(id) = customer {
            let brand = campaign.name.owner();
            let reached =
                counter.catalog.apps.keys().filter(|app| counter.catalog.areas.grants().reach(app).has(brand));
            for profile in reached.filter_map(|app| app.profile(id).ok()) {
                offers.extend(self.coupons.offer_to(&profile, &campaign.name, counter.now).await?);
            }
        }
        let mut all = self.of_offers(offers, counter).await?;
        if all.is_empty() {
            let archived_at = self.promises.archived_at(campaign).await?;
            all.push(Found { campaign: campaign.clone(), coupon: coupon.clone(), offer: None, archived_at });
        }
        Ok(all)
    }

    /// The coupons that the offers were made with.
    async fn of_offers(&self, offers: Vec<KeptOffer>, counter: &Counter<'_>) -> Result<Vec<Found>, StoreError> {
        let coupons = self.promises.coupons(counter.catalog, &offers).await?;
        let found = offers.into_iter().zip(coupons).filter_map(|(offer, coupon)| {
            let campaign = counter.catalog.campaigns.get(&offer.campaign)?.value.clone();
            Some(Found { campaign, coupon: coupon?, offer: Some(offer), archived_at: None })
        });
        Ok(found.collect())
    }
}

fn is_of_network(found: &Found, counter: &Counter<'_>) -> bool {
    let (brand, network) = (found.campaign.name.organization(), counter.store.name.organization());
    let is_known = counter.catalog.areas.targets().grants.may_target(&brand, &network);
    // Who tries a draft at a till is told so.
    let is_trial = found.offer.as_ref().is_some_and(|offer| offer.trial);
    is_known && (found.campaign.state != CampaignState::Draft || is_trial)
}

/// Whether several apps have a customer of that id and each has an offer here: nobody knows whom the till serves. If what is
/// good decided, whoever has used the own offer would be given the other's.
fn is_of_several_people(meant: &[Found], customer: Option<&str>) -> bool {
    let offers = meant.iter().filter_map(|found| found.offer.as_ref());
    let people = offers.map(|offer| &offer.profile).filter(|profile| Some(profile.id()) == customer);
    people.collect::<BTreeSet<_>>().len() > 1
}

fn unknown(what: &What) -> Refusal {
    let mistyped = match what {
        What::Code(code) => code.is_mistyped(),
        What::Offer(_) => false,
    };
    Refusal::UnknownCode { mistyped }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        app::{
            campaigns::tests::campaign,
            fakes::{FakeCatalog, at, owner, store},
        },
        domain::{
            campaign::On,
            catalog::{CatalogChange, Resource},
            coupon::{Codes, RedeemedAt},
            name::{CampaignName, ProfileName},
            offer::RedemptionId,
            organization::App,
            redemption::{Redemption, TillId, TillRequest},
            time::TimeZone,
        },
        engine::catalog::Catalog,
        ports::{OfferQuery, RedemptionQuery, TillAnswer, Uploaded},
    };

    /// Knows one offer of each person.
    struct Wallets(Vec<KeptOffer>);

    #[async_trait]
    impl Coupons for Wallets {
        async fn offer(&self, id: &OfferId) -> Result<Option<KeptOffer>, StoreError> {
            Ok(self.0.iter().find(|offer| offer.id == *id).cloned())
        }
        async fn offers_with_code(&self, _: &Code) -> Result<Vec<KeptOffer>, StoreError> {
            Ok(Vec::new())
        }
        async fn offer_to(
            &self,
            profile: &ProfileName,
            _: &CampaignName,
            _: Timestamp,
        ) -> Result<Option<KeptOffer>, StoreError> {
            Ok(self.0.iter().find(|offer| offer.profile == *profile).cloned())
        }
        async fn offers(&self, _: &OfferQuery) -> Result<Vec<KeptOffer>, StoreError> {
            Ok(Vec::new())
        }
        async fn redemption(&self, _: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
            Ok(None)
        }
        async fn redemptions(&self, _: &RedemptionQuery) -> Result<Vec<Redemption>, StoreError> {
            Ok(Vec::new())
        }
        async fn till_answer(&self, _: &TillRequest) -> Result<Option<TillAnswer>, StoreError> {
            Ok(None)
        }
        async fn add_codes(&self, _: &CampaignName, _: Vec<Code>) -> Result<Option<Uploaded>, StoreError> {
            Ok(Some(Uploaded { added: Vec::new(), pool_size: 0 }))
        }
    }

    fn app(id: &str) -> App {
        App {
            name: owner("brand").app(id).expect("sound"),
            display_name: id.into(),
            time_zone: TimeZone::utc(),
            daily_offers: 3,
            quiet_hours: None,
            quiet_exempt: Default::default(),
            shares: Default::default(),
            cool_down: Default::default(),
            traits: Default::default(),
        }
    }

    /// An offer of everyone's code to the customer 7 of the app, and when it was redeemed.
    fn offer(of: &App, number: u128, redeemed_at: Option<Timestamp>) -> KeptOffer {
        KeptOffer {
            id: OfferId::new(at(1), number << 64),
            profile: of.name.profile("7").expect("sound"),
            campaign: owner("brand").campaign("coffee").expect("sound"),
            store: None,
            trial: false,
            catalog_version: 1,
            offered_at: at(1),
            show_by: at(900),
            valid_from: at(1),
            valid_until: at(900),
            code: None,
            shown_at: Some(at(2)),
            opened_at: None,
            dismissed_at: None,
            returned_at: None,
            claimed_at: None,
            redeemed_at,
            reversed_at: None,
            lock: None,
        }
    }

    #[tokio::test]
    async fn who_used_the_own_offer_is_not_given_that_of_another_apps_customer() {
        let coupon = Coupon {
            codes: Codes::Fixed(Code::parse("SUMMER20").expect("sound")),
            instruction: "5 off".into(),
            value: None,
            redeem_after: Default::default(),
            holder_only: false,
            at: RedeemedAt::Anywhere,
        };
        let state = CampaignState::Active;
        let foreign = Coupon { codes: Codes::Fixed(Code::parse("RIVAL").expect("sound")), ..coupon.clone() };
        let summer = Campaign { coupon: Some(coupon), state, ..campaign(On::Entered, &[]) };
        let rival = Campaign {
            name: owner("rival").campaign("coffee").expect("sound"),
            coupon: Some(foreign),
            state: CampaignState::Active,
            ..campaign(On::Entered, &[])
        };
        let [one, two] = ["one", "two"].map(app);
        let shop =
            crate::domain::place::Store { name: owner("brand").store("1").expect("sound"), ..store("1", "Shop") };
        let resources: Vec<Resource> =
            vec![summer.into(), rival.into(), one.clone().into(), two.clone().into(), shop.clone().into()];
        let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
        let catalog = Catalog::default().after(&resources.into_iter().map(change).collect::<Vec<_>>());
        let till = TillId::parse("till-1").expect("sound");
        let counter = Counter { catalog: &catalog, store: &shop, till: &till, now: at(10) };
        let what = What::Code(Code::parse("summer-20").expect("sound"));
        let search =
            |offers| CouponSearch::new(Arc::new(Wallets(offers)), Promises::new(Arc::new(FakeCatalog::default())));
        let told =
            async |offers: Vec<KeptOffer>| search(offers).find(&what, Some("7"), &counter).await.expect("read").refusal;
        assert_eq!(told(vec![offer(&one, 1, None)]).await, None);
        let [used, other] = [offer(&one, 1, Some(at(5))), offer(&two, 2, None)];
        assert_eq!(told(vec![used.clone()]).await, Some(Refusal::AlreadyRedeemed { at: at(5) }));
        assert_eq!(told(vec![used, other]).await, Some(Refusal::AmbiguousCode));
        for (code, is_guess) in [("RIVAL", false), ("NOBODYS", true)] {
            let what = What::Code(Code::parse(code).expect("sound"));
            let sought = search(Vec::new()).find(&what, None, &counter).await.expect("read");
            assert_eq!(sought.refusal, Some(Refusal::UnknownCode { mistyped: false }));
            assert_eq!((sought.found.as_ref(), sought.is_guess()), (None, is_guess), "{code}");
        }
    }
}
