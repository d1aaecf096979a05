//! The `metrics` facade over OpenTelemetry instruments.
//!
//! Counters and gauges are atomics that observable instruments read when the exporter collects, one
//! instrument per name with a callback over its own series, so that two macro calls with the same
//! name and labels add to one value and an update costs no more than an atomic. Histograms record
//! directly.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    atomics::AtomicU64,
};
use opentelemetry::{KeyValue, metrics::Meter};

use super::BUCKETS;

/// Series of one metric that are exported; the SDK would fold more into one itself.
const SERIES_MAX: usize = 2000;

/// Gives the metrics of a process to OpenTelemetry.
pub(super) struct OtelRecorder {
    meter: Meter,
    descriptions: Mutex<HashMap<KeyName, Description>>,
    counters: Mutex<HashMap<String, Family>>,
    gauges: Mutex<HashMap<String, Family>>,
    histograms: Mutex<HashMap<String, opentelemetry::metrics::Histogram<f64>>>,
}

#[derive(Clone, Default)]
struct Description {
    unit: &'static str,
    text: String,
}

/// The series of one metric, shared with the callback that observes them.
#[derive(Clone, Default)]
struct Family(Arc<Mutex<HashMap<Key, Series>>>);

struct Series {
    attributes: Vec<KeyValue>,
    value: Arc<AtomicU64>,
}

impl OtelRecorder {
    pub(super) fn new(meter: Meter) -> Self {
        Self {
            meter,
            descriptions: Mutex::default(),
            counters: Mutex::default(),
            gauges: Mutex::default(),
            histograms: Mutex::default(),
        }
    }

    fn describe(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        let unit = unit.map_or("", ucum);
        locked(&self.descriptions).insert(key, Description { unit, text: text.into_owned() });
    }

    fn description(&self, name: &str) -> Description {
        locked(&self.descriptions).get(name).cloned().unwrap_or_default()
    }

    fn new_counter(&self, name: &str) -> Family {
        let family = Family::default();
        let Description { unit, text } = self.description(name);
        let observed = family.clone();
        self.meter
            .u64_observable_counter(name.to_owned())
            .with_unit(unit)
            .with_description(text)
            .with_callback(move |observer| {
                observed.visit(|value, attributes| observer.observe(value, attributes));
            })
            .build();
        family
    }

    fn new_gauge(&self, name: &str) -> Family {
        let family = Family::default();
        let Description { unit, text } = self.description(name);
        let observed = family.clone();
        self.meter
            .f64_observable_gauge(name.to_owned())
            .with_unit(unit)
            .with_description(text)
            .with_callback(move |observer| {
                observed
                    .visit(|bits, attributes| observer.observe(f64::from_bits(bits), attributes));
            })
            .build();
        family
    }

    fn new_histogram(&self, name: &str) -> opentelemetry::metrics::Histogram<f64> {
        let Description { unit, text } = self.description(name);
        self.meter
            .f64_histogram(name.to_owned())
            .with_unit(unit)
            .with_description(text)
            .with_boundaries(BUCKETS.to_vec())
            .build()
    }
}

impl Family {
    /// The value of the series with this key; none if there are too many series already.
    fn value(&self, key: &Key) -> Option<Arc<AtomicU64>> {
        let mut series = locked(&self.0);
        if let Some(series) = series.get(key) {
            return Some(Arc::clone(&series.value));
        }
        if series.len() >= SERIES_MAX {
            return None;
        }
        let value = Arc::new(AtomicU64::new(0));
        let added = Series { attributes: attributes(key), value: Arc::clone(&value) };
        series.insert(key.clone(), added);
        Some(value)
    }

    fn visit(&self, mut observe: impl FnMut(u64, &[KeyValue])) {
        for series in locked(&self.0).values() {
            observe(series.value.load(Ordering::Acquire), &series.attributes);
        }
    }
}

impl Recorder for OtelRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(key, unit, description);
    }

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        let name = key.name();
        let mut families = locked(&self.counters);
        let family = families.entry(name.to_owned()).or_insert_with(|| self.new_counter(name));
        family.value(key).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        let name = key.name();
        let mut families = locked(&self.gauges);
        let family = families.entry(name.to_owned()).or_insert_with(|| self.new_gauge(name));
        family.value(key).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        let name = key.name();
        let mut histograms = locked(&self.histograms);
        let histogram =
            histograms.entry(name.to_owned()).or_insert_with(|| self.new_histogram(name)).clone();
        Histogram::from_arc(Arc::new(Samples { histogram, attributes: attributes(key) }))
    }
}

struct Samples {
    histogram: opentelemetry::metrics::Histogram<f64>,
    attributes: Vec<KeyValue>,
}

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.histogram.record(value, &self.attributes);
    }
}

fn attributes(key: &Key) -> Vec<KeyValue> {
    key.labels()
        .map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned()))
        .collect()
}

/// A panic of another thread leaves a map that is still a map.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Units as OpenTelemetry writes them, <https://ucum.org/ucum>.
fn ucum(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "1",
        Unit::Percent => "%",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "us",
        Unit::Nanoseconds => "ns",
        Unit::Tebibytes => "TiBy",
        Unit::Gibibytes => "GiBy",
        Unit::Mebibytes => "MiBy",
        Unit::Kibibytes => "KiBy",
        Unit::Bytes => "By",
        Unit::TerabitsPerSecond => "Tbit/s",
        Unit::GigabitsPerSecond => "Gbit/s",
        Unit::MegabitsPerSecond => "Mbit/s",
        Unit::KilobitsPerSecond => "kbit/s",
        Unit::BitsPerSecond => "bit/s",
        Unit::CountPerSecond => "1/s",
    }
}
