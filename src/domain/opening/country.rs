//! The country of a store, whose holidays `PH` and `SH` are.
//!
//! Law: only the holidays of a whole country count; those of its regions are said as dates in the hours themselves.

use serde::{Deserialize, Serialize};

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

    pub(super) fn holidays(self) -> opening_hours::ContextHolidays {
        self.0.holidays()
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
