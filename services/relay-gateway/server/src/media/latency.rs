//! How long media took from a relay's entrance to this relay's exit, added up without locks and
//! handed to the metrics once a second.
//!
//! The entrance time is stamped by the sender's relay: between machines the figure is as good as
//! their clocks agree.

use std::time::{SystemTime, UNIX_EPOCH};

/// Width of a step: a quarter of a millisecond.
const STEP_US: u64 = 250;
/// Steps up to 200 ms; what took longer is counted in the last one.
const STEPS: usize = 800;

/// Unix time in microseconds.
pub(super) fn unix_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| u64::try_from(passed.as_micros()).unwrap_or(u64::MAX))
}

/// Counts of delays in steps.
pub(super) struct Latencies {
    counts: Box<[u32; STEPS]>,
    histogram: metrics::Histogram,
}

impl Latencies {
    /// `path` is `lone` for untouched voices and `mixed` for the rest.
    pub(super) fn new(path: &'static str) -> Self {
        Self {
            counts: Box::new([0; STEPS]),
            histogram: metrics::histogram!("tributary_relay_added_latency_seconds", "path" => path),
        }
    }

    /// Counts a frame that came in somewhere at `ingress_us` and goes out now.
    pub(super) fn record(&mut self, ingress_us: u64, now_us: u64) {
        let step = usize::try_from(now_us.saturating_sub(ingress_us) / STEP_US).unwrap_or(STEPS);
        if let Some(count) = self.counts.get_mut(step.min(STEPS - 1)) {
            *count += 1;
        }
    }

    /// Hands the counts over and starts again.
    pub(super) fn flush(&mut self) {
        for (step, count) in self.counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            let middle_us = step as u64 * STEP_US + STEP_US / 2;
            self.histogram.record_many(middle_us as f64 / 1e6, *count as usize);
            *count = 0;
        }
    }
}
