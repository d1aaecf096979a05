//! Faults in small: what `just faults` and `just smoke-talk` show at length.

use tributary_harness::faults::{evil_relay, operations};
use tributary_harness::talk;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_missed_while_processes_are_killed() {
    let demand = operations::Demand { seed: 7, operations: 600, meetings: 4, rounds: 2 };
    let report = operations::run(demand).await.unwrap();
    assert_eq!(report["ok"], true, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evil_relay_achieves_nothing() {
    let report = evil_relay::run(7).await.unwrap();
    assert_eq!(report["ok"], true, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hears_whom_is_as_it_should_be_and_no_whisper_leaks() {
    // How long a switch takes is for `just smoke-talk`, on a machine that does nothing else.
    let report = talk::run(20, 6).await.unwrap();
    assert_eq!(report["cells_right"], report["cells"], "{report:#}");
    for none in ["leaks", "whispers_not_heard", "encodes_by_whispers"] {
        assert_eq!(report[none].as_f64(), Some(0.0), "{none}: {report:#}");
    }
}
