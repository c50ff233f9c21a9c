//! Times as people read them: on the clock that they asked for, and always with its name.

use crate::{
    domain::time::{TimeZone, Timestamp},
    grpc::wire::optional_timestamp,
};

/// The clock that times are told on.
#[derive(Debug, Clone)]
pub struct Zoned {
    zone: TimeZone,
}

impl Zoned {
    pub fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// Where nobody said which clock.
    pub fn utc() -> Self {
        Self::new(TimeZone::utc())
    }

    /// `2026-11-22 19:30:00 CET (Europe/Rome)`; a dash if there is none.
    pub fn time(&self, wire: Option<prost_types::Timestamp>) -> String {
        read(wire).map_or_else(|| "-".to_owned(), |at| format!("{}{}", self.moment(at), self.place()))
    }

    /// The whole hour that begins then, of which the minute is not told.
    pub fn hour(&self, wire: Option<prost_types::Timestamp>) -> String {
        let Some(begin) = read(wire) else { return "-".to_owned() };
        let (from, to) = (self.zone.local(begin), self.zone.local(begin + HOUR));
        let (from_clock, to_clock) = (from.strftime("%H:%M"), to.strftime("%H:%M"));
        format!("{} between {from_clock} and {to_clock} {}", from.date(), self.zone.name())
    }

    /// The same text with its times, which the API spells in RFC 3339 and UTC, on this clock.
    pub fn words(&self, text: &str) -> String {
        text.split_inclusive(' ').map(|word| self.word(word)).collect()
    }

    fn word(&self, word: &str) -> String {
        let Some(end) = word.rfind('Z').map(|z| z + 1) else { return word.to_owned() };
        let (time, rest) = word.split_at(end);
        // Quoted text is somebody's own.
        match time.parse::<jiff::Timestamp>() {
            Ok(at) => format!("{}{rest}", self.moment(Timestamp::from_micros(at.as_microsecond()))),
            Err(_) => word.to_owned(),
        }
    }

    fn moment(&self, at: Timestamp) -> String {
        format!("{} {}", self.zone.local(at).date(), self.zone.clock(at))
    }

    fn place(&self) -> String {
        match self.zone.name() {
            "UTC" => String::new(),
            name => format!(" ({name})"),
        }
    }
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

fn read(wire: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    optional_timestamp(wire).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoned(name: &str) -> Zoned {
        Zoned::new(TimeZone::new(name).expect("known"))
    }

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn times_name_their_clock() {
        assert_eq!(zoned("Europe/Rome").time(at(1_800_000_000)), "2027-01-15 09:00:00 CET (Europe/Rome)");
        assert_eq!(Zoned::utc().time(at(1_800_000_000)), "2027-01-15 08:00:00 UTC");
        assert_eq!(zoned("Asia/Kolkata").hour(at(1_800_000_000)), "2027-01-15 between 13:30 and 14:30 Asia/Kolkata");
        assert_eq!((Zoned::utc().time(None), Zoned::utc().hour(None)), ("-".to_owned(), "-".to_owned()));
    }

    #[test]
    fn times_in_words_are_told_on_the_same_clock_and_quoted_text_stays() {
        let rome = zoned("Europe/Rome");
        for (told, expected) in [
            ("the store is closed until 2027-01-15T08:00:00Z", "the store is closed until 2027-01-15 09:00:00 CET"),
            ("it closes at 2026-07-15T08:00:00Z, and its", "it closes at 2026-07-15 10:00:00 CEST, and its"),
            ("trait slot = \"2027-01-15T08:00:00Z\"", "trait slot = \"2027-01-15T08:00:00Z\""),
            ("Zeno  of Z", "Zeno  of Z"),
            ("", ""),
        ] {
            assert_eq!(rome.words(told), expected);
        }
    }
}
