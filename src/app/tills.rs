//! What a till may do: check a coupon, redeem it, take a redemption back.
//!
//! Laws 1 and 2: a coupon is redeemed once, whatever the tills do at the same time, and a till's request happens once.
//! Law 6: what cannot be recorded is refused.

use std::{sync::Arc, time::Duration};

use super::{
    coupon_search::{CouponSearch, Found, What},
    devices::random,
    live_catalog::LiveCatalog,
    lockouts::Lockouts,
    profile_edits::{ProfileEditError, ProfileEdits, next},
};
use crate::{
    domain::{
        content::Money,
        name::StoreName,
        offer::RedemptionId,
        place::Store,
        profile::Profile,
        redemption::{KeptOffer, Lock, Redemption, Refusal, TillId, TillRequest},
        time::{TimeZone, Timestamp},
    },
    engine::{
        catalog::Catalog,
        redeeming::{self, Counter},
        taking,
    },
    ports::{Commit, Committed, Coupons, Entropy, ProfileWrite, RedemptionQuery, StoreError, TillAnswer, TillChange},
};

/// Longest lock of an offer by a till.
pub const MAX_LOCK: Duration = Duration::from_secs(15 * 60);

/// Why nothing happened at a till.
#[derive(Debug, thiserror::Error)]
pub enum TillError {
    #[error("there is no {0}")]
    NotFound(String),
    /// The coupon is not good here and now; told by the clock of the shop.
    #[error("{}", .0.message(.1))]
    Refused(Refusal, TimeZone),
    #[error("this request id was used for another request")]
    AnotherBody,
    /// The redemption cannot be taken back so.
    #[error("{0}")]
    NotReversed(String),
    /// Too many wrong codes were tried.
    #[error("too many wrong codes; try again in {} s", .0.as_secs().max(1))]
    LockedOut(Duration),
    #[error("the offer is changing too fast")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProfileEditError> for TillError {
    fn from(error: ProfileEditError) -> Self {
        match error {
            ProfileEditError::Gone(name) => Self::NotFound(name.to_string()),
            ProfileEditError::Busy => Self::Busy,
            ProfileEditError::Store(error) => Self::Store(error),
        }
    }
}

/// A till, and what was put on its counter.
#[derive(Debug, Clone, PartialEq)]
pub struct AtTill {
    pub store: StoreName,
    pub till: TillId,
    pub what: What,
    /// The id of the customer's profile.
    pub customer: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// None if there is no such coupon.
    pub found: Option<Found>,
    pub refusal: Option<(Refusal, TimeZone)>,
    pub locked_until: Option<Timestamp>,
}

/// What a till says when it redeems.
#[derive(Debug, Clone, PartialEq)]
pub struct Sale {
    pub request: TillRequest,
    pub amount: Option<Money>,
    /// As the till has it; may be empty.
    pub reference: String,
}

/// Settings of [`Tills`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TillsConfig {
    /// After a redemption, how long it can be taken back.
    pub reversible: Duration,
}

/// Serves tills.
pub struct Tills {
    edits: Arc<ProfileEdits>,
    coupons: Arc<dyn Coupons>,
    live: Arc<LiveCatalog>,
    entropy: Arc<dyn Entropy>,
    search: CouponSearch,
    lockouts: Lockouts,
    config: TillsConfig,
}

impl Tills {
    pub fn new(
        edits: Arc<ProfileEdits>,
        coupons: Arc<dyn Coupons>,
        live: Arc<LiveCatalog>,
        entropy: Arc<dyn Entropy>,
        (lockouts, config): (Lockouts, TillsConfig),
    ) -> Self {
        let search = CouponSearch::new(coupons.clone());
        Self { edits, coupons, live, entropy, search, lockouts, config }
    }

    /// What the coupon is worth, or why nothing. `lock` keeps other tills from it; zero ends this till's lock.
    pub async fn check(&self, at: &AtTill, lock: Option<Duration>) -> Result<Checked, TillError> {
        let snapshot = self.live.snapshot();
        let store = store(&snapshot, &at.store)?;
        for now in self.edits.tries(&[]).await {
            let counter = Counter { catalog: &snapshot, store: &store, till: &at.till, now };
            let (found, refusal) = match self.found(at, &counter).await {
                Ok(found) => (Some(found), None),
                Err(Missed { found, error: TillError::Refused(refusal, zone) }) => (found, Some((refusal, zone))),
                Err(Missed { error, .. }) => return Err(error),
            };
            let offer = found.as_ref().and_then(|found| found.offer.as_ref()).filter(|_| refusal.is_none());
            let Some((offer, lock)) = offer.zip(lock) else {
                let locked_until = offer.and_then(|offer| lock_at(offer, now));
                return Ok(Checked { found, refusal, locked_until });
            };
            let until = now + lock;
            let lock = Lock { store: at.store.clone(), till: at.till.clone(), until };
            let change = Some(TillChange::Lock(offer.id, lock));
            let commit = Commit { at: now, till: change, ..Commit::default() };
            if self.edits.profiles.commit(commit).await? == Committed::Done {
                return Ok(Checked { found, refusal, locked_until: (now < until).then_some(until) });
            }
        }
        Err(TillError::Busy)
    }

    /// Redeems it.
    pub async fn redeem(&self, at: &AtTill, sale: &Sale) -> Result<Redemption, TillError> {
        let snapshot = self.live.snapshot();
        let store = store(&snapshot, &at.store)?;
        let begun = self.edits.clock.now();
        let counter = Counter { catalog: &snapshot, store: &store, till: &at.till, now: begun };
        let found = match self.found(at, &counter).await {
            Ok(found) => found,
            Err(missed) => return self.unless_answered(&sale.request, missed.error).await,
        };
        let amount = redeeming::amount(&found.coupon, sale.amount.clone());
        let amount = match amount {
            Ok(amount) => amount,
            // The coupon may have been worth more when the request was answered first.
            Err(refusal) => return self.unless_answered(&sale.request, refused(refusal, &store)).await,
        };
        let person = found.offer.as_ref().map(|offer| offer.profile.clone());
        let mut found = found;
        for (turn, now) in self.edits.tries(&person.iter().collect::<Vec<_>>()).await.enumerate() {
            if turn > 0 {
                let counter = Counter { now, ..counter };
                found = match self.found_again(at, &found, &counter).await {
                    Ok(found) => found,
                    Err(error) => return self.unless_answered(&sale.request, error).await,
                };
            }
            let redemption = self.redemption(at, sale, &found, amount.clone(), now);
            let takes = taking::for_redemption(&found.campaign, &redemption, &store);
            let given = |profile: &mut Profile| note(profile, &found, |given| given.redeemed_at = Some(now));
            let profiles = self.write_of(&found, turn > 0, now, given).await?;
            let till = Some(TillChange::Redeem(sale.request.clone(), redemption.clone()));
            let commit = Commit { at: now, profiles, takes, till, ..Commit::default() };
            match self.edits.profiles.commit(commit).await? {
                Committed::Done => return Ok(redemption),
                Committed::Asked(first) => return same(&sale.request, *first),
                Committed::Exhausted(_) => return Err(refused(Refusal::BudgetExhausted, &store)),
                Committed::Stale | Committed::Repeated(_) => {}
            }
        }
        Err(TillError::Busy)
    }

    /// Takes a redemption of the store back: so many minor units, or all that is left.
    pub async fn reverse(
        &self,
        store: &StoreName,
        id: RedemptionId,
        request: &TillRequest,
        amount: Option<Money>,
    ) -> Result<Redemption, TillError> {
        if let Some(first) = self.coupons.till_answer(request).await? {
            return same(request, first);
        }
        let missing = || TillError::NotFound(format!("redemption {id} at {store}"));
        let redemption =
            self.coupons.redemption(&id).await?.filter(|found| found.store == *store).ok_or_else(missing)?;
        let names = redemption.profile.clone();
        for now in self.edits.tries(&names.iter().collect::<Vec<_>>()).await {
            let redemption = self.coupons.redemption(&id).await?.ok_or_else(missing)?;
            let units = match self.reversible(&redemption, amount.as_ref(), now) {
                Ok(units) => units,
                Err(error) => return self.unless_answered(request, error).await,
            };
            let after = redemption.clone().less(units, now);
            let profiles = self.freed(&redemption, &after).await?;
            let till = Some(TillChange::Reverse { request: request.clone(), redemption, units });
            match self.edits.profiles.commit(Commit { at: now, profiles, till, ..Commit::default() }).await? {
                Committed::Done => return Ok(after),
                Committed::Asked(first) => return same(request, *first),
                Committed::Stale | Committed::Repeated(_) | Committed::Exhausted(_) => {}
            }
        }
        Err(TillError::Busy)
    }

    pub async fn list(&self, query: &RedemptionQuery) -> Result<Vec<Redemption>, TillError> {
        Ok(self.coupons.redemptions(query).await?)
    }

    /// The coupon on the counter, if it is good. A code that nobody has counts against the till.
    async fn found(&self, at: &AtTill, counter: &Counter<'_>) -> Result<Found, Missed> {
        if let Some(wait) = self.lockouts.wait(&at.store, &at.till, counter.now) {
            return Err(TillError::LockedOut(wait).into());
        }
        let (found, refusal) = self.search.find(&at.what, at.customer.as_deref(), counter).await?;
        match refusal {
            None => found.ok_or_else(|| TillError::NotFound("coupon".to_owned()).into()),
            Some(refusal) => {
                if let Refusal::UnknownCode { .. } = refusal {
                    self.lockouts.note(&at.store, &at.till, counter.now);
                }
                Err(Missed { found, error: refused(refusal, counter.store) })
            }
        }
    }

    /// The same coupon, as it is now.
    async fn found_again(&self, at: &AtTill, found: &Found, counter: &Counter<'_>) -> Result<Found, TillError> {
        let what = found.offer.as_ref().map_or_else(|| at.what.clone(), |offer| What::Offer(offer.id));
        let (found, refusal) = self.search.find(&what, at.customer.as_deref(), counter).await?;
        match (found, refusal) {
            (Some(found), None) => Ok(found),
            (_, refusal) => {
                let refusal = refusal.unwrap_or(Refusal::UnknownCode { mistyped: false });
                Err(refused(refusal, counter.store))
            }
        }
    }

    /// What the request was answered before, if it was: then the coupon is as it is because of it.
    async fn unless_answered(&self, request: &TillRequest, error: TillError) -> Result<Redemption, TillError> {
        match self.coupons.till_answer(request).await? {
            Some(first) => same(request, first),
            None => Err(error),
        }
    }

    fn redemption(&self, at: &AtTill, sale: &Sale, found: &Found, amount: Option<Money>, now: Timestamp) -> Redemption {
        Redemption {
            id: RedemptionId::new(now, random(&*self.entropy)),
            store: at.store.clone(),
            till: at.till.clone(),
            till_reference: sale.reference.clone(),
            campaign: found.campaign.name.clone(),
            offer: found.offer.as_ref().map(|offer| offer.id),
            profile: found.offer.as_ref().map(|offer| offer.profile.clone()),
            amount,
            instruction: found.coupon.instruction.clone(),
            test: found.offer.as_ref().is_some_and(|offer| offer.test),
            redeemed_at: now,
            reversed_units: 0,
            reversed_at: None,
        }
    }

    /// The person's profile with the change; none if it has forgotten the offer.
    async fn write_of(
        &self,
        found: &Found,
        stale: bool,
        now: Timestamp,
        change: impl Fn(&mut Profile) -> bool,
    ) -> Result<Vec<ProfileWrite>, TillError> {
        let Some(offer) = &found.offer else { return Ok(Vec::new()) };
        let profile = match stale {
            true => self.edits.newest(&offer.profile).await?,
            false => self.edits.profiles.copy(&offer.profile, now).await?,
        };
        let changed = profile.and_then(|mut profile| change(&mut profile).then_some(profile));
        Ok(changed.map(next).into_iter().collect())
    }

    /// How many minor units may be taken back.
    fn reversible(&self, redemption: &Redemption, amount: Option<&Money>, now: Timestamp) -> Result<u64, TillError> {
        let refuse = |why: String| Err(TillError::NotReversed(why));
        if let Some(at) = redemption.reversed_at {
            return refuse(format!("all of it was taken back at {at}"));
        }
        if now.since(redemption.redeemed_at) > self.config.reversible {
            let days = self.config.reversible.as_secs() / 86_400;
            return refuse(format!(
                "it was redeemed at {}, which is more than {days} days ago",
                redemption.redeemed_at
            ));
        }
        let left = redemption.left();
        match (amount, &redemption.amount) {
            (None, _) => Ok(left),
            (Some(amount), Some(redeemed)) if amount.currency() == redeemed.currency() => {
                let units = u64::try_from(amount.minor_units()).unwrap_or(0);
                if (1..=left).contains(&units) {
                    return Ok(units);
                }
                refuse(format!("from 1 to {left} minor units can be taken back, not {units}"))
            }
            (Some(_), Some(redeemed)) => refuse(format!("it was redeemed in {}", redeemed.currency())),
            (Some(_), None) => refuse("it has no amount: leave the amount out to take it back".to_owned()),
        }
    }

    /// The person's profile in which the offer can be redeemed again, if all of it was taken back.
    async fn freed(&self, before: &Redemption, after: &Redemption) -> Result<Vec<ProfileWrite>, TillError> {
        let (Some(profile), Some(offer), Some(at)) = (&before.profile, before.offer, after.reversed_at) else {
            return Ok(Vec::new());
        };
        let Some(mut profile) = self.edits.newest(profile).await? else { return Ok(Vec::new()) };
        let given = Arc::make_mut(&mut profile.offers).iter_mut().find(|given| given.id == offer);
        let Some(given) = given else { return Ok(Vec::new()) };
        (given.redeemed_at, given.reversed_at) = (None, Some(at));
        Ok(vec![next(profile)])
    }
}

/// Why a coupon was not found good, and what was found of it all the same.
struct Missed {
    found: Option<Found>,
    error: TillError,
}

impl<E: Into<TillError>> From<E> for Missed {
    fn from(error: E) -> Self {
        Self { found: None, error: error.into() }
    }
}

fn store(catalog: &Catalog, name: &StoreName) -> Result<Arc<Store>, TillError> {
    let entry = catalog.stores.get(name).ok_or_else(|| TillError::NotFound(name.to_string()))?;
    Ok(entry.value.clone())
}

fn refused(refusal: Refusal, store: &Store) -> TillError {
    TillError::Refused(refusal, store.time_zone.clone())
}

/// The first answer, if it was to the same request.
fn same(request: &TillRequest, first: TillAnswer) -> Result<Redemption, TillError> {
    if first.fingerprint == request.fingerprint { Ok(first.redemption) } else { Err(TillError::AnotherBody) }
}

/// Changes what the profile remembers of the offer; false if it remembers nothing.
fn note(profile: &mut Profile, found: &Found, change: impl Fn(&mut crate::domain::offer::GivenOffer)) -> bool {
    let offer = found.offer.as_ref().map(|offer| offer.id);
    let given = Arc::make_mut(&mut profile.offers).iter_mut().find(|given| Some(given.id) == offer);
    given.map(change).is_some()
}

fn lock_at(offer: &KeptOffer, now: Timestamp) -> Option<Timestamp> {
    offer.lock.as_ref().map(|lock| lock.until).filter(|until| now < *until)
}
