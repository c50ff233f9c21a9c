//! Sends rows through ImportPlaces, in messages that every server takes.

use std::sync::{Arc, Mutex, PoisonError};

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

/// Sends all rows and waits for the report. Returns the progress too, for more of the same.
pub async fn send(
    connection: &Connection,
    options: pb::ImportOptions,
    rows: Vec<Numbered>,
    progress: Progress,
) -> anyhow::Result<(pb::ImportPlacesResponse, Progress)> {
    let mut client = PlaceServiceClient::new(connection.open().await?).max_decoding_message_size(MAX_REPORT);
    let progress = Arc::new(Mutex::new(progress));
    let told = progress.clone();
    let add = move |sent| told.lock().unwrap_or_else(PoisonError::into_inner).add(sent);
    let messages = messages(options, rows, add);
    let report = client.import_places(connection.request(tokio_stream::iter(messages))?).await;
    let progress = progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((report.map_err(|status| refusal(&status))?.into_inner(), progress))
}
