//! Messages pass whole both ways, and both sides learn of the end.

use bytes::Bytes;
use tributary_relay_gateway_server::media::DataError;

use crate::{
    terminal::Offering,
    world::{World, soon},
};

fn pattern(length: usize, seed: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(31) ^ seed) as u8).collect()
}

#[tokio::test]
async fn messages_of_up_to_64_kib_pass_both_ways_whole_and_in_order() {
    let world = World::start().await;
    let (mut terminal, mut link) = world.channel().await;
    let lengths = [1, 1_200, 61_440, 65_536, 2];
    let echo = async {
        for _ in lengths {
            let message = link.rx.recv().await.unwrap();
            link.tx.send(message).await.unwrap();
        }
    };
    let say = async {
        for (seed, length) in lengths.into_iter().enumerate() {
            terminal.send(pattern(length, seed));
        }
        for (seed, length) in lengths.into_iter().enumerate() {
            assert!(terminal.message().await == pattern(length, seed), "{length}");
        }
    };
    soon("the echo", async { tokio::join!(echo, say) }).await;
}

#[tokio::test]
async fn a_megabyte_of_messages_is_taken_as_fast_as_the_terminal_does() {
    let world = World::start().await;
    let (mut terminal, link) = world.channel().await;
    let send = async {
        for seed in 0..32 {
            link.tx.send(pattern(32 * 1024, seed)).await.unwrap();
        }
    };
    let receive = async {
        for seed in 0..32 {
            assert!(terminal.message().await == pattern(32 * 1024, seed), "{seed}");
        }
    };
    soon("a megabyte", async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn what_is_sent_before_the_channel_is_open_and_right_before_it_closes_arrives() {
    let world = World::start().await;
    let (offering, offer) = Offering::new().await;
    let (answer, link) = world.media.accept_channel(offer).await.unwrap();
    link.tx.try_send("welcome".into()).unwrap();
    let mut terminal = offering.connect(&answer);
    assert_eq!(terminal.message().await, "welcome");
    link.tx.try_send(pattern(60_000, 0)).unwrap();
    link.tx.try_send("goodbye".into()).unwrap();
    link.tx.close();
    assert_eq!(link.tx.try_send("too late".into()), Err(DataError::Closed));
    assert!(terminal.message().await == pattern(60_000, 0));
    assert_eq!(terminal.message().await, "goodbye");
    terminal.closed().await;
    soon("the end", link.tx.closed()).await;
}

#[tokio::test]
async fn a_dropped_link_closes_the_channel() {
    let world = World::start().await;
    let (mut terminal, link) = world.channel().await;
    drop(link);
    terminal.closed().await;
}

#[tokio::test]
async fn the_terminals_close_ends_the_link_after_its_last_message() {
    let world = World::start().await;
    let (mut terminal, mut link) = world.channel().await;
    terminal.send("last words");
    // Both have been there when the relay answers.
    assert_eq!(soon("the message", link.rx.recv()).await, Some("last words".into()));
    link.tx.try_send("heard".into()).unwrap();
    assert_eq!(terminal.message().await, "heard");
    terminal.close();
    assert_eq!(soon("the end", link.rx.recv()).await, None);
    soon("the end", link.tx.closed()).await;
    assert_eq!(link.tx.try_send("anybody?".into()), Err(DataError::Closed));
}

#[tokio::test]
async fn channels_and_voices_share_the_port() {
    let world = World::start().await;
    let (mut terminal, mut link) = world.channel().await;
    let mut speaker = world.voice(1).await;
    let mut listener = world.voice(2).await;
    let (mut other_terminal, mut other_link) = world.channel().await;
    speaker.say(0);
    terminal.send("one");
    other_terminal.send("two");
    assert_eq!(soon("one", link.rx.recv()).await, Some("one".into()));
    assert_eq!(soon("two", other_link.rx.recv()).await, Some("two".into()));
    other_link.tx.try_send("for two".into()).unwrap();
    link.tx.try_send("for one".into()).unwrap();
    assert_eq!(terminal.message().await, "for one");
    assert_eq!(other_terminal.message().await, "for two");
    let heard = async {
        loop {
            speaker.say(0);
            tokio::select! {
                audio = listener.heard() => break audio,
                () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
            }
        }
    };
    soon("the voice", heard).await;
}

#[tokio::test]
async fn a_relay_that_stops_says_so_when_its_last_words_are_through() {
    let world = World::start().await;
    let (mut terminal, mut link) = world.channel().await;
    world.platform.shutdown.cancel();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    link.tx.try_send("goodbye".into()).unwrap();
    assert_eq!(terminal.message().await, "goodbye");
    world.media.end();
    terminal.closed().await;
    assert_eq!(soon("the end", link.rx.recv()).await, None);
}
