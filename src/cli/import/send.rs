//! Sends rows through ImportPlaces, in messages that every server takes.
//!
//! Law: of an import that failed, "nothing was changed" is said only if that is sure.

use std::sync::{Arc, Mutex, PoisonError};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::progress::Progress;
use crate::{
    app::imports::Numbered,
    cli::{connection::Connection, output::refusal},
    grpc::{
        pb::{self, place_service_client::PlaceServiceClient},
        place_import::messages,
    },
};

/// A report names at most some thousand rows.
const MAX_REPORT: usize = 16 << 20;

/// An import that failed.
#[derive(Debug)]
pub struct Broken {
    pub why: anyhow::Error,
    /// Whether parts of it may have been applied.
    pub in_parts: bool,
}

impl From<anyhow::Error> for Broken {
    /// Before anything was sent.
    fn from(why: anyhow::Error) -> Self {
        Self { why, in_parts: false }
    }
}

/// Sends all rows and waits for the report. Returns the progress too, for more of the same.
pub async fn send(
    connection: &Connection,
    options: pb::ImportOptions,
    rows: Vec<Numbered>,
    progress: Progress,
) -> Result<(pb::ImportPlacesResponse, Progress), Broken> {
    let mut client = PlaceServiceClient::new(connection.open().await?).max_decoding_message_size(MAX_REPORT);
    let (dry_run, mut left) = (options.dry_run, rows.len() as u64);
    let sending = Arc::new(Mutex::new((progress, left == 0)));
    let told = sending.clone();
    let add = move |sent| {
        let (progress, all) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
        progress.add(sent);
        left = left.saturating_sub(sent);
        *all = left == 0;
        if *all {
            progress.wait();
        }
    };
    let messages = messages(options, rows, add);
    let report = client.import_places(connection.request(tokio_stream::iter(messages))?).await;
    let (progress, all) = sending.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match report {
        Ok(report) => Ok((report.into_inner(), progress)),
        // Without the end, which comes behind the last row, the server applies nothing.
        Err(status) => Err(Broken { why: refusal(&status), in_parts: all && !dry_run && may_be_applied(&status) }),
    }
}

/// Whether a server may say so of an import after a part of it was applied.
fn may_be_applied(status: &Status) -> bool {
    match status.code() {
        Code::InvalidArgument
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::NotFound
        | Code::Unimplemented => false,
        // Too many imports at once, or no room for the next part.
        Code::ResourceExhausted => {
            status.get_error_details().error_info().is_none_or(|told| told.reason != "OVERLOADED")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::violation::Violations, grpc::status::Problem, ports::StoreError};

    #[test]
    fn only_what_comes_before_the_first_part_says_that_nothing_was_changed() {
        let nothing = [
            Problem::CredentialUnknown.says(""),
            Problem::ScopeTooNarrow.says(""),
            Problem::NotFound.says(""),
            Problem::Overloaded.says(""),
            Violations::one("options.sync.source", "is wrong").into(),
        ];
        assert!(!nothing.iter().any(may_be_applied), "{nothing:?}");
        let away = || "away".to_owned();
        let parts = [
            Problem::EtagMismatch.says(""),
            Problem::TooSlow.says(""),
            StoreError::Unavailable(away()).into(),
            StoreError::Full(away()).into(),
            Status::unknown("the line broke"),
        ];
        assert!(parts.iter().all(may_be_applied), "{parts:?}");
    }
}
