//! A restore that is cut off.

use std::{
    fs::{self, File},
    path::Path,
};

use super::process::{LONGEST, Process};

/// Larger than what is copied until a signal is there; it takes no place on the disk.
const HUGE: u64 = 1 << 35;

fn command(backup: &Path, data: &Path) -> Vec<String> {
    let paths = [backup, data].map(|path| path.to_str().expect("text"));
    [env!("CARGO_BIN_EXE_dintorni"), "restore", paths[0], "--data-dir", paths[1]].map(str::to_owned).to_vec()
}

fn names(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

/// A restore of that backup that is ended by a signal while it copies.
async fn cut_off(backup: &Path, data: &Path, signal: &str) -> i32 {
    let mut restore = Process::start(&command(backup, data)).await;
    restore.line(&["copying"]).await;
    let begun = async {
        // The lock and the copy.
        while names(data).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONGEST, begun).await.unwrap_or_else(|_| panic!("no copy:\n{}", restore.said()));
    restore.signal(signal);
    restore.ended().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_cut_off_leaves_no_copy_for_long() {
    let (data, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let backup = elsewhere.path().join("huge.backup");
    File::create(&backup).and_then(|file| file.set_len(HUGE)).expect("made");
    assert_eq!(cut_off(&backup, data.path(), "TERM").await, 130);
    assert_eq!(names(data.path()), ["dintorni.db.lock"]);
    assert_eq!(cut_off(&backup, data.path(), "KILL").await, 128 + 9);
    assert_eq!(names(data.path()).len(), 2, "nobody could remove it");
    fs::write(&backup, "a letter").expect("written");
    let mut refused = Process::start(&command(&backup, data.path())).await;
    assert_eq!(refused.ended().await, 1, "{}", refused.said());
    assert_eq!(names(data.path()), ["dintorni.db.lock"]);
}
