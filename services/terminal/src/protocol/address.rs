//! Where a relay is, from what people have at hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{UdpSocket, lookup_host};
use tokio_tungstenite::tungstenite::http::Uri;

use super::ConnectError;

const PATH: &str = "/terminal/v1";

/// The own address from which a relay is reached.
pub(crate) async fn local_address_towards(relay_url: &str) -> Result<IpAddr, ConnectError> {
    let unreachable = |error: std::io::Error| ConnectError::Unreachable(error.to_string());
    let bad = || ConnectError::BadUrl(relay_url.to_owned());
    let uri: Uri = web_socket_url(relay_url)?.parse().map_err(|_| bad())?;
    let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(80);
    let relay = lookup_host((host, port)).await.map_err(unreachable)?.next().ok_or_else(bad)?;
    let any: IpAddr = match relay {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a datagram socket sends nothing; it asks for the route.
    let socket = UdpSocket::bind((any, 0)).await.map_err(unreachable)?;
    socket.connect(relay).await.map_err(unreachable)?;
    Ok(socket.local_addr().map_err(unreachable)?.ip())
}

/// `ws://host:port/terminal/v1` from what people have at hand: that, or the address of the relay's page,
/// or a meeting's link.
pub(super) fn web_socket_url(relay_url: &str) -> Result<String, ConnectError> {
    let (authority, folder) = authority_and_folder(relay_url)?;
    let without_fragment = relay_url.split('#').next().unwrap_or_default();
    let query = without_fragment.split_once('?').map(|(_, query)| format!("?{query}"));
    Ok(format!("ws://{authority}{folder}{PATH}{}", query.unwrap_or_default()))
}

/// `host:port` of a relay, and the path below which it serves, empty mostly.
pub(crate) fn authority_and_folder(relay_url: &str) -> Result<(String, String), ConnectError> {
    let bad = || ConnectError::BadUrl(relay_url.to_owned());
    let without_fragment = relay_url.split('#').next().unwrap_or_default();
    let uri: Uri = without_fragment.parse().map_err(|_| bad())?;
    let authority = uri.authority().ok_or_else(bad)?;
    match uri.scheme_str() {
        Some("ws" | "http") => {}
        Some("wss" | "https") => return Err(ConnectError::Tls),
        _ => return Err(bad()),
    }
    let folder = uri.path().strip_suffix(PATH).unwrap_or_default();
    Ok((authority.to_string(), folder.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        assert_eq!(web_socket_url(url).unwrap(), expected);
    }

    #[test]
    fn a_relay_is_found_by_whatever_address_people_have() {
        check("ws://127.0.0.1:8080/terminal/v1", "ws://127.0.0.1:8080/terminal/v1");
        check("http://127.0.0.1:8080", "ws://127.0.0.1:8080/terminal/v1");
        check("http://relay.example/#/m/123", "ws://relay.example/terminal/v1");
        check("http://relay.example/?a=b#/m/123?c", "ws://relay.example/terminal/v1?a=b");
        check("http://relay.example/office/terminal/v1", "ws://relay.example/office/terminal/v1");
    }

    #[tokio::test]
    async fn a_relay_on_loopback_is_reached_from_loopback() {
        let address = local_address_towards("http://127.0.0.1:8080").await.unwrap();
        assert_eq!(address, Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn other_addresses_are_refused_with_a_reason() {
        for url in ["", "relay", "ftp://relay/", "ws://", "/terminal/v1"] {
            assert!(matches!(web_socket_url(url), Err(ConnectError::BadUrl(_))), "{url}");
        }
        assert!(matches!(web_socket_url("https://relay"), Err(ConnectError::Tls)));
    }
}
