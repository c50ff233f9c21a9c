//! Units of shared limits: accounts, and the holds that say who took what.
//!
//! Law: taken = Σ (units − returned) for every account after every transaction, and never above its budget's limit by a
//! take. Holds and then accounts are touched last and in the order of the accounts' ids: each account is a row that many
//! transactions want.

use std::collections::BTreeMap;

use super::{
    accounts,
    batch::{Batch, Halt},
    conn::{Conn, Row, values},
    error::unsound,
};
use crate::{
    domain::{
        budget::{Account, AccountId, Holder, Take, Unit},
        offer::OfferId,
        time::Timestamp,
    },
    ports::{Committed, StoreError},
};

/// What one transaction does to each account.
#[derive(Default)]
pub struct Units(BTreeMap<AccountId, Movement>);

#[derive(Default, PartialEq)]
struct Movement {
    taken: u64,
    given_back: u64,
    /// Offers whose unit went back, and that were shown after all.
    overrun: u64,
}

impl Units {
    fn of(&mut self, account: &str) -> &mut Movement {
        self.0.entry(AccountId::of_record(account)).or_default()
    }

    /// Takes units. Of a budget that is not there is no limit, and nothing is held.
    pub async fn take(&mut self, batch: &mut Batch<'_, '_>, takes: &[Take], until: Timestamp) -> Result<(), Halt> {
        let mut takes: Vec<&Take> = takes.iter().collect();
        takes.sort_by(|a, b| (&a.account, a.holder).cmp(&(&b.account, b.holder)));
        for take in takes {
            if self.hold(batch, take, until).await? || self.hold_more(batch, take, until).await? {
                continue;
            }
            // The first of its place and period.
            const ACCOUNT: &str = "INSERT INTO account (id, budget_id, taken)
                SELECT $1, id, 0 FROM budget WHERE id = $2 ON CONFLICT DO NOTHING";
            batch.add(ACCOUNT, values![take.account.id.as_str(), take.account.budget.as_str()]).await?;
            self.hold(batch, take, until).await?;
        }
        Ok(())
    }

    /// Takes units that the one holder may have for a while already: those are its own for good then, and only the
    /// difference is taken or given back.
    pub async fn confirm(&mut self, batch: &mut Batch<'_, '_>, takes: &[Take], until: Timestamp) -> Result<(), Halt> {
        const CONFIRM: &str = "UPDATE hold SET lapses_at = NULL, expires_at = $2
            WHERE holder_id = $1 AND lapses_at IS NOT NULL RETURNING account_id, units - returned";
        const CORRECT: &str = "UPDATE hold SET units = units + $3, returned = returned + $4
            WHERE holder_id = $1 AND account_id = $2";
        let Some(holder) = takes.first().map(|take| take.holder.to_string()) else { return Ok(()) };
        let mut held = BTreeMap::new();
        for row in batch.rows(CONFIRM, values![&holder, until]).await? {
            held.insert(row.get::<String>(0)?, row.count(1)?);
        }
        let mut new = Vec::new();
        for take in takes {
            let account = take.account.id.as_str();
            let Some(&units) = held.get(account) else {
                new.push(take.clone());
                continue;
            };
            let (more, less) = (take.units.saturating_sub(units), units.saturating_sub(take.units));
            if more + less > 0 {
                batch.add(CORRECT, values![&holder, account, more, less]).await?;
                let movement = self.of(account);
                movement.taken += more;
                movement.given_back += less;
            }
        }
        self.take(batch, &new, until).await
    }

    /// Whether the account is there and the holder has nothing of it yet.
    async fn hold(&mut self, batch: &mut Batch<'_, '_>, take: &Take, until: Timestamp) -> Result<bool, Halt> {
        const SQL: &str = "INSERT INTO hold (holder_id, account_id, units, returned, expires_at, lapses_at)
            SELECT $1, id, $3, 0, $4, $5 FROM account WHERE id = $2 ON CONFLICT DO NOTHING";
        let (holder, account) = (take.holder.to_string(), take.account.id.as_str());
        let held = batch.execute(SQL, values![&holder, account, take.units, until, take.lapses_at]).await? > 0;
        if held {
            self.of(account).taken += take.units;
        }
        Ok(held)
    }

    /// Whether the holder used some of the account before: that stands, and this comes to it.
    async fn hold_more(&mut self, batch: &mut Batch<'_, '_>, take: &Take, until: Timestamp) -> Result<bool, Halt> {
        // What is its own for good is not to lapse with it.
        const SQL: &str = "UPDATE hold SET units = units + $3, expires_at = $4,
                lapses_at = CASE WHEN lapses_at IS NULL AND returned < units THEN NULL ELSE $5 END
            WHERE holder_id = $1 AND account_id = $2";
        let (holder, account) = (take.holder.to_string(), take.account.id.as_str());
        let held = batch.execute(SQL, values![&holder, account, take.units, until, take.lapses_at]).await? > 0;
        if held {
            self.of(account).taken += take.units;
        }
        Ok(held)
    }

    /// Gives back what the holder has of accounts that count `unit`, at most so much of each.
    pub async fn release(
        &mut self,
        batch: &mut Batch<'_, '_>,
        holder: Holder,
        unit: Unit,
        most: u64,
    ) -> Result<(), Halt> {
        const LOCK: &str = "UPDATE hold SET units = units WHERE holder_id = $1 AND returned < units AND account_id IN
                (SELECT account.id FROM account JOIN budget ON budget.id = account.budget_id WHERE budget.unit = $2)
            RETURNING account_id, units - returned";
        const SET: &str = "UPDATE hold SET returned = returned + $3, lapses_at = NULL
            WHERE holder_id = $1 AND account_id = $2";
        let holder = holder.to_string();
        for row in batch.rows(LOCK, values![&holder, unit.as_str()]).await? {
            let (account, units) = (row.get::<String>(0)?, row.count(1)?.min(most));
            batch.add(SET, values![&holder, &account, units]).await?;
            self.of(&account).given_back += units;
        }
        Ok(())
    }

    /// Gives back what is held until now and was not confirmed; returns how many holds ended so.
    pub async fn lapse(&mut self, batch: &mut Batch<'_, '_>, now: Timestamp, most: u32) -> Result<u64, Halt> {
        const LOCK: &str = "UPDATE hold SET units = units WHERE (holder_id, account_id) IN
                (SELECT holder_id, account_id FROM hold WHERE lapses_at <= $1 ORDER BY lapses_at LIMIT $2)
                AND lapses_at <= $1
            RETURNING holder_id, account_id, units - returned";
        let rows = batch.rows(LOCK, values![now, u64::from(most)]).await?;
        for row in &rows {
            self.end(batch, row).await?;
        }
        Ok(rows.len() as u64)
    }

    /// Gives back what the person's offers hold for a while: nobody can use it any more.
    pub async fn lapse_of(&mut self, batch: &mut Batch<'_, '_>, profile: &str) -> Result<(), Halt> {
        const LOCK: &str = "UPDATE hold SET units = units WHERE lapses_at IS NOT NULL
                AND holder_id IN (SELECT id FROM offer WHERE profile_id = $1)
            RETURNING holder_id, account_id, units - returned";
        for row in batch.rows(LOCK, values![profile]).await? {
            self.end(batch, &row).await?;
        }
        Ok(())
    }

    /// Ends a hold; the row is its holder, its account and what it has.
    async fn end(&mut self, batch: &mut Batch<'_, '_>, row: &Row) -> Result<(), Halt> {
        const SQL: &str = "UPDATE hold SET returned = units, lapses_at = NULL WHERE holder_id = $1 AND account_id = $2";
        let (holder, account): (String, String) = (row.get(0)?, row.get(1)?);
        batch.add(SQL, values![&holder, &account]).await?;
        self.of(&account).given_back += row.count(2)?;
        Ok(())
    }

    /// Counts an offer that was shown after its units had gone back.
    pub async fn overrun(&mut self, batch: &mut Batch<'_, '_>, offer: &OfferId) -> Result<(), Halt> {
        const SQL: &str = "SELECT account_id FROM hold WHERE holder_id = $1 AND returned > 0";
        for row in batch.rows(SQL, values![offer]).await? {
            self.of(&row.get::<String>(0)?).overrun += 1;
        }
        Ok(())
    }

    /// Moves the accounts. What only gives back is never refused, even where a limit was lowered below what is taken.
    pub async fn settle(self, batch: &mut Batch<'_, '_>) -> Result<(), Halt> {
        const SQL: &str = "UPDATE account SET taken = taken + $2 - $3, late_overrun = late_overrun + $4
            WHERE id = $1 AND ($2 = 0 OR COALESCE(taken + $2 - $3 <=
                (SELECT limit_units FROM budget WHERE budget.id = account.budget_id), TRUE))";
        let moved = self.0.into_iter().filter(|(_, movement)| *movement != Movement::default());
        for (account, Movement { taken, given_back, overrun }) in moved {
            let values = values![account.as_str(), taken, given_back, overrun];
            let refused = match taken {
                0 => Halt::Failed(unsound(format!("the account {account} of a hold is missing"))),
                _ => Halt::Refused(Committed::Exhausted(account.clone())),
            };
            batch.must(SQL, values, refused).await?;
        }
        Ok(())
    }
}

/// Goes on only if each of these has a unit left.
pub async fn ask(batch: &mut Batch<'_, '_>, wanted: &[Account]) -> Result<(), Halt> {
    let ids: Vec<AccountId> = wanted.iter().map(|account| account.id.clone()).collect();
    for (sql, ids) in accounts::asking(&ids) {
        if let Some(spent) = batch.rows(sql, &ids).await?.first() {
            return Err(Halt::Refused(Committed::Exhausted(AccountId::of_record(&spent.get::<String>(0)?))));
        }
    }
    Ok(())
}

/// Adds holds that were deleted to the nameless one of their account. Rows are (account, units still held).
pub async fn fold(conn: &mut Conn<'_>, deleted: &[Row]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO hold (holder_id, account_id, units, returned) VALUES ('', $1, $2, 0)
        ON CONFLICT (holder_id, account_id) DO UPDATE SET units = hold.units + excluded.units";
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for row in deleted {
        *sums.entry(row.get(0)?).or_default() += row.get::<i64>(1)?;
    }
    for (account, units) in sums {
        conn.execute(SQL, values![&account, units]).await?;
    }
    Ok(())
}
