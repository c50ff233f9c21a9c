//! Which column or property means what.
//!
//! Law: a name given by the user wins over the usual names; names are compared without regard to case.

use std::{borrow::Cow, fmt, str::FromStr};

use super::Reading;
use crate::{
    app::imports::{Optional, Unsaid},
    domain::{text::quoted, violation::Invalid},
};

/// What a place file can say of a place, beside its id and outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Name,
    Latitude,
    Longitude,
    TimeZone,
    Address,
    Brand,
    OpeningHours,
    Country,
    /// One or more words, divided by `;` or `,`: each becomes a tag.
    Category,
    Tags,
    /// The id of the store a geofence belongs to.
    Store,
    /// Of a geofence's detection, as the API names them; spans in seconds.
    EnterProbability,
    ConfirmProbability,
    ConfirmAfterS,
    LeaveMarginM,
    LeaveAfterS,
    StoppedForS,
    DwellAfterS,
}

/// All fields, each with the names it usually has; the first is the field's own.
const USUAL: [(Field, &[&str]); 18] = [
    (Field::Name, &["name", "display_name", "title", "nome"]),
    (Field::Latitude, &["latitude", "lat", "y", "latitudine"]),
    (Field::Longitude, &["longitude", "lng", "lon", "long", "x", "longitudine"]),
    (Field::TimeZone, &["time_zone", "timezone", "tz"]),
    (Field::Address, &["address", "addr", "indirizzo"]),
    (Field::Brand, &["brand"]),
    (Field::OpeningHours, &["opening_hours", "hours"]),
    (Field::Country, &["country", "addr:country"]),
    (Field::Category, &["category"]),
    (Field::Tags, &["tags"]),
    (Field::Store, &["store"]),
    (Field::EnterProbability, &["enter_probability"]),
    (Field::ConfirmProbability, &["confirm_probability"]),
    (Field::ConfirmAfterS, &["confirm_after_s"]),
    (Field::LeaveMarginM, &["leave_margin_m"]),
    (Field::LeaveAfterS, &["leave_after_s"]),
    (Field::StoppedForS, &["stopped_for_s"]),
    (Field::DwellAfterS, &["dwell_after_s"]),
];

impl Field {
    fn usual(self) -> &'static [&'static str] {
        USUAL.iter().find(|(field, _)| *field == self).map_or(&[], |(_, names)| names)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.usual().first().copied().unwrap_or_default())
    }
}

impl FromStr for Field {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let known: Vec<String> = USUAL.iter().map(|(field, _)| field.to_string()).collect();
        USUAL
            .iter()
            .map(|(field, _)| *field)
            .find(|field| field.to_string() == text)
            .ok_or_else(|| Invalid::new(format!("must be one of {}, was {}", known.join(", "), quoted(text))))
    }
}

/// The names that a file's columns or properties may have for each field.
pub struct Fields<'a> {
    reading: &'a Reading,
}

impl<'a> Fields<'a> {
    pub fn new(reading: &'a Reading) -> Self {
        Self { reading }
    }

    /// Whether anything is looked for under this name.
    pub fn uses(&self, name: &str) -> bool {
        let is_it = |other: &&str| other.to_lowercase() == name.to_lowercase();
        let fields = USUAL.iter().flat_map(|(field, _)| self.names(*field));
        fields.chain([self.reading.id_from.as_str()]).any(|other| is_it(&other))
    }

    /// The names to look under: the user's alone if there is one.
    fn names(&self, field: Field) -> Vec<&'a str> {
        let mapped = self.reading.map.iter().find(|(mapped, _)| *mapped == field);
        mapped.map_or_else(|| field.usual().to_vec(), |(_, name)| vec![name.as_str()])
    }
}

/// Which of these fields are not said, by whether there is a column or property of a name: that there is one and it is
/// empty says that the field is.
pub fn unsaid(fields: &Fields<'_>, of: &[Optional], has: impl Fn(&str) -> bool) -> Unsaid {
    let columns = |optional| match optional {
        Optional::Address => &[Field::Address][..],
        Optional::Brand => &[Field::Brand],
        Optional::OpeningHours => &[Field::OpeningHours],
        Optional::Country => &[Field::Country],
        Optional::Tags => &[Field::Category, Field::Tags],
        Optional::TimeZone => &[Field::TimeZone],
        Optional::Store => &[Field::Store],
    };
    let is_said = |optional| columns(optional).iter().any(|field| fields.names(*field).into_iter().any(&has));
    of.iter().copied().filter(|optional| !is_said(*optional)).collect()
}

/// What stands under a name in one row: none if the row has no such name.
pub type Found<'a> = Option<Result<Cow<'a, str>, Invalid>>;

/// The values of one row by name.
pub struct Values<'a> {
    fields: &'a Fields<'a>,
    find: &'a dyn Fn(&str) -> Found<'a>,
}

impl<'a> Values<'a> {
    /// `find` gives the value under a name, compared without regard to case.
    pub fn new(fields: &'a Fields<'a>, find: &'a dyn Fn(&str) -> Found<'a>) -> Self {
        Self { fields, find }
    }

    /// The column a field stands in, and its value on one line; if it says nothing, the column all the same; if there
    /// is none, the one it should stand in, and nothing.
    pub fn get(&self, field: Field) -> (String, Result<Cow<'a, str>, Invalid>) {
        let names = self.fields.names(field);
        let said = || names.iter().filter_map(|name| Some((*name, self.said(name)?)));
        // Of several usual names one may hold what is no text, such as the parts of an address.
        match said().find(|(_, value)| value.is_ok()).or_else(|| said().next()) {
            Some((name, value)) => (name.to_owned(), value.map(|value| Cow::Owned(one_line(&value)))),
            None => {
                let there = names.iter().find(|name| (self.find)(name).is_some()).or(names.first());
                (there.copied().unwrap_or_default().to_owned(), Ok(Cow::Borrowed("")))
            }
        }
    }

    pub fn id(&self) -> Found<'a> {
        self.said(&self.fields.reading.id_from)
    }

    /// Which of these fields the row does not say: it has none of their names.
    pub fn unsaid(&self, of: &[Optional]) -> Unsaid {
        let unsaid = unsaid(self.fields, of, |name| (self.find)(name).is_some());
        if of.contains(&Optional::TimeZone) { self.zoned(unsaid) } else { unsaid }
    }

    /// What a store's row does not say, if these are the fields that it has no names of: no zone is empty, so that an empty
    /// one is not said.
    pub fn zoned(&self, unsaid: Unsaid) -> Unsaid {
        match self.has_no_zone() {
            true if self.is_zoneless() => unsaid.with(Optional::TimeZone).zoneless(),
            true => unsaid.with(Optional::TimeZone),
            false => unsaid,
        }
    }

    fn has_no_zone(&self) -> bool {
        self.get(Field::TimeZone).1.is_ok_and(|zone| zone.is_empty())
    }

    /// Whether a new store would have no zone: the row says none, and none is given for those that do not.
    pub fn is_zoneless(&self) -> bool {
        self.fields.reading.time_zone.is_none() && self.has_no_zone()
    }

    /// What is no value at all says something that is wrong.
    fn said(&self, name: &str) -> Found<'a> {
        (self.find)(name).filter(|value| value.as_ref().map_or(true, |value| is_said(value)))
    }
}

/// Databases write their "nothing" into files in several ways.
pub fn is_said(value: &str) -> bool {
    let value = value.trim();
    !value.is_empty() && !["null", "\\n", "n/a"].iter().any(|nothing| value.eq_ignore_ascii_case(nothing))
}

/// Tabs, line ends and runs of blanks become one blank each.
fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
