//! The country of a store, whose holidays `PH` and `SH` are.
//!
//! Law: only the holidays of a whole country count; those of its regions are said as dates in the hours themselves. They are
//! those of the crate `opening-hours`, which has them from date.nager.at, but for what is known to be wrong there.

use jiff::civil::{Date, Weekday};
use opening_hours_syntax::rules::day::HolidayKind;
use serde::{Deserialize, Serialize};

use super::site::naive;
use crate::domain::{text::quoted, violation::Invalid};

/// A country with a calendar of public holidays, by its ISO 3166-1 code of two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(opening_hours::localization::Country);

impl Country {
    pub fn new(code: &str) -> Result<Self, Invalid> {
        code.parse().map(Self).map_err(|_| {
            let allowed = "must be the ISO 3166-1 code of a country whose holidays are known, such as \"IT\"";
            Invalid::new(format!("{allowed}, was {}", quoted(code)))
        })
    }

    pub fn as_str(self) -> &'static str {
        self.0.iso_code()
    }

    /// Whether it has a holiday of that kind on the date.
    pub(super) fn celebrates(self, kind: HolidayKind, date: Date) -> bool {
        let is_known = naive(date).is_some_and(|date| self.0.holidays().get_for_kind(kind).contains(date));
        is_known || (kind == HolidayKind::Public && self.as_str() == "GB" && is_new_years_bank_holiday(date))
    }
}

/// The first of January, or the Monday after it if it is on a weekend: so in all of the United Kingdom (gov.uk/bank-holidays).
/// The calendars list it under each of its nations, and none for the whole.
fn is_new_years_bank_holiday(date: Date) -> bool {
    let is_weekend = |day: Weekday| matches!(day, Weekday::Saturday | Weekday::Sunday);
    match (date.month(), date.day()) {
        (1, 1) => !is_weekend(date.weekday()),
        (1, 2..=3) => date.weekday() == Weekday::Monday,
        _ => false,
    }
}

impl TryFrom<String> for Country {
    type Error = Invalid;
    fn try_from(code: String) -> Result<Self, Invalid> {
        Self::new(&code)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.as_str().to_owned()
    }
}
