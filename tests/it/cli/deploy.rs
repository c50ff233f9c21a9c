//! The files that operators start from: the settings in them are there, and sound together.

use dintorni::config::{Config, Sources, VARIABLES, Variables};

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

#[test]
fn the_settings_of_deploy_are_sound() {
    let files = [
        ("Dockerfile", include_str!("../../../deploy/Dockerfile"), 2),
        ("compose.yaml", include_str!("../../../deploy/compose.yaml"), 6),
        ("dintorni.service", include_str!("../../../deploy/dintorni.service"), 1),
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
