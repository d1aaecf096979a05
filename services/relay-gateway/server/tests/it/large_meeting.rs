//! A meeting as large as it may be, with names as long as they may be.

use tributary_contracts::registry::v1::JoinRequest;

use crate::{
    person::Person,
    world::{World, meeting},
};

const PEOPLE: u32 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn its_roster_is_read_and_told_with_everybodys_way() {
    let world = World::start().await;
    world.open([1]);
    // The longest that the registry keeps: 64 characters of 4 bytes, and two of them in a path.
    let name = "𠀀".repeat(64);
    let path = vec![name.clone(); 2];
    let id = |who: u32| format!("{who:0>64}");
    world.registry.log(&meeting(1).to_string(), |log| {
        for who in 0..PEOPLE {
            log.join(JoinRequest {
                user_id: id(who),
                display_name: name.clone(),
                relay_id: id(1),
                relay_name: name.clone(),
                relay_depth: 2,
                relay_path: path.clone(),
                core_relay_id: id(2),
                ..JoinRequest::default()
            });
        }
    });
    let eve = Person::enter(&world, "eve").await;
    let roster = eve.join(1).await.roster.unwrap();
    assert_eq!(roster.participants.len(), PEOPLE as usize + 1);
    let ways = roster.participants.iter().filter(|one| one.relay_path == path);
    assert_eq!(ways.count(), PEOPLE as usize);
}
