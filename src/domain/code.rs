//! Codes of coupons: what a till scans, or an assistant types.
//!
//! Law: codes that look alike are alike: capitals, blanks and dashes do not matter. A drawn code has no letter that can be
//! taken for a digit, a check character, and more randomness than anyone can try out. Law 4: it is never logged.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::violation::Invalid;

/// Crockford's base 32: digits and capitals without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a drawn code before its check character: 55 bits.
const DRAWN: usize = 11;
/// Shortest and longest code, without dashes and blanks.
pub const LENGTH: std::ops::RangeInclusive<usize> = 4..=64;

/// A code as it is compared: capitals and digits only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Code {
    /// Reads a code, as it was typed or scanned.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        // One more than is allowed tells enough of a text that is too long.
        let code: String = kept.take(LENGTH.end() + 1).map(|c| c.to_ascii_uppercase()).collect();
        if LENGTH.contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(Self(code));
        }
        // The code itself is not repeated: it may be a good one with a blemish.
        let (least, most) = (LENGTH.start(), LENGTH.end());
        Err(Invalid::new(format!("must be {least} to {most} letters and digits, blanks and - apart")))
    }

    /// Draws a code from 55 random bits.
    pub fn draw(random: u64) -> Self {
        let symbol = |i: usize| ALPHABET[(random >> (5 * i)) as usize % 32];
        let mut code: Vec<u8> = (0..DRAWN).map(symbol).collect();
        code.push(ALPHABET[usize::from(check(&code))]);
        Self(code.into_iter().map(char::from).collect())
    }

    /// The drawn code that is meant, if letters were taken for digits: O for 0, I and L for 1.
    pub fn as_drawn(&self) -> Self {
        let digit = |c| match c {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        Self(self.0.chars().map(digit).collect())
    }

    /// Whether it has the length of a drawn code, but not its check character: then it was mistyped, if it was drawn.
    pub fn is_mistyped(&self) -> bool {
        let meant = self.as_drawn();
        let (body, last) = meant.0.as_bytes().split_at(meant.0.len() - 1);
        meant.0.len() == DRAWN + 1 && last != [ALPHABET[usize::from(check(body))]]
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In groups of four, as people read it.
    pub fn grouped(&self) -> String {
        let groups: Vec<&str> =
            self.0.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        groups.join("-")
    }
}

/// Σ 2ⁱ·xᵢ in the field of 32 elements (x⁵ + x² + 1): a wrong character changes it, and so do two that changed places.
fn check(code: &[u8]) -> u8 {
    let double = |x: u8| (x << 1) ^ if x & 16 == 0 { 0 } else { 0b10_0101 };
    let value = |c: &u8| ALPHABET.iter().position(|symbol| symbol == c).unwrap_or(0) as u8;
    code.iter().fold(0, |sum, c| double(sum ^ value(c)) & 31)
}

/// The code itself is for its holder and the till: not for logs.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code")
    }
}

impl TryFrom<String> for Code {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> String {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_that_look_alike_are_alike() {
        let code = Code::parse("sum-mer 20").expect("sound");
        assert_eq!(code.as_str(), "SUMMER20");
        assert_eq!(Code::parse("SUMMER20").expect("sound"), code);
        for bad in ["", "abc", "a-b-c", "ünde", "ab_cd", &"a".repeat(65)] {
            assert!(Code::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_drawn_code_is_read_back_however_it_is_written(random: u64) {
            let code = Code::draw(random);
            prop_assert!(!code.is_mistyped());
            let sloppy = code.grouped().to_lowercase().replace('0', "o").replace('1', "l");
            let read = Code::parse(&sloppy).expect("sound");
            prop_assert!(!read.is_mistyped());
            prop_assert_eq!(read.as_drawn(), code);
        }

        #[test]
        fn a_wrong_character_and_two_in_the_wrong_places_are_noticed(random: u64, i in 0..12usize, j in 0..12usize, wrong in 0..32usize) {
            let code = Code::draw(random);
            let mut other = code.0.clone().into_bytes();
            other[i] = ALPHABET[wrong];
            let other = Code(String::from_utf8(other).expect("ascii"));
            prop_assert_eq!(other.is_mistyped(), other != code);
            let mut swapped = code.0.clone().into_bytes();
            swapped.swap(i, j);
            let swapped = Code(String::from_utf8(swapped).expect("ascii"));
            prop_assert_eq!(swapped.is_mistyped(), swapped != code);
        }
    }
}
