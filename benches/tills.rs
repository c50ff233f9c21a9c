//! What a redemption costs: 64 tills at once on the embedded record, beside a loop that writes the same rows into a copy of
//! the same file, 64 redemptions a transaction, with the same pragmas. Then what the disk can do: syncs a second.
//!
//! Run with `cargo bench --bench tills`; an argument is the number of redemptions of one turn (4,096).

#![expect(clippy::disallowed_methods, reason = "benches measure; nothing is decided by it")]

#[path = "tills/bare.rs"]
mod bare;
#[path = "tills/shop.rs"]
mod shop;
mod support;

use std::{
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use shop::Shop;
use support::median;

const TILLS: usize = 64;
const TURNS: usize = 5;
const REDEMPTIONS: usize = 4_096;
/// Rows that one redemption writes: the till's request, the profile, the offer, the redemption, and its two holds. The
/// accounts stay as they are: it costs what its claim held.
const ROWS: usize = 6;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let redemptions = args.next().map_or(REDEMPTIONS, |number| number.parse().expect("a number"));
    let data = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut ours, mut theirs, mut a_commit) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let (file, copy) = (data.path().join(format!("{turn}.db")), data.path().join(format!("{turn}-bare.db")));
        let codes = runtime.block_on(shop::prepare(&file, redemptions));
        std::fs::copy(&file, &copy).expect("copied");
        let (seconds, commits) = runtime.block_on(redeem(&file, codes));
        ours.push(seconds);
        a_commit.push(redemptions as f64 / commits as f64);
        theirs.push(runtime.block_on(bare::write(&copy, redemptions)));
    }
    let (ours, theirs) = (median(ours) / redemptions as f64, median(theirs) / redemptions as f64);
    let rate = |seconds: f64| format!("{:.0} redemptions a second, {:.0} rows", 1.0 / seconds, ROWS as f64 / seconds);
    println!("{TILLS} tills: {}; {:.1} redemptions a commit", rate(ours), median(a_commit));
    println!("bare loop: {}; ours are {:.2} of them", rate(theirs), theirs / ours);
    println!("the disk: {:.0} syncs a second", syncs(data.path()));
}

/// All codes by so many tills at once; the seconds, and how many transactions there were.
async fn redeem(file: &Path, codes: Vec<String>) -> (f64, u64) {
    let shop = Arc::new(Shop::open(file, codes.len()).await);
    let (codes, next) = (Arc::new(codes), Arc::new(AtomicUsize::new(0)));
    let before = shop.transactions();
    let begun = Instant::now();
    let tills: Vec<_> = (0..TILLS)
        .map(|till| {
            let (shop, codes, next) = (shop.clone(), codes.clone(), next.clone());
            tokio::spawn(async move {
                while let Some(code) = codes.get(next.fetch_add(1, Relaxed)) {
                    shop.redeem(till, code).await;
                }
            })
        })
        .collect();
    for till in tills {
        till.await.expect("every redemption is done");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let commits = shop.transactions() - before;
    shop.close().await;
    (seconds, commits)
}

/// How often a second the disk makes one page durable.
fn syncs(directory: &Path) -> f64 {
    const SYNCS: u32 = 500;
    let mut file = std::fs::File::create(directory.join("syncs")).expect("a file");
    let begun = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[0; 4_096]).expect("written");
        file.sync_data().expect("synced");
    }
    f64::from(SYNCS) / begun.elapsed().as_secs_f64()
}
