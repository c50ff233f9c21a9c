//! Caps: most offers to one person in a span of time.
//!
//! Law 1: every span is within [`MAX_WINDOW`], so what a profile remembers answers every cap.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    campaign::MAX_WINDOW,
    time::{TimeZone, Timestamp, spoken},
    violation::{Invalid, Violations, at_most},
};

/// Most caps of one campaign or brand; all of them hold.
pub const MAX_CAPS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// At most `offers` to one person within each span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    pub offers: u32,
    #[serde(flatten)]
    pub within: Within,
}

/// The span that a cap counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// Any span of this length.
    Window(Duration),
    /// A civil day, week or month in the person's zone: the last minute of one and the first of the next are two.
    Period(CivilPeriod),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CivilPeriod {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    Month,
}

impl CivilPeriod {
    /// When the period began that `at` is in.
    pub fn start(self, zone: &TimeZone, at: Timestamp) -> Timestamp {
        match self {
            CivilPeriod::Day => zone.day_start(at),
            CivilPeriod::Week => zone.week_start(at),
            CivilPeriod::Month => zone.month_start(at),
        }
    }

    /// When the period after that begins.
    pub fn next(self, zone: &TimeZone, at: Timestamp) -> Timestamp {
        // Half a day into it, whatever clocks do: no day has 12 hours, and no month more than 31 days.
        let span = match self {
            CivilPeriod::Day => DAY,
            CivilPeriod::Week => 7 * DAY,
            CivilPeriod::Month => 31 * DAY,
        };
        self.start(zone, self.start(zone, at) + span + DAY / 2)
    }
}

impl Cap {
    pub const fn rolling(offers: u32, window: Duration) -> Self {
        Self { offers, within: Within::Window(window) }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Within::Window(window) => write!(f, "in {}", spoken(*window)),
            Within::Period(CivilPeriod::Day) => f.write_str("today"),
            Within::Period(CivilPeriod::Week) => f.write_str("this week"),
            Within::Period(CivilPeriod::Month) => f.write_str("this month"),
        }
    }
}

/// Refuses a span that is shorter than `least` or longer than profiles remember.
pub fn check_span(span: Duration, least: Duration) -> Result<(), Invalid> {
    if (least..=MAX_WINDOW).contains(&span) {
        return Ok(());
    }
    let (least, most) = (least.as_secs(), MAX_WINDOW.as_secs());
    Err(Invalid::new(format!("must be {least} to {most} seconds, was {}", span.as_secs_f64())))
}

/// Refuses too many caps, caps of nothing, and windows that nobody remembers; fields are `[i].offers`, `[i].window`.
pub fn check(caps: &[Cap]) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    wrong.take("", at_most(MAX_CAPS, caps.len()));
    for (i, cap) in caps.iter().enumerate().take(MAX_CAPS) {
        if cap.offers == 0 {
            wrong.add(format!("[{i}].offers"), "must be at least 1, was 0");
        }
        if let Within::Window(window) = cap.within {
            wrong.take(format!("[{i}].window"), check_span(window, SECOND));
        }
    }
    wrong.finish(Some(()))
}

/// Campaigns stored before there were several caps have one.
pub fn stored<'de, D: Deserializer<'de>>(stored: D) -> Result<Vec<Cap>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Caps(Vec<Cap>),
        One(Cap),
    }
    Ok(match Stored::deserialize(stored)? {
        Stored::Caps(caps) => caps,
        Stored::One(cap) => vec![cap],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_cap_of_older_campaigns_is_kept() {
        let old = r#"{"offers":2,"window":{"secs":3600,"nanos":0}}"#;
        let read = |text: &str| stored(&mut serde_json::Deserializer::from_str(text)).expect("read");
        assert_eq!(read(old), [Cap::rolling(2, Duration::from_secs(3_600))]);
        let caps = vec![
            Cap::rolling(2, Duration::from_secs(3_600)),
            Cap { offers: 1, within: Within::Period(CivilPeriod::Week) },
        ];
        assert_eq!(read(&serde_json::to_string(&caps).expect("written")), caps);
    }

    #[test]
    fn each_fault_of_each_cap_is_named() {
        let day = Within::Period(CivilPeriod::Day);
        let caps = [Cap { offers: 0, within: day }, Cap::rolling(0, Duration::ZERO), Cap::rolling(1, MAX_WINDOW * 2)];
        let wrong = check(&caps).expect_err("four faults");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["[0].offers", "[1].offers", "[1].window", "[2].window"]);
        assert!(check(&vec![Cap { offers: 1, within: day }; MAX_CAPS + 1]).is_err());
    }
}
