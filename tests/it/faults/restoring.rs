//! A restore that is cut off.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    process::Command,
    sync::mpsc,
};

use super::process::{LONGEST, Process};

/// More than is copied until a signal is heard, and no more than a disk can take if it never is.
const MUCH: u64 = 1 << 32;

fn command(backup: &Path, data: &Path) -> Vec<String> {
    let paths = [backup, data].map(|path| path.to_str().expect("text"));
    [env!("CARGO_BIN_EXE_dintorni"), "restore", paths[0], "--data-dir", paths[1]].map(str::to_owned).to_vec()
}

fn names(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

/// A restore that is ended by a signal while it copies: of a pipe out of which nothing comes until the signal is sent.
async fn cut_off(data: &Path, signal: &str) -> i32 {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let pipe = elsewhere.path().join("backup");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let mut restore = Process::start(&command(&pipe, data)).await;
    let (sent, is_sent) = mpsc::channel();
    std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(pipe).expect("somebody reads");
        is_sent.recv().ok();
        // Until nobody reads any more.
        io::copy(&mut io::repeat(0).take(MUCH), &mut pipe).ok();
    });
    let begun = async {
        // The lock and the copy.
        while names(data).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONGEST, begun).await.unwrap_or_else(|_| panic!("no copy:\n{}", restore.said()));
    restore.signal(signal);
    sent.send(()).expect("it waits");
    restore.ended().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_cut_off_leaves_no_copy_for_long() {
    let (data, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    assert_eq!(cut_off(data.path(), "TERM").await, 130);
    assert_eq!(names(data.path()), ["dintorni.db.lock"]);
    assert_eq!(cut_off(data.path(), "KILL").await, 128 + 9);
    assert_eq!(names(data.path()).len(), 2, "nobody could remove it");
    let backup = elsewhere.path().join("backup");
    fs::write(&backup, "a letter").expect("written");
    let mut refused = Process::start(&command(&backup, data.path())).await;
    assert_eq!(refused.ended().await, 1, "{}", refused.said());
    assert_eq!(names(data.path()), ["dintorni.db.lock"]);
}
