//! Explanations as a marketer reads them.

use super::gates;
use crate::{
    cli::{
        output::{Paint, table},
        zoned::Zoned,
    },
    domain::decision::{Reason, Verdict},
    grpc::pb,
};

/// Whose decision it was, and when; of a brand only when.
pub fn whose(receipt: &pb::Decision, zoned: &Zoned) -> String {
    let pb::Decision { id, profile, device, decided_at, test, .. } = receipt;
    let mut rows = vec![vec!["decision".to_owned(), id.clone()]];
    for (what, name) in [("person", profile), ("device", device)] {
        if !name.is_empty() {
            rows.push(vec![what.to_owned(), name.clone()]);
        }
    }
    // Brands are told no person, and the hour alone.
    let time = if profile.is_empty() { zoned.hour(*decided_at) } else { zoned.time(*decided_at) };
    rows.push(vec!["time".to_owned(), time]);
    if *test {
        rows.push(vec!["test".to_owned(), "a test device: no budget, no statistic".to_owned()]);
    }
    table(&rows)
}

/// Most people first, and what was counted.
pub fn counts(zoned: &Zoned, told: pb::VerdictCounts) -> String {
    let pb::VerdictCounts { mut counts, end_time, in_tens } = told;
    let until = end_time.map(|end| format!(" before {}", zoned.time(Some(end)))).unwrap_or_default();
    if counts.is_empty() && in_tens {
        return format!("Nobody met it{until}, or too few: brands are told no verdict that fewer than ten people met.");
    }
    if counts.is_empty() {
        return format!("Nobody met it{until}, of whom there still are receipts.");
    }
    counts.sort_by(|a, b| b.people.cmp(&a.people).then_with(|| a.verdict.cmp(&b.verdict)));
    let row = |count: pb::VerdictCount| {
        let meaning = match count.verdict.as_str() {
            Verdict::CHOSEN => "an offer was made",
            // Of a newer server this may be a code that nobody here knows.
            code => Reason::meaning_of(code).unwrap_or_default(),
        };
        vec![count.people.to_string(), count.decisions.to_string(), count.verdict, meaning.to_owned()]
    };
    let titles = ["people", "times", "verdict", ""].map(str::to_owned).to_vec();
    let table = table(&std::iter::once(titles).chain(counts.into_iter().map(row)).collect::<Vec<_>>());
    match in_tens {
        true => format!("{table}\nIn whole tens, of days of UTC that are over: only what was decided{until}."),
        false => table,
    }
}

/// Whether there would be an offer, which gates refuse, and what would have to change.
pub fn explanation(paint: Paint, zoned: &Zoned, told: &pb::Explanation, is_verbose: bool) -> String {
    let when = zoned.time(told.time);
    let mut lines = vec![match told.would_offer {
        true => format!("{} on {when}", paint.good("would be offered")),
        false => format!("{} on {when}", paint.bad("would not be offered")),
    }];
    for (what, name) in [("place", &told.place), ("variant", &told.variant)] {
        if !name.is_empty() {
            lines.push(format!("{what:<7}  {name}"));
        }
    }
    lines.extend(gates::tell(paint, zoned, &told.gates, is_verbose));
    if !told.changes.is_empty() {
        lines.push(paint.title("What would have to change:"));
    }
    for pb::RequiredChange { gate: _, description, time } in &told.changes {
        let wait = time.map(|time| format!("; it will be so on {}", zoned.time(Some(time)))).unwrap_or_default();
        lines.push(format!("  {}{wait}", zoned.words(description)));
    }
    if told.next_time.is_some() {
        lines.push(format!("If all else stays as it is, first on {}", zoned.time(told.next_time)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::TimeZone;

    fn rome() -> Zoned {
        Zoned::new(TimeZone::new("Europe/Rome").expect("known"))
    }

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn verdicts_are_told_by_the_number_of_people() {
        let count = |verdict: &str, people, decisions| pb::VerdictCount { verdict: verdict.into(), people, decisions };
        let all = pb::VerdictCounts {
            counts: vec![count("AUDIENCE", 20, 40), count("CHOSEN", 120, 130)],
            ..Default::default()
        };
        let told = counts(&rome(), all.clone());
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[1].starts_with("120     130    CHOSEN") && lines[1].ends_with("an offer was made"), "{told}");
        assert!(lines[2].starts_with("20") && lines[2].ends_with("the person is not in the audience"), "{told}");
        assert_eq!(lines.len(), 3);
        let told = counts(&rome(), pb::VerdictCounts { end_time: at(1_799_971_200), in_tens: true, ..all });
        assert!(told.contains("whole tens") && told.ends_with("2027-01-15 01:00:00 CET (Europe/Rome)."), "{told}");
    }

    #[test]
    fn nobody_counted_is_no_table() {
        let none = pb::VerdictCounts::default();
        assert!(!counts(&rome(), none.clone()).contains("ten"));
        assert!(counts(&rome(), pb::VerdictCounts { in_tens: true, ..none }).contains("fewer than ten"));
    }

    #[test]
    fn a_brand_is_told_that_the_time_is_an_hour() {
        let of_brand = pb::Decision { id: "7".into(), decided_at: at(1_800_000_000), ..Default::default() };
        assert!(whose(&of_brand, &rome()).ends_with("time      2027-01-15 between 09:00 and 10:00 Europe/Rome"));
        let whole = pb::Decision { profile: "organizations/a/apps/b/profiles/c".into(), ..of_brand };
        assert!(whose(&whole, &rome()).ends_with("time      2027-01-15 09:00:00 CET (Europe/Rome)"));
    }

    #[test]
    fn gates_and_changes_are_told_on_the_clock_that_is_wanted() {
        let refused = pb::Refusal { code: "STORE_CLOSED".into(), description: "until 2027-01-15T09:00:00Z".into() };
        let change = pb::RequiredChange {
            gate: "STORE_HOURS".into(),
            description: "the store must be open".into(),
            time: at(1_800_003_600),
        };
        let told = pb::Explanation {
            time: at(1_800_000_000),
            gates: vec![pb::GateAnswer { gate: "STORE_HOURS".into(), refused: Some(refused) }],
            changes: vec![change],
            next_time: at(1_800_003_600),
            ..Default::default()
        };
        let text = explanation(Paint::off(), &rome(), &told, false);
        for part in [
            "would not be offered on 2027-01-15 09:00",
            "until 2027-01-15 10:00:00 CET (STORE_HOURS, STORE_CLOSED)\n0 gates pass\n",
            "  the store must be open; it will be so on 2027-01-15 10:00",
            "first on 2027-01-15 10:00",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
}
