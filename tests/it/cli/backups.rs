//! `dintorni backup` and `dintorni restore`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use dintorni::grpc::pb;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tonic::Code;

use super::{Ran, dintorni, run};
use crate::support::harness::{Phone, TestServer, bearing, ping};

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

async fn backup(data: &Path, to: &Path) -> Ran {
    run(dintorni(&["backup", text(to), "--data-dir", text(data)])).await
}

async fn restore(from: &Path, data: &Path, more: &[&str]) -> Ran {
    run(dintorni(&[&["restore", text(from), "--data-dir", text(data)], more].concat())).await
}

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

fn refused(ran: &Ran, why: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains(why), "{why} is not in {ran:?}");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

/// A backup of a server that has a publisher, in a directory of its own.
async fn some_backup() -> (TempDir, PathBuf) {
    let server = TestServer::start().await;
    server.publisher("acme").await;
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("a.backup");
    done(backup(server.data.path(), &file).await);
    (directory, file)
}

/// Walks away and comes back an hour later; the receipt of the return.
async fn again(server: &TestServer, token: &str, id: &str) -> pb::Decision {
    let mut away = ping(&format!("{id}-away"), server.now());
    away.fixes[0].position = Some(pb::LatLng { latitude: 45.6, longitude: 9.3 });
    server.clock.advance(Duration::from_secs(3_600));
    let mut back = ping(&format!("{id}-back"), server.now());
    for ping in [&mut away, &mut back] {
        let sent = ping.sent_at;
        ping.fixes[0].fix_at = sent;
    }
    server.proximity().ping(bearing(token, away)).await.expect("answered");
    let answer = server.proximity().ping(bearing(token, back)).await.expect("answered").into_inner();
    server.decision(token, &answer.decision).await.expect("a receipt")
}

#[tokio::test]
async fn what_was_offered_before_the_backup_is_capped_after_the_restore() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let before = acme.phone(1).await;
    assert_eq!(before.ping("ping-before").await.expect("answered").offers.len(), 1);
    let kept = TempDir::new().expect("a directory");
    let file = kept.path().join("night.backup");
    done(backup(server.data.path(), &file).await);
    let after = acme.phone(2).await;
    assert_eq!(after.ping("ping-after").await.expect("answered").offers.len(), 1);
    let (Phone { token: before, .. }, Phone { token: after, .. }) = (before, after);

    let elsewhere = TempDir::new().expect("a directory");
    done(restore(&file, elsewhere.path(), &[]).await);
    let restored = TestServer::start_in(elsewhere, &[]).await;
    let receipt = again(&restored, &before, "ping-one").await;
    let Some(pb::considered_campaign::Verdict::Refused(refusal)) = &receipt.considered[0].verdict else {
        panic!("a refusal: {receipt:?}")
    };
    assert_eq!(refusal.code, "CAMPAIGN_CAP", "{refusal:?}");
    let unknown = restored.proximity().ping(bearing(&after, ping("ping-two", restored.now()))).await;
    assert_eq!(unknown.expect_err("it registered later").code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_backup_is_private_whole_and_never_written_over() {
    let (directory, file) = some_backup().await;
    assert_eq!(names(directory.path()), ["a.backup"], "nothing is left beside it");
    assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&file).expect("read");
    let server = TestServer::start().await;
    refused(&backup(server.data.path(), &file).await, "is there already");
    assert_eq!(fs::read(&file).expect("read"), bytes);
    refused(&backup(directory.path(), &directory.path().join("b")).await, "there is no database");
}

#[tokio::test]
async fn a_database_that_a_server_has_open_is_not_replaced() {
    let (_directory, file) = some_backup().await;
    let server = TestServer::start().await;
    refused(&restore(&file, server.data.path(), &["--force"]).await, "stop it first");
    let request = pb::ListOrganizationsRequest::default();
    server.organizations().list_organizations(bearing(&server.operator, request)).await.expect("it serves");
}

#[tokio::test]
async fn a_database_that_is_there_is_kept_under_a_dated_name() {
    let (_directory, file) = some_backup().await;
    let data = TempDir::new().expect("a directory");
    done(restore(&file, data.path(), &[]).await);
    refused(&restore(&file, data.path(), &[]).await, "--force");
    fs::write(data.path().join("dintorni.db-wal"), "a log").expect("written");
    fs::write(data.path().join("dintorni.db-shm"), "an index").expect("written");
    let ran = done(restore(&file, data.path(), &["--force"]).await);
    let names = names(data.path());
    let aside = names.iter().find(|name| name.starts_with("dintorni.db.before-2")).expect("kept");
    assert!(ran.err.contains(aside), "{ran:?}");
    assert_eq!(names, ["dintorni.db", aside, &format!("{aside}-wal"), "dintorni.db.lock"], "the log goes with its own");
    assert_eq!(fs::read(data.path().join("dintorni.db")).expect("read"), fs::read(&file).expect("read"));
    refused(&restore(&data.path().join(aside), data.path(), &["--force"]).await, "not a backup");
}

#[tokio::test]
async fn a_log_that_lost_its_database_is_kept() {
    let (_directory, file) = some_backup().await;
    let data = TempDir::new().expect("a directory");
    fs::write(data.path().join("dintorni.db-wal"), "the last commits").expect("written");
    let ran = done(restore(&file, data.path(), &[]).await);
    let names = names(data.path());
    let kept = names.iter().find(|name| name.ends_with("-wal")).expect("kept");
    assert!(kept.starts_with("dintorni.db.before-2") && ran.err.contains(kept), "{ran:?} {names:?}");
    assert_eq!(fs::read(data.path().join(kept)).expect("read"), b"the last commits");
    assert_eq!(names, ["dintorni.db", kept, "dintorni.db.lock"]);
}

#[tokio::test]
async fn what_is_no_sound_backup_changes_nothing() {
    let (directory, file) = some_backup().await;
    let data = TempDir::new().expect("a directory");
    let damaged = directory.path().join("damaged");
    let mut bytes = fs::read(&file).expect("read");
    let half = bytes.len() / 2;
    bytes[half..half + 4_096].fill(0xa5);
    fs::write(&damaged, bytes).expect("written");
    refused(&restore(&damaged, data.path(), &[]).await, "is damaged");
    fs::write(&damaged, "a letter").expect("written");
    refused(&restore(&damaged, data.path(), &[]).await, "is not a Dintorni backup: it is no database at all");

    let change = async |path: &Path, sql: &'static str| {
        let url = format!("sqlite:{}?mode=rwc", path.display());
        let mut conn = SqliteConnection::connect(&url).await.expect("open");
        sqlx::raw_sql(sql).execute(&mut conn).await.expect("changed");
        conn.close().await.expect("closed");
    };
    let foreign = directory.path().join("foreign");
    change(&foreign, "CREATE TABLE recipe (id INTEGER)").await;
    refused(&restore(&foreign, data.path(), &[]).await, "is not a Dintorni backup: it is another program's");
    change(&file, "UPDATE _sqlx_migrations SET version = 999 WHERE version = 1").await;
    refused(&restore(&file, data.path(), &[]).await, "newer binary (its schema has step 999)");
    assert_eq!(names(data.path()), ["dintorni.db.lock"]);
}

#[tokio::test]
async fn postgres_has_tools_of_its_own_and_its_password_stays_hidden() {
    let url = "storage.url=postgres://ada:secret@db.example/dintorni";
    for command in [["backup", "/nowhere/a"], ["restore", "/nowhere/a"]] {
        let ran = run(dintorni(&[&command, ["--set", url].as_slice()].concat())).await;
        refused(&ran, "pg_dump");
        assert!(!ran.err.contains("secret"), "{ran:?}");
    }
}
