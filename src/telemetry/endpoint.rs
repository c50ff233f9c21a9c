//! `GET /metrics`, on a port of its own, so that it can be kept from the public.

use std::sync::Arc;

use axum::{
    Router, extract::State, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers Prometheus until `ended` is cancelled. Waits for no request then: one that never arrives whole would never end.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, ended: CancellationToken) {
    let router = Router::new().route("/metrics", get(text)).with_state(metrics);
    let serving = axum::serve(listener, router).into_future();
    if let Some(Err(error)) = ended.run_until_cancelled(serving).await {
        tracing::error!(%error, "metrics are no longer served");
    }
}

async fn text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
