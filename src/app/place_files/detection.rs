//! Detection settings out of a place file: a column each, spans in seconds.
//!
//! Law: what is not said is not set.

use std::{borrow::Cow, time::Duration};

use super::{Field, Values};
use crate::domain::{
    detection::{Detection, Settings},
    text::quoted,
    violation::{Invalid, Violations},
};

/// Where the domain's name of a setting differs from the field's.
const SPANS: [(&str, Field); 4] = [
    ("confirm_after", Field::ConfirmAfterS),
    ("leave_after", Field::LeaveAfterS),
    ("stopped_for", Field::StoppedForS),
    ("dwell_after", Field::DwellAfterS),
];

/// The settings that a row says; what is wrong is noted under the column it stands in.
pub fn read(wrong: &mut Violations, values: &Values<'_>) -> Option<Detection> {
    let mut number = |field| {
        let (column, text) = values.get(field);
        let read = |text: Cow<'_, str>| if text.is_empty() { Ok(None) } else { self::number(&text).map(Some) };
        wrong.take(column, text.and_then(read)).flatten()
    };
    let probabilities = (number(Field::EnterProbability), number(Field::ConfirmProbability));
    let leave_margin_m = number(Field::LeaveMarginM);
    let mut seconds = |field| number(field).map(Duration::from_secs_f64);
    let settings = Settings {
        enter_probability: probabilities.0,
        confirm_probability: probabilities.1,
        confirm_after: seconds(Field::ConfirmAfterS),
        leave_margin_m,
        leave_after: seconds(Field::LeaveAfterS),
        stopped_for: seconds(Field::StoppedForS),
        dwell_after: seconds(Field::DwellAfterS),
    };
    let detection = Detection::new(settings);
    let refused = detection.as_ref().err().into_iter().flat_map(Violations::iter);
    refused.for_each(|setting| wrong.add(column(&setting.field, values), &setting.description));
    detection.ok()
}

/// The column that says a setting of the domain.
fn column(setting: &str, values: &Values<'_>) -> String {
    let span = SPANS.iter().find(|(name, _)| *name == setting).map(|(_, field)| *field);
    span.or_else(|| setting.parse().ok()).map_or_else(|| setting.to_owned(), |field| values.get(field).0)
}

/// A number that a span can be made of.
fn number(text: &str) -> Result<f64, Invalid> {
    const MOST: f64 = 1e9;
    let number = text.parse().ok().filter(|number| (0.0..=MOST).contains(number));
    number.ok_or_else(|| Invalid::new(format!("must be a number such as 0.9 or 60, was {}", quoted(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            imports::Row,
            place_files::{Format, Reading, parse},
        },
        domain::name::OrganizationName,
    };

    /// What a file of one square with these properties comes to.
    fn square(properties: &str) -> Result<Row, Violations> {
        square_with(properties, Vec::new())
    }

    fn square_with(properties: &str, map: Vec<(Field, String)>) -> Result<Row, Violations> {
        let ring = "[[10,60],[10.01,60],[10.01,60.01],[10,60.01],[10,60]]";
        let feature = format!(
            r#"{{"type":"Feature","properties":{{"id":"a","name":"A"{properties}}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}"#
        );
        let network = OrganizationName::parse("organizations/acme").expect("sound");
        let reading = Reading { map, ..Reading::new(network, Format::GeoJson) };
        let rows = parse(feature.as_bytes(), &reading).expect("readable");
        rows.into_iter().next().expect("one feature").row
    }

    #[test]
    fn properties_set_what_they_say_and_nothing_else() {
        let Ok(Row::Geofence(geofence)) = square(r#","leave_margin_m":40,"stopped_for_s":"90","dwell_after_s":null"#)
        else {
            panic!("a geofence")
        };
        let stopped_for = Some(Duration::from_secs(90));
        let said = Settings { leave_margin_m: Some(40.0), stopped_for, ..Settings::default() };
        assert_eq!(geofence.detection.settings(), said);
        let wrong = square(r#","leave_margin_m":"far","enter_probability":2"#).expect_err("two faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["leave_margin_m", "enter_probability"]);
    }

    #[test]
    fn what_is_out_of_bounds_is_told_under_the_column_it_stands_in() {
        let all = r#","enter_probability":2,"confirm_probability":0,"confirm_after_s":9999,"leave_margin_m":1,"away":9999,"stopped_for_s":9999,"dwell_after_s":0"#;
        let wrong = square_with(all, vec![(Field::LeaveAfterS, "away".to_owned())]).expect_err("seven faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let columns = ["enter_probability", "confirm_probability", "confirm_after_s", "leave_margin_m", "away"];
        assert_eq!(fields, [&columns[..], &["stopped_for_s", "dwell_after_s"]].concat());
    }
}
