//! Two servers on one PostgreSQL and one Redis, while one or the other of them fails.

use dintorni::grpc::pb::{
    self, organization_service_client::OrganizationServiceClient, place_service_client::PlaceServiceClient,
    profile_service_client::ProfileServiceClient, proximity_service_client::ProximityServiceClient,
};
use tonic::Code;

use super::{
    outside::Outside,
    pair::Pair,
    phone::{Phone, ping},
    recount::{Copies, must_balance, must_tell_the_walk, recount},
    repeated::{at_once, at_the_plaza, one_answer},
    storm::Storm,
    world::{CAMPAIGNS, Rules, Spot, World},
};
use crate::support::{
    databases,
    harness::{PingStream, bearing, refusal},
    servers::shared_redis,
};

const SEED: u64 = 0x00d1_4704;

/// Two nodes, and the town they serve.
struct Cluster {
    pair: Pair,
    world: World,
}

impl Cluster {
    async fn of(pair: Pair) -> Self {
        let world = World::build(pair.a.channel(), pair.operator.clone()).await;
        world.is_live(CAMPAIGNS.last().expect("some"), pair.b.channel()).await;
        Self { pair, world }
    }

    async fn phone(&self, number: u8) -> Phone {
        Phone::new(number.into(), self.world.register(number).await, self.pair.doors(), SEED)
    }

    /// Counts everything after a storm.
    async fn settle(self, phones: Vec<Phone>) {
        self.settle_after(Copies::Sound, phones).await;
    }

    async fn settle_after(self, copies: Copies, phones: Vec<Phone>) {
        let phones = recount(phones, copies).await;
        must_balance(&*self.pair.sql().await, &phones).await;
        self.pair.must_be_sound();
    }
}

async fn on_shared() -> Cluster {
    Cluster::of(Pair::on_shared().await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_race_on_one_person_and_offer_once() {
    let cluster = on_shared().await;
    let channels = [cluster.pair.a.channel(), cluster.pair.b.channel()];
    let mut one = cluster.phone(1).await;
    let request = one.request(Spot::Plaza);
    let answer = one_answer(at_once(&one, &channels, vec![request; 32]).await);
    assert_eq!(answer.offers.len(), at_the_plaza());

    // Two pings of one moment, each on its own node: whichever is first makes the offers.
    for number in 2..8 {
        let mut racer = cluster.phone(number).await;
        let first = racer.request(Spot::Plaza);
        let second = pb::PingRequest { ping_id: "the-other".into(), ..first.clone() };
        let answers = at_once(&racer, &channels, vec![first, second]).await;
        let answers = answers.into_iter().map(|(_, answer)| answer.expect("answered"));
        let mut offers: Vec<usize> = answers.map(|answer| answer.offers.len()).collect();
        offers.sort_unstable();
        assert_eq!(offers, [0, at_the_plaza()]);
    }
    cluster.pair.must_be_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stream_remembers_is_not_believed_over_what_another_node_did() {
    let cluster = on_shared().await;
    let mut phone = cluster.phone(1).await;
    let token = phone.registered.token.clone();
    let mut stream =
        PingStream::open(ProximityServiceClient::new(cluster.pair.a.channel()), &token).await.expect("opened");
    let mut streamed = async |request: pb::PingRequest| stream.ping(request).await.expect("open").expect("answered");
    let named = |id: &str, request| pb::PingRequest { ping_id: id.into(), ..request };
    assert!(streamed(named("at-home1", phone.request(Spot::Home))).await.offers.is_empty());

    let arrival = named("arrives1", phone.request(Spot::Plaza));
    let there = ping(cluster.pair.b.channel(), &token, &arrival).await.expect("answered");
    assert_eq!(there.offers.len(), at_the_plaza());
    assert_eq!(streamed(arrival).await, there, "the retry on the node that remembers the home");
    let still = streamed(named("still-01", phone.request(Spot::Plaza))).await;
    assert!(still.offers.is_empty() && still.transitions.is_empty(), "{still:?}");

    // And again, with nothing between the other node's change and the next ping.
    ping(cluster.pair.b.channel(), &token, &named("at-home2", phone.request(Spot::Home))).await.expect("answered");
    let still = streamed(named("still-02", phone.request(Spot::Home))).await;
    assert!(still.offers.is_empty() && still.transitions.is_empty(), "{still:?}");
    cluster.pair.a.must_be_sound();
}

/// What the other node made it reads when it is asked for, or in this test never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_apps_and_keys_open_every_node_at_once() {
    let pair = Pair::on_shared_with(&[("catalog.poll_ms", "3600000")]).await;
    let world = World::found(pair.a.channel(), pair.operator.clone()).await;
    let mut phone = Phone::new(1, world.register(1).await, pair.doors(), SEED);
    let arrival = phone.request(Spot::Plaza);
    let there = ping(pair.b.channel(), &phone.registered.token, &arrival).await;
    assert_eq!(there.expect("the app is looked for").transitions.len(), 1);

    let key = pb::Key { display_name: "places".into(), scope: pb::key::Scope::Network.into(), ..Default::default() };
    let parent = "organizations/acme".to_owned();
    let request = pb::CreateKeyRequest { parent: parent.clone(), key_id: "places".into(), key: Some(key) };
    let mut organizations = OrganizationServiceClient::new(pair.a.channel());
    let made = organizations.create_key(bearing(&pair.operator, request)).await.expect("made").into_inner();
    let mut places = PlaceServiceClient::new(pair.b.channel());
    let request = pb::ListGeofencesRequest { parent, ..Default::default() };
    let listed = places.list_geofences(bearing(&made.secret, request.clone())).await.expect("the key is looked for");
    assert_eq!(listed.into_inner().geofences.len(), 2);
    let refused = places.list_geofences(bearing(&format!("{}x", made.secret), request)).await.expect_err("nobody's");
    assert_eq!(refusal(&refused), (Code::Unauthenticated, "CREDENTIAL_UNKNOWN".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_changes_holds_on_the_other() {
    let cluster = on_shared().await;
    let rules = Rules { id: "late", spot: Spot::Station, cap: 1, budget: None };
    cluster.world.campaign(&rules).await;
    cluster.world.is_live(&rules, cluster.pair.b.channel()).await;

    let mut gone = cluster.phone(1).await;
    let arrival = gone.request(Spot::Plaza);
    for channel in [cluster.pair.a.channel(), cluster.pair.b.channel()] {
        ping(channel, &gone.registered.token, &arrival).await.expect("answered");
    }
    let mut profiles = ProfileServiceClient::new(cluster.pair.a.channel());
    let request = bearing(&gone.registered.token, pb::DeleteProfileRequest::default());
    profiles.delete_profile(request).await.expect("erased");
    for channel in [cluster.pair.b.channel(), cluster.pair.a.channel()] {
        for request in [arrival.clone(), gone.request(Spot::Plaza), gone.request(Spot::Station)] {
            let refused = ping(channel.clone(), &gone.registered.token, &request).await.expect_err("refused");
            assert_eq!(refusal(&refused), (Code::Unauthenticated, "PROFILE_ERASED".into()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caps_and_budgets_hold_whatever_happens_to_redis() {
    let database = databases::postgres().await;
    let url = database.config.url.reveal().to_owned();
    let mut redis = Outside::redis().await;
    // So few that a storm while Redis is away is more than they can do.
    let cluster = Cluster::of(Pair::start(url, redis.port, &[("profiles.fallback_reads", "8")]).await).await;
    let mut storm = Storm::start(&cluster.world, &cluster.pair.doors(), SEED, 40).await;
    let moments = storm.moments(5, SEED);

    storm.reached(moments[0]).await;
    redis.back_up();
    storm.reached(moments[1]).await;
    redis.redis_says("FLUSHALL");
    storm.reached(moments[2]).await;
    redis.signal("STOP");
    storm.goes_on(200).await;
    redis.signal("CONT");
    storm.reached(moments[3]).await;
    redis.end("KILL").await;
    storm.goes_on(100).await;
    redis.again().await;
    storm.reached(moments[4]).await;
    redis.end("KILL").await;
    redis.restore();
    redis.again().await;
    let phones = storm.over().await;
    // Copies from before are believed for a minute, and what they do not know of is not found again under its id.
    redis.redis_says("FLUSHALL");
    cluster.settle_after(Copies::Old, phones).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restarts_and_nodes_die_and_nothing_is_lost() {
    let mut postgres = Outside::postgres().await;
    let redis = tokio::task::spawn_blocking(shared_redis).await.expect("Redis starts");
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port);
    // A busy machine is no reason to give Redis up, so that no event may be missed.
    let mut cluster = Cluster::of(Pair::start(url, redis.port, &[("redis.timeout_ms", "5000")]).await).await;
    let mut storm = Storm::start(&cluster.world, &cluster.pair.doors(), SEED + 1, 30).await;
    for (round, moment) in storm.moments(5, SEED).into_iter().enumerate() {
        storm.reached(moment).await;
        match round % 3 {
            0 | 2 => {
                postgres.end("QUIT").await;
                postgres.again().await;
            }
            _ => cluster.pair.b.crash().await,
        }
    }
    let phones = storm.over().await;
    must_tell_the_walk(&phones);
    cluster.settle(phones).await;
}
