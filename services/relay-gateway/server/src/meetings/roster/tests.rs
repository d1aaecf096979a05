//! The roster follows each kind of event, and who is told of what.

use tributary_contracts::{
    event::v1::{
        AskedToUnmute, AttachmentsChanged, ChatMessage, CheckedIn, HostChanged, LockChanged,
        MeetingChanged, MeetingEnded, MembersChanged, NameChanged, OperationDone,
        ParticipantJoined, ParticipantLeft, ParticipantMuted, SpotlightChanged, TalkChanged,
    },
    operation::v1::OfflineReason,
};

use super::*;

fn event(number: u64, body: Body) -> MeetingEvent {
    MeetingEvent { number, body: Some(body), ..MeetingEvent::default() }
}

fn joined(participant_id: u32) -> Body {
    let participant = Participant { participant_id, ..Participant::default() };
    Body::Joined(ParticipantJoined { participant: Some(participant) })
}

fn of(events: impl IntoIterator<Item = Body>) -> Roster {
    let mut roster = Roster::default();
    for (number, body) in (1..).zip(events) {
        assert_eq!(roster.apply(&event(number, body)), Applied::Next);
    }
    roster
}

fn id(id: u32) -> ParticipantId {
    ParticipantId(id)
}

fn talk(participant_id: u32, target_ids: &[u32]) -> Body {
    Body::TalkChanged(TalkChanged { participant_id, target_ids: target_ids.to_vec() })
}

#[test]
fn events_about_the_meeting_count_and_change_nobody() {
    let mut roster = of([joined(1)]);
    let before = roster.participants.clone();
    for (number, body) in (2..).zip([
        Body::MembersChanged(MembersChanged { members: 3, removed: 0 }),
        Body::MeetingChanged(MeetingChanged { subject: "New".into() }),
        Body::AttachmentsChanged(AttachmentsChanged { attachments: 1 }),
        Body::ChatMessage(ChatMessage { participant_id: 1, ..<_>::default() }),
        Body::AskedToUnmute(AskedToUnmute { participant_id: 1, by_participant_id: 2 }),
        Body::OperationDone(OperationDone {}),
    ]) {
        assert_eq!(roster.apply(&event(number, body)), Applied::Next);
    }
    assert_eq!((roster.participants, roster.event_number), (before, 7));
}

#[test]
fn events_apply_in_order_once_and_gaps_are_told() {
    let mut roster = Roster::default();
    assert_eq!(roster.apply(&event(1, joined(1))), Applied::Next);
    assert_eq!(roster.apply(&event(1, joined(2))), Applied::Known);
    assert_eq!(roster.apply(&event(3, joined(3))), Applied::Gap);
    assert_eq!(roster.apply(&event(2, joined(2))), Applied::Next);
    let left = Body::Left(ParticipantLeft { participant_id: 1, ..<_>::default() });
    assert_eq!(roster.apply(&event(3, left)), Applied::Next);
    assert_eq!(roster.participants.keys().collect::<Vec<_>>(), [&2]);
}

#[test]
fn what_participants_do_is_seen_on_them() {
    let presence = Presence::Offline.into();
    let reason = OfflineReason::OtherMeeting.into();
    let roster = of([
        joined(1),
        joined(2),
        Body::Muted(ParticipantMuted { participant_id: 1, muted: true, by_participant_id: 2 }),
        Body::HandChanged(HandChanged { participant_id: 1, raised: true, by_participant_id: 0 }),
        Body::PresenceChanged(PresenceChanged {
            participant_id: 1,
            presence,
            reason,
            unreachable: true,
        }),
        Body::HostChanged(HostChanged { participant_id: 1, host: true }),
        Body::NameChanged(NameChanged { participant_id: 1, display_name: "Ada".into() }),
        Body::LockChanged(LockChanged { locked: true }),
        Body::SpotlightChanged(SpotlightChanged { participant_id: 2 }),
    ]);
    let one = roster.participant(id(1)).unwrap();
    assert!(one.muted && one.host && one.unreachable);
    assert_eq!((one.hand_raised, one.display_name.as_str()), (4, "Ada"));
    assert_eq!(one.presence(), Presence::Offline);
    assert_eq!(one.offline_reason(), OfflineReason::OtherMeeting);
    assert_eq!(
        *roster.participant(id(2)).unwrap(),
        Participant { participant_id: 2, ..<_>::default() }
    );
    assert_eq!(roster.state, MeetingState { locked: true, spotlight_participant_id: 2 });
}

#[test]
fn a_hand_goes_down_and_a_check_in_has_the_time_of_its_event() {
    let up = HandChanged { participant_id: 1, raised: true, by_participant_id: 0 };
    let down = HandChanged { raised: false, by_participant_id: 2, ..up };
    let mut roster = of([joined(1), Body::HandChanged(up), Body::HandChanged(down)]);
    let at = Some(prost_types::Timestamp { seconds: 7, nanos: 0 });
    let checked_in = Body::CheckedIn(CheckedIn { participant_id: 1 });
    roster.apply(&MeetingEvent { at, ..event(4, checked_in) });
    let one = roster.participant(id(1)).unwrap();
    assert_eq!((one.hand_raised, one.checked_in_at), (0, at));
}

#[test]
fn a_talk_lasts_until_it_is_ended_or_its_talker_is_gone() {
    let mut roster = of([joined(1), joined(2), talk(1, &[2]), talk(2, &[1]), talk(1, &[2, 3])]);
    assert_eq!((roster.talk_of(id(1)), roster.talk_of(id(2))), (&[2, 3][..], &[1][..]));
    roster.apply(&event(6, talk(1, &[])));
    let left = Body::Left(ParticipantLeft { participant_id: 2, ..<_>::default() });
    roster.apply(&event(7, left));
    assert!(roster.talk_of(id(1)).is_empty() && roster.talk_of(id(2)).is_empty());
    roster.apply(&event(8, talk(1, &[3])));
    roster.apply(&event(9, Body::Ended(MeetingEnded {})));
    assert!(roster.talk_of(id(1)).is_empty() && roster.participants.is_empty());
}

/// 1 is a host, 2 and 4 are in, 3 waits.
fn with_lobby() -> Roster {
    let waiting = Presence::Waiting.into();
    let participants = vec![
        Participant { participant_id: 1, host: true, ..<_>::default() },
        Participant { participant_id: 2, ..<_>::default() },
        // Somebody can wait whom the member list calls a host.
        Participant { participant_id: 3, presence: waiting, host: true, ..<_>::default() },
        Participant { participant_id: 4, ..<_>::default() },
    ];
    let talks = vec![Talk { participant_id: 1, target_ids: vec![2] }];
    Roster::new(participants, MeetingState { locked: true, ..<_>::default() }, talks, 9)
}

#[test]
fn everybody_sees_what_is_for_them() {
    let roster = with_lobby();
    let check = |who: u32, participants: &[u32], talks: usize| {
        let seen = roster.seen_by(roster.standing(id(who)).unwrap());
        let ids: Vec<_> = seen.participants.iter().map(|p| p.participant_id).collect();
        assert_eq!((ids.as_slice(), seen.talks.len(), seen.event_number), (participants, talks, 9));
        seen
    };
    assert!(check(1, &[1, 2, 3, 4], 1).state.unwrap().locked);
    check(2, &[1, 2, 4], 1);
    check(4, &[1, 2, 4], 0);
    assert_eq!(check(3, &[], 0).state, None);
    assert_eq!(roster.standing(id(5)), None);
}

#[test]
fn an_event_is_told_to_its_audience_and_nobody_else() {
    let roster = with_lobby();
    let relay: RelayId = "here".parse().unwrap();
    let told = |audience: Option<Audience>| -> Vec<u32> {
        let is_told =
            |who: &u32| roster.standing(id(*who)).unwrap().is_told(audience.as_ref(), &relay);
        (1..=4).filter(is_told).collect()
    };
    let some = |ids: &[u32], hosts, relay_id: &str| {
        told(Some(Audience { participant_ids: ids.to_vec(), hosts, relay_id: relay_id.into() }))
    };
    assert_eq!(told(None), [1, 2, 4]);
    assert_eq!(some(&[], false, ""), [0; 0]);
    assert_eq!(some(&[2], false, ""), [2]);
    assert_eq!(some(&[], true, ""), [1]);
    // The lobby hears what names it, and nothing else.
    assert_eq!(some(&[3], true, ""), [1, 3]);
    assert_eq!(some(&[], false, "here"), [1, 2, 4]);
    assert_eq!(some(&[], false, "there"), [0; 0]);
}
