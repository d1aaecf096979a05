//! Names, units and help of the service's metrics.

use metrics::{Unit, counter, describe_counter};

const DECISIONS: &str = "tributary.access_control.decisions";

/// Says what the metrics mean; before their first use.
pub fn describe() {
    describe_counter!(DECISIONS, Unit::Count, "Decisions, by action and reason");
}

/// Counts a decision.
pub fn decision(action: &'static str, reason: &'static str) {
    counter!(DECISIONS, "action" => action, "reason" => reason).increment(1);
}
