//! Offers as people and tills see them, redemptions, and codes to give.

use super::{
    conn::{Conn, Row, values},
    error::unsound,
};
use crate::{
    domain::{
        code::Code,
        content::Money,
        name::{CampaignName, ProfileName, StoreName},
        offer::{OfferId, RedemptionId},
        redemption::{KeptOffer, Lock, Redemption, TillId, TillRequest},
        time::Timestamp,
        violation::Invalid,
    },
    ports::{OfferQuery, OfferState, RedemptionQuery, RedemptionsOf, StoreError, TillAnswer},
};

/// Begins every statement that reads offers; [`kept_offer`] reads these columns.
macro_rules! offers {
    ($rest:literal) => {
        concat!(
            "SELECT id, profile_id, campaign_id, store_id, test, offered_at, show_by, valid_from, valid_until, code,
                shown_at, opened_at, dismissed_at, returned_at, claimed_at, redeemed_at, reversed_at,
                locked_store, locked_till, locked_until, catalog_version FROM offer ",
            $rest
        )
    };
}

/// Begins every statement that reads redemptions; [`redemption_of`] reads these columns.
macro_rules! redemptions {
    ($rest:literal) => {
        concat!(
            "SELECT id, offer_id, profile_id, campaign_id, store_id, till, till_reference, currency, units, instruction,
                redeemed_at, reversed_units, reversed_at FROM redemption ",
            $rest
        )
    };
}

pub async fn offer(conn: &mut Conn<'_>, id: &OfferId) -> Result<Option<KeptOffer>, StoreError> {
    conn.row(offers!("WHERE id = $1"), values![id]).await?.as_ref().map(kept_offer).transpose()
}

pub async fn offers_with_code(conn: &mut Conn<'_>, code: &Code) -> Result<Vec<KeptOffer>, StoreError> {
    const SQL: &str = offers!("WHERE code = $1 ORDER BY offered_at DESC LIMIT 100");
    conn.rows(SQL, values![code.as_str()]).await?.iter().map(kept_offer).collect()
}

pub async fn offer_to(
    conn: &mut Conn<'_>,
    profile: &ProfileName,
    campaign: &CampaignName,
    now: Timestamp,
) -> Result<Option<KeptOffer>, StoreError> {
    // Good from and until when is as tills judge it: see the engine's `redeeming`.
    const SQL: &str = offers!(
        "WHERE profile_id = $1 AND campaign_id = $2 AND test = 0
        ORDER BY CASE WHEN redeemed_at IS NOT NULL OR returned_at IS NOT NULL THEN 2
            WHEN valid_until > $3 AND (valid_from <= $3 OR valid_from <= offered_at) THEN 0 ELSE 1 END,
            offered_at DESC, id DESC LIMIT 1"
    );
    let row = conn.row(SQL, values![profile.as_str(), campaign.as_str(), now]).await?;
    row.as_ref().map(kept_offer).transpose()
}

pub async fn offers(conn: &mut Conn<'_>, query: &OfferQuery) -> Result<Vec<KeptOffer>, StoreError> {
    // 0 all, 1 open, 2 redeemed, 3 ended, 4 returned: as OfferState::of.
    const SQL: &str = offers!(
        "WHERE profile_id = $1 AND offered_at <= $2 AND (offered_at < $2 OR (offered_at = $2 AND id < $3))
            AND ($4 = 0 OR $4 = CASE WHEN redeemed_at IS NOT NULL THEN 2 WHEN returned_at IS NOT NULL THEN 4
                WHEN valid_until <= $5 THEN 3 ELSE 1 END)
        ORDER BY offered_at DESC, id DESC LIMIT $6"
    );
    let state = match query.state {
        None => 0_i64,
        Some(OfferState::Open) => 1,
        Some(OfferState::Redeemed) => 2,
        Some(OfferState::Ended) => 3,
        Some(OfferState::Returned) => 4,
    };
    let (at, id) = below(query.after.map(|(at, id)| (at, id.to_string())));
    let values = values![query.profile.as_str(), at, &id, state, query.now, u64::from(query.most)];
    conn.rows(SQL, values).await?.iter().map(kept_offer).collect()
}

/// Where a list goes on; one that begins is below everything.
fn below(after: Option<(Timestamp, String)>) -> (Timestamp, String) {
    after.unwrap_or_else(|| (Timestamp::MAX, String::new()))
}

pub async fn redemption(conn: &mut Conn<'_>, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
    conn.row(redemptions!("WHERE id = $1"), values![id]).await?.as_ref().map(redemption_of).transpose()
}

pub async fn redemptions(conn: &mut Conn<'_>, query: &RedemptionQuery) -> Result<Vec<Redemption>, StoreError> {
    const OF_STORE: &str = redemptions!(
        "WHERE store_id = $1 AND redeemed_at >= $2 AND redeemed_at <= $3 AND (redeemed_at < $3 OR (redeemed_at = $3 AND id < $4))
        ORDER BY redeemed_at DESC, id DESC LIMIT $5"
    );
    const OF_CAMPAIGN: &str = redemptions!(
        "WHERE campaign_id = $1 AND redeemed_at >= $2 AND redeemed_at <= $3 AND (redeemed_at < $3 OR (redeemed_at = $3 AND id < $4))
        ORDER BY redeemed_at DESC, id DESC LIMIT $5"
    );
    const OF_PERSON: &str = redemptions!(
        "WHERE profile_id = $1 AND campaign_id = $6 AND redeemed_at >= $2 AND redeemed_at <= $3
            AND (redeemed_at < $3 OR (redeemed_at = $3 AND id < $4))
        ORDER BY redeemed_at DESC, id DESC LIMIT $5"
    );
    let (sql, name, campaign) = match &query.of {
        RedemptionsOf::Store(name) => (OF_STORE, name.as_str(), None),
        RedemptionsOf::Campaign(name) => (OF_CAMPAIGN, name.as_str(), None),
        RedemptionsOf::Person(name, campaign) => (OF_PERSON, name.as_str(), Some(campaign.as_str())),
    };
    let (mut at, mut id) = below(query.after.map(|(at, id)| (at, id.to_string())));
    if let Some(until) = query.until.filter(|until| *until <= at) {
        (at, id) = (until, String::new());
    }
    let (from, most) = (query.from.unwrap_or(Timestamp::MIN), u64::from(query.most));
    let rows = match campaign {
        None => conn.rows(sql, values![name, from, at, &id, most]).await?,
        Some(campaign) => conn.rows(sql, values![name, from, at, &id, most, campaign]).await?,
    };
    rows.iter().map(redemption_of).collect()
}

pub async fn till_answer(conn: &mut Conn<'_>, request: &TillRequest) -> Result<Option<TillAnswer>, StoreError> {
    const SQL: &str = "SELECT fingerprint, redemption_id, reversed_units, reversed_at FROM till_request
        WHERE key_id = $1 AND request_id = $2";
    let Some(row) = conn.row(SQL, values![request.key.as_str(), request.id.as_str()]).await? else { return Ok(None) };
    let fingerprint: Vec<u8> = row.get(0)?;
    let id = parsed(&row, 1, RedemptionId::parse)?;
    let now = redemption(conn, &id).await?.ok_or_else(|| unsound(format!("there is no redemption {id}")))?;
    Ok(Some(TillAnswer {
        fingerprint: fingerprint.try_into().map_err(|_| unsound("a fingerprint is not of 32 bytes"))?,
        redemption: Redemption { reversed_units: row.count(2)?, reversed_at: time(&row, 3)?, ..now },
    }))
}

fn kept_offer(row: &Row) -> Result<KeptOffer, StoreError> {
    Ok(KeptOffer {
        id: parsed(row, 0, OfferId::parse)?,
        profile: parsed(row, 1, ProfileName::parse)?,
        campaign: parsed(row, 2, CampaignName::parse)?,
        store: maybe(row, 3, StoreName::parse)?,
        trial: row.count(4)? != 0,
        catalog_version: row.count(20)?,
        offered_at: Timestamp::from_micros(row.get(5)?),
        show_by: Timestamp::from_micros(row.get(6)?),
        valid_from: Timestamp::from_micros(row.get(7)?),
        valid_until: Timestamp::from_micros(row.get(8)?),
        code: maybe(row, 9, Code::parse)?,
        shown_at: time(row, 10)?,
        opened_at: time(row, 11)?,
        dismissed_at: time(row, 12)?,
        returned_at: time(row, 13)?,
        claimed_at: time(row, 14)?,
        redeemed_at: time(row, 15)?,
        reversed_at: time(row, 16)?,
        lock: lock(row)?,
    })
}

fn lock(row: &Row) -> Result<Option<Lock>, StoreError> {
    let (store, till) = (maybe(row, 17, StoreName::parse)?, maybe(row, 18, TillId::parse)?);
    Ok(store.zip(till).zip(time(row, 19)?).map(|((store, till), until)| Lock { store, till, until }))
}

fn redemption_of(row: &Row) -> Result<Redemption, StoreError> {
    let units: i64 = row.get(8)?;
    let currency: Option<String> = row.get(7)?;
    let amount = currency.map(|currency| Money::new(&currency, units)).transpose().map_err(unsound)?;
    Ok(Redemption {
        id: parsed(row, 0, RedemptionId::parse)?,
        offer: maybe(row, 1, OfferId::parse)?,
        profile: maybe(row, 2, ProfileName::parse)?,
        campaign: parsed(row, 3, CampaignName::parse)?,
        store: parsed(row, 4, StoreName::parse)?,
        till: parsed(row, 5, TillId::parse)?,
        till_reference: row.get(6)?,
        amount,
        instruction: row.get(9)?,
        redeemed_at: Timestamp::from_micros(row.get(10)?),
        reversed_units: row.count(11)?,
        reversed_at: time(row, 12)?,
    })
}

fn parsed<T>(row: &Row, column: usize, parse: impl Fn(&str) -> Result<T, Invalid>) -> Result<T, StoreError> {
    parse(&row.get::<String>(column)?).map_err(unsound)
}

fn maybe<T>(row: &Row, column: usize, parse: impl Fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, StoreError> {
    row.get::<Option<String>>(column)?.map(|text| parse(&text)).transpose().map_err(unsound)
}

fn time(row: &Row, column: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_micros))
}
