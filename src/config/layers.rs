//! Settings from several sources, laid over the defaults.
//!
//! Law: each setting is tried alone on the defaults, so that one mistake never hides another.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use config::{File, FileFormat, Source, Value, ValueKind};

use super::{Config, DEFAULTS, Mistakes, VARIABLES};

/// The whole environment, of which only what begins with [`VARIABLES`] counts, and need be text.
pub type Variables = BTreeMap<OsString, OsString>;

/// Where settings come from, besides the defaults; later fields win.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The path of a TOML file, and its text.
    file: Option<(PathBuf, String)>,
    variables: Variables,
    flags: Vec<Setting>,
}

/// One setting somebody made.
#[derive(Debug, Clone)]
struct Setting {
    /// Its dotted name.
    key: String,
    value: Value,
    /// The file, variable or flag.
    origin: String,
}

impl Sources {
    /// The variables alone.
    pub fn new(variables: Variables) -> Self {
        Self { variables, ..Self::default() }
    }

    /// A TOML file, of which only the text counts; the path is for messages.
    pub fn with_file(self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { file: Some((path.into(), text.into())), ..self }
    }

    /// Adds what the flag says of the setting `key`.
    pub fn flag(&mut self, flag: &str, key: &str, value: &str) {
        self.flags.push(Setting { key: key.to_owned(), value: Value::from(value), origin: flag.to_owned() });
    }
}

/// The defaults with all settings over them.
pub(super) fn merge(sources: &Sources) -> Result<Config, Mistakes> {
    let defaults: BTreeMap<String, Value> =
        parse(DEFAULTS).map_err(|error| Mistakes(vec![error]))?.into_iter().collect();
    let (mut mistakes, mut sound) = (Vec::new(), Vec::new());
    for Setting { key, value, origin } in settings(sources, &mut mistakes) {
        match checked(&key, value, &defaults) {
            Ok(value) => sound.push((key, value)),
            Err(error) => mistakes.push(format!("{origin}: {error}")),
        }
    }
    if mistakes.is_empty() { with(sound).map_err(|error| Mistakes(vec![error])) } else { Err(Mistakes(mistakes)) }
}

/// All settings, weakest first.
fn settings(sources: &Sources, mistakes: &mut Vec<String>) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some((path, text)) = &sources.file {
        let origin = path.display().to_string();
        match parse(text) {
            Ok(leaves) => {
                settings.extend(leaves.into_iter().map(|(key, value)| Setting { key, value, origin: origin.clone() }))
            }
            Err(error) => mistakes.push(format!("{origin}: {error}")),
        }
    }
    for (variable, value) in &sources.variables {
        let origin = variable.to_string_lossy();
        let Some(path) = origin.strip_prefix(VARIABLES) else { continue };
        match (variable.to_str(), value.to_str()) {
            (Some(_), Some(value)) => {
                let (key, value) = (path.replace("__", ".").to_lowercase(), Value::from(value));
                settings.push(Setting { key, value, origin: origin.into_owned() });
            }
            // The value may be a secret, so it is not told.
            _ => mistakes.push(format!("{origin}: must be text in UTF-8")),
        }
    }
    settings.extend(sources.flags.iter().cloned());
    settings
}

/// The value as it counts, if the setting exists and can have it.
fn checked(key: &str, value: Value, defaults: &BTreeMap<String, Value>) -> Result<Value, String> {
    let Some(default) = defaults.get(key) else {
        return Err(format!("there is no setting {key}{}", nearest(key, defaults.keys())));
    };
    let value = of_kind(value, &default.kind).map_err(|error| format!("{key}: {error}"))?;
    match with([(key.to_owned(), value.clone())]) {
        Ok(_) => Ok(value),
        // The library names the key as well.
        Err(error) => Err(format!("{key}: {}", error.trim_end_matches(&format!(" for key `{key}`")))),
    }
}

/// The value in the kind of the default. Only text is read as something else: it is all that variables can say.
fn of_kind(value: Value, kind: &ValueKind) -> Result<Value, String> {
    let read = |kind: Option<ValueKind>, wanted: &str, text: &str| {
        kind.map(|kind| Value::new(None, kind)).ok_or(format!("must be {wanted}, was {text:?}"))
    };
    match (kind, &value.kind) {
        (ValueKind::I64(_), ValueKind::String(text)) => {
            read(text.trim().parse().ok().map(ValueKind::I64), "a whole number", text)
        }
        (ValueKind::Boolean(_), ValueKind::String(text)) => {
            read(text.trim().parse().ok().map(ValueKind::Boolean), "true or false", text)
        }
        (ValueKind::I64(_), ValueKind::I64(_))
        | (ValueKind::Boolean(_), ValueKind::Boolean(_))
        | (ValueKind::String(_), ValueKind::String(_)) => Ok(value),
        (ValueKind::I64(_), other) => Err(format!("must be a whole number, was {other}")),
        (ValueKind::Boolean(_), other) => Err(format!("must be true or false, was {other}")),
        (_, other) => Err(format!("must be text in quotes, was {other}")),
    }
}

/// The defaults with these settings.
fn with(settings: impl IntoIterator<Item = (String, Value)>) -> Result<Config, String> {
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    for (key, value) in settings {
        builder = builder.set_override(&key, value).map_err(|error| error.to_string())?;
    }
    builder.build().and_then(config::Config::try_deserialize).map_err(|error| error.to_string())
}

/// Every setting in a TOML text, by its dotted name.
fn parse(text: &str) -> Result<Vec<(String, Value)>, String> {
    let table = File::from_str(text, FileFormat::Toml).collect().map_err(|error| error.to_string())?;
    let mut leaves = Vec::new();
    let mut open: Vec<(String, Value)> = table.into_iter().collect();
    while let Some((key, value)) = open.pop() {
        match value.kind {
            ValueKind::Table(inner) => {
                open.extend(inner.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            _ => leaves.push((key, value)),
        }
    }
    leaves.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(leaves)
}

/// "; did you mean …?", if a known setting differs by little.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> String {
    let near = known.map(|known| (distance(key, known), known)).min();
    near.filter(|(steps, _)| *steps <= 3).map_or(String::new(), |(_, known)| format!("; did you mean {known}?"))
}

/// Letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let next = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row.last().copied().unwrap_or(0)
}
