//! Sends rows through ImportPlaces, in messages that every server takes.

use super::progress::Progress;
use crate::{
    app::imports::Row,
    cli::{connection::Connection, output::refusal},
    grpc::{
        pb::{self, place_service_client::PlaceServiceClient},
        place_import::messages,
    },
};

/// A report names at most some thousand rows.
const MAX_REPORT: usize = 16 << 20;

/// Sends all rows and waits for the report.
pub async fn send(
    connection: &Connection,
    options: pb::ImportOptions,
    rows: Vec<(u64, Row)>,
) -> anyhow::Result<pb::ImportPlacesResponse> {
    let mut client = PlaceServiceClient::new(connection.open().await?).max_decoding_message_size(MAX_REPORT);
    let mut progress = Progress::new(rows.len() as u64);
    let messages = messages(options, rows, move |sent| progress.add(sent));
    let report = client.import_places(connection.request(tokio_stream::iter(messages))?).await;
    Ok(report.map_err(|status| refusal(&status))?.into_inner())
}
