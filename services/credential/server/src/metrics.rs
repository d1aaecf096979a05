//! Names, units and help of the service's metrics.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const LOG_INS: &str = "tributary.credential.log_ins";
const LOCKED_OUT: &str = "tributary.credential.locked_out";
const OIDC_LOG_INS: &str = "tributary.credential.oidc_log_ins";
const GUESTS: &str = "tributary.credential.guests";
const REFRESHES: &str = "tributary.credential.refreshes";
const JOIN_CREDENTIALS: &str = "tributary.credential.join_credentials";
const REVOCATIONS: &str = "tributary.credential.revocations";
const RELAYS: &str = "tributary.credential.relays";
const TOLD: &str = "tributary.credential.trust_changes_told";

/// Says what the metrics mean; before their first use.
pub fn describe() {
    describe_counter!(LOG_INS, Unit::Count, "Log-ins with a password, by outcome");
    describe_counter!(LOCKED_OUT, Unit::Count, "Log-ins refused unseen, by the budget used up");
    describe_counter!(OIDC_LOG_INS, Unit::Count, "Log-ins at a provider, by outcome");
    describe_counter!(GUESTS, Unit::Count, "Guests, by outcome");
    describe_counter!(REFRESHES, Unit::Count, "Identity tokens to be refreshed, by outcome");
    describe_counter!(JOIN_CREDENTIALS, Unit::Count, "Join credentials asked for, by outcome");
    describe_gauge!(REVOCATIONS, Unit::Count, "Revocations that are kept");
    describe_counter!(RELAYS, Unit::Count, "What relays have asked for, by what and outcome");
    describe_counter!(
        TOLD,
        Unit::Count,
        "Changes of keys, relays and revocations told, by outcome"
    );
}

/// Counts a log-in: `accepted` or `refused`.
pub fn log_in(outcome: &'static str) {
    counter!(LOG_INS, "outcome" => outcome).increment(1);
}

/// Counts a log-in that was refused unseen: `user` or `prefix`.
pub fn locked_out(budget: &'static str) {
    counter!(LOCKED_OUT, "budget" => budget).increment(1);
}

/// Counts a log-in at a provider: `accepted`, `refused` or `unavailable`.
pub fn oidc_log_in(outcome: &'static str) {
    counter!(OIDC_LOG_INS, "outcome" => outcome).increment(1);
}

/// Counts a guest: `accepted` or `refused`.
pub fn guest(outcome: &'static str) {
    counter!(GUESTS, "outcome" => outcome).increment(1);
}

/// Counts a refresh: `accepted` or `refused`.
pub fn refresh(outcome: &'static str) {
    counter!(REFRESHES, "outcome" => outcome).increment(1);
}

/// Counts a join credential: `issued`, `refused` or `unavailable`.
pub fn join_credential(outcome: &'static str) {
    counter!(JOIN_CREDENTIALS, "outcome" => outcome).increment(1);
}

/// Says how many revocations are kept.
pub fn revocations(kept: usize) {
    gauge!(REVOCATIONS).set(kept as f64);
}

/// Counts what a relay has asked for, `enrol`, `attach` or `rotate`: `accepted` or `refused`.
pub fn relay(what: &'static str, outcome: &'static str) {
    counter!(RELAYS, "what" => what, "outcome" => outcome).increment(1);
}

/// Counts a change that verifiers were to be told: `told` or `failed`.
pub fn told(outcome: &'static str) {
    counter!(TOLD, "outcome" => outcome).increment(1);
}
