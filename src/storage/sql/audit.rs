//! The proof from the record that nothing was oversold, while the server runs.
//!
//! Law: everything is read in one snapshot, so that a change under way is seen wholly or not at all.

use std::collections::{BTreeMap, HashMap};

use super::{
    conn::{Conn, Row, values},
    error::unsound,
};
use crate::{
    domain::{
        cap::{Cap, Within},
        catalog::Resource,
        time::Timestamp,
    },
    ports::{LedgerFaultKind, LedgerProof, StoreError},
};

/// Offers that are read at once.
const PAGE: u64 = 10_000;

/// Reads everything that was so at one moment, which is `at` by the server's clock. `conn` is in a transaction that sees
/// one moment only.
pub async fn prove(conn: &mut Conn<'_>, at: Timestamp) -> Result<LedgerProof, StoreError> {
    let mut proof = LedgerProof { at, ..LedgerProof::default() };
    count(conn, &mut proof).await?;
    balance(conn, &mut proof).await?;
    find_missing_holds(conn, &mut proof).await?;
    find_redeemed_twice(conn, &mut proof).await?;
    find_unmatched(conn, &mut proof).await?;
    let caps = caps(conn).await?;
    check_caps(conn, &caps, &mut proof).await?;
    Ok(proof)
}

async fn count(conn: &mut Conn<'_>, proof: &mut LedgerProof) -> Result<(), StoreError> {
    const SQL: &str =
        "SELECT (SELECT COUNT(*) FROM account), (SELECT COUNT(*) FROM hold), (SELECT COUNT(*) FROM offer),
        (SELECT COUNT(*) FROM redemption), CAST((SELECT COALESCE(SUM(late_overrun), 0) FROM account) AS BIGINT)";
    let row = conn.row(SQL, &[]).await?.ok_or_else(|| unsound("counting gave nothing"))?;
    (proof.accounts, proof.holds, proof.offers) = (row.count(0)?, row.count(1)?, row.count(2)?);
    (proof.redemptions, proof.late_overrun) = (row.count(3)?, row.count(4)?);
    Ok(())
}

async fn balance(conn: &mut Conn<'_>, proof: &mut LedgerProof) -> Result<(), StoreError> {
    const SQL: &str = "SELECT account.id, account.taken, CAST(COALESCE(held.units, 0) AS BIGINT) FROM account LEFT JOIN
            (SELECT account_id, SUM(units - returned) AS units FROM hold GROUP BY account_id) AS held
            ON held.account_id = account.id
        WHERE account.taken <> COALESCE(held.units, 0) ORDER BY account.id";
    const LOST: &str = "SELECT account_id, holder_id FROM hold
        WHERE NOT EXISTS (SELECT 1 FROM account WHERE account.id = hold.account_id)";
    for row in conn.rows(SQL, &[]).await? {
        let (account, taken, held): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let numbers = format!("taken is {taken}, and its holds have {held}");
        proof.fault(LedgerFaultKind::UnbalancedAccount, account, numbers);
    }
    for row in conn.rows(LOST, &[]).await? {
        let (account, holder): (String, String) = (row.get(0)?, row.get(1)?);
        proof.fault(LedgerFaultKind::UnbalancedAccount, account, format!("is held by {holder:?}, and does not exist"));
    }
    Ok(())
}

/// What is past its time may have lost its holds already.
async fn find_missing_holds(conn: &mut Conn<'_>, proof: &mut LedgerProof) -> Result<(), StoreError> {
    const OFFERS: &str = "SELECT 'offer ' || id, accounts, held FROM
            (SELECT id, accounts, (SELECT COUNT(*) FROM hold JOIN account ON account.id = hold.account_id
                JOIN budget ON budget.id = account.budget_id
                WHERE hold.holder_id = offer.id AND budget.unit = 'offers' AND hold.units > hold.returned) AS held
            FROM offer WHERE accounts > 0 AND expires_at > $1 AND returned_at IS NULL AND units_returned_at IS NULL) AS made
        WHERE held < accounts ORDER BY id";
    const REDEMPTIONS: &str = "SELECT 'redemption ' || id, accounts, held FROM
            (SELECT id, accounts, (SELECT COUNT(*) FROM hold JOIN account ON account.id = hold.account_id
                JOIN budget ON budget.id = account.budget_id
                WHERE hold.holder_id = COALESCE(redemption.offer_id, redemption.id)
                    AND (budget.unit = 'money' OR (budget.unit = 'redemptions' AND hold.units > hold.returned))) AS held
            FROM redemption WHERE accounts > 0 AND expires_at > $1 AND reversed_at IS NULL) AS made
        WHERE held < accounts ORDER BY id";
    for sql in [OFFERS, REDEMPTIONS] {
        for row in conn.rows(sql, values![proof.at]).await? {
            let (subject, wanted, held): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            proof.fault(LedgerFaultKind::MissingHold, subject, format!("has {held} of {wanted} holds"));
        }
    }
    Ok(())
}

async fn find_redeemed_twice(conn: &mut Conn<'_>, proof: &mut LedgerProof) -> Result<(), StoreError> {
    const SQL: &str = "SELECT offer_id, COUNT(*) FROM redemption WHERE reversed_at IS NULL AND offer_id IS NOT NULL
        GROUP BY offer_id HAVING COUNT(*) > 1 ORDER BY offer_id";
    for row in conn.rows(SQL, &[]).await? {
        let (offer, times): (String, i64) = (row.get(0)?, row.get(1)?);
        proof.fault(LedgerFaultKind::RedeemedTwice, format!("offer {offer}"), format!("was redeemed {times} times"));
    }
    Ok(())
}

async fn find_unmatched(conn: &mut Conn<'_>, proof: &mut LedgerProof) -> Result<(), StoreError> {
    const ALONE: &str = "SELECT id FROM offer WHERE redeemed_at IS NOT NULL AND expires_at > $1 AND NOT EXISTS
        (SELECT 1 FROM redemption WHERE offer_id = offer.id AND reversed_at IS NULL) ORDER BY id";
    const UNKNOWN: &str = "SELECT offer.id FROM offer WHERE redeemed_at IS NULL AND expires_at > $1 AND EXISTS
        (SELECT 1 FROM redemption WHERE offer_id = offer.id AND reversed_at IS NULL) ORDER BY offer.id";
    for (sql, why) in
        [(ALONE, "is redeemed, and no redemption stands"), (UNKNOWN, "is not redeemed, and a redemption stands")]
    {
        for row in conn.rows(sql, values![proof.at]).await? {
            let offer: String = row.get(0)?;
            proof.fault(LedgerFaultKind::UnmatchedRedemption, format!("offer {offer}"), why);
        }
    }
    Ok(())
}

/// The caps of each campaign and brand, by the version from which each was in force.
type Caps = HashMap<String, Vec<(u64, Vec<Cap>)>>;

async fn caps(conn: &mut Conn<'_>) -> Result<Caps, StoreError> {
    const SQL: &str = "SELECT id, version, body FROM catalog_change WHERE kind IN ('campaign', 'organization')
        AND body IS NOT NULL
        ORDER BY version";
    let mut caps = Caps::new();
    for row in conn.rows(SQL, &[]).await? {
        let (id, body): (String, String) = (row.get(0)?, row.get(2)?);
        // One that cannot be read is in force nowhere, so no offer was made by it.
        let in_force = match serde_json::from_str::<Resource>(&body) {
            Ok(Resource::Campaign(campaign)) => campaign.limits.per_profile.clone(),
            Ok(Resource::Organization(brand)) => brand.brand_limits.per_profile.clone(),
            _ => continue,
        };
        caps.entry(id).or_default().push((row.count(1)?, in_force));
    }
    Ok(caps)
}

/// One offer, as far as caps go.
struct Given {
    profile: String,
    to: String,
    campaign: String,
    at: Timestamp,
    id: String,
    version: u64,
}

/// Person by person, in the order of an index.
async fn check_caps(conn: &mut Conn<'_>, caps: &Caps, proof: &mut LedgerProof) -> Result<(), StoreError> {
    const SQL: &str = "SELECT profile_id, given_to, campaign_id, offered_at, id, catalog_version FROM offer
        WHERE returned_at IS NULL AND test = 0 AND (profile_id, offered_at, id) > ($1, $2, $3) ORDER BY profile_id, offered_at, id LIMIT $4";
    let (mut after, mut person) = ((String::new(), Timestamp::MIN, String::new()), Vec::<Given>::new());
    loop {
        let rows = conn.rows(SQL, values![&after.0, after.1, &after.2, PAGE]).await?;
        for row in &rows {
            let given = given(row)?;
            if person.last().is_some_and(|last| last.profile != given.profile) {
                check_person(&person, caps, proof);
                person.clear();
            }
            after = (given.profile.clone(), given.at, given.id.clone());
            person.push(given);
        }
        if (rows.len() as u64) < PAGE {
            check_person(&person, caps, proof);
            return Ok(());
        }
    }
}

fn given(row: &Row) -> Result<Given, StoreError> {
    Ok(Given {
        profile: row.get(0)?,
        to: row.get(1)?,
        campaign: row.get(2)?,
        at: Timestamp::from_micros(row.get(3)?),
        id: row.get(4)?,
        version: row.count(5)?,
    })
}

/// Each offer under the caps that were in force when it was made. Whoever became one person later was counted apart. What
/// was returned counts no more, and what a test device got never did; which civil days, weeks and months were a person's is
/// not on record, so of caps those of any window are proven.
fn check_person(offers: &[Given], caps: &Caps, proof: &mut LedgerProof) {
    let mut earlier: BTreeMap<(&str, &str), Vec<Timestamp>> = BTreeMap::new();
    for offer in offers {
        let brand = offer.campaign.split("/campaigns/").next().unwrap_or_default();
        for whose in [&*offer.campaign, brand] {
            let times = earlier.entry((&offer.to, whose)).or_default();
            times.push(offer.at);
            let in_force = caps.get(whose).and_then(|caps| caps.iter().rev().find(|cap| cap.0 <= offer.version));
            for cap in in_force.into_iter().flat_map(|(_, caps)| caps) {
                check_cap(offer, whose, (cap, times), proof);
            }
        }
    }
}

/// One cap of the campaign or brand, when it had made offers at these times, of which this is the last.
fn check_cap(offer: &Given, whose: &str, (cap, times): (&Cap, &[Timestamp]), proof: &mut LedgerProof) {
    let Within::Window(window) = cap.within else { return };
    let within = times.iter().filter(|&&at| at > offer.at - window).count();
    if within > cap.offers as usize {
        let (most, id, span) = (cap.offers, &offer.id, window.as_secs());
        let numbers = format!("{within} offers in {span} s where the cap is {most} (offer {id})");
        proof.fault(LedgerFaultKind::CapExceeded, whose, numbers);
    }
}
