//! The WebSocket at `/terminal/v1`: who may open one, and how large its messages may be.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Shared,
    connection::Connection,
    link::{Link, Origin},
};
use crate::address::client_address;

/// Largest message either way.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Connections at a time; a relay's media thread carries fewer terminals than this.
pub(crate) const CONNECTIONS_MAX: usize = 20_000;
/// What waits to be written before the connection counts as stuck: more than the roster of a full
/// meeting with the longest names.
const WRITE_BUFFER_BYTES_MAX: usize = 8 << 20;

/// What the handler needs.
#[derive(Clone)]
pub(crate) struct WebSocketState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) allowed_origins: Arc<[String]>,
    pub(crate) connections: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

/// Opens a terminal's connection.
pub(crate) async fn upgrade(
    State(state): State<WebSocketState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin_is_allowed(&headers, &state.allowed_origins) {
        let text = "this page's origin may not use the relay: add it to relay.allowed_origins\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if state.connections.len() >= CONNECTIONS_MAX {
        let text = "this relay is full: try another one, or again later\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let address = state.shared.address_of(peer.ip(), &headers);
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| {
            let origin = state.shared.origin(address);
            let link = Link::WebSocket(Box::new(socket));
            let connection = Connection::new(state.shared, origin, link, state.shutdown);
            state.connections.track_future(connection.run())
        })
}

const FORWARDED_FOR: &str = "x-forwarded-for";

impl Shared {
    /// Where a terminal is attached that is attached here.
    fn origin(&self, address: IpAddr) -> Origin {
        Origin {
            relay: self.relay.clone(),
            relay_name: self.relay_name.clone(),
            depth: 0,
            path: Vec::new(),
            own: false,
            address,
            carriage: None,
        }
    }

    /// The address that a request comes from, as far as the proxies in between are trusted.
    pub(crate) fn address_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let values = headers.get_all(FORWARDED_FOR).iter();
        // What is not ASCII is nonsense, at which the search ends.
        let values: Vec<_> = values.map(|value| value.to_str().unwrap_or("?")).collect();
        client_address(peer, values.into_iter(), &self.trusted_proxies)
    }
}

/// A browser always sends `Origin`: it must be this server's own, or an allowed one. Other programs
/// need not send it.
fn origin_is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|allowed| allowed == origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.authority().map(|authority| authority.as_str().to_owned()));
    host.is_some() && origin_host.as_deref() == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_page_programs_and_allowed_origins_come_in() {
        let check = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "relay.example:8080".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            origin_is_allowed(&headers, &["https://meet.example".to_owned()])
        };
        assert!(check(None));
        assert!(check(Some("http://relay.example:8080")));
        assert!(check(Some("https://meet.example")));
        assert!(!check(Some("https://evil.example")));
        assert!(!check(Some("http://relay.example")));
        assert!(!check(Some("null")));
    }
}
