//! The ops server: `/livez`, `/readyz`, `/metrics`.
//!
//! `/livez` is 200 as long as the process turns and asks nothing else, so that no orchestrator
//! restarts a process for what is wrong elsewhere. `/readyz` is 200 or 503 and says what is missing.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Error, Readiness, telemetry};

/// A bound ops server.
pub struct OpsServer {
    listener: TcpListener,
    address: SocketAddr,
    readiness: Readiness,
}

impl OpsServer {
    /// Opens the listener.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub async fn bind(address: SocketAddr, readiness: Readiness) -> Result<Self, Error> {
        let failed = |source| Error::Listen { purpose: "ops", address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, readiness })
    }

    /// Where it listens, with the port that the system chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled.
    pub async fn serve(self, stop: CancellationToken) {
        let router = Router::new()
            .route("/livez", get(|| async { "live\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(measurements))
            .with_state(self.readiness);
        let serving = axum::serve(self.listener, router);
        tokio::select! {
            result = serving => {
                if let Err(error) = result {
                    tracing::error!(%error, "the ops server ended");
                }
            }
            () = stop.cancelled() => {}
        }
    }
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn measurements() -> Response {
    let text_format = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (text_format, telemetry::render_metrics()).into_response()
}
