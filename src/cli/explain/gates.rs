//! Gates in words that a marketer knows; the codes beside them are the API's.

use crate::{
    cli::{output::Paint, zoned::Zoned},
    grpc::pb::{self, GateAnswer},
};

/// What a gate asks about; the code itself where this binary is older than the server.
pub fn in_words(gate: &str) -> &str {
    match gate {
        "STATE" => "whether the campaign is active",
        "TRIGGER" => "whether it fires at the place",
        "CROWD" => "whether a ping considers it among so many",
        "REACH" => "the publisher's permission",
        "DATES" => "the campaign's first and last day",
        "STORE_HOURS" => "the store's opening hours",
        "SCHEDULE" => "the campaign's own hours",
        "BUDGET" => "the campaign's budget",
        "CONSENT" => "the person's consent to marketing",
        "FRESHNESS" => "how fresh the news from the phone is",
        "POSITION" => "whether the position can be believed",
        "MUTED" => "whether the person muted the brand",
        "QUIET_HOURS" => "the app's quiet hours",
        "VISIT" => "which visit of the person it is",
        "AUDIENCE" => "the audience",
        "HOLDOUT" => "the experiment's holdout",
        "APP_CAPS" => "how often the app disturbs a person",
        "BRAND_CAPS" => "how often the brand does",
        "CAMPAIGN_CAPS" => "how often the campaign does",
        other => other,
    }
}

/// Those that refuse, and how many pass; or each of them.
pub fn tell(paint: Paint, zoned: &Zoned, gates: &[GateAnswer], is_verbose: bool) -> Vec<String> {
    let shown = gates.iter().filter(|gate| is_verbose || gate.refused.is_some());
    let mut lines: Vec<String> = shown.map(|gate| line(paint, zoned, gate)).collect();
    let passed = gates.iter().filter(|gate| gate.refused.is_none()).count();
    match passed {
        _ if is_verbose => {}
        1 => lines.push("1 gate passes".to_owned()),
        passed => lines.push(format!("{passed} gates pass")),
    }
    lines
}

fn line(paint: Paint, zoned: &Zoned, GateAnswer { gate, refused }: &GateAnswer) -> String {
    let words = in_words(gate);
    match refused {
        None => format!("{}  {words} ({gate})", paint.good("passes ")),
        Some(pb::Refusal { code, description }) => {
            let codes = if code == gate { gate.clone() } else { format!("{gate}, {code}") };
            format!("{}  {words}: {} ({codes})", paint.bad("refuses"), zoned.words(description))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gate::Gate;

    #[test]
    fn every_gate_has_words() {
        for gate in Gate::ORDER.map(Gate::name).into_iter().chain(["STATE", "TRIGGER", "HOLDOUT"]) {
            assert_ne!(in_words(gate), gate);
        }
        assert_eq!(in_words("MOON"), "MOON");
    }

    #[test]
    fn gates_that_pass_are_counted_unless_all_are_wanted() {
        let refused = pb::Refusal { code: "ENDED".into(), description: "it ended at 2027-01-15T08:00:00Z".into() };
        let gates = [
            GateAnswer { gate: "STATE".into(), refused: None },
            GateAnswer { gate: "DATES".into(), refused: Some(refused) },
            GateAnswer { gate: "MUTED".into(), refused: None },
        ];
        let ended = "refuses  the campaign's first and last day: it ended at 2027-01-15 08:00:00 UTC (DATES, ENDED)";
        let told = |is_verbose| tell(Paint::off(), &Zoned::utc(), &gates, is_verbose);
        assert_eq!(told(false), [ended, "2 gates pass"]);
        let muted = "passes   whether the person muted the brand (MUTED)";
        assert_eq!(told(true), ["passes   whether the campaign is active (STATE)", ended, muted]);
    }
}
