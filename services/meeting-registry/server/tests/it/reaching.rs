//! Relays that can't be reached for a while: in the database, in the log, over gRPC.

use std::collections::BTreeSet;

use prost::Message as _;
use tonic::Code;
use tributary_contracts::{
    event::v1::{MeetingEvent, Presence as WirePresence, meeting_event::Body},
    registry::v1::{GetRosterRequest, JoinRequest, ListEventsRequest, SetReachableRequest},
};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{Command, Presence, Refusal, SetReachable};
use tributary_meeting_registry_server::StoreError;

use crate::{
    Base,
    calls::{Answering, assert_refused, create, join},
    on_both, session,
};

on_both!(
    who_cant_be_reached_is_stored_and_told_once_and_is_in_all_the_time,
    an_office_larger_than_a_statement_is_cut_off_at_once,
);

/// More than are written by one statement.
const OFFICE: u32 = 520;

fn reach(ids: impl IntoIterator<Item = u32>, relay: u32, reachable: bool) -> Command {
    Command::SetReachable(SetReachable {
        participants: ids.into_iter().map(ParticipantId).collect::<BTreeSet<_>>(),
        relay_session: session(relay),
        reachable,
    })
}

async fn who_cant_be_reached_is_stored_and_told_once_and_is_in_all_the_time(base: Base) {
    let meeting = base.meeting().await;
    for (who, relay) in [(1, 1), (2, 1), (3, 2)] {
        base.join(&meeting, who, relay).await;
    }
    let untold = base.rows("registry_outbox").await;
    let applied = base.registry.apply(&meeting, reach([1, 3], 1, false)).await.unwrap();
    assert_eq!(applied.events.len(), 1, "3 is behind another relay");
    assert_eq!(base.rows("registry_outbox").await, untold + 1);
    let again = base.registry.apply(&meeting, reach([1, 3], 1, false)).await.unwrap();
    assert_eq!(again.events, []);
    let events = base.store.events(&meeting, 3, 10).await.unwrap();
    let [event] = events.as_slice() else { panic!("{} events", events.len()) };
    let event = MeetingEvent::decode(event.as_slice()).unwrap();
    let Some(Body::PresenceChanged(change)) = event.body else { panic!("{event:?}") };
    assert_eq!((change.participant_id, change.unreachable), (1, true));
    assert_eq!(change.presence(), WirePresence::Away);

    let base = base.restart().await;
    let shown = async |base: &Base| {
        let (_, roster) = base.store.roster(&meeting).await.unwrap();
        roster
            .participants()
            .map(|one| (one.id.0, one.presence, one.unreachable))
            .collect::<Vec<_>>()
    };
    let online = |id| (id, Presence::Online, false);
    assert_eq!(shown(&base).await, [(1, Presence::Away, true), online(2), online(3)]);
    base.registry.apply(&meeting, reach([1], 1, true)).await.unwrap();
    assert_eq!(shown(&base).await, [online(1), online(2), online(3)]);
    let (_, report) = base.store.attendance(&meeting).await.unwrap();
    let stays: Vec<_> = report.attendances().map(|one| one.stays.len()).collect();
    assert_eq!(stays, [1, 1, 1]);

    // Who comes back by another relay is not spoken for by the one before.
    base.registry.apply(&meeting, reach([1], 1, false)).await.unwrap();
    let back = base.join(&meeting, 1, 2).await;
    assert_eq!((back.presence, back.unreachable), (Presence::Online, false));
    let old = base.registry.apply(&meeting, reach([1], 1, false)).await.unwrap();
    assert_eq!(old.events, []);
    assert_eq!(shown(&base).await, [online(1), online(2), online(3)]);
    let nobody = base.registry.apply(&meeting, reach([2, 9], 1, false)).await.unwrap_err();
    let unknown = Refusal::UnknownParticipant(ParticipantId(9));
    assert!(matches!(nobody, StoreError::Refused(refusal) if refusal == unknown), "{nobody}");
    assert_eq!(shown(&base).await, [online(1), online(2), online(3)], "all or nothing");
}

async fn an_office_larger_than_a_statement_is_cut_off_at_once(base: Base) {
    let meeting = base.meeting().await;
    for who in 1..=OFFICE {
        base.join(&meeting, who, 1).await;
    }
    for reachable in [false, true] {
        let told = base.rows("registry_event").await;
        base.registry.apply(&meeting, reach(1..=OFFICE, 1, reachable)).await.unwrap();
        assert_eq!(base.rows("registry_event").await, told + i64::from(OFFICE));
        let (_, roster) = base.store.roster(&meeting).await.unwrap();
        let unreachable = roster.participants().filter(|one| one.unreachable).count();
        assert_eq!(unreachable, if reachable { 0 } else { OFFICE as usize });
    }
}

#[tokio::test]
async fn a_relay_says_so_over_grpc() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let id = meeting.unwrap().meeting_id;
    let deep = JoinRequest { relay_depth: 3, relay_itself: true, ..join(&id) };
    let joined = client.join(deep.clone()).await.unwrap().into_inner().participant.unwrap();
    assert_eq!((joined.relay_depth, joined.relay_itself, joined.unreachable), (3, true, false));
    let set = |participant_ids: &[u32], reachable| SetReachableRequest {
        meeting_id: id.clone(),
        participant_ids: participant_ids.to_vec(),
        relay_session_id: "run-1".into(),
        reachable,
        ..Default::default()
    };
    client.set_reachable(set(&[1], false)).await.unwrap();
    client.set_reachable(set(&[1], false)).await.unwrap();
    client.set_reachable(set(&[], false)).await.unwrap();
    let roster = GetRosterRequest { meeting_id: id.clone(), ..Default::default() };
    let roster = client.get_roster(roster).await.unwrap().into_inner();
    let bob = &roster.participants[0];
    assert_eq!((bob.presence(), bob.unreachable), (WirePresence::Away, true));
    assert_eq!((bob.relay_depth, bob.relay_itself, roster.event_number), (3, true, 2));
    client.set_reachable(set(&[1], true)).await.unwrap();
    let events = ListEventsRequest { meeting_id: id.clone(), after: 2, ..Default::default() };
    let events = client.list_events(events).await.unwrap().into_inner().events;
    let [MeetingEvent { body: Some(Body::PresenceChanged(change)), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((change.presence(), change.unreachable), (WirePresence::Online, false));

    let refused = client.join(JoinRequest { relay_depth: 9, ..deep }).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "relay_depth");
    let many: Vec<u32> = (1..=8193).collect();
    let refused = client.set_reachable(set(&many, false)).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "participant_ids");
    let refused = client.set_reachable(set(&[0], false)).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "participant_id");
    let refused = client.set_reachable(set(&[7], false)).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_PARTICIPANT");
    let nobody = SetReachableRequest { relay_session_id: String::new(), ..set(&[1], false) };
    let refused = client.set_reachable(nobody).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "relay_session_id");
    let elsewhere = SetReachableRequest { meeting_id: "1".into(), ..set(&[1], false) };
    let refused = client.set_reachable(elsewhere).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_MEETING");
}
