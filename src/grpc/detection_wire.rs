//! How sure a geofence is of its visitors, on the wire, and what that means on the ground.
//!
//! Law 8: every setting is decided upon, and all that are wrong are said at once.

use crate::{
    domain::{
        detection::{Detection, Settings},
        violation::Violations,
    },
    engine::effective::Distances,
    grpc::{
        pb,
        wire::{duration_to_wire, optional_duration},
    },
};

/// The settings; of what is not set the default.
pub fn read(wire: Option<pb::Detection>) -> Result<Detection, Violations> {
    let pb::Detection {
        enter_probability,
        confirm_probability,
        confirm_after,
        leave_margin_m,
        leave_after,
        stopped_for,
        dwell_after,
    } = wire.unwrap_or_default();
    let mut wrong = Violations::default();
    let settings = Settings {
        enter_probability,
        confirm_probability,
        confirm_after: wrong.take("confirm_after", optional_duration(confirm_after)).flatten(),
        leave_margin_m,
        leave_after: wrong.take("leave_after", optional_duration(leave_after)).flatten(),
        stopped_for: wrong.take("stopped_for", optional_duration(stopped_for)).flatten(),
        dwell_after: wrong.take("dwell_after", optional_duration(dwell_after)).flatten(),
    };
    let detection = wrong.nest("", Detection::new(settings));
    wrong.finish(detection)
}

/// What was set; none if nothing was.
pub fn write(detection: &Detection) -> Option<pb::Detection> {
    let Settings {
        enter_probability,
        confirm_probability,
        confirm_after,
        leave_margin_m,
        leave_after,
        stopped_for,
        dwell_after,
    } = detection.settings();
    let message = pb::Detection {
        enter_probability,
        confirm_probability,
        confirm_after: confirm_after.map(duration_to_wire),
        leave_margin_m,
        leave_after: leave_after.map(duration_to_wire),
        stopped_for: stopped_for.map(duration_to_wire),
        dwell_after: dwell_after.map(duration_to_wire),
    };
    (!detection.is_default()).then_some(message)
}

pub fn distances_to_wire(distances: &Distances) -> pb::EffectiveDistances {
    let Distances { accuracy_m, enter_m, confirmed_enter_m, leave_m, confirmed_leave_m } = *distances;
    pb::EffectiveDistances { accuracy_m, enter_m, confirmed_enter_m, leave_m, confirmed_leave_m }
}
