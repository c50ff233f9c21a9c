//! Links that offers lead to: https, or an app's own scheme.
//!
//! Law 10: links take no variables, for a trait in a link would tell whoever is linked to who the person is.

use super::{text::quoted, violation::Invalid};

/// Longest link, in characters.
pub const MAX_LINK: usize = 2_000;

pub(super) fn any_link(link: &str) -> Result<String, Invalid> {
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

pub(super) fn web_address(link: &str, schemes: &[&str]) -> Result<String, Invalid> {
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
