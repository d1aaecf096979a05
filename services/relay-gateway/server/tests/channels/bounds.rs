//! What comes from the network or waits too long is bounded, and the rest goes on.

use tokio::net::UdpSocket;
use tributary_relay_gateway_server::media::{DataError, MediaError};

use crate::{
    terminal::Offering,
    world::{World, soon},
};

/// How many channels of a relay may wait to be opened.
const UNOPENED_MAX: usize = 64;

#[tokio::test]
async fn an_offer_that_is_none_is_refused_in_words() {
    let world = World::start().await;
    let (_, offer) = Offering::new().await;
    for sdp in ["", "hello", &offer.replace("webrtc-datachannel", "other"), &offer.repeat(2)] {
        let refused = world.media.accept_channel(sdp.to_owned()).await.expect_err("accepted");
        assert!(matches!(refused, MediaError::Description(_)), "{refused}");
    }
    world.channel().await;
}

#[tokio::test]
async fn a_channel_that_nobody_opens_is_given_up() {
    let world = World::start().await;
    let (_offering, offer) = Offering::new().await;
    let (_, mut link) = world.media.accept_channel(offer).await.unwrap();
    assert!(!soon("the end", link.rx.opened()).await);
    assert_eq!(link.rx.recv().await, None);
    assert_eq!(link.tx.try_send("hello".into()), Err(DataError::Closed));
}

#[tokio::test]
async fn only_so_many_wait_to_be_opened() {
    let world = World::start().await;
    let mut waiting = Vec::new();
    for _ in 0..UNOPENED_MAX {
        let (_, offer) = Offering::new().await;
        waiting.push(world.media.accept_channel(offer).await.unwrap());
    }
    let (_, offer) = Offering::new().await;
    let full = world.media.accept_channel(offer).await.expect_err("accepted");
    assert!(matches!(full, MediaError::ChannelsFull), "{full}");
    waiting.pop();
    let again = async {
        loop {
            let (offering, offer) = Offering::new().await;
            if let Ok((answer, mut link)) = world.media.accept_channel(offer).await {
                let _terminal = offering.connect(&answer);
                assert!(link.rx.opened().await);
                return;
            }
        }
    };
    soon("a place", again).await;
    // One that is open waits no more.
    let (_, offer) = Offering::new().await;
    world.media.accept_channel(offer).await.unwrap();
}

#[tokio::test]
async fn a_channel_that_is_not_read_is_closed_and_no_other() {
    let world = World::start().await;
    let (mut terminal, mut link) = world.channel().await;
    let (other, mut other_link) = world.channel().await;
    for _ in 0..257 {
        terminal.send("hello");
    }
    terminal.closed().await;
    soon("the end", link.tx.closed()).await;
    let mut read = 0;
    while link.rx.recv().await.is_some() {
        read += 1;
    }
    assert_eq!(read, 256, "what was taken is not lost");
    other.send("hello");
    assert_eq!(soon("hello", other_link.rx.recv()).await, Some("hello".into()));
}

#[tokio::test]
async fn a_channel_whose_terminal_takes_nothing_is_closed_at_the_bound() {
    let world = World::start().await;
    let (_offering, offer) = Offering::new().await;
    let (_, link) = world.media.accept_channel(offer).await.unwrap();
    let sent = (0..100).take_while(|_| link.tx.try_send(vec![1; 60_000].into()).is_ok()).count();
    assert_eq!(sent, 4, "256 KiB");
    soon("the end", link.tx.closed()).await;
}

#[tokio::test]
async fn garbage_and_strangers_hinder_nobody() {
    let world = World::start().await;
    let (terminal, mut link) = world.channel().await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for first in 0..=255_u8 {
        for length in [1, 20, 60, 1400] {
            let mut datagram = vec![first; length];
            datagram[length / 2] = 0;
            stranger.send_to(&datagram, terminal.relay).await.unwrap();
        }
        if first % 16 == 0 {
            terminal.send(vec![first; 1000]);
            let message = soon("the message", link.rx.recv()).await.unwrap();
            assert_eq!(message, vec![first; 1000]);
        }
    }
}
