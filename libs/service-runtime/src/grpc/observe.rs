//! A span and a duration for each call that came past the bearer checks.
//!
//! **Invariant:** nothing here is reached without a token, so method names in labels are those of
//! our own callers. Health and reflection are neither traced nor measured.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use futures_util::future::{BoxFuture, Either};
use opentelemetry::trace::Status as SpanStatus;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::authorization::is_free;
use crate::{channel::code_name, propagation, telemetry::names};

#[derive(Clone, Copy)]
pub(super) struct ObserveLayer;

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe { inner }
    }
}

#[derive(Clone)]
pub(super) struct Observe<S> {
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Observe<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        if is_free(path) {
            return Either::Left(self.inner.call(request));
        }
        let method = path.trim_start_matches('/').to_owned();
        let span = tracing::info_span!(
            "serve",
            otel.name = method,
            otel.kind = "server",
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.status_code = tracing::field::Empty,
        );
        propagation::adopt(&span, request.headers());
        let start = Instant::now();
        let answer = span.in_scope(|| self.inner.call(request)).instrument(span.clone());
        Either::Right(Box::pin(async move {
            let answer = answer.await?;
            let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |s| s.code());
            record(&span, code);
            metrics::histogram!(
                names::SERVER_CALL_DURATION,
                "rpc.method" => method, "rpc.status_code" => code_name(code)
            )
            .record(start.elapsed().as_secs_f64());
            Ok(answer)
        }))
    }
}

fn record(span: &Span, code: Code) {
    span.record("rpc.status_code", code_name(code));
    let failed = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    if failed {
        span.set_status(SpanStatus::error(code_name(code)));
    }
}
