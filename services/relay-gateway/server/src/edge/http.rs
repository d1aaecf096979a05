//! What an edge relay serves by HTTP/1.1: the WebSocket of terminals, and what they fetch of meetings. No
//! page: a page would be trusted with the keys of its user.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use futures_util::StreamExt as _;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Status};
use tributary_contracts::relay::v1::{FetchHeader, FetchRequestHead, FetchResponseHead, OpenLink};

use super::{
    bulk::Bulk,
    fetch,
    session::Uplink,
    terminal::{Census, Terminal},
    wire::Wire,
};
use crate::{
    address::client_address,
    terminals::link::Link,
    uplink::{FetchBody, fetch::is_of_a_meeting},
    web,
};

/// Largest message either way, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Connections at a time; the media thread carries fewer terminals than this.
const CONNECTIONS_MAX: usize = 20_000;
/// What waits to be written before the connection counts as stuck, in bytes: more than the roster of a
/// full meeting with the longest names.
const WRITE_BUFFER_BYTES_MAX: usize = 8 << 20;
/// Requests at a time; the parent takes 32 of one relay.
const FETCHES_MAX: usize = 24;
/// Pieces of a body between the terminal and the uplink.
const PIECES_AHEAD: usize = 2;
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Headers that are about one connection (RFC 9110 §7.6.1), or that the uplink says in its own way.
const NOT_PASSED_ON: [&str; 11] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    FORWARDED_FOR,
];

/// What an attached relay has for its terminals.
pub(super) struct Open {
    pub(super) uplink: Arc<Uplink>,
    pub(super) bulk: Arc<Bulk>,
}

/// What the handlers need.
#[derive(Clone)]
pub(super) struct Gate {
    /// Not there before the relay is enrolled.
    pub(super) open: Arc<OnceLock<Open>>,
    pub(super) allowed_origins: Arc<[String]>,
    pub(super) trusted_proxies: Arc<[IpNet]>,
    pub(super) connections: TaskTracker,
    pub(super) shutdown: CancellationToken,
    pub(super) census: Census,
    pub(super) fetches: Arc<Semaphore>,
    /// Who comes here is the relay's own participant.
    own: bool,
}

impl Gate {
    pub(super) fn new(config: &crate::Config, shutdown: CancellationToken) -> Self {
        Self {
            open: Arc::default(),
            allowed_origins: config.allowed_origins.clone().into(),
            trusted_proxies: config.trusted_proxies.clone().into(),
            connections: TaskTracker::new(),
            shutdown,
            census: Census::default(),
            fetches: Arc::new(Semaphore::new(FETCHES_MAX)),
            own: false,
        }
    }

    /// The same, for the door of the relay's own participant.
    pub(super) fn own(self) -> Self {
        Self { own: true, ..self }
    }

    /// The routes.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/terminal/v1", get(upgrade))
            .route("/meetings/{*path}", any(pass_on))
            .with_state(self)
            .fallback(nothing)
            .layer(middleware::from_fn(web::secure))
    }

    /// The relay's parts, if it has a connection to its parent.
    fn attached(&self) -> Option<&Open> {
        self.open.get().filter(|open| open.uplink.is_connected())
    }

    fn address_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let values = headers.get_all(FORWARDED_FOR).iter();
        // What is not ASCII is nonsense, at which the search ends.
        let values: Vec<_> = values.map(|value| value.to_str().unwrap_or("?")).collect();
        client_address(peer, values.into_iter(), &self.trusted_proxies)
    }

    /// Pages of configured origins only: there is none of this relay's own.
    fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }
}

async fn nothing() -> Response {
    let text = "This is an edge relay: it serves terminals, and no page. Open the page of the core \
                relay that it is attached to; how this relay is doing stands at /status.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

fn not_attached() -> Response {
    let text =
        "This relay is not attached to its parent now: try again, or attach to another relay.\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn upgrade(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !gate.allows(&headers) {
        let text = "this page's origin may not use the relay: add it to relay.allowed_origins\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let Some(open) = gate.attached() else { return not_attached() };
    let address = gate.address_of(peer.ip(), &headers);
    let own = gate.own;
    let (uplink, shutdown) = (open.uplink.clone(), gate.shutdown.clone());
    let (census, connections) = (gate.census.clone(), gate.connections.clone());
    if connections.len() >= CONNECTIONS_MAX {
        let text = "this relay is full: try another one, or again later\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| {
            connections.track_future(async move {
                let mut wire = Wire::WebSocket(Link::WebSocket(Box::new(socket)));
                let client_address = address.to_string();
                let path = vec![uplink.own_hop()];
                let asked = OpenLink { client_address, path, own, ..OpenLink::default() };
                match uplink.open(asked, None) {
                    Some(link) => Terminal::new(uplink, link, wire, shutdown).run(census).await,
                    None => wire.close(axum::extract::ws::close_code::AGAIN).await,
                }
            })
        })
}

async fn pass_on(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return (StatusCode::METHOD_NOT_ALLOWED, "only GET and POST\n").into_response();
    }
    if !gate.allows(request.headers()) {
        let text = "this page's origin may not use the relay: add it to relay.allowed_origins\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    if !is_of_a_meeting(&path) {
        return (StatusCode::NOT_FOUND, "There is no such thing.\n").into_response();
    }
    let Some(open) = gate.attached() else { return not_attached() };
    let Ok(slot) = gate.fetches.clone().try_acquire_owned() else {
        let text = "Too much is on its way through this relay: try again.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let head = FetchRequestHead {
        method: request.method().to_string(),
        path,
        headers: to_pass_on(request.headers()),
        client_address: gate.address_of(peer.ip(), request.headers()).to_string(),
    };
    let body = take_in(request.into_body());
    match fetch::fetch(&open.uplink, &open.bulk, head, body).await {
        Ok((head, body)) => answer(head, body, slot),
        Err(status) => failed(&status),
    }
}

fn to_pass_on(headers: &HeaderMap) -> Vec<FetchHeader> {
    let passed = headers.iter().filter(|(name, _)| !NOT_PASSED_ON.contains(&name.as_str()));
    passed
        .map(|(name, value)| FetchHeader {
            name: name.to_string(),
            value: value.as_bytes().to_vec(),
        })
        .collect()
}

fn take_in(body: Body) -> FetchBody {
    let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        let mut data = body.into_data_stream();
        while let Some(piece) = data.next().await {
            let piece = piece.map_err(|_| Status::cancelled("the terminal has gone"));
            let is_last = piece.is_err();
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    });
    taken
}

fn answer(head: FetchResponseHead, body: FetchBody, slot: OwnedSemaphorePermit) -> Response {
    let code = u16::try_from(head.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let Some(code) = code else { return failed(&Status::internal("no such status code")) };
    let pieces = ReceiverStream::new(body).map(move |piece| {
        // The place is taken until the last piece has gone.
        let _held = &slot;
        piece.map_err(|status| std::io::Error::other(status.code().description()))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = code;
    for FetchHeader { name, value } in head.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(&value);
        if let (Ok(name), Ok(value)) = (name, value)
            && !NOT_PASSED_ON.contains(&name.as_str())
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn failed(status: &Status) -> Response {
    let (code, text) = match status.code() {
        Code::Unavailable | Code::Cancelled => return not_attached(),
        Code::InvalidArgument => (StatusCode::BAD_REQUEST, "The request can't be passed on.\n"),
        Code::ResourceExhausted => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too much is on its way through this relay: try again.\n",
        ),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "The core has not answered.\n"),
        code => {
            tracing::warn!(?code, message = status.message(), "a request was not passed on");
            (StatusCode::BAD_GATEWAY, "The request was not answered: try again.\n")
        }
    };
    (code, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(origins: &[&str]) -> Gate {
        let allowed_origins = origins.iter().map(ToString::to_string).collect();
        let config = crate::Config { allowed_origins, ..crate::Config::default() };
        Gate::new(&config, CancellationToken::new())
    }

    #[test]
    fn pages_of_no_origin_but_the_configured_ones_come_in() {
        let gate = gate(&["https://meet.example"]);
        let check = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "relay.local:8080".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            gate.allows(&headers)
        };
        assert!(check(None) && check(Some("https://meet.example")));
        assert!(!check(Some("http://relay.local:8080")), "it has no page of its own");
        assert!(!check(Some("https://evil.example")) && !check(Some("null")));
    }

    #[test]
    fn headers_of_one_connection_stay_there() {
        let mut headers = HeaderMap::new();
        for name in NOT_PASSED_ON {
            headers.insert(name, "x".parse().unwrap());
        }
        headers.insert("authorization", "Bearer a".parse().unwrap());
        let passed = to_pass_on(&headers);
        let names: Vec<&str> = passed.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["authorization"]);
    }
}
