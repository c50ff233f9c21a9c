//! Schedules on the wire: windows of the week, and open stores.
//!
//! Law 8: every field is decided upon, and each fault names its own.

use jiff::civil::Weekday;

use crate::{
    domain::{
        schedule::{Clock, MAX_WINDOWS, Schedule, Weekdays, WhileOpen, Window},
        time::TimeOfDay,
        violation::{Invalid, Violations, at_most},
    },
    grpc::{
        pb::{self, weekly_window::Day},
        wire::{duration_to_wire, not_one_of, optional_duration},
    },
};

/// What limits say of the schedule, by the fields of limits.
pub fn schedule(
    windows: &[pb::WeeklyWindow],
    window_clock: i32,
    only_while_open: Option<pb::OnlyWhileOpen>,
) -> Result<Schedule, Violations> {
    let mut wrong = Violations::default();
    let windows = wrong.nest("windows", self::windows(windows));
    let clock = wrong.take("window_clock", clock(window_clock));
    let only_while_open = wrong.nest("only_while_open", only_while_open.map(while_open).transpose());
    let schedule = (|| Some(Schedule { windows: windows?, clock: clock?, only_while_open: only_while_open? }))();
    wrong.finish(schedule)
}

fn windows(wire: &[pb::WeeklyWindow]) -> Result<Vec<Window>, Violations> {
    let mut wrong = Violations::default();
    if wrong.take("", at_most(MAX_WINDOWS, wire.len())).is_none() {
        return wrong.finish(None);
    }
    let each = wire.iter().enumerate();
    let windows = each.filter_map(|(i, wire)| wrong.nest(format_args!("[{i}]"), window(wire))).collect();
    wrong.finish(Some(windows))
}

fn window(wire: &pb::WeeklyWindow) -> Result<Window, Violations> {
    let pb::WeeklyWindow { days: named, from, to } = wire;
    let mut wrong = Violations::default();
    let days = days(&mut wrong, named);
    let from = wrong.take("from", TimeOfDay::parse(from));
    let to = wrong.take("to", TimeOfDay::parse(to));
    let window = (|| Some(Window { days: days?, from: from?, to: to? }))();
    wrong.finish(window)
}

fn days(wrong: &mut Violations, wire: &[i32]) -> Option<Weekdays> {
    const MOST: usize = 7;
    wrong.take("days", at_most(MOST, wire.len()))?;
    if wire.is_empty() {
        return Some(Weekdays::ALL);
    }
    let each = wire.iter().enumerate();
    let days: Vec<Weekday> = each.filter_map(|(i, day)| wrong.take(format!("days[{i}]"), weekday(*day))).collect();
    (days.len() == wire.len()).then_some(days).and_then(|days| Weekdays::new(days).ok())
}

fn weekday(wire: i32) -> Result<Weekday, Invalid> {
    match Day::try_from(wire) {
        Ok(Day::Unspecified) | Err(_) => Err(not_one_of(wire, Day::as_str_name)),
        Ok(day) => Weekday::from_monday_one_offset(day as i8).map_err(|_| not_one_of(wire, Day::as_str_name)),
    }
}

fn clock(wire: i32) -> Result<Clock, Invalid> {
    match pb::WindowClock::try_from(wire) {
        Ok(pb::WindowClock::Unspecified) => Ok(Clock::default()),
        Ok(pb::WindowClock::StoreClock) => Ok(Clock::Store),
        Ok(pb::WindowClock::PersonClock) => Ok(Clock::Person),
        Err(_) => Err(not_one_of(wire, pb::WindowClock::as_str_name)),
    }
}

fn while_open(wire: pb::OnlyWhileOpen) -> Result<WhileOpen, Violations> {
    let pb::OnlyWhileOpen { last_call } = wire;
    let last_call = optional_duration(last_call).map_err(|invalid| Violations::one("last_call", invalid))?;
    Ok(WhileOpen { last_call: last_call.unwrap_or_default() })
}

pub fn windows_to_wire(schedule: &Schedule) -> Vec<pb::WeeklyWindow> {
    let window = |window: &Window| pb::WeeklyWindow {
        days: window.days.iter().map(|day| i32::from(day.to_monday_one_offset())).collect(),
        from: window.from.to_string(),
        to: window.to.to_string(),
    };
    schedule.windows.iter().map(window).collect()
}

pub fn clock_to_wire(schedule: &Schedule) -> pb::WindowClock {
    match schedule.clock {
        Clock::Store => pb::WindowClock::StoreClock,
        Clock::Person => pb::WindowClock::PersonClock,
    }
}

pub fn while_open_to_wire(schedule: &Schedule) -> Option<pb::OnlyWhileOpen> {
    let wire = |WhileOpen { last_call }| pb::OnlyWhileOpen { last_call: Some(duration_to_wire(last_call)) };
    schedule.only_while_open.map(wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[i32], from: &str, to: &str) -> pb::WeeklyWindow {
        pb::WeeklyWindow { days: days.to_vec(), from: from.into(), to: to.into() }
    }

    #[test]
    fn schedules_survive_the_wire() {
        let last_call = Some(prost_types::Duration { seconds: 1_800, nanos: 0 });
        let wire = [window(&[1, 5], "11:00", "14:00"), window(&[6], "22:00", "02:00")];
        let read = schedule(&wire, 2, Some(pb::OnlyWhileOpen { last_call })).expect("sound");
        assert_eq!(windows_to_wire(&read), wire);
        assert_eq!(clock_to_wire(&read), pb::WindowClock::PersonClock);
        assert_eq!(while_open_to_wire(&read), Some(pb::OnlyWhileOpen { last_call }));
        let daily = schedule(&[window(&[], "11:00", "14:00")], 0, None).expect("sound");
        assert_eq!((daily.windows[0].days, daily.clock), (Weekdays::ALL, Clock::Store));
    }

    #[test]
    fn every_fault_is_named() {
        let wire = [window(&[0, 8, 1], "24:00", ""), window(&[1; 8], "11:00", "14:00")];
        let last_call = Some(prost_types::Duration { seconds: -1, nanos: 0 });
        let wrong = schedule(&wire, 3, Some(pb::OnlyWhileOpen { last_call })).expect_err("faulty");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let in_windows = ["windows[0].days[0]", "windows[0].days[1]", "windows[0].from", "windows[0].to"];
        let others = ["windows[1].days", "window_clock", "only_while_open.last_call"];
        assert_eq!(fields, [in_windows.as_slice(), &others].concat());
        assert!(schedule(&vec![window(&[], "11:00", "14:00"); MAX_WINDOWS + 1], 0, None).is_err());
    }
}
