//! Names, units and help of what is counted about operations.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::reading::Dropped;

const RECEIVED: &str = "tributary.registry.operations_received";
const ANSWERED: &str = "tributary.registry.operations_answered";
const DROPPED: &str = "tributary.registry.operations_dropped";
const PUT_OFF: &str = "tributary.registry.operations_put_off";
const WAITING: &str = "tributary.registry.operations_waiting";
const IN_WORK: &str = "tributary.registry.operations_in_work";
const FAILURES: &str = "tributary.registry.operation_failures";
const ANSWER_TIME: &str = "tributary.registry.operation_answer_time";

/// What became of an operation that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was applied, whether that changed something or not.
    Applied,
    /// It was refused.
    Refused,
    /// It had been answered before.
    Repeated,
}

/// Says what the metrics mean; before their first use.
pub fn describe() {
    let help = "Operations taken off the stream, each as often as it was delivered";
    describe_counter!(RECEIVED, Unit::Count, help);
    let help = "Operations answered: applied, refused, or repeated and known";
    describe_counter!(ANSWERED, Unit::Count, help);
    let help = "Operations dropped because they are provably nobody's, by reason";
    describe_counter!(DROPPED, Unit::Count, help);
    let help = "Operations given back to the stream for a moment, by reason";
    describe_counter!(PUT_OFF, Unit::Count, help);
    let help = "Operations that wait for the one before them";
    describe_gauge!(WAITING, Unit::Count, help);
    describe_gauge!(IN_WORK, Unit::Count, "Operations held by this process");
    let help = "Attempts at which an operation could not be written, as the database was away";
    describe_counter!(FAILURES, Unit::Count, help);
    let help = "From the storage of an operation in the stream to its answer in the database";
    describe_histogram!(ANSWER_TIME, Unit::Seconds, help);
}

/// An operation has been taken off the stream.
pub fn received() {
    counter!(RECEIVED).increment(1);
}

/// An operation has been answered, so long after it was stored.
pub fn answered(answer: Answer, after: Duration) {
    let word = match answer {
        Answer::Applied => "applied",
        Answer::Refused => "refused",
        Answer::Repeated => "repeated",
    };
    counter!(ANSWERED, "answer" => word).increment(1);
    histogram!(ANSWER_TIME).record(after);
}

/// An operation has been dropped.
pub fn dropped(why: Dropped) {
    counter!(DROPPED, "reason" => why.as_str()).increment(1);
}

/// An operation has been given back for a moment.
pub fn put_off(why: &'static str) {
    counter!(PUT_OFF, "reason" => why).increment(1);
}

/// An operation could not be written.
pub fn failed() {
    counter!(FAILURES).increment(1);
}

/// How many operations wait for the one before them, and how many this process holds.
pub fn held(waiting: usize, in_work: usize) {
    gauge!(WAITING).set(waiting as f64);
    gauge!(IN_WORK).set(in_work as f64);
}
