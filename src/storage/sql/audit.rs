//! The proof from the records that nothing was oversold, while the server runs.

use super::conn::Conn;
use crate::ports::StoreError;

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
    const SQL: &str = "SELECT account.id, account.limit_units, account.taken,
            CAST(COALESCE(SUM(hold.units - hold.returned), 0) AS BIGINT)
        FROM account LEFT JOIN hold ON hold.account_id = account.id
        GROUP BY account.id, account.limit_units, account.taken ORDER BY account.id";
    let rows = conn.rows(SQL, &[]).await?;
    let balance = |row: &super::conn::Row| {
        let limit: Option<i64> = row.get(1)?;
        let limit = limit.map(|units| u64::try_from(units).unwrap_or(0));
        Ok(Balance { account: row.get(0)?, limit, taken: row.count(2)?, held: row.count(3)? })
    };
    rows.iter().map(balance).collect()
}
