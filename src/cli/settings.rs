//! The flags that make settings, shared by the commands that start a server.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use crate::config::{Config, Mistakes, Sources};

#[derive(Debug, Default, Args)]
pub struct Settings {
    /// Settings file; deploy/default.toml in the sources shows all settings with their defaults and reasons
    #[arg(long, value_name = "FILE", env = "DINTORNI_CONFIG")]
    config: Option<PathBuf>,
    /// Where to serve gRPC [setting: server.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where to keep data [setting: server.data_dir]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
    /// Any setting by its dotted name; may be repeated
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    set: Vec<String>,
}

impl Settings {
    /// The settings in force, from the defaults, the file, `variables` and the flags; or everything wrong with them.
    pub fn read(&self, variables: BTreeMap<String, String>) -> Result<Config, Mistakes> {
        let mut mistakes = Vec::new();
        let mut sources = Sources::new(variables);
        if let Some(path) = &self.config {
            match std::fs::read_to_string(path) {
                Ok(text) => sources = sources.with_file(path, text),
                Err(error) => mistakes.push(format!("--config {}: {error}", path.display())),
            }
        }
        let named = [("--listen", "server.listen", &self.listen), ("--data-dir", "server.data_dir", &self.data_dir)];
        for (flag, key, value) in named {
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
            listen: Some("here".into()),
            set: vec!["telemetry.log".into(), "server.x=1".into()],
            ..Settings::default()
        };
        let Mistakes(mistakes) = settings.read(BTreeMap::new()).expect_err("refused");
        let starts =
            ["--config /nowhere/a.toml: ", "--set telemetry.log: ", "--listen: server.listen: ", "--set: there is"];
        assert_eq!(mistakes.len(), starts.len(), "{mistakes:?}");
        for (mistake, start) in mistakes.iter().zip(starts) {
            assert!(mistake.starts_with(start), "{mistake}");
        }
    }
}
