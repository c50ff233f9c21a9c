//! Lists of receipts: which they are is found first, and they are read a few at a time.
//!
//! Law: a list holds a bounded number of bytes at once, however large its receipts are.

use std::collections::HashMap;

use super::{
    conn::{Conn, Value, values},
    error::unsound,
    receipts::{first_id, id_behind, read, whose},
};
use crate::{
    domain::{decision::Decision, offer::DecisionId},
    ports::{FoundReceipts, ReceiptQuery, ReceiptsOf, StoreError},
};

/// Receipts of one statement: the largest take some 150 kB each.
const AT_ONCE: usize = 20;
/// After so many bytes of receipts a list is long enough: twice what an answer has room for, and on the wire they are
/// smaller than in the record.
const ENOUGH: usize = 4 << 20;

/// Begins with what every list asks; `$7` to `$9` are campaign, store and verdicts, empty for any; each verdict
/// stands between two blanks.
macro_rules! lists {
    ($from:literal, $id:literal, $verdicts:literal) => {
        concat!(
            "SELECT DISTINCT ",
            $id,
            " FROM ",
            $from,
            " WHERE substr(decision.profile_id, 1, CAST($1 AS INTEGER)) = $2 AND ",
            $id,
            " >= $4 AND ",
            $id,
            " < $5 AND ",
            $verdicts,
            " ORDER BY ",
            $id,
            " DESC LIMIT $6"
        )
    };
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

/// Each list runs along the index of what is named most narrowly.
async fn ids(conn: &mut Conn<'_>, query: &ReceiptQuery, most: usize) -> Result<Vec<String>, StoreError> {
    const OF_CAMPAIGN: &str = lists!(
        "considered JOIN decision ON decision.id = considered.decision_id",
        "considered.decision_id",
        "considered.campaign_id = $7 AND ($8 = '' OR considered.store_id = $8)
            AND ($9 = '' OR replace($9, ' ' || considered.verdict || ' ', '') <> $9) AND ($3 = '' OR decision.profile_id = $3)"
    );
    const OF_STORE: &str = lists!(
        "considered JOIN decision ON decision.id = considered.decision_id",
        "considered.decision_id",
        "considered.store_id = $8 AND considered.store_id <> '' AND $7 = ''
            AND ($9 = '' OR replace($9, ' ' || considered.verdict || ' ', '') <> $9) AND ($3 = '' OR decision.profile_id = $3)"
    );
    const OF_PERSON: &str = lists!(
        "decision",
        "decision.id",
        "decision.profile_id = $3 AND (($7 = '' AND $8 = '' AND $9 = '') OR EXISTS (SELECT 1 FROM considered
            WHERE considered.decision_id = decision.id AND ($7 = '' OR considered.campaign_id = $7)
                AND ($8 = '' OR considered.store_id = $8) AND ($9 = '' OR replace($9, ' ' || considered.verdict || ' ', '') <> $9)))"
    );
    const OF_ALL: &str = lists!(
        "decision",
        "decision.id",
        "$3 = '' AND $7 = '' AND $8 = '' AND ($9 = '' OR EXISTS (SELECT 1 FROM considered
            WHERE considered.decision_id = decision.id
                AND replace($9, ' ' || considered.verdict || ' ', '') <> $9))"
    );
    let (prefix, person) = whose(&query.of);
    let sql = match (&query.of, &query.campaign, &query.store) {
        (ReceiptsOf::Person(_), _, _) => OF_PERSON,
        (_, Some(_), _) => OF_CAMPAIGN,
        (_, None, Some(_)) => OF_STORE,
        (_, None, None) => OF_ALL,
    };
    let (from, before) = span(query);
    let verdicts: String = query.verdicts.iter().map(|code| format!(" {code} ")).collect();
    let values = values![
        prefix.chars().count() as u64,
        &prefix,
        person,
        &from,
        &before,
        most as u64,
        query.campaign.as_ref().map_or("", |campaign| campaign.as_str()),
        query.store.as_ref().map_or("", |store| store.as_str()),
        &verdicts,
    ];
    conn.rows(sql, values).await?.iter().map(|row| row.get(0)).collect()
}

/// The first id that is in, and the first that is not any more.
fn span(query: &ReceiptQuery) -> (String, String) {
    let until = id_behind(query.until);
    (first_id(query.from), query.after.map_or(until.clone(), |after| until.min(after.to_string())))
}
