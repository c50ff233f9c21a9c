//! Device tokens: what a device proves itself with. They are signed, so that checking one needs no look-up.
//!
//! Law 10: a token names one device and profile of one app, ends by itself, and carries an epoch that can be revoked.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{
    app::ingest::DeviceCaller,
    domain::{
        name::{AppName, ProfileName},
        time::Timestamp,
    },
};

/// What every device token begins with, so that people and secret scanners know one when they see it.
pub const PREFIX: &str = "dt_";
/// The label under which the record keeps the signing secret.
pub const SECRET: &str = "device-token";

const VERSION: u8 = 1;
const TAG: usize = 32;

/// Makes and checks device tokens.
pub struct Tokens {
    key: hmac::Key,
    lifetime: Duration,
}

/// A token as text, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub value: String,
    pub expires_at: Timestamp,
}

/// What a genuine token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub caller: DeviceCaller,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the device token is not one of this server")]
    Forged,
    #[error("the device token has expired; register the device again")]
    Expired,
}

impl Tokens {
    /// `secret` must be the same on all nodes and after every restart: ask the record for [`SECRET`].
    pub fn new(secret: &[u8; 32], lifetime: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), lifetime }
    }

    pub fn issue(&self, caller: &DeviceCaller, now: Timestamp) -> Token {
        let expires_at = now + self.lifetime;
        let mut bytes = write(&Verified { caller: caller.clone(), issued_at: now, expires_at });
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        Token { value: format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)), expires_at }
    }

    /// What the token says, if this server signed it and `now` is before its end. The signature is compared in
    /// constant time, and nothing is read before it holds.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Verified, TokenError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(TokenError::Forged)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Forged)?;
        let split = bytes.len().checked_sub(TAG).ok_or(TokenError::Forged)?;
        let (payload, tag) = bytes.split_at(split);
        hmac::verify(&self.key, payload, tag).map_err(|_| TokenError::Forged)?;
        let verified = read(payload).ok_or(TokenError::Forged)?;
        if now < verified.expires_at { Ok(verified) } else { Err(TokenError::Expired) }
    }

    /// A fresh token, if this one is in the last third of its life, or `profile` is no longer the one it names.
    pub fn renewal(&self, old: &Verified, profile: &ProfileName, epoch: u64, now: Timestamp) -> Option<Token> {
        let third = old.expires_at.since(old.issued_at) / 3;
        let fresh = now < old.expires_at - third;
        if fresh && *profile == old.caller.profile {
            return None;
        }
        let caller = DeviceCaller { profile: profile.clone(), token_epoch: epoch, ..old.caller.clone() };
        Some(self.issue(&caller, now))
    }
}

/// Version, epoch, both times, then the app's name and the two ids below it, each behind its length.
fn write(token: &Verified) -> Vec<u8> {
    let caller = &token.caller;
    let mut bytes = vec![VERSION];
    bytes.extend(caller.token_epoch.to_be_bytes());
    bytes.extend(token.issued_at.micros().to_be_bytes());
    bytes.extend(token.expires_at.micros().to_be_bytes());
    for text in [caller.device.app().as_str(), caller.device.id(), caller.profile.id()] {
        // Names are at most 3 x 64 characters and their collections.
        bytes.push(text.len() as u8);
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<Verified> {
    let (&version, rest) = bytes.split_first()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (issued, rest) = rest.split_first_chunk()?;
    let (expires, mut rest) = rest.split_first_chunk()?;
    let mut text = || {
        let (&length, tail) = rest.split_first()?;
        let (text, tail) = tail.split_at_checked(length.into())?;
        rest = tail;
        std::str::from_utf8(text).ok()
    };
    let app = AppName::parse(text()?).ok()?;
    let (device, profile) = (app.device(text()?).ok()?, app.profile(text()?).ok()?);
    let caller = DeviceCaller { device, profile, token_epoch: u64::from_be_bytes(*epoch) };
    let time = |bytes: &[u8; 8]| Timestamp::from_micros(i64::from_be_bytes(*bytes));
    (version == VERSION && rest.is_empty()).then(|| Verified {
        caller,
        issued_at: time(issued),
        expires_at: time(expires),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn tokens() -> Tokens {
        Tokens::new(&[7; 32], 30 * DAY)
    }

    fn caller(epoch: u64) -> DeviceCaller {
        let app = AppName::parse("organizations/acme/apps/shopper").expect("sound");
        let (device, profile) = (app.device("d-1").expect("sound"), app.profile("p-1").expect("sound"));
        DeviceCaller { device, profile, token_epoch: epoch }
    }

    fn at(days: u32) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000) + days * DAY
    }

    #[test]
    fn a_token_says_what_it_was_made_for_until_it_ends() {
        let token = tokens().issue(&caller(3), at(0));
        let verified = tokens().verify(&token.value, at(29)).expect("genuine");
        assert_eq!(verified.caller, caller(3));
        assert_eq!(verified.expires_at, at(30));
        assert_eq!(tokens().verify(&token.value, at(30)), Err(TokenError::Expired));
    }

    #[test]
    fn another_secret_or_a_changed_byte_is_refused() {
        let token = tokens().issue(&caller(0), at(0)).value;
        let other = Tokens::new(&[8; 32], 30 * DAY);
        assert_eq!(other.verify(&token, at(0)), Err(TokenError::Forged));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token[PREFIX.len()..]).expect("ours");
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            let text = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(tokens().verify(&text, at(0)), Err(TokenError::Forged), "byte {i}");
        }
    }

    #[test]
    fn a_token_is_renewed_in_the_last_third_of_its_life_or_for_another_profile() {
        let tokens = tokens();
        let old = tokens.verify(&tokens.issue(&caller(2), at(0)).value, at(0)).expect("genuine");
        let same = &old.caller.profile;
        assert_eq!(tokens.renewal(&old, same, 2, at(19)), None);
        let renewed = tokens.renewal(&old, same, 2, at(20)).expect("due");
        assert_eq!(renewed.expires_at, at(50));
        assert_eq!(tokens.verify(&renewed.value, at(20)).expect("genuine").caller, old.caller);

        let linked = caller(2).device.app().profile("p-2").expect("sound");
        let renewed = tokens.renewal(&old, &linked, 2, at(1)).expect("due");
        assert_eq!(tokens.verify(&renewed.value, at(1)).expect("genuine").caller.profile, linked);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(dt_)?[A-Za-z0-9_-]{0,200}") {
            prop_assert!(tokens().verify(&text, at(0)).is_err());
        }
    }
}
