//! What a person agreed to, by purpose, and the permits that follow from it.
//!
//! Law 4: consent is a type, not an `if`. A function that needs consent takes a [`Consented`], and the only way to
//! get one is to ask [`Consents::permit`].

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What personal data may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To keep presence: where a device is, was, and for how long.
    Location,
    /// To make offers.
    Marketing,
    /// To use traits, interests and history for choosing them.
    Profiling,
}

impl Purpose {
    pub const ALL: [Purpose; 3] = [Purpose::Location, Purpose::Marketing, Purpose::Profiling];

    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Location => "location",
            Purpose::Marketing => "marketing",
            Purpose::Profiling => "profiling",
        }
    }
}

/// One answer to one purpose. A refusal is kept as well: it is an answer too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub granted: bool,
    /// Version of the text the person saw, as the publisher names it.
    pub text_version: String,
    pub given_at: Timestamp,
}

/// All answers of one person. A purpose without an answer is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consents(Arc<BTreeMap<Purpose, Consent>>);

impl Consents {
    pub fn set(&mut self, purpose: Purpose, consent: Consent) {
        Arc::make_mut(&mut self.0).insert(purpose, consent);
    }

    pub fn iter(&self) -> impl Iterator<Item = (Purpose, &Consent)> {
        self.0.iter().map(|(purpose, consent)| (*purpose, consent))
    }

    pub fn granted(&self, purpose: Purpose) -> bool {
        self.0.get(&purpose).is_some_and(|consent| consent.granted)
    }

    /// The permit for a purpose, if the person granted it.
    pub fn permit<P: Permitted>(&self) -> Option<Consented<P>> {
        self.granted(P::PURPOSE).then_some(Consented(PhantomData))
    }
}

/// A purpose as a type.
pub trait Permitted {
    const PURPOSE: Purpose;
}

/// Proof that a person granted the purpose `P`. Only [`Consents::permit`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Consented<P: Permitted>(PhantomData<P>);

/// See [`Purpose::Location`].
#[derive(Debug, Clone, Copy)]
pub struct Location;
/// See [`Purpose::Marketing`].
#[derive(Debug, Clone, Copy)]
pub struct Marketing;
/// See [`Purpose::Profiling`].
#[derive(Debug, Clone, Copy)]
pub struct Profiling;

impl Permitted for Location {
    const PURPOSE: Purpose = Purpose::Location;
}
impl Permitted for Marketing {
    const PURPOSE: Purpose = Purpose::Marketing;
}
impl Permitted for Profiling {
    const PURPOSE: Purpose = Purpose::Profiling;
}
