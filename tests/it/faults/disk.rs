//! A full disk: what would change something is refused with a word on when to try again, the rest goes on.
//!
//! The server runs in a mount namespace of its own with a tiny tmpfs, which needs the right to mount. Where that is not
//! given (most containers), the size of its files is limited instead: SQLite then knows only that writing failed.

use std::{fs, io::Write, path::PathBuf, process::Command};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    market::{Market, WARES},
    node::{Node, doors},
    phone::{Phone, ping},
    storm::Worker,
    tally::tally,
    till::{Body, once},
    world::{Spot, World},
};
use crate::support::harness::refusal;
use dintorni::grpc::pb;

const SEED: u64 = 0x00d1_4703;
/// Enough for a fresh database and a few changes.
const MOUNT: &str = r#"mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@""#;
/// Without the signal, which would end the process, a write beyond the limit is an error.
const LIMIT: &str = r#"trap "" XFSZ && exec "$@""#;

/// How the disk of this test is made full.
enum Disk {
    /// By a file beside the database.
    Tiny,
    /// By the limit on the size of files.
    Limited,
}

impl Disk {
    fn of_this_machine() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("unshare");
        let can = mount.args(["-rm", "sh", "-c", MOUNT]).arg(dir.path()).arg("true").output();
        if can.is_ok_and(|output| output.status.success()) { Self::Tiny } else { Self::Limited }
    }

    async fn node(&self, data: &tempfile::TempDir) -> Node {
        let dir = data.path().to_str().expect("text");
        match self {
            Self::Tiny => Node::start_under(&["unshare", "-rm", "sh", "-c", MOUNT, dir], data.path(), &[]).await,
            Self::Limited => Node::start_under(&["sh", "-c", LIMIT, "limit"], data.path(), &[]).await,
        }
    }

    /// The secret of the first operator key.
    async fn operator(&self, node: &mut Node, data: &tempfile::TempDir) -> String {
        match self {
            Self::Tiny => {
                node.process.line(&["the operator key is in this file"]).await;
                let key = fs::read_to_string(Self::within(node, data.path().join("operator.key")));
                key.expect("the file is there").trim().to_owned()
            }
            Self::Limited => node.operator().await,
        }
    }

    /// A path within the node's view of the disk.
    fn within(node: &Node, path: PathBuf) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", node.process.id, path.display()))
    }

    fn fill(&self, node: &Node, data: &tempfile::TempDir) {
        match self {
            Self::Tiny => {
                let filler = Self::within(node, data.path().join("filler"));
                let mut filler = fs::File::create(filler).expect("made");
                while filler.write_all(&[7; 512]).is_ok() {}
            }
            Self::Limited => limit(node, "0:"),
        }
    }

    fn free(&self, node: &Node, data: &tempfile::TempDir) {
        match self {
            Self::Tiny => fs::remove_file(Self::within(node, data.path().join("filler"))).expect("removed"),
            Self::Limited => limit(node, "unlimited:"),
        }
    }

    /// Refused, with a word on when to try again.
    fn must_refuse(&self, status: &Status) {
        match self {
            Self::Tiny => assert_eq!(refusal(status), (Code::ResourceExhausted, "STORE_FULL".into()), "{status}"),
            Self::Limited => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
        assert!(status.get_error_details().retry_info().is_some(), "{status:?}");
    }
}

fn limit(node: &Node, size: &str) {
    let done =
        Command::new("prlimit").arg(format!("--pid={}", node.process.id)).arg(format!("--fsize={size}")).status();
    assert!(done.expect("prlimit runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_changes_and_nothing_else() {
    let (disk, data) = (Disk::of_this_machine(), tempfile::tempdir().expect("a directory"));
    let mut node = disk.node(&data).await;
    let operator = disk.operator(&mut node, &data).await;
    let world = World::build(node.channel(), operator).await;
    let doors = doors(&[&node]);
    let mut resting = Phone::new(1, world.register(1).await, doors.clone(), SEED);
    let mut coming = Phone::new(2, world.register(2).await, doors, SEED);
    resting.visit(Spot::Plaza).await;

    disk.fill(&node, &data);
    let arrival = coming.request(Spot::Plaza);
    for _ in 0..3 {
        let refused = ping(node.channel(), &coming.registered.token, &arrival).await;
        disk.must_refuse(&refused.expect_err("refused"));
        let still = resting.request(Spot::Plaza);
        let still = ping(node.channel(), &resting.registered.token, &still).await.expect("answered");
        assert!(still.offers.is_empty(), "{still:?}");
    }

    disk.free(&node, &data);
    let answer = coming.until_answered(&arrival).await;
    assert_eq!(answer.offers.len(), super::repeated::at_the_plaza(), "what was refused had not happened");
    assert_eq!(ping(node.channel(), &coming.registered.token, &arrival).await.expect("answered"), answer);
    node.must_be_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_redemptions_and_nothing_of_them_has_happened() {
    let (disk, data) = (Disk::of_this_machine(), tempfile::tempdir().expect("a directory"));
    let mut node = disk.node(&data).await;
    let operator = disk.operator(&mut node, &data).await;
    let market = Market::open(World::found(node.channel(), operator).await, &WARES).await;
    let doors = doors(&[&node]);
    let (mut holders, mut tills) = (market.holders(1, &doors, SEED).await, market.tills(2, &doors, SEED));
    holders[0].turn().await;
    let mut coupons = market.shelf.all().into_iter().filter(|coupon| !coupon.offer.is_empty());
    let (used, next) = (coupons.next().expect("claimed"), coupons.next().expect("claimed"));
    let redemption = tills[0].sell(&used).await.expect("there is room").id;

    disk.fill(&node, &data);
    let sale = tills[1].sale(&next, None);
    let (request_id, store) = ("till-0-1".to_owned(), tills[0].store.clone());
    let reversal = Body::Reverse(pb::ReverseRedemptionRequest { request_id, store, redemption, amount: None });
    for body in [&sale, &reversal, &sale, &reversal] {
        disk.must_refuse(&once(node.channel(), &market.key, body.clone()).await.expect_err("refused"));
    }

    disk.free(&node, &data);
    let sold = tills[1].ask(sale).await.expect("the same request, and room for it");
    let reversed = tills[0].ask(reversal).await.expect("as well");
    assert_eq!((sold.offer, reversed.offer), (next.offer, used.offer), "what was refused had not happened");
    tally(&market, tills, holders).await;
    node.must_be_sound();
}
