//! The trace that a message belongs to, carried as W3C `traceparent` and `tracestate` in headers.
//!
//! **Invariant:** without an OTLP exporter nothing is carried, and nothing here fails.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The headers of a context, <https://www.w3.org/TR/trace-context/>.
const HEADERS: [&str; 2] = ["traceparent", "tracestate"];

const TRACE_PARENT: &str = "traceparent";

/// Writes the context of `span` into HTTP or gRPC headers.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    inject_with(span, |name, value| {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = pair {
            headers.insert(name, value);
        }
    });
}

/// Writes the context of `span` by `set`, which is called with each header's name and value.
pub fn inject_with(span: &Span, set: impl FnMut(&str, &str)) {
    struct Setter<F>(F);
    impl<F: FnMut(&str, &str)> Injector for Setter<F> {
        fn set(&mut self, key: &str, value: String) {
            (self.0)(key, &value);
        }
    }
    let context = span.context();
    TraceContextPropagator::new().inject_context(&context, &mut Setter(set));
}

/// The context of `span` as a W3C `traceparent`, to be kept with what is told later; none without
/// an exporter.
pub fn trace_parent(span: &Span) -> Option<String> {
    let mut found = None;
    inject_with(span, |name, value| {
        if name == TRACE_PARENT {
            found = Some(value.to_owned());
        }
    });
    found
}

/// Makes `span`, which must not have been entered yet, a child of a context that was kept.
pub fn adopt_trace_parent(span: &Span, trace_parent: Option<&str>) {
    adopt_with(span, |name| trace_parent.filter(|_| name == TRACE_PARENT));
}

/// Makes `span`, which must not have been entered yet, a child of the context in HTTP or gRPC
/// headers.
pub fn adopt(span: &Span, headers: &HeaderMap) {
    adopt_with(span, |name| headers.get(name).and_then(|value| value.to_str().ok()));
}

/// Makes `span`, which must not have been entered yet, a child of the context that `get` reads
/// from headers.
pub fn adopt_with<'a>(span: &Span, get: impl Fn(&str) -> Option<&'a str>) {
    let carrier: HashMap<_, _> = HEADERS
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), get(name)?.to_owned())))
        .collect();
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if parent.has_active_span() {
        // It fails when there is no exporter, where a parent has no use.
        let _ = span.set_parent(parent);
    }
}
