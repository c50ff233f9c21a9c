//! Detection settings out of a place file: a column each, spans in seconds.
//!
//! Law: what is not said is not set.

use std::time::Duration;

use super::{Field, Values};
use crate::domain::{
    detection::{Detection, Settings},
    text::quoted,
    violation::{Invalid, Violations},
};

/// The settings that a row says; what is wrong is noted under the setting's name.
pub fn read(wrong: &mut Violations, values: &Values<'_>) -> Option<Detection> {
    let mut number = |field| {
        let (column, text) = values.get(field);
        wrong.take(column, if text.is_empty() { Ok(None) } else { self::number(&text).map(Some) }).flatten()
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
    wrong.nest("", Detection::new(settings))
}

/// A number that a span can be made of.
fn number(text: &str) -> Result<f64, Invalid> {
    const MOST: f64 = 1e9;
    let number = text.parse().ok().filter(|number| (0.0..=MOST).contains(number));
    number.ok_or_else(|| Invalid::new(format!("must be a number such as 0.9 or 60, was {}", quoted(text))))
}
