//! The values of traits, and how they are compared.
//!
//! Law: only numbers and dates have an order; a number is finite.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{date::Date, text::line, violation::Invalid};

/// Longest text value of a trait, in characters.
pub const MAX_TRAIT_TEXT: usize = 256;

/// The value of a trait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraitValue {
    Text(String),
    Number(f64),
    Flag(bool),
    Date(Date),
}

impl TraitValue {
    pub fn text(text: &str) -> Result<Self, Invalid> {
        line(text, MAX_TRAIT_TEXT).map(Self::Text)
    }

    pub fn number(number: f64) -> Result<Self, Invalid> {
        if number.is_finite() { Ok(Self::Number(number)) } else { Err(Invalid::new("must be a finite number")) }
    }

    pub fn date(text: &str) -> Result<Self, Invalid> {
        Date::parse(text).map(Self::Date)
    }

    fn is_ordered(&self) -> bool {
        match self {
            Self::Number(_) | Self::Date(_) => true,
            Self::Text(_) | Self::Flag(_) => false,
        }
    }
}

impl fmt::Display for TraitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Date(date) => date.fmt(f),
        }
    }
}

/// How a trait is compared. Ordering operators hold for numbers and dates only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Equals,
    NotEquals,
    LessThan,
    AtMost,
    GreaterThan,
    AtLeast,
}

impl Comparison {
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equals => "=",
            Comparison::NotEquals => "≠",
            Comparison::LessThan => "<",
            Comparison::AtMost => "≤",
            Comparison::GreaterThan => ">",
            Comparison::AtLeast => "≥",
        }
    }

    pub fn is_ordering(self) -> bool {
        !matches!(self, Comparison::Equals | Comparison::NotEquals)
    }
}

/// Whether such a value can be compared so.
pub fn check_comparison(comparison: Comparison, value: &TraitValue) -> Result<(), Invalid> {
    if comparison.is_ordering() && !value.is_ordered() {
        return Err(Invalid::new(format!("{} compares numbers and dates only", comparison.symbol())));
    }
    Ok(())
}
