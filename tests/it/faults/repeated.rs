//! The same ping many times at once: it happens once, and another body under its id never happens.

use tokio::task::JoinSet;
use tonic::{Code, Status, transport::Channel};

use super::{
    node::{Node, doors},
    phone::{Phone, ping},
    world::{CAMPAIGNS, Spot, World},
};
use crate::support::harness::refusal;
use dintorni::grpc::pb;

const SEED: u64 = 0x00d1_4702;
/// Tries at once.
const TRIES: usize = 32;

/// A phone that has not pinged yet, and the server it would ping.
pub async fn newcomer(node: &mut Node, data: &tempfile::TempDir) -> (World, Phone) {
    let operator = node.operator().await;
    assert!(data.path().join("operator.key").exists());
    let world = World::build(node.channel(), operator).await;
    let registered = world.register(1).await;
    (world, Phone::new(1, registered, doors(&[node]), SEED))
}

/// All requests at once, each on the next of the channels.
pub async fn at_once(
    phone: &Phone,
    channels: &[Channel],
    requests: Vec<pb::PingRequest>,
) -> Vec<(pb::PingRequest, Result<pb::PingResponse, Status>)> {
    let mut tries = JoinSet::new();
    for (request, channel) in requests.into_iter().zip(channels.iter().cycle().cloned()) {
        let token = phone.registered.token.clone();
        tries.spawn(async move {
            let answer = ping(channel, &token, &request).await;
            (request, answer)
        });
    }
    tries.join_all().await
}

/// All were answered, and alike; returns the one answer.
pub fn one_answer(answers: Vec<(pb::PingRequest, Result<pb::PingResponse, Status>)>) -> pb::PingResponse {
    let mut answers = answers.into_iter().map(|(_, answer)| answer.expect("answered"));
    let first = answers.next().expect("some");
    answers.for_each(|answer| assert_eq!(answer, first));
    first
}

/// Campaigns that everybody meets at the plaza, and may be offered at once.
pub fn at_the_plaza() -> usize {
    CAMPAIGNS.iter().filter(|rules| rules.spot == Spot::Plaza).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_ping_at_once_happens_once() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(data.path(), &[]).await;
    let (_, mut phone) = newcomer(&mut node, &data).await;
    let request = phone.request(Spot::Plaza);
    let answer = one_answer(at_once(&phone, &[node.channel()], vec![request.clone(); TRIES]).await);
    assert_eq!(answer.offers.len(), at_the_plaza());

    let other = pb::PingRequest { max_offers: 1, ..request.clone() };
    for (_, refused) in at_once(&phone, &[node.channel()], vec![other; TRIES]).await {
        assert_eq!(refusal(&refused.expect_err("refused")), (Code::AlreadyExists, "PING_ID_REUSED".into()));
    }
    node.crash().await;
    let again = one_answer(at_once(&phone, &[node.channel()], vec![request; TRIES]).await);
    assert_eq!(again, answer);
    node.must_be_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bodies_under_one_id_only_the_first_happens() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(data.path(), &[]).await;
    let (_, mut phone) = newcomer(&mut node, &data).await;
    let greedy = phone.request(Spot::Plaza);
    let modest = pb::PingRequest { max_offers: 1, ..greedy.clone() };
    let both = [greedy, modest].into_iter().cycle().take(TRIES).collect();
    let answers = at_once(&phone, &[node.channel()], both).await;
    let (happened, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, answer)| answer.is_ok());
    assert_eq!((happened.len(), refused.len()), (TRIES / 2, TRIES / 2));
    assert!(happened.iter().all(|(request, _)| *request == happened[0].0), "one body happens");
    for (_, refused) in refused {
        assert_eq!(refused.expect_err("refused").code(), Code::AlreadyExists);
    }
    let wanted = if happened[0].0.max_offers == 1 { 1 } else { at_the_plaza() };
    assert_eq!(one_answer(happened).offers.len(), wanted);
}
