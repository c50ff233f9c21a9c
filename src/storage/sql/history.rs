//! Reading the catalog's past out of its append-only list.
//!
//! Law: an old body that this binary cannot read leaves its change on record, without what the resource was.

use super::{
    conn::{Conn, Row, values},
    error::unsound,
};
use crate::{
    domain::{
        catalog::{Resource, ResourceName},
        name::OrganizationName,
        time::Timestamp,
    },
    ports::{Action, ChangeRecord, HistoryOf, HistoryQuery, StoreError},
};

/// Begins every statement here; [`record`] reads these columns.
macro_rules! changes {
    ($body:literal, $rest:literal) => {
        concat!(
            "SELECT version, id, author, at, CASE WHEN body IS NULL THEN 0 ELSE 1 END,
                COALESCE((SELECT CASE WHEN earlier.body IS NULL THEN 0 ELSE 1 END FROM catalog_change AS earlier
                    WHERE earlier.id = change.id AND earlier.version < change.version
                    ORDER BY earlier.version DESC LIMIT 1), 0), ",
            $body,
            " FROM catalog_change AS change WHERE ",
            $rest
        )
    };
}

/// See [`crate::ports::History::changes`].
pub async fn changes(conn: &mut Conn<'_>, query: &HistoryQuery) -> Result<Vec<ChangeRecord>, StoreError> {
    let (before, name) = query.before.clone().unwrap_or((i64::MAX as u64, String::new()));
    let rows = match &query.of {
        HistoryOf::Resource(resource) => {
            const SQL: &str = changes!("body", "id = $1 AND version < $2 ORDER BY version DESC LIMIT $3");
            conn.rows(SQL, values![resource.as_str(), before, u64::from(query.most)]).await?
        }
        HistoryOf::Organization(organization) => {
            of_organization(conn, organization, (before, &name), query.most).await?
        }
    };
    rows.iter().map(record).collect()
}

async fn of_organization(
    conn: &mut Conn<'_>,
    organization: &OrganizationName,
    (before, name): (u64, &str),
    most: u32,
) -> Result<Vec<Row>, StoreError> {
    // Not as a range of ids, because engines differ in how they compare text.
    const SQL: &str = changes!(
        "NULL",
        "(id = $1 OR substr(id, 1, CAST($2 AS INTEGER)) = $3) AND (version < $4 OR (version = $4 AND id > $5))
        ORDER BY version DESC, id LIMIT $6"
    );
    let prefix = format!("{organization}/");
    let length = prefix.chars().count() as u64;
    conn.rows(SQL, values![organization.as_str(), length, &prefix, before, name, u64::from(most)]).await
}

fn record(row: &Row) -> Result<ChangeRecord, StoreError> {
    let name: String = row.get(1)?;
    let name = ResourceName::parse(&name).map_err(unsound)?;
    let is_there = |column| Ok::<_, StoreError>(row.get::<i32>(column)? != 0);
    let action = match (is_there(4)?, is_there(5)?) {
        (false, _) => Action::Deleted,
        (true, true) => Action::Changed,
        (true, false) => Action::Created,
    };
    let body: Option<String> = row.get(6)?;
    let resource = body.and_then(|body| serde_json::from_str::<Resource>(&body).ok());
    Ok(ChangeRecord {
        version: row.count(0)?,
        name,
        author: row.get(2)?,
        at: Timestamp::from_micros(row.get(3)?),
        action,
        resource,
    })
}
