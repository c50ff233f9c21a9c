//! Resource names: `organizations/{organization}/stores/{store}` and its siblings, a type for each.
//!
//! Law: a name that exists has the right collections and ids of a safe alphabet, so it may be logged, compared and
//! used as a key as it is. The last id is chosen by the owner (its own store number), so creating again is harmless.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{text::quoted, violation::Invalid};

/// Longest id between two slashes, in characters.
pub const MAX_ID: usize = 64;

/// Checks one id: `[A-Za-z0-9][A-Za-z0-9._~-]*`, at most [`MAX_ID`] characters.
pub fn check_id(id: &str) -> Result<(), Invalid> {
    // Byte by byte: what is not ASCII has none of these in it.
    let safe = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-');
    let begins_well = id.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if begins_well && id.len() <= MAX_ID && id.as_bytes().iter().all(safe) {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "must be 1 to {MAX_ID} of letters, digits, . _ ~ -, beginning with a letter or digit, was {}",
        quoted(id)
    )))
}

fn parse(text: &str, pattern: &str) -> Result<(), Invalid> {
    let refuse = || Invalid::new(format!("must have the form {pattern}, was {}", quoted(text)));
    let mut parts = text.split('/');
    for expected in pattern.split('/') {
        let part = parts.next().ok_or_else(refuse)?;
        if expected.starts_with('{') {
            check_id(part).map_err(|wrong| Invalid::new(format!("has an id that {wrong}")))?;
        } else if part != expected {
            return Err(refuse());
        }
    }
    if parts.next().is_some() { Err(refuse()) } else { Ok(()) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $T:ident = $pattern:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $T(Arc<str>);

        impl $T {
            /// The form every name of this kind has.
            pub const PATTERN: &'static str = $pattern;

            pub fn parse(text: &str) -> Result<Self, Invalid> {
                parse(text, Self::PATTERN).map(|()| Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The last part, chosen by the owner.
            pub fn id(&self) -> &str {
                self.0.rsplit('/').next().unwrap_or_default()
            }

            /// The organization everything else belongs to.
            pub fn organization(&self) -> OrganizationName {
                OrganizationName(self.owner().into())
            }

            /// The organization's name as text, to look it up by.
            pub fn owner(&self) -> &str {
                let begin = "organizations/".len();
                let end = self.0[begin..].bytes().position(|byte| byte == b'/').map_or(self.0.len(), |end| begin + end);
                &self.0[..end]
            }
        }

        impl fmt::Display for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $T {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $T {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$T> for String {
            fn from(name: $T) -> String {
                name.0.as_ref().to_owned()
            }
        }
    )* };
}

names! {
    /** Who owns everything else. */
    OrganizationName = "organizations/{organization}";
    /** A point of sale. */
    StoreName = "organizations/{organization}/stores/{store}";
    /** A circle or polygon on the ground. */
    GeofenceName = "organizations/{organization}/geofences/{geofence}";
    /** A radio tag. */
    BeaconName = "organizations/{organization}/beacons/{beacon}";
    /** A file that keeps places in step. */
    SourceName = "organizations/{organization}/sources/{source}";
    /** An audience with a name. */
    SegmentName = "organizations/{organization}/segments/{segment}";
    /** WHO, WHAT, TRIGGER. */
    CampaignName = "organizations/{organization}/campaigns/{campaign}";
    /** A publisher's app. */
    AppName = "organizations/{organization}/apps/{app}";
    /** A secret that opens some calls. */
    KeyName = "organizations/{organization}/keys/{key}";
    /** A permission from one organization to another. */
    GrantName = "organizations/{organization}/grants/{grant}";
    /** One installation of an app. */
    DeviceName = "organizations/{organization}/apps/{app}/devices/{device}";
    /** One person, over devices and channels. */
    ProfileName = "organizations/{organization}/apps/{app}/profiles/{profile}";
}

macro_rules! child {
    ($Parent:ident { $($make:ident -> $Child:ident = $collection:literal),* $(,)? }) => {
        impl $Parent { $(
            /// The child of that id; refused if the id has other characters than [`check_id`] allows.
            pub fn $make(&self, id: &str) -> Result<$Child, Invalid> {
                check_id(id)?;
                Ok($Child([&*self.0, concat!("/", $collection, "/"), id].concat().into()))
            }
        )* }
    };
}

child!(OrganizationName {
    store -> StoreName = "stores",
    geofence -> GeofenceName = "geofences",
    beacon -> BeaconName = "beacons",
    source -> SourceName = "sources",
    campaign -> CampaignName = "campaigns",
    segment -> SegmentName = "segments",
    app -> AppName = "apps",
    key -> KeyName = "keys",
    grant -> GrantName = "grants",
});
child!(AppName { device -> DeviceName = "devices", profile -> ProfileName = "profiles" });

/// What ids of anonymous profiles begin with.
const ANONYMOUS: &str = "anon-";

impl AppName {
    /// The name of a profile that belongs to one device until somebody logs in.
    pub fn anonymous_profile(&self, random: u128) -> ProfileName {
        ProfileName(format!("{self}/profiles/{ANONYMOUS}{random:032x}").into())
    }
}

impl ProfileName {
    /// Whether it is one device's own, and nobody known.
    pub fn is_anonymous(&self) -> bool {
        Self::is_anonymous_id(self.id())
    }

    /// Whether such an id is kept for those.
    pub fn is_anonymous_id(id: &str) -> bool {
        id.starts_with(ANONYMOUS)
    }
}

macro_rules! of_app {
    ($($T:ident)*) => { $(
        impl $T {
            /// The app whose resource this is.
            pub fn app(&self) -> AppName {
                AppName(self.app_text().into())
            }

            /// The app's name as text, to look it up by.
            pub fn app_text(&self) -> &str {
                let slashes = self.0.bytes().enumerate().filter(|&(_, byte)| byte == b'/');
                let end = slashes.map(|(at, _)| at).nth(3).unwrap_or(self.0.len());
                &self.0[..end]
            }
        }
    )* };
}
of_app!(DeviceName ProfileName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_taken_apart() {
        let name = ProfileName::parse("organizations/acme/apps/shopper/profiles/p-1").expect("sound");
        assert_eq!(name.id(), "p-1");
        assert_eq!((name.app().as_str(), name.app_text()), ("organizations/acme/apps/shopper", name.app().as_str()));
        assert_eq!(name.organization().as_str(), "organizations/acme");
        assert_eq!(name.app().profile("p-1").expect("sound"), name);
    }

    #[test]
    fn strange_names_are_refused() {
        for bad in [
            "",
            "organizations",
            "organizations/",
            "organizations/a/stores",
            "organizations/a/stores/b/c",
            "organizations/a b/stores/c",
            "x/a/stores/c",
            "organizations/-a/stores/c",
            "organizations/caf\u{e9}/stores/c",
        ] {
            assert!(StoreName::parse(bad).is_err(), "{bad}");
        }
    }
}
