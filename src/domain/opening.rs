//! Opening hours: what a store says in OpenStreetMap's `opening_hours` words, and which minutes of a date that is.
//!
//! Laws: what is written is refused if it cannot be read, or says what no calendar has; what is open only perhaps
//! (`unknown`, or with nothing but a comment such as "by appointment") is not open. Equal hours are kept once, however many
//! stores have them. The words are read and evaluated here, for the crate `opening-hours` takes much that is malformed, and
//! lets a Saturday's night go where a rule for the Sunday stands before it; its calendars of holidays and its sun are used.
//! It and `chrono` are named in this module and nowhere else.

mod country;
mod cursor;
mod dates;
mod days;
#[cfg(test)]
mod known_answers;
mod read;
mod read_dates;
mod read_days;
mod read_times;
mod rules;
mod site;
#[cfg(test)]
mod tests;
mod times;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use country::Country;
pub use site::Site;

use rules::Rules;

use super::{place::MAX_OPENING_HOURS, schedule::Spans, text::optional_line, violation::Invalid};

/// When a store is open, or nothing known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct OpeningHours(Option<Arc<Hours>>);

struct Hours {
    /// As it was given.
    text: Box<str>,
    /// None for what was stored before it was checked, and cannot be read.
    rules: Option<Rules>,
}

impl OpeningHours {
    /// Reads at most [`MAX_OPENING_HOURS`] characters; blank text is nothing known. Refused with the place of the fault.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let Some(text) = optional_line(text, MAX_OPENING_HOURS)? else { return Ok(Self::default()) };
        if let Some(hours) = shared(&text).filter(|hours| hours.rules.is_some()) {
            return Ok(Self(Some(hours)));
        }
        let rules = Some(read::read(&text)?);
        Ok(Self(Some(share(Hours { text: text.into(), rules }))))
    }

    /// What a record says, even if it would be refused today: then the text is kept, and nothing known.
    fn stored(text: String) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        if let Some(hours) = shared(&text) {
            return Self(Some(hours));
        }
        let rules = read::read(&text).ok();
        Self(Some(share(Hours { text: text.into(), rules })))
    }

    /// As it was given; empty if nothing is known.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |hours| &hours.text)
    }

    /// Whether it is known when the store is open.
    pub fn is_known(&self) -> bool {
        self.0.as_ref().is_some_and(|hours| hours.rules.is_some())
    }

    /// The minutes of a date in which a store there is open for sure; none if nothing is known.
    pub fn on(&self, date: Date, site: &Site<'_>) -> Spans {
        let rules = self.0.as_ref().and_then(|hours| hours.rules.as_ref());
        rules.map(|rules| rules.on(date, site)).unwrap_or_default()
    }
}

/// Everything that is kept, by its text.
type Known = HashMap<Box<str>, Weak<Hours>>;
static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

fn with_known<T>(act: impl FnOnce(&mut Known) -> T) -> T {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    act(known.get_or_insert_default())
}

fn shared(text: &str) -> Option<Arc<Hours>> {
    with_known(|known| known.get(text)?.upgrade())
}

/// Keeps the hours, or finds that somebody else did meanwhile.
fn share(hours: Hours) -> Arc<Hours> {
    with_known(|known| {
        if let Some(first) = known.get(&hours.text).and_then(Weak::upgrade) {
            return first;
        }
        // What no store has any more goes when the table would grow for it.
        if known.len() == known.capacity() {
            known.retain(|_, hours| hours.strong_count() > 0);
        }
        let hours = Arc::new(hours);
        known.insert(hours.text.clone(), Arc::downgrade(&hours));
        hours
    })
}

impl PartialEq for Hours {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Hours {}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl From<String> for OpeningHours {
    fn from(text: String) -> Self {
        Self::stored(text)
    }
}

impl From<OpeningHours> for String {
    fn from(hours: OpeningHours) -> String {
        hours.as_str().to_owned()
    }
}
