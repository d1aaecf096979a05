//! From a name to a TCP connection: addresses in turn, not waiting long for any (RFC 8305).

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::sleep};

use super::ConnectError;

/// After this the next address is tried beside (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses that are tried at most.
const ADDRESSES_MAX: usize = 8;

/// Connects to whichever address of the host answers first.
pub(super) async fn dial(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let unresolved = |reason| ConnectError::Resolve { host: host.to_owned(), reason };
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| unresolved(error.to_string()))?;
    let addresses = in_turn(found.collect());
    if addresses.is_empty() {
        return Err(unresolved("it has no address".to_owned()));
    }
    race(&addresses)
        .await
        .map_err(|source| ConnectError::Unreachable { address: format!("{host}:{port}"), source })
}

/// Families alternate, beginning with that of the first.
fn in_turn(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = found.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv4() == first_is_v4);
    let mut turns = Vec::new();
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let before = turns.len();
        turns.extend(first.next());
        turns.extend(second.next());
        if turns.len() == before || turns.len() >= ADDRESSES_MAX {
            turns.truncate(ADDRESSES_MAX);
            return turns;
        }
    }
}

async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    attempts.extend(waiting.next().map(TcpStream::connect));
    while !attempts.is_empty() {
        let more = waiting.len() > 0;
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = failed,
            },
            () = sleep(ATTEMPT_DELAY), if more => {}
        }
        attempts.extend(waiting.next().map(TcpStream::connect));
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found: Vec<_> =
            ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"].map(address).into();
        let turns = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"].map(address);
        assert_eq!(in_turn(found), turns);
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_hold_the_next_up() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [gone.local_addr().unwrap(), there.local_addr().unwrap()];
        drop(gone);
        let stream = race(&addresses).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
        drop((stream, there));
        let refused = race(&addresses).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
