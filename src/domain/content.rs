//! WHAT: the words, picture, link and price a person sees, in each language.
//!
//! Laws: every text is checked when it is written, so that no offer can break; whoever speaks none of the languages is
//! answered in the default one. What an offer shows is a [`Message`]: one language, with everything filled in.

use serde::{Deserialize, Serialize};

pub use super::money::Money;
use super::{
    language::{closeness, language},
    link::{any_link, web_address},
    template::Template,
    text::quoted,
    violation::{Invalid, Violations},
};

/// Longest title, in characters: what a lock screen shows on one line.
pub const MAX_TITLE: usize = 100;
/// Longest body, in characters.
pub const MAX_BODY: usize = 1_000;
/// Longest text of a button, in characters.
pub const MAX_CALL_TO_ACTION: usize = 40;
/// Most languages beside the default one.
pub const MAX_TRANSLATIONS: usize = 32;
/// Longest id of a survey, in characters.
pub const MAX_SURVEY_ID: usize = 128;
/// Longest custom JSON, in bytes.
pub const MAX_CUSTOM_JSON: usize = 4_096;

/// What offers of a campaign show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// BCP 47, of [`Self::words`]; empty if it was not said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// For everybody who speaks none of the other languages.
    #[serde(flatten)]
    pub words: Words,
    pub price: Option<Money>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<Translation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Survey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomJson>,
}

/// What is said in one language. Empty means there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub title: Template,
    pub body: Template,
    /// The text of the button.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    pub call_to_action: Template,
    pub image_url: String,
    pub link: String,
}

/// The words in another language. An image or link that is empty is that of the default language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Translation {
    /// BCP 47.
    pub language: String,
    #[serde(flatten)]
    pub words: Words,
}

/// What an offer shows to one person. Empty strings mean "none".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// BCP 47, of the words; empty if the campaign does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    pub title: String,
    pub body: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call_to_action: String,
    pub image_url: String,
    pub link: String,
    pub price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Survey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomJson>,
}

/// The texts of one language, as they are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a> {
    pub title: &'a str,
    pub body: &'a str,
    pub call_to_action: &'a str,
    pub image_url: &'a str,
    pub link: &'a str,
}

impl Words {
    /// `price_known`: `{{price}}` needs no default.
    pub fn new(written: Written<'_>, price_known: bool) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let title = wrong.nest("title", Template::required(written.title, MAX_TITLE, price_known));
        let body = wrong.nest("body", Template::lines(written.body, MAX_BODY, price_known));
        let button = Template::new(written.call_to_action, MAX_CALL_TO_ACTION, price_known);
        let call_to_action = wrong.nest("call_to_action", button);
        let image_url = wrong.take("image_url", web_address(written.image_url));
        let link = wrong.take("link", any_link(written.link));
        let words = (|| {
            let (image_url, link) = (image_url?, link?);
            Some(Self { title: title?, body: body?, call_to_action: call_to_action?, image_url, link })
        })();
        wrong.finish(words)
    }
}

impl Content {
    /// In one language, which is not said.
    pub fn new(title: &str, body: &str, image_url: &str, link: &str, price: Option<Money>) -> Result<Self, Violations> {
        let written = Written { title, body, call_to_action: "", image_url, link };
        let words = Words::new(written, price.is_some())?;
        Ok(Self { language: String::new(), words, price, translations: Vec::new(), survey: None, custom: None })
    }

    /// Whether each language is there once, and the default one is said if there are others.
    pub fn check(self) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        if !self.language.is_empty() {
            wrong.take("language", language(&self.language));
        } else if !self.translations.is_empty() {
            wrong.add("language", "is required where there are translations: it is that of the title");
        }
        for (i, translation) in self.translations.iter().enumerate() {
            let field = format!("translations[{i}].language");
            let sound = wrong.take(&field, language(&translation.language));
            let earlier = self.translations[..i].iter().map(|other| &other.language).chain([&self.language]);
            if sound.is_some() && earlier.into_iter().any(|other| other.eq_ignore_ascii_case(&translation.language)) {
                wrong.add(field, format!("is there already, was {}", quoted(&translation.language)));
            }
        }
        wrong.finish(Some(self))
    }

    /// The words for somebody who speaks this language, and what language they are in: the longest tag that is theirs or
    /// begins it (RFC 4647, lookup: `pt` for `pt-BR`, and `zh-Hant` for `zh-TW`), else the default one.
    pub fn words_for(&self, language: &str) -> (&str, &Words) {
        let default = (self.language.as_str(), &self.words);
        if self.translations.is_empty() {
            return default;
        }
        let others = self.translations.iter().map(|other| (other.language.as_str(), &other.words));
        let spoken = others.chain([default]).filter_map(|of| Some((closeness(language, of.0)?, of)));
        spoken.max_by_key(|(close, _)| *close).map_or(default, |(_, closest)| closest)
    }
}

/// Which survey the app shall show: an id that the app knows, or an https link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Survey(String);

impl Survey {
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let is_id = (1..=MAX_SURVEY_ID).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '~'));
        if is_id || (!text.is_empty() && web_address(text).is_ok()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(format!(
            "must be an id of 1 to {MAX_SURVEY_ID} letters, digits, - _ . : ~ or an https link, was {}",
            quoted(text)
        )))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A JSON object that only the app understands. Dintorni hands it on as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomJson(String);

impl CustomJson {
    pub fn new(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_CUSTOM_JSON {
            return Err(Invalid::new(format!("must be at most {MAX_CUSTOM_JSON} bytes, were {}", text.len())));
        }
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(fault) => Err(Invalid::new(format!("must be a JSON object: {fault}"))),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! stored_as_text {
    ($($T:ident),*) => { $(
        impl TryFrom<String> for $T {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(&text)
            }
        }

        impl From<$T> for String {
            fn from(value: $T) -> String {
                value.0
            }
        }
    )* };
}

stored_as_text!(Survey, CustomJson);

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(wrong: &Violations) -> Vec<&str> {
        wrong.iter().map(|violation| violation.field.as_str()).collect()
    }

    fn in_languages(default: &str, others: &[&str]) -> Content {
        let words =
            |language: &str| Words::new(Written { title: language, ..Written::default() }, false).expect("sound");
        let other = |&language: &&str| Translation { language: language.into(), words: words(language) };
        let translations = others.iter().map(other).collect();
        Content { language: default.into(), translations, ..Content::new("default", "", "", "", None).expect("sound") }
    }

    #[test]
    fn content_names_every_fault_at_once() {
        let wrong = Content::new("", "", "http://x", "javascript:alert(1)", None).expect_err("three faults");
        assert_eq!(fields(&wrong), ["title", "image_url", "link"]);
        assert!(Content::new("Coffee", "", "", "shopper://offers/1", None).is_ok());
    }

    #[test]
    fn the_longest_tag_that_begins_a_language_is_spoken() {
        let content = in_languages("en", &["pt", "pt-BR", "zh-Hant"]);
        let cases = [
            ("pt-BR", "pt-BR"),
            ("PT-br", "pt-BR"),
            ("pt-PT", "pt"),
            ("zh-Hant-TW", "zh-Hant"),
            ("zh-TW", "zh-Hant"),
            ("zh-CN", "en"),
            ("zh", "en"),
            ("ptx", "en"),
            ("en-GB", "en"),
            ("fi", "en"),
            ("", "en"),
        ];
        for (device, spoken) in cases {
            assert_eq!(content.words_for(device).0, spoken, "{device}");
        }
        let chinese = in_languages("zh", &["zh-Hans", "zh-Hant", "zh-HK"]);
        for (device, spoken) in [("zh-TW", "zh-Hant"), ("zh-Hant-HK", "zh-HK"), ("zh-SG", "zh-Hans"), ("zh-MY", "zh")] {
            assert_eq!(chinese.words_for(device).0, spoken, "{device}");
        }
        assert_eq!(in_languages("en-GB", &["en"]).words_for("en-GB").0, "en-GB", "the default one competes");
    }

    #[test]
    fn each_language_is_there_once() {
        let wrong = in_languages("en", &["it", "EN", "x", "IT"]).check().expect_err("three faults");
        assert_eq!(
            fields(&wrong),
            ["translations[1].language", "translations[2].language", "translations[3].language"]
        );
        assert_eq!(fields(&in_languages("", &["it"]).check().expect_err("which is the title?")), ["language"]);
        assert!(in_languages("", &[]).check().is_ok() && in_languages("en", &["it"]).check().is_ok());
    }

    #[test]
    fn content_stored_before_there_were_languages_is_read_and_written_as_it_was() {
        let old = r#"{"title":"One {{free}}","body":"","image_url":"","link":"","price":null}"#;
        let read: Content = serde_json::from_str(old).expect("sound");
        assert_eq!(read.words.title.unfilled(), "One {{free}}", "what is no variable is text");
        assert_eq!(serde_json::to_string(&read).expect("plain"), old);
    }

    #[test]
    fn custom_json_is_an_object_of_bounded_size() {
        assert_eq!(CustomJson::new(r#"{"a": [1.0, null]}"#).expect("sound").as_str(), r#"{"a": [1.0, null]}"#);
        let (deep, long) = ("[".repeat(4_000), format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_CUSTOM_JSON)));
        for bad in ["", "[]", "1", "{", "{}x", "{'a':1}", &format!(r#"{{"a":{deep}"#), &long] {
            assert!(CustomJson::new(bad).is_err(), "{bad}");
        }
        assert!(Survey::new("nps-2026").is_ok() && Survey::new("https://example.org/s?x=1").is_ok());
        assert!(Survey::new("").is_err() && Survey::new("http://example.org").is_err() && Survey::new("a b").is_err());
    }
}
