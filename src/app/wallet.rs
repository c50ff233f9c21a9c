//! What a person holds and has used, and the codes of it.
//!
//! Laws 1 and 10: a code that is limited is given here only, through the gates and the ledger; asking again gives the
//! same one.

use std::sync::Arc;

use super::{
    devices::random,
    live_catalog::LiveCatalog,
    profile_edits::{ProfileEditError, ProfileEdits, next},
    promises::Promises,
    spent::Spent,
};
use crate::{
    domain::{
        budget::Account,
        campaign::Campaign,
        code::Code,
        content::Message,
        coupon::{Codes, Coupon},
        name::{DeviceName, ProfileName},
        offer::OfferId,
        place::Store,
        profile::Profile,
        redemption::KeptOffer,
        text::TraitKey,
        time::Timestamp,
    },
    engine::{
        catalog::Catalog,
        engagement::{self, Event},
        experiment::Drawn,
        redeeming::{ClaimRefusal, claim_refusal},
        taking,
        wording::{self, Facts},
    },
    ports::{
        Claim, Commit, Committed, Coupons, EngagementMark, Entropy, NewCode, OfferQuery, ProfileWrite, StoreError,
    },
};

/// Why a code is not given.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("there is no such offer of this profile, or no more")]
    NotFound,
    #[error("{}", .0.message())]
    Refused(ClaimRefusal),
    #[error("the profile is changing too fast")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProfileEditError> for ClaimError {
    fn from(error: ProfileEditError) -> Self {
        match error {
            ProfileEditError::Gone(_) => Self::NotFound,
            ProfileEditError::Busy => Self::Busy,
            ProfileEditError::Store(error) => Self::Store(error),
        }
    }
}

/// An offer, with what the catalog says of it today.
#[derive(Debug, Clone)]
pub struct Held {
    pub offer: KeptOffer,
    pub campaign: Option<Arc<Campaign>>,
    pub store: Option<Arc<Store>>,
    /// What the campaign says today to whoever asks.
    pub message: Option<Message>,
    /// What the offer is good for, as it was when it was made.
    pub coupon: Option<Coupon>,
}

/// Who opens a wallet: a person, and by which device.
pub type Holder<'a> = (&'a Profile, &'a DeviceName);

impl Held {
    /// What the till wants to see, if it was given: the offer's own code, or everyone's.
    pub fn code(&self) -> Option<String> {
        let campaign = self.campaign.as_ref().filter(|_| !self.offer.trial)?;
        let coupon = self.coupon.as_ref()?;
        let open = || coupon.open_code(&campaign.limits.budgets);
        let code = match &coupon.codes {
            Codes::Fixed(code) if self.offer.claimed_at.is_some() => Some(code),
            Codes::Fixed(_) => open(),
            Codes::Generated | Codes::Pool => self.offer.code.as_ref(),
        };
        code.map(|code| match coupon.codes {
            Codes::Generated => code.grouped(),
            Codes::Fixed(_) | Codes::Pool => code.as_str().to_owned(),
        })
    }
}

/// Opens wallets.
pub struct Wallet {
    edits: Arc<ProfileEdits>,
    coupons: Arc<dyn Coupons>,
    live: Arc<LiveCatalog>,
    entropy: Arc<dyn Entropy>,
    spent: Arc<Spent>,
    promises: Promises,
}

impl Wallet {
    pub fn new(
        edits: Arc<ProfileEdits>,
        coupons: Arc<dyn Coupons>,
        live: Arc<LiveCatalog>,
        entropy: Arc<dyn Entropy>,
        spent: Arc<Spent>,
        promises: Promises,
    ) -> Self {
        Self { edits, coupons, live, entropy, spent, promises }
    }

    /// A page of what the person holds, newest first.
    pub async fn list(&self, query: &OfferQuery, holder: Holder<'_>) -> Result<Vec<Held>, StoreError> {
        let offers = self.coupons.offers(query).await?;
        let has_all = |catalog: &Catalog| offers.iter().all(|offer| catalog.campaigns.contains_key(&offer.campaign));
        // While nobody can look for the others, what is known is shown.
        let snapshot = self.live.having(has_all).await.unwrap_or_else(|_| self.live.snapshot());
        let coupons = self.promises.coupons(&snapshot, &offers).await?;
        Ok(offers.into_iter().zip(coupons).map(|(offer, coupon)| held(&snapshot, (offer, coupon), holder)).collect())
    }

    async fn own(&self, profile: &ProfileName, id: &OfferId) -> Result<KeptOffer, ClaimError> {
        let own = self.coupons.offer(id).await?.filter(|offer| offer.profile == *profile);
        own.ok_or(ClaimError::NotFound)
    }

    /// The offer with its code.
    pub async fn claim(&self, holder: Holder<'_>, id: OfferId) -> Result<Held, ClaimError> {
        let profile = &holder.0.name;
        let KeptOffer { campaign, .. } = self.own(profile, &id).await?;
        // Before its turn, in which nobody shall wait for a look.
        let looked = self.live.having(|catalog| catalog.campaigns.contains_key(&campaign)).await;
        for now in self.edits.tries(&[profile]).await {
            let offer = self.own(profile, &id).await?;
            if offer.claimed_at.is_some() || offer.redeemed_at.is_some() {
                let snapshot = looked.unwrap_or_else(|_| self.live.snapshot());
                let coupon = self.promises.coupon(&snapshot, &offer).await?;
                return Ok(held(&snapshot, (offer, coupon), holder));
            }
            let snapshot = looked.clone()?;
            let person = self.edits.newest(profile).await?.ok_or(ClaimError::NotFound)?;
            let coupon = self.promises.coupon(&snapshot, &offer).await?;
            let (campaign, coupon) = may_claim(&snapshot, &person, (&offer, coupon), now)?;
            let takes = taking::for_claim(&campaign, &coupon, &offer);
            let (code, claim) = self.claimed(&campaign, &coupon, id);
            let (profiles, engagement) = marked(person, &offer, now);
            let commit = Commit { at: now, profiles, engagement, takes, claim: Some(claim), ..Commit::default() };
            match self.edits.profiles.commit(commit).await? {
                Committed::Done => {
                    let offer = self.after_claim(offer, code, now).await?;
                    return Ok(held(&snapshot, (offer, Some(coupon)), holder));
                }
                Committed::Exhausted(account) => {
                    let is_pool = account == Account::pool(&campaign.name).id;
                    // Nobody else shall be offered what cannot be claimed.
                    if taking::for_any_claim(&campaign).any(|any| any == account) {
                        self.spent.note(account, now);
                    }
                    let refusal = if is_pool { ClaimRefusal::CodesExhausted } else { ClaimRefusal::BudgetExhausted };
                    return Err(ClaimError::Refused(refusal));
                }
                Committed::Stale | Committed::Repeated(_) | Committed::Asked(_) => {}
            }
        }
        Err(ClaimError::Busy)
    }

    /// The code, if it is known before the commit, and what the commit writes of it.
    fn claimed(&self, campaign: &Campaign, coupon: &Coupon, offer: OfferId) -> (Option<Code>, Claim) {
        match coupon.codes {
            Codes::Fixed(_) => (None, Claim { offer, code: NewCode::Everyones }),
            Codes::Generated => {
                let code = Code::draw(random(&*self.entropy) as u64);
                (Some(code.clone()), Claim { offer, code: NewCode::This(code) })
            }
            Codes::Pool => (None, Claim { offer, code: NewCode::Next(campaign.name.clone()) }),
        }
    }

    async fn after_claim(
        &self,
        before: KeptOffer,
        code: Option<Code>,
        now: Timestamp,
    ) -> Result<KeptOffer, ClaimError> {
        if code.is_none() {
            return self.coupons.offer(&before.id).await?.ok_or(ClaimError::NotFound);
        }
        let shown_at = before.shown_at.or(Some(now));
        Ok(KeptOffer { code, claimed_at: Some(now), shown_at, ..before })
    }
}

/// The campaign and the coupon, if the person may have its code now.
fn may_claim(
    snapshot: &Catalog,
    person: &Profile,
    (offer, coupon): (&KeptOffer, Option<Coupon>),
    now: Timestamp,
) -> Result<(Arc<Campaign>, Coupon), ClaimError> {
    let app = snapshot.apps.get(&offer.profile.app()).ok_or(ClaimError::NotFound)?;
    let campaign = snapshot.campaigns.get(&offer.campaign).ok_or(ClaimError::NotFound)?.value.clone();
    let coupon = coupon.ok_or(ClaimError::Refused(ClaimRefusal::NoCoupon))?;
    match claim_refusal(snapshot, &app.value, person, offer, now) {
        Some(refusal) => Err(ClaimError::Refused(refusal)),
        None => Ok((campaign, coupon)),
    }
}

/// The person whose offer is claimed, which so was shown. A profile that has forgotten the offer (a clock was ahead for a
/// while) stays as it is; the offer is claimed all the same, or its code could never be used.
fn marked(mut person: Profile, offer: &KeptOffer, now: Timestamp) -> (Vec<ProfileWrite>, Vec<EngagementMark>) {
    let id = offer.id;
    let Some(given) = Arc::make_mut(&mut person.offers).iter_mut().find(|given| given.id == id) else {
        let KeptOffer { opened_at, dismissed_at, returned_at, .. } = *offer;
        let (shown_at, claimed_at) = (offer.shown_at.or(Some(now)), Some(now));
        let mark = EngagementMark { offer: id, shown_at, opened_at, dismissed_at, returned_at, claimed_at };
        return (Vec::new(), vec![mark]);
    };
    engagement::note(given, Event::Shown, now, now);
    given.claimed_at = Some(now);
    let mark = EngagementMark::from(&*given);
    (vec![next(person)], vec![mark])
}

fn held(catalog: &Catalog, (offer, coupon): (KeptOffer, Option<Coupon>), (person, device): Holder<'_>) -> Held {
    let campaign = catalog.campaigns.get(&offer.campaign).map(|entry| entry.value.clone());
    let store = offer.store.as_ref().and_then(|store| catalog.stores.get(store)).map(|entry| entry.value.clone());
    let personal = person.consents.permit().map(|permit| person.personal(permit));
    let app = catalog.apps.get(&person.name.app()).map(|entry| &entry.value);
    let declared = |key: &TraitKey, value: &_| app.is_some_and(|app| app.declares(key, value));
    let traits = |key: &TraitKey| personal?.traits.get(key).filter(|value| declared(key, value));
    let facts = Facts { traits: &traits, store: store.as_deref(), place: None, distance_m: None };
    let language = person.devices.get(device).map_or("", |device| &device.language);
    let says = |campaign| wording::message(campaign, Drawn::of(campaign, &person.name), language, &facts);
    let message = campaign.as_deref().map(says);
    Held { offer, campaign, store, message, coupon }
}
