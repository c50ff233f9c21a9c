//! An answer as people read it.

use super::device::Caller;
use crate::{
    cli::{output::Paint, zoned::Zoned},
    grpc::{
        pb::{self, transition::Kind},
        wire::{money, optional_duration},
    },
};

/// Offers, transitions, notes, and when to ask again.
pub fn tell(paint: Paint, zoned: &Zoned, caller: &Caller, answer: &pb::PingResponse) -> String {
    let mut lines = Vec::new();
    if let Some(device) = &caller.device {
        lines.push(format!("device     {device}"));
    }
    match answer.offers.len() {
        0 => lines.push("offers     none".to_owned()),
        _ => answer.offers.iter().for_each(|found| offer(paint, zoned, found, &mut lines)),
    }
    if answer.transitions.is_empty() {
        lines.push("happened   nothing: the device is where it was, inside or outside".to_owned());
    }
    lines.extend(answer.transitions.iter().map(|change| format!("happened   {}", transition(zoned, change))));
    lines.extend(answer.notes.iter().map(|code| format!("note       {code}: {}", note(code))));
    if let Some(next) = &answer.next {
        lines.push(format!("next ping  {}", when(zoned, next)));
    }
    if !answer.decision.is_empty() {
        lines.push(format!("decision   {}", answer.decision));
    }
    lines.join("\n")
}

/// When the phone should ask again.
fn when(zoned: &Zoned, next: &pb::Next) -> String {
    let (radius, at) = (next.safe_radius_m, zoned.time(next.at));
    match radius {
        ..0.5 => format!("with the next fix, or at {at}: the next fix may change something, wherever it is"),
        _ => format!("after {radius:.0} m, or at {at}; nothing can change before"),
    }
}

fn offer(paint: Paint, zoned: &Zoned, offer: &pb::Offer, lines: &mut Vec<String>) {
    lines.push(format!("offer      {}", paint.title(&offer.title)));
    lines.extend(offer.body.lines().map(|line| format!("           {line}").trim_end().to_owned()));
    let mut add = |what: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("  {what:<9}{text}"));
        }
    };
    if let Ok(Some(price)) = money(offer.price.clone()) {
        add("price", &price.to_string());
    }
    add("why", &offer.reason);
    let distance = offer.distance_m.map(|metres| format!(", {metres:.0} m away")).unwrap_or_default();
    match &offer.store {
        Some(store) if store.address.is_empty() => add("where", &format!("{}{distance}", store.display_name)),
        Some(store) => add("where", &format!("{}, {}{distance}", store.display_name, store.address)),
        None => add("where", &format!("{}{distance}", offer.place)),
    }
    add("link", &offer.link);
    add("show by", &format!("{}, good until {}", zoned.time(offer.show_by), zoned.time(offer.valid_until)));
    if offer.trial {
        add("trial", "of a test device: no code, and worth nothing at a till");
    }
    add("campaign", &offer.campaign);
    add("id", &offer.id);
}

/// What happened where, and when.
pub fn transition(zoned: &Zoned, transition: &pb::Transition) -> String {
    let span = optional_duration(transition.duration).ok().flatten().map(|span| span.as_secs());
    let what = match (transition.kind(), span) {
        (Kind::Entered, _) => "entered".to_owned(),
        (Kind::Dwelt, Some(seconds)) => format!("stayed {seconds} s in"),
        (Kind::Dwelt, None) => "stayed in".to_owned(),
        (Kind::Exited, Some(seconds)) => format!("left, after {seconds} s,"),
        (Kind::Exited, None) => "left".to_owned(),
        (Kind::Crossed, _) => "passed through".to_owned(),
        (Kind::Heard, _) => "heard".to_owned(),
        (Kind::Unspecified, _) => "did something unknown to this binary at".to_owned(),
    };
    let radius = transition.radius_m.map(|metres| format!("the {metres} m around ")).unwrap_or_default();
    let stale = if transition.stale { " (learnt too late to fire a campaign)" } else { "" };
    format!("{what} {radius}{} at {}{stale}", transition.place, zoned.time(transition.at))
}

/// What a note's code means.
pub fn note(code: &str) -> &'static str {
    match code {
        "NO_LOCATION_CONSENT" => "the person did not agree to location: nothing was matched, and nothing is kept",
        "CONTEXT_ONLY" => "the person did not agree to profiling: only the place and the moment counted",
        "OUT_OF_ORDER" => "some readings were older than what is known already, or than the consent",
        "INACCURATE" => "the position was worse than 1,000 m, which moves nobody",
        "MOCKED" => "the phone says that a tool set this position",
        "IMPLAUSIBLE" => {
            "nobody can have travelled there since the fix before; it is believed once another fix there comes 20 s \
             later or more"
        }
        "UNKNOWN_BEACONS" => "some of the beacons are registered by nobody",
        "TOO_MANY_BEACONS" => "more beacons are heard than anybody comes by, and some were forgotten",
        "TOO_MANY_CAMPAIGNS" => {
            "an organization has more than 500 campaigns here, and those it wants least were left out"
        }
        _ => "unknown to this binary, which is older than the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Note;

    #[test]
    fn no_radius_promises_nothing() {
        let next = |safe_radius_m| when(&Zoned::utc(), &pb::Next { safe_radius_m, at: None });
        assert!(next(0.0).starts_with("with the next fix") && next(12.0).ends_with("nothing can change before"));
    }

    #[test]
    fn every_note_has_its_words() {
        let notes = [
            Note::NoLocationConsent,
            Note::ContextOnly,
            Note::OutOfOrder { readings: 1 },
            Note::Inaccurate,
            Note::Mocked,
            Note::Implausible { fixes: 1 },
            Note::UnknownBeacons { sightings: 1 },
            Note::TooManyBeacons { sightings: 1 },
            Note::TooManyCampaigns { campaigns: 1 },
        ];
        for code in notes.map(Note::code) {
            assert_ne!(note(code), note("?"), "{code}");
        }
    }
}
