//! What is done to an offer after it was made: claimed, locked, redeemed, taken back.
//!
//! Law 1: each statement is guarded by what it expects of the row, so that of two tills that want the same coupon one has
//! it and the other hears that it is stale. A till's request is claimed before anything else.

use super::{
    Retention,
    commit::Halt,
    conn::{Conn, values},
    coupons::till_answer,
    error::unsound,
    units::Units,
};
use crate::{
    domain::{
        budget::{Account, Holder, Unit},
        redemption::{Lock, Redemption, TillRequest},
        time::Timestamp,
    },
    ports::{Claim, Committed, NewCode, StoreError, TillChange},
};

/// Claims a till's request for this transaction, with what it will be answered, or finds how it was answered.
pub async fn ask(conn: &mut Conn<'_>, change: &TillChange, at: Timestamp, keep: Retention) -> Result<(), Halt> {
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
    if conn.execute(SQL, values![key, id, fingerprint, &after.id, units, reversed_at, until]).await? > 0 {
        return Ok(());
    }
    match till_answer(conn, request).await? {
        Some(first) => Err(Halt::Refused(Committed::Asked(Box::new(first)))),
        // It was swept between the two statements: a retry finds the way free.
        None => Err(StoreError::Unavailable("the answer expired just now".to_owned()).into()),
    }
}

/// Does it, and notes which units go back.
pub async fn change(
    conn: &mut Conn<'_>,
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
            expect(conn.execute(SQL, values).await?)
        }
        TillChange::Redeem(_, redemption) => {
            redeem(conn, redemption).await?;
            insert(conn, redemption, accounts, at + keep.offers).await.map_err(Halt::from)
        }
        TillChange::Reverse { redemption, units: reversed, .. } => {
            reverse(conn, redemption, *reversed, at).await?;
            let holder = redemption.offer.map_or(Holder::Redemption(redemption.id), Holder::Offer);
            units.release(conn, holder, Unit::Money, *reversed).await?;
            if redemption.clone().less(*reversed, at).reversed_at.is_some() {
                units.release(conn, holder, Unit::Redemptions, u64::MAX).await?;
            }
            Ok(())
        }
    }
}

async fn redeem(conn: &mut Conn<'_>, redemption: &Redemption) -> Result<(), Halt> {
    const SQL: &str = "UPDATE offer SET redeemed_at = $2, shown_at = COALESCE(shown_at, $2), locked_store = NULL,
            locked_till = NULL, locked_until = NULL
        WHERE id = $1 AND profile_id = COALESCE($6, profile_id) AND redeemed_at IS NULL AND returned_at IS NULL
            AND (locked_until IS NULL OR locked_until <= $2 OR locked_until > $5
                OR (locked_store = $3 AND locked_till = $4))";
    let Some(offer) = &redemption.offer else { return Ok(()) };
    let (store, till, at) = (redemption.store.as_str(), redemption.till.as_str(), redemption.redeemed_at);
    let profile = redemption.profile.as_ref().map(|profile| profile.to_string());
    expect(conn.execute(SQL, values![offer, at, store, till, Lock::latest_end(at), profile.as_ref()]).await?)
}

async fn insert(
    conn: &mut Conn<'_>,
    redemption: &Redemption,
    accounts: usize,
    until: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO redemption (id, offer_id, profile_id, campaign_id, store_id, till, till_reference,
            currency, units, instruction, test, accounts, redeemed_at, reversed_units, reversed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, NULL, $14)";
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
        i64::from(redemption.test),
        accounts as u64,
        redemption.redeemed_at,
        until,
    ];
    conn.execute(SQL, values).await.map(|_| ())
}

/// Guarded by what was taken back before.
async fn reverse(conn: &mut Conn<'_>, before: &Redemption, units: u64, at: Timestamp) -> Result<(), Halt> {
    const SQL: &str = "UPDATE redemption SET reversed_units = $2, reversed_at = $3
        WHERE id = $1 AND reversed_units = $4 AND reversed_at IS NULL";
    const FREE: &str = "UPDATE offer SET redeemed_at = NULL, reversed_at = $2 WHERE id = $1";
    let after = before.clone().less(units, at);
    let values = values![&before.id, after.reversed_units, after.reversed_at, before.reversed_units];
    expect(conn.execute(SQL, values).await?)?;
    if let (Some(offer), Some(reversed_at)) = (&before.offer, after.reversed_at) {
        conn.execute(FREE, values![offer, reversed_at]).await?;
    }
    Ok(())
}

/// Claims the offer for this transaction.
pub async fn begin_claim(conn: &mut Conn<'_>, claim: &Claim, at: Timestamp) -> Result<(), Halt> {
    const SQL: &str = "UPDATE offer SET claimed_at = $2
        WHERE id = $1 AND claimed_at IS NULL AND returned_at IS NULL AND redeemed_at IS NULL";
    expect(conn.execute(SQL, values![&claim.offer, at]).await?)
}

/// Gives the offer its code. The account of a pool is this transaction's by now, and counts the codes that were given.
pub async fn claim(conn: &mut Conn<'_>, claim: &Claim) -> Result<(), Halt> {
    const THIS: &str = "UPDATE offer SET code = $2 WHERE id = $1 AND code IS NULL";
    const NEXT: &str = "UPDATE offer SET code = (SELECT pool_code.code FROM pool_code, account
            WHERE account.id = $2 AND pool_code.campaign_id = $3 AND pool_code.number = account.taken)
        WHERE id = $1 AND code IS NULL RETURNING code";
    match &claim.code {
        NewCode::This(code) => expect(conn.execute(THIS, values![&claim.offer, code.as_str()]).await?),
        NewCode::Next(campaign) => {
            let pool = Account::pool(campaign);
            let row = conn.row(NEXT, values![&claim.offer, pool.id.as_str(), campaign.as_str()]).await?;
            let code: Option<String> = row.ok_or(Halt::Refused(Committed::Stale))?.get(0)?;
            code.map(drop).ok_or_else(|| unsound(format!("{} has no code of that number", pool.id)).into())
        }
        NewCode::Everyones => Ok(()),
    }
}

/// Nothing was as expected if no row was changed.
fn expect(changed: u64) -> Result<(), Halt> {
    if changed > 0 { Ok(()) } else { Err(Halt::Refused(Committed::Stale)) }
}
