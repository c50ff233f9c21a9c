//! Sends rows through ImportPlaces, in messages that every server takes.

use tonic::{Request, Status};

use super::{connection::Connection, progress::Progress};
use crate::{
    app::imports::Row,
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
    let authorization = connection.authorization()?;
    let mut client = PlaceServiceClient::new(connection.open().await?).max_decoding_message_size(MAX_REPORT);
    let mut progress = Progress::new(rows.len() as u64);
    let messages = messages(options, rows, move |sent| progress.add(sent));
    let mut request = Request::new(tokio_stream::iter(messages));
    request.metadata_mut().insert("authorization", authorization);
    match client.import_places(request).await {
        Ok(report) => Ok(report.into_inner()),
        Err(status) => Err(anyhow::anyhow!(in_words(&status))),
    }
}

fn in_words(status: &Status) -> String {
    format!("the server refused ({:?}): {}", status.code(), status.message())
}
