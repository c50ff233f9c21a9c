//! Amounts of money.
//!
//! Law: money is a currency and minor units, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{text::quoted, violation::Invalid};

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    currency: String,
    minor_units: i64,
}

impl Money {
    /// `currency` is an ISO 4217 code; `minor_units` are its smallest coins (499 is 4.99 EUR and 499 JPY).
    pub fn new(currency: &str, minor_units: i64) -> Result<Self, Invalid> {
        if iso_currency::Currency::from_code(currency).is_none() {
            return Err(Invalid::new(format!(
                "currency must be an ISO 4217 code such as \"EUR\", was {}",
                quoted(currency)
            )));
        }
        if minor_units < 0 {
            return Err(Invalid::new(format!("minor_units must not be negative, was {minor_units}")));
        }
        Ok(Self { currency: currency.to_owned(), minor_units })
    }

    /// Reads what people write: `4.99`, `4,99` or `5`, with no more decimals than the currency has. Whole numbers all the
    /// way, so that no cent is lost to rounding.
    pub fn read(currency: &str, text: &str) -> Result<Self, Invalid> {
        let places = Self::new(currency, 0)?.decimals();
        let wrong = || {
            let example = Self { currency: currency.to_owned(), minor_units: 499 };
            Invalid::new(format!("must be an amount such as {example}, was {}", quoted(text)))
        };
        let text = text.trim();
        let (whole, rest) = text.split_once(['.', ',']).map_or((text, None), |(whole, rest)| (whole, Some(rest)));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        // What begins with zeros is rather a scanned code.
        let sound = !whole.is_empty() && digits(whole) && (whole == "0" || !whole.starts_with('0'));
        let decimals = rest.unwrap_or_default();
        let sound_rest = rest.is_none_or(|rest| !rest.is_empty() && rest.len() <= places && digits(rest));
        if !sound || !sound_rest {
            return Err(wrong());
        }
        let minor_units = format!("{whole}{decimals:0<places$}").parse().map_err(|_| wrong())?;
        Self::new(currency, minor_units)
    }

    fn decimals(&self) -> usize {
        let exponent = iso_currency::Currency::from_code(&self.currency).and_then(|currency| currency.exponent());
        usize::from(exponent.unwrap_or(0))
    }

    pub fn currency(&self) -> &str {
        &self.currency
    }

    pub fn minor_units(&self) -> i64 {
        self.minor_units
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.decimals();
        let whole = (0..width).fold(1, |whole, _| whole * 10);
        let (units, rest) = (self.minor_units / whole, self.minor_units % whole);
        if width == 0 {
            return write!(f, "{units} {}", self.currency);
        }
        write!(f, "{units}.{rest:0width$} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_in_its_own_units() {
        assert_eq!(Money::new("EUR", 405).expect("sound").to_string(), "4.05 EUR");
        assert_eq!(Money::new("JPY", 405).expect("sound").to_string(), "405 JPY");
        assert!(Money::new("EURO", 1).is_err() && Money::new("EUR", -1).is_err());
    }

    #[test]
    fn amounts_are_read_in_the_decimals_of_their_currency() {
        let units = |currency, text| Money::read(currency, text).map(|money| money.minor_units()).ok();
        assert_eq!(
            [units("EUR", "4.99"), units("EUR", " 4,99 "), units("EUR", "5")],
            [Some(499), Some(499), Some(500)]
        );
        assert_eq!([units("EUR", "4.5"), units("EUR", "0.05"), units("EUR", "0")], [Some(450), Some(5), Some(0)]);
        assert_eq!([units("JPY", "405"), units("JPY", "4.05"), units("KWD", "1.005")], [Some(405), None, Some(1_005)]);
        // The largest, and one more.
        assert_eq!(units("JPY", "9223372036854775807"), Some(i64::MAX));
        for wrong in
            ["", ".", "5.", ".5", "1,234", "1.2.3", "-1", "+1", "1e2", "0005", "4 99", "٤", "92233720368547758.08"]
        {
            assert_eq!(units("EUR", wrong), None, "{wrong}");
        }
        assert_eq!(units("EURO", "1"), None);
    }
}
