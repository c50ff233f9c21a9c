//! Links that offers lead to: https, or an app's own scheme.
//!
//! Law 10: links take no variables, for a trait in a link would tell whoever is linked to who the person is; and none of
//! them runs, or opens what is on the phone.

use std::net::Ipv6Addr;

use super::{text::quoted, violation::Invalid};

/// Longest link, in characters.
pub const MAX_LINK: usize = 2_000;

/// Schemes that are no app's own: of scripts, of what is on the phone, of what starts other apps, and of plain text on the
/// line.
const FORBIDDEN: [&str; 15] = [
    "about",
    "android-app",
    "blob",
    "content",
    "data",
    "file",
    "filesystem",
    "http",
    "intent",
    "itms-apps",
    "itms-services",
    "jar",
    "javascript",
    "vbscript",
    "view-source",
];

pub(super) fn any_link(link: &str) -> Result<String, Invalid> {
    match scheme_of(link).map(str::to_ascii_lowercase).as_deref() {
        None | Some("https") => web_address(link),
        Some(scheme) if FORBIDDEN.contains(&scheme) => {
            Err(Invalid::new(format!("must be https or an app's own scheme, was {}", quoted(link))))
        }
        Some(scheme) if !is_printable(link) || link.len() == scheme.len() + 1 => Err(Invalid::new(format!(
            "must lead somewhere and be at most {MAX_LINK} ASCII characters, was {}",
            quoted(link)
        ))),
        Some(_) => Ok(link.to_owned()),
    }
}

/// An https link, or none.
pub(super) fn web_address(link: &str) -> Result<String, Invalid> {
    let is_https = scheme_of(link).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    if link.is_empty() || (is_https && is_printable(link) && has_host(link)) {
        return Ok(link.to_owned());
    }
    Err(Invalid::new(format!(
        "must be an https link with a host, as in https://example.org/, of at most {MAX_LINK} ASCII characters, was {}",
        quoted(link)
    )))
}

fn scheme_of(link: &str) -> Option<&str> {
    let (scheme, _) = link.split_once(':')?;
    let sound = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    sound.then_some(scheme)
}

fn is_printable(link: &str) -> bool {
    link.len() <= MAX_LINK && link.chars().all(|c| c.is_ascii_graphic())
}

/// Whether `//`, a host and perhaps a port follow the scheme. What phones read differently is no host.
fn has_host(link: &str) -> bool {
    let Some((_, rest)) = link.split_once("://").filter(|(scheme, _)| !scheme.contains(':')) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (None, port),
        Some(_) => return false,
        None => match host.find(':') {
            Some(colon) => (Some(&host[..colon]), &host[colon..]),
            None => (Some(host), ""),
        },
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    is_port && name.is_none_or(|name| name.strip_suffix('.').unwrap_or(name).split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_address_has_a_host() {
        for sound in [
            "",
            "https://example.org",
            "HTTPS://EXAMPLE.org./a?b=://c#d",
            "https://xn--caf-dma.example:8443/x",
            "https://127.0.0.1/",
            "https://[2001:db8::1]:443/",
            "https://user@example.org/",
        ] {
            assert_eq!(web_address(sound).as_deref().ok(), Some(sound), "{sound}");
            assert!(any_link(sound).is_ok(), "{sound}");
        }
        for wrong in [
            "https:",
            "https:/example.org",
            "https://",
            "https:///example.org",
            "https://?x",
            "https://user@/",
            "https://a..b/",
            "https://.",
            "https://a\\b/",
            "https:\\\\example.org",
            "https://example.org:x/",
            "https://example.org:70000/",
            "https://[::x]/",
            "https:a://example.org",
            "https://exa mple.org",
            "https://caffè.example",
            "example.org",
            "//example.org",
            "http://example.org",
        ] {
            assert!(web_address(wrong).is_err() && any_link(wrong).is_err(), "{wrong}");
        }
        let long = |length: usize| format!("https://example.org/{}", "x".repeat(length - 20));
        assert!(web_address(&long(MAX_LINK)).is_ok() && web_address(&long(MAX_LINK + 1)).is_err());
    }

    #[test]
    fn an_apps_own_scheme_neither_runs_nor_opens_what_is_on_the_phone() {
        for sound in ["shopper://offers/1", "shopper:offers", "com.example.shop:/x", "tel:+358401234567"] {
            assert!(any_link(sound).is_ok() && web_address(sound).is_err(), "{sound}");
        }
        for scheme in FORBIDDEN.into_iter().chain(["JavaScript", "Intent"]) {
            let said = any_link(&format!("{scheme}://x")).expect_err(scheme).to_string();
            assert!(said.contains("an app's own scheme"), "{said}");
        }
        for wrong in ["shopper:", "1shopper://x", " javascript:alert(1)", "java\tscript:alert(1)", "shopper://a b"] {
            assert!(any_link(wrong).is_err(), "{wrong:?}");
        }
    }
}
