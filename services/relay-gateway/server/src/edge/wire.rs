//! What a terminal's own connection is: a WebSocket, or a data channel of a page that was introduced.

use axum::extract::ws::CloseCode;
use bytes::Bytes;

use crate::{
    media::DataLink,
    terminals::link::{Audience, Heard, Link, LinkEnd},
};

/// A terminal's connection to this relay.
pub(super) enum Wire {
    WebSocket(Link),
    Channel(DataLink),
}

impl Wire {
    /// What comes next. Nothing is lost when this is not waited for to the end.
    pub(super) async fn recv(&mut self) -> Result<Heard, LinkEnd> {
        match self {
            Self::WebSocket(link) => link.recv().await,
            Self::Channel(channel) => match channel.rx.recv().await {
                Some(message) => Ok(Heard::Message(message)),
                None => Err(LinkEnd::Lost),
            },
        }
    }

    /// Sends a message, in the order of the calls.
    pub(super) async fn send(&mut self, message: Bytes) -> Result<(), LinkEnd> {
        match self {
            Self::WebSocket(link) => link.send(message, Audience::One).await,
            Self::Channel(channel) => channel.tx.try_send(message).map_err(|_| LinkEnd::Lost),
        }
    }

    /// Closes with a code (RFC 6455 §7.4); a data channel has none.
    pub(super) async fn close(&mut self, code: CloseCode) {
        match self {
            Self::WebSocket(link) => link.close(code).await,
            Self::Channel(channel) => channel.tx.close(),
        }
    }
}
