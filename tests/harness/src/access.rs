//! Who may enter and who may look: the flows of the issue, and more, against a whole platform of
//! separate processes, through relays and terminals as people use them.
//!
//! A flow is a function that is given a [`Stage`] and fails with what was not as it should be. Flows
//! use meetings and guests of their own, so that any of them can run alone or after any other.

mod audit;
mod invitations;
mod meetings;
mod outages;
mod outsiders;
mod refusals;
mod shares;
mod stage;
mod trust;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

pub use stage::Stage;

/// What a flow has measured, by name; goes into the report.
type Measured = Map<String, Value>;
type Run = for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Result<Measured>>;

/// A flow.
#[derive(Clone, Copy)]
pub struct Flow {
    /// What holds if it passes.
    pub name: &'static str,
    run: Run,
}

/// What became of a flow.
pub struct Outcome {
    name: &'static str,
    milliseconds: u128,
    measured: Result<Measured>,
}

/// Names a flow after its function.
macro_rules! flows {
    ($($module:ident::$flow:ident,)*) => {
        vec![$(Flow { name: stringify!($flow), run: |stage| Box::pin($module::$flow(stage)) },)*]
    };
}

/// Members: invited, reading, removed; what belongs to meetings.
pub fn of_members() -> Vec<Flow> {
    flows![
        invitations::a_member_joins_by_invitation_and_types_nothing,
        invitations::a_scheduled_meeting_invites_once_across_a_restart_of_the_registry,
        meetings::a_member_reads_details,
        meetings::a_removed_member_is_refused_within_a_second,
        meetings::attachments_are_read_through_an_access_decision,
    ]
}

/// Outsiders: what they may, and what they may not.
pub fn of_outsiders() -> Vec<Flow> {
    flows![
        outsiders::who_knows_the_id_of_a_meeting_that_is_not_shared_is_refused,
        outsiders::who_has_the_link_of_a_shared_meeting_is_let_in,
        outsiders::the_id_is_enough_once_a_meeting_is_shared,
        outsiders::a_wrong_password_is_told_to_who_has_the_link_and_not_to_who_typed_the_id,
        outsiders::too_many_wrong_passwords_lock_out_the_right_one,
        outsiders::who_is_over_the_count_is_refused_for_valid_ids_too,
        outsiders::who_has_asked_for_too_many_unknown_ids_is_refused_for_valid_ids_too,
        outsiders::coming_back_is_not_counted,
        outsiders::what_ended_eight_days_ago_is_refused_to_outsiders_and_read_by_members,
        refusals::all_refusals_are_the_same_bytes,
    ]
}

/// Shares: carried out in every form, taken back, expired.
pub fn of_shares() -> Vec<Flow> {
    flows![
        shares::a_named_user_is_told_and_comes_in,
        shares::the_link_in_an_email_works,
        shares::the_qr_code_is_the_link,
        shares::a_revoked_share_is_refused_within_a_second_at_the_other_relay,
        shares::an_expired_share_is_refused,
    ]
}

/// Who is who: log-in, keys, revocation.
pub fn of_trust() -> Vec<Flow> {
    flows![
        trust::somebody_logs_in_at_an_openid_provider,
        trust::an_identity_is_refreshed_by_its_own_key_only,
        trust::when_the_signing_key_is_rotated_everybody_works_on,
        trust::a_revoked_user_is_disconnected_and_refused_within_a_second_at_every_relay,
        trust::what_a_revoked_signing_key_has_signed_is_refused_within_a_second,
    ]
}

/// Restarts and outages, and what was written down.
pub fn of_outages() -> Vec<Flow> {
    flows![
        outages::counts_shares_and_revocations_survive_a_crash_of_access_control,
        outages::without_its_database_cached_allows_hold_and_everything_else_says_try_again,
        audit::every_decision_is_written_down_with_its_reason_and_no_secret_is_anywhere,
    ]
}

/// Runs flows one after the other.
pub async fn run_flows(stage: &mut Stage, flows: Vec<Flow>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for Flow { name, run } in flows {
        let begin = Instant::now();
        let measured = run(stage).await;
        let milliseconds = begin.elapsed().as_millis();
        match &measured {
            Ok(_) => eprintln!("access: passed in {milliseconds:>6} ms  {name}"),
            Err(error) => eprintln!("access: FAILED in {milliseconds:>6} ms  {name}: {error:#}"),
        }
        outcomes.push(Outcome { name, milliseconds, measured });
    }
    outcomes
}

/// Runs the flows whose names contain `only`, and reports. Data and logs are kept in `folder` if one
/// is given.
pub async fn run(only: &str, folder: Option<PathBuf>) -> Result<Value> {
    eprintln!("access: starting services, PostgreSQL, a mail server and an OpenID provider");
    let mut stage = Stage::set_in(folder).await?;
    let all = [of_members(), of_outsiders(), of_shares(), of_trust(), of_outages()].concat();
    let chosen = all.into_iter().filter(|flow| flow.name.contains(only)).collect();
    let outcomes = run_flows(&mut stage, chosen).await;
    stage.strike().await?;
    Ok(report(&outcomes))
}

/// One object: how many flows passed, each flow, and beside them what they have measured.
pub fn report(outcomes: &[Outcome]) -> Value {
    let passed = outcomes.iter().filter(|outcome| outcome.measured.is_ok()).count();
    let mut report = Map::new();
    report.insert("ok".to_owned(), (passed == outcomes.len() && passed > 0).into());
    report.insert("flows_passed".to_owned(), passed.into());
    report.insert("flows_total".to_owned(), outcomes.len().into());
    for outcome in outcomes {
        report.extend(outcome.measured.iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    }
    let flows = outcomes.iter().map(|outcome| {
        let mut flow = json!({
            "name": outcome.name,
            "passed": outcome.measured.is_ok(),
            "ms": u64::try_from(outcome.milliseconds).unwrap_or(u64::MAX),
        });
        if let (Err(error), Some(flow)) = (&outcome.measured, flow.as_object_mut()) {
            flow.insert("error".to_owned(), format!("{error:#}").into());
        }
        flow
    });
    report.insert("flows".to_owned(), flows.collect());
    report.into()
}

/// A flow that has measured nothing.
fn nothing() -> Result<Measured> {
    Ok(Measured::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_counts_and_says_what_failed() {
        let measured = |ms: u64| Measured::from_iter([("revoked_within_ms".to_owned(), ms.into())]);
        let outcomes = [
            Outcome { name: "one", milliseconds: 5, measured: Ok(measured(42)) },
            Outcome { name: "other", milliseconds: 6, measured: Err(anyhow::anyhow!("no")) },
        ];
        let report = report(&outcomes);
        assert_eq!(
            (&report["flows_passed"], &report["flows_total"], &report["ok"]),
            (&json!(1), &json!(2), &json!(false))
        );
        assert_eq!(report["revoked_within_ms"], 42);
        assert_eq!(report["flows"][1]["error"], "no");
        assert!(report["flows"][0].get("error").is_none());
    }

    #[test]
    fn every_flow_has_a_name_of_its_own() {
        let all = [of_members(), of_outsiders(), of_shares(), of_trust(), of_outages()].concat();
        let names: std::collections::BTreeSet<_> = all.iter().map(|flow| flow.name).collect();
        assert_eq!(names.len(), all.len());
    }
}
