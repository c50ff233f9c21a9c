//! A campaign's limits on the wire.
//!
//! Law 8: every field is decided upon; a default is the domain's and stated in the proto, never a silent zero.

use std::time::Duration;

use crate::{
    domain::{campaign::Limits, violation::Violations},
    grpc::{
        cap_wire::{caps, caps_to_wire},
        coupon_wire::{budgets, budgets_to_wire},
        pb,
        schedule_wire::{clock_to_wire, schedule, while_open_to_wire, windows_to_wire},
        wire::{duration_to_wire, optional_duration, optional_timestamp, timestamp_to_wire},
    },
};

/// Limits, with the usual ones where nothing is said; fields are those of the message.
pub fn limits(wire: pb::Limits) -> Result<Limits, Violations> {
    let pb::Limits {
        start_time,
        end_time,
        per_profile,
        cool_down,
        budgets: shared,
        show_within,
        valid_for,
        windows,
        window_clock,
        only_while_open,
        never_after_redeemed,
        also_in_quiet_hours,
    } = wire;
    let usual = Limits::default();
    let mut wrong = Violations::default();
    let mut span = |field: &str, wire, usual: Duration| {
        wrong.take(field, optional_duration(wire)).map(|span| span.unwrap_or(usual))
    };
    let cool_down = span("cool_down", cool_down, usual.cool_down);
    let show_within = span("show_within", show_within, usual.show_within);
    let valid_for = span("valid_for", valid_for, usual.valid_for);
    let starts_at = wrong.take("start_time", optional_timestamp(start_time));
    let ends_at = wrong.take("end_time", optional_timestamp(end_time));
    let schedule = wrong.nest("", schedule(&windows, window_clock, only_while_open));
    let capped = wrong.nest("per_profile", caps(per_profile)).filter(|caps| !caps.is_empty());
    // What could not be read is noted; with the usual value in its place the rest is checked as well.
    let budgets = wrong.nest("budgets", budgets(shared));
    let limits = Limits {
        starts_at: starts_at.flatten(),
        ends_at: ends_at.flatten(),
        schedule: schedule.unwrap_or_default(),
        in_quiet_hours: also_in_quiet_hours,
        per_profile: capped.unwrap_or(usual.per_profile),
        never_after_redeemed,
        cool_down: cool_down.unwrap_or(usual.cool_down),
        budgets: budgets.unwrap_or_default(),
        show_within: show_within.unwrap_or(usual.show_within),
        valid_for: valid_for.unwrap_or(usual.valid_for),
    };
    let limits = wrong.nest("", limits.check().map_err(in_wire_words));
    wrong.finish(limits)
}

/// The domain's names of two fields differ from the wire's.
fn in_wire_words(violations: Violations) -> Violations {
    let mut said = Violations::default();
    for violation in violations.iter() {
        let field = match violation.field.as_str() {
            "starts_at" => "start_time",
            "ends_at" => "end_time",
            same => same,
        };
        said.add(field, violation.description.replace("starts_at", "start_time"));
    }
    said
}

pub fn limits_to_wire(limits: &Limits) -> pb::Limits {
    let Limits {
        starts_at,
        ends_at,
        schedule,
        in_quiet_hours,
        per_profile,
        never_after_redeemed,
        cool_down,
        budgets: _,
        show_within,
        valid_for,
    } = limits;
    pb::Limits {
        start_time: starts_at.map(timestamp_to_wire),
        end_time: ends_at.map(timestamp_to_wire),
        per_profile: caps_to_wire(per_profile),
        cool_down: Some(duration_to_wire(*cool_down)),
        budgets: budgets_to_wire(limits),
        show_within: Some(duration_to_wire(*show_within)),
        valid_for: Some(duration_to_wire(*valid_for)),
        windows: windows_to_wire(schedule),
        window_clock: clock_to_wire(schedule).into(),
        only_while_open: while_open_to_wire(schedule),
        never_after_redeemed: *never_after_redeemed,
        also_in_quiet_hours: *in_quiet_hours,
    }
}
