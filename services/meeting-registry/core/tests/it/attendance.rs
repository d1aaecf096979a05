//! Who was there, from the events alone.

use tributary_meeting_registry_core::{
    Act, AttendanceReport, Command, Event, Join, Leave, LeaveReason, OfflineReason, Operated,
    Patience, Presence, State, UnixMillis,
};

use crate::{ANN, BOB, NOW, join, join_as, leave, lobby, new_meeting, operation, session};

const SECOND: UnixMillis = 1_000;

/// A meeting that is recorded while time passes.
struct Recorded {
    state: State,
    report: AttendanceReport,
}

impl Recorded {
    fn new() -> Self {
        Self { state: new_meeting(), report: AttendanceReport::default() }
    }

    fn take(&mut self, events: &[Event]) {
        for event in events {
            self.report.take(event);
        }
    }

    fn apply(&mut self, second: u64, command: Command) {
        let events = self.state.apply(command, NOW + second * SECOND).unwrap();
        self.take(&events);
    }

    fn operate(&mut self, second: u64, actor: tributary_identifiers::ParticipantId, act: Act) {
        let operation = operation(&self.state, actor, act);
        let now = NOW + second * SECOND;
        let operated = self.state.operate(&operation, Patience::Wait, now);
        let Operated::Answered(events) = operated else { panic!("{operated:?}") };
        self.take(&events);
    }

    /// From when to when, in seconds, and whether the end is inferred.
    fn stays(&self, actor: tributary_identifiers::ParticipantId) -> Vec<(u64, Option<u64>, bool)> {
        let seconds = |at| (at - NOW) / SECOND;
        let one = self.report.attendances().find(|one| one.participant == actor).unwrap();
        one.stays
            .iter()
            .map(|stay| (seconds(stay.from), stay.to.map(seconds), stay.inferred))
            .collect()
    }
}

#[test]
fn stays_follow_coming_going_and_presence() {
    let mut meeting = Recorded::new();
    meeting.apply(0, Command::Join(join_as("ann", 1)));
    meeting.apply(10, Command::Join(join(2, 1, 1)));
    meeting.operate(15, BOB, Act::SetPresence(Presence::Away));
    meeting.apply(20, Command::Join(join(2, 2, 1)));
    let offline = Presence::Offline(OfflineReason::OtherMeeting);
    meeting.operate(30, BOB, Act::SetPresence(offline));
    meeting.operate(40, BOB, Act::SetPresence(Presence::Online));
    meeting.apply(50, leave(2, session(2, 1)));
    meeting.apply(60, Command::Join(join(2, 1, 1)));
    let stays = [(10, Some(30), false), (40, Some(50), false), (60, None, false)];
    assert_eq!(meeting.stays(BOB), stays);
    let bob = meeting.report.attendances().nth(1).unwrap();
    assert_eq!(bob.present_ms(NOW + 65 * SECOND), 35 * SECOND);
    let relays: Vec<_> = bob.stays.iter().map(|stay| stay.relay_id.to_string()).collect();
    assert_eq!(relays, ["relay-1", "relay-2", "relay-1"], "through which each began");
    meeting.apply(70, Command::End);
    assert_eq!(meeting.stays(ANN), [(0, Some(70), false)]);
    assert_eq!(meeting.stays(BOB)[2], (60, Some(70), false));
}

#[test]
fn who_was_lost_was_there_until_last_heard_of() {
    let mut meeting = Recorded::new();
    meeting.apply(0, Command::Join(join_as("ann", 1)));
    meeting.apply(10, Command::Join(join(2, 1, 1)));
    let (relay_session, reason) = (session(1, 1), LeaveReason::TerminalLost);
    let lost = Leave { participant: BOB, relay_session, reason, silent: 9 * SECOND };
    meeting.apply(30, Command::Leave(lost));
    assert_eq!(meeting.stays(BOB), [(10, Some(21), true)]);
    let relay_session = session(1, 1);
    meeting.apply(40, Command::RelayLost { relay_session, silent: 60 * SECOND });
    assert_eq!(meeting.stays(ANN), [(0, Some(0), true)], "never before it began");
}

#[test]
fn only_the_end_of_who_was_lost_is_inferred() {
    for (reason, silent, stay) in [
        (LeaveReason::Left, 0, (10, Some(30), false)),
        (LeaveReason::Left, 9 * SECOND, (10, Some(21), false)),
        (LeaveReason::TerminalLost, 0, (10, Some(30), true)),
        (LeaveReason::RelayLost, 9 * SECOND, (10, Some(21), true)),
    ] {
        let mut meeting = Recorded::new();
        meeting.apply(0, Command::Join(join_as("ann", 1)));
        meeting.apply(10, Command::Join(join(2, 1, 1)));
        let relay_session = session(1, 1);
        let leave = Leave { participant: BOB, relay_session, reason, silent };
        meeting.apply(30, Command::Leave(leave));
        assert_eq!(meeting.stays(BOB), [stay], "{reason:?}");
    }
}

#[test]
fn a_lost_one_who_came_online_late_is_not_there_before() {
    let mut meeting = Recorded::new();
    meeting.apply(0, Command::Join(Join { held: true, ..join(2, 1, 1) }));
    assert_eq!(meeting.report.attendances().count(), 0, "held is not there");
    let ann = tributary_identifiers::ParticipantId(1);
    meeting.operate(20, ann, Act::SetPresence(Presence::Online));
    let relay_session = session(1, 1);
    meeting.apply(25, Command::RelayLost { relay_session, silent: 15 * SECOND });
    assert_eq!(meeting.stays(ann), [(20, Some(20), true)]);
}

#[test]
fn who_only_waited_in_the_lobby_was_not_there() {
    let mut meeting = Recorded::new();
    meeting.apply(0, Command::Join(join_as("ann", 1)));
    meeting.apply(0, lobby(true));
    meeting.apply(5, Command::Join(join(2, 1, 1)));
    meeting.apply(5, Command::Join(join(3, 1, 1)));
    meeting.operate(9, ANN, Act::AnswerLobby { participant: BOB, admitted: true });
    meeting.apply(12, Command::End);
    let there: Vec<_> = meeting.report.attendances().map(|one| one.participant).collect();
    assert_eq!(there, [ANN, BOB]);
    assert_eq!(meeting.stays(BOB), [(9, Some(12), false)]);
}

#[test]
fn a_clock_that_is_set_back_neither_shortens_nor_stretches_beyond_its_step() {
    let mut meeting = Recorded::new();
    meeting.apply(100, Command::Join(join_as("ann", 1)));
    meeting.apply(40, leave(1, session(1, 1)));
    meeting.apply(50, Command::Join(join_as("ann", 1)));
    meeting.apply(130, leave(1, session(1, 1)));
    assert_eq!(meeting.stays(ANN), [(100, Some(100), false), (100, Some(130), false)]);
}

#[test]
fn pages_are_by_participant_id() {
    let mut meeting = Recorded::new();
    for who in 1..=5 {
        meeting.apply(0, Command::Join(join(who, 1, 1)));
    }
    let page = |after, limit| {
        meeting.report.page(after, limit).map(|one| one.participant.0).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [1, 2]);
    assert_eq!(page(Some(BOB), 2), [3, 4]);
    assert_eq!(page(Some(tributary_identifiers::ParticipantId(5)), 2), [0; 0]);
}

#[test]
fn the_report_is_a_table_and_an_object() {
    let mut meeting = Recorded::new();
    meeting.apply(0, Command::Join(join_as("ann", 1)));
    meeting.operate(1, ANN, Act::CheckIn);
    meeting.operate(2, ANN, Act::SetName("=cmd,\"x\"".into()));
    meeting.apply(3, leave(1, session(1, 1)));
    meeting.apply(5, Command::Join(join_as("ann", 1)));
    meeting.operate(6, ANN, Act::CheckIn);
    meeting.operate(7, ANN, Act::CheckIn);
    let csv = meeting.report.csv(NOW + 9 * SECOND);
    let expected = "participant_id,user_id,display_name,guest,relay_id,relay_name,from,to,\
        present_ms,end_inferred,checked_in_at\r\n\
        1,ann,\"'=cmd,\"\"x\"\"\",false,relay-1,Office 1,2027-01-15T08:00:00.000Z,\
        2027-01-15T08:00:03.000Z,3000,false,2027-01-15T08:00:01.000Z\r\n\
        1,ann,\"'=cmd,\"\"x\"\"\",false,relay-1,Office 1,2027-01-15T08:00:05.000Z,,4000,false,\
        2027-01-15T08:00:06.000Z 2027-01-15T08:00:07.000Z\r\n";
    assert_eq!(csv, expected);

    let json = meeting.report.json(meeting.state.meeting(), NOW + 9 * SECOND);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ann = &json["participants"][0];
    assert_eq!(ann["present_ms"], 7000);
    assert_eq!(ann["display_name"], "=cmd,\"x\"");
    assert_eq!(ann["stays"][0]["to"], "2027-01-15T08:00:03.000Z");
    assert_eq!(ann["stays"][1]["to"], serde_json::Value::Null);
    assert_eq!(ann["checked_in_at"].as_array().unwrap().len(), 3);
    assert_eq!(json["subject"], "Planning");
}
