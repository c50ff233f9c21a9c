//! Explanations as a marketer reads them.

use crate::{
    cli::output::{Paint, table},
    domain::{decision::Reason, time::TimeZone},
    grpc::{pb, wire::optional_timestamp},
};

/// The time as that clock shows it, with the zone's name.
fn clock(zone: &TimeZone, wire: Option<prost_types::Timestamp>) -> String {
    let time = optional_timestamp(wire).ok().flatten();
    time.map_or_else(
        || "-".to_owned(),
        |time| format!("{} {} ({})", zone.local(time).date(), zone.clock(time), zone.name()),
    )
}

/// Whose decision it was, and when; of a brand only when.
pub fn whose(receipt: &pb::Decision, zone: &TimeZone) -> String {
    let pb::Decision { id, profile, device, decided_at, test, .. } = receipt;
    let mut rows = vec![vec!["decision".to_owned(), id.clone()]];
    for (what, name) in [("person", profile), ("device", device)] {
        if !name.is_empty() {
            rows.push(vec![what.to_owned(), name.clone()]);
        }
    }
    rows.push(vec!["time".to_owned(), clock(zone, *decided_at)]);
    if *test {
        rows.push(vec!["test".to_owned(), "a test device: no budget, no statistic".to_owned()]);
    }
    table(&rows)
}

/// Most people first.
pub fn counts(told: pb::VerdictCounts) -> String {
    let mut counts = told.counts;
    if counts.is_empty() {
        return "Nobody met it yet, or too few to tell: brands are told of days that are over, and nothing that fewer than ten \
                people met."
            .to_owned();
    }
    counts.sort_by(|a, b| b.people.cmp(&a.people).then_with(|| a.verdict.cmp(&b.verdict)));
    let row = |count: pb::VerdictCount| {
        let meaning = Reason::meaning_of(&count.verdict).unwrap_or("an offer was made");
        vec![count.people.to_string(), count.decisions.to_string(), count.verdict, meaning.to_owned()]
    };
    let titles = ["people", "times", "verdict", ""].map(str::to_owned).to_vec();
    table(&std::iter::once(titles).chain(counts.into_iter().map(row)).collect::<Vec<_>>())
}

/// Whether there would be an offer, what each gate says, and what would have to change.
pub fn explanation(paint: Paint, zone: &TimeZone, told: &pb::Explanation) -> String {
    let when = clock(zone, told.time);
    let mut lines = vec![match told.would_offer {
        true => format!("{} on {when}", paint.good("would be offered")),
        false => format!("{} on {when}", paint.bad("would not be offered")),
    }];
    if !told.variant.is_empty() {
        lines.push(format!("variant  {}", told.variant));
    }
    for pb::GateAnswer { gate, refused } in &told.gates {
        lines.push(match refused {
            None => format!("{}  {gate}", paint.good("passes ")),
            Some(pb::Refusal { code, description }) => {
                let code = if code == gate { String::new() } else { format!(" {code}:") };
                format!("{}  {gate}:{code} {description}", paint.bad("refuses"))
            }
        });
    }
    if !told.changes.is_empty() {
        lines.push(paint.title("What would have to change:"));
    }
    for pb::RequiredChange { gate, description, time } in &told.changes {
        let wait = time.map(|time| format!("; it will be so on {}", clock(zone, Some(time)))).unwrap_or_default();
        lines.push(format!("  {gate}: {description}{wait}"));
    }
    if told.next_time.is_some() {
        lines.push(format!("If all else stays as it is, first on {}", clock(zone, told.next_time)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_told_by_the_number_of_people() {
        let count = |verdict: &str, people, decisions| pb::VerdictCount { verdict: verdict.into(), people, decisions };
        let told = counts(pb::VerdictCounts { counts: vec![count("AUDIENCE", 20, 40), count("CHOSEN", 120, 130)] });
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[1].starts_with("120     130    CHOSEN") && lines[1].ends_with("an offer was made"), "{told}");
        assert!(lines[2].starts_with("20") && lines[2].ends_with("the person is not in the audience"), "{told}");
        assert!(counts(pb::VerdictCounts::default()).contains("fewer than ten"));
    }

    #[test]
    fn gates_and_changes_are_told_on_the_clock_that_is_wanted() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let refused = pb::Refusal { code: "QUIET_HOURS".into(), description: "it was 23:00".into() };
        let change = pb::RequiredChange {
            gate: "QUIET_HOURS".into(),
            description: "it must not be night".into(),
            time: at(1_800_003_600),
        };
        let told = pb::Explanation {
            time: at(1_800_000_000),
            gates: vec![
                pb::GateAnswer { gate: "STATE".into(), refused: None },
                pb::GateAnswer { gate: "QUIET_HOURS".into(), refused: Some(refused) },
            ],
            changes: vec![change],
            next_time: at(1_800_003_600),
            ..Default::default()
        };
        let rome = TimeZone::new("Europe/Rome").expect("known");
        let text = explanation(Paint::off(), &rome, &told);
        for part in [
            "would not be offered on 2027-01-15 09:00",
            "passes   STATE\n",
            "refuses  QUIET_HOURS: it was 23:00\n",
            "  QUIET_HOURS: it must not be night; it will be so on 2027-01-15 10:00",
            "first on 2027-01-15 10:00",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
}
