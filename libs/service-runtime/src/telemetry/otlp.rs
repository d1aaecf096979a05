//! The OTLP exporters: what is exported by the `OTEL_*` variables, as which resource, how it ends.
//!
//! Endpoint, headers, time-outs, sampling and batching are read from the variables by the SDK.
//! `OTEL_SDK_DISABLED` and `OTEL_{TRACES,METRICS,LOGS}_EXPORTER=none` are not, so they are read here.

use std::time::Duration;

use opentelemetry::{
    Key, KeyValue,
    metrics::{Meter, MeterProvider as _},
    trace::TracerProvider as _,
};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider,
};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, Registry, filter::Targets};

use crate::Error;

/// How long a process that ends may take to export what is left.
pub const FLUSH_DEADLINE: Duration = Duration::from_millis(1500);
/// Exporting by gRPC makes spans and logs of its own, which must not be exported in turn.
const EXPORTERS_OWN: [&str; 6] = ["h2", "hyper", "hyper_util", "opentelemetry", "tonic", "tower"];

/// Which signals are exported, and to where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// Spans.
    pub traces: bool,
    /// Metrics.
    pub metrics: bool,
    /// Logs.
    pub logs: bool,
    /// The receiver; none for the one in the `OTEL_*` variables.
    pub endpoint: Option<String>,
}

impl Export {
    /// What the `OTEL_*` variables ask for.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let everywhere = get("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
        let wanted = |signal: &str| {
            let off = get(&format!("OTEL_{signal}_EXPORTER")).is_some_and(|value| value == "none");
            let endpoint = get(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
            !off && (everywhere || endpoint.is_some())
        };
        Self {
            traces: wanted("TRACES"),
            metrics: wanted("METRICS"),
            logs: wanted("LOGS"),
            endpoint: None,
        }
    }

    /// All signals to this receiver.
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self { traces: true, metrics: true, logs: true, endpoint: Some(endpoint.into()) }
    }

    /// Whether anything is exported.
    pub fn is_any(&self) -> bool {
        self.traces || self.metrics || self.logs
    }
}

/// The providers of the signals that are exported.
pub(super) struct Providers {
    tracer: Option<SdkTracerProvider>,
    meter: Option<SdkMeterProvider>,
    logger: Option<SdkLoggerProvider>,
}

/// Builds an exporter of one signal: the builders have the same calls and no common trait.
macro_rules! exporter {
    ($exporter:ident, $export:expr) => {{
        let builder = $exporter::builder().with_tonic();
        match &$export.endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint.as_str()),
            None => builder,
        }
        .build()?
    }};
}

impl Providers {
    pub(super) fn new(service_name: &'static str, export: &Export) -> Result<Self, Error> {
        let resource = resource(service_name);
        let mut providers = Self { tracer: None, meter: None, logger: None };
        if export.traces {
            let builder = SdkTracerProvider::builder().with_resource(resource.clone());
            let exporter = exporter!(SpanExporter, export);
            providers.tracer = Some(builder.with_batch_exporter(exporter).build());
        }
        if export.metrics {
            let builder = SdkMeterProvider::builder().with_resource(resource.clone());
            let exporter = exporter!(MetricExporter, export);
            providers.meter = Some(builder.with_periodic_exporter(exporter).build());
        }
        if export.logs {
            let builder = SdkLoggerProvider::builder().with_resource(resource);
            let exporter = exporter!(LogExporter, export);
            providers.logger = Some(builder.with_batch_exporter(exporter).build());
        }
        Ok(providers)
    }

    pub(super) fn meter(&self) -> Option<Meter> {
        self.meter.as_ref().map(|provider| provider.meter("tributary"))
    }

    pub(super) fn layers(&self) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
        let mut layers = Vec::new();
        if let Some(provider) = &self.tracer {
            let tracer = provider.tracer("tributary");
            let layer = tracing_opentelemetry::layer().with_tracer(tracer);
            layers.push(without_exporters_own(layer));
        }
        if let Some(provider) = &self.logger {
            layers.push(without_exporters_own(OpenTelemetryTracingBridge::new(provider)));
        }
        layers
    }

    /// Exports what is left. Blocks up to the deadline for each signal.
    pub(super) fn shutdown(self) {
        let report = |signal, result: opentelemetry_sdk::error::OTelSdkResult| {
            if let Err(error) = result {
                tracing::warn!(signal, %error, "not all telemetry was exported");
            }
        };
        if let Some(provider) = self.tracer {
            report("traces", provider.shutdown_with_timeout(FLUSH_DEADLINE));
        }
        if let Some(provider) = self.meter {
            report("metrics", provider.shutdown_with_timeout(FLUSH_DEADLINE));
        }
        if let Some(provider) = self.logger {
            report("logs", provider.shutdown_with_timeout(FLUSH_DEADLINE));
        }
    }
}

fn without_exporters_own<S>(layer: impl Layer<S> + Send + Sync) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let off = EXPORTERS_OWN.map(|target| (target, LevelFilter::OFF));
    layer.with_filter(Targets::new().with_default(LevelFilter::INFO).with_targets(off)).boxed()
}

/// Who exports. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what is known here.
fn resource(service_name: &'static str) -> Resource {
    let given = Resource::builder().build();
    let known = [
        ("service.name", service_name.to_owned()),
        ("service.namespace", "tributary".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance_id()),
    ];
    let missing = known.into_iter().filter(|(key, _)| {
        let value = given.get(&Key::from_static_str(key));
        value.is_none_or(|value| value.as_str().starts_with("unknown_service"))
    });
    let missing: Vec<_> = missing.map(|(key, value)| KeyValue::new(key, value)).collect();
    Resource::builder().with_attributes(missing).build()
}

/// 128 random bits in hexadecimal; replicas and restarts differ in it.
fn instance_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness all replicas look like one, which is no reason not to start.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(variables: &[(&str, &str)]) -> (bool, bool, bool) {
        let export = Export::from_env(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        (export.traces, export.metrics, export.logs)
    }

    #[test]
    fn the_otel_variables_decide_what_is_exported() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        assert_eq!(export(&[]), (false, false, false));
        assert_eq!(export(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), (false, false, false));
        assert_eq!(export(&[endpoint]), (true, true, true));
        assert_eq!(export(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]), (false, false, false));
        assert_eq!(export(&[endpoint, ("OTEL_METRICS_EXPORTER", "none")]), (true, false, true));
        let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://collector:4317");
        assert_eq!(export(&[logs]), (false, false, true));
    }

    #[test]
    fn a_process_says_who_it_is() {
        let resource = resource("mixer");
        let get = |key| resource.get(&Key::from_static_str(key)).map(|value| value.to_string());
        assert_eq!(get("service.name").as_deref(), Some("mixer"));
        assert_eq!(get("service.namespace").as_deref(), Some("tributary"));
        assert_eq!(get("service.instance.id").map(|id| id.len()), Some(32));
    }
}
