//! Somebody made up on the command line.

use clap::{Args, ValueEnum};

use crate::{
    cli::names,
    domain::{audience::TraitValue, text::quoted},
    grpc::pb::{self, trait_value::Value},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Somebody made up")]
pub struct MadeUp {
    /// Ask about a person who does not exist, of this app's people, such as acme/shopper
    #[arg(long = "persona", id = "persona", value_name = "APP")]
    pub app: Option<String>,
    /// A trait, such as tier=gold, points=7, member=true or born=1990-05-01; text that reads like a number in double quotes:
    /// 'zip="20121"'; may be repeated
    #[arg(long = "trait", value_name = "KEY=VALUE", requires = "persona")]
    traits: Vec<String>,
    /// An interest from 0 to 1, such as coffee=0.8; may be repeated
    #[arg(long, value_name = "TOPIC=STRENGTH", requires = "persona")]
    interest: Vec<String>,
    /// What the person did not agree to; may be repeated
    #[arg(long, value_name = "PURPOSE", value_enum, requires = "persona")]
    without: Vec<Purposes>,
    /// The language the phone speaks
    #[arg(long, value_name = "TAG", default_value = "en", requires = "persona")]
    language: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purposes {
    Location,
    Marketing,
    Profiling,
}

impl MadeUp {
    /// The persona, if one is asked about; what is wrong with it is noted.
    pub fn persona(&self, wrong: &mut Vec<String>) -> Option<pb::Persona> {
        let app = names::whole(self.app.as_ref()?).replacen("organizations/", "", 1);
        let app = match app.split('/').collect::<Vec<_>>().as_slice() {
            [organization, app] | [organization, "apps", app] => format!("organizations/{organization}/apps/{app}"),
            _ => self.app.clone()?,
        };
        let traits = self.traits.iter().filter_map(|text| noted(wrong, "--trait", pair(text)));
        let traits = traits.map(|(key, value)| (key.to_owned(), trait_value(value))).collect();
        let interests = self.interest.iter().filter_map(|text| noted(wrong, "--interest", strength(text))).collect();
        let without = self.without.iter().map(|purpose| {
            i32::from(match purpose {
                Purposes::Location => pb::Purpose::Location,
                Purposes::Marketing => pb::Purpose::Marketing,
                Purposes::Profiling => pb::Purpose::Profiling,
            })
        });
        let (without, language) = (without.collect(), self.language.clone());
        Some(pb::Persona { app, traits, interests, without, language, ..Default::default() })
    }
}

fn noted<T>(wrong: &mut Vec<String>, flag: &str, read: Result<T, String>) -> Option<T> {
    read.map_err(|why| wrong.push(format!("{flag}: {why}"))).ok()
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=').ok_or_else(|| format!("must be KEY=VALUE, was {}", quoted(text)))
}

fn strength(text: &str) -> Result<(String, f64), String> {
    let (topic, strength) = pair(text)?;
    let number =
        strength.parse().map_err(|_| format!("must be TOPIC=STRENGTH, such as coffee=0.8, was {}", quoted(text)))?;
    Ok((topic.to_owned(), number))
}

/// A flag, number or date if it reads like one and is not quoted.
fn trait_value(text: &str) -> pb::TraitValue {
    if let Some(quoted) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return pb::TraitValue { value: Some(Value::Text(quoted.to_owned())) };
    }
    let number = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number);
    let date = || TraitValue::date(text).ok().map(|_| Value::Date(text.to_owned()));
    let value = match text {
        "true" => Value::Flag(true),
        "false" => Value::Flag(false),
        text => number().or_else(date).unwrap_or_else(|| Value::Text(text.to_owned())),
    };
    pb::TraitValue { value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_are_what_they_read_like() {
        let value = |text| trait_value(text).value.expect("one");
        assert_eq!(value("7"), Value::Number(7.0));
        assert_eq!(value("true"), Value::Flag(true));
        assert_eq!(value("1990-05-01"), Value::Date("1990-05-01".into()));
        for text in ["gold", "nan", "1990-15-01", ""] {
            assert_eq!(value(text), Value::Text(text.into()));
        }
        assert_eq!(value("\"20121\""), Value::Text("20121".into()));
    }

    #[test]
    fn an_app_has_a_short_and_a_whole_name() {
        let made_up = |app: &str| MadeUp {
            app: Some(app.into()),
            traits: vec!["tier".into()],
            interest: vec!["coffee=much".into()],
            without: Vec::new(),
            language: "en".into(),
        };
        for app in ["acme/shopper", "acme/apps/shopper", "organizations/acme/apps/shopper"] {
            let mut wrong = Vec::new();
            let persona = made_up(app).persona(&mut wrong).expect("one");
            assert_eq!((persona.app.as_str(), wrong.len()), ("organizations/acme/apps/shopper", 2));
        }
    }
}
