//! What only the embedded database promises: one server a file, no file of a newer binary, and commits in groups.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use dintorni::{
    domain::{audience::TraitValue, text::TraitKey},
    ports::{CatalogStore, Committed, Edit, Expected, Records},
    storage::{
        Address,
        sql::{OpenError, SqlConfig, open},
    },
};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;

use crate::support::{
    databases,
    samples::{app, at, campaign, person},
};

#[tokio::test]
async fn two_servers_never_share_a_file() {
    let first = databases::sqlite().await;
    let fault = open(&first.config).await.err().expect("the file is taken");
    assert!(matches!(fault, OpenError::InUse(_)), "{fault}");
    // A server that is refused takes nothing from the one that runs; and the file is free once that ends.
    assert_eq!(first.sql.head().await.expect("still open"), 0);
    first.reopen().await;
}

#[tokio::test]
async fn a_file_of_a_newer_binary_is_refused() {
    let database = databases::sqlite().await;
    database.sql.close().await;
    let path = database.config.url.reveal().strip_prefix("sqlite:").expect("a file").to_owned();
    let mut raw = SqliteConnectOptions::new().filename(path).connect().await.expect("the file opens");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (999, 'of tomorrow', TRUE, x'00', 0)";
    sqlx::query(newer).execute(&mut raw).await.expect("inserted");
    raw.close().await.expect("closed");
    let fault = open(&database.config).await.err().expect("refused");
    assert!(matches!(fault, OpenError::Newer(_, 999)), "{fault}");
}

#[tokio::test]
async fn where_a_restore_was_cut_off_no_empty_database_is_made() {
    let dir = tempfile::tempdir().expect("made");
    let (path, half) = (dir.path().join("dintorni.db"), dir.path().join(".dintorni.db.restoring"));
    let config = SqlConfig { url: Address::new(format!("sqlite:{}", path.display())), ..SqlConfig::default() };
    fs::write(&half, "a copy").expect("written");
    let fault = open(&config).await.err().expect("refused");
    assert!(fault.to_string().contains("was cut off: run dintorni restore again"), "{fault}");
    assert!(half.exists() && !path.exists());
    fs::remove_file(&half).expect("removed");
    open(&config).await.expect("it begins anew").close().await;
    // The database that was there before never left its place.
    fs::write(&half, "a copy").expect("written");
    open(&config).await.expect("it opens").close().await;
    assert!(!half.exists());
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    for url in ["", "sqlite:", "sqlite::memory:", "mysql://h/d", "dintorni.db", "sqlite:/nowhere/at/all/x.db"] {
        let config = SqlConfig { url: Address::new(url), ..SqlConfig::default() };
        assert!(open(&config).await.is_err(), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_are_gathered_and_none_waits_for_company() {
    let database = databases::sqlite().await;
    let app = app();
    let alone = database.sql.commit(person(&app, "alone").writes(1)).await.expect("done");
    assert_eq!(alone, Committed::Done);
    assert_eq!(database.sql.counts().transactions, 1);
    let mut together = JoinSet::new();
    for i in 0..300 {
        let (sql, commit) = (Arc::clone(&database.sql), person(&app, &format!("p{i}")).writes(1));
        together.spawn(async move { sql.commit(commit).await.expect("done") });
    }
    assert!(together.join_all().await.iter().all(|result| *result == Committed::Done));
    let counts = database.sql.counts();
    assert_eq!(counts.done, 301);
    assert!(counts.transactions < 200, "{counts:?}");
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let database = databases::sqlite().await;
    let ada = person(&app(), "ada");
    assert_eq!(database.sql.commit(ada.writes(1)).await.expect("done"), Committed::Done);
    // What a killed server leaves: the file and its log as they are at this moment, nothing closed.
    let dir = tempfile::tempdir().expect("made");
    let path = database.config.url.reveal().strip_prefix("sqlite:").expect("a file");
    let left = dir.path().join("left.db");
    for suffix in ["", "-wal"] {
        let to = format!("{}{suffix}", left.display());
        std::fs::copy(format!("{path}{suffix}"), to).expect("copied");
    }
    let config = SqlConfig { url: Address::new(format!("sqlite:{}", left.display())), ..SqlConfig::default() };
    let sql = open(&config).await.expect("it recovers");
    assert_eq!(sql.profile(&ada.name).await.expect("read"), Some(ada.profile(1)));
}

#[tokio::test]
async fn what_was_closed_is_one_file() {
    let database = databases::sqlite().await;
    let (ada, bob) = (person(&app(), "ada"), person(&app(), "bob"));
    for person in [&ada, &bob] {
        assert_eq!(database.sql.commit(person.writes(1)).await.expect("done"), Committed::Done);
        // Its reader stays open until the end.
        assert!(database.sql.profile(&person.name).await.expect("read").is_some());
    }
    database.sql.close().await;
    let path = database.config.url.reveal().strip_prefix("sqlite:").expect("a file");
    let dir = tempfile::tempdir().expect("made");
    let copy = dir.path().join("copy.db");
    std::fs::copy(path, &copy).expect("copied without its log");
    let config = SqlConfig { url: Address::new(format!("sqlite:{}", copy.display())), ..SqlConfig::default() };
    let sql = open(&config).await.expect("it opens");
    assert_eq!(sql.profile(&bob.name).await.expect("read"), Some(bob.profile(1)));
}

#[tokio::test]
async fn nobody_else_may_read_it_wherever_it_is() {
    let dir = tempfile::tempdir().expect("made");
    let open_to_all = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
    open_to_all(dir.path(), 0o755);
    let path = dir.path().join("dintorni.db");
    let config = SqlConfig { url: Address::new(format!("sqlite:{}", path.display())), ..SqlConfig::default() };
    let modes = || {
        let mode =
            |ending: &str| fs::metadata(format!("{}{ending}", path.display())).expect("there").permissions().mode();
        ["", "-wal", "-shm"].map(|ending| mode(ending) & 0o777)
    };
    let sql = open(&config).await.expect("it opens");
    assert_eq!(modes(), [0o600; 3]);
    sql.close().await;
    open_to_all(&path, 0o664);
    let _sql = open(&config).await.expect("it opens");
    assert_eq!(modes(), [0o660; 3], "a group may be meant");
}

#[tokio::test]
async fn nothing_of_an_erased_person_can_be_read_in_the_files() {
    let database = databases::sqlite().await;
    let ada = person(&app(), "ada");
    let mut commit = ada.writes(1);
    let words = "what only she would say ".repeat(1_000);
    let traits = &mut commit.profiles[0].profile.personal_of_record_mut().traits;
    traits.insert(TraitKey::new("words").expect("sound"), TraitValue::Text(words));
    database.sql.commit(commit).await.expect("done");
    let path = database.config.url.reveal().strip_prefix("sqlite:").expect("a file").to_owned();
    let found = || {
        let read = |ending: &str| std::fs::read(format!("{path}{ending}")).expect("read");
        let needle = b"what only she would say";
        ["", "-wal"].map(|ending| read(ending).windows(needle.len()).filter(|bytes| bytes == needle).count())
    };
    assert!(found()[1] > 0, "in the log");
    let sweep = async |now| {
        database.sweep(now, 10).await;
        // The sweep is answered before its log is emptied, and what comes next after.
        database.sql.append(Vec::new(), "organizations/acme/keys/tests", now).await.expect("nothing");
    };
    sweep(at(0)).await;
    assert!(found()[0] > 0 && found()[1] == 0, "in the file");
    database.sql.erase(&ada.name, at(2)).await.expect("erased");
    sweep(at(2)).await;
    assert_eq!(found(), [0, 0]);
}

#[tokio::test]
async fn a_change_that_cannot_be_read_ends_its_resource_and_nothing_else() {
    let database = databases::sqlite().await;
    let edits = ["tea", "coffee", "milk"].map(|id| Edit::put(campaign(id, None), Expected::Absent));
    database.sql.append(edits.to_vec(), "organizations/acme/keys/tests", at(0)).await.expect("done");
    database.sql.close().await;
    let path = database.config.url.reveal().strip_prefix("sqlite:").expect("a file").to_owned();
    let mut raw = SqliteConnectOptions::new().filename(path).connect().await.expect("the file opens");
    for sql in [
        "UPDATE catalog_change SET body = '{\"campaign\":{\"of\":\"tomorrow\"}}' WHERE id LIKE '%coffee'",
        "UPDATE catalog_change SET id = 'no name' WHERE id LIKE '%milk'",
    ] {
        assert_eq!(sqlx::query(sql).execute(&mut raw).await.expect("spoilt").rows_affected(), 1);
    }
    raw.close().await.expect("closed");
    let sql = open(&database.config).await.expect("it opens");
    let changes = sql.changes_since(0).await.expect("read");
    let left: Vec<_> = changes.iter().map(|change| (change.name.as_str(), change.resource.is_some())).collect();
    assert_eq!(left, [("organizations/acme/campaigns/coffee", false), ("organizations/acme/campaigns/tea", true)]);
    assert_eq!(sql.counts().unreadable_changes, 2);
}
