//! Somebody who moves geofences all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use dintorni::{
    domain::{name::OrganizationName, shape::Shape},
    grpc::pb::{self, place_service_client::PlaceServiceClient},
    world::{Plan, World},
};
use tonic::{Request, transport::Channel};

/// Between two edits: more a second than a network with hundreds of people at desks makes.
const PAUSE: Duration = Duration::from_millis(50);

/// Edits until it is stopped.
pub struct Edits {
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Edits {
    pub fn begin(url: &str, key: &str, geofences: u64) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (url, key, until) = (url.to_owned(), key.to_owned(), over.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(edit(&url, &key, geofences, &until))
        });
        Self { over, thread }
    }

    /// How many there were.
    pub fn stop(self) -> u64 {
        self.over.store(true, Relaxed);
        self.thread.join().expect("every edit is taken")
    }
}

async fn edit(url: &str, key: &str, geofences: u64, over: &AtomicBool) -> u64 {
    let channel = Channel::from_shared(url.to_owned()).expect("a URL").connect().await.expect("it answers");
    let mut places = PlaceServiceClient::new(channel);
    let network = OrganizationName::parse("organizations/load").expect("sound");
    let world = World::new(Plan { seed: 1, stores: 0, geofences, circles_only: false });
    let mut edits = 0;
    for number in (0..geofences).cycle() {
        if over.load(Relaxed) {
            break;
        }
        // To where another one is, and back when its turn comes again.
        let Shape::Circle(circle) = world.geofence(&network, number + edits % 2).expect("sound").shape else {
            continue;
        };
        let center = circle.center();
        let center = pb::LatLng { latitude: center.latitude(), longitude: center.longitude() };
        let circle = pb::Circle { center: Some(center), radius_m: circle.radius_m() };
        let shape = pb::Shape { outline: Some(pb::shape::Outline::Circle(circle)) };
        let geofence = pb::Geofence {
            name: network.geofence(&format!("g{number}")).expect("sound").to_string(),
            shape: Some(shape),
            ..Default::default()
        };
        let mut request = Request::new(pb::UpdateGeofenceRequest { geofence: Some(geofence), update_mask: None });
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().expect("ASCII"));
        places.update_geofence(request).await.expect("an edit");
        edits += 1;
        tokio::time::sleep(PAUSE).await;
    }
    edits
}
