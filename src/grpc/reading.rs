//! Reading what may have large shapes, whose check takes up to seconds, and what else is asked of such shapes.
//!
//! Law: no ping waits for it, and one organization not for the shapes of another, but for its turn.

use std::sync::Arc;

use tonic::Status;

use crate::{
    app::{
        aside::{in_turn, turns},
        turns::Turns,
    },
    grpc::access::Access,
};

/// Bytes of a message that is read at once: a shape of so many has some 500 corners, and is checked in milliseconds.
const SMALL: usize = 8 << 10;

/// Turns to read what is large. They are not those of other work, which takes milliseconds.
#[derive(Debug, Clone)]
pub struct Reading(Arc<Turns>);

impl Default for Reading {
    fn default() -> Self {
        Self(turns())
    }
}

impl Reading {
    /// Whether so many bytes are read aside.
    pub(super) fn is_large(bytes: usize) -> bool {
        bytes > SMALL
    }

    /// Reads so many bytes, for whoever calls; what is not large at once.
    ///
    /// # Errors
    /// INTERNAL if it panics.
    pub(super) async fn of<T: Send + 'static>(
        &self,
        access: &Access,
        bytes: usize,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        if !Self::is_large(bytes) {
            return Ok(read());
        }
        self.beside(access, "places that are read", read).await
    }

    /// Does work on a shape for whoever calls, in turn; `what` is done, in words.
    ///
    /// # Errors
    /// INTERNAL if it panics.
    pub(super) async fn beside<T: Send + 'static>(
        &self,
        access: &Access,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        Ok(in_turn(&self.0, &access.key.organization(), what, work).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::domain::{name::KeyName, organization::Scope};

    #[tokio::test]
    async fn only_what_is_large_is_read_aside() {
        let key = KeyName::parse("organizations/acme/keys/k").expect("sound");
        let (access, reading) = (Access { key, scope: Scope::Network }, Reading::default());
        let here = thread::current().id();
        let read = |bytes| reading.of(&access, bytes, || thread::current().id());
        assert_eq!(read(SMALL).await.expect("read"), here);
        assert_ne!(read(SMALL + 1).await.expect("read"), here);
    }
}
