//! Walking along a line: where a person is, metre by metre.
//!
//! Law: the walk is real geometry cut from OpenStreetMap; only the noise of the phone is made up, and repeatable.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::domain::geo::{METRES_PER_DEGREE, Position};

/// A stroll past shop windows, in metres a second.
const PACE: f64 = 1.2;

/// A street to walk along.
#[derive(Debug, Clone)]
pub struct Street {
    pub name: String,
    corners: Vec<Position>,
}

impl Street {
    /// Reads the LineStrings of a GeoJSON FeatureCollection.
    pub fn read_all(geojson: &str) -> Result<Vec<Self>> {
        let collection: geojson::FeatureCollection = geojson.parse::<geojson::GeoJson>()?.try_into()?;
        collection.features.into_iter().map(Self::read).collect()
    }

    fn read(feature: geojson::Feature) -> Result<Self> {
        let text = |key: &str| {
            let value = feature.property(key).and_then(|value| value.as_str());
            value.map(str::to_owned).with_context(|| format!("the walk has no {key}"))
        };
        let name = text("name")?;
        let geometry = feature.geometry.context("the walk has no line")?;
        let geojson::GeometryValue::LineString { coordinates } = geometry.value else {
            anyhow::bail!("the walk {name} is not a line")
        };
        let corners = coordinates.iter().map(|corner| Ok(Position::new(corner[1], corner[0])?));
        Ok(Self { name, corners: corners.collect::<Result<_>>()? })
    }

    /// Metres from end to end.
    pub fn length(&self) -> f64 {
        self.legs().map(|(_, _, length)| length).sum()
    }

    /// How long the walk takes.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.length() / PACE)
    }

    /// Where one is after that time; the end, once one has arrived.
    pub fn position(&self, after: Duration) -> Position {
        let mut left = after.as_secs_f64() * PACE;
        let mut last = self.corners[0];
        for (from, to, length) in self.legs() {
            if left <= length && length > 0.0 {
                return between(from, to, left / length);
            }
            left -= length;
            last = to;
        }
        last
    }

    fn legs(&self) -> impl Iterator<Item = (Position, Position, f64)> {
        self.corners.windows(2).map(|leg| (leg[0], leg[1], leg[0].distance_to(leg[1])))
    }
}

fn between(from: Position, to: Position, share: f64) -> Position {
    let mix = |a: f64, b: f64| a + (b - a) * share;
    let (latitude, longitude) = (mix(from.latitude(), to.latitude()), mix(from.longitude(), to.longitude()));
    Position::new(latitude, longitude).unwrap_or(from)
}

/// What a phone in a street makes of a position: off by a few metres, now this way, now that.
pub fn as_a_phone_sees_it(position: Position, step: u32) -> (Position, f64) {
    let turn = f64::from(step) * 2.4;
    let (error_m, accuracy_m) = (2.0 + f64::from(step % 5), 6.0 + f64::from(step % 7));
    let latitude = position.latitude() + error_m * turn.sin() / METRES_PER_DEGREE;
    let shrink = position.latitude().to_radians().cos();
    let longitude = position.longitude() + error_m * turn.cos() / (METRES_PER_DEGREE * shrink);
    (Position::new(latitude, longitude).unwrap_or(position), accuracy_m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_streets_are_walked_from_end_to_end() {
        let streets = Street::read_all(include_str!("../../../deploy/demo/walks.geojson")).expect("sound");
        assert_eq!(streets.len(), 2);
        for street in streets {
            let half = street.duration() / 2;
            assert!((600.0..900.0).contains(&street.length()), "{}", street.length());
            assert_eq!(street.position(street.duration() * 2), *street.corners.last().expect("a line"));
            let step = street.position(half).distance_to(street.position(half + Duration::from_secs(1)));
            assert!(step <= PACE + 0.01, "{step}");
        }
    }
}
