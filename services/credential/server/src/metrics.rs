//! Names, units and help of the service's metrics.

use metrics::{Unit, counter, describe_counter};

const LOG_INS: &str = "tributary.credential.log_ins";
const JOIN_CREDENTIALS: &str = "tributary.credential.join_credentials";

/// Says what the metrics mean; before their first use.
pub fn describe() {
    describe_counter!(LOG_INS, Unit::Count, "Log-ins with a password, by outcome");
    describe_counter!(JOIN_CREDENTIALS, Unit::Count, "Join credentials asked for, by outcome");
}

/// Counts a log-in: `accepted` or `refused`.
pub fn log_in(outcome: &'static str) {
    counter!(LOG_INS, "outcome" => outcome).increment(1);
}

/// Counts a join credential: `issued`, `refused` or `unavailable`.
pub fn join_credential(outcome: &'static str) {
    counter!(JOIN_CREDENTIALS, "outcome" => outcome).increment(1);
}
