//! gRPC out: a lazy channel to a peer that carries who asks and for which trace.
//!
//! **Invariant:** this layer never retries; whoever calls owns the retry.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use http::{HeaderValue, header};
use opentelemetry::trace::Status as SpanStatus;
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use tower::Service;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{Error, Secret, propagation};

/// After this a call is given up with `DEADLINE_EXCEEDED`, unless its channel says otherwise.
/// Longer than the slowest answer that is worth waiting for (a password hash under load).
pub const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// After this an unreachable peer is `UNAVAILABLE`.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// A silent connection is asked for a sign of life this often, so that a dead one is noticed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// And given this long to answer.
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(5);

/// A channel to a peer service; clone it freely, clones share the connection.
#[derive(Clone)]
pub struct ServiceChannel {
    channel: Channel,
    authorization: HeaderValue,
    peer: &'static str,
}

impl ServiceChannel {
    /// A channel to the `peer` at `url` that shows `token`. It connects when it is used, and must
    /// be made inside a Tokio runtime.
    ///
    /// # Errors
    /// If `url` is no URL, or the token can't travel in a header.
    pub fn lazy(peer: &'static str, url: &str, token: &Secret) -> Result<Self, Error> {
        Self::patient(peer, url, token, CALL_DEADLINE)
    }

    /// As [`ServiceChannel::lazy`]; a call is given up after `deadline`.
    ///
    /// # Errors
    /// As [`ServiceChannel::lazy`].
    pub fn patient(
        peer: &'static str,
        url: &str,
        token: &Secret,
        deadline: Duration,
    ) -> Result<Self, Error> {
        let unusable = |source| Error::PeerAddress { peer, url: url.to_owned(), source };
        let mut endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(unusable)?
            .timeout(deadline)
            .connect_timeout(CONNECT_DEADLINE)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_DEADLINE)
            .tcp_nodelay(true);
        if endpoint.uri().scheme_str() == Some("https") {
            let tls = ClientTlsConfig::new().with_enabled_roots();
            endpoint = endpoint.tls_config(tls).map_err(unusable)?;
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| Error::TokenNotAscii)?;
        authorization.set_sensitive(true);
        Ok(Self { channel: endpoint.connect_lazy(), authorization, peer })
    }
}

impl Service<http::Request<Body>> for ServiceChannel {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let span = tracing::info_span!(
            "call",
            otel.name = method,
            otel.kind = "client",
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.status_code = tracing::field::Empty,
            server.address = self.peer,
        );
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        propagation::inject(&span, headers);
        let answer = self.channel.call(request).instrument(span.clone());
        let peer = self.peer;
        Box::pin(async move {
            let start = Instant::now();
            let answer = answer.await;
            let code = match &answer {
                Ok(response) => {
                    Status::from_header_map(response.headers()).map_or(Code::Ok, |s| s.code())
                }
                Err(_) => Code::Unavailable,
            };
            record(&span, code);
            metrics::histogram!(
                crate::telemetry::names::CLIENT_CALL_DURATION,
                "rpc.method" => method, "rpc.status_code" => code_name(code), "peer" => peer
            )
            .record(start.elapsed().as_secs_f64());
            answer
        })
    }
}

fn record(span: &Span, code: Code) {
    span.record("rpc.status_code", code_name(code));
    if code != Code::Ok {
        span.set_status(SpanStatus::error(code_name(code)));
    }
}

/// The code's name as in the gRPC specification.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
