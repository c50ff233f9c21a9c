//! Reads hours: rules, the words between them, and what they say of the times they name.
//!
//! Laws: the grammar is version 0.7 of the specification in OpenStreetMap's wiki. Beyond it only what can mean one thing is
//! taken: words in any case, hours of one digit, a `;` at the end, `–` for `-`, a blank after the comma of a list or around
//! the `-` of a range, `Mo-Fr: 08:00`, `Dec 24,25`, and a comma without a blank before another rule's days. Text of any
//! length and kind is read in one pass.

use super::{
    cursor::{Cursor, Fault},
    days::Days,
    read_dates, read_days, read_times,
    rules::{Kind, Operator, Rule, Rules},
    times::Span,
};
use crate::domain::violation::Invalid;

/// Most rules: nobody has more, and each is asked of each day.
const MAX_RULES: usize = 64;

/// What may stand where a rule begins.
const A_RULE: &str = "a date, a weekday, PH, SH, a time such as 08:00-20:00, 24/7, off, open, unknown or a \"comment\"";
const MORE_OF_A_RULE: &str = "more days such as Mo-Fr or Mo,We, a blank and times such as 08:00-20:00 or a word such as off, \
                              \"; \" and another rule, or the end";
const OF_THE_LAST_OR_ALL: &str = "has a word or a comment behind times with a blank after their comma, which may be about the \
                                  last or all (for all say them without the blank; for the last say its days again),";
const A_SEPARATOR: &str = "\"; \", \", \" or \" || \" and another rule, or the end";

/// The rules that the text says.
pub(super) fn read(text: &str) -> Result<Rules, Invalid> {
    let plain = plain(text);
    let rules = rules(&mut Cursor::new(&plain)).map_err(|fault| fault.told(&plain))?;
    if rules.len() > MAX_RULES {
        return Err(Invalid::new(format!("must be at most {MAX_RULES} rules, were {}", rules.len())));
    }
    Ok(Rules(rules))
}

/// The text with hyphens where typographers have en dashes; each character keeps its place.
fn plain(text: &str) -> String {
    let mut is_comment = false;
    let plain = |c| {
        is_comment ^= c == '"';
        if c == '–' && !is_comment { '-' } else { c }
    };
    text.chars().map(plain).collect()
}

fn rules(c: &mut Cursor<'_>) -> Result<Vec<Rule>, Fault> {
    let mut rules = vec![rule(c, Operator::Normal, true)?];
    while !c.is_at_end() {
        let before = rules.last();
        let ends_with_times = before.is_some_and(|rule| rule.is_timed || rule.is_modified);
        let Some(operator) = separator(c) else {
            return c.cannot(if ends_with_times { A_SEPARATOR } else { MORE_OF_A_RULE });
        };
        if c.is_at_end() && operator == Operator::Normal {
            break;
        }
        if operator == Operator::Additional && !ends_with_times {
            return c.wrong(c.at, "has a rule without times before a comma, which may mean several things,");
        }
        let may_begin_with_time = operator != Operator::Additional || before.is_some_and(|rule| rule.is_modified);
        rules.push(rule(c, operator, may_begin_with_time)?);
    }
    Ok(rules)
}

/// Steps over what stands between two rules.
fn separator(c: &mut Cursor<'_>) -> Option<Operator> {
    c.attempt(|c| {
        let is_apart = c.eat(" ");
        let words = [("; ", Operator::Normal), (";", Operator::Normal), (", ", Operator::Additional)];
        let operator = c.eat_one(&words).or_else(|| c.eat_one(&[("|| ", Operator::Fallback)]));
        operator.or_else(|| (!is_apart && c.eat(",") && is_at_days(c)).then_some(Operator::Additional))
    })
}

/// Whether a rule begins here with the days that it is for.
fn is_at_days(c: &Cursor<'_>) -> bool {
    read_dates::is_at_calendar(c) || c.is_at("week") || read_days::is_at_day(c)
}

/// Which part of a rule was read last: what may follow, and how, depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    /// Years, dates, weeks, or a comment before a colon.
    Wide,
    Weekdays,
    Times,
}

fn rule(c: &mut Cursor<'_>, operator: Operator, may_begin_with_time: bool) -> Result<Rule, Fault> {
    let (mut rule, mut last) = (Rule::always(operator), After::Nothing);
    if c.eat("24/7") {
        (rule.is_timed, last) = (true, After::Times);
    } else {
        last = wide(c, &mut rule, last)?;
        if let Some(week) = part(c, last, |c| c.is_at("week"))? {
            *c = week;
            (rule.days.weeks, last) = (read_days::weeks(c)?, After::Wide);
        }
        if let Some(weekday) = part(c, last, read_days::is_at_day)? {
            *c = weekday;
            (rule.days.weekdays, last) = (Some(read_days::weekdays(c)?), After::Weekdays);
        }
        if last == After::Nothing && !may_begin_with_time && read_times::is_at_time(c) {
            return c.cannot("the days of these times, or no blank before the comma");
        }
        if let Some(time) = part(c, last, read_times::is_at_time)? {
            *c = time;
            (rule.times, rule.is_timed, last) = (read_times::spans(c)?, true, After::Times);
            let mut word = *c;
            let is_told_of_some = word.eat(" ") && is_at_modifier(&word) && !word.is_at("open");
            if is_told_of_some && time.rest()[..c.at - time.at].contains(", ") {
                return c.wrong(time.at, OF_THE_LAST_OR_ALL);
            }
        }
    }
    if let Some(word) = part(c, last, is_at_modifier)? {
        *c = word;
        modifier(c, &mut rule)?;
    } else if last == After::Nothing {
        return c.cannot(A_RULE);
    }
    Ok(rule)
}

/// Years, dates, or a comment in their place.
fn wide(c: &mut Cursor<'_>, rule: &mut Rule, last: After) -> Result<After, Fault> {
    if c.is_at("\"") {
        let mut label = *c;
        let text = comment(&mut label)?;
        if label.is_at(":") && text.is_some() {
            (*c, rule.kind) = (label, Kind::Perhaps);
            return Ok(After::Wide);
        }
    } else if read_dates::is_at_calendar(c) {
        (rule.days.years, rule.days.dates) = read_dates::calendar(c)?;
        return Ok(After::Wide);
    }
    Ok(last)
}

/// Where the next part of the rule begins, if it is the one that is looked for. A colon must be followed by some part.
fn part<'a>(
    c: &Cursor<'a>,
    last: After,
    is_next: impl FnOnce(&Cursor<'a>) -> bool,
) -> Result<Option<Cursor<'a>>, Fault> {
    let mut next = *c;
    let (is_apart, has_colon) = match last {
        After::Nothing => (true, false),
        After::Wide => {
            let colon = next.eat(":");
            (next.eat(" ") || colon, colon)
        }
        After::Weekdays => (next.eat(": ") || next.eat(" "), next.at > c.at + 1),
        After::Times => (next.eat(" "), false),
    };
    if is_next(&next) {
        return if is_apart { Ok(Some(next)) } else { next.cannot("a blank before it") };
    }
    let may_still_come = read_days::is_at_day(&next)
        || read_times::is_at_time(&next)
        || next.is_at("week")
        || is_at_modifier(&next)
        || (last == After::Wide && next.is_at("\""));
    if has_colon && !may_still_come {
        return next.cannot("weekdays, times or a word such as off");
    }
    Ok(None)
}

const MODIFIERS: [(&str, Kind); 4] =
    [("off", Kind::Closed), ("closed", Kind::Closed), ("open", Kind::Open), ("unknown", Kind::Perhaps)];

fn is_at_modifier(c: &Cursor<'_>) -> bool {
    c.is_at("\"") || MODIFIERS.iter().any(|(word, _)| c.is_at(word))
}

/// What is said of the times: a word, a comment, or both. A comment alone says that they hold only perhaps.
fn modifier(c: &mut Cursor<'_>, rule: &mut Rule) -> Result<(), Fault> {
    rule.is_modified = true;
    let Some(kind) = c.eat_one(&MODIFIERS) else {
        rule.kind = Kind::Perhaps;
        return comment(c).map(drop);
    };
    // What is said of times that nobody knows stays perhaps, unless it closes.
    rule.kind = if rule.kind == Kind::Perhaps && kind == Kind::Open { Kind::Perhaps } else { kind };
    if c.is_at(" \"") {
        c.eat(" ");
        comment(c)?;
    }
    Ok(())
}

/// Text in quotes, which nobody but people read.
fn comment<'a>(c: &mut Cursor<'a>) -> Result<Option<&'a str>, Fault> {
    let start = c.at;
    if !c.eat("\"") {
        return Ok(None);
    }
    let Some(length) = c.rest().find('"') else {
        return c.wrong(start, "has a comment without its closing quote");
    };
    if length == 0 {
        return c.wrong(start, "has a comment that says nothing");
    }
    let text = &c.rest()[..length];
    c.at += length + 1;
    Ok(Some(text))
}

impl Rule {
    /// Open always: what is read next limits it.
    fn always(operator: Operator) -> Self {
        let (days, times) = (Days::default(), vec![Span::ALL_DAY]);
        Self { operator, days, times, kind: Kind::Open, is_timed: false, is_modified: false }
    }
}
