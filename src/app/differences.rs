//! Where two values differ, each place by its path.
//!
//! Law 5: whatever differs is told, or counted if there is too much of it.

use serde_json::Value;

/// Most differences that are told; more are counted.
pub const MOST: usize = 100;
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

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// The first [`MOST`].
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
        if self.told.len() < MOST {
            let (recorded, replayed) = (short(recorded), short(replayed));
            self.told.push(Difference { path: path.to_owned(), recorded, replayed });
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
        let many = |value: &str| json!(vec![value; MOST + 20]);
        let found = Differences::between(&many(&"é".repeat(400)), &many("b"));
        assert_eq!((found.told.len(), found.count), (MOST, MOST as u64 + 20));
        let told = &found.told[0].recorded;
        assert!(told.len() < 310 && told.starts_with("\"é") && told.ends_with('…'), "{told}");
    }
}
