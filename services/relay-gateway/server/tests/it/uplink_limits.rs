//! What one relay, or whoever calls itself one, can take of the core: connections, tries, writes.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;
use tributary_contracts::{
    relay::v1::{
        GetChallengeRequest, LinksReachable, VerifyRelayRequest, attach_request::Body as Up,
    },
    terminal::v1::{
        MediaOffer, RefusalCode, relay_message::Body as Said, terminal_message::Body as Ask,
    },
};
use tributary_relay_gateway_server::{Config, UplinkConfig};

use crate::{
    neighbour::Neighbour,
    office::{Office, SOON, with_token},
    world::{World, eventually},
};

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.uplink_url.trim_start_matches("http://")).await.unwrap()
}

/// When the other side closes it.
async fn closed(stream: &mut TcpStream, patience: Duration) {
    let mut bytes = [0; 1_024];
    let closing = async { while matches!(stream.read(&mut bytes).await, Ok(read) if read > 0) {} };
    timeout(patience, closing).await.expect("it stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_may_be_are_closed_and_nobody_else_notices() {
    let uplink = UplinkConfig { connections_max: 3, ..UplinkConfig::default() };
    let world = World::start_with(Config { uplink, ..Config::default() }).await;
    let mut uplink = Office::known(&world, "office").attach().await;
    let idle = [connect(&world).await, connect(&world).await];
    closed(&mut connect(&world).await, Duration::from_secs(5)).await;
    // Who is attached goes on.
    Neighbour::enter(&mut uplink, "eve").await;
    // And there is a place again when one is given up.
    drop(idle);
    sleep(Duration::from_millis(500)).await;
    let mut late = Office::known(&world, "late").attach().await;
    Neighbour::enter(&mut late, "bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_connections() {
    let uplink = UplinkConfig { connections_per_address_max: Some(1), ..UplinkConfig::default() };
    let world = World::start_with(Config { uplink, ..Config::default() }).await;
    let mut uplink = Office::known(&world, "office").attach().await;
    closed(&mut connect(&world).await, Duration::from_secs(5)).await;
    Neighbour::enter(&mut uplink, "eve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed() {
    let world = World::start().await;
    let mut uplink = Office::known(&world, "office").attach().await;
    let (mut idle, began) = (connect(&world).await, Instant::now());
    closed(&mut idle, Duration::from_secs(15)).await;
    assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
    // By which somebody is attached, it is not.
    Neighbour::enter(&mut uplink, "eve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_session_tokens_is_not_answered_on_that_connection_any_more() {
    let world = World::start().await;
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    let mut guesser = office.client().await;
    let mut guess = async |token: &[u8]| {
        let request = with_token(VerifyRelayRequest::default(), token);
        guesser.verify_relay(request).await.unwrap_err().code()
    };
    let mut wrong = 0;
    while guess(&[wrong; 32]).await == Code::Unauthenticated {
        wrong += 1;
        assert!(wrong < 20, "it can go on guessing");
    }
    assert!(wrong >= 5, "{wrong}");
    // Nor for the right one, nor for anything else.
    let token = uplink.attached.session_token.clone();
    assert_eq!(guess(&token).await, Code::ResourceExhausted);
    let refused = guesser.get_challenge(GetChallengeRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    // On other connections it is as before.
    uplink.verify(&Office::known(&world, "leaf")).await.unwrap();
    Neighbour::enter(&mut uplink, "eve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_comes_and_goes_does_not_make_the_registry_write_all_the_time() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    eve.join(&mut uplink, 1).await;
    let reaches = || world.registry.reachable.lock().unwrap().clone();
    let began = Instant::now();
    for count in 0..400 {
        let (link_ids, reachable) = (vec![eve.link], count % 2 == 1);
        uplink.say(Up::LinksReachable(LinksReachable { link_ids, reachable }));
        sleep(Duration::from_millis(5)).await;
    }
    uplink.say(Up::LinksReachable(LinksReachable { link_ids: vec![eve.link], reachable: false }));
    let is_away = || reaches().last().is_some_and(|last| !last.reachable);
    eventually("what is true in the end is told", is_away).await;
    // Nothing else comes.
    sleep(Duration::from_secs(2)).await;
    assert!(is_away());
    let (told, seconds) = (reaches().len() as u64, began.elapsed().as_secs());
    assert!(told <= seconds + 2, "told {told} times in {seconds} s");
    timeout(SOON, Neighbour::enter(&mut uplink, "bob")).await.unwrap();
}

/// A line to the core that carries 16 kB a second upward; its URL.
async fn thin_line(world: &World) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let core = world.uplink_url.trim_start_matches("http://").to_owned();
    let carrying = tokio::spawn(async move {
        let (office, _) = listener.accept().await.unwrap();
        let core = TcpStream::connect(core).await.unwrap();
        let (mut from_office, mut to_office) = office.into_split();
        let (mut from_core, mut to_core) = core.into_split();
        let down = tokio::io::copy(&mut from_core, &mut to_office);
        let up = async {
            let mut bytes = [0; 800];
            while let Ok(read @ 1..) = from_office.read(&mut bytes).await {
                if to_core.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let _ = tokio::join!(down, up);
    });
    (url, AbortOnDropHandle::new(carrying))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_on_a_thin_line_is_waited_for() {
    let world = World::start().await;
    let (url, _line) = thin_line(&world).await;
    let mut uplink = Office::known(&world, "office").by(&url).attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let began = Instant::now();
    // Heartbeats wait behind it.
    let offer = Ask::MediaOffer(MediaOffer { sdp: "x".repeat(60_000) });
    let Said::Refusal(refusal) = eve.ask(&mut uplink, offer).await else { panic!("answered") };
    assert_eq!(refusal.code(), RefusalCode::Unsupported);
    assert!(began.elapsed() > Duration::from_secs(3), "it was no thin line");
}
