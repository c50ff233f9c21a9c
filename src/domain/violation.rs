//! What is wrong with an input: one finding per field, all of them collected before anything is refused.
//!
//! Law 8: bad input gets a clear answer that names the field, what was wrong and what is allowed.

use std::fmt;

/// Why one value was refused, and what would be allowed. It does not know the field it stood in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// `what` is a sentence without its subject: "must be between 1 and 50, was 0".
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// One refused field of a request, by its path in the request message (`fixes[3].position.latitude`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub description: String,
}

/// All refused fields of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub fn one(field: impl Into<String>, invalid: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.add(field, invalid);
        violations
    }

    pub fn add(&mut self, field: impl Into<String>, invalid: impl fmt::Display) {
        self.0.push(Violation { field: field.into(), description: invalid.to_string() });
    }

    /// Notes the error under `field`, if there is one, and hands on the value.
    pub fn take<T>(&mut self, field: impl Into<String>, value: Result<T, Invalid>) -> Option<T> {
        value.map_err(|invalid| self.add(field, invalid)).ok()
    }

    /// Notes the violations of a nested message under `prefix.` (of the same message if it is empty), and hands on the
    /// value.
    pub fn nest<T>(&mut self, prefix: &str, value: Result<T, Violations>) -> Option<T> {
        let inner = match value {
            Ok(value) => return Some(value),
            Err(inner) => inner.0,
        };
        for violation in inner {
            self.0.push(Violation { field: join(prefix, &violation.field), ..violation });
        }
        None
    }

    /// `value` if nothing was refused. A missing value without a violation is a fault of the caller's code and
    /// is reported as such, never a panic.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Violations> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            None if self.0.is_empty() => {
                self.add("", "the request is incomplete");
                Err(self)
            }
            _ => Err(self),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

fn join(prefix: &str, field: &str) -> String {
    match (prefix, field) {
        (only, "") | ("", only) => only.to_owned(),
        (prefix, field) => format!("{prefix}.{field}"),
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { "; " };
            write!(f, "{gap}{}: {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
