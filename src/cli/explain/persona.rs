//! Somebody made up on the command line.

use clap::{Args, ValueEnum};

use super::past;
use crate::{
    cli::names,
    domain::{audience::TraitValue, text::quoted, time::Timestamp},
    grpc::pb::{self, trait_value::Value},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Somebody made up")]
pub struct MadeUp {
    /// Ask about a person who does not exist, of this app's people, such as acme/shopper
    #[arg(long = "persona", id = "persona", value_name = "APP")]
    pub app: Option<String>,
    /// What experiments draw them by: under another name it is another person
    #[arg(long, value_name = "NAME", requires = "persona")]
    called: Option<String>,
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
    /// A visit before, such as acme/stores/0042=3d, three days before the time that is asked about, or =2026-11-19T08:00:00Z;
    /// may be repeated
    #[arg(long, value_name = "PLACE=WHEN", requires = "persona")]
    visit: Vec<String>,
    /// An offer before, and what became of it, such as acme/espresso=7d or acme/espresso=7d,shown=7d,redeemed=5d; may be
    /// repeated
    #[arg(long, value_name = "CAMPAIGN=WHEN[,shown=WHEN][,opened=WHEN][,redeemed=WHEN]", requires = "persona")]
    offer: Vec<String>,
    /// A brand whose offers the person does not want, such as acme; may be repeated
    #[arg(long, value_name = "BRAND", requires = "persona")]
    muted: Vec<String>,
    /// The language the phone speaks
    #[arg(long, value_name = "TAG", default_value = "en", requires = "persona")]
    language: String,
    /// What the phone is
    #[arg(long, value_name = "SYSTEM", value_enum, requires = "persona")]
    platform: Option<System>,
    /// The app's version on the phone, such as 4.12
    #[arg(long, value_name = "VERSION", requires = "persona")]
    app_version: Option<String>,
    /// The phone's time zone, such as Europe/Rome; without it the app's
    #[arg(long, value_name = "ZONE", requires = "persona")]
    phone_zone: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purposes {
    Location,
    Marketing,
    Profiling,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum System {
    Ios,
    Android,
    Other,
}

impl MadeUp {
    /// The persona, if one is asked about, as of the moment that is asked about; what is wrong with it is noted.
    pub fn persona(&self, asked: Timestamp, wrong: &mut Vec<String>) -> Option<pb::Persona> {
        let app = self.app()?;
        let traits = self.traits.iter().filter_map(|text| noted(wrong, "--trait", pair(text)));
        let traits = traits.map(|(key, value)| (key.to_owned(), trait_value(value))).collect();
        let interests = self.interest.iter().filter_map(|text| noted(wrong, "--interest", strength(text))).collect();
        let visits = self.visit.iter().filter_map(|text| noted(wrong, "--visit", past::visit(text, asked))).collect();
        let offers = self.offer.iter().filter_map(|text| noted(wrong, "--offer", past::offer(text, asked))).collect();
        Some(pb::Persona {
            app,
            name: self.called.clone().unwrap_or_default(),
            traits,
            interests,
            without: self.without(),
            language: self.language.clone(),
            platform: self.platform(),
            time_zone: self.phone_zone.clone().unwrap_or_default(),
            app_version: self.app_version.clone().unwrap_or_default(),
            visits,
            offers,
            muted_brands: self.muted.iter().map(|brand| names::whole(brand)).collect(),
        })
    }

    /// Its whole name, of the short one too.
    fn app(&self) -> Option<String> {
        let app = names::whole(self.app.as_ref()?).replacen("organizations/", "", 1);
        Some(match app.split('/').collect::<Vec<_>>().as_slice() {
            [organization, app] | [organization, "apps", app] => format!("organizations/{organization}/apps/{app}"),
            _ => self.app.clone()?,
        })
    }

    fn without(&self) -> Vec<i32> {
        let wire = |purpose: &Purposes| match purpose {
            Purposes::Location => pb::Purpose::Location,
            Purposes::Marketing => pb::Purpose::Marketing,
            Purposes::Profiling => pb::Purpose::Profiling,
        };
        self.without.iter().map(|purpose| wire(purpose).into()).collect()
    }

    fn platform(&self) -> i32 {
        i32::from(match self.platform {
            None => pb::Platform::Unspecified,
            Some(System::Ios) => pb::Platform::Ios,
            Some(System::Android) => pb::Platform::Android,
            Some(System::Other) => pb::Platform::Other,
        })
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

    fn made_up(arguments: &[&str]) -> MadeUp {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            made_up: MadeUp,
        }
        clap::Parser::try_parse_from([&["explain"], arguments].concat()).map(|line: Line| line.made_up).expect("flags")
    }

    #[test]
    fn an_app_has_a_short_and_a_whole_name() {
        for app in ["acme/shopper", "acme/apps/shopper", "organizations/acme/apps/shopper"] {
            let mut wrong = Vec::new();
            let asked =
                ["--persona", app, "--trait", "tier", "--interest", "coffee=much", "--visit", "x", "--offer", "y"];
            let persona = made_up(&asked).persona(Timestamp::default(), &mut wrong).expect("one");
            assert_eq!((persona.app.as_str(), wrong.len()), ("organizations/acme/apps/shopper", 4));
        }
    }

    #[test]
    fn every_field_of_a_persona_has_a_flag() {
        let flags = "--persona acme/shopper --called ada --trait tier=gold --interest tea=0.5 --without profiling \
                     --visit acme/stores/1=3d --offer acme/tea=2d --muted rival --language it --platform ios \
                     --app-version 4.12 --phone-zone Europe/Rome";
        let mut wrong = Vec::new();
        let persona = made_up(&flags.split_whitespace().collect::<Vec<_>>());
        let persona = persona.persona(Timestamp::default(), &mut wrong).expect("one");
        assert_eq!(wrong, Vec::<String>::new());
        let spelt = crate::cli::json::to_json("dintorni.v1.Persona", &persona).expect("JSON");
        let empty = crate::cli::json::to_json("dintorni.v1.Persona", &pb::Persona::default()).expect("JSON");
        for (field, default) in empty.as_object().expect("a message") {
            assert_ne!(&spelt[field], default, "{field}");
        }
    }
}
