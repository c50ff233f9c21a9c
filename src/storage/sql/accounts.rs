//! What accounts say: all of them with their holds, and those of a campaign for its brand.

use std::sync::LazyLock;

use super::{
    conn::{Conn, Row, Value, values},
    several::Several,
};
use crate::{
    domain::{
        budget::{Account, AccountId, BudgetId, Unit},
        name::CampaignName,
    },
    ports::{AccountUse, StoreError},
};

/// One account: what it says, and what its holds say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub account: String,
    /// None where the limit was lifted; may be below `taken` where it was lowered.
    pub limit: Option<u64>,
    pub taken: u64,
    /// Σ (units − returned) of its holds.
    pub held: u64,
}

/// All accounts by their ids, read at one moment.
pub async fn balances(conn: &mut Conn<'_>) -> Result<Vec<Balance>, StoreError> {
    const SQL: &str = "SELECT account.id, budget.limit_units, account.taken, CAST(COALESCE(held.units, 0) AS BIGINT)
        FROM account JOIN budget ON budget.id = account.budget_id LEFT JOIN
            (SELECT account_id, SUM(units - returned) AS units FROM hold GROUP BY account_id) AS held
            ON held.account_id = account.id
        ORDER BY account.id";
    let balance = |row: &Row| {
        let limit: Option<i64> = row.get(1)?;
        let limit = limit.map(|units| u64::try_from(units).unwrap_or(0));
        Ok(Balance { account: row.get(0)?, limit, taken: row.count(2)?, held: row.count(3)? })
    };
    conn.rows(SQL, &[]).await?.iter().map(balance).collect()
}

/// The accounts of a campaign; see [`crate::ports::Ledger::accounts`].
pub async fn of_campaign(
    conn: &mut Conn<'_>,
    campaign: &CampaignName,
    before: Option<&AccountId>,
    most: u32,
) -> Result<Vec<AccountUse>, StoreError> {
    const SQL: &str = "SELECT account.id, account.budget_id, budget.unit, account.taken, budget.limit_units,
            account.late_overrun
        FROM budget JOIN account ON account.budget_id = budget.id WHERE budget.campaign_id = $1
            AND ($2 = '' OR account.id < $2)
        ORDER BY account.id DESC LIMIT $3";
    let account_use = |row: &Row| {
        let (id, budget, unit): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let limit: Option<i64> = row.get(4)?;
        Ok(AccountUse {
            account: Account { id: AccountId::of_record(&id), budget: BudgetId::of_record(&budget) },
            unit: Unit::ALL.into_iter().find(|known| known.as_str() == unit),
            taken: row.count(3)?,
            limit: limit.map(|units| u64::try_from(units).unwrap_or(0)),
            late_overrun: row.count(5)?,
        })
    };
    let before = before.map_or("", AccountId::as_str);
    conn.rows(SQL, values![campaign.as_str(), before, u64::from(most)]).await?.iter().map(account_use).collect()
}

/// Which of some accounts have no unit left: of one that is not there nothing was taken yet, and a pool that nobody ever
/// filled has no budget.
static SPENT: LazyLock<Several> = LazyLock::new(|| {
    const TAIL: &str = ") SELECT asked.id FROM asked
            LEFT JOIN budget ON budget.id = asked.budget_id LEFT JOIN account ON account.id = asked.id
        WHERE COALESCE(account.taken, 0) >= CASE WHEN budget.id IS NULL AND asked.id LIKE '%/codes' THEN 0
            ELSE budget.limit_units END";
    Several::new("WITH asked (id, budget_id) AS (VALUES ", 0, "($1, $2)", TAIL)
});

/// The questions that tell which of them are spent.
pub fn asking<'r>(of: &'r [AccountId]) -> impl Iterator<Item = (&'static str, Vec<Value<'r>>)> {
    let values = |id: &'r AccountId| [id.as_str().into(), id.budget().into()];
    SPENT.over(of).map(move |(sql, some)| (sql, some.iter().flat_map(values).collect()))
}

/// See [`crate::ports::Ledger::spent`].
pub async fn spent(conn: &mut Conn<'_>, of: &[AccountId]) -> Result<Vec<AccountId>, StoreError> {
    let mut spent = Vec::new();
    for (sql, ids) in asking(of) {
        for row in conn.rows(sql, &ids).await? {
            spent.push(AccountId::of_record(&row.get::<String>(0)?));
        }
    }
    Ok(spent)
}
