//! A relay that stands in one room.

use tributary_contracts::media::v1::TrackRole;
use tributary_identifiers::RelayId;

use crate::world::{World, frame};

#[tokio::test]
async fn a_room_says_that_it_is_one_and_never_hears_itself() {
    let mut world = World::start(true).await;
    let terminals = [world.attach(1, 1, 7, false).await, world.attach(2, 1, 8, false).await];
    let needs = world.needs_other_than(1, &[]).await;
    let [room] = &needs.rooms[..] else { panic!("{needs:?}") };
    let relay: RelayId = "office".parse().unwrap();
    assert_eq!((room.room_id, &room.participant_ids), (relay.room_id(), &needs.participant_ids));
    let mut peer = world.connect(terminals[0], 3).await;
    let outside = frame(TrackRole::Common, 0, &[99], &[]);
    world.send_until_heard(1, &outside, &mut peer).await;
    peer.heard_so_far();
    // Of 8, who sits beside; then of somebody else, and that is heard first.
    world.send(1, frame(TrackRole::Common, 8, &[8], &[]));
    world.send(1, frame(TrackRole::Common, 8, &[8, 99], &[]));
    assert_eq!(world.send_until_heard(1, &outside, &mut peer).await.payload[0], 1);
}
