//! Windows and opening hours against an oracle that counts minutes and has its own table of clocks.

use std::time::Duration;

use jiff::civil::Weekday;
use proptest::prelude::*;

use super::{
    civil,
    fixture::store,
    schedule::{Doors, is_open, is_outside_windows, outside_windows},
};
use crate::domain::{
    decision::Reason,
    opening::OpeningHours,
    place::Store,
    schedule::{Clock, Schedule, Weekdays, WhileOpen, Window, spans},
    time::{TimeOfDay, TimeZone, Timestamp},
};

/// A zone, and minutes to add to UTC from each of these minutes after 1970 on: by hand, from the tz database's text.
struct Zone {
    name: &'static str,
    offsets: &'static [(i64, i64)],
}

/// Of 2026: `2026-03-29T01:00Z` is minute 29,579,100.
const ZONES: [Zone; 6] = [
    // 25 and 23 hours.
    Zone { name: "Europe/Rome", offsets: &[(0, 60), (29_579_100, 120), (29_881_500, 60)] },
    Zone { name: "America/New_York", offsets: &[(0, -300), (29_549_220, -240), (29_891_880, -300)] },
    // Half an hour: 24.5 and 23.5 hours.
    Zone { name: "Australia/Lord_Howe", offsets: &[(0, 660), (29_588_580, 630), (29_850_690, 660)] },
    Zone { name: "Asia/Kolkata", offsets: &[(0, 330)] },
    // Midnight itself is skipped, and the hour after it comes twice.
    Zone { name: "America/Havana", offsets: &[(0, -300), (29_549_100, -240), (29_891_820, -300)] },
    Zone { name: "America/St_Johns", offsets: &[(0, -210), (29_549_130, -150), (29_891_790, -210)] },
];
/// 2026-01-05T00:00Z, a Monday.
const START: i64 = 29_459_520;
const YEAR: i64 = 360 * 1_440;
const DAY: i64 = 1_440;

impl Zone {
    fn time_zone(&self) -> TimeZone {
        TimeZone::new(self.name).expect("known")
    }

    /// What the clock shows at a minute: the day of the week from Monday, and the minute of the day.
    fn shows(&self, minute: i64) -> (u8, u16) {
        let offset = self.offsets.iter().rev().find(|(from, _)| *from <= minute).map_or(0, |(_, offset)| *offset);
        let local = minute + offset;
        // The first day of 1970 was a Thursday.
        (((local.div_euclid(DAY) + 3) % 7) as u8, local.rem_euclid(DAY) as u16)
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * 60_000_000)
}

/// By the words of the law: on that day from `from` on, or the day after a day that it began on.
fn naive(windows: &[Window], (day, minute): (u8, u16)) -> bool {
    let has = |window: &Window, day: u8| u8::from(window.days) & (1 << day) != 0;
    windows.iter().any(|window| {
        let (from, to) = (window.from.minutes(), window.to.minutes());
        match from < to {
            true => has(window, day) && from <= minute && minute < to,
            false => (has(window, day) && from <= minute) || (has(window, (day + 6) % 7) && minute < to),
        }
    })
}

fn time(minute: u32) -> TimeOfDay {
    TimeOfDay::new(minute / 60, minute % 60).expect("sound")
}

fn window() -> impl Strategy<Value = Window> {
    // Often in the small hours, where clocks change.
    let minute = || prop_oneof![(0..16u32).prop_map(|quarter| quarter * 15), 0..1_440u32];
    (1..128u8, minute(), minute()).prop_map(|(days, from, to)| Window {
        days: Weekdays::try_from(days).expect("some"),
        from: time(from),
        to: time(to),
    })
}

/// A zone, and a minute of its year, mostly within two days of a change of its clock.
fn moment() -> impl Strategy<Value = (usize, i64)> {
    (0..ZONES.len(), any::<prop::sample::Index>(), -2 * DAY..2 * DAY, 0..YEAR).prop_map(|(zone, change, near, any)| {
        let changes = &ZONES[zone].offsets[1..];
        let minute = if changes.is_empty() { START + any } else { changes[change.index(changes.len())].0 + near };
        (zone, minute)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_hold_and_begin_and_end_as_the_minutes_say(
        windows in prop::collection::vec(window(), 1..4),
        (zone, minute) in moment(),
        second in 0..60i64,
    ) {
        let (zone, now) = (&ZONES[zone], Timestamp::from_micros((minute * 60 + second) * 1_000_000));
        let tz = zone.time_zone();
        let on = |date| spans(&windows, date);
        let holds = |minute| naive(&windows, zone.shows(minute));
        prop_assert_eq!(civil::is_within(&tz, now, on), holds(minute));
        for within in [true, false] {
            let found = civil::first(&tz, (now, now + Duration::from_secs(8 * 86_400)), within, on);
            let next = (minute..=minute + 8 * DAY).find(|&minute| holds(minute) == within);
            let expected = next.map(|next| at(next).max(now)).filter(|next| *next <= now + Duration::from_secs(8 * 86_400));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn stores_are_open_and_close_as_the_minutes_say(
        window in window(),
        (zone, minute) in moment(),
        last_call in 0..180i64,
    ) {
        let (zone, now) = (&ZONES[zone], at(minute));
        let store = Store { time_zone: zone.time_zone(), opening_hours: hours(window), ..store("s", 0.0) };
        let holds = |minute| naive(&[window], zone.shows(minute));
        prop_assert_eq!(is_open(&store, now), holds(minute));
        let while_open = WhileOpen { last_call: Duration::from_secs(last_call as u64 * 60) };
        let schedule = Schedule { only_while_open: Some(while_open), ..Schedule::default() };
        let closes = (minute..=minute + last_call).find(|&minute| !holds(minute)).map(at);
        let opens = (minute..=minute + 8 * DAY).find(|&minute| holds(minute)).map(at);
        let expected = match closes {
            _ if !holds(minute) => Some(Reason::StoreClosed { opens_at: opens }),
            Some(closes_at) => Some(Reason::LastCall { closes_at, last_call: while_open.last_call }),
            None => None,
        };
        let doors = Doors::at(now);
        for _ in 0..2 {
            prop_assert_eq!(doors.are_closed(&schedule, Some(&store)), expected.is_some());
            prop_assert_eq!(doors.closed(&schedule, Some(&store)), expected.clone());
        }
    }
}

/// The window in OpenStreetMap's words.
fn hours(window: Window) -> OpeningHours {
    let name = |day: Weekday| format!("{day:?}")[..2].to_owned();
    let days: Vec<String> = window.days.iter().map(name).collect();
    OpeningHours::new(&format!("{} {}-{}", days.join(","), window.from, window.to)).expect("sound")
}

#[test]
fn days_have_as_many_minutes_as_their_clocks_say() {
    // All of one day of the week, from midnight on: the last Sunday of March in Rome, and so on.
    let lengths = [(0, 1, 23 * 60), (0, 2, 25 * 60), (1, 1, 23 * 60), (2, 1, 24 * 60 + 30), (2, 2, 23 * 60 + 30)];
    for (zone, change, minutes) in lengths {
        let (zone, change) = (&ZONES[zone], ZONES[zone].offsets[change].0);
        let sunday = Weekdays::new([Weekday::Sunday]).expect("a day");
        let all_day = [Window { days: sunday, from: time(0), to: time(0) }];
        let tz = zone.time_zone();
        let held = (change - 2 * DAY..change + 2 * DAY)
            .filter(|&minute| civil::is_within(&tz, at(minute), |date| spans(&all_day, date)));
        assert_eq!(held.count(), minutes, "{}", zone.name);
    }
}

#[test]
fn an_hour_that_is_skipped_does_not_come_and_one_that_is_repeated_comes_twice() {
    let rome = &ZONES[0];
    let half_past_two = [Window { days: Weekdays::ALL, from: time(150), to: time(160) }];
    let minutes_around = |change: i64| {
        let tz = rome.time_zone();
        let day = change - 12 * 60..change + 12 * 60;
        day.filter(|&minute| civil::is_within(&tz, at(minute), |date| spans(&half_past_two, date))).count()
    };
    assert_eq!(minutes_around(rome.offsets[1].0), 0);
    assert_eq!(minutes_around(rome.offsets[2].0), 20);
}

#[test]
fn windows_are_on_the_stores_clock_unless_they_say_otherwise_or_there_is_none() {
    let lunch = vec![Window { days: Weekdays::ALL, from: time(11 * 60), to: time(14 * 60) }];
    let kolkata = Store { time_zone: ZONES[3].time_zone(), ..store("s", 0.0) };
    let rome = ZONES[0].time_zone();
    // 2026-01-05T12:00Z: 13:00 in Rome, 17:30 in Kolkata.
    let noon = at(START + 720);
    let of_store = Schedule { windows: lunch.clone(), ..Schedule::default() };
    let refused = outside_windows(&of_store, Some(&kolkata), &rome, noon).expect("half past five");
    assert_eq!(
        refused.to_string(),
        "it was Monday 17:30 at the store, outside of the campaign's hours, which begin again at 2026-01-06T05:30:00Z"
    );
    assert!(is_outside_windows(&of_store, Some(&kolkata), &rome, noon));
    assert_eq!(outside_windows(&of_store, None, &rome, noon), None);
    assert!(!is_outside_windows(&of_store, None, &rome, noon));
    let of_person = Schedule { windows: lunch, clock: Clock::Person, ..Schedule::default() };
    assert_eq!(outside_windows(&of_person, Some(&kolkata), &rome, noon), None);
}

#[test]
fn a_store_without_hours_is_not_open_and_neither_is_none() {
    let open = Schedule { only_while_open: Some(WhileOpen::default()), ..Schedule::default() };
    let now = at(START);
    assert_eq!(Doors::at(now).closed(&open, None), Some(Reason::NoOpeningHours));
    assert_eq!(Doors::at(now).closed(&open, Some(&store("s", 0.0))), Some(Reason::NoOpeningHours));
    assert!(!is_open(&store("s", 0.0), now));
    let shut = Store { opening_hours: OpeningHours::new("2020 Jan 1 10:00-12:00").expect("sound"), ..store("s", 0.0) };
    assert_eq!(Doors::at(now).closed(&open, Some(&shut)), Some(Reason::StoreClosed { opens_at: None }));
    let always = Store { opening_hours: OpeningHours::new("24/7").expect("sound"), ..store("s", 0.0) };
    assert_eq!(Doors::at(now).closed(&open, Some(&always)), None);
}

#[test]
fn the_hours_of_a_store_are_looked_through_once_however_many_campaigns_ask() {
    let (schedule, doors) =
        (Schedule { only_while_open: Some(WhileOpen::default()), ..Schedule::default() }, Doors::at(at(START)));
    let with = |hours: &str| Store { opening_hours: OpeningHours::new(hours).expect("sound"), ..store("s", 0.0) };
    let refused = Some(Reason::StoreClosed { opens_at: Some(at(START + 600)) });
    assert_eq!(doors.closed(&schedule, Some(&with("10:00-12:00"))), refused);
    // Whoever looked again would see that the hours are others.
    assert_eq!(doors.closed(&schedule, Some(&with("11:00-12:00"))), refused);
    assert!(doors.are_closed(&schedule, Some(&with("24/7"))));

    let last_call = |minutes: u64| {
        let while_open = WhileOpen { last_call: Duration::from_secs(minutes * 60) };
        Schedule { only_while_open: Some(while_open), ..Schedule::default() }
    };
    let doors = Doors::at(at(START));
    let refused = Some(Reason::LastCall { closes_at: at(START + 60), last_call: Duration::from_secs(3_600) });
    assert_eq!(doors.closed(&last_call(60), Some(&with("00:00-01:00"))), refused);
    assert_eq!(doors.closed(&last_call(60), Some(&with("00:00-12:00"))), refused);
    assert_eq!(doors.closed(&last_call(59), Some(&with("00:00-12:00"))), None);
}

/// Weekday and time of a clock, opening hours, and whether a store there is open: worked out by hand.
#[test]
fn stores_are_open_by_their_own_clock_when_it_changes() {
    let cases = [
        // Rome, Sunday 29 March 2026: 02:00 to 03:00 does not come. From 01:59 the clock goes to 03:00.
        ("Europe/Rome", "Su 02:00-03:00", "2026-03-29T00:59:59Z", false),
        ("Europe/Rome", "Su 02:00-03:00", "2026-03-29T01:00:00Z", false),
        ("Europe/Rome", "Sa 22:00-04:00", "2026-03-29T01:59:59Z", true),
        ("Europe/Rome", "Sa 22:00-04:00", "2026-03-29T02:00:00Z", false),
        // Sunday 25 October: 02:00 to 03:00 comes twice, and both are open.
        ("Europe/Rome", "Su 02:00-03:00", "2026-10-25T00:30:00Z", true),
        ("Europe/Rome", "Su 02:00-03:00", "2026-10-25T01:30:00Z", true),
        ("Europe/Rome", "Su 02:00-03:00", "2026-10-25T02:00:00Z", false),
        // New York, Sunday 8 March: 02:00 to 03:00 does not come; 1 November: 01:00 to 02:00 comes twice.
        ("America/New_York", "Su 01:30-02:30", "2026-03-08T06:59:59Z", true),
        ("America/New_York", "Su 01:30-02:30", "2026-03-08T07:00:00Z", false),
        ("America/New_York", "Su 01:30-01:45", "2026-11-01T05:30:00Z", true),
        ("America/New_York", "Su 01:30-01:45", "2026-11-01T06:30:00Z", true),
        // Lord Howe, Sunday 5 April: 01:30 to 02:00 comes twice; 4 October: 02:00 to 02:30 does not come.
        ("Australia/Lord_Howe", "Su 01:30-02:00", "2026-04-04T14:30:00Z", true),
        ("Australia/Lord_Howe", "Su 01:30-02:00", "2026-04-04T15:00:00Z", true),
        ("Australia/Lord_Howe", "Su 01:30-02:00", "2026-04-04T15:30:00Z", false),
        ("Australia/Lord_Howe", "Su 02:00-02:30", "2026-10-03T15:29:59Z", false),
        ("Australia/Lord_Howe", "Su 02:00-02:30", "2026-10-03T15:30:00Z", false),
        // Havana, Sunday 8 March: the day begins at 01:00; 1 November: 00:00 to 01:00 comes twice, both of Sunday.
        ("America/Havana", "Su 00:00-01:00", "2026-03-08T05:00:00Z", false),
        ("America/Havana", "Sa 22:00-02:00", "2026-03-08T05:59:59Z", true),
        ("America/Havana", "Sa 22:00-02:00", "2026-03-08T06:00:00Z", false),
        ("America/Havana", "Su 00:00-01:00", "2026-11-01T04:30:00Z", true),
        ("America/Havana", "Su 00:00-01:00", "2026-11-01T05:30:00Z", true),
        ("America/Havana", "Su 00:00-01:00", "2026-11-01T06:00:00Z", false),
    ];
    for (zone, hours, time, is) in cases {
        let time_zone = TimeZone::new(zone).expect("known");
        let opening_hours = OpeningHours::new(hours).expect("sound");
        let instant: jiff::Timestamp = time.parse().expect("a time");
        let now = Timestamp::from_micros(instant.as_microsecond());
        assert_eq!(is_open(&Store { time_zone, opening_hours, ..store("s", 0.0) }, now), is, "{zone} {hours} {time}");
    }
}
