//! Text with variables, such as `Hello {{trait.first_name|there}}`: read and checked once, filled in for each person.
//!
//! Laws: what could be read can be filled in, whatever is known and whatever it says: a value is put in as plain text,
//! never read again, and a text that grew too long is shortened. What is not known has its default.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    text::{self, Lines, TraitKey, quoted},
    violation::{Invalid, Violations},
};

/// Most variables in one text.
pub const MAX_VARIABLES: usize = 16;
/// Longest default of a variable, in characters.
pub const MAX_DEFAULT: usize = 100;
/// So many characters more than it may have with its defaults a text may have as it is written: there are the names of
/// variables in it.
pub const MAX_NAMES: usize = 1_600;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// What a text can have in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    Trait(TraitKey),
    StoreName,
    StoreAddress,
    /// The store's name, else that of the geofence or beacon.
    PlaceName,
    /// Whole metres.
    DistanceM,
    /// As `4.05 EUR`.
    Price,
    CouponInstruction,
    /// As `4.05 EUR`.
    CouponValue,
}

/// The names of all but the traits.
const NAMES: [(&str, Variable); 7] = [
    ("store.name", Variable::StoreName),
    ("store.address", Variable::StoreAddress),
    ("place.name", Variable::PlaceName),
    ("distance_m", Variable::DistanceM),
    ("price", Variable::Price),
    ("coupon.instruction", Variable::CouponInstruction),
    ("coupon.value", Variable::CouponValue),
];

impl Variable {
    fn read(name: &str) -> Result<Self, Invalid> {
        if let Some(key) = name.strip_prefix("trait.") {
            return TraitKey::new(key).map(Self::Trait);
        }
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, variable)| variable.clone());
        known.ok_or_else(|| {
            let known = NAMES.map(|(name, _)| name).join(", ");
            Invalid::new(format!("is none of the variables trait.KEY, {known}, was {}", quoted(name)))
        })
    }
}

/// A text, taken apart into what is said to everybody and what is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Template {
    source: String,
    /// None if there are no variables.
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable { variable: Variable, default: Option<String> },
}

impl Template {
    /// Text of at most `max` characters with the defaults in place of its variables; it may be empty. Every fault is told,
    /// by its place in the text. With `price_known` a price needs no default.
    pub fn new(source: &str, max: usize, price_known: bool) -> Result<Self, Violations> {
        Self::checked(source, (max, price_known), Lines::One, false)
    }

    /// As [`Self::new`], and never empty.
    pub fn required(source: &str, max: usize, price_known: bool) -> Result<Self, Violations> {
        Self::checked(source, (max, price_known), Lines::One, true)
    }

    /// As [`Self::new`], of one line or several, whichever way they end. What is filled in stays on its line.
    pub fn lines(source: &str, max: usize, price_known: bool) -> Result<Self, Violations> {
        Self::checked(&source.replace("\r\n", "\n"), (max, price_known), Lines::Several, false)
    }

    fn checked(
        source: &str,
        (max, price_known): (usize, bool),
        lines: Lines,
        is_required: bool,
    ) -> Result<Self, Violations> {
        let refuse = |invalid| Violations::one("", invalid);
        let (source, most) = (source.trim(), max + MAX_NAMES);
        let length = source.chars().count();
        if length > most {
            let said = format!("must have at most {most} characters with the names of its variables, had {length}");
            return Err(refuse(Invalid::new(said)));
        }
        let template = Self::read(source, price_known)?;
        // Also where nothing else is: what is filled in before and behind it would stand on two lines.
        text::uncontrolled(source, lines).map_err(refuse)?;
        let shortest = template.shortest();
        if is_required || !shortest.trim().is_empty() {
            text::checked(&shortest, max, lines).map_err(refuse)?;
        }
        Ok(template)
    }

    fn read(source: &str, price_known: bool) -> Result<Self, Violations> {
        let (mut wrong, mut parts, mut rest) = (Violations::default(), Vec::new(), source);
        while let Some((before, after)) = rest.split_once(OPEN) {
            let at = source[..source.len() - after.len() - OPEN.len()].chars().count() + 1;
            parts.push(Part::Text(before.to_owned()));
            let Some((inside, behind)) = after.split_once(CLOSE) else {
                wrong.add("", format!("has {OPEN} at character {at} without {CLOSE}"));
                return Err(wrong);
            };
            match variable(inside, price_known) {
                Ok(variable) => parts.push(variable),
                Err(invalid) => wrong.add("", format!("character {at}: {invalid}")),
            }
            rest = behind;
        }
        if parts.len() > 2 * MAX_VARIABLES {
            wrong.add("", format!("must have at most {MAX_VARIABLES} variables, were {}", parts.len() / 2));
        }
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        if !rest.is_empty() && !parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        wrong.finish(Some(Self { source: source.to_owned(), parts }))
    }

    /// What is said at least: with every default, and something of what is always there.
    fn shortest(&self) -> String {
        let always = |default: &Option<String>| default.clone().unwrap_or_else(|| "…".to_owned());
        self.with(|_, default| always(default))
    }

    /// As it is for somebody of whom nothing is known, at no place.
    pub fn unfilled(&self) -> String {
        self.fill(usize::MAX, |_| None)
    }

    /// With values in place of its variables; where there is none, or nothing of it can be seen, with their defaults. At most
    /// `max` characters, which is to be what it was read with.
    pub fn fill(&self, max: usize, value: impl Fn(&Variable) -> Option<String>) -> String {
        if self.parts.is_empty() {
            return self.source.clone();
        }
        let seen =
            |variable: &Variable| value(variable).map(|value| text::plain(&value)).filter(|text| text::is_seen(text));
        let text = self.with(|variable, default| seen(variable).or_else(|| default.clone()).unwrap_or_default());
        text::shortened(text.trim().to_owned(), max)
    }

    fn with(&self, value: impl Fn(&Variable, &Option<String>) -> String) -> String {
        if self.parts.is_empty() {
            return self.source.clone();
        }
        let said = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable { variable, default } => value(variable, default),
        };
        self.parts.iter().map(said).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }
}

fn variable(inside: &str, price_known: bool) -> Result<Part, Invalid> {
    if inside.contains(['{', '}']) {
        return Err(Invalid::new(format!("a variable and its default have no braces in them, was {}", quoted(inside))));
    }
    let (name, default) = inside.split_once('|').map_or((inside, None), |(name, default)| (name, Some(default)));
    let variable = Variable::read(name.trim())?;
    match default {
        None if variable == Variable::Price && price_known => {}
        None => return Err(Invalid::new(format!("{} needs a default: {{{{{}|…}}}}", name.trim(), name.trim()))),
        Some(default) if default.chars().count() > MAX_DEFAULT => {
            let length = default.chars().count();
            return Err(Invalid::new(format!("a default must be at most {MAX_DEFAULT} characters, were {length}")));
        }
        Some(_) => {}
    }
    Ok(Part::Variable { variable, default: default.map(str::to_owned) })
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// What was stored before there were variables, and looks like one, is plain text.
impl From<String> for Template {
    fn from(source: String) -> Self {
        Self::read(&source, true).unwrap_or(Self { source, parts: Vec::new() })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> String {
        template.source
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 40;

    fn faults(source: &str) -> Vec<String> {
        let wrong = Template::required(source, MAX, false).expect_err("unsound");
        wrong.iter().map(|violation| violation.description.clone()).collect()
    }

    fn said(source: &str, value: Option<&str>) -> String {
        let template = Template::required(source, MAX, true).expect("sound");
        template.fill(MAX, |_| value.map(str::to_owned))
    }

    #[test]
    fn a_value_or_its_default_is_put_in_as_plain_text() {
        let hello = "Hello {{ trait.first_name |there}}, {{store.name|we}} wait";
        assert_eq!(said(hello, None), "Hello there, we wait");
        assert_eq!(said("Hello {{trait.a|b}}", Some("{{store.name|x}}")), "Hello {{store.name|x}}", "not read again");
        assert_eq!(said("Hello {{trait.a|b}}!", Some(" A\u{202e}n\nn ")), "Hello Ann!");
        assert_eq!(said("Hello {{trait.a|b}}!", Some("\u{200b} \t")), "Hello b!", "what cannot be seen is not there");
        for unseen in ["\u{200e}", "\u{ad}", "\u{2800}", "\u{3164}"] {
            assert_eq!(said("{{trait.first_name|friend}}", Some(unseen)), "friend", "{unseen:?}");
        }
        assert_eq!(said("{{trait.a|b}}", Some("👩\u{200d}🍳")), "👩\u{200d}🍳", "what joins is kept");
        assert!(faults("{{trait.a|\u{3164}}}")[0].starts_with("must have a character that can be seen"));
        assert_eq!(said("{{price}} } { }}", None), "} { }}", "braces alone are text");
        let cut = said("{{trait.a|}} é è", Some(&"🥐".repeat(50)));
        assert_eq!((cut.chars().count(), cut.ends_with("🥐…")), (MAX, true), "{cut}");
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let many = faults("é{{nme|x}} {{trait.|x}} {{store.name}} {{store.name|{{price}}}} {{price}}");
        let places = ["character 2: is none of", "character 12: must be", "character 25: store.name needs a default"];
        for (fault, place) in many.iter().zip(places) {
            assert!(fault.starts_with(place), "{fault}");
        }
        assert_eq!(many.len(), 5, "{many:?}");
        assert!(faults("Hello {{store.name|x")[0].contains("at character 7 without }}"));
        assert!(faults("{{store.name|}}")[0].contains("1 to 40 characters, had 0"), "nothing would be left of it");
        assert!(faults(&format!("{{{{store.name|{}}}}}", "x".repeat(41)))[0].contains("had 41"));
        assert_eq!(faults(&"{{store.name|}}x".repeat(17)), ["must have at most 16 variables, were 17"]);
    }

    #[test]
    fn several_lines_are_for_who_asks_for_them() {
        let lines = |source: &str| Template::lines(source, MAX, false);
        let two = lines("\r\n Hello {{trait.a|}},\r\n\r\ntwo for one \n").expect("sound");
        assert_eq!(two.source(), "Hello {{trait.a|}},\n\ntwo for one");
        assert_eq!(two.fill(MAX, |_| Some("A\nnn".into())), "Hello Ann,\n\ntwo for one");
        let first = lines("{{trait.a|}}\nHello").expect("sound");
        assert_eq!((first.unfilled(), Template::from(first.source().to_owned())), ("Hello".to_owned(), first));
        for source in ["a\rb", "a\tb", "a\u{2028}b", "a\u{b}b"] {
            assert!(lines(source).is_err(), "{source:?}");
        }
        assert!(lines(" \n\n ").is_ok_and(|none| none.is_empty()));
        assert!(faults("two\nlines")[0].starts_with("must not contain control"), "a title is one line");
        for source in ["two\nlines", "{{trait.a|}}\r{{trait.b|}}", "{{trait.a|}}\nHello", "Hello {{trait.a|\n}}"] {
            assert!(Template::new(source, MAX, false).is_err(), "{source:?}");
        }
    }

    #[test]
    fn what_is_written_has_a_bound_whatever_is_said() {
        let blanks = |count| format!("{{{{{}trait.a|x}}}}", " ".repeat(count));
        let most = MAX + MAX_NAMES;
        assert!(Template::new(&blanks(most - 13), MAX, false).is_ok());
        let said = format!("must have at most {most} characters with the names of its variables, had {}", most + 1);
        assert_eq!(faults(&blanks(most - 12)), [said]);
        let key = "k".repeat(text::MAX_SLUG);
        let full = format!("{{{{trait.{key}|}}}}").repeat(MAX_VARIABLES - 1) + "{{trait.a|x}}";
        assert!(Template::new(&full, MAX, false).is_ok(), "the longest names fit");
    }

    fn a_piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~é🥐{}|]{0,8}",
            Just("{{".to_owned()),
            Just("}}".to_owned()),
            (
                "[ ]?",
                "trait\\.[a-z]{1,3}|store\\.name|store\\.address|place\\.name|distance_m|price|coupon\\.value",
                "[ |]?[ -~é]{0,6}"
            )
                .prop_map(|(blank, name, default)| format!("{{{{{blank}{name}{default}}}}}")),
        ]
    }

    proptest! {
        #[test]
        fn what_can_be_read_never_breaks(
            pieces in prop::collection::vec(a_piece(), 0..6), value in prop::option::of("\\PC{0,60}|.{0,5}"), price in any::<bool>(),
        ) {
            let source = pieces.concat();
            let Ok(template) = Template::new(&source, MAX, price) else { return Ok(()) };
            let text = template.fill(MAX, |_| value.clone());
            prop_assert!(text.chars().count() <= MAX && !text.chars().any(char::is_control), "{:?}", text);
            let is_told = |name: &str| text.contains(&format!("{{{{{name}"));
            let of_value = value.as_deref().is_some_and(|value| value.contains('{'));
            prop_assert!(of_value || !NAMES.iter().any(|(name, _)| is_told(name)), "{:?}", text);
            prop_assert_eq!(Template::from(template.source().to_owned()), template, "stored and read");
            if let Ok(title) = Template::required(&source, MAX, price) {
                let price = |variable: &Variable| (*variable == Variable::Price).then(|| "4.05 EUR".to_owned());
                prop_assert!(!title.fill(MAX, price).trim().is_empty());
                prop_assert!(value.is_some() || !text.is_empty() || title.source().contains("{{"));
            }
        }
    }
}
