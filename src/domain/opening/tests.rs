//! Opening hours that are taken, words that nobody can mean, and thousands of spoilt strings.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::{geo::Position, schedule::DAY_MINUTES, time::TimeZone};

/// Real ones out of OpenStreetMap, in the shapes that most stores have.
const REAL: [&str; 33] = [
    "24/7",
    "Mo-Fr 09:30-21:00; Sa 09:00-20:00; Su off; PH off",
    "Mo 11:30-15:30; Tu-Fr 11:30-15:30,18:30-22:30; Sa-Su 11:30-22:30; PH off; 2021 Mar 28-Apr 16 off",
    "Mo 17:00-24:00; Tu-Sa 00:00-02:00,17:00-24:00; Su 00:00-02:00; PH off",
    "Mo-Sa 08:00-20:00, Su 09:00-13:00",
    "Mo-Su,PH 08:00-22:00",
    "Apr-Sep Mo-Fr 09:00-18:00; Oct-Mar Mo-Fr 10:00-16:00",
    "Jun 15-Sep 15 10:00-23:00",
    "Dec 24-26 off; Mo-Fr 10:00-18:00",
    "week 01-53/2 Fr 09:00-12:00",
    "Su[1] 10:00-13:00; Su[-1] 15:00-19:00",
    "easter -2 days off; Mo-Su 08:00-20:00",
    "sunrise-sunset",
    "(sunrise+00:30)-(sunset-01:00)",
    "Mo-Fr 08:00-12:00,14:00-18:00 || \"by appointment\"",
    "Fr-Sa 18:00-26:00",
    "2025-2027 Mo 10:00-12:00",
    "2026 Apr 10:00-12:00",
    "SH Mo-Fr 10:00-16:00",
    "10:00+",
    "Mo-Fr 8:00-20:00",
    "Nov-Feb 10:00-15:00",
    "Mo-Sa 10:00-18:00; Feb 29 off",
    "Th 18:00-22:00 unknown \"if there is a concert\"",
    // Not by the letter of the specification, but common, and there is one thing that they can mean.
    "Mo-Fr 08:00-20:00;",
    "Mo–Fr 08:00–20:00",
    "Mo-Fr: 08:00-20:00",
    "mo-fr 08:00-20:00; ph OFF",
    "Mo, We, Fr 08:00-20:00",
    "Dec25 off",
    "Jan 1,6, Dec 24,25,31 off",
    "Fr,Sa 10:00-02:00,Su 10:00-20:00",
    "(sunset+04:00)-(dusk+04:00)",
];

/// What is no opening hours, or says what no calendar has.
const WRONG: &[&str] = &[
    ";",
    "Mo-Fr 08:00-20:00;;",
    "Mo-Fr 08:00-20:00 ||",
    "Mo-Fr 08:00-20:00,",
    "Mo-Fr 08:00-20:00;;Sa 10:00-12:00",
    "Mo-Fr 08-20",
    "Mo-Fr 08:00-20:00 Sa 10:00-12:00",
    "Mo—Fr 08:00-20:00",
    ":",
    "2026:",
    "2026: ",
    "24/7; :",
    "Jan 10-5 off",
    "Jan 10-5 off; Mo off",
    "2026 Jan 10-2026 Jan 5 off",
    "2026 Apr 11-06",
    "2026 Dec 20-Jan 5 off",
    "2025 Dec 24,Dec 31 off",
    "2026 easter-2026easter +1 day off",
    "Aug Mo[1]-SepSu[1] off",
    "Dec 24,32 off",
    "Dec 24,25+ off",
    "Apr,15 off",
    "Apr 1-  3 off",
    "10:00-12:00,off",
    "Mo 10:00-12:00 ,Tu 13:00-14:00",
    "Mo 10:00-12:00,Tu 13:00-14:00,",
    "Dec 25 -Su[1] off",
    "Mar Su[3]-Mar Su[1] off",
    "Mar Su[5]-Mar Su[1] off",
    "PHoff",
    "Mo08:00-10:00",
    "Mo-Fr08:00-10:00",
    "Jan08:00-10:00",
    "Feb2910:00-12:00",
    "2026easter off",
    "10:00-16:00/00:00",
    "10:00-16:00/01:00",
    "10:00-12:00\"ring\"",
    "10:00-12:00 \"\"",
    "Apr-Sep, Mo-Fr 10:00-12:00",
    "Mo, 10:00-12:00",
    "Mo-Fr, 10:00-12:00",
    "Mo-Fr 10:00-12:00 , 13:00-15:00",
    "Mo-Fr PH 10:00-12:00",
    "Mo-Fr 08:00-18:00, 12:00-13:00 off",
    "Mo-Fr 08:00-12:00, 14:00-16:00 unknown",
    "Mo-Fr 08:00-12:00, 14:00-16:00 \"by appointment\"",
    "24/7 Mo-Fr",
    "Su[] 10:00-12:00",
    "Su[1,] 10:00-12:00",
    "Su[0] 10:00-12:00",
    "Mo-Fr[1] 10:00-12:00",
    "week 1-5/32 10:00-12:00",
    "week 0 10:00-12:00",
    "week",
    "Dec 00 off",
    "PH +0 days off",
    "10:00-12:00 off off",
    "Mo 10:00-12:00; ; Tu 10:00-12:00",
    "|| 10:00-12:00",
    ", 10:00-12:00",
    "off; \u{7}",
    "Mo-Fr  08:00-20:00",
    "Mo-Fr\t08:00-20:00",
    "Monday 08:00-20:00",
    "Lu-Ve 08:00-20:00",
    "Mo-Fr 8am-8pm",
    "Mo-Fr 08.00-20.00",
    "Mo-Fr 08:00-20:60",
    "Mo-Fr 08:00-48:01",
    "Mo-Fr 08:00-49:00",
    "Mo-Fr 24:00-26:00",
    "Mo-Fr 25:00-26:00",
    "Mo-Fr 08:00",
    "Mo-Fr 08:00-",
    "Mo-Fr -20:00",
    "Mo,,Fr 08:00-20:00",
    "Xx 08:00-20:00",
    "always",
    "open daily",
    "Feb 30 10:00-12:00",
    "Apr 31 off",
    "2025 Feb 29 off",
    "Jan 1-Jun 31 10:00-12:00",
    "Jan 32 off",
    "Foo 12 off",
    "2026-2024 10:00-12:00",
    "2026 Apr 1-2025 Apr 2 10:00-12:00",
    "2026 Dec-Feb 10:00-12:00",
    "week 54 10:00-12:00",
    "week 40-10 10:00-12:00",
    "week 01-53/300 10:00-12:00",
    "Mo[6] 10:00-12:00",
    "Mo[3-1] 10:00-12:00",
    "Mo[1] +9999 days 10:00-12:00",
    "(sunset+23:59)-26:00",
    "(sunset-05:00)-(sunset+05:00)",
    "(noon+01:00)-20:00",
    "Mo-Fr 10:00-12:00 \"ring the bell",
];

fn helsinki() -> TimeZone {
    TimeZone::new("Europe/Helsinki").expect("known")
}

/// The open minutes of a date at the quay of Helsinki, as "10:00-12:30".
pub(super) fn open(hours: &str, country: Option<&str>, day: jiff::civil::Date) -> Vec<String> {
    let zone = helsinki();
    let country = country.map(|code| Country::new(code).expect("known"));
    let position = Position::new(60.17, 24.95).expect("sound");
    let site = Site { position, time_zone: &zone, country };
    let spans = OpeningHours::new(hours).unwrap_or_else(|why| panic!("{hours}: {why}")).on(day, &site);
    let said = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    spans.iter().map(|span| format!("{}-{}", said(span.start), said(span.end))).collect()
}

#[test]
fn countries_are_named_by_their_codes() {
    assert!(Country::new("FI").is_ok() && Country::new("XX").is_err() && Country::new("it").is_err());
}

#[test]
fn the_sun_is_that_of_the_place() {
    let [midsummer] = open("sunrise-sunset", None, date(2026, 6, 20)).try_into().expect("one");
    let midsummer: String = midsummer;
    // The almanac of Helsinki: 03:54 to 22:50.
    assert!(
        midsummer.starts_with("03:5") && (midsummer.ends_with("22:49") || midsummer.ends_with("22:50")),
        "{midsummer}"
    );
    // Of December: 09:23 to 15:12, and the shop opens half an hour later and closes an hour earlier.
    let [short] = open("(sunrise+00:30)-(sunset-01:00)", None, date(2026, 12, 20)).try_into().expect("one");
    let short: String = short;
    assert!(short.starts_with("09:5") && short.ends_with("14:12"), "{short}");
}

/// It keeps a span from coming where it would end before it begins, but what goes on over midnight does.
#[test]
fn spans_that_the_sun_forbids_do_not_come() {
    let (june, december) = (date(2026, 6, 20), date(2026, 12, 20));
    // The sun sets at 22:50 in June, and rises at 09:23 in December.
    assert_eq!(open("sunset-22:00", None, june), [""; 0]);
    assert_eq!(open("sunrise-08:00", None, december), [""; 0]);
    let [evening] = open("20:00-sunset", None, june).try_into().expect("one");
    let evening: String = evening;
    assert!(evening.starts_with("20:00-22:"), "{evening}");
    let [night, evening] = open("sunset-02:00", None, december).try_into().expect("two");
    let (night, evening): (String, String) = (night, evening);
    assert!(night == "00:00-02:00" && evening.starts_with("15:1") && evening.ends_with("24:00"), "{night} {evening}");
}

/// Helsinki, of both solstices: its sun rises at 03:54 and 09:23, and sets at 22:50 and 15:12.
#[test]
fn words_alone_say_whether_a_span_goes_over_midnight() {
    let cases: [(&str, &[&str], &[&str]); 17] = [
        ("20:00-sunset", &["20:00-SET"], &[]),
        ("22:00-sunset", &["22:00-SET"], &[]),
        ("23:00-sunset", &[], &[]),
        ("09:00-sunset", &["09:00-SET"], &["09:00-SET"]),
        ("20:00-sunrise", &["00:00-RISE", "20:00-24:00"], &["00:00-RISE", "20:00-24:00"]),
        ("09:00-sunrise", &["00:00-RISE", "09:00-24:00"], &["00:00-24:00"]),
        ("08:00-sunrise", &[], &["08:00-RISE"]),
        ("03:00-sunrise", &["03:00-RISE"], &["03:00-RISE"]),
        ("sunset-02:00", &["00:00-02:00", "SET-24:00"], &["00:00-02:00", "SET-24:00"]),
        ("sunset-12:00", &["00:00-12:00", "SET-24:00"], &["00:00-12:00", "SET-24:00"]),
        ("sunset-17:30", &[], &["SET-17:30"]),
        ("sunrise-05:30", &["RISE-05:30"], &[]),
        ("sunrise-08:00", &["RISE-08:00"], &[]),
        ("sunrise-02:00", &["00:00-02:00", "RISE-24:00"], &["00:00-02:00", "RISE-24:00"]),
        ("sunrise-00:00", &["RISE-24:00"], &["RISE-24:00"]),
        ("sunset-26:00", &["00:00-02:00", "SET-24:00"], &["00:00-02:00", "SET-24:00"]),
        ("sunrise-27:30", &["00:00-03:30", "RISE-24:00"], &["00:00-03:30", "RISE-24:00"]),
    ];
    for day in [date(2026, 6, 20), date(2026, 12, 20)] {
        let light = open("sunrise-sunset", None, day).concat();
        let (rise, set) = light.split_once('-').expect("a span");
        for (hours, june, december) in cases {
            let expected = if day.month() == 6 { june } else { december };
            let expected: Vec<String> =
                expected.iter().map(|span| span.replace("RISE", rise).replace("SET", set)).collect();
            let told = open(hours, None, day);
            // Of sunrises that follow one another some are a minute apart.
            let is_near = |told: &String, of: &String| told == of || (of.contains(rise) && told[..10] == of[..10]);
            let is_same = told.len() == expected.len() && told.iter().zip(&expected).all(|(a, b)| is_near(a, b));
            assert!(is_same, "{hours} on {day}: {told:?}, not {expected:?}");
        }
    }
}

/// A night ends when the sun rises on its morning, and an evening may have its dusk after midnight.
#[test]
fn nights_end_when_the_days_after_them_begin() {
    let times = |hours: &str, day| open(hours, None, day).concat();
    for day in [date(2026, 1, 15), date(2026, 4, 2), date(2026, 6, 20), date(2026, 10, 2), date(2026, 12, 20)] {
        let (nights, light) = (times("sunset-sunrise", day), times("sunrise-sunset", day));
        let (sunrise, sunset) = light.split_once('-').expect("a span");
        assert_eq!(nights, format!("00:00-{sunrise}{sunset}-24:00"), "{day}");
    }
    let after_dusk = open("sunrise-dusk", None, date(2026, 6, 20));
    assert!(after_dusk.len() == 2 && after_dusk[0].starts_with("00:00-00:"), "{after_dusk:?}");
}

#[test]
fn all_spans_of_the_sun_can_be_evaluated_everywhere() {
    let events = ["dawn", "sunrise", "sunset", "dusk"];
    let beside = |event: &&str| [(*event).to_owned(), format!("({event}-04:00)"), format!("({event}+04:00)")];
    let times: Vec<String> = events.iter().flat_map(beside).chain(["00:00".to_owned(), "23:59".to_owned()]).collect();
    let zone = helsinki();
    for (from, to) in times.iter().flat_map(|from| times.iter().map(move |to| (from, to))) {
        let hours = OpeningHours::new(&format!("{from}-{to}")).expect("sound");
        for (latitude, longitude) in [(60.2, 25.0), (65.8, 24.1), (67.5, -150.0), (-78.0, 100.0)] {
            let position = Position::new(latitude, longitude).expect("sound");
            let site = Site { position, time_zone: &zone, country: None };
            for day in [date(2026, 5, 24), date(2026, 6, 20), date(2026, 12, 20)] {
                let spans = hours.on(day, &site);
                assert!(spans.iter().all(|span| span.start < span.end && span.end <= DAY_MINUTES), "{from}-{to} {day}");
            }
        }
    }
}

/// Where the sun does not set it is day, where it does not rise it is night, on either side of the equator.
#[test]
fn days_and_nights_of_the_poles_have_no_end() {
    let zone = TimeZone::utc();
    let open_at = |latitude, hours: &str, day| {
        let position = Position::new(latitude, 20.0).expect("sound");
        let site = Site { position, time_zone: &zone, country: None };
        let spans = OpeningHours::new(hours).expect("sound").on(day, &site);
        spans.iter().map(|span| (span.start, span.end)).collect::<Vec<_>>()
    };
    let (june, december) = (date(2026, 6, 20), date(2026, 12, 20));
    for (latitude, light, dark) in [(78.0, june, december), (-78.0, december, june)] {
        assert_eq!(open_at(latitude, "sunrise-sunset", light), [(0, 1_440)]);
        assert_eq!(open_at(latitude, "sunrise-sunset", dark), []);
        assert_eq!(open_at(latitude, "sunset-sunrise", light), []);
        assert_eq!(open_at(latitude, "sunset-sunrise", dark), [(0, 1_440)]);
        assert_eq!(open_at(latitude, "10:00-sunset", light), [(600, 1_440)]);
        assert_eq!(open_at(latitude, "10:00-sunset", dark), []);
        assert_eq!(open_at(latitude, "18:00-sunrise", light), [(1_080, 1_440)], "it is day from midnight on");
        assert_eq!(open_at(latitude, "18:00-sunrise", dark), [(0, 1_440)], "the night goes on to the next day's end");
        assert_eq!(open_at(latitude, "sunset-02:00", light), [], "no evening comes");
        assert_eq!(open_at(latitude, "sunset-02:00", dark), [(0, 1_440)]);
    }
    // Where it does not get dark in June, but the sun sets, there is no dawn.
    assert_eq!(open_at(65.0, "20:00-dawn", june), [(1_200, 1_440)]);
}

#[test]
fn real_hours_are_taken_and_wrong_ones_refused_with_the_place() {
    for hours in REAL {
        assert!(OpeningHours::new(hours).is_ok_and(|read| read.as_str() == hours && read.is_known()), "{hours}");
    }
    let taken: Vec<&str> = WRONG.iter().copied().filter(|hours| OpeningHours::new(hours).is_ok()).collect();
    assert_eq!(taken, [""; 0]);
    let said = OpeningHours::new("Mo-Fr 08:00-20:00; Sa 25:00-26:00").expect_err("25 o'clock").to_string();
    assert!(said.contains("from character 23 on") && said.contains("\"25:00-26:00\""), "{said}");
    assert!(said.contains("allowed there: a time 00:00 to 23:59"), "{said}");
    let said = OpeningHours::new("Mo 08:00-12:00, 14:00-16:00 \"ring\"").expect_err("ambiguous").to_string();
    assert!(said.contains("the last or all (for all say them without the blank; for the last say its days"), "{said}");
    assert!(OpeningHours::new(&"Mo 10:00-12:00; ".repeat(99)).is_err());
    assert!(OpeningHours::new(&["Mo 10:00-11:00"; MAX_OPENING_HOURS / 15].join(";")).is_err(), "too many rules");
}

#[test]
fn what_records_have_is_kept_even_if_it_is_refused_today() {
    let stored = |text: &str| serde_json::from_str::<OpeningHours>(&format!("{text:?}")).expect("kept");
    assert!(stored("").as_str().is_empty() && !stored("").is_known());
    let unread = stored("from nine to five");
    assert_eq!((unread.as_str(), unread.is_known()), ("from nine to five", false));
    assert!(OpeningHours::new("from nine to five").is_err(), "though it is known that it cannot be read");
    let (a, b) = (stored("Mo 10:11-12:13"), OpeningHours::new("Mo 10:11-12:13").expect("sound"));
    assert!(a.0.zip(b.0).is_some_and(|(a, b)| Arc::ptr_eq(&a, &b)), "equal hours are kept once");
}

/// A sound string with some characters cut, doubled, swapped or replaced.
fn spoilt() -> impl Strategy<Value = String> {
    let bad = "[ -~äé–]{1,3}|;|,|-|:|\\|\\||off|PH|99|48:00|Feb 30|\\[5-1\\]|\\(sunset\\+23:59\\)|week 1-53/2|easter";
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), bad, 0..4u8);
    (prop::sample::select(REAL.to_vec()), prop::collection::vec(edit, 1..4)).prop_map(|(sound, edits)| {
        let mut text: Vec<char> = sound.chars().collect();
        for (from, to, bad, kind) in edits {
            let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
            let range = from.min(to)..from.max(to).min(from.min(to) + 5);
            match kind {
                0 => drop(text.drain(range)),
                1 => drop(text.splice(range, bad.chars())),
                2 => text.splice(from..from, bad.chars()).for_each(drop),
                _ => {
                    let again: Vec<char> = text[range].to_vec();
                    text.splice(to..to, again).for_each(drop);
                }
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever is taken can be evaluated on any day, at the poles too.
    #[test]
    fn no_string_panics_or_is_taken_and_fails_later(text in spoilt(), day in 0..40_000i64, latitude in -90.0..90.0f64) {
        let Ok(hours) = OpeningHours::new(&text) else { return Ok(()) };
        let zone = helsinki();
        let position = Position::new(latitude, 25.0).expect("sound");
        let site = Site { position, time_zone: &zone, country: Country::new("FI").ok() };
        let first = date(1990, 1, 1).checked_add(jiff::Span::new().days(day)).expect("a date");
        for day in [first, first.tomorrow().expect("a date"), first.checked_add(jiff::Span::new().days(190)).expect("a date")] {
            let spans = hours.on(day, &site);
            prop_assert!(spans.iter().all(|span| span.start < span.end && span.end <= DAY_MINUTES));
        }
    }

    #[test]
    fn any_text_is_an_answer(text in ".{0,60}|[MoTuWeThFrSaSu0-9:;, -]{0,60}|[\\(\\)\\[\\]\"-+|;]{0,60}") {
        if let Err(why) = OpeningHours::new(&text) {
            prop_assert!(why.to_string().len() < 800, "{}", why);
        }
    }
}

/// Some two hundred strings that are out there. They are not part of the project: the test reads them where they are.
#[test]
fn the_sample_of_openstreetmap_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/opening-hours/osm_sample_values.txt");
    let Ok(sample) = std::fs::read_to_string(path) else {
        eprintln!("there is no {path}: nothing is read");
        return;
    };
    let hours = sample.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let refused: Vec<&str> = hours.filter(|hours| OpeningHours::new(hours).is_err()).collect();
    assert_eq!(refused, [""; 0]);
}
