//! Rules of opening hours, and what they come to on one date.
//!
//! Laws, from the specification: a rule for a day replaces all that earlier ones say of that day, the hours after a
//! midnight that they come over included; what closes takes away its own times alone; a rule after a comma adds, and one
//! after `||` counts where nothing else does. The evening of one day that ends on the next belongs to the first.
//! Times whose end nobody knows end where the next of their rule begin, or with the day.

use jiff::civil::Date;

use super::{days::Days, site::Site, times::Span};
use crate::domain::schedule::{DAY_MINUTES, Spans};

/// How a rule stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Normal,
    Additional,
    Fallback,
}

/// What a rule says of its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Closed,
    Open,
    /// Unknown, or open if something holds that only people can read.
    Perhaps,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) operator: Operator,
    pub(super) days: Days,
    pub(super) times: Vec<Span>,
    pub(super) kind: Kind,
    /// Whether it says times, or that there are none.
    pub(super) is_timed: bool,
    /// Whether a word or a comment ends it.
    pub(super) is_modified: bool,
}

/// In their order; at least one.
#[derive(Debug)]
pub(super) struct Rules(pub(super) Vec<Rule>);

/// What is known of each minute of a day.
type Minutes = [Kind; DAY_MINUTES as usize];

impl Rules {
    /// The minutes of the date that are open for sure.
    pub(super) fn on(&self, date: Date, site: &Site<'_>) -> Spans {
        let mut minutes = [Kind::Closed; DAY_MINUTES as usize];
        for rule in &self.0 {
            rule.apply(&mut minutes, date, site);
        }
        let (mut open, mut end) = (Vec::new(), 0);
        for run in minutes.chunk_by(|a, b| a == b) {
            let start = end;
            end += run.len() as u16;
            if run[0] == Kind::Open {
                open.push(start..end);
            }
        }
        Spans::new(open)
    }
}

impl Rule {
    fn apply(&self, minutes: &mut Minutes, date: Date, site: &Site<'_>) {
        let is_today = self.days.contain(date, site);
        if is_today && self.operator == Operator::Normal && self.kind != Kind::Closed {
            minutes.fill(Kind::Closed);
        }
        let yesterday = date.yesterday().ok().filter(|yesterday| self.days.contain(*yesterday, site));
        for span in &self.times {
            if is_today && let Some((start, end)) = self.minutes_of(span, date, site) {
                self.paint(minutes, start..end.min(DAY_MINUTES));
            }
            let night = yesterday.and_then(|yesterday| self.minutes_of(span, yesterday, site));
            if let Some((start, end)) = night.filter(|(_, end)| *end > DAY_MINUTES) {
                self.paint(minutes, start.saturating_sub(DAY_MINUTES)..end - DAY_MINUTES);
            }
        }
    }

    /// The minutes of one of its times on a day that has them.
    fn minutes_of(&self, span: &Span, date: Date, site: &Site<'_>) -> Option<(u16, u16)> {
        let (start, end) = span.on(date, site)?;
        if span.to.is_some() {
            return Some((start, end));
        }
        let others = self.times.iter().filter_map(|other| other.on(date, site));
        let next = others.map(|(next, _)| next).filter(|&next| next > start).min();
        Some((start, next.map_or(end, |next| next.min(end))))
    }

    fn paint(&self, minutes: &mut Minutes, range: std::ops::Range<u16>) {
        let border = |minute: u16| usize::from(minute.min(DAY_MINUTES));
        let part = &mut minutes[border(range.start)..border(range.end.max(range.start))];
        match self.operator {
            Operator::Normal | Operator::Additional => part.fill(self.kind),
            Operator::Fallback => {
                part.iter_mut().filter(|kind| **kind == Kind::Closed).for_each(|kind| *kind = self.kind)
            }
        }
    }
}
