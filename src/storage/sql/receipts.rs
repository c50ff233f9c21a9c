//! Receipts: written with what they explain, read one by one, and their verdicts counted.
//!
//! Law: the rows that a receipt is found by are those of its own verdicts, made in the same transaction.

use std::time::Duration;

use super::{
    batch::{Batch, Halt},
    conn::{Conn, Row, Value, values},
    error::unsound,
};
use crate::{
    domain::{
        decision::{Considered, Decision},
        name::ProfileName,
        offer::DecisionId,
        time::Timestamp,
    },
    ports::{CountQuery, ReceiptsOf, StoreError, VerdictCount},
};

/// Rows of one statement that writes several.
const ROWS: usize = 8;

pub async fn write(batch: &mut Batch<'_, '_>, decision: &Decision, until: Timestamp) -> Result<(), Halt> {
    const SQL: &str = "INSERT INTO decision
        (id, profile_id, device_id, ping_id, catalog_version, at, expires_at, receipt, test)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let receipt = serde_json::to_string(decision).map_err(unsound)?;
    let (profile, device) = (decision.profile.as_str(), decision.device.as_str());
    let (ping, version) = (decision.ping.as_str(), decision.catalog_version);
    let test = u64::from(decision.test);
    let values = values![&decision.id, profile, device, ping, version, decision.at, until, &receipt, test];
    batch.add(SQL, values).await?;
    write_considered(batch, decision).await
}

/// A campaign may be considered several times for one store and with one verdict, which is one row.
async fn write_considered(batch: &mut Batch<'_, '_>, decision: &Decision) -> Result<(), Halt> {
    const ONE: &str = "INSERT INTO considered (decision_id, campaign_id, store_id, verdict, own)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    const SEVERAL: &str = "INSERT INTO considered (decision_id, campaign_id, store_id, verdict, own) VALUES
        ($1, $2, $3, $4, $5), ($1, $6, $7, $8, $9), ($1, $10, $11, $12, $13), ($1, $14, $15, $16, $17),
        ($1, $18, $19, $20, $21), ($1, $22, $23, $24, $25), ($1, $26, $27, $28, $29), ($1, $30, $31, $32, $33)
        ON CONFLICT DO NOTHING";
    let keys = |considered| keys(considered, &decision.profile);
    for rows in decision.considered.chunks(ROWS) {
        let mut values = vec![Value::from(&decision.id)];
        match rows {
            [one] => {
                values.extend(keys(one));
                batch.add(ONE, &values).await?;
            }
            // What is missing of a whole statement is the last row again.
            rows => {
                let last = rows.last().into_iter().cycle();
                values.extend(rows.iter().chain(last).take(ROWS).flat_map(keys));
                batch.add(SEVERAL, &values).await?;
            }
        }
    }
    Ok(())
}

fn keys<'a>(considered: &'a Considered, profile: &ProfileName) -> [Value<'a>; 4] {
    let store = considered.store.as_ref().map_or("", |store| store.as_str());
    let own = u64::from(considered.campaign.owner() == profile.owner());
    [considered.campaign.as_str().into(), store.into(), considered.verdict.code().into(), own.into()]
}

pub async fn decision(conn: &mut Conn<'_>, id: &DecisionId, now: Timestamp) -> Result<Option<Decision>, StoreError> {
    const SQL: &str = "SELECT receipt, profile_id FROM decision WHERE id = $1 AND expires_at > $2";
    let read_row = |row: Row| read(&row.get::<String>(0)?, &row.get::<String>(1)?);
    conn.row(SQL, values![id, now]).await?.map(read_row).transpose()
}

/// The one it was made for may have been absorbed by another since.
pub(super) fn read(receipt: &str, profile: &str) -> Result<Decision, StoreError> {
    let decision: Decision = serde_json::from_str(receipt).map_err(unsound)?;
    Ok(Decision { profile: ProfileName::parse(profile).map_err(unsound)?, ..decision })
}

/// Verdicts on campaign `$1`, at store `$2` if it is not empty; from `$3` to before `$4` the ids, and from `$8` to before `$9`
/// the times; whose names begin with `$5` and not with `$7`; `$6` is the one person, empty for all; kept at `$10`.
macro_rules! counts {
    ($from:literal, $which:literal) => {
        concat!(
            "SELECT considered.verdict, count(DISTINCT decision.profile_id), count(DISTINCT decision.id) FROM ",
            $from,
            " WHERE ",
            $which,
            " AND considered.campaign_id = $1 AND ($2 = '' OR considered.store_id = $2) AND decision.test = 0
                AND considered.decision_id >= $3 AND considered.decision_id < $4
                AND decision.at >= $8 AND decision.at < $9 AND decision.expires_at > $10
                AND substr(decision.profile_id, 1, length($5)) = $5
                AND ($7 = '' OR substr(decision.profile_id, 1, length($7)) <> $7)
            GROUP BY considered.verdict ORDER BY considered.verdict"
        )
    };
}

const COUNTS: &str = counts!("considered JOIN decision ON decision.id = considered.decision_id", "$6 = ''");
/// SQLite takes the tables of a cross join in their order: the person's few receipts first.
pub(super) const COUNTS_OF_PERSON: &str =
    counts!("decision CROSS JOIN considered", "decision.profile_id = $6 AND considered.decision_id = decision.id");

/// See [`crate::ports::Receipts::verdicts`].
pub async fn verdicts(conn: &mut Conn<'_>, query: &CountQuery) -> Result<Vec<VerdictCount>, StoreError> {
    let CountQuery { of, campaign, store, from, until, now } = query;
    let Whose { within, without, person } = Whose::of(of);
    let store = store.as_ref().map_or("", |store| store.as_str());
    let (first, behind) = (first_id(*from), id_behind(*until));
    let (from, until) = (from.unwrap_or(Timestamp::MIN), until.unwrap_or(Timestamp::MAX));
    let values = values![campaign.as_str(), store, &first, &behind, &within, person, &without, from, until, *now];
    let number = |row: &Row, column| u64::try_from(row.get::<i64>(column)?).map_err(unsound);
    let read =
        |row: &Row| Ok(VerdictCount { verdict: row.get(0)?, people: number(row, 1)?, decisions: number(row, 2)? });
    let sql = if person.is_empty() { COUNTS } else { COUNTS_OF_PERSON };
    conn.rows_for(sql, values).await?.iter().map(read).collect()
}

/// Whose receipts, by the names of people; what is empty is not asked.
#[derive(Default)]
pub(super) struct Whose<'a> {
    /// What they begin with.
    pub within: String,
    /// What none begins with.
    pub without: String,
    pub person: &'a str,
}

impl<'a> Whose<'a> {
    pub(super) fn of(of: &'a ReceiptsOf) -> Self {
        let all = Self::default();
        match of {
            ReceiptsOf::Everybody => all,
            ReceiptsOf::Publisher(organization) => Self { within: format!("{organization}/apps/"), ..all },
            ReceiptsOf::Others(organization) => Self { without: format!("{organization}/apps/"), ..all },
            ReceiptsOf::App(app) => Self { within: format!("{app}/"), ..all },
            ReceiptsOf::Person(name) => Self { person: name.as_str(), ..all },
        }
    }
}

/// No id from that time on sorts before it.
pub(super) fn first_id(from: Option<Timestamp>) -> String {
    from.map(|at| DecisionId::new(at, 0).to_string()).unwrap_or_default()
}

/// All ids before that time sort before it, also those of its millisecond.
pub(super) fn id_behind(until: Option<Timestamp>) -> String {
    // Behind all that begin with a digit of sixteen.
    until.map_or_else(|| "g".to_owned(), |at| DecisionId::new(at + Duration::from_micros(999), 0).to_string())
}
