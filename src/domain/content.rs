//! WHAT: the words, picture, link and price a person sees.
//!
//! Law: money is a currency and minor units, never a float; links are https or an app's own scheme.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    text::quoted,
    violation::{Invalid, Violations},
};

/// Longest title, in characters: what a lock screen shows on one line.
pub const MAX_TITLE: usize = 100;
/// Longest body, in characters.
pub const MAX_BODY: usize = 1_000;
/// Longest link, in characters.
pub const MAX_LINK: usize = 2_000;

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

/// What an offer shows. Empty strings mean "none".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub title: String,
    pub body: String,
    pub image_url: String,
    pub link: String,
    pub price: Option<Money>,
}

impl Content {
    pub fn new(title: &str, body: &str, image_url: &str, link: &str, price: Option<Money>) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let title = wrong.take("title", super::text::line(title, MAX_TITLE));
        let body = wrong.take("body", super::text::optional_line(body, MAX_BODY));
        let image_url = wrong.take("image_url", web_address(image_url, &["https"]));
        let link = wrong.take("link", any_link(link));
        let content = (|| {
            let body = body?.unwrap_or_default();
            Some(Self { title: title?, body, image_url: image_url?, link: link?, price })
        })();
        wrong.finish(content)
    }
}

fn any_link(link: &str) -> Result<String, Invalid> {
    const FORBIDDEN: [&str; 4] = ["javascript", "data", "file", "http"];
    let scheme = scheme_of(link).map(str::to_ascii_lowercase);
    match scheme {
        Some(scheme) if FORBIDDEN.contains(&scheme.as_str()) => {
            Err(Invalid::new(format!("must be https or an app's own scheme, was {}", quoted(link))))
        }
        Some(scheme) => web_address(link, &[&scheme]),
        None => web_address(link, &["https"]),
    }
}

fn scheme_of(link: &str) -> Option<&str> {
    let (scheme, _) = link.split_once(':')?;
    let sound = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    sound.then_some(scheme)
}

fn web_address(link: &str, schemes: &[&str]) -> Result<String, Invalid> {
    let sound = link.is_empty()
        || (link.len() <= MAX_LINK
            && link.chars().all(|c| c.is_ascii_graphic())
            && scheme_of(link).is_some_and(|scheme| schemes.iter().any(|s| scheme.eq_ignore_ascii_case(s))));
    if sound {
        return Ok(link.to_owned());
    }
    Err(Invalid::new(format!(
        "must be a {} link of at most {MAX_LINK} ASCII characters, was {}",
        schemes.join(" or "),
        quoted(link)
    )))
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

    #[test]
    fn content_names_every_fault_at_once() {
        let wrong = Content::new("", "", "http://x", "javascript:alert(1)", None).expect_err("three faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["title", "image_url", "link"]);
        assert!(Content::new("Coffee", "", "", "shopper://offers/1", None).is_ok());
    }
}
