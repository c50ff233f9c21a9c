//! What offers are good for: the coupon that their campaign had when they were made.
//!
//! Law: an edit of a campaign changes what is offered from then on, and nothing that was offered before.

use std::{ops::RangeInclusive, sync::Arc};

use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        catalog::Resource,
        coupon::Coupon,
        name::CampaignName,
        redemption::KeptOffer,
        time::Timestamp,
    },
    engine::catalog::{Catalog, Entry},
    ports::{History, HistoryOf, HistoryQuery, StoreError},
};

/// Looks up what was promised.
pub struct Promises {
    history: Arc<dyn History>,
}

/// A campaign as it was in these versions of the catalog.
struct Past {
    name: CampaignName,
    versions: RangeInclusive<u64>,
    coupon: Option<Coupon>,
}

impl Promises {
    pub fn new(history: Arc<dyn History>) -> Self {
        Self { history }
    }

    /// The coupon of the offer; none if it was made with none, or its campaign is gone.
    pub async fn coupon(&self, catalog: &Catalog, offer: &KeptOffer) -> Result<Option<Coupon>, StoreError> {
        let found = self.coupons(catalog, std::slice::from_ref(offer)).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// The coupon of each of the offers. What several were made with is read once.
    pub async fn coupons(&self, catalog: &Catalog, offers: &[KeptOffer]) -> Result<Vec<Option<Coupon>>, StoreError> {
        let (mut coupons, mut read) = (Vec::with_capacity(offers.len()), Vec::<Past>::new());
        for offer in offers {
            let Some(today) = catalog.campaigns.get(&offer.campaign) else {
                coupons.push(None);
                continue;
            };
            // A newer version than this server's may have changed it.
            if today.etag <= offer.catalog_version && offer.catalog_version <= catalog.version {
                coupons.push(today.value.coupon.clone());
                continue;
            }
            let is_it = |past: &&Past| past.name == offer.campaign && past.versions.contains(&offer.catalog_version);
            let coupon = match read.iter().find(is_it) {
                Some(past) => past.coupon.clone(),
                None => {
                    let past = self.past(offer, today).await?;
                    let coupon = past.coupon.clone();
                    read.push(past);
                    coupon
                }
            };
            coupons.push(coupon);
        }
        Ok(coupons)
    }

    /// When the campaign was archived, if it is and that is known: nothing is edited after that.
    pub async fn archived_at(&self, campaign: &Campaign) -> Result<Option<Timestamp>, StoreError> {
        if campaign.state != CampaignState::Archived {
            return Ok(None);
        }
        let of = HistoryOf::Resource(campaign.name.clone().into());
        let last = self.history.changes(&HistoryQuery { of, before: None, most: 1 }).await?.pop();
        Ok(last.map(|change| change.at))
    }

    /// The campaign as it was when the offer was made; as it is today if that is not known any more.
    async fn past(&self, offer: &KeptOffer, today: &Entry<Campaign>) -> Result<Past, StoreError> {
        let (name, made_under) = (offer.campaign.clone(), offer.catalog_version);
        let (of, before) = (HistoryOf::Resource(name.clone().into()), Some((made_under + 1, String::new())));
        let found = self.history.changes(&HistoryQuery { of, before, most: 1 }).await?.pop();
        Ok(match found.map(|change| (change.version, change.resource)) {
            Some((since, Some(Resource::Campaign(was)))) => {
                Past { name, versions: since..=made_under, coupon: was.coupon.clone() }
            }
            _ => Past { name, versions: made_under..=made_under, coupon: today.value.coupon.clone() },
        })
    }
}
