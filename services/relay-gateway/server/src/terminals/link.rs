//! What a connection goes over: a WebSocket of this relay, or a link that an uplink carries.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Duration, Instant, timeout},
};
use tributary_identifiers::RelayId;

use crate::uplink::Carriage;

/// A terminal that does not take a message by its WebSocket in this time is gone.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// Where a terminal is attached.
#[derive(Clone)]
pub(crate) struct Origin {
    /// The relay that it is attached to: this one, or one behind an uplink.
    pub(crate) relay: RelayId,
    pub(crate) relay_name: String,
    /// How many relays lie between the core and the terminal's relay, that one included.
    pub(crate) depth: u32,
    /// The names of those relays, from the core on.
    pub(crate) path: Vec<String>,
    /// The terminal is the relay's own participant.
    pub(crate) own: bool,
    /// The terminal's address, as budgets count it: behind an uplink one in its relay's own network.
    pub(crate) address: IpAddr,
    /// How the terminal's sound and messages get there; none: it is attached here.
    pub(crate) carriage: Option<Carriage>,
}

/// For whom a message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    One,
    /// Others get the very same bytes, which go over an uplink once.
    Many,
}

/// What came over a link.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(Bytes),
    /// Not in this protocol.
    Text,
    /// A sign of life.
    Nothing,
}

/// A link is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkEnd {
    Lost,
    TooLarge,
}

/// What a terminal says over an uplink.
pub(crate) struct CarriedMessage {
    pub(crate) message: Bytes,
    /// Given back when it is taken.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// A terminal's link over an uplink.
pub(crate) struct CarriedLink {
    carriage: Carriage,
    /// Ends when the terminal is gone.
    inbox: mpsc::Receiver<CarriedMessage>,
    /// When the terminal was last there; known when it is gone.
    gone_since: Arc<OnceLock<Instant>>,
}

impl CarriedLink {
    pub(crate) fn new(
        carriage: Carriage,
        inbox: mpsc::Receiver<CarriedMessage>,
        gone_since: Arc<OnceLock<Instant>>,
    ) -> Self {
        Self { carriage, inbox, gone_since }
    }
}

/// What a connection goes over.
pub(crate) enum Link {
    WebSocket(Box<WebSocket>),
    Carried(CarriedLink),
}

impl Link {
    /// The relay at the other end watches over a link that is carried.
    pub(crate) fn is_carried(&self) -> bool {
        matches!(self, Self::Carried(_))
    }

    /// When the terminal was last there, if the link knows that better than who listens.
    pub(crate) fn gone_since(&self) -> Option<Instant> {
        match self {
            Self::WebSocket(_) => None,
            Self::Carried(link) => link.gone_since.get().copied(),
        }
    }

    /// What comes next. Nothing is lost when this is not waited for to the end.
    pub(crate) async fn recv(&mut self) -> Result<Heard, LinkEnd> {
        match self {
            Self::WebSocket(socket) => match socket.recv().await {
                Some(Ok(Message::Binary(payload))) => Ok(Heard::Message(payload)),
                Some(Ok(Message::Text(_))) => Ok(Heard::Text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Heard::Nothing),
                Some(Ok(Message::Close(_))) | None => Err(LinkEnd::Lost),
                Some(Err(error)) => Err(too_large_or_lost(&error)),
            },
            Self::Carried(link) => match link.inbox.recv().await {
                Some(CarriedMessage { message, _room }) => Ok(Heard::Message(message)),
                None => Err(LinkEnd::Lost),
            },
        }
    }

    /// Sends a message, in the order of the calls.
    pub(crate) async fn send(&mut self, message: Bytes, to: Audience) -> Result<(), LinkEnd> {
        match self {
            Self::WebSocket(socket) => {
                match timeout(WRITE_TIME_MAX, socket.send(Message::Binary(message))).await {
                    Ok(Ok(())) => Ok(()),
                    _ => Err(LinkEnd::Lost),
                }
            }
            Self::Carried(link) => {
                link.carriage.deliver(message, to).await.map_err(|_| LinkEnd::Lost)
            }
        }
    }

    /// Closes the link with a code (RFC 6455 §7.4).
    pub(crate) async fn close(&mut self, code: CloseCode) {
        match self {
            Self::WebSocket(socket) => {
                let frame = Some(CloseFrame { code, reason: "".into() });
                // The other side may be gone already.
                let _ = timeout(WRITE_TIME_MAX, socket.send(Message::Close(frame))).await;
            }
            Self::Carried(link) => link.carriage.close(code),
        }
    }
}

fn too_large_or_lost(error: &axum::Error) -> LinkEnd {
    // The library hides the kind; the size limit is the only one with these words.
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if text.contains("too long") || text.contains("too big") || text.contains("Space limit") {
        return LinkEnd::TooLarge;
    }
    LinkEnd::Lost
}
