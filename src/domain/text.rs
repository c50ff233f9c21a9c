//! Short pieces of text with bounds: tags, topics, trait keys, display names, languages, time zones.
//!
//! Law: bounds are stated once, here, so that every door refuses the same values with the same words.

use std::{fmt, sync::Arc};

use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};
use serde::{Deserialize, Serialize};

use super::violation::Invalid;

/// Longest tag, topic or trait key, in characters: they are typed by people and stored with every profile.
pub const MAX_SLUG: usize = 64;
/// Longest display name, in characters.
pub const MAX_DISPLAY_NAME: usize = 200;

/// Defines a lower-case word of `[a-z0-9][a-z0-9_.:-]*`, at most [`MAX_SLUG`] characters. It keeps its tail beside it: words
/// are compared at every ping, and most differ there.
macro_rules! slug {
    ($(#[$doc:meta])* $T:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $T(Arc<str>, u64);

        impl $T {
            pub fn new(text: &str) -> Result<Self, Invalid> {
                checked_slug(text).map(|()| Self(text.into(), tail(text)))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($T)).field(&self.0).finish()
            }
        }

        impl AsRef<str> for $T {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Tailed for $T {
            fn tail(&self) -> u64 {
                self.1
            }
        }

        impl TryFrom<String> for $T {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(&text)
            }
        }

        impl From<$T> for String {
            fn from(value: $T) -> String {
                value.0.as_ref().to_owned()
            }
        }
    };
}

slug!(/** A word an owner puts on places to target them together: `cafe`, `airport`. */ Tag);
slug!(/** What a person may care about and a campaign may speak of: `coffee`, `running`. */ Topic);
slug!(/** The key of a profile trait: `loyalty_tier`. */ TraitKey);
slug!(/** What an app says that happened: `totem_scanned`, `cart_abandoned`. */ EventKey);
slug!(/** What an experiment is drawn by: `spring`. */ ExperimentId);
slug!(/** One of the contents that an experiment compares: `with_picture`. */ VariantId);

fn checked_slug(text: &str) -> Result<(), Invalid> {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = |c: char| first(c) || matches!(c, '_' | '.' | ':' | '-');
    let sound = text.chars().next().is_some_and(first) && text.chars().all(rest) && text.len() <= MAX_SLUG;
    if sound {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "must be 1 to {MAX_SLUG} of a-z, 0-9, _ . : -, beginning with a letter or digit, was {}",
        quoted(text)
    )))
}

/// The last eight bytes as a number, to tell apart at a glance what begins alike and ends differently: names, and words
/// with numbers. Equal texts have equal tails.
pub fn tail(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let of_short = || bytes.iter().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
    bytes.last_chunk().map_or_else(of_short, |end| u64::from_be_bytes(*end))
}

/// What knows its [`tail`] without being read.
pub trait Tailed {
    fn tail(&self) -> u64;
}

/// `text` in quotes and cut to a length that is safe in a message.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let cut: String = text.chars().take(SHOWN).collect();
    let dots = if text.chars().count() > SHOWN { "…" } else { "" };
    format!("{cut:?}{dots}")
}

/// Text of 1 to `max` characters, one of which can be seen, without control and invisible characters; surrounding blanks are
/// cut.
pub fn line(text: &str, max: usize) -> Result<String, Invalid> {
    checked(text, max, Lines::One)
}

/// As [`line()`], of one line or several.
pub fn lines(text: &str, max: usize) -> Result<String, Invalid> {
    checked(text, max, Lines::Several)
}

/// How many lines a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    One,
    Several,
}

/// As [`line()`] or [`lines()`].
pub fn checked(text: &str, max: usize, lines: Lines) -> Result<String, Invalid> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(Invalid::new(format!("must have 1 to {max} characters, had {length}")));
    }
    uncontrolled(text, lines)?;
    if !is_seen(text) {
        return Err(Invalid::new(format!("must have a character that can be seen, was {}", quoted(text))));
    }
    Ok(text.to_owned())
}

/// Refuses control and invisible characters, but for the ends of lines where there may be several.
pub fn uncontrolled(text: &str, lines: Lines) -> Result<(), Invalid> {
    let may_be = |c| lines == Lines::Several && c == '\n';
    if text.chars().any(|c| (c.is_control() && !may_be(c)) || is_invisible(c)) {
        return Err(Invalid::new(format!("must not contain control or invisible characters, was {}", quoted(text))));
    }
    Ok(())
}

/// Whether anything of it shows: marks of direction, joiners and fillers alone do not.
pub fn is_seen(text: &str) -> bool {
    // By Unicode the cell without dots is a symbol like those that have some.
    const BLANK_BRAILLE: char = '\u{2800}';
    let unseen = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    text.chars().any(|c| !(c.is_whitespace() || c.is_control() || c == BLANK_BRAILLE || unseen.contains(c)))
}

/// Characters that show nothing and change how the text around them reads or compares: separators of lines,
/// overrides of direction, the byte order mark. Joiners and plain marks of direction are not among them, for Persian,
/// Hebrew and emoji need them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Text without control and invisible characters, and without blanks around it, whatever it was.
pub fn plain(text: &str) -> String {
    let clean: String = text.chars().filter(|&c| !c.is_control() && !is_invisible(c)).collect();
    clean.trim().to_owned()
}

/// Text of at most `max` characters; of a longer one the beginning and an ellipsis.
pub fn shortened(text: String, max: usize) -> String {
    if text.len() <= max || text.chars().count() <= max {
        return text;
    }
    let start: String = text.chars().take(max.saturating_sub(1)).collect();
    // A joiner would join the ellipsis.
    format!("{}…", start.trim_end_matches(|c: char| c.is_whitespace() || c == '\u{200d}'))
}

/// As [`line()`], and empty text is no text.
pub fn optional_line(text: &str, max: usize) -> Result<Option<String>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { line(text, max).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_bounds() {
        assert!(Tag::new("cafe").is_ok());
        for bad in ["", "Cafe", "-x", "caffè", &"x".repeat(65)] {
            assert!(Tag::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tails_tell_ends_apart() {
        let tails = ["", "a", "b", "ab", "coffee-10", "coffee-11", "offee-11"].map(tail);
        assert!((0..6).all(|i| !tails[..i].contains(&tails[i])), "{tails:?}");
        assert_eq!(tails[5], tails[6], "nothing but the last eight bytes is looked at");
    }

    #[test]
    fn text_shows_something() {
        let unseen =
            ["\u{200e}", "\u{ad}", "\u{2800}", "\u{3164}", "\u{115f}\u{1160}", "\u{200d}\u{fe0f}", "\u{34f} \u{61c}"];
        for text in unseen {
            assert!(!is_seen(text), "{text:?}");
            let why = line(text, 9).expect_err("blank").to_string();
            assert!(why.starts_with("must have a character that can be seen, was \""), "{why}");
            let joined = format!("a{text}b");
            assert_eq!(line(&joined, 9).as_deref(), Ok(joined.as_str()));
        }
        for text in ["👩\u{200d}🍳", "می\u{200c}خواهم", "שלום\u{200f}", "\u{301}", "⠁", "!"] {
            assert!(is_seen(text) && line(text, 9).is_ok(), "{text:?}");
        }
        assert!(!is_seen("") && !is_seen(" \u{3000}"));
    }
}
