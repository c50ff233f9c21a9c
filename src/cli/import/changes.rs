//! Which places an import creates and changes, a line each.
//!
//! Law: what is not named is counted.

use crate::grpc::pb;

/// The lines.
pub fn told(report: &pb::ImportPlacesResponse) -> Vec<String> {
    let word = |done: &str| if report.applied { done.to_owned() } else { format!("would be {done}") };
    let (created, changed) = (word("created"), word("changed"));
    let more = |word: &str, all: u64, named: usize| {
        let more = all.saturating_sub(named as u64);
        (more > 0).then(|| format!("{word}: {more} more"))
    };
    let (new, other) = (&report.created_places, &report.changed_places);
    let lines = new.iter().map(|place| format!("{created}: {place}"));
    let lines = lines.chain(more(&created, report.created, new.len()));
    let lines = lines.chain(other.iter().map(|one| format!("{changed}: {}: {}", one.place, one.fields.join(", "))));
    lines.chain(more(&changed, report.changed, other.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_a_line_and_what_is_left_is_counted() {
        let changed = |place: &str, fields: &[&str]| pb::ChangedPlace {
            place: place.to_owned(),
            fields: fields.iter().map(ToString::to_string).collect(),
        };
        let report = pb::ImportPlacesResponse {
            created: 3,
            created_places: vec!["a".to_owned(), "b".to_owned()],
            changed: 1,
            changed_places: vec![changed("c", &["position", "tags"])],
            ..Default::default()
        };
        let would = ["would be created: a", "would be created: b", "would be created: 1 more"];
        assert_eq!(told(&report), [&would[..], &["would be changed: c: position, tags"]].concat());
        let applied = pb::ImportPlacesResponse { applied: true, created: 0, created_places: Vec::new(), ..report };
        assert_eq!(told(&applied), ["changed: c: position, tags"]);
    }
}
