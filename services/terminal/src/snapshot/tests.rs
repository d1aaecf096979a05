//! What is known follows what has happened.

use tributary_contracts::{
    event::v1::{
        AskedToUnmute, ChatMessage, CheckedIn, HandChanged, HostChanged, LockChanged, NameChanged,
        Participant, ParticipantJoined, ParticipantLeft, ParticipantMuted, Presence,
        PresenceChanged, SpotlightChanged, TalkChanged,
    },
    operation::v1::OfflineReason,
};

use super::*;

fn event(number: u64, body: Happened) -> MeetingEvent {
    let at = Some(prost_types::Timestamp { seconds: 60, nanos: 0 });
    MeetingEvent { number, at, body: Some(body), ..MeetingEvent::default() }
}

fn participant(participant_id: u32) -> Participant {
    Participant { participant_id, ..Participant::default() }
}

fn in_a_meeting() -> Snapshot {
    let participants = vec![participant(1), participant(2)];
    let roster = Roster { participants, event_number: 4, ..Roster::default() };
    let mut snapshot = Snapshot::default();
    snapshot.joined(Joined { participant_id: 1, roster: Some(roster), ..Joined::default() });
    snapshot
}

#[test]
fn the_roster_follows_events_and_old_ones_change_nothing() {
    let mut snapshot = in_a_meeting();
    let joined = ParticipantJoined { participant: Some(participant(3)) };
    assert!(snapshot.apply(&event(5, Happened::Joined(joined))));
    let muted = ParticipantMuted { participant_id: 3, muted: true, by_participant_id: 0 };
    assert!(snapshot.apply(&event(6, Happened::Muted(muted))));
    assert!(snapshot.roster[&ParticipantId(3)].muted);
    let left = ParticipantLeft { participant_id: 1, reason: 1, last_seen_at: None };
    assert!(!snapshot.apply(&event(4, Happened::Left(left))));
    assert_eq!(snapshot.repeated_events, 1);
    assert!(snapshot.apply(&event(7, Happened::Left(left))));
    let ids: Vec<u32> = snapshot.roster.keys().map(|id| id.0).collect();
    assert_eq!((ids, snapshot.cursor), (vec![2, 3], 7));
}

#[test]
fn what_people_do_is_seen() {
    let mut snapshot = in_a_meeting();
    let participant_id = 2;
    for (number, body) in [
        Happened::PresenceChanged(PresenceChanged {
            participant_id,
            presence: Presence::Offline.into(),
            reason: OfflineReason::Interrupted.into(),
            unreachable: true,
        }),
        Happened::HandChanged(HandChanged { participant_id, raised: true, by_participant_id: 0 }),
        Happened::CheckedIn(CheckedIn { participant_id }),
        Happened::HostChanged(HostChanged { participant_id, host: true }),
        Happened::NameChanged(NameChanged { participant_id, display_name: "Bo".into() }),
        Happened::LockChanged(LockChanged { locked: true }),
        Happened::SpotlightChanged(SpotlightChanged { participant_id }),
        Happened::AskedToUnmute(AskedToUnmute { participant_id: 1, by_participant_id: 2 }),
        Happened::ChatMessage(ChatMessage { text: "hello".into(), ..ChatMessage::default() }),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(snapshot.apply(&event(5 + number as u64, body)));
    }
    let person = &snapshot.roster[&ParticipantId(2)];
    assert_eq!(
        (person.presence, person.offline_reason),
        (Presence::Offline, OfflineReason::Interrupted)
    );
    assert!(!person.is_online() && person.host && person.checked_in.is_some());
    assert_eq!((person.hand_raised, person.display_name.as_str()), (6, "Bo"));
    assert!(snapshot.locked);
    assert_eq!((snapshot.spotlight, snapshot.asked_to_unmute), (Some(ParticipantId(2)), 1));
    assert_eq!((snapshot.chat[0].number, snapshot.chat[0].text.as_str()), (13, "hello"));
}

#[test]
fn private_talk_is_that_of_the_last_event_or_roster() {
    let mut snapshot = in_a_meeting();
    let talk = |participant_id, target_ids: &[u32]| {
        let target_ids = target_ids.to_vec();
        Happened::TalkChanged(TalkChanged { participant_id, target_ids })
    };
    snapshot.apply(&event(5, talk(1, &[2, 3])));
    snapshot.apply(&event(6, talk(2, &[1])));
    assert_eq!(snapshot.talking_to, [ParticipantId(2), ParticipantId(3)]);
    assert_eq!(snapshot.talks.len(), 2);
    snapshot.apply(&event(7, talk(1, &[])));
    assert_eq!((snapshot.talking_to.len(), snapshot.talks.len()), (0, 1));
    let talks = vec![Talk { participant_id: 1, target_ids: vec![2] }];
    snapshot.take_roster(Roster { talks, event_number: 3, ..Roster::default() });
    assert_eq!((snapshot.talking_to, snapshot.cursor), (vec![ParticipantId(2)], 7));
}

#[test]
fn who_comes_back_without_a_roster_keeps_what_it_knows() {
    let mut snapshot = in_a_meeting();
    snapshot.joined(Joined { participant_id: 1, ..Joined::default() });
    assert_eq!((snapshot.roster.len(), snapshot.cursor), (2, 4));
    // In the lobby there is nothing to know.
    let mut snapshot = Snapshot::default();
    let roster = Some(Roster::default());
    snapshot.joined(Joined { participant_id: 1, waiting: true, roster, ..Joined::default() });
    assert!(snapshot.waiting && snapshot.roster.is_empty());
}

#[test]
fn speaking_times_add_up() {
    let (a, b) = (ParticipantId(1), ParticipantId(2));
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut snapshot = Snapshot::default();
    snapshot.set_speakers(vec![a], at(0));
    snapshot.set_speakers(vec![b, a], at(2));
    snapshot.set_speakers(vec![b], at(5));
    snapshot.set_speakers(vec![a], at(6));
    snapshot.lost(at(10));
    let time =
        |times, seconds| SpeakingTime { times, total: Duration::from_secs(seconds), since: None };
    assert_eq!((snapshot.speaking[&a], snapshot.speaking[&b]), (time(2, 9), time(1, 4)));
}
