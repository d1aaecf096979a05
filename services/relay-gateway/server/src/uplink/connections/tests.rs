//! Who gets a place, and for how long.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

async fn listening(all: usize, of_address: usize) -> Connections {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Connections::new(listener, ConnectionLimits { all, of_address })
}

/// Both ends of a connection.
async fn connected(connections: &Connections) -> (TcpStream, Socket) {
    let address = connections.listener.local_addr().unwrap();
    let (client, socket) = tokio::join!(TcpStream::connect(address), connections.next());
    (client.unwrap(), socket)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn one_address_takes_its_share_and_all_take_what_there_is() {
    let connections = listening(5, 2).await;
    let place = |text: &str| connections.place(address(text));
    let mut places = vec![place("192.0.2.1").unwrap(), place("::ffff:192.0.2.1").unwrap()];
    assert_eq!(place("192.0.2.1").err(), Some(Full::Address));
    // Whoever has an IPv6 address has the whole network.
    places.extend([place("2001:db8::1").unwrap(), place("2001:db8::2").unwrap()]);
    assert_eq!(place("2001:db8::3").err(), Some(Full::Address));
    places.push(place("2001:db8:0:1::1").unwrap());
    assert_eq!(place("198.51.100.1").err(), Some(Full::All));
    // A place that is given up is another's.
    drop(places.remove(0));
    let again = place("192.0.2.1").unwrap();
    drop((places, again));
    let open = locked(&connections.open);
    assert!(open.all == 0 && open.by_prefix.is_empty());
}

#[tokio::test]
async fn who_finds_no_place_is_closed_at_once_and_the_next_is_served() {
    let connections = listening(1, 1).await;
    let to = connections.listener.local_addr().unwrap();
    let (_first, socket) = connected(&connections).await;
    let mut second = TcpStream::connect(to).await.unwrap();
    let (read, third) = tokio::join!(
        async {
            let read = second.read(&mut [0; 1]).await;
            // Then there is a place.
            drop(socket);
            let third = TcpStream::connect(to).await.unwrap();
            (read, third)
        },
        connections.next(),
    );
    assert_eq!(read.0.ok(), Some(0), "it is not closed");
    assert_eq!(third.caller.address(), address("127.0.0.1"));
}

/// After how long a connection is closed that nothing comes by; the test says what happens before.
async fn closed_after(happening: impl FnOnce(&Caller)) -> Option<Duration> {
    let connections = listening(1, 1).await;
    let (_client, mut socket) = connected(&connections).await;
    let began = Instant::now();
    happening(&socket.connect_info());
    let mut byte = [0; 1];
    let reading = tokio::time::timeout(Duration::from_secs(3_600), socket.read(&mut byte));
    let error = reading.await.ok()?.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    Some(began.elapsed())
}

fn about(seconds: Duration, waited: Option<Duration>) -> bool {
    waited.is_some_and(|waited| (seconds..seconds + Duration::from_secs(1)).contains(&waited))
}

#[tokio::test(start_paused = true)]
async fn who_asks_nothing_or_does_not_attach_is_not_waited_for() {
    assert!(about(REQUEST_TIME_MAX, closed_after(|_| {}).await));
    let heard = closed_after(|caller| assert!(caller.asks())).await;
    assert!(about(SESSION_TIME_MAX, heard), "{heard:?}");
    assert_eq!(closed_after(Caller::was_admitted).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_not_waited_for_either() {
    let connections = listening(1, 1).await;
    let (_client, mut socket) = connected(&connections).await;
    socket.connect_info().asks();
    let began = Instant::now();
    let writing = async { while socket.write_all(&[0; 1 << 16]).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(3_600), writing).await.unwrap();
    assert!(about(SESSION_TIME_MAX, Some(began.elapsed())));
}

#[test]
fn who_is_wrong_too_often_is_not_answered() {
    let caller = Caller::new(address("192.0.2.1"));
    for _ in 0..WRONG_MAX {
        caller.was_wrong();
        assert!(caller.asks());
    }
    caller.was_wrong();
    assert!(!caller.asks() && !caller.clone().asks());
    assert!(Caller::new(address("192.0.2.1")).asks(), "another connection is");
}
