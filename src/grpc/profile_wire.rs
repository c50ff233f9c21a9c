//! Profiles as messages, and patches of them.
//!
//! Law 8: a fault of one trait or interest is named by its key.

use std::collections::HashMap;

use prost_types::FieldMask;

use crate::{
    app::profile_patch::{MAX_INTERESTS, Patch, Writer},
    domain::{
        organization::{App, MAX_TRAITS},
        profile::Profile,
        text::{Topic, TraitKey, quoted},
        time::Timestamp,
        violation::{Violations, at_most},
    },
    grpc::{
        audience_wire::{trait_value, trait_value_to_wire},
        mask::no_field,
        pb,
        resource::etag,
        wire::{consents, consents_to_wire, timestamp_to_wire},
    },
};

/// Most paths of one mask: each trait and interest of a full profile, those that are removed as well.
const MAX_PATHS: usize = 2 * (MAX_TRAITS + MAX_INTERESTS);

/// Fields that only the server writes: they may be named, and are left alone.
const OUTPUT: [&str; 5] = ["name", "muted_brands", "devices", "create_time", "etag"];

/// As its app declares it now.
pub fn profile_to_wire(profile: &Profile, app: &App) -> pb::Profile {
    let personal = profile.personal_of_record();
    let declared = personal.traits.iter().filter(|(key, value)| app.declares(key, value));
    pb::Profile {
        name: profile.name.to_string(),
        traits: declared.map(|(key, value)| (key.to_string(), trait_value_to_wire(value))).collect(),
        interests: personal.interests.iter().map(|(topic, strength)| (topic.to_string(), *strength)).collect(),
        consents: consents_to_wire(&profile.consents),
        muted_brands: profile.muted.iter().map(ToString::to_string).collect(),
        devices: profile.devices.keys().map(ToString::to_string).collect(),
        create_time: Some(timestamp_to_wire(profile.created_at)),
        etag: profile.revision.version.to_string(),
    }
}

/// Which parts of a profile a mask names.
#[derive(Debug, Default)]
struct Named {
    traits: Keys,
    interests: Keys,
    consents: bool,
}

/// Which keys of a map.
#[derive(Debug, Default)]
struct Keys {
    /// Those that are given, and no others shall be left.
    all: bool,
    some: Vec<String>,
}

impl Keys {
    /// The keys to set, each once, with the values that are given for them.
    fn of<V: Clone>(&self, given: &HashMap<String, V>) -> Vec<(String, Option<V>)> {
        let given_keys = given.keys().filter(|_| self.all).cloned();
        let mut keys: Vec<String> = self.some.iter().cloned().chain(given_keys).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter().map(|key| (key.clone(), given.get(&key).cloned())).collect()
    }
}

/// The changes that an update asks for, if its writer may make them.
pub fn patch<'a>(
    app: &'a App,
    writer: Writer,
    profile: pb::Profile,
    mask: Option<&FieldMask>,
    now: Timestamp,
) -> Result<Patch<'a>, Violations> {
    bounded(&profile, mask)?;
    let mut wrong = Violations::default();
    let named = named(&mut wrong, &profile, mask);
    let pb::Profile {
        name: _,
        traits,
        interests,
        consents: answers,
        muted_brands: _,
        devices: _,
        create_time: _,
        etag: version,
    } = profile;
    let mut patch = Patch::new(app, writer);
    patch.etag = wrong.take("profile.etag", etag(&version)).flatten();
    for (key, value) in named.traits.of(&traits) {
        let field = at("traits", &key);
        let value = value.map(|value| wrong.take(field.as_str(), trait_value(Some(value))));
        let key = wrong.take(field.as_str(), TraitKey::new(&key));
        if let (Some(key), None | Some(Some(_))) = (key, &value) {
            wrong.take(field, patch.set_trait(key, value.flatten()));
        }
    }
    for (topic, strength) in named.interests.of(&interests) {
        let field = at("interests", &topic);
        if let Some(topic) = wrong.take(field.as_str(), Topic::new(&topic)) {
            wrong.take(field, patch.set_interest(topic, strength));
        }
    }
    if named.traits.all {
        patch.replace_traits();
    }
    if named.interests.all {
        patch.replace_interests();
    }
    if named.consents {
        patch.consents = consents(&mut wrong, "profile.consents", answers, now);
    }
    wrong.finish(Some(patch))
}

/// What is too much to be read.
fn bounded(profile: &pb::Profile, mask: Option<&FieldMask>) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    wrong.take("profile.traits", at_most(MAX_TRAITS, profile.traits.len()));
    wrong.take("profile.interests", at_most(MAX_INTERESTS, profile.interests.len()));
    wrong.take("update_mask", at_most(MAX_PATHS, mask.map_or(0, |mask| mask.paths.len())));
    wrong.finish(Some(()))
}

fn at(map: &str, key: &str) -> String {
    format!("profile.{map}[{}]", quoted(key))
}

fn named(wrong: &mut Violations, profile: &pb::Profile, mask: Option<&FieldMask>) -> Named {
    let mut named = Named::default();
    match mask.map(|mask| mask.paths.as_slice()) {
        None | Some([]) => {
            named.traits.some = profile.traits.keys().cloned().collect();
            named.interests.some = profile.interests.keys().cloned().collect();
            named.consents = true;
        }
        Some(paths) => paths.iter().for_each(|path| name(wrong, &mut named, path, paths.len() == 1)),
    }
    named
}

fn name(wrong: &mut Violations, named: &mut Named, path: &str, alone: bool) {
    match path.split_once('.') {
        Some(("traits", key)) => named.traits.some.push(key.to_owned()),
        Some(("interests", topic)) => named.interests.some.push(topic.to_owned()),
        None if path == "traits" => named.traits.all = true,
        None if path == "interests" => named.interests.all = true,
        None if path == "consents" => named.consents = true,
        None if path == "*" && alone => {
            (named.traits.all, named.interests.all, named.consents) = (true, true, true);
        }
        None if OUTPUT.contains(&path) => {}
        _ => {
            let known = "traits, interests, consents, traits.{key}, interests.{topic}";
            wrong.add("update_mask", no_field(path, known));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        consent::Consents,
        name::AppName,
        organization::{TraitDeclaration, TraitKind, TraitWriter, USUAL_DAILY_OFFERS},
        profile::Personal,
        time::TimeZone,
    };

    fn app() -> App {
        let declaration = |writer| TraitDeclaration { kind: TraitKind::Text, writer };
        let key = |text| TraitKey::new(text).expect("sound");
        let traits = [("mood", TraitWriter::Device), ("shoe.size", TraitWriter::Device), ("tier", TraitWriter::Server)];
        App {
            name: AppName::parse("organizations/pub/apps/a").expect("sound"),
            display_name: "A".to_owned(),
            time_zone: TimeZone::new("Europe/Rome").expect("known"),
            daily_offers: USUAL_DAILY_OFFERS,
            quiet_hours: None,
            quiet_exempt: Default::default(),
            shares: Default::default(),
            cool_down: Default::default(),
            traits: traits.into_iter().map(|(name, writer)| (key(name), declaration(writer))).collect(),
        }
    }

    fn text(text: &str) -> pb::TraitValue {
        pb::TraitValue { value: Some(pb::trait_value::Value::Text(text.into())) }
    }

    fn wire(traits: &[(&str, &str)], interests: &[(&str, f64)]) -> pb::Profile {
        pb::Profile {
            traits: traits.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect(),
            interests: interests.iter().map(|(topic, strength)| ((*topic).to_owned(), *strength)).collect(),
            ..Default::default()
        }
    }

    /// The traits and interests after the patch of a profile that had a mood, a size and an interest in tea.
    fn after(patched: pb::Profile, paths: &[&str]) -> (Vec<String>, Vec<String>) {
        let app = app();
        let before = wire(&[("mood", "low"), ("shoe.size", "43")], &[("tea", 0.5)]);
        let name = app.name.profile("p").expect("sound");
        let mut profile = Profile::new(name, Timestamp::default(), Consents::default(), Personal::default());
        for (message, paths) in [(before, &[][..]), (patched, paths)] {
            let mask = FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
            let patch = patch(&app, Writer::Device, message, Some(&mask), Timestamp::default()).expect("sound");
            patch.apply(&mut profile, Timestamp::default()).expect("small");
        }
        let pb::Profile { traits, interests, .. } = profile_to_wire(&profile, &app);
        let traits: BTreeMap<_, _> = traits.into_iter().collect();
        let interests: BTreeMap<_, _> = interests.into_iter().collect();
        (traits.into_keys().collect(), interests.into_keys().collect())
    }

    #[test]
    fn the_mask_says_what_is_set_removed_and_replaced() {
        let coffee = || wire(&[("mood", "high")], &[("coffee", 1.0)]);
        let keys = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        let both = keys(&["mood", "shoe.size"]);
        assert_eq!(after(coffee(), &[]), (both.clone(), keys(&["coffee", "tea"])), "each that is given");
        assert_eq!(after(coffee(), &["*"]), (keys(&["mood"]), keys(&["coffee"])));
        assert_eq!(after(coffee(), &["traits"]), (keys(&["mood"]), keys(&["tea"])));
        assert_eq!(after(coffee(), &["traits.shoe.size"]), (keys(&["mood"]), keys(&["tea"])), "removed");
        assert_eq!(after(coffee(), &["interests.tea", "interests.coffee"]), (both.clone(), keys(&["coffee"])));
        assert_eq!(after(coffee(), &["etag", "devices"]), (both, keys(&["tea"])), "output only");
    }

    #[test]
    fn every_fault_is_named_by_its_key() {
        let mut message = wire(&[("tier", "gold"), ("Bad", "x"), ("hat", "x")], &[("tea", 2.0), ("T", 0.1)]);
        message.traits.insert("mood".into(), pb::TraitValue { value: None });
        message.consents = vec![pb::Consent::default()];
        message.etag = "x".into();
        let wrong = patch(&app(), Writer::Device, message, None, Timestamp::default()).expect_err("refused");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let expected = [
            "profile.etag",
            "profile.traits[\"Bad\"]",
            "profile.traits[\"hat\"]",
            "profile.traits[\"mood\"]",
            "profile.traits[\"tier\"]",
            "profile.interests[\"T\"]",
            "profile.interests[\"tea\"]",
            "profile.consents[0].purpose",
            "profile.consents[0].text_version",
        ];
        assert_eq!(fields, expected);
        let mut message = wire(&[], &[]);
        message.interests = (0..200_000).map(|i| (format!("T{i}"), 9.0)).collect();
        let mask = FieldMask { paths: vec!["x".into(); 200_000] };
        let app = app();
        let wrong = patch(&app, Writer::Device, message, Some(&mask), Timestamp::default()).expect_err("too much");
        assert_eq!(wrong.count(), 2, "{wrong}");
        let mask = FieldMask { paths: vec!["colour".into(), "consents.x".into(), "*".into()] };
        let wrong = patch(&app, Writer::Server, pb::Profile::default(), Some(&mask), Timestamp::default());
        assert_eq!(wrong.expect_err("three").iter().count(), 3);
    }
}
