//! How sure one geofence is of its visitors: when they have entered, and when they have left.
//!
//! Law: whatever is not set has the numbers of the presence rule, which are said here and nowhere else; what is set
//! keeps its bounds, so that every place can be entered and left.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    campaign::DWELL,
    violation::{Invalid, Violations},
};

/// Allowed probabilities. At the least of them nearly every fix whose point is inside enters; one of 1 never comes.
pub const PROBABILITY: RangeInclusive<f64> = 0.1..=0.99;
/// Allowed times between two fixes that confirm an entry.
pub const CONFIRM_AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10 * 60);
/// Allowed margins in metres. Below the least phones under open sky flap; the largest is a park and ride.
pub const LEAVE_MARGIN_M: RangeInclusive<f64> = 10.0..=1_000.0;
/// Allowed times between two fixes outside.
pub const LEAVE_AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(30 * 60);
/// Allowed times without driving.
pub const STOPPED_FOR: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 60);

/// Probability of being inside that is enough at once.
const SURE: f64 = 0.9;
/// Probability that is enough when a second fix confirms it.
const LIKELY: f64 = 0.6;
/// Two likely fixes this far apart are an entry: errors of one moment are correlated.
const ENTER_CONFIRMATION: Duration = Duration::from_secs(20);
/// Nearer to the edge than this nobody leaves, in metres: phones in streets are off by so much.
const LEAST_MARGIN_M: f64 = 25.0;
/// Margins grow with the accuracy of the fix up to this, in metres: twice the worst of usual accuracies. Without an end
/// an inaccurate phone would never leave; with one of 100 m a phone of 100 m accuracy comes and goes 1.7 times an hour.
const WIDEST_MARGIN_M: f64 = 200.0;
/// Two fixes outside this far apart are an exit.
const LEAVE_CONFIRMATION: Duration = Duration::from_secs(60);

/// What the owner of a place has set, each within its bounds; the default is the presence rule as it stands. Nearly every
/// place has the default, which takes no room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings", into = "Settings")]
pub struct Detection(Option<Arc<Settings>>);

/// The same, not yet checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enter_probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_after: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_margin_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_after: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_for: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_after: Option<Duration>,
}

impl Detection {
    /// The presence rule as it stands.
    pub const USUAL: Self = Self(None);

    /// Refused is each setting that is out of its bounds, under its own name.
    pub fn new(settings: Settings) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let most = settings.enter_probability.filter(|p| PROBABILITY.contains(p)).unwrap_or(*PROBABILITY.end());
        let confirm = *PROBABILITY.start()..=most;
        wrong.take("enter_probability", within(settings.enter_probability, &PROBABILITY, ""));
        wrong.take("confirm_probability", within(settings.confirm_probability, &confirm, ""));
        wrong.take("confirm_after", within(settings.confirm_after, &CONFIRM_AFTER, ""));
        wrong.take("leave_margin_m", within(settings.leave_margin_m, &LEAVE_MARGIN_M, " metres"));
        wrong.take("leave_after", within(settings.leave_after, &LEAVE_AFTER, ""));
        wrong.take("stopped_for", within(settings.stopped_for, &STOPPED_FOR, ""));
        wrong.take("dwell_after", within(settings.dwell_after, &DWELL, ""));
        wrong.finish(Some(Self((settings != Settings::default()).then(|| Arc::new(settings)))))
    }

    /// What was set, without the defaults.
    pub fn settings(&self) -> Settings {
        self.0.as_deref().copied().unwrap_or_default()
    }

    fn set<T>(&self, which: impl Fn(&Settings) -> Option<T>) -> Option<T> {
        self.0.as_deref().and_then(which)
    }

    /// Whether nothing was set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Probability of being inside that is an entry at once.
    pub fn enter_probability(&self) -> f64 {
        self.set(|settings| settings.enter_probability).unwrap_or(SURE)
    }

    /// Probability that is an entry when a fix at least [`Self::confirm_after`] later has it too.
    pub fn confirm_probability(&self) -> f64 {
        self.set(|settings| settings.confirm_probability).unwrap_or(LIKELY).min(self.enter_probability())
    }

    /// See [`Self::confirm_probability`].
    pub fn confirm_after(&self) -> Duration {
        self.set(|settings| settings.confirm_after).unwrap_or(ENTER_CONFIRMATION)
    }

    /// Metres outside the edge below which no fix leaves.
    pub fn least_margin_m(&self) -> f64 {
        self.set(|settings| settings.leave_margin_m).unwrap_or(LEAST_MARGIN_M)
    }

    /// Metres that a fix of this accuracy must be outside: twice its accuracy, at least the margin of the place.
    pub fn margin_m(&self, accuracy_m: f64) -> f64 {
        let least = self.least_margin_m();
        (2.0 * accuracy_m).clamp(least, WIDEST_MARGIN_M.max(least))
    }

    /// The time between two fixes outside the margin that are an exit.
    pub fn leave_after(&self) -> Duration {
        self.set(|settings| settings.leave_after).unwrap_or(LEAVE_CONFIRMATION)
    }

    /// How long the device must not have been driving to enter; none where driving past enters as well.
    pub fn stopped_for(&self) -> Option<Duration> {
        self.set(|settings| settings.stopped_for)
    }

    /// A dwell that is reported here even if no campaign waits for it.
    pub fn dwell_after(&self) -> Option<Duration> {
        self.set(|settings| settings.dwell_after)
    }
}

fn within<T: PartialOrd + Copy + Said>(set: Option<T>, allowed: &RangeInclusive<T>, unit: &str) -> Result<(), Invalid> {
    match set {
        Some(value) if !allowed.contains(&value) => {
            let (least, most, value) = (allowed.start().said(), allowed.end().said(), value.said());
            Err(Invalid::new(format!("must be {least} to {most}{unit}, was {value}")))
        }
        _ => Ok(()),
    }
}

/// How a bound is told.
trait Said {
    fn said(&self) -> String;
}

impl Said for f64 {
    fn said(&self) -> String {
        self.to_string()
    }
}

impl Said for Duration {
    fn said(&self) -> String {
        format!("{} s", self.as_secs_f64())
    }
}

impl TryFrom<Settings> for Detection {
    type Error = Violations;
    fn try_from(settings: Settings) -> Result<Self, Violations> {
        Self::new(settings)
    }
}

impl From<Detection> for Settings {
    fn from(detection: Detection) -> Settings {
        detection.settings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_keeps_its_bounds() {
        let (long, p) = (Some(Duration::from_secs(90_000)), Some(f64::NAN));
        let settings = Settings {
            enter_probability: p,
            confirm_probability: Some(1.0),
            confirm_after: long,
            leave_margin_m: Some(9.9),
            leave_after: long,
            stopped_for: Some(Duration::ZERO),
            dwell_after: Some(Duration::ZERO),
        };
        let wrong = Detection::new(settings).expect_err("all of them");
        assert_eq!(wrong.count(), 7, "{wrong}");
        let contrary = Settings { enter_probability: Some(0.7), confirm_probability: Some(0.8), ..Settings::default() };
        assert!(Detection::new(contrary).expect_err("a confirmation needs no more").to_string().contains("0.1 to 0.7"));
        let lax = Settings { enter_probability: Some(0.5), ..Settings::default() };
        assert_eq!(Detection::new(lax).expect("sound").confirm_probability(), 0.5);
    }

    #[test]
    fn what_is_stored_says_only_what_was_set() {
        let set = Settings { leave_margin_m: Some(40.0), ..Settings::default() };
        let detection = Detection::new(set).expect("sound");
        let json = serde_json::to_string(&detection).expect("plain");
        assert_eq!(json, r#"{"leave_margin_m":40.0}"#);
        assert_eq!(serde_json::from_str::<Detection>(&json).expect("sound"), detection);
        assert!(serde_json::from_str::<Detection>(r#"{"leave_margin_m":1}"#).is_err(), "nor is a wrong one believed");
    }
}
