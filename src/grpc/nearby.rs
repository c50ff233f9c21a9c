//! Looking around, as messages.

use std::sync::Arc;

use crate::{
    app::nearby::Around,
    domain::{
        name::OrganizationName,
        place::Store,
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        pb,
        place_wire::tags,
        resource::Wire,
        wire::{limit, position, radius},
    },
};

/// Metres looked around in if the request does not say, and at most.
const RADIUS_M: (f64, f64) = (5_000.0, 50_000.0);
/// Stores answered if the request does not say, and at most.
const LIMIT: (u32, u32) = (20, 100);

/// What the request looks for.
pub fn around(request: pb::ListNearbyStoresRequest) -> Result<Around, Violations> {
    let pb::ListNearbyStoresRequest { position: at, radius_m, limit: most, tags: words, network } = request;
    let mut wrong = Violations::default();
    let position = wrong.nest("position", position(at));
    let radius_m = wrong.take("radius_m", radius(radius_m, RADIUS_M));
    let limit = wrong.take("limit", limit(most, LIMIT));
    let tags = tags(&mut wrong, &words);
    let network = wrong.take("network", optional_network(&network));
    let around =
        (|| Some(Around { position: position?, radius_m: radius_m?, limit: limit?, tags, network: network? }))();
    wrong.finish(around)
}

fn optional_network(name: &str) -> Result<Option<OrganizationName>, Invalid> {
    if name.is_empty() { Ok(None) } else { OrganizationName::parse(name).map(Some) }
}

/// What was found, in the same order. Etags are for those who edit.
pub fn stores_to_wire(stores: Vec<(Arc<Store>, f64)>) -> pb::ListNearbyStoresResponse {
    let near = |(value, distance_m)| {
        let store = pb::Store { etag: String::new(), ..Store::write(&Entry { etag: 0, value }) };
        pb::NearbyStore { store: Some(store), distance_m }
    };
    pb::ListNearbyStoresResponse { stores: stores.into_iter().map(near).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> pb::ListNearbyStoresRequest {
        let position = Some(pb::LatLng { latitude: 60.0, longitude: 25.0 });
        pb::ListNearbyStoresRequest { position, ..Default::default() }
    }

    #[test]
    fn what_is_not_said_has_its_usual_value() {
        let around = around(sound()).expect("sound");
        assert_eq!((around.radius_m, around.limit, around.network), (5_000.0, 20, None));
    }

    #[test]
    fn each_field_is_refused_by_its_name() {
        type Spoil = fn(&mut pb::ListNearbyStoresRequest);
        let cases: [(&str, Spoil); _] = [
            ("position", |r| r.position = None),
            ("radius_m", |r| r.radius_m = -1.0),
            ("radius_m", |r| r.radius_m = f64::NAN),
            ("radius_m", |r| r.radius_m = 50_001.0),
            ("limit", |r| r.limit = 101),
            ("tags[0]", |r| r.tags = vec!["Café".into()]),
            ("network", |r| r.network = "acme".into()),
        ];
        for (field, spoil) in cases {
            let mut request = sound();
            spoil(&mut request);
            let wrong = around(request).expect_err(field);
            let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!(fields, [field]);
        }
    }
}
