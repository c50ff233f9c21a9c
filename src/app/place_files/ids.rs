//! Ids and tags out of whatever a network writes.
//!
//! Law: two different ids never become the same one, in any file on any day.

use crate::domain::{
    name::{MAX_ID, check_id},
    text::{MAX_SLUG, Tag, quoted},
    violation::Invalid,
};

/// The id as names take it: letters, digits, `.`, `_` and `-` stay; every other byte becomes `~` and two hex digits, `~`
/// too, so that the way back is unique. What does not begin with a letter or digit gets `x~` before it, which no other
/// id begins with: `~` is followed by a hex digit or another `~` alone there. Refused when it becomes too long.
pub fn id_of(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::new("must not be empty"));
    }
    let mut id = String::with_capacity(text.len());
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        id.push_str("x~");
    }
    for byte in text.bytes() {
        match byte {
            b'.' | b'_' | b'-' => id.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => id.push(byte.into()),
            byte => id.push_str(&format!("~{byte:02X}")),
        }
    }
    if id.len() > MAX_ID {
        return Err(Invalid::new(format!(
            "is too long for an id: {} becomes {} characters, and {MAX_ID} are allowed",
            quoted(text),
            id.len()
        )));
    }
    check_id(&id).map(|()| id)
}

/// The tag for a word: lower case, everything but letters a to z and digits becomes `_`.
pub fn tag_of(word: &str) -> Result<Tag, Invalid> {
    let mut tag = String::new();
    for c in word.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => tag.push(c),
            '.' | ':' | '-' if !tag.is_empty() => tag.push(c),
            _ if tag.is_empty() || tag.ends_with('_') => {}
            _ => tag.push('_'),
        }
    }
    let tag: String = tag.chars().take(MAX_SLUG).collect();
    Tag::new(tag.trim_end_matches('_')).map_err(|_| {
        Invalid::new(format!("cannot be made a tag, which needs a letter a to z or a digit: {}", quoted(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_ids_stay_what_they_are() {
        assert_eq!(id_of("n60068035").as_deref(), Ok("n60068035"));
        assert_eq!(id_of(" IT-07.001_a ").as_deref(), Ok("IT-07.001_a"));
        assert_eq!(id_of("node/25230434").as_deref(), Ok("node~2F25230434"));
        assert!(id_of("  ").is_err() && id_of(&"x".repeat(65)).is_err() && id_of(&"é".repeat(11)).is_err());
    }

    #[test]
    fn words_become_tags() {
        let tag = |word: &str| tag_of(word).map(|tag| tag.to_string());
        assert_eq!(tag("Fast Food").as_deref(), Ok("fast_food"));
        assert_eq!(tag("  Caffè & Bar ").as_deref(), Ok("caff_bar"));
        assert!(tag("カフェ").is_err() && tag("__").is_err());
    }

    proptest! {
        #[test]
        fn different_ids_stay_different(a in "[xX~.é/-]{1,6}", b in "[xX~.é/-]{1,6}") {
            let (x, y) = (id_of(&a).expect("short"), id_of(&b).expect("short"));
            prop_assert!(check_id(&x).is_ok() && check_id(&y).is_ok());
            prop_assert_eq!(a == b, x == y, "{} {}", x, y);
        }
    }
}
