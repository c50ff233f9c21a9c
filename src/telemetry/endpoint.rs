//! `GET /metrics`, on a port of its own, so that it can be kept from the public.

use std::sync::Arc;

use axum::{
    Router, extract::State, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers Prometheus until `ended` is cancelled.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, ended: CancellationToken) {
    let router = Router::new().route("/metrics", get(text)).with_state(metrics);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await {
        tracing::error!(%error, "metrics are no longer served");
    }
}

async fn text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
