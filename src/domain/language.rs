//! Languages by their BCP 47 tags: which form a tag has, and who speaks what it names.

use std::borrow::Cow;

use super::{text::quoted, violation::Invalid};

/// Longest tag, in bytes: the room that RFC 5646 (4.4.1) says to give one.
const MAX_TAG: usize = 35;

/// Regions whose Chinese is understood to be in one script (Unicode CLDR, likely subtags): many phones say `zh-TW` for
/// `zh-Hant-TW`, and texts are written for a script.
const LIKELY: [(&str, &str); 5] = [
    ("zh-CN", "zh-Hans-CN"),
    ("zh-SG", "zh-Hans-SG"),
    ("zh-TW", "zh-Hant-TW"),
    ("zh-HK", "zh-Hant-HK"),
    ("zh-MO", "zh-Hant-MO"),
];

/// A tag such as `it` or `pt-BR`, checked for its form only. Those that begin with no language, such as `x-private`, are
/// refused: nobody could be spoken to in them.
pub fn language(text: &str) -> Result<String, Invalid> {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    let mut parts = text.split('-');
    let primary =
        parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.chars().all(|c| c.is_ascii_alphabetic()));
    if primary && parts.all(part) && text.len() <= MAX_TAG {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(format!(
        "must be a BCP 47 tag of at most {MAX_TAG} characters that begins with a language of 2 or 3 letters, such as \
         \"it\" or \"pt-BR\", was {}",
        quoted(text)
    )))
}

/// How closely a tag names the language of somebody: the longer, the closer. None if it is another one.
pub fn closeness(language: &str, tag: &str) -> Option<(usize, bool)> {
    let (spoken, named) = (with_script(language), with_script(tag));
    begins(&spoken, &named).then(|| (named.len(), language.eq_ignore_ascii_case(tag)))
}

/// The tag with the script that goes without saying.
fn with_script(tag: &str) -> Cow<'_, str> {
    let likely = LIKELY.iter().find(|(region, _)| begins(tag, region));
    likely.map_or(Cow::Borrowed(tag), |(region, full)| Cow::Owned([full, &tag[region.len()..]].concat()))
}

/// Whether a tag is the range, or goes on behind it (RFC 4647, basic filtering).
fn begins(tag: &str, range: &str) -> bool {
    let (tag, range) = (tag.as_bytes(), range.as_bytes());
    let is_prefix = tag.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range));
    !range.is_empty() && is_prefix && matches!(tag.get(range.len()), None | Some(b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_a_form() {
        assert!(language("it").is_ok() && language("zh-Hant-TW").is_ok());
        for bad in ["", "italian", "it_IT", "i-klingon", "x-private"] {
            let why = language(bad).expect_err("refused").to_string();
            assert!(why.contains("a language of 2 or 3 letters"), "{why}");
        }
    }

    #[test]
    fn a_tag_names_those_who_speak_more_closely() {
        for (language, tag) in [("pt-BR", "pt"), ("PT-br", "pt-BR"), ("zh-tw", "zh-Hant"), ("zh-Hans-CN", "zh-CN")] {
            assert!(closeness(language, tag).is_some(), "{language} {tag}");
        }
        for (language, tag) in [("pt", "pt-BR"), ("ptx", "pt"), ("zh-TW", "zh-Hans"), ("zh", "zh-Hant"), ("it", "")] {
            assert!(closeness(language, tag).is_none(), "{language} {tag}");
        }
    }
}
