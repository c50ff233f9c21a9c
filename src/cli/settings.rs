//! The flags that make settings, shared by the commands that start a server or need its database.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Mistakes, Sources, Variables};

const HEADING: &str = "Settings";

/// A flag of the command's own that makes a setting: its name, the setting's, and what was given.
pub type Flag<'a> = (&'a str, &'a str, Option<&'a String>);

#[derive(Debug, Default, Args)]
pub struct Settings {
    /// Settings file; deploy/default.toml in the sources shows all settings with their defaults and reasons
    #[arg(long, value_name = "FILE", env = "DINTORNI_CONFIG", help_heading = HEADING)]
    config: Option<PathBuf>,
    /// Where data is kept [setting: server.data_dir, "data" by default]
    #[arg(long, value_name = "DIRECTORY", help_heading = HEADING)]
    data_dir: Option<String>,
    /// Any setting by its dotted name; may be repeated. Weaker than this are variables (DINTORNI__SERVER__LISTEN sets
    /// server.listen), then the file
    #[arg(long = "set", value_name = "SETTING=VALUE", help_heading = HEADING)]
    set: Vec<String>,
}

impl Settings {
    /// The settings in force, from the defaults, the file, `variables` and the flags, with those of the command's own in
    /// `more`; or everything wrong with them.
    pub fn read(&self, variables: Variables, more: &[Flag<'_>]) -> Result<Config, Mistakes> {
        let mut mistakes = Vec::new();
        let mut sources = Sources::new(variables);
        if let Some(path) = &self.config {
            match std::fs::read_to_string(path) {
                Ok(text) => sources = sources.with_file(path, text),
                Err(error) => mistakes.push(format!("--config {}: {error}", path.display())),
            }
        }
        let data_dir: Flag<'_> = ("--data-dir", "server.data_dir", self.data_dir.as_ref());
        for (flag, key, value) in more.iter().copied().chain([data_dir]) {
            if let Some(value) = value {
                sources.flag(flag, key, value);
            }
        }
        for pair in &self.set {
            match pair.split_once('=') {
                Some((key, value)) => sources.flag("--set", key.trim(), value.trim()),
                None => mistakes.push(format!("--set {pair}: must be SETTING=VALUE")),
            }
        }
        match Config::read(&sources) {
            Ok(config) if mistakes.is_empty() => Ok(config),
            Ok(_) => Err(Mistakes(mistakes)),
            Err(Mistakes(more)) => Err(Mistakes(mistakes.into_iter().chain(more).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_their_mistakes_are_reported_together() {
        let settings = Settings {
            config: Some("/nowhere/a.toml".into()),
            set: vec!["telemetry.log".into(), "server.x=1".into()],
            ..Settings::default()
        };
        let Mistakes(mistakes) = settings
            .read(Variables::new(), &[("--listen", "server.listen", Some(&"here".to_owned()))])
            .expect_err("refused");
        let starts =
            ["--config /nowhere/a.toml: ", "--set telemetry.log: ", "--listen: server.listen: ", "--set: there is"];
        assert_eq!(mistakes.len(), starts.len(), "{mistakes:?}");
        for (mistake, start) in mistakes.iter().zip(starts) {
            assert!(mistake.starts_with(start), "{mistake}");
        }
    }
}
