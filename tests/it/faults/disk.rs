//! A full disk: what would change something is refused with a word on when to try again, the rest goes on.
//!
//! The server runs in a mount namespace of its own with a tiny tmpfs, which needs the right to mount. Where that is not
//! given (most containers), the size of its files is limited instead: SQLite then knows only that writing failed.

use std::{fs, io::Write, path::PathBuf, process::Command};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    node::{Node, doors},
    phone::{Phone, ping},
    world::{Spot, World},
};
use crate::support::harness::refusal;

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
    let operator = match disk {
        Disk::Tiny => {
            node.process.line(&["the operator key is in this file"]).await;
            let key = fs::read_to_string(Disk::within(&node, data.path().join("operator.key")));
            key.expect("the file is there").trim().to_owned()
        }
        Disk::Limited => node.operator().await,
    };
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
        assert!(still.offers.is_empty() && !still.degraded, "{still:?}");
    }

    disk.free(&node, &data);
    let answer = coming.until_answered(&arrival).await;
    assert_eq!(answer.offers.len(), super::repeated::at_the_plaza(), "what was refused had not happened");
    assert_eq!(ping(node.channel(), &coming.registered.token, &arrival).await.expect("answered"), answer);
    node.must_be_sound();
}
