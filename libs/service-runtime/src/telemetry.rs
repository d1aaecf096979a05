//! Logs on stderr, metrics for Prometheus, and, when `OTEL_EXPORTER_OTLP_ENDPOINT` is set, traces,
//! metrics and logs by OTLP over gRPC.
//!
//! Metrics go through the `metrics` facade. A metric whose description and unit are to reach OTLP
//! is described before its first use.
//!
//! **Invariant:** nothing goes to stdout, and nothing per media frame comes here but counters that
//! were added up before.

mod otel_recorder;
mod otlp;
mod recent;

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::layers::FanoutBuilder;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt as _};

use crate::Error;
use otel_recorder::OtelRecorder;
use otlp::Providers;
pub use otlp::{Export, FLUSH_DEADLINE};
pub use recent::{keep_recent_lines, recent_lines};

/// Bounds of all histograms, in seconds: from a forwarded frame to a slow call.
pub(crate) const BUCKETS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.045, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];
/// Histogram samples are sorted into buckets this often, as nobody may ever ask for `/metrics`.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Names of this crate's metrics.
pub mod names {
    /// How long calls took to be answered here, in seconds, by method and status code.
    pub const SERVER_CALL_DURATION: &str = "rpc.server.call.duration";
    /// How long peers took to answer, in seconds, by method, status code and peer.
    pub const CLIENT_CALL_DURATION: &str = "rpc.client.call.duration";
    /// Calls that came without a valid token.
    pub const CALLS_REFUSED: &str = "tributary.grpc.calls_refused";
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Logs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// How they look.
    pub format: LogFormat,
    /// Which there are: `tracing` directives, as in `info,tributary_mixer_server=debug`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: "info".into() }
    }
}

/// Keeps the telemetry of a process alive; ends it in order.
#[must_use = "telemetry that is not yet exported is lost without its guard"]
pub struct Guard {
    providers: Option<Providers>,
}

impl Guard {
    /// Exports what is left, for at most [`FLUSH_DEADLINE`].
    pub async fn shutdown(mut self) {
        let Some(providers) = self.providers.take() else { return };
        let flush = tokio::task::spawn_blocking(move || providers.shutdown());
        // What can't be exported in time is lost; the process ends either way.
        let _ = tokio::time::timeout(FLUSH_DEADLINE, flush).await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(providers) = self.providers.take() {
            providers.shutdown();
        }
    }
}

/// Starts telemetry for a process, as the configuration and the `OTEL_*` variables say. Must be
/// called inside a Tokio runtime. In a process that has telemetry already, the first stays.
///
/// # Errors
/// If the log filter can't be parsed or an exporter can't be set up.
pub fn init(service_name: &'static str, log: &LogConfig) -> Result<Guard, Error> {
    let export = Export::from_env(|name| std::env::var(name).ok());
    init_with(service_name, log, &export)
}

/// As [`init`], with the export decided by the caller.
///
/// # Errors
/// As [`init`].
pub fn init_with(
    service_name: &'static str,
    log: &LogConfig,
    export: &Export,
) -> Result<Guard, Error> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| Error::LogFilter {
        filter: log.filter.clone(),
        reason: error.to_string(),
    })?;
    let providers = Providers::new(service_name, export)?;
    let mut layers = vec![log_layer(log.format).with_filter(filter.clone()).boxed()];
    layers.extend(recent::layer().map(|layer| layer.with_filter(filter).boxed()));
    layers.extend(providers.layers());
    // A second subscriber or recorder in one process is refused: tests start several services.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers));
    install_recorders(providers.meter().map(OtelRecorder::new));
    describe();
    if !export.is_any() {
        tracing::debug!("no OTLP export, as OTEL_EXPORTER_OTLP_ENDPOINT is not set");
    }
    Ok(Guard { providers: export.is_any().then_some(providers) })
}

fn log_layer(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Pretty => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            layer.with_ansi(colours).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// All metrics in the text format of Prometheus; empty before [`init`].
pub fn render_metrics() -> String {
    PROMETHEUS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// The global recorder is whichever comes first; so is what `/metrics` shows.
fn install_recorders(otel: Option<OtelRecorder>) {
    let prometheus = prometheus();
    let handle = prometheus.handle();
    let mut fanout = FanoutBuilder::default().add_recorder(prometheus);
    if let Some(otel) = otel {
        fanout = fanout.add_recorder(otel);
    }
    if metrics::set_global_recorder(fanout.build()).is_ok() {
        let handle = PROMETHEUS.get_or_init(|| handle);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
            loop {
                interval.tick().await;
                handle.run_upkeep();
            }
        });
    }
}

fn prometheus() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    // It refuses empty bounds only, and then goes on with summaries.
    builder.set_buckets(&BUCKETS).unwrap_or_default().build_recorder()
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_histogram};
    describe_histogram!(
        names::SERVER_CALL_DURATION,
        Unit::Seconds,
        "How long calls took to be answered here"
    );
    describe_histogram!(
        names::CLIENT_CALL_DURATION,
        Unit::Seconds,
        "How long peers took to answer"
    );
    describe_counter!(names::CALLS_REFUSED, Unit::Count, "Calls that came without a valid token");
}
