//! Relays of different versions in a chain, by this relay and others that are newer than it.

use tributary_contracts::{
    event::v1::meeting_event::Body as EventBody,
    operation::v1::{CheckIn, operation::Body as Act},
};
use tributary_relay_gateway_server::edge::Status;
use tributary_relay_uplink::protocol::{NEWEST, OLDEST};

use crate::{
    newer::{Newer, Versions},
    stage::Stage,
    world::eventually,
};

/// Both are one release newer.
const NEWER: Versions = Versions { child: (OLDEST, NEWEST + 1), chosen: None };

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_neighbour_says_is_passed_over_and_nothing_is_lost_for_it() {
    let stage = Stage::start().await;
    let newer = Newer::before(stage.uplinks, NEWER).await;
    let office = stage.edge_behind("office", newer.address).await;
    let attached = office.status.borrow().attached.clone().unwrap();
    assert_eq!(attached.protocol, NEWEST);
    let desk = stage.edge_behind("desk", office.uplinks.unwrap()).await;
    let mut people = vec![office.enter("eve").await, desk.enter("kim").await];
    for person in &mut people {
        let own = person.join(1).await.participant_id;
        let operation = person.operation(1, own, Act::CheckIn(CheckIn {}));
        assert_eq!(person.operate(&operation).await.unwrap(), operation.operation_id);
    }
    let mut expected = vec![stage.announce("before").await];
    // The session goes on after a cut: each side knows how far the other had come.
    office.cable.cut();
    office.is_lost().await;
    expected.push(stage.announce("meanwhile").await);
    office.cable.mend();
    office.is_attached().await;
    assert!(office.status.borrow().resumed >= 1);
    expected.push(stage.announce("after").await);
    for person in &mut people {
        let mut announced = Vec::new();
        while announced.len() < expected.len() {
            let event = person.next_event().await;
            if matches!(event.body, Some(EventBody::Announcement(_))) {
                announced.push(event.number);
            }
        }
        assert_eq!(announced, expected);
    }
    assert_eq!(stage.registry.joins.lock().unwrap().len(), 2);
    let said = newer.said();
    assert!(said.0 > 10 && said.1 > 10, "{said:?}");
    eventually("all of that has arrived", || newer.have_acknowledged(said)).await;
}

/// A relay that comes by this does not come in, and its status page says so.
async fn is_told(versions: Versions, words: [&str; 2]) {
    let stage = Stage::start().await;
    let newer = Newer::before(stage.uplinks, versions).await;
    let office = stage.edge_apart("office", newer.address, |_| {}).await;
    let says = |status: &Status| {
        let text = status.last_error.as_ref().map(|error| error.text.as_str()).unwrap_or_default();
        words.iter().all(|word| text.contains(word))
    };
    office.shows("it says why", says).await;
    assert!(office.status.borrow().attached.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_have_nothing_in_common_say_which_relay_is_to_be_updated() {
    let apart = Versions { child: (NEWEST + 1, NEWEST + 2), chosen: None };
    is_told(apart, ["refuses this relay", "update the older of the two"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_chooses_what_is_not_spoken_is_not_attached_to() {
    let chosen = Versions { chosen: Some(NEWEST + 1), ..NEWER };
    is_told(chosen, ["does not speak", "update it"]).await;
}
