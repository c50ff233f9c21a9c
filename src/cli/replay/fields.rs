//! In how many decisions each field is otherwise.
//!
//! Law 5: all that differs is told; a field that receipts did not have before is told apart, so that what is decided
//! otherwise does not drown in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{app::differences::field_of, grpc::pb};

/// Most fields that people are told of.
const MOST: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Otherwise,
    /// One more of a list.
    Added,
    NotRecorded,
    NotReplayed,
}

impl How {
    fn of(difference: &pb::Difference) -> Self {
        match (difference.recorded.is_empty(), difference.replayed.is_empty()) {
            (true, _) if difference.path.ends_with(']') => Self::Added,
            (true, _) => Self::NotRecorded,
            (_, true) => Self::NotReplayed,
            _ => Self::Otherwise,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Otherwise => "",
            Self::Added => "more than then, ",
            Self::NotRecorded => "not recorded then, ",
            Self::NotReplayed => "not there now, ",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Otherwise => "OTHERWISE",
            Self::Added => "ADDED",
            Self::NotRecorded => "NOT_RECORDED",
            Self::NotReplayed => "NOT_REPLAYED",
        }
    }
}

/// Of all decisions that differ.
#[derive(Debug, Default)]
pub struct Fields(BTreeMap<(String, How), u64>);

impl Fields {
    pub fn add(&mut self, replay: &pb::Replay) {
        let all = replay.differences.iter().map(|one| (field_of(&one.path), How::of(one)));
        for field in all.collect::<BTreeSet<_>>() {
            *self.0.entry(field).or_default() += 1;
        }
    }

    /// A line each, those of most decisions first.
    pub fn tell(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.by_count().into_iter().take(MOST).map(line).collect();
        if let Some(more @ 1..) = self.0.len().checked_sub(MOST) {
            lines.push(format!("  and {more} more"));
        }
        lines
    }

    pub fn to_json(&self) -> Value {
        let one = |(field, how, decisions): (&str, How, u64)| json!({"field": field, "how": how.code(), "decisions": decisions});
        self.by_count().into_iter().map(one).collect()
    }

    fn by_count(&self) -> Vec<(&str, How, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|((field, how), count)| (field.as_str(), *how, *count)).collect();
        all.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
        all
    }
}

fn line((field, how, count): (&str, How, u64)) -> String {
    let field = if field.is_empty() { "the whole" } else { field };
    let noun = if count == 1 { "decision" } else { "decisions" };
    format!("  {field}: {}in {count} {noun}", how.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(decisions: &[&[(&str, &str, &str)]]) -> Fields {
        let mut fields = Fields::default();
        for differences in decisions {
            let one = |&(path, recorded, replayed): &(&str, &str, &str)| pb::Difference {
                path: path.into(),
                recorded: recorded.into(),
                replayed: replayed.into(),
            };
            fields.add(&pb::Replay { differences: differences.iter().map(one).collect(), ..Default::default() });
        }
        fields
    }

    #[test]
    fn a_field_that_is_new_is_told_apart_from_what_is_decided_otherwise() {
        let new = [("considered[0].x", "", "1"), ("considered[12].x", "", "1")];
        let real = ("considered[3].verdict", "\"a\"", "\"b\"");
        let more = ("offers[1]", "", "{}");
        let found = fields(&[&new, &[new[0], real], &[new[1], ("considered[7].x", "1", "2"), ("", "1", ""), more]]);
        let wanted = [
            "  considered[].x: not recorded then, in 3 decisions",
            "  the whole: not there now, in 1 decision",
            "  considered[].verdict: in 1 decision",
            "  considered[].x: in 1 decision",
            "  offers[]: more than then, in 1 decision",
        ];
        assert_eq!(found.tell(), wanted);
        let first = json!({"field": "considered[].x", "how": "NOT_RECORDED", "decisions": 3});
        assert_eq!(found.to_json()[0], first);
    }

    #[test]
    fn ten_fields_are_told_and_the_others_counted() {
        let paths: Vec<String> = (0..13).map(|number| format!("field_{number}")).collect();
        let all: Vec<_> = paths.iter().map(|path| (path.as_str(), "1", "2")).collect();
        let told = fields(&[&all]).tell();
        assert_eq!((told.len(), &*told[10]), (11, "  and 3 more"));
        assert!(fields(&[]).tell().is_empty());
    }
}
