//! WHAT on the wire: what a campaign says, and what an offer shows.
//!
//! Law 8: every text of every language is looked at, and each fault is told by its field and its place in the text.

use crate::{
    domain::{
        content::{Content, CustomJson, MAX_TRANSLATIONS, Money, Survey, Translation, Words, Written},
        violation::{Invalid, Violations, at_most},
    },
    grpc::{
        pb,
        wire::{money, money_to_wire},
    },
};

pub fn content(wire: pb::Content) -> Result<Content, Violations> {
    let pb::Content {
        title,
        body,
        image_url,
        link,
        price,
        call_to_action,
        language,
        translations: others,
        survey,
        custom_json,
    } = wire;
    let mut wrong = Violations::default();
    let price: Option<Option<Money>> = wrong.nest("price", money(price));
    // Of a price that is wrong nothing more is said.
    let price_known = price.as_ref().is_none_or(Option::is_some);
    let written =
        Written { title: &title, body: &body, call_to_action: &call_to_action, image_url: &image_url, link: &link };
    let words = wrong.nest("", Words::new(written, price_known));
    wrong.take("translations", at_most(MAX_TRANSLATIONS, others.len()));
    let read = |(i, wire)| wrong.nest(format_args!("translations[{i}]"), translation(wire, price_known));
    let translations: Vec<Translation> =
        others.into_iter().take(MAX_TRANSLATIONS).enumerate().filter_map(read).collect();
    let survey = wrong.take("survey", unless_empty(&survey, Survey::new));
    let custom = wrong.take("custom_json", unless_empty(&custom_json, CustomJson::new));
    let content =
        (|| Some(Content { language, words: words?, price: price?, translations, survey: survey?, custom: custom? }))();
    wrong.finish(content)?.check()
}

fn translation(wire: pb::Translation, price_known: bool) -> Result<Translation, Violations> {
    let pb::Translation { language, title, body, call_to_action, image_url, link } = wire;
    let written =
        Written { title: &title, body: &body, call_to_action: &call_to_action, image_url: &image_url, link: &link };
    Words::new(written, price_known).map(|words| Translation { language, words })
}

fn unless_empty<T>(text: &str, read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

pub fn content_to_wire(content: &Content) -> pb::Content {
    let Content { language, words, price, translations, survey, custom } = content;
    let Words { title, body, call_to_action, image_url, link } = words;
    pb::Content {
        title: title.to_string(),
        body: body.to_string(),
        image_url: image_url.clone(),
        link: link.clone(),
        price: price.as_ref().map(money_to_wire),
        call_to_action: call_to_action.to_string(),
        language: language.clone(),
        translations: translations.iter().map(translation_to_wire).collect(),
        survey: survey_to_wire(survey.as_ref()),
        custom_json: custom_to_wire(custom.as_ref()),
    }
}

fn translation_to_wire(translation: &Translation) -> pb::Translation {
    let Translation { language, words: Words { title, body, call_to_action, image_url, link } } = translation;
    pb::Translation {
        language: language.clone(),
        title: title.to_string(),
        body: body.to_string(),
        call_to_action: call_to_action.to_string(),
        image_url: image_url.clone(),
        link: link.clone(),
    }
}

/// Empty if there is none.
pub fn survey_to_wire(survey: Option<&Survey>) -> String {
    survey.map(|survey| survey.as_str().to_owned()).unwrap_or_default()
}

/// Empty if there is none.
pub fn custom_to_wire(custom: Option<&CustomJson>) -> String {
    custom.map(|custom| custom.as_str().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> pb::Content {
        let italian = pb::Translation {
            language: "it".into(),
            title: "Ciao {{trait.first_name|caro}}".into(),
            call_to_action: "Vieni".into(),
            ..Default::default()
        };
        pb::Content {
            title: "Hello, {{price}}".into(),
            price: Some(pb::Money { currency: "EUR".into(), minor_units: 405 }),
            language: "en".into(),
            translations: vec![italian],
            survey: "nps".into(),
            custom_json: "{\"a\":1}".into(),
            ..Default::default()
        }
    }

    #[test]
    fn content_survives_the_wire() {
        assert_eq!(content_to_wire(&content(sound()).expect("sound")), sound());
    }

    #[test]
    fn every_fault_is_named() {
        let mut faulty = sound();
        faulty.price = None;
        faulty.translations[0].call_to_action = "{{tier|x}}".into();
        (faulty.survey, faulty.custom_json) = ("http://x".into(), "[]".into());
        let wrong = content(faulty).expect_err("faulty");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["title", "translations[0].call_to_action", "survey", "custom_json"]);
        let twice = pb::Content { language: "IT".into(), ..sound() };
        assert!(content(twice).expect_err("faulty").to_string().starts_with("translations[0].language: is there"));
    }
}
