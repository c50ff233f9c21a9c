//! Whose turn it is to work, where there are fewer turns than organizations that want one.
//!
//! Law: organizations take turns in a circle, so whoever asks for much waits for its own work. Nobody waits while a turn is
//! free, and a turn that nobody takes any more goes to the next.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot::{Sender, channel};

use crate::domain::name::OrganizationName;

/// Turns that are handed on from one to the next.
#[derive(Debug)]
pub struct Turns {
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    free: usize,
    /// Those of an organization wait in the order in which they came; the organization at the front is next.
    waiting: VecDeque<(OrganizationName, VecDeque<Sender<Turn>>)>,
}

/// A turn; whoever drops it hands it on.
#[derive(Debug)]
pub struct Turn(Option<Arc<Turns>>);

impl Turns {
    /// So many at a time.
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { line: Mutex::new(Line { free: count, waiting: VecDeque::new() }) })
    }

    /// Waits for a turn of the organization. Whoever stops waiting takes none.
    pub async fn take(self: &Arc<Self>, organization: &OrganizationName) -> Turn {
        let (sender, told) = channel();
        if self.line().join(organization, sender) {
            return Turn(Some(self.clone()));
        }
        // The sender is dropped only with all turns, and whoever waits holds them.
        told.await.unwrap_or_else(|_| Turn(None))
    }

    /// How many nobody has.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.line().free
    }

    fn hand_on(self: Arc<Self>) {
        // Whoever gave up just now refuses it; it is emptied then, for to drop it would hand it on from within.
        loop {
            let Some(next) = self.line().leave() else { return };
            match next.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                Err(mut refused) => drop(mem::take(&mut refused.0)),
            }
        }
    }

    /// Nobody panics while it is held.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Whether a turn is free, and taken by that; else it will be told.
    fn join(&mut self, organization: &OrganizationName, told: Sender<Turn>) -> bool {
        if self.free > 0 {
            self.free -= 1;
            return true;
        }
        match self.waiting.iter_mut().find(|(waiting, _)| waiting == organization) {
            Some((_, own)) => {
                while own.front().is_some_and(Sender::is_closed) {
                    own.pop_front();
                }
                own.push_back(told);
            }
            None => self.waiting.push_back((organization.clone(), VecDeque::from([told]))),
        }
        false
    }

    /// Who is next, if somebody waits; else the turn is free.
    fn leave(&mut self) -> Option<Sender<Turn>> {
        while let Some((organization, mut own)) = self.waiting.pop_front() {
            // Those that gave up cost the others of their organization nothing.
            own.retain(|waiting| !waiting.is_closed());
            let Some(next) = own.pop_front() else { continue };
            if !own.is_empty() {
                self.waiting.push_back((organization, own));
            }
            return Some(next);
        }
        self.free += 1;
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(id: &str) -> OrganizationName {
        OrganizationName::parse(&format!("organizations/{id}")).expect("sound")
    }

    #[tokio::test]
    async fn organizations_take_turns_whoever_asks_for_how_many() {
        let turns = Turns::new(1);
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        let working = turns.take(&organization("a")).await;
        // On one thread: each waits before the next one is begun.
        for id in ["a", "gone", "gone", "a", "b", "c", "b", "b", "gone"] {
            let (turns, told) = (turns.clone(), told.clone());
            let waiting = tokio::spawn(async move {
                let turn = turns.take(&organization(if id == "gone" { "a" } else { id })).await;
                told.send(id).map(|()| drop(turn))
            });
            tokio::task::yield_now().await;
            if id == "gone" {
                waiting.abort();
            }
        }
        drop((working, told));
        let mut all = Vec::new();
        while let Some(id) = order.recv().await {
            all.push(id);
        }
        assert_eq!(all, ["a", "b", "c", "a", "b", "b"], "and those that gave up take no turn of their organization's");
        assert_eq!((turns.free(), turns.line().waiting.len()), (1, 0));
    }
}
