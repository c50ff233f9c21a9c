//! Many phones at once, each walking through the town by its own dice, while the test breaks things.

use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};

use super::{
    node::Door,
    phone::{Phone, Random},
    process::LONGEST,
    world::{Spot, World},
};

/// Phones in a storm.
pub const PHONES: usize = 40;

pub struct Storm {
    phones: JoinSet<Phone>,
    answered: watch::Receiver<usize>,
    /// Pings in all.
    pub pings: usize,
}

impl Storm {
    /// Registers the phones and lets them go: each pings so often.
    pub async fn start(world: &World, doors: &Arc<[Door]>, seed: u64, pings_each: usize) -> Self {
        println!("seed {seed:#x}");
        let (count, answered) = watch::channel(0);
        let count = Arc::new(count);
        let mut ready = Vec::new();
        for number in 0..PHONES {
            ready.push(Phone::new(number, world.register(number as u8).await, doors.clone(), seed));
        }
        let mut phones = JoinSet::new();
        for phone in ready {
            phones.spawn(walk(phone, pings_each, count.clone()));
        }
        Self { phones, answered, pings: PHONES * pings_each }
    }

    /// Moments of the storm, rising, as numbers of pings answered: random ones, but none in its first or last tenth.
    pub fn moments(&self, count: usize, seed: u64) -> Vec<usize> {
        let mut random = Random(seed);
        let mut moments: Vec<usize> = (0..count).map(|_| self.pings / 10 + random.below(self.pings * 8 / 10)).collect();
        moments.sort_unstable();
        moments
    }

    /// Waits until so many pings were answered.
    pub async fn reached(&mut self, answered: usize) {
        let reached = self.answered.wait_for(|count| *count >= answered);
        let reached = tokio::time::timeout(LONGEST, reached).await;
        // The storm may be over already: then all were answered.
        reached.map(|_| ()).unwrap_or_else(|_| panic!("answers stopped before {answered}"));
    }

    /// Waits until so many more pings were answered.
    pub async fn goes_on(&mut self, more: usize) {
        let now = *self.answered.borrow();
        self.reached((now + more).min(self.pings)).await;
    }

    /// Waits until every phone has finished its walk.
    pub async fn over(self) -> Vec<Phone> {
        let phones = self.phones.join_all().await;
        let failures: u32 = phones.iter().map(|phone| phone.failures).sum();
        let degraded: u32 = phones.iter().map(|phone| phone.degraded).sum();
        println!("{} pings, {failures} tries failed, of them {degraded} answers degraded", self.pings);
        phones
    }
}

async fn walk(mut phone: Phone, pings: usize, count: Arc<watch::Sender<usize>>) -> Phone {
    for _ in 0..pings {
        let spot = Spot::ALL[phone.random.below(Spot::ALL.len())];
        phone.visit(spot).await;
        count.send_modify(|count| *count += 1);
    }
    phone
}
