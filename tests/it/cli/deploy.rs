//! The files that operators start from: the settings in them are there, and sound together.

use std::{
    fs::{self, File},
    process::Command,
    time::Duration,
};

use dintorni::config::{Config, Sources, VARIABLES, Variables};

use super::run;
use crate::support::harness::TestServer;

const BACKUP: &str = include_str!("../../../deploy/dintorni-backup.service");

/// The variables that a file of `deploy/` sets, be it as `NAME=value` or as `NAME: "value"`.
fn variables(text: &str) -> Variables {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let found = lines.filter_map(|line| line.find(VARIABLES).and_then(|at| line[at..].split_once([':', '='])));
    found.map(|(name, value)| (name.into(), filled(value.trim().trim_matches('"')).into())).collect()
}

/// The value with a word in place of each `${…}`, as whoever starts the file would set it.
fn filled(value: &str) -> String {
    let mut parts = value.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |filled, part| filled + "word" + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// What the unit runs, as systemd would: a dollar and a percent sign are written twice.
fn commands(unit: &str) -> String {
    let commands = unit.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    let script: Vec<String> = commands.map(|line| line.replace("$$", "$").replace("%%", "%")).collect();
    script.join("\n").replace("/usr/local/bin/dintorni", env!("CARGO_BIN_EXE_dintorni"))
}

#[tokio::test]
async fn the_nightly_copy_is_made_and_old_ones_go() {
    let server = TestServer::start().await;
    let backups = server.data.path().join("backups");
    fs::create_dir(&backups).expect("made");
    for (name, days) in [("old.backup", 15), ("young.backup", 13), ("old.letter", 15)] {
        let made = File::create(backups.join(name)).expect("made");
        let now = made.metadata().and_then(|file| file.modified()).expect("told");
        made.set_modified(now - days * Duration::from_secs(86_400)).expect("set");
    }
    let mut night = Command::new("sh");
    night.args(["-ec", &commands(BACKUP)]).current_dir(server.data.path());
    night.env("DINTORNI__SERVER__DATA_DIR", server.data.path());
    let ran = run(night).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let entries = fs::read_dir(&backups).expect("there");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("there").file_name()).collect();
    names.sort();
    assert!(names.len() == 3 && names[0].to_string_lossy().starts_with("20"), "{names:?}");
    assert_eq!(names[1..], ["old.letter", "young.backup"]);
}

#[test]
fn the_settings_of_deploy_are_sound() {
    let files = [
        ("Dockerfile", include_str!("../../../deploy/Dockerfile"), 2),
        ("compose.yaml", include_str!("../../../deploy/compose.yaml"), 6),
        ("dintorni.service", include_str!("../../../deploy/dintorni.service"), 1),
        ("dintorni-backup.service", BACKUP, 1),
    ];
    for (name, text, count) in files {
        let variables = variables(text);
        assert_eq!(variables.len(), count, "{name}: {variables:?}");
        Config::read(&Sources::new(variables)).unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
    }
}

/// Cargo looks for the source of a target whose path is not said, even if it builds another one; the image has no tests and
/// no benches.
#[test]
fn the_image_is_built_without_tests_and_benches() {
    let manifest = include_str!("../../../Cargo.toml");
    let tables = manifest.split("\n[").skip(1);
    let targets: Vec<&str> = tables.filter(|table| table.starts_with("[")).collect();
    assert!(targets.len() > 1, "{targets:?}");
    for target in targets {
        assert!(target.contains("\npath = "), "[{target}");
    }
}
