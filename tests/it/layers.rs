//! The floors of the house: imports point down only, and each outside crate stays on its floors.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Top to bottom: a part, and the parts it may import besides itself.
const FLOORS: [(&str, &[&str]); 7] = [
    ("grpc", &["app", "ports", "engine", "domain"]),
    ("app", &["ports", "engine", "domain"]),
    ("storage", &["ports", "engine", "domain"]),
    ("ports", &["engine", "domain"]),
    ("engine", &["domain"]),
    ("domain", &[]),
    // Beside the house.
    ("world", &["domain"]),
];

/// An outside crate, and the only places that may name it.
const OUTSIDE: [(&str, &[&str]); 13] = [
    ("tonic", &["grpc", "cli", "server"]),
    ("tonic_types", &["grpc", "cli", "server"]),
    // Tests write map extracts with it, to read them without.
    ("prost", &["grpc", "cli", "server", "storage/codec", "app/place_files/osm/tests"]),
    ("axum", &["telemetry"]),
    ("prometheus_client", &["telemetry"]),
    ("chrono", &["domain/opening"]),
    ("opening_hours", &["domain/opening"]),
    ("opening_hours_syntax", &["domain/opening"]),
    ("pest", &["domain/opening"]),
    ("flate2", &["app/place_files/osm"]),
    ("sqlx", &["storage"]),
    ("redis", &["storage"]),
    ("tokio", &["main", "cli", "server", "lifecycle", "telemetry", "grpc", "app", "storage"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Each source file by its path below `src`, and its code without comments.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("text");
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let name = path.strip_prefix(&root).expect("below src").display().to_string();
        (name, lines.collect::<Vec<_>>().join("\n"))
    };
    files.into_iter().map(read).collect()
}

/// Every path that begins at `root::`, as its next word: of `use crate::{a::X, b}` both `a` and `b`.
fn next_words(code: &str, root: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, _) in code.match_indices(&format!("{root}::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + root.len() + 2..];
        match rest.strip_prefix('{') {
            Some(group) => words.extend(first_words(group)),
            None => words.push(word(rest)),
        }
    }
    words
}

/// The first word of each member of a group, up to its closing brace.
fn first_words(group: &str) -> Vec<String> {
    let (mut depth, mut fresh, mut words) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && (c.is_alphabetic() || c == '_') => {
                words.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The code without `use crate::…;` and its like: in their groups a module of ours may have an outside crate's name.
fn without_own_imports(code: &str) -> String {
    let own = ["use crate::", "use super::", "use self::"];
    let kept = code.split(';').map(|piece| {
        let begin = own.iter().filter_map(|own| piece.find(own)).min();
        &piece[..begin.unwrap_or(piece.len())]
    });
    kept.collect::<Vec<_>>().join(";")
}

fn within(file: &str, part: &str) -> bool {
    file.strip_prefix(part).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn floor(file: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    FLOORS.iter().find(|(part, _)| within(file, part))
}

#[test]
fn imports_point_down_only() {
    let mut upward = Vec::new();
    for (file, code) in code() {
        // The shell on top may import everything.
        let Some((own, below)) = floor(&file) else { continue };
        for word in next_words(&code, "crate").into_iter().filter(|word| word != own) {
            if !below.contains(&word.as_str()) {
                upward.push(format!("src/{file} imports crate::{word}"));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn outside_crates_stay_on_their_floors() {
    let mut astray = Vec::new();
    for (file, code) in code() {
        let code = without_own_imports(&code);
        for (name, places) in OUTSIDE {
            if !next_words(&code, name).is_empty() && !places.iter().any(|place| within(&file, place)) {
                astray.push(format!("src/{file} names {name}"));
            }
        }
    }
    assert!(astray.is_empty(), "{}", astray.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_groups_and_ignores_longer_paths() {
    let code = "use crate::{\n app::{ingest::X, keys},\n domain,\n};\nfn f() -> crate::ports::E { my::crate_::x() }";
    assert_eq!(next_words(code, "crate"), ["app", "domain", "ports"]);
    let code = without_own_imports("use crate::storage::{sql, redis::X};\npub use redis::Y;\nfn f() { sqlx::z() }");
    assert_eq!([next_words(&code, "redis"), next_words(&code, "sqlx")], [["Y"], ["z"]]);
    assert_eq!(next_words("use tokio_stream::x; self::redis::y; redis::z", "redis"), ["z"]);
}
