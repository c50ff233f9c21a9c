//! Units of shared limits: accounts, and the holds that say who took what.
//!
//! Law: taken = Σ (units − returned) for every account after every transaction, and never above a limit by a take.
//! Accounts are touched last and in the order of their ids: each is a row that many transactions want.

use std::collections::BTreeMap;

use super::{
    commit::Halt,
    conn::{Conn, Row, values},
};
use crate::{
    domain::{name::CampaignName, offer::OfferId, time::Timestamp},
    ports::{Committed, StoreError, Take},
};

/// The account of a campaign's budget.
pub fn budget_of(campaign: &CampaignName) -> String {
    format!("{campaign}/offers")
}

/// What one transaction does to each account, by the account's id.
#[derive(Default)]
pub struct Units(BTreeMap<String, Movement>);

#[derive(Default)]
struct Movement {
    taken: i64,
    given_back: i64,
    /// Whose budget it is, if something is taken of it.
    campaign: Option<CampaignName>,
}

impl Units {
    /// Gives back what the offer holds, unless that was done before.
    pub async fn give_back(&mut self, conn: &mut Conn<'_>, offer: &OfferId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE hold SET returned = units WHERE offer_id = $1 AND returned = 0
            RETURNING account_id, units";
        for row in conn.rows(SQL, values![offer]).await? {
            self.0.entry(row.get(0)?).or_default().given_back += row.get::<i64>(1)?;
        }
        Ok(())
    }

    /// Notes one unit for the offer. A campaign without an account has no limit, and nothing is held.
    pub async fn take(&mut self, conn: &mut Conn<'_>, take: &Take, until: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO hold (offer_id, account_id, units, returned, expires_at)
            SELECT $1, id, 1, 0, $3 FROM account WHERE id = $2";
        let account = budget_of(&take.campaign);
        if conn.execute(SQL, values![&take.offer, &account, until]).await? > 0 {
            let movement = self.0.entry(account).or_default();
            movement.taken += 1;
            movement.campaign = Some(take.campaign.clone());
        }
        Ok(())
    }

    /// Moves the accounts. What only gives back is never refused, even where a limit was lowered below what is taken.
    pub async fn settle(self, conn: &mut Conn<'_>) -> Result<(), Halt> {
        const SQL: &str = "UPDATE account SET taken = taken + $2
            WHERE id = $1 AND ($3 = 0 OR limit_units IS NULL OR taken + $2 <= limit_units)";
        for (account, movement) in self.0 {
            let change = movement.taken - movement.given_back;
            if conn.execute(SQL, values![&account, change, movement.taken]).await? > 0 {
                continue;
            }
            return Err(match movement.campaign {
                Some(campaign) => Halt::Refused(Committed::Exhausted(campaign)),
                None => StoreError::Corrupt(format!("the account {account} of a hold is missing")).into(),
            });
        }
        Ok(())
    }
}

/// Adds holds that were deleted to the nameless one of their account. Rows are (account, units still held).
pub async fn fold(conn: &mut Conn<'_>, deleted: &[Row]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO hold (offer_id, account_id, units, returned) VALUES ('', $1, $2, 0)
        ON CONFLICT (offer_id, account_id) DO UPDATE SET units = hold.units + excluded.units";
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for row in deleted {
        *sums.entry(row.get(0)?).or_default() += row.get::<i64>(1)?;
    }
    for (account, units) in sums {
        conn.execute(SQL, values![&account, units]).await?;
    }
    Ok(())
}
