//! How many imports are received at once, and how long one may pause.
//!
//! Law: who imports holds up no ping, and one organization alone nobody else's import. An import is held in memory until
//! its last row is there, so all of them together are bounded.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{
    domain::name::OrganizationName,
    grpc::{pb, status::Problem},
};

/// Imports at once: the largest hold some 250 MB each.
const MOST: usize = 8;
/// Of those, of one organization: the daily file, and somebody who tries another.
const MOST_OF_ONE: usize = 2;
/// Until the next message is there: files are read before they are sent, so only the network is waited for.
const MOST_PAUSE: Duration = Duration::from_secs(30);

/// The imports that are received now, by whose places they bring.
#[derive(Debug, Clone)]
pub struct Importing {
    all: Arc<Mutex<Vec<OrganizationName>>>,
    /// Cancelled when the server stops.
    closing: CancellationToken,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Import {
    of: OrganizationName,
    all: Importing,
}

impl Importing {
    pub fn new(closing: CancellationToken) -> Self {
        Self { all: Arc::default(), closing }
    }

    /// Begins an import.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if there are as many as there may be.
    pub(super) fn begin(&self, of: &OrganizationName) -> Result<Import, Status> {
        let mut all = self.all();
        let own = all.iter().filter(|other| *other == of).count();
        if own >= MOST_OF_ONE {
            return Err(Problem::Overloaded
                .says(format!("{own} imports of {of} are being received: send it when one has ended")));
        }
        if all.len() >= MOST {
            return Err(Problem::Overloaded.says(format!("the server is at its limit of {MOST} imports at once")));
        }
        all.push(of.clone());
        drop(all);
        Ok(Import { of: of.clone(), all: self.clone() })
    }

    /// The next message of an import; none if there are no more.
    ///
    /// # Errors
    /// What is wrong with it, DEADLINE_EXCEEDED if it does not come, or UNAVAILABLE because the server stops.
    pub(super) async fn next(
        &self,
        stream: &mut Streaming<pb::ImportPlacesRequest>,
    ) -> Result<Option<pb::ImportPlacesRequest>, Status> {
        let late = |_| {
            let pause = MOST_PAUSE.as_secs();
            Problem::TooSlow.says(format!("no more came for {pause} seconds, and nothing was changed; send it again"))
        };
        tokio::select! {
            message = tokio::time::timeout(MOST_PAUSE, stream.message()) => message.map_err(late)?,
            () = self.closing.cancelled() => {
                Err(Problem::Stopping.says("the server is stopping, and nothing was changed; send it again"))
            }
        }
    }

    /// Nobody panics while it is held.
    fn all(&self) -> MutexGuard<'_, Vec<OrganizationName>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let mut all = self.all.all();
        if let Some(at) = all.iter().position(|other| *other == self.of) {
            all.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_organization_leaves_room_for_others() {
        let name = |i: usize| OrganizationName::parse(&format!("organizations/o{i}")).expect("sound");
        let importing = Importing::new(CancellationToken::new());
        let begin = |i| importing.begin(&name(i));
        let own: Vec<_> = (0..MOST_OF_ONE).map(|_| begin(0).expect("room")).collect();
        assert!(begin(0).is_err());
        let others: Vec<_> = (1..=MOST - MOST_OF_ONE).map(|i| begin(i).expect("room")).collect();
        assert!(begin(99).is_err());
        drop(own);
        assert!(begin(0).is_ok());
        drop(others);
        assert!(importing.all().is_empty());
    }
}
