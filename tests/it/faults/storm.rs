//! Many clients at once, each by its own dice, while the test breaks things: phones that walk through the town, tills.

use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};

use super::{
    caller::{Caller, Random},
    node::Door,
    phone::Phone,
    process::LONGEST,
    world::{Spot, World},
};

/// Phones in a storm.
pub const PHONES: usize = 40;

/// A client of a storm.
pub trait Worker: Send + 'static {
    /// What it does again and again; each is over when it was answered.
    fn turn(&mut self) -> impl Future<Output = ()> + Send;
    fn caller(&self) -> &Caller;
}

pub struct Storm<W> {
    workers: JoinSet<W>,
    answered: watch::Receiver<usize>,
    /// Turns in all.
    pub turns: usize,
}

impl Storm<Phone> {
    /// Registers the phones and lets them go: each pings so often.
    pub async fn start(world: &World, doors: &Arc<[Door]>, seed: u64, pings_each: usize) -> Self {
        println!("seed {seed:#x}");
        let mut ready = Vec::new();
        for number in 0..PHONES {
            ready.push(Phone::new(number, world.register(number as u8).await, doors.clone(), seed));
        }
        Self::of(ready, pings_each)
    }
}

impl<W: Worker> Storm<W> {
    /// Lets them go: each has so many turns.
    pub fn of(ready: Vec<W>, turns_each: usize) -> Self {
        let (count, answered) = watch::channel(0);
        let (count, turns) = (Arc::new(count), ready.len() * turns_each);
        let mut workers = JoinSet::new();
        for worker in ready {
            workers.spawn(work(worker, turns_each, count.clone()));
        }
        Self { workers, answered, turns }
    }

    /// Moments of the storm, rising, as numbers of turns over: random ones, but none in its first or last tenth.
    pub fn moments(&self, count: usize, seed: u64) -> Vec<usize> {
        let mut random = Random(seed);
        let mut moments: Vec<usize> = (0..count).map(|_| self.turns / 10 + random.below(self.turns * 8 / 10)).collect();
        moments.sort_unstable();
        moments
    }

    /// Waits until so many turns are over, however long that takes while there are some.
    pub async fn reached(&mut self, answered: usize) {
        while *self.answered.borrow_and_update() < answered {
            let goes_on = tokio::time::timeout(LONGEST, self.answered.changed()).await;
            // The storm may be over already: then all were answered.
            if goes_on.unwrap_or_else(|_| panic!("answers stopped before {answered}")).is_err() {
                return;
            }
        }
    }

    /// Waits until so many more turns are over.
    pub async fn goes_on(&mut self, more: usize) {
        let now = *self.answered.borrow();
        self.reached((now + more).min(self.turns)).await;
    }

    /// Waits until all have had their turns.
    pub async fn over(self) -> Vec<W> {
        let workers = self.workers.join_all().await;
        let tries: u32 = workers.iter().map(|worker| worker.caller().tries).sum();
        let failures: u32 = workers.iter().map(|worker| worker.caller().failures).sum();
        println!("{} turns, {tries} tries, {failures} of them failed", self.turns);
        workers
    }
}

async fn work<W: Worker>(mut worker: W, turns: usize, count: Arc<watch::Sender<usize>>) -> W {
    for _ in 0..turns {
        worker.turn().await;
        count.send_modify(|count| *count += 1);
    }
    worker
}

impl Worker for Phone {
    async fn turn(&mut self) {
        let spot = Spot::ALL[self.caller.random.below(Spot::ALL.len())];
        self.visit(spot).await;
    }

    fn caller(&self) -> &Caller {
        &self.caller
    }
}
