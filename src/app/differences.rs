//! Where two values differ, each place by its path.
//!
//! Law 5: whatever differs is told, or counted if there is too much of it. What is the same of many things is told of a few
//! of them, so that there is room for all else.

use serde_json::Value;

/// Most differences that are told; more are counted.
pub const MOST: usize = 100;
/// Most of them that are alike: of one field of the things in a list.
pub const MOST_ALIKE: usize = 10;
/// Most bytes that are told of a value.
const MOST_OF_VALUE: usize = 300;

/// One place where the two differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `considered[3].verdict`; empty for the whole.
    pub path: String,
    /// As JSON, or the beginning of it; empty if there is nothing.
    pub recorded: String,
    pub replayed: String,
}

impl Difference {
    /// The same field differs in the same way, if it be in another thing of a list.
    fn is_like(&self, other: &Self) -> bool {
        let way = |one: &Self| (one.recorded.is_empty(), one.replayed.is_empty());
        way(self) == way(other) && field_of(&self.path) == field_of(&other.path)
    }
}

/// `considered[].verdict` of `considered[3].verdict`.
pub fn field_of(path: &str) -> String {
    let mut parts = path.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |field, part| field + "[" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// The first [`MOST`], and of those that are alike the first [`MOST_ALIKE`].
    pub told: Vec<Difference>,
    pub count: u64,
}

impl Differences {
    pub fn between(recorded: &Value, replayed: &Value) -> Self {
        let mut found = Self::default();
        found.compare("", Some(recorded), Some(replayed));
        found
    }

    fn compare(&mut self, path: &str, recorded: Option<&Value>, replayed: Option<&Value>) {
        match (recorded, replayed) {
            (recorded, replayed) if recorded == replayed => {}
            (Some(Value::Array(recorded)), Some(Value::Array(replayed))) => {
                for at in 0..recorded.len().max(replayed.len()) {
                    self.compare(&format!("{path}[{at}]"), recorded.get(at), replayed.get(at));
                }
            }
            // Without a field in common they are two variants, and told as such.
            (Some(Value::Object(recorded)), Some(Value::Object(replayed)))
                if recorded.keys().any(|field| replayed.contains_key(field)) =>
            {
                let added = replayed.keys().filter(|field| !recorded.contains_key(*field));
                for field in recorded.keys().chain(added) {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.compare(&format!("{path}{dot}{field}"), recorded.get(field), replayed.get(field));
                }
            }
            (recorded, replayed) => self.note(path, recorded, replayed),
        }
    }

    fn note(&mut self, path: &str, recorded: Option<&Value>, replayed: Option<&Value>) {
        self.count += 1;
        if self.told.len() == MOST {
            return;
        }
        let found = Difference { path: path.to_owned(), recorded: short(recorded), replayed: short(replayed) };
        if self.told.iter().filter(|told| told.is_like(&found)).count() < MOST_ALIKE {
            self.told.push(found);
        }
    }
}

fn short(value: Option<&Value>) -> String {
    let text = value.map(ToString::to_string).unwrap_or_default();
    if text.len() <= MOST_OF_VALUE {
        return text;
    }
    format!("{}…", &text[..text.floor_char_boundary(MOST_OF_VALUE)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(recorded: &Value, replayed: &Value) -> Vec<String> {
        Differences::between(recorded, replayed).told.into_iter().map(|one| one.path).collect()
    }

    #[test]
    fn each_place_is_told_by_its_path() {
        let recorded = json!({"next": {"radius": 0.1}, "list": [1, {"verdict": {"chosen": "7"}}], "gone": null});
        let replayed = json!({"next": {"radius": 0.2}, "list": [1, {"verdict": {"refused": "muted"}}, 3], "new": true});
        let found = Differences::between(&recorded, &replayed);
        let told = |path: &str, recorded: &str, replayed: &str| {
            let [path, recorded, replayed] = [path, recorded, replayed].map(str::to_owned);
            Difference { path, recorded, replayed }
        };
        assert_eq!(
            found.told,
            [
                told("gone", "null", ""),
                told("list[1].verdict", r#"{"chosen":"7"}"#, r#"{"refused":"muted"}"#),
                told("list[2]", "", "3"),
                told("next.radius", "0.1", "0.2"),
                told("new", "", "true"),
            ]
        );
        assert_eq!(found.count, 5);
        assert_eq!(Differences::between(&recorded, &recorded), Differences::default());
    }

    #[test]
    fn order_counts() {
        assert_eq!(paths(&json!({"offers": [1, 2]}), &json!({"offers": [2, 1]})), ["offers[0]", "offers[1]"]);
        assert_eq!(paths(&json!(1), &json!([1])), [""]);
    }

    #[test]
    fn too_many_are_counted_and_long_values_are_cut() {
        let many = |value: &str| -> Value {
            (0..MOST + 20).map(|number| (format!("field_{number:03}"), json!(value))).collect()
        };
        let found = Differences::between(&many(&"é".repeat(400)), &many("b"));
        assert_eq!((found.told.len(), found.count), (MOST, MOST as u64 + 20));
        let told = &found.told[0].recorded;
        assert!(told.len() < 310 && told.starts_with("\"é") && told.ends_with('…'), "{told}");
    }

    #[test]
    fn a_field_that_all_things_have_anew_leaves_room_for_others() {
        let many = |thing: Value, last: u8| json!({"considered": vec![thing; 500], "next": last});
        let found =
            Differences::between(&many(json!({"a": 1, "b": 1}), 1), &many(json!({"a": 1, "b": 2, "new": 3}), 2));
        let of = |path: &str| found.told.iter().filter(|one| field_of(&one.path) == path).count();
        assert_eq!([of("considered[].b"), of("considered[].new"), of("next")], [MOST_ALIKE, MOST_ALIKE, 1]);
        assert_eq!(found.count, 1_001);
    }
}
