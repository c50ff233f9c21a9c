//! Opening hours with known answers, worked out by hand from version 0.7 of the specification in OpenStreetMap's wiki.
//!
//! Law of these: none of them was taken from what the code says.

use jiff::civil::{Date, date};

use super::tests::open;

/// Hours, a date, and what is open then by the clock of the place. 2026-11-23 is a Monday.
type Answer = (&'static str, Date, &'static [&'static str]);

const MONDAY: Date = date(2026, 11, 23);
const TUESDAY: Date = date(2026, 11, 24);
const FRIDAY: Date = date(2026, 11, 27);
const SATURDAY: Date = date(2026, 11, 28);
const SUNDAY: Date = date(2026, 11, 29);

const TIMES: &[Answer] = &[
    ("24/7", MONDAY, &["00:00-24:00"]),
    ("open", MONDAY, &["00:00-24:00"]),
    ("off", MONDAY, &[]),
    ("24/7 closed \"renovation\"", MONDAY, &[]),
    ("00:00-24:00", MONDAY, &["00:00-24:00"]),
    ("00:00-00:00", MONDAY, &["00:00-24:00"]),
    ("10:00-10:00", MONDAY, &["00:00-24:00"]),
    ("8:00-9:30", MONDAY, &["08:00-09:30"]),
    ("08:00-12:00,13:00-17:00", MONDAY, &["08:00-12:00", "13:00-17:00"]),
    ("08:00-12:00, 13:00-17:00", MONDAY, &["08:00-12:00", "13:00-17:00"]),
    ("10:00-20:00,12:00-14:00", MONDAY, &["10:00-20:00"]),
    ("10:00-12:00,12:00-14:00", MONDAY, &["10:00-14:00"]),
    ("23:59-24:00", MONDAY, &["23:59-24:00"]),
    // Nobody knows when it closes: that day it is open; and until the time that is said.
    ("18:00+", MONDAY, &["18:00-24:00"]),
    ("10:00-12:00+", MONDAY, &["10:00-12:00"]),
    ("11:00-14:00,17:00+", MONDAY, &["11:00-14:00", "17:00-24:00"]),
    // But when the next begin it is known that it has closed by the end of those.
    ("10:00+,14:00-18:00", MONDAY, &["10:00-18:00"]),
    ("14:00-18:00,10:00+", MONDAY, &["10:00-18:00"]),
    ("08:00+,12:00-13:00,17:00+", MONDAY, &["08:00-13:00", "17:00-24:00"]),
    ("10:00+,22:00-02:00", TUESDAY, &["00:00-02:00", "10:00-24:00"]),
    ("Mo 10:00+,Mo 14:00-18:00", MONDAY, &["10:00-24:00"]),
];

const OVER_MIDNIGHT: &[Answer] = &[
    ("Su 20:00-04:00", MONDAY, &["00:00-04:00"]),
    ("Su 20:00-28:00", MONDAY, &["00:00-04:00"]),
    ("Mo 20:00-04:00", MONDAY, &["20:00-24:00"]),
    ("Mo 20:00-24:00", TUESDAY, &[]),
    ("Fr-Sa 18:00-26:00", FRIDAY, &["18:00-24:00"]),
    ("Fr-Sa 18:00-26:00", SATURDAY, &["00:00-02:00", "18:00-24:00"]),
    ("Fr-Sa 18:00-26:00", SUNDAY, &["00:00-02:00"]),
    ("Sa 08:00-48:00", SUNDAY, &["00:00-24:00"]),
    // A rule of a day takes all of that day, the night that came over from the day before included.
    ("Fr 18:00-03:00; Sa 20:00-02:00", SATURDAY, &["20:00-24:00"]),
    ("Fr 18:00-03:00, Sa 20:00-02:00", SATURDAY, &["00:00-03:00", "20:00-24:00"]),
    ("Mo-Fr 18:00-03:00; Sa off", SATURDAY, &[]),
    // The night that the earlier rule says for after that day stays, for it is on the next date.
    ("Mo-Su 18:00-02:00; Mo off", MONDAY, &[]),
    ("Mo-Su 18:00-02:00; Mo off", TUESDAY, &["00:00-02:00", "18:00-24:00"]),
    ("Mo-Su 18:00-02:00; Mo 10:00-12:00", TUESDAY, &["00:00-02:00", "18:00-24:00"]),
    ("Tu-Su 18:00-02:00", MONDAY, &["00:00-02:00"]),
    ("Tu-Su 18:00-02:00", TUESDAY, &["18:00-24:00"]),
    ("Mo-Su 18:00-02:00; Mo unknown", MONDAY, &[]),
    ("Mo-Su 18:00-02:00; Mo unknown", TUESDAY, &["00:00-02:00", "18:00-24:00"]),
    // But a night of a later rule comes over a day of an earlier one.
    ("Su-Th 11:00-03:00; Fr-Sa 11:00-05:00", SUNDAY, &["00:00-05:00", "11:00-24:00"]),
    ("Su-Th 11:00-03:00; Fr-Sa 11:00-05:00", FRIDAY, &["11:00-24:00"]),
    ("Dec 31 18:00-04:00", date(2027, 1, 1), &["00:00-04:00"]),
    ("Feb 28 22:00-02:00", date(2026, 3, 1), &["00:00-02:00"]),
    ("Feb 28 22:00-02:00", date(2028, 2, 29), &["00:00-02:00"]),
];

const RULES: &[Answer] = &[
    ("Mo-Fr 08:00-20:00; Nov 23 off", MONDAY, &[]),
    ("Mo-Fr 08:00-20:00; 2025 Nov 23 off", MONDAY, &["08:00-20:00"]),
    ("Mo-Fr 08:00-20:00; Mo 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Mo-Sa 08:00-13:00; 15:00-18:00", MONDAY, &["15:00-18:00"]),
    ("08:00-12:00; 14:00-18:00", MONDAY, &["14:00-18:00"]),
    ("08:00-12:00,14:00-18:00", MONDAY, &["08:00-12:00", "14:00-18:00"]),
    ("Mo 08:00-12:00, Mo 13:00-17:00", MONDAY, &["08:00-12:00", "13:00-17:00"]),
    ("Mo 08:00-12:00,Mo 13:00-17:00", MONDAY, &["08:00-12:00", "13:00-17:00"]),
    ("Mo 08:00-12:00,Tu 13:00-17:00,PH off", TUESDAY, &["13:00-17:00"]),
    ("Mo-Su 10:00-18:00, We 18:00-22:00", date(2026, 11, 25), &["10:00-22:00"]),
    // What closes takes away no more than it says.
    ("10:00-18:00; 12:00-13:00 off", MONDAY, &["10:00-12:00", "13:00-18:00"]),
    ("Mo-Fr 10:00-18:00; Mo off; Mo 12:00-13:00", MONDAY, &["12:00-13:00"]),
    ("Mo off; Mo-Fr 10:00-18:00", MONDAY, &["10:00-18:00"]),
    // After || counts what is not said before.
    ("Mo 10:00-12:00 || 11:00-14:00", MONDAY, &["10:00-14:00"]),
    ("Mo 10:00-12:00 || 11:00-14:00", TUESDAY, &["11:00-14:00"]),
    ("10:00-12:00 || \"by appointment\"", MONDAY, &["10:00-12:00"]),
    ("10:00-12:00 unknown || 11:00-14:00", MONDAY, &["12:00-14:00"]),
    // What is open only perhaps is not open; a word says that it is, whatever the comment.
    ("10:00-12:00 unknown", MONDAY, &[]),
    ("10:00-12:00 \"by appointment\"", MONDAY, &[]),
    ("10:00-12:00 open \"ring the bell\"", MONDAY, &["10:00-12:00"]),
    ("Mo 10:00-12:00, 14:00-16:00 open \"ring the bell\"", MONDAY, &["10:00-12:00", "14:00-16:00"]),
    ("Mo 10:00-12:00,14:00-16:00 \"by appointment\"", MONDAY, &[]),
    ("Mo 10:00-12:00, Mo 14:00-16:00 \"by appointment\"", MONDAY, &["10:00-12:00"]),
    ("\"in term\": Mo-Fr 10:00-12:00", MONDAY, &[]),
    ("10:00-18:00; 12:00-13:00 unknown", MONDAY, &[]),
    ("10:00-18:00, Mo 12:00-13:00 unknown", MONDAY, &["10:00-12:00", "13:00-18:00"]),
];

const DAYS: &[Answer] = &[
    ("Mo-Fr 08:00-20:00", MONDAY, &["08:00-20:00"]),
    ("Tu-Fr 08:00-20:00", MONDAY, &[]),
    ("Fr-Mo 08:00-20:00", MONDAY, &["08:00-20:00"]),
    ("Fr-Mo 08:00-20:00", TUESDAY, &[]),
    ("Mo, We 10:00-12:00", TUESDAY, &[]),
    ("Mo[4] 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Mo[5] 10:00-12:00", MONDAY, &[]),
    ("Mo[-1] 10:00-12:00", MONDAY, &[]),
    ("Mo[-1] 10:00-12:00", date(2026, 11, 30), &["10:00-12:00"]),
    ("Mo[-2] 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Mo[1,3-4] 10:00-12:00", MONDAY, &["10:00-12:00"]),
    // The first Thursday of November 2026 is the 5th.
    ("Th[1] +1 day 10:00-12:00", date(2026, 11, 6), &["10:00-12:00"]),
    // The last day of August 2026 is its last Monday, and the day after it is in September.
    ("Mo[-1] +1 day 10:00-12:00", date(2026, 9, 1), &["10:00-12:00"]),
    ("week 48 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("week 47 10:00-12:00", MONDAY, &[]),
    ("week 46,48: 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("week 46,47:10:00-12:00", MONDAY, &[]),
    ("Nov week 40-50 Mo 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Nov week 40-50 Mo 10:00-12:00", date(2026, 10, 26), &[]),
    ("week 2-52/2 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("week 1-53/2 10:00-12:00", MONDAY, &[]),
    // 2026 has 53 weeks, and the first days of 2027 are of the last.
    ("week 53 10:00-12:00", date(2027, 1, 3), &["10:00-12:00"]),
    ("week 1 10:00-12:00", date(2027, 1, 3), &[]),
    ("week 1 10:00-12:00", date(2025, 12, 29), &["10:00-12:00"]),
];

const DATES: &[Answer] = &[
    ("2026 Nov 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2026Nov 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2025,2026 Nov 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2024-2030/2 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2025-2031/2 10:00-12:00", MONDAY, &[]),
    ("2026+ 10:00-12:00", date(2031, 1, 1), &["10:00-12:00"]),
    ("Nov-Feb 10:00-12:00", date(2027, 2, 28), &["10:00-12:00"]),
    ("Nov-Feb 10:00-12:00", date(2027, 3, 1), &[]),
    ("Nov Mo 10:00-12:00", TUESDAY, &[]),
    ("Nov: Mo 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Apr 30-May 1 10:00-12:00", date(2026, 4, 30), &["10:00-12:00"]),
    ("Apr 30-May 1 10:00-12:00", date(2026, 5, 2), &[]),
    ("Nov 20-25 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Nov 23:10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2026:10:00-12:00", MONDAY, &["10:00-12:00"]),
    // Another day after a comma is of the same month, and of the same year.
    ("Nov 20,23 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Nov 20, 23 10:00-12:00", date(2026, 11, 21), &[]),
    ("Dec 24-26,31,Jan 1,6 10:00-12:00", date(2027, 1, 6), &["10:00-12:00"]),
    ("Dec 24-26,31,Jan 1,6 10:00-12:00", date(2026, 12, 31), &["10:00-12:00"]),
    ("Dec 24-26,31,Jan 1,6 10:00-12:00", date(2027, 1, 31), &[]),
    ("Nov 1,20-25,30 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2026 Nov 20,23 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2026 Nov 20,23 10:00-12:00", date(2027, 11, 23), &[]),
    ("Dec 20-Jan 5 10:00-12:00", date(2027, 1, 5), &["10:00-12:00"]),
    ("Dec 20-Jan 5 10:00-12:00", date(2027, 1, 6), &[]),
    ("2026 Dec 20-2027 Jan 5 10:00-12:00", date(2026, 1, 3), &[]),
    ("2026 Dec 20-2027 Jan 5 10:00-12:00", date(2027, 1, 3), &["10:00-12:00"]),
    ("Nov 23+ 10:00-12:00", date(2026, 12, 31), &["10:00-12:00"]),
    ("Nov 23+ 10:00-12:00", date(2027, 1, 1), &[]),
    ("2026 Nov 23+ 10:00-12:00", date(2027, 1, 1), &["10:00-12:00"]),
    ("Feb 29 10:00-12:00", date(2028, 2, 29), &["10:00-12:00"]),
    ("Feb 29 10:00-12:00", date(2027, 2, 28), &[]),
    ("Feb 29 10:00-12:00", date(2027, 3, 1), &[]),
    ("Feb 1-29 10:00-12:00", date(2027, 2, 28), &["10:00-12:00"]),
    ("Feb 1-29 10:00-12:00", date(2027, 3, 1), &[]),
    // Summer time of Europe in 2026: the 29th of March to the 25th of October.
    ("Mar Su[-1]-Oct Su[-1] 10:00-12:00", date(2026, 3, 28), &[]),
    ("Mar Su[-1]-Oct Su[-1] 10:00-12:00", date(2026, 3, 29), &["10:00-12:00"]),
    ("Mar Su[-1]-Oct Su[-1] -1 day 10:00-12:00", date(2026, 10, 24), &["10:00-12:00"]),
    ("Mar Su[-1]-Oct Su[-1] -1 day 10:00-12:00", date(2026, 10, 25), &[]),
    // Easter: 5 April 2026, 28 March 2027, 20 April 2025, 25 April 2038, 23 March 2008.
    ("easter 10:00-12:00", date(2026, 4, 5), &["10:00-12:00"]),
    ("easter +1 day 10:00-12:00", date(2027, 3, 29), &["10:00-12:00"]),
    ("easter -2 days off; Mo-Su 10:00-12:00", date(2025, 4, 18), &["10:00-12:00"]),
    ("Mo-Su 10:00-12:00; easter -2 days off", date(2025, 4, 18), &[]),
    ("easter 10:00-12:00", date(2038, 4, 25), &["10:00-12:00"]),
    ("easter 10:00-12:00", date(2008, 3, 23), &["10:00-12:00"]),
    ("easter +39 days 10:00-12:00", date(2026, 5, 14), &["10:00-12:00"]),
    // Both ends of a range are in it.
    ("easter -2 days-easter +1 day 10:00-12:00", date(2026, 4, 3), &["10:00-12:00"]),
    ("easter -2 days-easter +1 day 10:00-12:00", date(2026, 4, 6), &["10:00-12:00"]),
    ("easter -2 days-easter +1 day 10:00-12:00", date(2026, 4, 7), &[]),
    ("Dec 20-easter 10:00-12:00", date(2026, 4, 5), &["10:00-12:00"]),
    // Easter is after the 20th of April in 2038, and before the 5th in 2027: then these have no days, and not a year of them.
    ("easter-Apr 20 10:00-12:00", date(2026, 4, 20), &["10:00-12:00"]),
    ("easter-Apr 20 10:00-12:00", date(2038, 4, 25), &[]),
    ("easter-Apr 20 10:00-12:00", date(2038, 7, 1), &[]),
    ("Apr 5-easter 10:00-12:00", date(2027, 7, 1), &[]),
    // A weekday beside a date is never that date: Christmas was a Sunday in 2022, and is a Friday in 2026.
    ("Dec 25 -Su 10:00-12:00", date(2022, 12, 18), &["10:00-12:00"]),
    ("Dec 25 -Su 10:00-12:00", date(2022, 12, 25), &[]),
    ("Dec 25-Su 10:00-12:00", date(2026, 12, 20), &["10:00-12:00"]),
    ("Dec 25 -Su -21 days-Dec 24 10:00-12:00", date(2026, 11, 29), &["10:00-12:00"]),
    ("Dec 25 -Su -21 days-Dec 24 10:00-12:00", date(2026, 11, 28), &[]),
    // Over the end of the year, all of it but a part of one month.
    ("Dec 31-Dec 1 10:00-12:00", date(2026, 12, 31), &["10:00-12:00"]),
    ("Dec 31-Dec 1 10:00-12:00", date(2026, 12, 1), &["10:00-12:00"]),
    ("Dec 31-Dec 1 10:00-12:00", date(2026, 12, 2), &[]),
    ("Dec 31-Dec 1 10:00-12:00", date(2026, 12, 30), &[]),
    ("Dec 31-Dec 1 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Apr 16-Apr 09 10:00-12:00", date(2026, 4, 9), &["10:00-12:00"]),
    ("Apr 16-Apr 09 10:00-12:00", date(2026, 4, 10), &[]),
    ("Apr 16-Apr 09 10:00-12:00", date(2026, 4, 15), &[]),
    ("Feb 29-Feb 28 10:00-12:00", date(2027, 2, 28), &["10:00-12:00"]),
    ("Mo - We 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("Jan - Mar 10:00-12:00", MONDAY, &[]),
    ("Oct- Nov 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("2026 - 2027 10:00-12:00", MONDAY, &["10:00-12:00"]),
    ("week 47 - 48 10:00 - 12:00", MONDAY, &["10:00-12:00"]),
    ("Nov 23 +Mo 10:00-12:00", date(2026, 11, 30), &["10:00-12:00"]),
    ("easter -Fr 10:00-12:00", date(2026, 4, 3), &["10:00-12:00"]),
];

#[test]
fn hours_are_what_the_specification_says() {
    let differs = |(hours, day, expected): &&Answer| open(hours, None, *day) != **expected;
    let answers = [TIMES, OVER_MIDNIGHT, RULES, DAYS, DATES].concat();
    let wrong: Vec<_> =
        answers.iter().filter(differs).map(|(hours, day, _)| (hours, day, open(hours, None, *day))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn holidays_are_days_of_their_country() {
    // The 6th of December is Finland's, in 2027 a Monday; Italy has the 8th.
    let (sixth, seventh) = (date(2027, 12, 6), date(2027, 12, 7));
    let cases: [(&str, Option<&str>, Date, &[&str]); 14] = [
        ("Mo-Su 08:00-20:00; PH off", Some("FI"), sixth, &[]),
        ("Mo-Su 08:00-20:00; PH off", Some("IT"), sixth, &["08:00-20:00"]),
        ("Mo-Su 08:00-20:00; PH off", None, sixth, &["08:00-20:00"]),
        ("Mo-Su 08:00-20:00; PH 10:00-12:00", Some("FI"), sixth, &["10:00-12:00"]),
        ("PH 10:00-12:00", None, sixth, &[]),
        ("PH 10:00-12:00", Some("FI"), sixth, &["10:00-12:00"]),
        ("PH +1 day 10:00-12:00", Some("FI"), seventh, &["10:00-12:00"]),
        ("PH -1 day 10:00-12:00", Some("FI"), date(2027, 12, 5), &["10:00-12:00"]),
        // With a comma either, with a blank both.
        ("Tu,PH 10:00-12:00", Some("FI"), sixth, &["10:00-12:00"]),
        ("PH,Tu 10:00-12:00", Some("FI"), seventh, &["10:00-12:00"]),
        ("PH Mo-Fr 10:00-12:00", Some("FI"), sixth, &["10:00-12:00"]),
        ("PH Mo-Fr 10:00-12:00", Some("FI"), seventh, &[]),
        ("PH Tu-Su 10:00-12:00", Some("FI"), sixth, &[]),
        // A holiday's rule takes the night that came over from the day before as well.
        ("Mo-Su 20:00-02:00; PH off", Some("FI"), sixth, &[]),
    ];
    for (hours, country, day, expected) in cases {
        assert_eq!(open(hours, country, day), expected, "{hours} on {day} in {country:?}");
    }
}

#[test]
fn new_years_day_is_a_holiday_of_all_of_britain() {
    // As gov.uk/bank-holidays has it: where it is on a weekend, on the Monday after; the second is Scotland's alone.
    let january = |year, country| {
        let days = (1..=4).filter(|&day| !open("PH 10:00-12:00", Some(country), date(year, 1, day)).is_empty());
        days.collect::<Vec<i8>>()
    };
    for (year, days) in [(2022, [3]), (2023, [2]), (2025, [1]), (2026, [1]), (2027, [1]), (2028, [3])] {
        assert_eq!(january(year, "GB"), days, "{year}");
    }
    assert_eq!(january(2027, "IT"), [1]);
    assert_eq!(open("SH 10:00-12:00", Some("GB"), date(2027, 1, 1)), [""; 0]);
}
