//! Codes that were uploaded, to be given one by one.
//!
//! Law: codes are numbered without gaps, and the number is raised in the transaction that adds them; so the n-th unit
//! taken of the pool's account is the n-th code, and no code is given twice. A campaign that was deleted, or takes no codes
//! from its pool any more, has none but those that were given.

use async_trait::async_trait;

use super::{
    batch::{Batch, Halt},
    change::{Change, Outcome},
    conn::{Conn, values},
    error::unsound,
};
use crate::{
    domain::{budget::Account, catalog::Resource, code::Code, coupon::Codes, name::CampaignName},
    ports::{StoreError, Uploaded},
};

pub struct Upload {
    pub campaign: CampaignName,
    pub codes: Vec<Code>,
}

#[async_trait]
impl Change for Upload {
    type Output = Option<Uploaded>;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<Option<Uploaded>>, StoreError> {
        const ACCOUNT: &str = "INSERT INTO account (id, budget_id, taken) VALUES ($1, $1, 0) ON CONFLICT DO NOTHING";
        // A code that is there already takes no number.
        const CODE: &str = "INSERT INTO pool_code (organization_id, code, campaign_id, number) VALUES ($1, $2, $3,
                COALESCE((SELECT MAX(number) FROM pool_code WHERE campaign_id = $3), 0) + 1)
            ON CONFLICT DO NOTHING";
        const RAISE: &str = "UPDATE budget SET limit_units = $2 WHERE id = $1";
        let pool = Account::pool(&self.campaign);
        let mut pool_size = lock(conn, &self.campaign).await?;
        if !takes_codes(conn, &self.campaign).await? {
            return Ok(Outcome::Undo(None));
        }
        conn.execute(ACCOUNT, values![pool.id.as_str()]).await?;
        let (owner, campaign) = (self.campaign.owner(), self.campaign.as_str());
        let mut added = vec![false; self.codes.len()];
        // Everybody in one order, or two uploads of the same codes would wait for each other in a circle.
        let mut rows: Vec<(&Code, usize)> = self.codes.iter().enumerate().map(|(row, code)| (code, row)).collect();
        rows.sort();
        let codes: Vec<_> =
            rows.iter().map(|(code, _)| vec![owner.into(), code.as_str().into(), campaign.into()]).collect();
        let changed = Batch::new(conn).each(CODE, &codes).await.map_err(Halt::fault)?;
        for ((_, row), changed) in rows.iter().zip(changed) {
            added[*row] = changed > 0;
            pool_size += changed;
        }
        conn.execute(RAISE, values![pool.budget.as_str(), pool_size]).await?;
        Ok(Outcome::Keep(Some(Uploaded { added, pool_size })))
    }
}

/// How many codes the pool has. Until the end of the transaction nobody else adds some, or empties it.
async fn lock(conn: &mut Conn<'_>, campaign: &CampaignName) -> Result<u64, StoreError> {
    const BUDGET: &str = "INSERT INTO budget (id, campaign_id, unit, limit_units) VALUES ($1, $2, 'codes', 0)
        ON CONFLICT (id) DO UPDATE SET limit_units = budget.limit_units RETURNING limit_units";
    let row = conn.row(BUDGET, values![Account::pool(campaign).budget.as_str(), campaign.as_str()]).await?;
    row.ok_or_else(|| unsound("a pool has no budget"))?.count(0)
}

/// Whether the campaign has a pool; what is on record of none is taken to have one. Whoever asks has the lock, so that no
/// edit that ends the pool is on its way.
async fn takes_codes(conn: &mut Conn<'_>, campaign: &CampaignName) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT body FROM catalog_change WHERE id = $1 ORDER BY version DESC LIMIT 1";
    let Some(row) = conn.row(SQL, values![campaign.as_str()]).await? else { return Ok(true) };
    let body: Option<String> = row.get(0)?;
    let resource = body.map(|body| serde_json::from_str::<Resource>(&body)).transpose().map_err(unsound)?;
    Ok(resource.as_ref().is_some_and(has_pool))
}

/// Whether it is a campaign whose codes come from a pool.
pub fn has_pool(resource: &Resource) -> bool {
    let Resource::Campaign(campaign) = resource else { return false };
    matches!(campaign.coupon.as_ref().map(|coupon| &coupon.codes), Some(Codes::Pool))
}

/// Deletes the codes of a pool that were never given, so that they may be uploaded again, to whichever campaign. Those that
/// were given keep their numbers.
pub async fn empty(conn: &mut Conn<'_>, campaign: &CampaignName) -> Result<(), StoreError> {
    const GIVEN: &str = "UPDATE account SET taken = taken WHERE id = $1 RETURNING taken";
    const CODES: &str = "DELETE FROM pool_code WHERE campaign_id = $1 AND number > $2";
    const LOWER: &str = "UPDATE budget SET limit_units = $2 WHERE id = $1";
    const NO_ACCOUNT: &str = "DELETE FROM account WHERE id = $1";
    const NO_BUDGET: &str = "DELETE FROM budget WHERE id = $1";
    let pool = Account::pool(campaign);
    lock(conn, campaign).await?;
    let given = conn.row(GIVEN, values![pool.id.as_str()]).await?.map_or(Ok(0), |row| row.count(0))?;
    conn.execute(CODES, values![campaign.as_str(), given]).await?;
    if given > 0 {
        return conn.execute(LOWER, values![pool.budget.as_str(), given]).await.map(drop);
    }
    conn.execute(NO_ACCOUNT, values![pool.id.as_str()]).await?;
    conn.execute(NO_BUDGET, values![pool.budget.as_str()]).await.map(drop)
}
