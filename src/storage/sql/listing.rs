//! Lists of receipts: which they are is found first, and they are read a few at a time.
//!
//! Laws: a list holds a bounded number of bytes at once, however large its receipts are. It runs along the index of what is
//! named most narrowly: what a reader has few of is found among whatever others have.

use std::collections::HashMap;

use super::{
    conn::{Conn, Value, values},
    error::unsound,
    receipts::{first_id, id_behind, read, whose},
};
use crate::{
    domain::{decision::Decision, name::OrganizationName, offer::DecisionId},
    ports::{FoundReceipts, ReceiptQuery, ReceiptsOf, StoreError},
};

/// Receipts of one statement: the largest take some 150 kB each.
const AT_ONCE: usize = 20;
/// After so many bytes of receipts a list is long enough: twice what an answer has room for, and on the wire they are
/// smaller than in the record.
const ENOUGH: usize = 4 << 20;
/// An app of fewer receipts than this is gone through, whatever a list asks of them. In a larger one what is asked is more
/// likely to be rare.
const FEW: u64 = 1_000;

/// The app whose person a decision is of, as step 8 of the schema spells it for its index.
macro_rules! app {
    () => {
        "substr(profile_id, 1, length(rtrim(profile_id, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-')) - 10)"
    };
}

/// Ids along one index. `$1` to `$3` are campaign, store and verdicts, empty for any, and each verdict stands between two
/// blanks; from `$4` to before `$5` the ids; `$6` is what names of people begin with; `$7` is the name that the index is
/// asked for, if it is none of those.
macro_rules! along {
    ($select:literal, $from:literal, $id:literal, $which:expr) => {
        concat!(
            $select,
            $id,
            " FROM ",
            $from,
            " WHERE ",
            $id,
            " >= $4 AND ",
            $id,
            " < $5 AND ($6 = '' OR substr(decision.profile_id, 1, length($6)) = $6) AND ",
            $which,
            " ORDER BY 1 DESC LIMIT $8"
        )
    };
}

/// What is asked of a campaign that a decision considered.
macro_rules! wanted {
    () => {
        "($1 = '' OR considered.campaign_id = $1) AND ($2 = '' OR considered.store_id = $2)
            AND ($3 = '' OR replace($3, ' ' || considered.verdict || ' ', '') <> $3)"
    };
}

/// From campaigns that were considered to their decisions.
macro_rules! along_considered {
    ($index:literal) => {
        along!(
            "SELECT DISTINCT ",
            "considered JOIN decision ON decision.id = considered.decision_id",
            "considered.decision_id",
            concat!($index, " AND $7 = '' AND ", wanted!())
        )
    };
}

/// From decisions to what they considered.
macro_rules! along_decisions {
    ($index:expr) => {
        along!(
            "SELECT ",
            "decision",
            "decision.id",
            concat!(
                $index,
                " AND (($1 = '' AND $2 = '' AND $3 = '') OR EXISTS
                    (SELECT 1 FROM considered WHERE considered.decision_id = decision.id AND ",
                wanted!(),
                "))"
            )
        )
    };
}

const OF_CAMPAIGN: &str = along_considered!("considered.campaign_id = $1");
const OF_STORE: &str = along_considered!("considered.store_id = $2 AND considered.store_id <> ''");
const OF_PERSON: &str = along_decisions!("decision.profile_id = $7");
const OF_APP: &str = along_decisions!(concat!(app!(), " = $7"));
const OF_ALL: &str = along_decisions!("$7 = ''");

/// A way through the record.
struct Way {
    sql: &'static str,
    /// That the index is asked for.
    name: String,
}

/// See [`crate::ports::Receipts::decisions`].
pub async fn decisions(conn: &mut Conn<'_>, query: &ReceiptQuery) -> Result<FoundReceipts, StoreError> {
    let most = query.most as usize;
    let mut ids = ids(conn, query, most + 1).await?;
    let mut next = if ids.len() > most { ids[..most].last().cloned() } else { None };
    ids.truncate(most);
    let (mut decisions, mut bytes, mut read_last) = (Vec::new(), 0, None);
    for few in ids.chunks(AT_ONCE) {
        if bytes > ENOUGH {
            next = read_last;
            break;
        }
        bytes += receipts(conn, few, &mut decisions).await?;
        read_last = few.last().cloned();
    }
    let next = next.map(|id| DecisionId::parse(&id)).transpose().map_err(unsound)?;
    Ok(FoundReceipts { decisions, next })
}

/// Reads those receipts in their order; returns how many bytes they have.
async fn receipts(conn: &mut Conn<'_>, ids: &[String], into: &mut Vec<Decision>) -> Result<usize, StoreError> {
    const SQL: &str = "SELECT id, receipt, profile_id FROM decision WHERE id IN
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    let none = String::new();
    let padded: Vec<Value<'_>> = ids.iter().chain(std::iter::repeat(&none)).take(AT_ONCE).map(Value::from).collect();
    let (mut found, mut bytes) = (HashMap::new(), 0);
    for row in conn.rows(SQL, &padded).await? {
        let (id, receipt): (String, String) = (row.get(0)?, row.get(1)?);
        bytes += receipt.len();
        found.insert(id, read(&receipt, &row.get::<String>(2)?)?);
    }
    // One that was erased since it was found is not there.
    into.extend(ids.iter().filter_map(|id| found.remove(id)));
    Ok(bytes)
}

/// At most so many of them; of several ways none has what another one has.
async fn ids(conn: &mut Conn<'_>, query: &ReceiptQuery, most: usize) -> Result<Vec<String>, StoreError> {
    let (ways, mut ids) = (ways(conn, query).await?, Vec::new());
    let (from, before) = span(query);
    let verdicts: String = query.verdicts.iter().map(|code| format!(" {code} ")).collect();
    let campaign = query.campaign.as_ref().map_or("", |campaign| campaign.as_str());
    let store = query.store.as_ref().map_or("", |store| store.as_str());
    let prefix = whose(&query.of).0;
    for Way { sql, name } in &ways {
        let values = values![campaign, store, &verdicts, &from, &before, &prefix, name, most as u64];
        for row in conn.rows(sql, values).await? {
            ids.push(row.get::<String>(0)?);
        }
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(most);
    Ok(ids)
}

/// The ways that lead to what is asked for, and to as little else as may be.
async fn ways(conn: &mut Conn<'_>, query: &ReceiptQuery) -> Result<Vec<Way>, StoreError> {
    let widest = match (&query.campaign, &query.store) {
        (Some(_), _) => OF_CAMPAIGN,
        (None, Some(_)) => OF_STORE,
        (None, None) => OF_ALL,
    };
    let widest = || Ok(vec![Way { sql: widest, name: String::new() }]);
    let apps = match &query.of {
        ReceiptsOf::Everybody => return widest(),
        ReceiptsOf::Person(person) => return Ok(vec![Way { sql: OF_PERSON, name: person.to_string() }]),
        ReceiptsOf::App(app) => vec![app.to_string()],
        ReceiptsOf::Publisher(organization) => apps(conn, organization).await?,
    };
    if query.campaign.is_some() || query.store.is_some() {
        for app in &apps {
            if !is_small(conn, app, query).await? {
                return widest();
            }
        }
    }
    Ok(apps.into_iter().map(|name| Way { sql: OF_APP, name }).collect())
}

/// Apps of the organization that have receipts, from one to the next of all that there are: engines differ in the order of
/// names, so no part of it is the organization's.
async fn apps(conn: &mut Conn<'_>, organization: &OrganizationName) -> Result<Vec<String>, StoreError> {
    const SQL: &str = concat!(
        "WITH RECURSIVE app (name) AS (SELECT min(",
        app!(),
        ") FROM decision UNION ALL SELECT (SELECT min(",
        app!(),
        ") FROM decision WHERE ",
        app!(),
        " > app.name) FROM app WHERE app.name IS NOT NULL)
        SELECT name FROM app WHERE substr(name, 1, length($1)) = $1"
    );
    let prefix = whose(&ReceiptsOf::Publisher(organization.clone())).0;
    conn.rows(SQL, values![&prefix]).await?.iter().map(|row| row.get(0)).collect()
}

async fn is_small(conn: &mut Conn<'_>, app: &str, query: &ReceiptQuery) -> Result<bool, StoreError> {
    const SQL: &str = concat!(
        "SELECT count(*) FROM (SELECT 1 FROM decision WHERE ",
        app!(),
        " = $1 AND id >= $2 AND id < $3 LIMIT $4) AS few"
    );
    let (from, before) = span(query);
    let row = conn.row(SQL, values![app, &from, &before, FEW]).await?;
    row.map_or(Ok(true), |row| Ok(row.count(0)? < FEW))
}

/// The first id that is in, and the first that is not any more.
fn span(query: &ReceiptQuery) -> (String, String) {
    let until = id_behind(query.until);
    (first_id(query.from), query.after.map_or(until.clone(), |after| until.min(after.to_string())))
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteRow};

    use super::*;
    use crate::storage::sql::schema::migrator;

    /// How SQLite would go through the tables, a line each.
    async fn plan(sql: &str) -> Vec<String> {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.expect("opened");
        migrator().run(&mut conn).await.expect("made");
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut conn).await;
        let step = |row: SqliteRow| row.get::<String, _>("detail").replace("COVERING ", "");
        rows.expect("planned").into_iter().map(step).collect()
    }

    #[tokio::test]
    async fn each_list_runs_along_its_index() {
        for (sql, index) in [
            (OF_CAMPAIGN, "considered USING INDEX sqlite_autoindex_considered_1 (campaign_id=? AND decision_id>?"),
            (OF_STORE, "considered USING INDEX considered_store (store_id=? AND decision_id>?"),
            (OF_PERSON, "decision USING INDEX decision_profile (profile_id=? AND id>?"),
            (OF_APP, "decision USING INDEX decision_app (<expr>=? AND id>?"),
            (OF_ALL, "decision USING INDEX sqlite_autoindex_decision_1 (id>?"),
        ] {
            let plan = plan(sql).await;
            assert!(plan[0].starts_with(&format!("SEARCH {index}")), "{plan:?}");
            let is_gone_through = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
            assert!(!plan.iter().any(is_gone_through), "{plan:?}");
        }
    }
}
