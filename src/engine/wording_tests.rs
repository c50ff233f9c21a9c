//! What an offer says to whom: in which language, with what filled in, and what is never told.

use std::collections::BTreeSet;

use super::{
    decide::{Question, decide},
    fixture::{app, campaign, catalog, consents, declaring, device_name, geofence, here, metres, person, store},
};
use crate::domain::{
    audience::TraitValue,
    campaign::{Campaign, On},
    consent::Purpose,
    content::{Content, Message, Translation, Words, Written},
    place::{Geofence, Store},
    profile::Profile,
    text::TraitKey,
};

fn coffee() -> Campaign {
    let written = |title, link| Written { title, call_to_action: "{{store.name|Shop}}", link, ..Written::default() };
    let words = |title, link| Words::new(written(title, link), false).expect("sound");
    let italian = Translation { language: "it".into(), words: words("Ciao {{trait.first_name|amico}}", "") };
    let english = words("Hi {{trait.first_name|friend}}, {{distance_m|some}} m", "https://example.org/en");
    let plain = Content::new("-", "", "", "", None).expect("sound");
    let content = Content { language: "en".into(), words: english, translations: vec![italian], ..plain };
    Campaign { content, ..campaign("coffee", On::Entered, "geofences/quay") }
}

/// What somebody is shown who enters the quay.
fn shown(person: &Profile, campaign: &Campaign, at_store: bool) -> Message {
    let shop = Store { display_name: "Café Ä".into(), ..store("1", 40.0) };
    let fence = Geofence { store: at_store.then(|| shop.name.clone()), ..geofence("quay", 0.0, 100.0) };
    let catalog = catalog(vec![shop.into(), fence.into(), campaign.clone().into()]);
    let (device, exhausted, ping) = (device_name(), BTreeSet::new(), here(0, metres(0.0, 0.0)));
    let (app, catalog) = (&declaring(&app(), person), &catalog);
    let question =
        Question { catalog, app, profile: person, device: &device, ping: &ping, seed: 7, exhausted: &exhausted };
    decide(&question).decision.offers.remove(0).content
}

fn named(name: &str, language: &str, agreed: &[Purpose]) -> Profile {
    let mut person = person();
    let key = TraitKey::new("first_name").expect("sound");
    person.personal_of_record_mut().traits.insert(key, TraitValue::Text(name.into()));
    person.consents = consents(agreed);
    person.devices.get_mut(&device_name()).expect("there").language = language.into();
    person
}

#[test]
fn a_person_is_spoken_to_by_name_in_their_language() {
    let told = shown(&named("Aino", "it-CH", &Purpose::ALL), &coffee(), true);
    assert_eq!((told.language.as_str(), told.title.as_str()), ("it", "Ciao Aino"));
    assert_eq!(told.call_to_action, "Café Ä");
    assert_eq!(told.link, "https://example.org/en", "that of the default language");
    let told = shown(&named("Aino", "fi", &Purpose::ALL), &coffee(), true);
    assert_eq!((told.language.as_str(), told.title.as_str()), ("en", "Hi Aino, 40 m"));
}

#[test]
fn what_is_not_known_or_not_to_be_known_has_its_default() {
    let told = shown(&named("Aino", "en", &[Purpose::Location, Purpose::Marketing]), &coffee(), false);
    assert_eq!((told.title.as_str(), told.call_to_action.as_str()), ("Hi friend, 0 m", "Shop"));
    let told = shown(&named("{{store.name|x}}", "en", &Purpose::ALL), &coffee(), true);
    assert_eq!(told.title, "Hi {{store.name|x}}, 40 m", "a value is not read again");
}
