//! By which relays somebody is there: in the database, in the log, over gRPC.

use prost::Message as _;
use sea_orm::ConnectionTrait as _;
use tonic::Code;
use tributary_contracts::{
    event::v1::{MeetingEvent, Participant as WireParticipant, meeting_event::Body},
    registry::v1::{GetRosterRequest, JoinRequest},
};
use tributary_identifiers::RelayId;
use tributary_meeting_registry_core::{Join, Participant, RelayName, RelayPath};
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::{CancellationToken, Readiness};

use crate::{
    Base,
    calls::{Answering, assert_refused, create, join},
    on_both,
};

on_both!(
    a_path_is_stored_and_told_and_told_again_when_it_changes,
    what_a_replica_without_paths_writes_makes_a_path_unknown,
);

const PATH: [&str; 2] = ["Office A", "Room 3"];

/// Behind a room's relay behind an office's.
fn in_the_room(core: &str) -> Join {
    let mut join = crate::join(1, 1);
    join.relay_name = PATH[1].parse().unwrap();
    join.relay_depth = 2;
    let names = PATH.map(|name| name.parse().unwrap()).to_vec();
    join.relay_path = RelayPath::new(&join.relay_name, 2, names).unwrap();
    join.core_relay = Some(core.parse().unwrap());
    join
}

fn way(one: &Participant) -> (Vec<&str>, Option<&str>) {
    let names = one.relay_path.names().iter().map(RelayName::as_str).collect();
    (names, one.core_relay.as_ref().map(RelayId::as_str))
}

async fn shown(base: &Base, meeting: &MeetingScope) -> Participant {
    let (_, roster) = base.store.roster(meeting).await.unwrap();
    roster.participants().next().unwrap().clone()
}

async fn told(base: &Base, meeting: &MeetingScope, after: u64) -> Vec<WireParticipant> {
    let events = base.store.events(meeting, after, 10).await.unwrap();
    let joined = |event: &Vec<u8>| match MeetingEvent::decode(event.as_slice()).unwrap().body {
        Some(Body::Joined(joined)) => joined.participant,
        other => panic!("{other:?}"),
    };
    events.iter().filter_map(joined).collect()
}

async fn a_path_is_stored_and_told_and_told_again_when_it_changes(base: Base) {
    let meeting = base.meeting().await;
    let (joined, _) = base.registry.join(&meeting, in_the_room("core-1")).await.unwrap();
    assert_eq!(way(&joined), (PATH.to_vec(), Some("core-1")));
    // The run that is kept alive is the core relay's.
    assert_eq!(base.rows("registry_relay WHERE relay_id = 'core-1'").await, 1);

    let base = base.restart().await;
    assert_eq!(way(&shown(&base, &meeting).await), (PATH.to_vec(), Some("core-1")));
    base.registry.join(&meeting, in_the_room("core-1")).await.unwrap();
    assert_eq!(told(&base, &meeting, 0).await.len(), 1, "nothing new");

    base.registry.join(&meeting, in_the_room("core-2")).await.unwrap();
    let mut elsewhere = in_the_room("core-2");
    let names = ["Office B", "Room 3"].map(|name| name.parse().unwrap()).to_vec();
    elsewhere.relay_path = RelayPath::new(&elsewhere.relay_name, 2, names).unwrap();
    base.registry.join(&meeting, elsewhere).await.unwrap();
    let told: Vec<_> = told(&base, &meeting, 0)
        .await
        .into_iter()
        .map(|one| (one.relay_path.join(" › "), one.core_relay_id))
        .collect();
    let expected = [
        ("Office A › Room 3", "core-1"),
        ("Office A › Room 3", "core-2"),
        ("Office B › Room 3", "core-2"),
    ];
    assert_eq!(told, expected.map(|(path, core)| (path.to_owned(), core.to_owned())));
    let now = (vec!["Office B", "Room 3"], Some("core-2"));
    assert_eq!(way(&shown(&base, &meeting).await), now);
}

async fn what_a_replica_without_paths_writes_makes_a_path_unknown(base: Base) {
    let meeting = base.meeting().await;
    base.registry.join(&meeting, in_the_room("core-1")).await.unwrap();
    let readiness = Readiness::new().dependency("database");
    let (config, shutdown) = (base.scratch.config(), CancellationToken::new());
    let other = tributary_database::connect(config, "meeting-registry", &readiness, &shutdown);
    let other = other.await.unwrap();
    for (changed, known) in [
        ("relay_name = 'Room 3', relay_depth = 2", &PATH[..]),
        ("relay_name = 'Room 4', relay_depth = 2", &[][..]),
        ("relay_name = 'Room 3', relay_depth = 1", &[][..]),
    ] {
        let written = format!("UPDATE registry_participant SET {changed}");
        other.execute_unprepared(&written).await.unwrap();
        assert_eq!(way(&shown(&base, &meeting).await).0, known, "{changed}");
    }
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_relay_says_it_over_grpc() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let id = meeting.unwrap().meeting_id;
    let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect::<Vec<String>>();
    let by = |depth: usize, path: &[&str], core: &str| JoinRequest {
        relay_depth: u32::try_from(depth).unwrap(),
        relay_path: names(path),
        core_relay_id: core.into(),
        ..join(&id)
    };
    // A relay of the version before says neither.
    for (path, core) in [(&[][..], ""), (&["Site", "Floor", "Office A"][..], "core")] {
        let joined = client.join(by(3, path, core)).await.unwrap().into_inner();
        let roster = GetRosterRequest { meeting_id: id.clone(), ..Default::default() };
        let roster = client.get_roster(roster).await.unwrap().into_inner().participants;
        for one in [&joined.participant.unwrap(), &roster[0]] {
            assert_eq!((one.relay_depth, one.relay_name.as_str()), (3, "Office A"));
            assert_eq!((&one.relay_path, one.core_relay_id.as_str()), (&names(path), core));
        }
    }
    for (request, field) in [
        (by(2, &["Office A"], ""), "relay_path"),
        (by(2, &["Office A", "Site"], ""), "relay_path"),
        (by(0, &["Office A"], ""), "relay_path"),
        (by(9, &["Office A"; 9], ""), "relay_depth"),
        (by(2, &["\u{202e}", "Office A"], ""), "relay_path[0]"),
        (by(2, &[&"x".repeat(65), "Office A"], ""), "relay_path[0]"),
        (by(2, &[], "no id"), "core_relay_id"),
    ] {
        let refused = client.join(request).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, field);
    }
}
