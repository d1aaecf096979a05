//! What a terminal's own connection is: a WebSocket, or a data channel of a page that was introduced.

use std::time::Duration;

use axum::extract::ws::CloseCode;
use bytes::Bytes;
use tokio::time::timeout;

use crate::{
    media::{DataLink, DataSender},
    terminals::link::{Audience, Heard, Link, LinkEnd},
};

/// Largest piece of a message on a data channel, which takes no more than 64 KiB at once: a full meeting's
/// roster is longer. Bytes, without the one that says whether more follow.
const PIECE_BYTES_MAX: usize = 16 << 10;
/// First byte of a piece: the message goes on, or ends with it.
const MORE: u8 = 1;
const LAST: u8 = 0;
/// A terminal that makes no room for a piece in this time is gone.
const PIECE_TIME_MAX: Duration = Duration::from_secs(10);

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
            Self::Channel(channel) => send_in_pieces(&channel.tx, &message).await,
        }
    }

    /// Closes with a code (RFC 6455 §7.4); a data channel has none. Returns when what was sent before is
    /// through, or has had the time for it.
    pub(super) async fn close(&mut self, code: CloseCode) {
        match self {
            Self::WebSocket(link) => link.close(code).await,
            Self::Channel(channel) => {
                channel.tx.close();
                channel.tx.closed().await;
            }
        }
    }
}

/// What a message is on a data channel.
fn pieces(message: &[u8]) -> impl Iterator<Item = Bytes> {
    let mut pieces = message.chunks(PIECE_BYTES_MAX).peekable();
    std::iter::from_fn(move || {
        let piece = pieces.next()?;
        let mark = if pieces.peek().is_some() { MORE } else { LAST };
        Some([&[mark], piece].concat().into())
    })
}

async fn send_in_pieces(channel: &DataSender, message: &[u8]) -> Result<(), LinkEnd> {
    for piece in pieces(message) {
        let sent = timeout(PIECE_TIME_MAX, channel.send(piece)).await;
        sent.map_err(|_| LinkEnd::Lost)?.map_err(|_| LinkEnd::Lost)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_is_pieces_of_which_only_the_last_says_so() {
        for length in [1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 5 * PIECE_BYTES_MAX, 3_000_000] {
            let message: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let pieces: Vec<_> = pieces(&message).collect();
            assert!(pieces.iter().all(|piece| (2..=PIECE_BYTES_MAX + 1).contains(&piece.len())));
            let (last, before) = pieces.split_last().unwrap();
            assert!(last[0] == LAST && before.iter().all(|piece| piece[0] == MORE), "{length}");
            let whole = pieces.iter().flat_map(|piece| piece[1..].to_vec());
            assert!(whole.eq(message), "{length}");
        }
    }
}
