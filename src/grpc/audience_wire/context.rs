//! Conditions on the place, the moment and the device on the wire.
//!
//! Law 8: of hours both ends are asked for, and each is named for itself.

use std::collections::BTreeSet;

use jiff::civil::Weekday as Day;

use super::{count_choices, tag_set, tags_to_wire};
use crate::{
    domain::{
        app_version::AppVersion,
        audience::condition::{
            Clock, DISTANCE_M, DeviceTest, Hours, MomentTest, PlaceTest, VersionTest, Weekdays, within,
        },
        language::language,
        name::OrganizationName,
        profile::Platform,
        time::TimeOfDay,
        violation::{Invalid, Violations, at_most},
    },
    grpc::{
        pb,
        wire::{not_one_of, platform, required},
    },
};

/// Most weekdays of one condition, however often each is named.
const MAX_WEEKDAYS: usize = 7;

pub(super) fn place(wire: pb::PlaceCondition) -> Result<PlaceTest, Violations> {
    use pb::place_condition::Test;
    let mut wrong = Violations::default();
    let test = match wire.test.ok_or_else(|| Violations::one("", "needs one kind of test"))? {
        Test::AllTags(pb::Tags { tags }) => wrong.nest("all_tags", tag_set(&tags)).map(PlaceTest::AllTags),
        Test::AnyTag(pb::Tags { tags }) => wrong.nest("any_tag", tag_set(&tags)).map(PlaceTest::AnyTag),
        Test::Network(network) => wrong.take("network", OrganizationName::parse(&network)).map(PlaceTest::Network),
        Test::WithinM(metres) => {
            wrong.take("within_m", within(&DISTANCE_M, metres, "metres")).map(|()| PlaceTest::Within { metres })
        }
        Test::OpenNow(true) => Some(PlaceTest::OpenNow),
        Test::OpenNow(false) => wrong.take("open_now", Err(Invalid::new("must be true; for closed stores say `not`"))),
    };
    wrong.finish(test)
}

pub(super) fn moment(wire: pb::MomentCondition) -> Result<MomentTest, Violations> {
    let pb::MomentCondition { weekdays: days, from, to, clock: whose } = wire;
    let mut wrong = Violations::default();
    let weekdays = weekdays(&mut wrong, &days);
    let hours = wrong.nest("", hours(&from, &to)).flatten();
    let clock = wrong.take("clock", clock(whose));
    if days.is_empty() && from.is_empty() && to.is_empty() {
        wrong.add("", "needs weekdays, or from and to, or both");
    }
    wrong.finish(clock.map(|clock| MomentTest { weekdays, hours, clock }))
}

/// None if none is named.
fn weekdays(wrong: &mut Violations, wire: &[i32]) -> Option<Weekdays> {
    use pb::moment_condition::Weekday;
    wrong.take("weekdays", at_most(MAX_WEEKDAYS, wire.len()))?;
    let weekday = |&day: &i32| match Weekday::try_from(day) {
        Ok(Weekday::Unspecified) | Err(_) => Err(not_one_of(day, Weekday::as_str_name)),
        Ok(known) => Day::from_monday_one_offset(known as i8).map_err(|_| not_one_of(day, Weekday::as_str_name)),
    };
    let each = wire.iter().enumerate();
    let days: Vec<Day> = each.filter_map(|(i, day)| wrong.take(format!("weekdays[{i}]"), weekday(day))).collect();
    Weekdays::new(days).ok()
}

fn hours(from: &str, to: &str) -> Result<Option<Hours>, Violations> {
    if from.is_empty() && to.is_empty() {
        return Ok(None);
    }
    let mut wrong = Violations::default();
    let mut end =
        |field, text: &str| wrong.take(field, if text.is_empty() { Err(required()) } else { TimeOfDay::parse(text) });
    let hours = end("from", from).zip(end("to", to)).map(|(from, to)| Hours { from, to });
    if let Some(hours) = hours {
        wrong.take("to", hours.check());
    }
    wrong.finish(hours.map(Some))
}

fn clock(wire: i32) -> Result<Clock, Invalid> {
    use pb::moment_condition::Clock as Wire;
    match Wire::try_from(wire) {
        Ok(Wire::Unspecified | Wire::Store) => Ok(Clock::Store),
        Ok(Wire::Person) => Ok(Clock::Person),
        Err(_) => Err(not_one_of(wire, Wire::as_str_name)),
    }
}

pub(super) fn device(wire: pb::DeviceCondition) -> Result<DeviceTest, Violations> {
    use pb::device_condition::Test;
    let mut wrong = Violations::default();
    let mut version = |field, text: &str| wrong.take(field, AppVersion::parse(text));
    let test = match wire.test.ok_or_else(|| Violations::one("", "needs one kind of test"))? {
        Test::AppVersionAtLeast(text) => version("app_version_at_least", &text).map(VersionTest::AtLeast),
        Test::AppVersionBelow(text) => version("app_version_below", &text).map(VersionTest::Below),
        Test::Platforms(pb::Platforms { platforms }) => {
            return wrong.nest("platforms", read_platforms(&platforms)).map(DeviceTest::Platform).ok_or(wrong);
        }
        Test::Languages(pb::Languages { languages }) => {
            return wrong.nest("languages", read_languages(&languages)).map(DeviceTest::Language).ok_or(wrong);
        }
    };
    wrong.finish(test.map(DeviceTest::AppVersion))
}

fn read_platforms(wire: &[i32]) -> Result<BTreeSet<Platform>, Violations> {
    let mut wrong = Violations::default();
    count_choices(&mut wrong, "platforms", wire.len())?;
    let each = wire.iter().enumerate();
    let platforms = each.filter_map(|(i, &one)| wrong.take(format!("platforms[{i}]"), platform(one))).collect();
    wrong.finish(Some(platforms))
}

fn read_languages(wire: &[String]) -> Result<Vec<String>, Violations> {
    let mut wrong = Violations::default();
    count_choices(&mut wrong, "languages", wire.len())?;
    let each = wire.iter().enumerate();
    let languages = each.filter_map(|(i, tag)| wrong.take(format!("languages[{i}]"), language(tag))).collect();
    wrong.finish(Some(languages))
}

pub(super) fn place_to_wire(test: &PlaceTest) -> pb::PlaceCondition {
    use pb::place_condition::Test;
    let test = match test {
        PlaceTest::AllTags(tags) => Test::AllTags(tags_to_wire(tags)),
        PlaceTest::AnyTag(tags) => Test::AnyTag(tags_to_wire(tags)),
        PlaceTest::Network(network) => Test::Network(network.to_string()),
        PlaceTest::Within { metres } => Test::WithinM(*metres),
        PlaceTest::OpenNow => Test::OpenNow(true),
    };
    pb::PlaceCondition { test: Some(test) }
}

pub(super) fn moment_to_wire(test: &MomentTest) -> pb::MomentCondition {
    use pb::moment_condition::Clock as Wire;
    let MomentTest { weekdays, hours, clock } = test;
    let said = |end: Option<TimeOfDay>| end.map(|end| end.to_string()).unwrap_or_default();
    let clock = match clock {
        Clock::Store => Wire::Store,
        Clock::Person => Wire::Person,
    };
    pb::MomentCondition {
        weekdays: weekdays.iter().flat_map(|days| days.iter()).map(|day| day.to_monday_one_offset().into()).collect(),
        from: said(hours.map(|hours| hours.from)),
        to: said(hours.map(|hours| hours.to)),
        clock: clock.into(),
    }
}

pub(super) fn device_to_wire(test: &DeviceTest) -> pb::DeviceCondition {
    use pb::device_condition::Test;
    let platform = |platform: &Platform| match platform {
        Platform::Ios => pb::Platform::Ios.into(),
        Platform::Android => pb::Platform::Android.into(),
        Platform::Other => pb::Platform::Other.into(),
    };
    let test = match test {
        DeviceTest::Platform(platforms) => {
            Test::Platforms(pb::Platforms { platforms: platforms.iter().map(platform).collect() })
        }
        DeviceTest::Language(languages) => Test::Languages(pb::Languages { languages: languages.clone() }),
        DeviceTest::AppVersion(VersionTest::AtLeast(version)) => Test::AppVersionAtLeast(version.to_string()),
        DeviceTest::AppVersion(VersionTest::Below(version)) => Test::AppVersionBelow(version.to_string()),
    };
    pb::DeviceCondition { test: Some(test) }
}
