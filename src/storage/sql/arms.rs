//! Arms of experiments: the ghosts of those held out, and what became of each arm.
//!
//! Laws: a ghost is in no table of offers; it goes when an offer of its time would, and with its person. People are counted
//! alike on both sides: whoever would get a first offer is one of them, whatever became of it. An offer that came back
//! unseen is made again, and a ghost never is, so their numbers cannot be compared.

use super::{
    batch::{Batch, Halt},
    conn::{Conn, Row, values},
    error::unsound,
};
use crate::{
    domain::{
        decision::Decision,
        experiment::Arm,
        name::CampaignName,
        offer::Ghost,
        text::{ExperimentId, VariantId},
        time::Timestamp,
    },
    ports::{ArmResult, StoreError},
};

/// How the record spells an arm: neither id has a slash.
pub fn key(arm: &Arm) -> String {
    format!("{}/{}", arm.experiment, arm.variant.as_ref().map_or("", VariantId::as_str))
}

pub async fn write_ghost(
    batch: &mut Batch<'_, '_>,
    decision: &Decision,
    ghost: &Ghost,
    until: Timestamp,
) -> Result<(), Halt> {
    const SQL: &str = "INSERT INTO ghost (id, profile_id, campaign_id, arm, test, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let (profile, arm, test) = (decision.profile.as_str(), key(&ghost.arm), i64::from(decision.test));
    batch.add(SQL, values![&ghost.id, profile, ghost.campaign.as_str(), &arm, test, until]).await
}

/// See [`crate::ports::Ledger::arms`]. Both halves run along an index of the campaign.
pub async fn of_experiment(
    conn: &mut Conn<'_>,
    campaign: &CampaignName,
    experiment: &ExperimentId,
) -> Result<Vec<ArmResult>, StoreError> {
    const SQL: &str = "SELECT arm, CAST(SUM(people) AS BIGINT), CAST(SUM(held_out) AS BIGINT), CAST(SUM(offers) AS BIGINT),
            CAST(SUM(ghosts) AS BIGINT), CAST(SUM(shown) AS BIGINT), CAST(SUM(opened) AS BIGINT), CAST(SUM(redeemed) AS BIGINT) FROM
            (SELECT arm, COUNT(DISTINCT profile_id) AS people, 0 AS held_out,
                COUNT(CASE WHEN returned_at IS NULL OR shown_at IS NOT NULL THEN 1 END) AS offers, 0 AS ghosts,
                COUNT(shown_at) AS shown, COUNT(opened_at) AS opened, COUNT(redeemed_at) AS redeemed
            FROM offer WHERE campaign_id = $1 AND arm IS NOT NULL AND substr(arm, 1, CAST($3 AS INTEGER)) = $2 AND test = 0 GROUP BY arm
            UNION ALL
            SELECT arm, 0, COUNT(DISTINCT profile_id), 0, COUNT(*), 0, 0, 0
            FROM ghost WHERE campaign_id = $1 AND substr(arm, 1, CAST($3 AS INTEGER)) = $2 AND test = 0 GROUP BY arm) AS halves
        GROUP BY arm ORDER BY arm";
    let first = format!("{experiment}/");
    let rows = conn.rows(SQL, values![campaign.as_str(), &first, first.len() as u64]).await?;
    rows.iter().map(|row| result(row, &first)).collect()
}

fn result(row: &Row, first: &str) -> Result<ArmResult, StoreError> {
    let arm: String = row.get(0)?;
    let variant = arm.strip_prefix(first).ok_or_else(|| unsound(format!("{arm} is no arm of {first}")))?;
    let variant = if variant.is_empty() { None } else { Some(VariantId::new(variant).map_err(unsound)?) };
    let [people, held_out, offers, ghosts] = [1, 2, 3, 4].map(|column| row.count(column));
    let [shown, opened, redeemed] = [5, 6, 7].map(|column| row.count(column));
    Ok(ArmResult {
        variant,
        people: people?,
        held_out: held_out?,
        offers: offers?,
        ghosts: ghosts?,
        shown: shown?,
        opened: opened?,
        redeemed: redeemed?,
    })
}
