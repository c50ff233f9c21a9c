//! A stream's hold on a profile: while it lasts, the profile stays in this node's memory.
//!
//! Law 3: what is in memory is believed by the stream that it is held for, and by nobody else: a device that comes by another
//! way may have been anywhere.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{profile_store::ProfileStore, sharing::Sharing};
use crate::domain::name::ProfileName;

/// While it lives, the profile stays in this node's memory; then what only that knew goes to the cache.
pub struct Opened {
    store: Arc<ProfileStore>,
    name: ProfileName,
    /// The profile was read for it.
    read: AtomicBool,
}

impl Opened {
    /// The profile of that name was read for a ping of the stream.
    pub fn has_read(&self, name: &ProfileName) {
        if self.name == *name {
            self.read.store(true, Relaxed);
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(copy) = self.store.open.leave(&self.name) else { return };
        let store = self.store.clone();
        // Without a runtime the process is ending, and with it what was soft.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                store.put_soft(store.with_others(copy.clone()).await).await;
                store.open.saved(&copy);
            });
        }
    }
}

impl ProfileStore {
    /// Holds the profile in memory from its first read on, until what is returned is dropped.
    pub fn open(self: &Arc<Self>, name: &ProfileName) -> Opened {
        self.open.enter(name);
        Opened { store: self.clone(), name: name.clone(), read: AtomicBool::new(false) }
    }

    /// Whether a ping must be decided on what SQL has, and the cache as well, for its device may have been elsewhere: it did
    /// not come on the stream for which the profile is in memory, or is the first that did.
    pub fn may_come_from_elsewhere(&self, name: &ProfileName, stream: Option<&Opened>) -> bool {
        let is_first = stream.is_none_or(|opened| opened.name != *name || !opened.read.load(Relaxed));
        is_first && self.sharing != Sharing::Alone && self.open.get(name).is_some()
    }
}
