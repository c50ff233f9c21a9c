//! Page tokens that nobody can read: what they go on behind may be more than the list shows.
//!
//! Law 10: a receipt's id tells the millisecond it was made in, and is the same in the lists of all campaigns; a brand is
//! given neither.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};

use crate::domain::violation::Invalid;

/// The label under which the record keeps the secret.
pub const SECRET: &str = "page-token";

/// Seals places in lists.
pub struct Seal {
    key: LessSafeKey,
    nonces: hmac::Key,
}

impl Seal {
    /// `secret` must be the same on all nodes and after every restart: ask the record for [`SECRET`].
    pub fn new(secret: &[u8; 32]) -> Self {
        let nonces = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&nonces, b"key");
        let key = UnboundKey::new(&CHACHA20_POLY1305, derived.as_ref()).expect("of the key's length");
        Self { key: LessSafeKey::new(key), nonces }
    }

    /// The token of the page behind `last`, good only for the request that `of` says.
    pub fn token(&self, last: &str, of: &str) -> String {
        // Made of what is sealed, so that no two texts have the same one.
        let said = hmac::sign(&self.nonces, format!("nonce {last} {of}").as_bytes());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&said.as_ref()[..NONCE_LEN]);
        let (mut sealed, mut bytes) = (last.as_bytes().to_vec(), nonce.to_vec());
        let of = Aad::from(of.as_bytes());
        let done = self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), of, &mut sealed);
        done.expect("far shorter than the cipher's most");
        bytes.append(&mut sealed);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the token goes on behind; none if it is empty.
    pub fn read(&self, token: &str, of: &str) -> Result<Option<String>, Invalid> {
        if token.is_empty() {
            return Ok(None);
        }
        let refuse = || Invalid::new("must be the next_page_token of the same request, or empty");
        self.open(token, of).map(Some).ok_or_else(refuse)
    }

    fn open(&self, token: &str, of: &str) -> Option<String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
        let opened = self.key.open_in_place(nonce, Aad::from(of.as_bytes()), &mut sealed).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_read_by_those_who_sealed_it_for_its_own_request() {
        let (seal, last) = (Seal::new(&[7; 32]), "0198f3a2-7c1e-7abc-8def-0123456789ab");
        let token = seal.token(last, "acme");
        assert_eq!(seal.read(&token, "acme"), Ok(Some(last.to_owned())));
        assert_eq!(seal.read("", "acme"), Ok(None));
        assert!(seal.read(&token, "other").is_err());
        assert!(Seal::new(&[8; 32]).read(&token, "acme").is_err());
    }

    #[test]
    fn a_token_tells_nothing_of_what_it_goes_on_behind() {
        let (seal, last) = (Seal::new(&[7; 32]), "0198f3a2-7c1e-7abc-8def-0123456789ab");
        let bytes = |of| BASE64_URL_SAFE_NO_PAD.decode(seal.token(last, of)).expect("ours");
        let (one, other) = (bytes("one"), bytes("other"));
        let is_in = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!is_in(&one, &last.as_bytes()[..4]));
        assert!(one.windows(4).all(|part| !is_in(&other, part)), "the same place in two lists looks the same");
    }

    proptest! {
        #[test]
        fn no_token_panics(token in "[A-Za-z0-9_=-]{0,80}") {
            prop_assume!(!token.is_empty());
            prop_assert!(Seal::new(&[7; 32]).read(&token, "acme").is_err());
        }
    }
}
