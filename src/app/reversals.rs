//! Taking redemptions back, in part or whole.
//!
//! Laws 1 and 2: what comes back comes back once; when all of it did, the offer can be redeemed again. Whoever redeemed
//! another offer of the campaign has redeemed it still.

use std::{sync::Arc, time::Duration};

use super::{
    profile_edits::{ProfileEdits, next},
    till_answers::{TillError, same, unless_answered},
};
use crate::{
    domain::{
        content::Money,
        name::StoreName,
        offer::{OfferId, RedemptionId},
        profile::Profile,
        redemption::{Redemption, TillRequest},
        time::Timestamp,
    },
    ports::{Commit, Committed, Coupons, ProfileWrite, RedemptionQuery, RedemptionsOf, TillChange},
};

/// Redemptions of one campaign by one person that are looked through, the newest: nobody has so many.
const MOST_OTHERS: u32 = 1_000;

/// Settings of [`Reversals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReversalsConfig {
    /// After a redemption, how long it can be taken back.
    pub reversible: Duration,
}

/// Takes redemptions back.
pub struct Reversals {
    edits: Arc<ProfileEdits>,
    coupons: Arc<dyn Coupons>,
    config: ReversalsConfig,
}

impl Reversals {
    pub fn new(edits: Arc<ProfileEdits>, coupons: Arc<dyn Coupons>, config: ReversalsConfig) -> Self {
        Self { edits, coupons, config }
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
            let units = match self.units(&redemption, amount.as_ref(), now) {
                Ok(units) => units,
                Err(error) => return unless_answered(&*self.coupons, request, error).await,
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

    /// How many minor units may be taken back.
    fn units(&self, redemption: &Redemption, amount: Option<&Money>, now: Timestamp) -> Result<u64, TillError> {
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
        match given {
            Some(given) => (given.redeemed_at, given.reversed_at) = (None, Some(at)),
            // The offer is forgotten, but that it was redeemed may not be. Written even if it stays: of two redemptions that
            // are taken back at once the second has to read what the first left.
            None => match profile.redeemed.get(&before.campaign).copied() {
                Some(last) if last == before.redeemed_at => self.remember_others(&mut profile, before).await?,
                Some(_) => {}
                None => return Ok(Vec::new()),
            },
        }
        Ok(vec![next(profile)])
    }

    /// Of the campaign only the last redemption was remembered, which is being taken back: the one before it is on record.
    async fn remember_others(&self, profile: &mut Profile, gone: &Redemption) -> Result<(), TillError> {
        let of = RedemptionsOf::Person(profile.name.clone(), gone.campaign.clone());
        let query = RedemptionQuery { of, from: None, until: None, after: None, most: MOST_OTHERS };
        let redemptions = self.coupons.redemptions(&query).await?;
        // What the profile knows of its offers it does not need to remember.
        let is_forgotten = |offer: &OfferId| profile.offers.iter().all(|given| given.id != *offer);
        let stands = |other: &&Redemption| other.id != gone.id && other.reversed_at.is_none();
        let others = redemptions.iter().filter(stands).filter(|other| other.offer.as_ref().is_some_and(is_forgotten));
        let last = others.map(|other| other.redeemed_at).max();
        Arc::make_mut(&mut profile.redeemed).remove(&gone.campaign);
        if let Some(last) = last {
            profile.remember_redeemed(&gone.campaign, last);
        }
        Ok(())
    }
}
