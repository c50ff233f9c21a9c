//! Lists of receipts: which they are is found first, and they are read a few at a time.
//!
//! Laws: a list holds a bounded number of bytes at once, however large its receipts are. It runs along the index of what is
//! named most narrowly: what a reader has few of is found among whatever others have. No more than an hour is ever sorted.

use std::collections::HashMap;

use super::{
    conn::{Conn, Value, values},
    error::unsound,
    receipts::{Whose, first_id, id_behind, read},
};
use crate::{
    domain::{
        decision::Decision,
        name::OrganizationName,
        offer::DecisionId,
        time::{HOUR, Timestamp},
    },
    ports::{FoundReceipts, ReceiptOrder, ReceiptQuery, ReceiptsOf, StoreError},
};

/// Receipts of one statement: the largest take some 150 kB each.
const AT_ONCE: usize = 20;
/// After so many bytes of receipts a list is long enough: twice what an answer has room for, and on the wire they are
/// smaller than in the record.
const ENOUGH: usize = 4 << 20;
/// An app of fewer receipts than this is gone through, whatever a list asks of them. In a larger one what is asked is more
/// likely to be rare.
const FEW: u64 = 1_000;
/// Most hours that a list looks at in a row, which takes two statements each.
const HOURS: usize = 200;

/// The app whose person a decision is of, as step 8 of the schema spells it for its index.
macro_rules! app {
    () => {
        "substr(profile_id, 1, length(rtrim(profile_id, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-')) - 10)"
    };
}

/// The statements that go along one index.
struct Along {
    newest: &'static str,
    /// In the order of the random part of ids; of as many hours as they are asked for.
    of_hour: &'static str,
}

/// Ids along one index. `$1` to `$3` are campaign, store and verdicts, empty for any, and each verdict stands between two
/// blanks; from `$4` to before `$5` the ids, and from `$11` to before `$12` the times, which ids have no
/// microseconds of, and kept at `$13`; `$6` is what names of people begin with, and `$9` what none of them does; `$7`
/// is the name that the index is asked for, if it is none of those; behind `$10` the random part.
macro_rules! statement {
    ($select:expr, $from:expr, $id:expr, $which:expr, $more:expr, $order:expr) => {
        concat!(
            $select,
            $id,
            $more,
            " FROM ",
            $from,
            " WHERE ",
            $id,
            " >= $4 AND ",
            $id,
            " < $5 AND substr(",
            $id,
            ", 15) > $10 AND decision.at >= $11 AND decision.at < $12 AND decision.expires_at > $13 AND ($6 = '' OR substr(decision.profile_id, 1, length($6)) = $6)
            AND ($9 = '' OR substr(decision.profile_id, 1, length($9)) <> $9) AND ",
            $which,
            " ORDER BY ",
            $order,
            " LIMIT $8"
        )
    };
}

macro_rules! along {
    ($select:expr, $from:expr, $id:expr, $which:expr) => {
        Along {
            newest: statement!($select, $from, $id, $which, "", "1 DESC"),
            of_hour: statement!($select, $from, $id, $which, concat!(", substr(", $id, ", 15)"), "2"),
        }
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

const OF_CAMPAIGN: Along = along_considered!("considered.campaign_id = $1");
const OF_OTHERS: Along = along_considered!("considered.campaign_id = $1 AND considered.own = 0");
const OF_STORE: Along = along_considered!("considered.store_id = $2 AND considered.store_id <> ''");
const OF_PERSON: Along = along_decisions!("decision.profile_id = $7");
const OF_APP: Along = along_decisions!(concat!(app!(), " = $7"));
const OF_ALL: Along = along_decisions!("$7 = ''");

/// A way through the record.
struct Way {
    along: &'static Along,
    /// That the index is asked for.
    name: String,
}

/// A part of the record.
struct Part {
    order: ReceiptOrder,
    from: Option<Timestamp>,
    /// The first id that is not in it any more.
    before: String,
    /// The random part that those of an hour are behind; empty for all.
    behind: String,
    most: usize,
}

/// Which receipts a list has.
struct Found {
    ids: Vec<String>,
    next: Option<String>,
}

impl Found {
    /// Of so many and one more, if there is one.
    fn cut(mut ids: Vec<String>, most: usize) -> Self {
        let next = if ids.len() > most { ids[..most].last().cloned() } else { None };
        ids.truncate(most);
        Self { ids, next }
    }
}

/// See [`crate::ports::Receipts::decisions`].
pub async fn decisions(conn: &mut Conn<'_>, query: &ReceiptQuery) -> Result<FoundReceipts, StoreError> {
    let ways = ways(conn, query).await?;
    let Found { ids, mut next } = match query.order {
        ReceiptOrder::Newest => newest(conn, query, &ways).await?,
        ReceiptOrder::Hours => by_hours(conn, query, &ways).await?,
    };
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

async fn newest(conn: &mut Conn<'_>, query: &ReceiptQuery, ways: &[Way]) -> Result<Found, StoreError> {
    let (order, most, behind) = (ReceiptOrder::Newest, query.most as usize, String::new());
    let part = Part { order, from: query.from, before: before(query), behind, most: most + 1 };
    Ok(Found::cut(ids(conn, query, ways, &part).await?, most))
}

/// Looks for the newest, reads what its hour has, and goes on with the hours before.
async fn by_hours(conn: &mut Conn<'_>, query: &ReceiptQuery, ways: &[Way]) -> Result<Found, StoreError> {
    let (most, mut all, mut until) = (query.most as usize, Vec::new(), query.until);
    let mut last = query.after;
    for _ in 0..HOURS {
        let (hour, behind) = match last.take() {
            Some(last) => (last.made_at().begun(HOUR), chance(&last.to_string()).to_owned()),
            None => match newest_hour(conn, query, ways, until).await? {
                Some(hour) => (hour, String::new()),
                None => return Ok(Found { ids: all, next: None }),
            },
        };
        let end = until.map_or(hour + HOUR, |until| until.min(hour + HOUR));
        let from = Some(query.from.map_or(hour, |from| from.max(hour)));
        let (order, before, most_of_hour) = (ReceiptOrder::Hours, id_behind(Some(end)), most + 1 - all.len());
        let part = Part { order, from, before, behind, most: most_of_hour };
        all.extend(ids(conn, query, ways, &part).await?);
        if all.len() > most {
            return Ok(Found::cut(all, most));
        }
        until = Some(end.min(hour));
    }
    // Behind all that the last hour may have.
    let next = until.map(|hour| DecisionId::new(hour, u128::MAX).to_string());
    Ok(Found { ids: all, next })
}

/// The hour of the newest that is before that time.
async fn newest_hour(
    conn: &mut Conn<'_>,
    query: &ReceiptQuery,
    ways: &[Way],
    until: Option<Timestamp>,
) -> Result<Option<Timestamp>, StoreError> {
    let (order, before, behind) = (ReceiptOrder::Newest, id_behind(until), String::new());
    let part = Part { order, from: query.from, before, behind, most: 1 };
    let newest = ids(conn, query, ways, &part).await?.pop();
    let newest = newest.map(|id| DecisionId::parse(&id)).transpose().map_err(unsound)?;
    Ok(newest.map(|id| id.made_at().begun(HOUR)))
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

/// What the part has, in its order; of several ways none has what another one has.
async fn ids(conn: &mut Conn<'_>, query: &ReceiptQuery, ways: &[Way], part: &Part) -> Result<Vec<String>, StoreError> {
    let verdicts: String = query.verdicts.iter().map(|code| format!(" {code} ")).collect();
    let campaign = query.campaign.as_ref().map_or("", |campaign| campaign.as_str());
    let store = query.store.as_ref().map_or("", |store| store.as_str());
    let (Whose { within, without, .. }, from) = (Whose::of(&query.of), first_id(part.from));
    let (earliest, end) = (query.from.unwrap_or(Timestamp::MIN), query.until.unwrap_or(Timestamp::MAX));
    let (before, behind, most, mut ids) = (&part.before, &part.behind, part.most as u64, Vec::new());
    for Way { along, name } in ways {
        // Said twice, it would be taken for rarer than it is.
        let within = if name.is_empty() { &*within } else { "" };
        let sql = match part.order {
            ReceiptOrder::Newest => along.newest,
            ReceiptOrder::Hours => along.of_hour,
        };
        let values = values![
            campaign, store, &verdicts, &from, before, within, name, most, &without, behind, earliest, end, query.now
        ];
        for row in conn.rows_for(sql, values).await? {
            ids.push(row.get::<String>(0)?);
        }
    }
    match part.order {
        ReceiptOrder::Newest => ids.sort_unstable_by(|a, b| b.cmp(a)),
        ReceiptOrder::Hours => ids.sort_unstable_by(|a, b| chance(a).cmp(chance(b))),
    }
    ids.truncate(part.most);
    Ok(ids)
}

/// What of an id tells no time.
fn chance(id: &str) -> &str {
    id.get(14..).unwrap_or_default()
}

/// The ways that lead to what is asked for, and to as little else as may be.
async fn ways(conn: &mut Conn<'_>, query: &ReceiptQuery) -> Result<Vec<Way>, StoreError> {
    let along = match (&query.of, &query.campaign, &query.store) {
        (ReceiptsOf::Others(own), Some(campaign), _) if campaign.organization() == *own => &OF_OTHERS,
        (_, Some(_), _) => &OF_CAMPAIGN,
        (_, None, Some(_)) => &OF_STORE,
        (_, None, None) => &OF_ALL,
    };
    let widest = || Ok(vec![Way { along, name: String::new() }]);
    let apps = match &query.of {
        ReceiptsOf::Everybody | ReceiptsOf::Others(_) => return widest(),
        ReceiptsOf::Person(person) => return Ok(vec![Way { along: &OF_PERSON, name: person.to_string() }]),
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
    Ok(apps.into_iter().map(|name| Way { along: &OF_APP, name }).collect())
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
    let within = format!("{organization}/apps/");
    conn.rows(SQL, values![&within]).await?.iter().map(|row| row.get(0)).collect()
}

async fn is_small(conn: &mut Conn<'_>, app: &str, query: &ReceiptQuery) -> Result<bool, StoreError> {
    const SQL: &str = concat!(
        "SELECT count(*) FROM (SELECT 1 FROM decision WHERE ",
        app!(),
        " = $1 AND id >= $2 AND id < $3 LIMIT $4) AS few"
    );
    let (from, before) = (first_id(query.from), before(query));
    let row = conn.rows_for(SQL, values![app, &from, &before, FEW]).await?.pop();
    row.map_or(Ok(true), |row| Ok(row.count(0)? < FEW))
}

/// The first id that is not in any more. Of an hour that was begun all are.
fn before(query: &ReceiptQuery) -> String {
    let until = id_behind(query.until);
    match (query.order, query.after) {
        (ReceiptOrder::Newest, Some(after)) => until.min(after.to_string()),
        _ => until,
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteRow};

    use super::*;
    use crate::storage::sql::{receipts::COUNTS_OF_PERSON, schema::migrator};

    /// How SQLite would go through the tables, a line each.
    async fn plan(sql: &str) -> Vec<String> {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.expect("opened");
        migrator().run(&mut conn).await.expect("made");
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut conn).await;
        let step = |row: SqliteRow| row.get::<String, _>("detail").replace("COVERING ", "");
        rows.expect("planned").into_iter().map(step).collect()
    }

    #[tokio::test]
    async fn a_persons_counts_go_through_their_own_receipts() {
        let plan = plan(COUNTS_OF_PERSON).await;
        assert!(plan[0].starts_with("SEARCH decision USING INDEX decision_profile (profile_id=?"), "{plan:?}");
        assert!(plan[1].starts_with("SEARCH considered"), "{plan:?}");
    }

    #[tokio::test]
    async fn each_list_runs_along_its_index() {
        for (along, index) in [
            (OF_OTHERS, "considered USING INDEX considered_others (campaign_id=? AND decision_id>?"),
            (OF_CAMPAIGN, "considered USING INDEX sqlite_autoindex_considered_1 (campaign_id=? AND decision_id>?"),
            (OF_STORE, "considered USING INDEX considered_store (store_id=? AND decision_id>?"),
            (OF_PERSON, "decision USING INDEX decision_profile (profile_id=? AND id>?"),
            (OF_APP, "decision USING INDEX decision_app (<expr>=? AND id>?"),
            (OF_ALL, "decision USING INDEX sqlite_autoindex_decision_1 (id>?"),
        ] {
            let (newest, of_hour) = (plan(along.newest).await, plan(along.of_hour).await);
            for plan in [&newest, &of_hour] {
                assert!(plan[0].starts_with(&format!("SEARCH {index}")), "{plan:?}");
                assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
            }
            assert!(!newest.iter().any(|step| step.contains("TEMP B-TREE")), "{newest:?}");
        }
    }
}
