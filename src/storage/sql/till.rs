//! What is done to an offer after it was made: claimed, locked, redeemed, taken back.
//!
//! Law 1: each statement is guarded by what it expects of the row, so that of two tills that want the same coupon one has
//! it and the other hears that it is stale. A till's request is claimed before anything else.

use super::{
    Retention,
    batch::{Batch, Halt},
    commit::STALE,
    conn::values,
    error::unsound,
    units::Units,
};
use crate::{
    domain::{
        budget::{Account, Holder, Unit},
        redemption::{Lock, Redemption, TillRequest},
        time::Timestamp,
    },
    ports::{Claim, Committed, NewCode, TillChange},
};

/// Claims a till's request for this transaction, with what it will be answered.
pub async fn ask(batch: &mut Batch<'_, '_>, change: &TillChange, at: Timestamp, keep: Retention) -> Result<(), Halt> {
    const SQL: &str = "INSERT INTO till_request
        (key_id, request_id, fingerprint, redemption_id, reversed_units, reversed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let (request, after) = match change {
        TillChange::Lock(..) => return Ok(()),
        TillChange::Redeem(request, redemption) => (request, redemption.clone()),
        TillChange::Reverse { request, redemption, units } => (request, redemption.clone().less(*units, at)),
    };
    let TillRequest { key, id, fingerprint } = request;
    let (key, id, fingerprint) = (key.as_str(), id.as_str(), fingerprint.as_slice());
    let (units, reversed_at, until) = (after.reversed_units, after.reversed_at, at + keep.answers);
    let values = values![key, id, fingerprint, &after.id, units, reversed_at, until];
    batch.must(SQL, values, Halt::Used).await
}

/// Does it, and notes which units go back.
pub async fn change(
    batch: &mut Batch<'_, '_>,
    change: &TillChange,
    (at, accounts): (Timestamp, usize),
    keep: Retention,
    units: &mut Units,
) -> Result<(), Halt> {
    match change {
        TillChange::Lock(offer, lock) => {
            const SQL: &str = "UPDATE offer SET locked_store = $2, locked_till = $3, locked_until = $4
                WHERE id = $1 AND redeemed_at IS NULL AND returned_at IS NULL
                    AND (locked_until IS NULL OR locked_until <= $5 OR locked_until > $6
                        OR (locked_store = $2 AND locked_till = $3))";
            let Lock { store, till, until } = lock;
            let values = values![offer, store.as_str(), till.as_str(), *until, at, Lock::latest_end(at)];
            batch.must(SQL, values, STALE).await
        }
        TillChange::Redeem(_, redemption) => {
            redeem(batch, redemption, units).await?;
            insert(batch, redemption, accounts, at + keep.offers).await
        }
        TillChange::Reverse { redemption, units: reversed, .. } => {
            reverse(batch, redemption, *reversed, at).await?;
            let holder = redemption.offer.map_or(Holder::Redemption(redemption.id), Holder::Offer);
            units.release(batch, holder, Unit::Money, *reversed).await?;
            if redemption.clone().less(*reversed, at).reversed_at.is_some() {
                units.release(batch, holder, Unit::Redemptions, u64::MAX).await?;
            }
            Ok(())
        }
    }
}

/// Whoever redeems an offer has seen it. If the till is the first to know, after its units had gone back without word, it is
/// overrun as if the phone had reported it; that is read from the row once it is this transaction's, so that no sweep comes
/// in between.
async fn redeem(batch: &mut Batch<'_, '_>, redemption: &Redemption, units: &mut Units) -> Result<(), Halt> {
    const SQL: &str = "UPDATE offer SET redeemed_at = $2, locked_store = NULL, locked_till = NULL, locked_until = NULL
        WHERE id = $1 AND profile_id = COALESCE($6, profile_id) AND redeemed_at IS NULL AND returned_at IS NULL
            AND (locked_until IS NULL OR locked_until <= $2 OR locked_until > $5
                OR (locked_store = $3 AND locked_till = $4))
        RETURNING shown_at, units_returned_at";
    const SHOWN: &str = "UPDATE offer SET shown_at = $2 WHERE id = $1";
    let Some(offer) = &redemption.offer else { return Ok(()) };
    let (store, till, at) = (redemption.store.as_str(), redemption.till.as_str(), redemption.redeemed_at);
    let profile = redemption.profile.as_ref().map(|profile| profile.to_string());
    let values = values![offer, at, store, till, Lock::latest_end(at), profile.as_ref()];
    let rows = batch.rows(SQL, values).await?;
    let row = rows.first().ok_or(STALE)?;
    let (shown_at, units_returned_at): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
    if shown_at.is_some() {
        return Ok(());
    }
    if units_returned_at.is_some() {
        units.overrun(batch, offer).await?;
    }
    batch.add(SHOWN, values![offer, at]).await
}

async fn insert(
    batch: &mut Batch<'_, '_>,
    redemption: &Redemption,
    accounts: usize,
    until: Timestamp,
) -> Result<(), Halt> {
    const SQL: &str = "INSERT INTO redemption (id, offer_id, profile_id, campaign_id, store_id, till, till_reference,
            currency, units, instruction, test, accounts, redeemed_at, reversed_units, reversed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, 0, NULL, $13)";
    let offer = redemption.offer.map(|offer| offer.to_string());
    let profile = redemption.profile.as_ref().map(|profile| profile.to_string());
    let currency = redemption.amount.as_ref().map(|amount| amount.currency().to_owned());
    let (campaign, store, till) = (&redemption.campaign, &redemption.store, &redemption.till);
    let values = values![
        &redemption.id,
        offer.as_ref(),
        profile.as_ref(),
        campaign.as_str(),
        store.as_str(),
        till.as_str(),
        &redemption.till_reference,
        currency.as_ref(),
        redemption.units(),
        &redemption.instruction,
        accounts as u64,
        redemption.redeemed_at,
        until,
    ];
    batch.add(SQL, values).await
}

/// Guarded by what was taken back before, and by whose it was: in whose profile the offer becomes good again was read by
/// that.
async fn reverse(batch: &mut Batch<'_, '_>, before: &Redemption, units: u64, at: Timestamp) -> Result<(), Halt> {
    const SQL: &str = "UPDATE redemption SET reversed_units = $2, reversed_at = $3
        WHERE id = $1 AND reversed_units = $4 AND reversed_at IS NULL AND COALESCE(profile_id, '') = COALESCE($5, '')";
    const FREE: &str = "UPDATE offer SET redeemed_at = NULL, reversed_at = $2 WHERE id = $1";
    let after = before.clone().less(units, at);
    let profile = before.profile.as_ref().map(|profile| profile.to_string());
    let (id, profile) = (&before.id, profile.as_ref());
    let values = values![id, after.reversed_units, after.reversed_at, before.reversed_units, profile];
    batch.must(SQL, values, STALE).await?;
    if let (Some(offer), Some(reversed_at)) = (&before.offer, after.reversed_at) {
        batch.add(FREE, values![offer, reversed_at]).await?;
    }
    Ok(())
}

/// Claims the offer for this transaction.
pub async fn begin_claim(batch: &mut Batch<'_, '_>, claim: &Claim, at: Timestamp) -> Result<(), Halt> {
    const SQL: &str = "UPDATE offer SET claimed_at = $2
        WHERE id = $1 AND claimed_at IS NULL AND returned_at IS NULL AND redeemed_at IS NULL";
    batch.must(SQL, values![&claim.offer, at], STALE).await
}

/// Gives the offer its code. The account of a pool is this transaction's by now, and counts the codes that were given.
pub async fn claim(batch: &mut Batch<'_, '_>, claim: &Claim) -> Result<(), Halt> {
    const LIMITED: &str = "SELECT 1 FROM budget WHERE id = $1";
    const THIS: &str = "UPDATE offer SET code = $2 WHERE id = $1 AND code IS NULL";
    const NEXT: &str = "UPDATE offer SET code = (SELECT pool_code.code FROM pool_code, account
            WHERE account.id = $2 AND pool_code.campaign_id = $3 AND pool_code.number = account.taken)
        WHERE id = $1 AND code IS NULL RETURNING code";
    match &claim.code {
        NewCode::This(code) => batch.must(THIS, values![&claim.offer, code.as_str()], STALE).await,
        NewCode::Next(campaign) => {
            let pool = Account::pool(campaign);
            let rows = batch.rows(NEXT, values![&claim.offer, pool.id.as_str(), campaign.as_str()]).await?;
            let code: Option<String> = rows.first().ok_or(STALE)?.get(0)?;
            if code.is_some() {
                return Ok(());
            }
            // Without a limit any number may be taken: no code was ever uploaded.
            match batch.rows(LIMITED, values![pool.budget.as_str()]).await?.is_empty() {
                true => Err(Halt::Refused(Committed::Exhausted(pool.id))),
                false => Err(unsound(format!("{} has no code of that number", pool.id)).into()),
            }
        }
        NewCode::Everyones => Ok(()),
    }
}
