//! Which areas count where there are too many.
//!
//! Law: whoever covers a country with circles holds up nobody's ping, and nobody's areas keep those of another organization
//! from counting.

use std::collections::HashMap;

use super::entry::AreaView;

/// Most areas of one organization that a fix is taken to be in, or a way to lead through, beside those where the device is
/// known to be: more than any street has.
pub const MOST_AT_ONCE: usize = 1_000;

/// The smallest of these areas, at most [`MOST_AT_ONCE`] of each organization, and those that are left out.
pub fn smallest(mut views: Vec<AreaView<'_>>) -> (Vec<AreaView<'_>>, Vec<AreaView<'_>>) {
    if views.len() <= MOST_AT_ONCE {
        return (views, Vec::new());
    }
    // Sizes are no numbers to compare, but their bits are: they are never negative.
    views.sort_by_cached_key(|view| (view.size_m().to_bits(), view.mark()));
    let mut counts: HashMap<&str, usize> = HashMap::new();
    views.into_iter().partition(|view| {
        let count = counts.entry(view.owner()).or_default();
        *count += 1;
        *count <= MOST_AT_ONCE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        fixture::{catalog, geofence, metres},
        known::Known,
    };

    #[test]
    fn a_competitor_with_a_thousand_circles_does_not_shut_a_shop_out() {
        let network = crate::domain::name::OrganizationName::parse("organizations/rival").expect("sound");
        let rival = |i: usize| {
            let fence = geofence(&format!("f{i}"), 0.0, 49.0);
            let name = network.geofence(&format!("f{i}")).expect("sound");
            crate::domain::place::Geofence { name, ..fence }.into()
        };
        let ours = (0..3).map(|i| geofence(&format!("shop{i}"), 0.0, 50.0 + f64::from(i)).into());
        let catalog = catalog((0..MOST_AT_ONCE + 1).map(rival).chain(ours).collect());
        let areas = Known::of(&catalog.areas);
        assert_eq!(areas.holding(metres(0.0, 0.0)).len(), MOST_AT_ONCE + 3);
        assert!(areas.is_crowded(metres(0.0, 0.0)) && !areas.is_crowded(metres(0.0, 49.5)));
    }
}
