//! What a caller wants a profile to say: which traits, interests and consents change.
//!
//! Law 10: traits are declared by the app, with their kind and who may write them; a patch that exists keeps to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    audience::{TraitValue, check_interest},
    consent::{Consents, Purpose},
    organization::{App, TraitDeclaration, TraitKind, TraitWriter},
    profile::Profile,
    text::{Topic, TraitKey},
    time::Timestamp,
    violation::{Invalid, Violations},
};

/// Most interests of one profile: they are read for every campaign that fires.
pub const MAX_INTERESTS: usize = 100;

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    Device,
    /// The publisher: by the key of its server, or of the owner.
    Server,
}

impl Writer {
    fn may_write(self, declaration: TraitDeclaration) -> bool {
        match declaration.writer {
            TraitWriter::Device => true,
            TraitWriter::Server => self == Self::Server,
            TraitWriter::System => false,
        }
    }
}

/// Changes of one profile of an app.
#[derive(Debug, Clone)]
pub struct Patch<'a> {
    app: &'a App,
    writer: Writer,
    /// The version of the profile it was computed from, if the caller said so.
    pub etag: Option<u64>,
    traits: BTreeMap<TraitKey, Option<TraitValue>>,
    interests: BTreeMap<Topic, Option<f64>>,
    /// The answers that are new; an answer is never taken away.
    pub consents: Consents,
    replaces_traits: bool,
    replaces_interests: bool,
}

impl<'a> Patch<'a> {
    pub fn new(app: &'a App, writer: Writer) -> Self {
        Self {
            app,
            writer,
            etag: None,
            traits: BTreeMap::new(),
            interests: BTreeMap::new(),
            consents: Consents::default(),
            replaces_traits: false,
            replaces_interests: false,
        }
    }

    /// Sets a trait, or removes it. What the app no longer declares its server may remove, though any patch does.
    pub fn set_trait(&mut self, key: TraitKey, value: Option<TraitValue>) -> Result<(), Invalid> {
        match (self.app.traits.get(&key), &value) {
            (None, None) if self.writer == Writer::Server => {}
            (None, _) => return Err(Invalid::new("is not declared by the app")),
            (Some(declared), _) if !self.writer.may_write(*declared) => return Err(closed(declared.writer)),
            (Some(declared), Some(value)) if TraitKind::of(value) != declared.kind => {
                return Err(of_kind(declared.kind));
            }
            (Some(_), _) => {}
        }
        self.traits.insert(key, value);
        Ok(())
    }

    /// Sets an interest (0 to 1), or removes it.
    pub fn set_interest(&mut self, topic: Topic, strength: Option<f64>) -> Result<(), Invalid> {
        strength.map_or(Ok(()), check_interest)?;
        self.interests.insert(topic, strength);
        Ok(())
    }

    /// Removes what is not set of the traits this writer may write.
    pub fn replace_traits(&mut self) {
        self.replaces_traits = true;
    }

    /// Removes the interests that are not set.
    pub fn replace_interests(&mut self) {
        self.replaces_interests = true;
    }

    /// Makes the profile say it.
    pub fn apply(&self, profile: &mut Profile, now: Timestamp) -> Result<(), Violations> {
        profile.agree(answered(&self.consents, &profile.consents), now);
        profile.keep_declared(self.app);
        let personal = profile.personal_of_record_mut();
        if self.replaces_traits {
            personal.traits.retain(|key, _| !self.may_remove(key));
        }
        if self.replaces_interests {
            personal.interests.clear();
        }
        put(&mut personal.traits, &self.traits);
        put(&mut personal.interests, &self.interests);
        let interests = personal.interests.len();
        if interests > MAX_INTERESTS {
            return Err(Violations::one("interests", format!("must be at most {MAX_INTERESTS}, would be {interests}")));
        }
        Ok(())
    }

    fn may_remove(&self, key: &TraitKey) -> bool {
        self.app.traits.get(key).is_some_and(|declared| self.writer.may_write(*declared))
    }
}

fn put<K: Ord + Clone, V: Clone>(all: &mut BTreeMap<K, V>, changes: &BTreeMap<K, Option<V>>) {
    for (key, value) in changes {
        match value {
            Some(value) => all.insert(key.clone(), value.clone()),
            None => all.remove(key),
        };
    }
}

/// The old answers with the new ones over them. An answer that says the same as before keeps the time it was first
/// given.
pub fn answered(new: &Consents, old: &Consents) -> Consents {
    let mut all = old.clone();
    for (purpose, consent) in new.iter() {
        let same = old.iter().any(|(answered, before)| {
            answered == purpose && (before.granted, &before.text_version) == (consent.granted, &consent.text_version)
        });
        if !same {
            all.set(purpose, consent.clone());
        }
    }
    all
}

/// As [`answered`], and purposes without a new answer have none.
pub fn answered_anew(new: &Consents, old: &Consents) -> Consents {
    let asked: BTreeSet<Purpose> = new.iter().map(|(purpose, _)| purpose).collect();
    let mut kept = Consents::default();
    let all = answered(new, old);
    all.iter().filter(|(purpose, _)| asked.contains(purpose)).for_each(|(purpose, one)| kept.set(purpose, one.clone()));
    kept
}

/// As [`answered`], but what was refused stays so, whatever is said now.
pub fn answered_but_refusals(new: &Consents, old: &Consents) -> Consents {
    let refused: BTreeSet<Purpose> = old.iter().filter(|(_, one)| !one.granted).map(|(purpose, _)| purpose).collect();
    let mut heard = Consents::default();
    new.iter()
        .filter(|(purpose, _)| !refused.contains(purpose))
        .for_each(|(purpose, one)| heard.set(purpose, one.clone()));
    answered(&heard, old)
}

fn of_kind(kind: TraitKind) -> Invalid {
    let kind = match kind {
        TraitKind::Text => "text",
        TraitKind::Number => "a number",
        TraitKind::Flag => "a flag",
        TraitKind::Date => "a date",
    };
    Invalid::new(format!("must be {kind}, as the app declares it"))
}

fn closed(writer: TraitWriter) -> Invalid {
    Invalid::new(match writer {
        TraitWriter::Device | TraitWriter::Server => "is written by the publisher's server only",
        TraitWriter::System => "is written by the system only",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        name::AppName,
        organization::USUAL_DAILY_OFFERS,
        profile::Personal,
        time::{TimeZone, Timestamp},
    };

    fn key(text: &str) -> TraitKey {
        TraitKey::new(text).expect("sound")
    }

    fn app() -> App {
        let declared = [("mood", TraitWriter::Device), ("tier", TraitWriter::Server), ("risk", TraitWriter::System)];
        let number = |writer| TraitDeclaration { kind: TraitKind::Number, writer };
        App {
            name: AppName::parse("organizations/pub/apps/a").expect("sound"),
            display_name: "A".to_owned(),
            time_zone: TimeZone::new("Europe/Rome").expect("known"),
            daily_offers: USUAL_DAILY_OFFERS,
            quiet_hours: None,
            quiet_exempt: Default::default(),
            shares: Default::default(),
            cool_down: Default::default(),
            traits: declared.map(|(name, writer)| (key(name), number(writer))).into(),
        }
    }

    fn profile(app: &App, traits: &[&str]) -> Profile {
        let traits = traits.iter().map(|name| (key(name), TraitValue::Number(1.0))).collect();
        let personal = Personal { traits, ..Personal::default() };
        Profile::new(app.name.profile("p").expect("sound"), Timestamp::default(), Consents::default(), personal)
    }

    #[test]
    fn each_writer_writes_its_own_traits() {
        let app = app();
        for value in [Some(TraitValue::Number(2.0)), None] {
            let written = |writer| {
                ["mood", "tier", "risk"]
                    .map(|name| Patch::new(&app, writer).set_trait(key(name), value.clone()).is_ok())
            };
            assert_eq!(written(Writer::Device), [true, false, false]);
            assert_eq!(written(Writer::Server), [true, true, false]);
        }
    }

    #[test]
    fn what_is_undeclared_or_of_another_kind_is_refused() {
        let app = app();
        let mut patch = Patch::new(&app, Writer::Server);
        assert!(patch.set_trait(key("shoe"), Some(TraitValue::Number(1.0))).is_err());
        assert!(patch.set_trait(key("tier"), Some(TraitValue::Flag(true))).is_err());
        assert!(patch.set_trait(key("shoe"), None).is_ok(), "what is left of an old declaration can be removed");
        assert!(Patch::new(&app, Writer::Device).set_trait(key("shoe"), None).is_err());
    }

    #[test]
    fn replacing_leaves_what_the_writer_may_not_write() {
        let app = app();
        for (writer, left) in [(Writer::Device, vec!["risk", "tier"]), (Writer::Server, vec!["risk"])] {
            let mut profile = profile(&app, &["mood", "tier", "risk", "shoe"]);
            let mut patch = Patch::new(&app, writer);
            patch.replace_traits();
            patch.apply(&mut profile, Timestamp::default()).expect("sound");
            let keys: Vec<&str> = profile.personal_of_record().traits.keys().map(TraitKey::as_str).collect();
            assert_eq!(keys, left, "and nothing that is not declared");
        }
    }

    #[test]
    fn interests_keep_their_bounds() {
        let app = app();
        let topic = |i: usize| Topic::new(&format!("t{i}")).expect("sound");
        let mut patch = Patch::new(&app, Writer::Device);
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(patch.set_interest(topic(0), Some(bad)).is_err(), "{bad}");
        }
        (0..=MAX_INTERESTS).for_each(|i| patch.set_interest(topic(i), Some(0.5)).expect("sound"));
        assert!(patch.apply(&mut profile(&app, &[]), Timestamp::default()).is_err());
        patch.set_interest(topic(7), None).expect("sound");
        assert!(patch.apply(&mut profile(&app, &[]), Timestamp::default()).is_ok());
    }
}
