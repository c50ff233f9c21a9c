//! What commands print.
//!
//! Law: the result goes to standard output, all else to standard error; colours only to a terminal. A reader that went
//! away (`| head`) changes neither what is done nor how it ends, and a closed standard error ends nothing.

use std::{
    error::Error,
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write},
};

use anyhow::Context;
use clap::builder::styling::{AnsiColor, Style};
use tonic::Status;
use tonic_types::StatusExt;

use crate::grpc::wire::optional_timestamp;

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct Closed;

/// Prints lines of the result; if nobody reads them any more, that is no fault of the result.
pub fn say(text: impl Display) -> anyhow::Result<()> {
    say_to_reader(text).or_else(|error| if error.is::<Closed>() { Ok(()) } else { Err(error) })
}

/// Prints lines that are of no use unless somebody reads them: [`Closed`] if nobody does.
pub fn say_to_reader(text: impl Display) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        written => written.context("standard output cannot be written"),
    }
}

/// Prints lines about the result.
pub fn note(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// An error with what caused it, and what caused that; each cause once, though libraries repeat theirs.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    let chain = anyhow::Chain::new(error);
    for text in chain.map(ToString::to_string) {
        if told.last().is_some_and(|last| last.ends_with(&text)) {
            continue;
        }
        told.pop_if(|last| text.starts_with(last.as_str()));
        told.push(text);
    }
    told.join(": ")
}

/// A refusal as one reads it: what was wrong; several wrong fields on a line each.
pub fn refusal(status: &Status) -> anyhow::Error {
    // Words of the client's library, not of a server.
    if status.source().is_some() || status.message().starts_with("grpc-status header missing") {
        let why = status.source().map_or_else(|| status.message().to_owned(), causes);
        return anyhow::anyhow!("no gRPC server answered there: {why}");
    }
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    let mut text = format!("the server refused ({:?}): ", status.code());
    if fields.len() < 2 {
        text.push_str(status.message());
    } else {
        text.push_str(&format!("{} fields", fields.len()));
    }
    for wrong in fields.iter().filter(|_| fields.len() > 1) {
        let field = if wrong.field.is_empty() { String::new() } else { format!("{}: ", wrong.field) };
        text.push_str(&format!("\n  {field}{}", wrong.description));
    }
    anyhow::Error::msg(text)
}

/// Colours for standard output.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// On for a terminal, unless the variable NO_COLOR says otherwise.
    pub fn for_stdout() -> Self {
        let unwanted = |name: &str, value: Option<&str>| {
            std::env::var_os(name).is_some_and(|set| value.map_or(!set.is_empty(), |value| set == value))
        };
        Self { on: std::io::stdout().is_terminal() && !unwanted("NO_COLOR", None) && !unwanted("TERM", Some("dumb")) }
    }

    /// No colours, for what goes elsewhere.
    pub fn off() -> Self {
        Self { on: false }
    }

    pub fn title(self, text: impl Display) -> String {
        self.with(Style::new().bold(), text)
    }

    pub fn good(self, text: impl Display) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub fn bad(self, text: impl Display) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    pub fn faint(self, text: impl Display) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn with(self, style: Style, text: impl Display) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

/// A time of a message to the second, in UTC; a dash if there is none.
pub fn time(wire: Option<prost_types::Timestamp>) -> String {
    let second = wire.map(|wire| prost_types::Timestamp { nanos: 0, ..wire });
    optional_timestamp(second).ok().flatten().map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// Rows in columns, two spaces apart, each as wide as its widest value.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|value| value.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(value, width)| format!("{value:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::violation::Violations, grpc::status::invalid};

    #[test]
    fn no_colours_unless_they_are_on() {
        assert_eq!(Paint { on: false }.good("yes"), "yes");
        assert_eq!(Paint { on: true }.good("yes"), "\u{1b}[32myes\u{1b}[0m");
    }

    #[test]
    fn each_cause_is_told_once() {
        let error = anyhow::anyhow!("refused (os error 111)").context("tcp: refused (os error 111)").context("tcp");
        assert_eq!(
            causes(error.context("it cannot be reached").as_ref()),
            "it cannot be reached: tcp: refused (os error 111)"
        );
    }

    #[test]
    fn one_wrong_field_is_told_once_and_several_each() {
        let mut wrong = Violations::one("key_id", "is too long");
        assert_eq!(refusal(&invalid(&wrong)).to_string(), "the server refused (InvalidArgument): key_id: is too long");
        wrong.add("scope", "is required");
        let told = refusal(&invalid(&wrong)).to_string();
        assert_eq!(told, "the server refused (InvalidArgument): 2 fields\n  key_id: is too long\n  scope: is required");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["a", "bb", ""], ["ccc", "d", "e"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a    bb\nccc  d   e");
    }
}
