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

/// Most violations of one request that are told; nobody mends more at a time, and each costs memory.
pub const MOST_TOLD: usize = 100;

/// All refused fields of one request: the first [`MOST_TOLD`] of them, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    told: Vec<Violation>,
    more: usize,
}

impl Violations {
    pub fn one(field: impl Into<String>, invalid: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.add(field, invalid);
        violations
    }

    pub fn add(&mut self, field: impl Into<String>, invalid: impl fmt::Display) {
        if self.told.len() < MOST_TOLD {
            self.told.push(Violation { field: field.into(), description: invalid.to_string() });
        } else {
            self.more += 1;
        }
    }

    /// Notes the error under `field`, if there is one, and hands on the value.
    pub fn take<T>(&mut self, field: impl Into<String>, value: Result<T, Invalid>) -> Option<T> {
        value.map_err(|invalid| self.add(field, invalid)).ok()
    }

    /// Notes the violations of a nested message under `prefix.` (of the same message if it is empty), and hands on the
    /// value.
    pub fn nest<T>(&mut self, prefix: impl fmt::Display, value: Result<T, Violations>) -> Option<T> {
        let inner = match value {
            Ok(value) => return Some(value),
            Err(inner) => inner,
        };
        let (prefix, room) = (prefix.to_string(), MOST_TOLD - self.told.len());
        self.more += inner.more + inner.told.len().saturating_sub(room);
        for violation in inner.told.into_iter().take(room) {
            self.told.push(Violation { field: join(&prefix, &violation.field), ..violation });
        }
        None
    }

    /// `value` if nothing was refused. A missing value without a violation is a fault of the caller's code and
    /// is reported as such, never a panic.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Violations> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            None if self.is_empty() => {
                self.add("", "the request is incomplete");
                Err(self)
            }
            _ => Err(self),
        }
    }

    /// Those of these fields and of what lies below them.
    pub fn within(mut self, fields: &[String]) -> Self {
        let below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        let among = |field: &str| fields.iter().any(|path| field.strip_prefix(path.as_str()).is_some_and(below));
        self.told.retain(|violation| among(&violation.field));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// How many fields were refused, with those that are not told.
    pub fn count(&self) -> usize {
        self.told.len() + self.more
    }

    /// Those that are told, at most [`MOST_TOLD`].
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.told.iter()
    }
}

/// Refuses a list that is longer than allowed; ask it before the list is read.
pub fn at_most(most: usize, count: usize) -> Result<(), Invalid> {
    if count <= most { Ok(()) } else { Err(Invalid::new(format!("must be at most {most}, were {count}"))) }
}

fn join(prefix: &str, field: &str) -> String {
    match (prefix, field) {
        (only, "") | ("", only) => only.to_owned(),
        (prefix, field) if field.starts_with('[') => format!("{prefix}{field}"),
        (prefix, field) => format!("{prefix}.{field}"),
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.told.iter().enumerate() {
            let gap = if i == 0 { "" } else { "; " };
            write!(f, "{gap}{}: {}", violation.field, violation.description)?;
        }
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_bound_violations_are_counted_only() {
        let mut inner = Violations::default();
        (0..MOST_TOLD + 5).for_each(|i| inner.add(format!("a[{i}]"), "is wrong"));
        let mut outer = Violations::one("b", "is wrong");
        outer.nest("x", inner.finish(Some(())));
        assert_eq!((outer.iter().count(), outer.count()), (MOST_TOLD, MOST_TOLD + 6));
        assert_eq!(outer.iter().last().map(|last| last.field.as_str()), Some("x.a[98]"));
        assert!(outer.to_string().ends_with("; and 6 more"), "{outer}");
    }
}
