//! The catalog's changes, appended under one counter.
//!
//! Law: the first statement of an append raises the head and so locks it until the append is committed: versions
//! appear in order and without gaps on both engines. A row that cannot be read is reported and ends its resource; it is
//! never fatal to the others.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use async_trait::async_trait;

use super::{
    change::{Change, Outcome},
    conn::{Conn, Row, Value, values},
    counters::Counters,
    error::unsound,
    pool,
    several::Several,
};
use crate::{
    domain::{
        budget::Account,
        campaign::{Campaign, CampaignState},
        catalog::{CatalogChange, Resource, ResourceName},
        coupon::Codes,
        time::Timestamp,
    },
    ports::{Appended, Edit, Expected, NEWEST, StoreError},
};

/// Longest reading of changes: of a catalog of millions of places, or of an import of as many, with all their history.
pub const LONGEST_READ: Duration = Duration::from_secs(60);

pub async fn head(conn: &mut Conn<'_>) -> Result<u64, StoreError> {
    let row = conn.row("SELECT version FROM catalog_head", &[]).await?;
    row.ok_or_else(|| unsound("the catalog has no head"))?.count(0)
}

/// Changes whose rows are read at once. A row takes several times the memory of what is kept of it: read all together, those of
/// a catalog of a million places are as large as the server that they make.
const PORTION: u64 = 5_000;

/// Of each resource only its last change up to `until`, by version and name. The connection must see the record as it was
/// at one time.
pub async fn changes_between(
    conn: &mut Conn<'_>,
    (after, until): (u64, u64),
    counters: &Counters,
) -> Result<Vec<CatalogChange>, StoreError> {
    const SOME: &str = "SELECT version, id, body FROM catalog_change AS change
        WHERE version > $1 AND version <= $2 AND NOT EXISTS (SELECT 1 FROM catalog_change AS later
            WHERE later.id = change.id AND later.version > change.version AND later.version <= $2) LIMIT $3";
    // The signs keep both engines from looking for versions: these are most of the table, and are asked for by name.
    const BY_NAME: &str = "SELECT version, id, body FROM catalog_change AS change
        WHERE id > $3 AND +version > $1 AND +version <= $2 AND NOT EXISTS (SELECT 1 FROM catalog_change AS later
            WHERE later.id = change.id AND later.version > change.version AND later.version <= $2)
        ORDER BY id LIMIT $4";
    let mut found = Found::default();
    let some = conn.rows(SOME, values![after, until, PORTION + 1]).await?;
    if some.len() as u64 <= PORTION {
        found = found.with(some).await?;
    } else {
        drop(some);
        let mut last = String::new();
        loop {
            let rows = conn.rows(BY_NAME, values![after, until, &last, PORTION]).await?;
            let Some(row) = rows.last() else { break };
            last = row.get(1)?;
            found = found.with(rows).await?;
        }
    }
    // Of the past it was told when it was in force.
    if until == NEWEST {
        found.unreadable.iter().for_each(|unreadable| unreadable.tell(counters));
    }
    // Sorted here, because engines differ in how they compare text.
    let sorted = aside(move || {
        found.changes.sort_by(|a, b| (a.version, a.name.as_str()).cmp(&(b.version, b.name.as_str())));
        found.changes
    });
    sorted.await
}

/// Not on the threads that answer pings: of a catalog of millions of places it takes seconds.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|gone| StoreError::Unavailable(gone.to_string()))
}

/// What rows say.
#[derive(Default)]
struct Found {
    changes: Vec<CatalogChange>,
    unreadable: Vec<Unreadable>,
}

impl Found {
    /// And of these rows.
    async fn with(mut self, rows: Vec<Row>) -> Result<Self, StoreError> {
        let read = aside(move || {
            self.changes.extend(rows.iter().filter_map(|row| readable(row, &mut self.unreadable)));
            self
        });
        read.await
    }
}

/// A change that cannot be read, as far as it can.
struct Unreadable {
    version: Option<u64>,
    name: Option<String>,
    fault: StoreError,
}

impl Unreadable {
    fn tell(&self, counters: &Counters) {
        let Self { version, name, fault } = self;
        counters.unreadable_change();
        tracing::error!(%fault, ?version, ?name, "a change of the catalog cannot be read; its resource is not in force");
    }

    /// The end of its resource; none if not even the name can be read.
    fn end(&self) -> Option<CatalogChange> {
        let name = ResourceName::parse(self.name.as_ref()?).ok()?;
        Some(CatalogChange { version: self.version?, name, resource: None })
    }
}

/// The change, or what is left of it.
fn readable(row: &Row, unreadable: &mut Vec<Unreadable>) -> Option<CatalogChange> {
    let fault = match read_change(row) {
        Ok(change) => return Some(change),
        Err(fault) => fault,
    };
    let left = Unreadable { version: row.count(0).ok(), name: row.get::<String>(1).ok(), fault };
    let end = left.end();
    unreadable.push(left);
    end
}

fn read_change(row: &Row) -> Result<CatalogChange, StoreError> {
    let (name, body): (String, Option<String>) = (row.get(1)?, row.get(2)?);
    let mut name = ResourceName::parse(&name).map_err(unsound)?;
    let resource = body.map(|body| serde_json::from_str::<Resource>(&body)).transpose();
    let resource = resource.map_err(|fault| unsound(format!("{name}: {fault}")))?;
    if let Some(own) = resource.as_ref().map(Resource::name) {
        if own != name {
            return Err(unsound(format!("the body of {name} is another's")));
        }
        // Kept once: it is the resource's, which stays.
        name = own;
    }
    Ok(CatalogChange { version: row.count(0)?, name, resource })
}

pub struct Append {
    pub edits: Vec<Edit>,
    pub author: String,
    pub at: Timestamp,
}

#[async_trait]
impl Change for Append {
    type Output = Appended;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<Appended>, StoreError> {
        if self.edits.is_empty() {
            return Ok(Outcome::Undo(Appended::Version(head(conn).await?)));
        }
        let row = conn.row("UPDATE catalog_head SET version = version + 1 RETURNING version", &[]).await?;
        let version = row.ok_or_else(|| unsound("the catalog has no head"))?.count(0)?;
        if let Some(name) = self.conflict(conn, version).await? {
            return Ok(Outcome::Undo(Appended::Conflict(name)));
        }
        self.write(conn, version).await?;
        self.set_limits(conn).await?;
        self.empty_pools(conn, version).await?;
        Ok(Outcome::Keep(Appended::Version(version)))
    }
}

/// The version of each resource's last change; none if it does not exist.
async fn last_versions<'e>(
    conn: &mut Conn<'_>,
    edits: &'e [Edit],
) -> Result<HashMap<&'e str, Option<u64>>, StoreError> {
    static SQL: LazyLock<Several> = LazyLock::new(|| {
        const HEAD: &str = "SELECT wanted.column1, (SELECT CASE WHEN last.body IS NULL THEN NULL ELSE last.version END
            FROM catalog_change AS last WHERE last.id = wanted.column1 ORDER BY last.version DESC LIMIT 1) FROM (VALUES ";
        Several::new(HEAD, 0, "($1)", ") AS wanted")
    });
    let mut last: HashMap<&str, _> = edits.iter().map(|edit| (edit.name.as_str(), None)).collect();
    for (sql, edits) in SQL.over(edits) {
        let names: Vec<Value<'_>> = edits.iter().map(|edit| edit.name.as_str().into()).collect();
        for row in conn.rows(sql, &names).await? {
            let version = row.get::<Option<i64>>(1)?.and_then(|version| u64::try_from(version).ok());
            if let Some(last) = last.get_mut(row.get::<String>(0)?.as_str()) {
                *last = version;
            }
        }
    }
    Ok(last)
}

fn holds(expected: Expected, last: Option<u64>) -> bool {
    match expected {
        Expected::Anything => true,
        Expected::Absent => last.is_none(),
        Expected::Version(version) => last == Some(version),
    }
}

impl Append {
    /// The first resource that is not as its edit expects; an edit sees what those before it did.
    async fn conflict(&self, conn: &mut Conn<'_>, version: u64) -> Result<Option<ResourceName>, StoreError> {
        let mut last = last_versions(conn, &self.edits).await?;
        let unmet = self.edits.iter().find(|edit| {
            let next = edit.resource.as_ref().map(|_| version);
            !holds(edit.expected, last.insert(edit.name.as_str(), next).flatten())
        });
        Ok(unmet.map(|edit| edit.name.clone()))
    }

    async fn write(&self, conn: &mut Conn<'_>, version: u64) -> Result<(), StoreError> {
        static SQL: LazyLock<Several> = LazyLock::new(|| {
            const HEAD: &str = "INSERT INTO catalog_change (version, author, at, id, kind, body) VALUES ";
            Several::new(HEAD, 3, "($1, $2, $3, $4, $5, $6)", "")
        });
        for (sql, edits) in SQL.over(&self.edits) {
            let body = |edit: &Edit| edit.resource.as_ref().map(serde_json::to_string).transpose().map_err(unsound);
            let bodies = edits.iter().map(body).collect::<Result<Vec<Option<String>>, _>>()?;
            let mut values = vec![version.into(), (&self.author).into(), self.at.into()];
            for (edit, body) in edits.iter().zip(&bodies) {
                values.extend([edit.name.as_str().into(), edit.name.kind().into(), body.as_ref().into()]);
            }
            conn.execute(sql, &values).await?;
        }
        Ok(())
    }

    /// In the order of ids, as everyone who touches accounts.
    async fn set_limits(&self, conn: &mut Conn<'_>) -> Result<(), StoreError> {
        let mut campaigns: Vec<&Campaign> = self.edits.iter().filter_map(campaign).collect();
        campaigns.sort_by(|a, b| a.name.cmp(&b.name));
        for campaign in campaigns {
            set_limits(conn, campaign).await?;
        }
        Ok(())
    }

    /// Of campaigns that take no codes any more, in the order of names as well. Those that never did are left alone.
    async fn empty_pools(&self, conn: &mut Conn<'_>, version: u64) -> Result<(), StoreError> {
        let mut campaigns = Vec::new();
        for edit in &self.edits {
            if let ResourceName::Campaign(name) = &edit.name
                && ends_pool(conn, edit, version).await?
            {
                campaigns.push(name);
            }
        }
        campaigns.sort();
        for campaign in campaigns {
            pool::empty(conn, campaign).await?;
        }
        Ok(())
    }
}

fn campaign(edit: &Edit) -> Option<&Campaign> {
    match &edit.resource {
        Some(Resource::Campaign(campaign)) => Some(campaign),
        _ => None,
    }
}

/// Whether the campaign had a pool until this version, and nobody can be given codes of it from then on: it has none any
/// more, or is archived and was a draft.
async fn ends_pool(conn: &mut Conn<'_>, edit: &Edit, version: u64) -> Result<bool, StoreError> {
    const BEFORE: &str = "SELECT body FROM catalog_change WHERE id = $1 AND version < $2 ORDER BY version DESC LIMIT 1";
    let is_archived = campaign(edit).is_some_and(|campaign| campaign.state == CampaignState::Archived);
    let has_pool = edit.resource.as_ref().is_some_and(pool::has_pool);
    if has_pool && !is_archived {
        return Ok(false);
    }
    let row = conn.row(BEFORE, values![edit.name.as_str(), version]).await?;
    let body = row.map(|row| row.get::<Option<String>>(0)).transpose()?.flatten();
    let before = body.map(|body| serde_json::from_str::<Resource>(&body)).transpose().map_err(unsound)?;
    let was_draft = |before: &Resource| matches!(before, Resource::Campaign(was) if was.state == CampaignState::Draft);
    Ok(before.is_some_and(|before| pool::has_pool(&before) && (!has_pool || was_draft(&before))))
}

/// A budget that is taken away lifts the limit and keeps its accounts, as a deleted campaign keeps its own: what was
/// taken stays taken if a budget comes again. Codes of a pool are no part of the campaign.
async fn set_limits(conn: &mut Conn<'_>, campaign: &Campaign) -> Result<(), StoreError> {
    const LIFT: &str = "UPDATE budget SET limit_units = NULL WHERE campaign_id = $1 AND unit <> 'codes'";
    const SET: &str = "INSERT INTO budget (id, campaign_id, unit, limit_units) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET limit_units = excluded.limit_units";
    const ACCOUNT: &str = "INSERT INTO account (id, budget_id, taken) VALUES ($1, $1, 0) ON CONFLICT DO NOTHING";
    // Until codes are uploaded nothing can be taken of it.
    const POOL: &str = "INSERT INTO budget (id, campaign_id, unit, limit_units) VALUES ($1, $2, 'codes', 0)
        ON CONFLICT DO NOTHING";
    conn.execute(LIFT, values![campaign.name.as_str()]).await?;
    if matches!(campaign.coupon.as_ref().map(|coupon| &coupon.codes), Some(Codes::Pool)) {
        let pool = Account::pool(&campaign.name);
        conn.execute(POOL, values![pool.budget.as_str(), campaign.name.as_str()]).await?;
        conn.execute(ACCOUNT, values![pool.id.as_str()]).await?;
    }
    for budget in &campaign.limits.budgets {
        let id = budget.id(&campaign.name);
        let values = values![id.as_str(), campaign.name.as_str(), budget.unit.as_str(), budget.limit];
        conn.execute(SET, values).await?;
        if budget.is_whole() {
            conn.execute(ACCOUNT, values![id.as_str()]).await?;
        }
    }
    Ok(())
}
