//! What a till may do with a coupon: check it, lock it, redeem it.
//!
//! Laws 1 and 2: a coupon is redeemed once, whatever the tills do at the same time, and a till's request happens once.
//! Law 6: what cannot be recorded is refused.

use std::{sync::Arc, time::Duration};

use super::{
    coupon_search::{CouponSearch, Found, Sought, What},
    devices::random,
    live_catalog::LiveCatalog,
    lockouts::Lockouts,
    profile_edits::{ProfileEdits, next},
    promises::Promises,
    till_answers::{TillError, same, unless_answered},
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
    ports::{Commit, Committed, Coupons, Entropy, ProfileWrite, RedemptionQuery, TillChange},
};

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
    pub refusal: Option<Refusal>,
    pub locked_until: Option<Timestamp>,
    /// The clock of the shop.
    pub zone: TimeZone,
}

/// What a till says when it redeems.
#[derive(Debug, Clone, PartialEq)]
pub struct Sale {
    pub request: TillRequest,
    pub amount: Option<Money>,
    /// As the till has it; may be empty.
    pub reference: String,
}

/// Serves tills.
pub struct Tills {
    edits: Arc<ProfileEdits>,
    coupons: Arc<dyn Coupons>,
    live: Arc<LiveCatalog>,
    entropy: Arc<dyn Entropy>,
    search: CouponSearch,
    lockouts: Lockouts,
}

impl Tills {
    pub fn new(
        edits: Arc<ProfileEdits>,
        coupons: Arc<dyn Coupons>,
        live: Arc<LiveCatalog>,
        entropy: Arc<dyn Entropy>,
        promises: Promises,
        lockouts: Lockouts,
    ) -> Self {
        let search = CouponSearch::new(coupons.clone(), promises);
        Self { edits, coupons, live, entropy, search, lockouts }
    }

    /// What the coupon is worth, or why nothing. `lock` keeps other tills from it; zero ends this till's lock.
    pub async fn check(&self, at: &AtTill, lock: Option<Duration>) -> Result<Checked, TillError> {
        let (snapshot, store) = self.open(&at.store).await?;
        for now in self.edits.tries(&[]).await {
            let counter = Counter { catalog: &snapshot, store: &store, till: &at.till, now };
            let (found, refusal) = match self.found(at, &counter).await {
                Ok(found) => (Some(found), None),
                Err(Missed { found, error: TillError::Refused(refusal, _) }) => (found, Some(refusal)),
                Err(Missed { error, .. }) => return Err(error),
            };
            let offer = found.as_ref().and_then(|found| found.offer.as_ref()).filter(|_| refusal.is_none());
            let zone = store.time_zone.clone();
            let Some((offer, lock)) = offer.zip(lock) else {
                let locked_until = offer.and_then(|offer| lock_at(offer, now));
                return Ok(Checked { found, refusal, locked_until, zone });
            };
            let until = now + lock;
            let lock = Lock { store: at.store.clone(), till: at.till.clone(), until };
            let change = Some(TillChange::Lock(offer.id, lock));
            let commit = Commit { at: now, till: change, ..Commit::default() };
            if self.edits.profiles.commit(commit).await? == Committed::Done {
                let locked_until = (now < until).then_some(until);
                return Ok(Checked { found, refusal, locked_until, zone });
            }
        }
        Err(TillError::Busy)
    }

    /// Redeems it.
    pub async fn redeem(&self, at: &AtTill, sale: &Sale) -> Result<Redemption, TillError> {
        let (snapshot, store) = match self.open(&at.store).await {
            Ok(open) => open,
            Err(gone) => return unless_answered(&*self.coupons, &sale.request, gone).await,
        };
        let begun = self.edits.clock.now();
        let counter = Counter { catalog: &snapshot, store: &store, till: &at.till, now: begun };
        let found = match self.found(at, &counter).await {
            Ok(found) => found,
            Err(missed) => return unless_answered(&*self.coupons, &sale.request, missed.error).await,
        };
        let person = found.offer.as_ref().map(|offer| offer.profile.clone());
        let mut found = found;
        for (turn, now) in self.edits.tries(&person.iter().collect::<Vec<_>>()).await.enumerate() {
            if turn > 0 {
                let counter = Counter { now, catalog: &self.live.snapshot(), ..counter };
                found = match self.found_again(at, &found, &counter).await {
                    Ok(found) => found,
                    Err(error) => return unless_answered(&*self.coupons, &sale.request, error).await,
                };
            }
            let amount = match redeeming::amount(&found.coupon, sale.amount.clone()) {
                Ok(amount) => amount,
                Err(refusal) => return unless_answered(&*self.coupons, &sale.request, refused(refusal, &store)).await,
            };
            let redemption = self.redemption(at, sale, &found, amount, now);
            let takes = taking::for_redemption(&found.campaign, &redemption, &store);
            let given = |profile: &mut Profile| {
                note(profile, &found, |given| {
                    given.redeemed_at = Some(now);
                    given.shown_at = given.shown_at.or(Some(now));
                })
            };
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

    pub async fn list(&self, query: &RedemptionQuery) -> Result<Vec<Redemption>, TillError> {
        Ok(self.coupons.redemptions(query).await?)
    }

    /// The catalog in force, and the store in it.
    async fn open(&self, name: &StoreName) -> Result<(Arc<Catalog>, Arc<Store>), TillError> {
        let snapshot = self.live.having(|catalog| catalog.stores.contains_key(name)).await?;
        let store = snapshot.stores.get(name).map(|entry| entry.value.clone());
        Ok((snapshot, store.ok_or_else(|| TillError::NotFound(name.to_string()))?))
    }

    /// By whose clock times at the store are told; none if there is no such store any more.
    pub fn zone_of(&self, name: &StoreName) -> Option<TimeZone> {
        self.live.snapshot().stores.get(name).map(|entry| entry.value.time_zone.clone())
    }

    /// The coupon on the counter, if it is good. A code that nobody has counts against the till.
    async fn found(&self, at: &AtTill, counter: &Counter<'_>) -> Result<Found, Missed> {
        let guess = self.lockouts.guess(&at.store, &at.till, counter.now).await.map_err(TillError::LockedOut)?;
        let mut sought = self.search.find(&at.what, at.customer.as_deref(), counter).await?;
        // A record that is away knows of no newer campaign: the guess counts all the same.
        if let Some(Refusal::UnknownCode { mistyped: false }) = sought.refusal
            && self.live.look_again().await.is_ok_and(|version| version != counter.catalog.version)
        {
            let counter = Counter { catalog: &self.live.snapshot(), ..*counter };
            sought = self.search.find(&at.what, at.customer.as_deref(), &counter).await?;
        }
        if sought.is_guess() {
            guess.is_wrong();
        }
        let Sought { found, refusal, .. } = sought;
        match refusal {
            None => found.ok_or_else(|| TillError::NotFound("coupon".to_owned()).into()),
            Some(refusal) => Err(Missed { found, error: refused(refusal, counter.store) }),
        }
    }

    /// The same coupon, as it is now.
    async fn found_again(&self, at: &AtTill, found: &Found, counter: &Counter<'_>) -> Result<Found, TillError> {
        let what = found.offer.as_ref().map_or_else(|| at.what.clone(), |offer| What::Offer(offer.id));
        let Sought { found, refusal, .. } = self.search.find(&what, at.customer.as_deref(), counter).await?;
        match (found, refusal) {
            (Some(found), None) => Ok(found),
            (_, refusal) => {
                let refusal = refusal.unwrap_or(Refusal::UnknownCode { mistyped: false });
                Err(refused(refusal, counter.store))
            }
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
        let changed = |profile: Option<Profile>| profile.and_then(|mut p| change(&mut p).then_some(p));
        let mut after = changed(profile);
        if after.is_none() && !stale {
            // A copy may be older than the offer; what the record has forgotten is forgotten.
            after = changed(self.edits.newest(&offer.profile).await?);
        }
        Ok(after.map(next).into_iter().collect())
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

fn refused(refusal: Refusal, store: &Store) -> TillError {
    TillError::Refused(refusal, store.time_zone.clone())
}

/// Changes what the profile remembers of the offer; false if it remembers nothing.
fn note(profile: &mut Profile, found: &Found, change: impl Fn(&mut crate::domain::offer::GivenOffer)) -> bool {
    let offer = found.offer.as_ref().map(|offer| offer.id);
    let given = Arc::make_mut(&mut profile.offers).iter_mut().find(|given| Some(given.id) == offer);
    given.map(change).is_some()
}

fn lock_at(offer: &KeptOffer, now: Timestamp) -> Option<Timestamp> {
    offer.lock.as_ref().filter(|lock| lock.holds(now)).map(|lock| lock.until)
}
