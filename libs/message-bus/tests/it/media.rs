//! Media never waits: what can't be handed over is dropped, the oldest first.

use bytes::Bytes;
use tributary_identifiers::{MeetingId, RelayId};
use tributary_message_bus::{MediaBus, MediaInbox, permissions::User, subjects::MeetingScope};

use crate::server::{Server, dependency, eventually};

fn scope() -> MeetingScope {
    MeetingScope { organisation: Default::default(), meeting: MeetingId::try_from(9).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_reach_the_mixer_and_a_stopped_server_costs_frames_but_no_time() {
    let mut server = Server::start();
    let relay: RelayId = "office-a".parse().unwrap();
    let config = server.config(&User::relay(relay.clone()));
    let up = MediaBus::connect(&config, "relay", &dependency()).await.unwrap();
    let mixer =
        MediaBus::connect(&server.config(&User::Mixer), "mixer", &dependency()).await.unwrap();
    let inbox = MediaInbox::default();
    let _subscription = mixer.subscribe(scope().up_all(), 1, &inbox).await.unwrap();
    let subject = scope().up(&relay);
    let heard = || {
        up.publish(&subject, Bytes::from_static(b"frame"));
        let popped = inbox.pop();
        async move { popped }
    };
    let delivery = eventually("a frame", heard).await;
    assert_eq!(delivery.message.payload.as_ref(), b"frame");
    server.stop();
    eventually("the disconnection", || {
        let sent = up.publish(&subject, Bytes::from_static(b"lost"));
        async move { (!sent).then_some(()) }
    })
    .await;
    server.start_again();
    eventually("a frame after the restart", || {
        up.publish(&subject, Bytes::from_static(b"again"));
        let popped = inbox.pop();
        async move { popped.filter(|delivery| delivery.message.payload.as_ref() == b"again") }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_read_loses_the_oldest() {
    let server = Server::start();
    let relay: RelayId = "office-a".parse().unwrap();
    let config = server.config(&User::relay(relay.clone()));
    let up = MediaBus::connect(&config, "relay", &dependency()).await.unwrap();
    let mixer =
        MediaBus::connect(&server.config(&User::Mixer), "mixer", &dependency()).await.unwrap();
    let inbox = MediaInbox::default();
    let _subscription = mixer.subscribe(scope().up_all(), (), &inbox).await.unwrap();
    let subject = scope().up(&relay);
    let mut sent = 0_u32;
    // Far more than the ring holds, at a pace that the connection takes.
    while sent < 5_000 {
        if up.publish(&subject, Bytes::copy_from_slice(&sent.to_be_bytes())) {
            sent += 1;
        } else {
            tokio::task::yield_now().await;
        }
        if sent.is_multiple_of(50) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    let number = |payload: &Bytes| u32::from_be_bytes(payload.as_ref().try_into().unwrap());
    let mut kept = Vec::new();
    eventually("the newest frame", || {
        while let Some(delivery) = inbox.pop() {
            kept.push(number(&delivery.message.payload));
        }
        let arrived = kept.last() == Some(&4_999);
        async move { arrived.then_some(()) }
    })
    .await;
    assert!(kept.is_sorted());
    assert!(kept.len() < 5_000 && kept.first() != Some(&0), "{} kept", kept.len());
}
