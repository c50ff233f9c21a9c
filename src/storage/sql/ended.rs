//! Accounts of days, weeks and months that are over: they go when nobody has anything of them any more.
//!
//! Law: an account goes with the nameless hold that stands for all holds that went before, and never while one with a
//! name is kept. So the proof compares the same offers and redemptions with the same holds as before, and the sums of
//! what is left are what they were. A few accounts are looked at in each sweep, one after the other and then from the
//! beginning again: no commit writes down when a period ends.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use super::conn::{Conn, values};
use crate::{
    domain::{
        budget::{Account, AccountId, BudgetId},
        time::{TimeZone, Timestamp},
    },
    ports::StoreError,
};

/// Where the next sweep goes on: behind the account of that id.
pub type Place = Mutex<String>;

/// Lets accounts go, of the next `most`; returns how many there were to look at, and how many went. In the order of ids, as
/// everyone who touches accounts.
pub async fn sweep(conn: &mut Conn<'_>, place: &Place, now: Timestamp, most: u32) -> Result<(u64, u64), StoreError> {
    // What counts for the campaign's whole life has the name of its budget.
    const SQL: &str = "SELECT id, budget_id, CAST(CASE WHEN
            EXISTS (SELECT 1 FROM hold WHERE account_id = account.id AND holder_id <> '') THEN 1 ELSE 0 END AS BIGINT)
        FROM account WHERE id > $1 AND id <> budget_id ORDER BY id LIMIT $2";
    const ACCOUNT: &str = "DELETE FROM account WHERE id = $1
        AND NOT EXISTS (SELECT 1 FROM hold WHERE account_id = $1 AND holder_id <> '')";
    const HOLD: &str = "DELETE FROM hold WHERE holder_id = '' AND account_id = $1";
    let after = place.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let rows = conn.rows(SQL, values![&after, u64::from(most)]).await?;
    let (mut last, mut gone) = (String::new(), 0);
    for row in &rows {
        let (id, budget, held): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let account = Account { id: AccountId::of_record(&id), budget: BudgetId::of_record(&budget) };
        let is_over = held == 0 && account.last_day().is_some_and(|day| is_over(day, now));
        // Others wait for the sweep: it sends nothing for the many that stay.
        if is_over && conn.execute(ACCOUNT, values![&id]).await? > 0 {
            conn.execute(HOLD, values![&id]).await?;
            gone += 1;
        }
        last = id;
    }
    let is_end = rows.len() < most as usize;
    *place.lock().unwrap_or_else(PoisonError::into_inner) = if is_end { String::new() } else { last };
    Ok((rows.len() as u64, gone))
}

/// Whether the day is over wherever the store is: no clock is a whole day behind UTC.
fn is_over(day: Date, now: Timestamp) -> bool {
    let today = TimeZone::utc().local(now).date();
    today.yesterday().is_ok_and(|yesterday| day < yesterday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_over_when_it_is_over_everywhere() {
        // 2027-01-15T08:00:00Z; in Pago Pago, eleven hours behind, it is still the 14th.
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let day = |day| jiff::civil::date(2027, 1, day);
        assert_eq!([13, 14, 15, 16].map(|number| is_over(day(number), now)), [true, false, false, false]);
    }
}
