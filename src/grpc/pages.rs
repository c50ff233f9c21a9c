//! Pages (AIP-158): how many, and from where.
//!
//! Law: a token goes on behind the last name it gave, and only for the request it came from; what is created or deleted
//! between two pages neither repeats nor hides anything else. Anybody can make one up, so it is read as any other field:
//! what goes on to the record is text that could stand there.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest;

use crate::{
    app::resources::Kind,
    domain::violation::{Invalid, Violations},
    grpc::sealed::Seal,
};

/// Resources on a page, if the request does not say.
const USUAL: usize = 100;
/// Most resources on a page.
const MOST: usize = 1_000;
/// Most bytes of a page, so that it fits into the 4 MiB that gRPC clients take by default.
pub const MAX_BYTES: usize = 2 << 20;

const BOUND: usize = 8;

/// Which part of a list is asked for.
#[derive(Debug, PartialEq)]
pub struct Window<N> {
    pub limit: usize,
    /// The last name of the page before.
    pub after: Option<N>,
}

/// Reads the page fields of a request. `of` is everything else the request says.
pub fn window<K: Kind>(page_size: i32, page_token: &str, of: &str) -> Result<Window<K::Name>, Violations> {
    window_of(page_size, page_token, of, K::parse_name)
}

/// As [`window`], of a list whose places `parse` reads.
pub fn window_of<N>(
    page_size: i32,
    page_token: &str,
    of: &str,
    parse: impl Fn(&str) -> Result<N, Invalid>,
) -> Result<Window<N>, Violations> {
    let mut wrong = Violations::default();
    let limit = wrong.take("page_size", limit(page_size));
    let after = wrong.take("page_token", read(page_token, of, parse));
    let window = limit.zip(after).map(|(limit, after)| Window { limit, after });
    wrong.finish(window)
}

/// As [`window_of`], of a list whose tokens are sealed.
pub fn sealed_window_of<N>(
    page_size: i32,
    page_token: &str,
    (seal, of): (&Seal, &str),
    parse: impl Fn(&str) -> Result<N, Invalid>,
) -> Result<Window<N>, Violations> {
    let mut wrong = Violations::default();
    let limit = wrong.take("page_size", limit(page_size));
    let after = seal.read(page_token, of).and_then(|last| last.as_deref().map(parse).transpose());
    let window = limit.zip(wrong.take("page_token", after)).map(|(limit, after)| Window { limit, after });
    wrong.finish(window)
}

/// The token of the page behind `last`.
pub fn token(last: &str, of: &str) -> String {
    let mut bytes = bound(of).to_vec();
    bytes.extend(last.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn limit(page_size: i32) -> Result<usize, Invalid> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(USUAL),
        Ok(size) => Ok(size.min(MOST)),
        Err(_) => Err(Invalid::new(format!("must not be negative, was {page_size}"))),
    }
}

fn read<N>(token: &str, of: &str, parse: impl Fn(&str) -> Result<N, Invalid>) -> Result<Option<N>, Invalid> {
    if token.is_empty() {
        return Ok(None);
    }
    let refuse = || Invalid::new("must be the next_page_token of the same request, or empty");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| refuse())?;
    let last = bytes.strip_prefix(&bound(of)).and_then(|last| std::str::from_utf8(last).ok());
    // No name has them, and PostgreSQL takes no text with a NUL.
    let last = last.filter(|last| !last.contains(char::is_control)).ok_or_else(refuse)?;
    parse(last).map(Some).map_err(|_| refuse())
}

fn bound(of: &str) -> [u8; BOUND] {
    let mut bound = [0; BOUND];
    bound.copy_from_slice(&digest::digest(&digest::SHA256, of.as_bytes()).as_ref()[..BOUND]);
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{name::StoreName, place::Store};
    use proptest::prelude::*;

    #[test]
    fn a_token_serves_its_own_request_only() {
        let last = StoreName::parse("organizations/acme/stores/7").expect("sound");
        let token = token(last.as_str(), "acme");
        let next = window::<Store>(0, &token, "acme").expect("sound");
        assert_eq!(next, Window { limit: USUAL, after: Some(last) });
        assert!(window::<Store>(0, &token, "other").is_err());
        let any = |last| window_of(0, &super::token(last, "acme"), "acme", |text: &str| Ok(text.to_owned()));
        assert!(any("1 organizations/acme").is_ok() && any("1 organizations/\0acme").is_err());
        assert_eq!(window::<Store>(-1, "?", "acme").expect_err("two faults").iter().count(), 2);
        assert_eq!(window::<Store>(5_000, "", "acme").expect("cut").limit, MOST);
    }

    proptest! {
        #[test]
        fn no_token_panics(token in "[A-Za-z0-9_=-]{0,80}") {
            let _ = window::<Store>(1, &token, "acme");
        }
    }
}
