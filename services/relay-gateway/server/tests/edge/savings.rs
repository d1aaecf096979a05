//! What a relay says that it saves: everybody behind it counts, also behind relays attached to it.

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_a_chain_each_behind_it_counts_for_what_is_told_and_said() {
    let stage = Stage::start().await;
    let office = stage.edge("office").await;
    let desk = stage.edge_behind("desk", office.uplinks.unwrap()).await;
    let people = [desk.enter("kim").await, desk.enter("sam").await];
    for person in &people {
        person.join(1).await;
    }
    office.shows("two are behind it", |status| status.participants == Some(2)).await;
    let before = office.status.borrow().clone();
    assert_eq!((before.terminals, before.relays), (0, 1));
    assert!(before.heard_bytes > 0 && before.delivered_bytes > 0, "{before:?}");
    // Over the uplink it goes once.
    let text = "so ".repeat(1_000);
    stage.announce(&text).await;
    let told = before.delivered_bytes + 2 * text.len() as u64;
    office.shows("both were told", |status| status.delivered_bytes >= told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_attached_nothing_is_shown_that_nobody_has_said() {
    let stage = Stage::start().await;
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let lonely = stage.edge_apart("lonely", nobody, |_| {}).await;
    lonely.shows("it has tried", |status| status.last_error.is_some()).await;
    let status = lonely.status.borrow().clone();
    assert_eq!((status.participants, status.limit_kbit), (None, None));
    let limited = stage
        .edge_apart("limited", stage.uplinks, |settings| settings.uplink_limit_kbit = 2_000)
        .await;
    limited.is_attached().await;
    let said = |status: &tributary_relay_gateway_server::edge::Status| {
        (status.participants, status.limit_kbit) == (Some(0), Some(2_000))
    };
    limited.shows("what was said", said).await;
    limited.cable.cut();
    limited.is_lost().await;
    assert!(said(&limited.status.borrow()), "it is known still");
}
