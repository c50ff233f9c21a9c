//! The version of an app as its maker counts it: `4.12.1`.
//!
//! Law: versions compare number by number, and a number that is not said is 0: 4.12 is 4.12.0.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{text::quoted, violation::Invalid};

/// Most numbers of one version.
const PARTS: usize = 4;
/// Most digits of one number.
const DIGITS: usize = 9;

/// One to four numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppVersion([u32; PARTS]);

impl AppVersion {
    /// Reads one to four numbers of at most nine digits, with dots between them.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            Invalid::new(format!(
                "must be 1 to {PARTS} numbers of at most {DIGITS} digits with dots between them, such as \"4.12.1\", was {}",
                quoted(text)
            ))
        };
        let (mut numbers, mut parts) = ([0; PARTS], text.split('.'));
        for (number, part) in numbers.iter_mut().zip(parts.by_ref()) {
            let is_sound = (1..=DIGITS).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            *number = Some(part).filter(|_| is_sound).and_then(|part| part.parse().ok()).ok_or_else(refuse)?;
        }
        if parts.next().is_some() { Err(refuse()) } else { Ok(Self(numbers)) }
    }
}

/// Without the zeros at its end.
impl fmt::Display for AppVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.0.iter().rposition(|&number| number > 0).map_or(1, |last| last + 1);
        let numbers: Vec<String> = self.0[..said].iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl TryFrom<String> for AppVersion {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<AppVersion> for String {
    fn from(version: AppVersion) -> String {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_number_by_number() {
        let version = |text: &str| AppVersion::parse(text).expect("sound");
        assert!(
            version("4.9") < version("4.12") && version("4.12.0") == version("4.12") && version("10") > version("9.9")
        );
        assert_eq!((version("4.12.0").to_string(), version("0.0").to_string()), ("4.12".into(), "0".into()));
        for bad in ["", ".", "1.", "1.2.3.4.5", "1.2-beta", "v1", "1234567890", "1. 2", "-1"] {
            assert!(AppVersion::parse(bad).is_err(), "{bad}");
        }
    }
}
