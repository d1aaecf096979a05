//! Who may enter and who may look: the flows of `just smoke-access`, theme by theme.

use tributary_harness::access::{self, Flow, Stage};

/// Runs flows on a stage of their own; fails with the names of those that did not pass.
async fn all_pass(flows: Vec<Flow>) {
    let mut stage = Stage::set().await.unwrap();
    let outcomes = access::run_flows(&mut stage, flows).await;
    let report = access::report(&outcomes);
    assert_eq!(report["ok"], true, "{report:#}");
    stage.strike().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_invited_read_and_are_removed() {
    all_pass(access::of_members()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_get_what_was_shared_and_learn_nothing_else() {
    all_pass(access::of_outsiders()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_carried_out_taken_back_and_expire() {
    all_pass(access::of_shares()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_hold_as_long_as_their_keys_and_nobody_has_revoked_them() {
    all_pass(access::of_trust()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_survives_crashes_and_is_written_down() {
    all_pass(access::of_outages()).await;
}
