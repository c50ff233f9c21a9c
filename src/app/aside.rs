//! Work that takes milliseconds, beside the threads that answer pings.
//!
//! Law: whoever asks much waits for its own work; no ping waits for a turn. Of those who wait there are only so many, and of
//! one organization a part of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
};

use tokio::task::JoinError;

use super::turns::Turns;
use crate::{domain::name::OrganizationName, ports::StoreError};

/// Where others are, one organization has at most one of so many places; where nobody else is, it leaves one of so many.
const SHARES: usize = 4;

/// Turns for all kinds of work: as many as leave half of the processors to pings.
pub fn turns() -> Arc<Turns> {
    let processors = available_parallelism().map_or(1, usize::from);
    Turns::new(processors.div_ceil(2))
}

/// Why it was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    #[error("the server is at its limit of {0} in progress")]
    Crowded(&'static str),
    /// A fault of ours, which the same work meets again.
    #[error("the server failed at this by a fault of its own; asking again is of no use")]
    Panicked(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    /// Of work of this kind that did not come to its end.
    pub fn broken(what: &'static str, fault: &JoinError) -> Self {
        match fault.is_panic() {
            true => Self::Panicked(what),
            false => StoreError::Unavailable(fault.to_string()).into(),
        }
    }
}

/// Turns to do work of one kind.
#[derive(Debug)]
pub struct Aside {
    /// What is done, in words: "explanations".
    what: &'static str,
    /// Who works or waits.
    most: usize,
    here: Mutex<HashMap<OrganizationName, usize>>,
    turns: Arc<Turns>,
}

/// A place among those who work or wait.
pub struct Place<'a> {
    aside: &'a Aside,
    organization: OrganizationName,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut here = self.aside.here();
        if let Some(count) = here.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                here.remove(&self.organization);
            }
        }
    }
}

impl Aside {
    /// So many who work or wait, of whom those work that have one of these turns.
    pub fn new(what: &'static str, most: usize, turns: Arc<Turns>) -> Self {
        Self { what, most, here: Mutex::default(), turns }
    }

    /// A place for someone of the organization, for all the work of one call.
    ///
    /// # Errors
    /// If all places are taken, or the organization's share of them is.
    pub fn enter(&self, organization: OrganizationName) -> Result<Place<'_>, Refused> {
        let mut here = self.here();
        let own = here.get(&organization).copied().unwrap_or_default();
        let (all, part) = (here.values().sum::<usize>(), self.most.div_ceil(SHARES));
        let share = if all > own { part } else { self.most - part };
        if all >= self.most || own >= share {
            return Err(Refused::Crowded(self.what));
        }
        here.insert(organization.clone(), own + 1);
        drop(here);
        Ok(Place { aside: self, organization })
    }

    /// Nobody panics while it is held.
    fn here(&self) -> MutexGuard<'_, HashMap<OrganizationName, usize>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Whose it is.
    pub fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    /// As [`in_turn`].
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        in_turn(&self.aside.turns, &self.organization, self.aside.what, work).await
    }
}

/// Does work of a kind, told in words, when it is the organization's turn. It goes on if the caller goes away in the midst of
/// it, and keeps its turn.
pub async fn in_turn<T: Send + 'static>(
    turns: &Arc<Turns>,
    organization: &OrganizationName,
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    let turn = turns.take(organization).await;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(|fault| Refused::broken(what, &fault))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn organization(id: &str) -> OrganizationName {
        OrganizationName::parse(&format!("organizations/{id}")).expect("sound")
    }

    #[test]
    fn one_organization_leaves_places_for_others_and_all_have_a_bound() {
        let aside = Aside::new("tests", 8, turns());
        let enter = |id: &str| aside.enter(organization(id));
        let alone: Vec<_> = (0..7).map(|_| enter("a")).collect();
        assert_eq!(alone.iter().filter(|place| place.is_ok()).count(), 6, "and two are left for others");
        drop(alone);
        let places = [enter("b"), enter("a"), enter("a"), enter("b"), enter("c"), enter("c"), enter("d")];
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(enter("a").err().map(|refused| refused.to_string()), Some(Refused::Crowded("tests").to_string()));
        let last = enter("e");
        assert!(last.is_ok() && enter("f").is_err(), "all are taken");
        drop((places, last));
        assert!(enter("a").is_ok() && aside.here().is_empty());
    }

    #[tokio::test]
    async fn work_that_panics_is_a_fault_of_ours_and_gives_its_turn_back() {
        let aside = Aside::new("tests", 8, turns());
        let free = aside.turns.free();
        let place = aside.enter(organization("a")).expect("a place");
        let broken = place.run(|| panic!("told on purpose")).await;
        assert!(matches!(broken, Err(Refused::Panicked("tests"))), "{broken:?}");
        assert_eq!(aside.turns.free(), free);
        assert_eq!(place.run(|| 7).await.expect("it goes on"), 7);
    }

    #[tokio::test]
    async fn a_turn_outlives_its_caller() {
        let aside = Arc::new(Aside::new("tests", 8, turns()));
        let (started, has_started) = channel();
        let (end, ended) = channel::<()>();
        let (other, free) = (aside.clone(), aside.turns.free());
        let caller = tokio::spawn(async move {
            let place = other.enter(organization("a"))?;
            place.run(move || started.send(()).map(|()| ended.recv())).await.map(drop)
        });
        tokio::task::spawn_blocking(move || has_started.recv()).await.expect("whole").expect("it has its turn");
        caller.abort();
        assert!(caller.await.expect_err("given up").is_cancelled());
        assert_eq!((aside.turns.free(), aside.here().len()), (free - 1, 0), "the work goes on");
        end.send(()).expect("it waits");
        let mut all = Vec::new();
        for _ in 0..free {
            all.push(aside.turns.take(&organization("a")).await);
        }
        assert_eq!(all.len(), free, "and gives its turn back");
    }
}
