//! TRIGGER on the wire.
//!
//! Law 8: what does not go together is said by the field that is too much.

use crate::{
    domain::{
        campaign::{MAX_TARGETS, NthVisit, On, Target, Trigger},
        name::OrganizationName,
        place::PlaceName,
        text::{EventKey, Tag},
        trigger::check_corners,
        violation::{Invalid, Violations},
    },
    grpc::{
        pb,
        place_wire::{corners, shape, shape_to_wire, tags},
        wire::{duration, duration_to_wire},
    },
};

pub fn trigger(wire: pb::Trigger) -> Result<Trigger, Violations> {
    let pb::Trigger { on: event, at: place, min_visits, every_nth_visit } = wire;
    let mut wrong = Violations::default();
    let on = match event {
        None => {
            wrong.take("", Err(Invalid::new("needs one of entered, exited, dwelt, near, heard, crossed or app_event")))
        }
        Some(wire) => wrong.nest("", on(wire)),
    };
    let at = match place {
        None if matches!(on, Some(On::AppEvent { .. })) => Some(Target::Anywhere),
        None => wrong.take("", Err(Invalid::new("needs places, tags of them, a network or an area"))),
        Some(wire) => wrong.nest("", target(wire)),
    };
    let visit = NthVisit { at_least: min_visits, every: every_nth_visit };
    wrong.finish(on.zip(at).map(|(on, at)| Trigger { on, at, visit }))?.check()
}

fn on(wire: pb::trigger::On) -> Result<On, Violations> {
    use pb::trigger::On as Wire;
    let (field, on) = match wire {
        Wire::Entered(pb::Entered {}) => ("entered", Ok(On::Entered)),
        Wire::Exited(pb::Exited {}) => ("exited", Ok(On::Exited)),
        Wire::Dwelt(pb::Dwelt { after }) => ("dwelt.after", duration(after).map(|after| On::Dwelt { after })),
        Wire::Near(pb::Near { radius_m }) => ("near.radius_m", Ok(On::Near { radius_m })),
        Wire::Heard(pb::Heard {}) => ("heard", Ok(On::Heard)),
        Wire::Crossed(pb::Crossed {}) => ("crossed", Ok(On::Crossed)),
        Wire::AppEvent(pb::AppEvent { key }) => ("app_event.key", EventKey::new(&key).map(|key| On::AppEvent { key })),
    };
    on.and_then(On::check).map_err(|invalid| Violations::one(field, invalid))
}

fn target(wire: pb::trigger::At) -> Result<Target, Violations> {
    let mut wrong = Violations::default();
    let target = match wire {
        pb::trigger::At::Places(pb::Places { places }) => {
            if !(1..=MAX_TARGETS).contains(&places.len()) {
                let said = format!("must be 1 to {MAX_TARGETS}, were {}", places.len());
                return Err(Violations::one("places.places", said));
            }
            let each = places.iter().enumerate();
            let named =
                |(i, place): (usize, &String)| wrong.take(format!("places.places[{i}]"), PlaceName::parse(place));
            Some(Target::Places(each.filter_map(named).collect()))
        }
        pb::trigger::At::Tagged(tagged) => wrong.nest("tagged", tagged_places(tagged)),
        pb::trigger::At::Network(network) => {
            wrong.take("network", OrganizationName::parse(&network)).map(Target::Network)
        }
        pb::trigger::At::Within(pb::Area { shape: outline }) => {
            // They are counted before anybody looks how they lie, which takes a while.
            let counted = check_corners(outline.as_ref().map_or(0, corners));
            wrong.nest("within.shape", counted.and_then(|()| shape(outline))).map(Target::Within)
        }
        pb::trigger::At::Anywhere(pb::Anywhere {}) => Some(Target::Anywhere),
    };
    wrong.finish(target)
}

fn tagged_places(wire: pb::TaggedPlaces) -> Result<Target, Violations> {
    let pb::TaggedPlaces { network, tags: words } = wire;
    let mut wrong = Violations::default();
    let network = wrong.take("network", OrganizationName::parse(&network));
    if words.is_empty() {
        wrong.add("tags", "must be at least 1, were 0");
    }
    let tags = tags(&mut wrong, &words);
    wrong.finish(network.map(|network| Target::Tagged { network, tags }))
}

pub fn trigger_to_wire(trigger: &Trigger) -> pb::Trigger {
    use pb::trigger::{At, On as Wire};
    let Trigger { on, at, visit: NthVisit { at_least, every } } = trigger;
    let on = match on {
        On::Entered => Wire::Entered(pb::Entered {}),
        On::Exited => Wire::Exited(pb::Exited {}),
        On::Dwelt { after } => Wire::Dwelt(pb::Dwelt { after: Some(duration_to_wire(*after)) }),
        On::Near { radius_m } => Wire::Near(pb::Near { radius_m: *radius_m }),
        On::Heard => Wire::Heard(pb::Heard {}),
        On::Crossed => Wire::Crossed(pb::Crossed {}),
        On::AppEvent { key } => Wire::AppEvent(pb::AppEvent { key: key.to_string() }),
    };
    let at = match at {
        Target::Places(places) => At::Places(pb::Places { places: places.iter().map(PlaceName::to_string).collect() }),
        Target::Tagged { network, tags } => At::Tagged(pb::TaggedPlaces {
            network: network.to_string(),
            tags: tags.iter().map(Tag::to_string).collect(),
        }),
        Target::Network(network) => At::Network(network.to_string()),
        Target::Within(shape) => At::Within(pb::Area { shape: Some(shape_to_wire(shape)) }),
        Target::Anywhere => At::Anywhere(pb::Anywhere {}),
    };
    pb::Trigger { on: Some(on), at: Some(at), min_visits: *at_least, every_nth_visit: *every }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(on: pb::trigger::On, at: Option<pb::trigger::At>) -> pb::Trigger {
        pb::Trigger { on: Some(on), at, min_visits: 0, every_nth_visit: 0 }
    }

    fn event(key: &str) -> pb::trigger::On {
        pb::trigger::On::AppEvent(pb::AppEvent { key: key.into() })
    }

    fn circle(radius_m: f64) -> Option<pb::trigger::At> {
        let center = Some(pb::LatLng { latitude: 60.0, longitude: 25.0 });
        let shape = pb::Shape { outline: Some(pb::shape::Outline::Circle(pb::Circle { center, radius_m })) };
        Some(pb::trigger::At::Within(pb::Area { shape: Some(shape) }))
    }

    fn fields(wire: pb::Trigger) -> Vec<String> {
        trigger(wire).expect_err("faulty").iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn triggers_survive_the_wire() {
        let anywhere = Some(pb::trigger::At::Anywhere(pb::Anywhere {}));
        for sound in [
            wire(event("totem_scanned"), anywhere.clone()),
            wire(pb::trigger::On::Exited(pb::Exited {}), Some(pb::trigger::At::Network("organizations/mall".into()))),
            pb::Trigger {
                min_visits: 5,
                every_nth_visit: 3,
                ..wire(pb::trigger::On::Crossed(pb::Crossed {}), circle(9_000.0))
            },
        ] {
            assert_eq!(trigger_to_wire(&trigger(sound.clone()).expect("sound")), sound);
        }
        assert_eq!(
            trigger_to_wire(&trigger(wire(event("x"), None)).expect("sound")).at,
            anywhere,
            "unset means anywhere"
        );
    }

    #[test]
    fn corners_are_counted_before_they_are_looked_at() {
        let back_and_forth: Vec<f64> = (0..1_001).flat_map(|i| [f64::from(i % 2), 60.0]).collect();
        let polygons = vec![pb::Polygon { rings: vec![pb::Ring { coordinates: back_and_forth }] }];
        let shape = pb::Shape { outline: Some(pb::shape::Outline::Polygons(pb::Polygons { polygons })) };
        let within = Some(pb::trigger::At::Within(pb::Area { shape: Some(shape) }));
        let wrong = trigger(wire(pb::trigger::On::Entered(pb::Entered {}), within)).expect_err("too many");
        let told: Vec<_> = wrong.iter().map(|fault| (fault.field.as_str(), fault.description.as_str())).collect();
        assert_eq!(told, [("within.shape.polygons", "must have at most 1000 corners, had 1001")]);
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let entered = || pb::trigger::On::Entered(pb::Entered {});
        let anywhere = || Some(pb::trigger::At::Anywhere(pb::Anywhere {}));
        assert_eq!(fields(wire(entered(), anywhere())), ["anywhere"]);
        assert_eq!(fields(wire(entered(), None)), [""]);
        assert_eq!(fields(wire(entered(), Some(pb::trigger::At::Network("mall".into())))), ["network"]);
        assert_eq!(fields(wire(event("Scan"), None)), ["app_event.key", ""]);
        assert_eq!(fields(wire(entered(), circle(1.0))), ["within.shape.circle.radius_m"]);
        assert_eq!(fields(pb::Trigger { min_visits: 2, ..wire(event("x"), anywhere()) }), ["min_visits"]);
        assert_eq!(fields(pb::Trigger { every_nth_visit: 257, ..wire(entered(), circle(100.0)) }), ["every_nth_visit"]);
    }
}
