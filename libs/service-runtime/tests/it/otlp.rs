//! What reaches an OTLP receiver: one test, as a process has one telemetry.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::any_value::Value,
    logs::v1::LogRecord,
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::{Span, span::SpanKind},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tracing::Instrument as _;
use tributary_contracts::access::v1::DecideRequest;
use tributary_service_runtime::{
    LogConfig,
    telemetry::{self, Export},
};

use crate::world::{SERVICE, World};

/// All that was exported.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().traces.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().unwrap().metrics.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.lock().unwrap().logs.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

impl Receiver {
    async fn start() -> (Self, SocketAddr) {
        let receiver = Self::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()))
            .add_service(MetricsServiceServer::new(receiver.clone()))
            .add_service(LogsServiceServer::new(receiver.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        (receiver, address)
    }

    fn span(&self, name: &str, kind: SpanKind) -> Span {
        let received = self.0.lock().unwrap();
        let resources = received.traces.iter().flat_map(|request| &request.resource_spans);
        let mut spans = resources.flat_map(|resource| &resource.scope_spans);
        // Tests that run beside this one make calls of their own; ours is in the test's trace.
        let all: Vec<_> = spans.by_ref().flat_map(|scope| &scope.spans).collect();
        let trace = &all.iter().find(|span| span.name == "one join").expect("the root").trace_id;
        let found = all
            .iter()
            .find(|span| span.name == name && span.kind() == kind && span.trace_id == *trace);
        (*found.unwrap_or_else(|| panic!("{name} {kind:?} in {all:#?}"))).clone()
    }

    fn log(&self, text: &str, trace_id: &[u8]) -> LogRecord {
        let received = self.0.lock().unwrap();
        let resources = received.logs.iter().flat_map(|request| &request.resource_logs);
        let records = resources.flat_map(|resource| &resource.scope_logs);
        let body = Value::StringValue(text.into());
        records
            .flat_map(|scope| &scope.log_records)
            .find(|record| {
                let said = record.body.as_ref().and_then(|body| body.value.as_ref());
                said == Some(&body) && record.trace_id == trace_id
            })
            .expect("a log in the trace")
            .clone()
    }

    fn metric(&self, name: &str) -> Metric {
        let received = self.0.lock().unwrap();
        let resources = received.metrics.iter().flat_map(|request| &request.resource_metrics);
        let scopes = resources.flat_map(|resource| &resource.scope_metrics);
        scopes
            .flat_map(|scope| &scope.metrics)
            .rfind(|metric| metric.name == name)
            .unwrap_or_else(|| panic!("{name} is exported"))
            .clone()
    }

    fn resource(&self, key: &str) -> String {
        let received = self.0.lock().unwrap();
        let resource = received.traces[0].resource_spans[0].resource.clone().unwrap();
        let attribute = resource.attributes.iter().find(|attribute| attribute.key == key).unwrap();
        match attribute.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            other => panic!("{other:?}"),
        }
    }
}

/// The values of a counter or gauge, by the value of its only label.
fn values(metric: &Metric) -> Vec<(String, f64)> {
    let points = match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("{other:?}"),
    };
    let mut values: Vec<_> = points
        .iter()
        .map(|point| {
            let label = point.attributes.first().and_then(|label| label.value.clone());
            let label = match label.and_then(|label| label.value) {
                Some(Value::StringValue(label)) => label,
                other => panic!("{other:?}"),
            };
            let value = match point.value.unwrap() {
                number_data_point::Value::AsDouble(value) => value,
                number_data_point::Value::AsInt(value) => value as f64,
            };
            (label, value)
        })
        .collect();
    values.sort_by(|a, b| a.0.cmp(&b.0));
    values
}

fn change_metrics() {
    metrics::describe_gauge!("test.listeners", metrics::Unit::Count, "Who listens");
    for _ in 0..2 {
        metrics::gauge!("test.listeners", "relay" => "a").increment(2.0);
    }
    metrics::gauge!("test.listeners", "relay" => "a").decrement(1.0);
    metrics::gauge!("test.listeners", "relay" => "b").set(7.0);
    metrics::counter!("test.frames", "relay" => "a").increment(5);
    metrics::counter!("test.frames", "relay" => "a").increment(2);
    metrics::describe_counter!("test.frames", "A description that comes after the first use");
    metrics::counter!("test.frames", "relay" => "a").increment(1);
    metrics::histogram!("test.delay").record(0.004);
    metrics::histogram!("test.delay").record(20.0);
}

fn check_metrics(receiver: &Receiver) {
    let listeners = receiver.metric("test.listeners");
    assert_eq!(values(&listeners), [("a".to_owned(), 3.0), ("b".to_owned(), 7.0)]);
    assert_eq!((listeners.unit.as_str(), listeners.description.as_str()), ("1", "Who listens"));
    assert_eq!(values(&receiver.metric("test.frames")), [("a".to_owned(), 8.0)]);
    let delay = receiver.metric("test.delay");
    let Some(Data::Histogram(histogram)) = &delay.data else { panic!("{delay:?}") };
    let [point] = histogram.data_points.as_slice() else { panic!("{histogram:?}") };
    assert_eq!((point.count, point.bucket_counts.last()), (2, Some(&1)));

    let page = telemetry::render_metrics();
    assert!(page.contains("test_listeners{relay=\"a\"} 3"), "{page}");
    assert!(page.contains("test_frames{relay=\"a\"} 8"), "{page}");
    assert!(page.contains("test_delay_bucket{le=\"0.005\"} 1"), "{page}");
    assert!(page.contains("rpc_server_call_duration_count{"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_trace_with_its_logs_and_metrics_at_the_receiver() {
    let (receiver, address) = Receiver::start().await;
    let export = Export::to(format!("http://{address}"));
    let guard = telemetry::init_with("test-service", &LogConfig::default(), &export).unwrap();

    let world = World::start().await;
    let call = async { world.access().decide(DecideRequest::default()).await };
    call.instrument(tracing::info_span!("one join")).await.unwrap();
    change_metrics();
    guard.shutdown().await;

    let method = format!("{SERVICE}/Decide");
    let root = receiver.span("one join", SpanKind::Internal);
    let client = receiver.span(&method, SpanKind::Client);
    let server = receiver.span(&method, SpanKind::Server);
    assert!(root.parent_span_id.is_empty(), "{root:?}");
    assert_eq!(client.parent_span_id, root.span_id);
    assert_eq!(server.parent_span_id, client.span_id);
    let log = receiver.log("decided", &root.trace_id);
    assert_eq!(log.span_id, server.span_id);
    check_metrics(&receiver);
    assert_eq!(receiver.resource("service.name"), "test-service");
    assert_eq!(receiver.resource("service.namespace"), "tributary");
}
