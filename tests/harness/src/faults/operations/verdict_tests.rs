//! A verdict must find what is wrong: each kind of fault is made by hand.

use tributary_contracts::event::v1::{Cause, CheckedIn, OperationDone, OperationRefused};

use super::*;

const MEETING: &str = "42";

fn event(number: u64, operation: &str) -> MeetingEvent {
    MeetingEvent {
        meeting_id: MEETING.to_owned(),
        number,
        cause: Some(Cause { participant_id: 1, operation_id: operation.to_owned() }),
        body: Some(Happened::CheckedIn(CheckedIn { participant_id: 1 })),
        ..MeetingEvent::default()
    }
}

/// A log of three operations, and one terminal that has done and seen them all.
struct Run {
    log: Vec<MeetingEvent>,
    entries: Vec<What>,
    killed: bool,
}

impl Run {
    fn perfect() -> Self {
        let log: Vec<_> = ["a", "b", "c"].iter().zip(1..).map(|(id, n)| event(n, id)).collect();
        let joined = What::Joined { meeting: MEETING.to_owned(), participant: 1, number: 0 };
        let mut entries = vec![joined];
        for (operation, sequence) in ["a", "b", "c"].map(str::to_owned).into_iter().zip(1..) {
            entries.push(What::Submitted { operation: operation.clone(), sequence });
            entries.push(What::Received { operation: operation.clone() });
            entries.push(What::Answered { operation });
        }
        let told = log.iter().map(|e| What::Event { number: e.number, digest: digest(e) });
        entries.extend(told);
        Self { log, entries, killed: false }
    }

    fn judge(self) -> Verdict {
        let mut lives = Lives::default();
        for what in self.entries {
            lives.take(Entry { terminal: 0, life: 0, what });
        }
        if self.killed {
            lives.killed(0, 0);
        }
        judge(&BTreeMap::from([(MEETING.to_owned(), self.log)]), &lives)
    }

    /// Counts of what was lost, doubled, left out, missed and repeated.
    fn counts(self) -> [usize; 5] {
        let found = self.judge();
        [found.lost, found.doubled, found.gaps, found.missed_events, found.repeated_events]
    }
}

#[test]
fn a_perfect_run_holds() {
    let found = Run::perfect().judge();
    assert!(found.holds(), "{found:?}");
    assert_eq!((found.acked, found.events), (3, 3));
}

#[test]
fn an_operation_without_effect_is_lost_unless_it_died_with_its_terminal() {
    let mut run = Run::perfect();
    run.entries.push(What::Submitted { operation: "d".to_owned(), sequence: 4 });
    assert_eq!(run.counts(), [1, 0, 0, 0, 0]);
    let mut run = Run::perfect();
    run.entries.push(What::Submitted { operation: "d".to_owned(), sequence: 4 });
    run.killed = true;
    assert_eq!(run.counts(), [0; 5]);
    let mut run = Run::perfect();
    run.entries.push(What::Submitted { operation: "d".to_owned(), sequence: 4 });
    run.entries.push(What::Received { operation: "d".to_owned() });
    run.killed = true;
    assert_eq!(run.counts(), [1, 0, 0, 0, 0]);
}

#[test]
fn what_came_too_late_to_be_applied_is_as_good_as_lost() {
    let refuse = |reason: OperationRefusal| {
        let mut run = Run::perfect();
        let refused = OperationRefused { reason: reason.into(), message: String::new() };
        run.log[2].body = Some(Happened::OperationRefused(refused));
        let last = run.entries.len() - 1;
        run.entries[last] = What::Event { number: 3, digest: digest(&run.log[2]) };
        run.counts()
    };
    assert_eq!(refuse(OperationRefusal::Overtaken), [1, 0, 0, 0, 0]);
    assert_eq!(refuse(OperationRefusal::NotHost), [0; 5]);
}

#[test]
fn a_second_effect_is_found_wherever_it_stands() {
    for again in [event(4, "c"), event(4, "a")] {
        let mut run = Run::perfect();
        run.entries.push(What::Event { number: 4, digest: digest(&again) });
        run.log.push(again);
        assert_eq!(run.counts(), [0, 1, 0, 0, 0]);
    }
    let mut run = Run::perfect();
    let done = Happened::OperationDone(OperationDone {});
    let again = MeetingEvent { body: Some(done), ..event(4, "c") };
    run.entries.push(What::Event { number: 4, digest: digest(&again) });
    run.log.push(again);
    assert_eq!(run.counts(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_gap_and_a_wrong_order_are_found() {
    let mut run = Run::perfect();
    run.log[2].number = 4;
    let last = run.entries.len() - 1;
    run.entries[last] = What::Event { number: 4, digest: digest(&run.log[2]) };
    assert_eq!(run.counts(), [0, 0, 1, 0, 0]);
    let mut run = Run::perfect();
    for entry in &mut run.entries {
        if let What::Submitted { sequence, .. } = entry {
            *sequence = 4 - *sequence;
        }
    }
    assert_eq!(run.counts(), [0, 0, 2, 0, 0]);
}

#[test]
fn what_a_terminal_was_not_told_twice_told_or_told_otherwise_is_found() {
    let mut run = Run::perfect();
    let at = run.entries.len() - 2;
    run.entries.remove(at);
    assert_eq!(run.counts(), [0, 0, 0, 1, 0]);
    let mut run = Run::perfect();
    let last = run.entries[run.entries.len() - 1].clone();
    run.entries.push(last);
    assert_eq!(run.counts(), [0, 0, 0, 0, 1]);
    let mut run = Run::perfect();
    let last = run.entries.len() - 1;
    run.entries[last] = What::Event { number: 3, digest: 1 };
    assert_eq!(run.counts(), [0, 0, 0, 0, 1]);
    let mut run = Run::perfect();
    run.log[2].audience = Some(Audience { participant_ids: vec![2], ..Audience::default() });
    let last = run.entries.len() - 1;
    run.entries[last] = What::Event { number: 3, digest: digest(&run.log[2]) };
    assert_eq!(run.counts(), [0, 0, 0, 0, 1]);
}

#[test]
fn whom_sigkill_took_needs_not_be_told_what_came_after() {
    let mut run = Run::perfect();
    run.entries.pop();
    run.killed = true;
    assert_eq!(run.counts(), [0; 5]);
}
