//! Media of one child: what comes up goes to the media thread, and what that has for the child goes down
//! as fast as HTTP/2 takes it.
//!
//! **Invariant:** nothing waits here: what the connection does not take stays in the media thread's
//! bounded queues, which drop the oldest.

use std::{error::Error as _, pin::Pin, sync::Arc};

use futures_util::{Stream, stream};
use prost::Message as _;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Status, Streaming};
use tributary_contracts::relay::v1::{CarryRequest, CarryResponse};

use super::child::Child;
use crate::media::ParentPort;

pub(super) type CarryStream = Pin<Box<dyn Stream<Item = Result<CarryResponse, Status>> + Send>>;

struct Down {
    child: Arc<Child>,
    port: Arc<ParentPort>,
    /// Nothing comes up any more.
    ended: CancellationToken,
    _up: AbortOnDropHandle<()>,
}

/// Carries a child's media until the stream ends, a newer one comes, or the session is over.
pub(super) fn run(child: Arc<Child>, port: ParentPort, up: Streaming<CarryRequest>) -> CarryStream {
    let port = Arc::new(port);
    let ended = CancellationToken::new();
    let taking = take(child.clone(), port.clone(), up, ended.clone());
    let up = AbortOnDropHandle::new(tokio::spawn(taking));
    let down = Down { child, port, ended, _up: up };
    Box::pin(stream::unfold(Some(down), |down| async {
        let down = down?;
        let message = tokio::select! {
            biased;
            () = down.child.over() => return Some((Err(down.child.why()), None)),
            () = down.ended.cancelled() => return None,
            message = down.port.next() => message,
        };
        match message {
            Some(message) => {
                down.child.counts.down(message.encoded_len());
                Some((Ok(message), Some(down)))
            }
            None => Some((Err(super::sessions::replaced()), None)),
        }
    }))
}

async fn take(
    child: Arc<Child>,
    port: Arc<ParentPort>,
    mut up: Streaming<CarryRequest>,
    ended: CancellationToken,
) {
    let ended = ended.drop_guard();
    loop {
        // The way down may never be looked at again while HTTP/2 takes nothing: this ends by itself, and
        // leaves it to the way down to say why.
        let message = tokio::select! {
            biased;
            () = child.over() => break,
            () = port.closed() => break,
            message = up.message() => message,
        };
        match message {
            Ok(Some(message)) => {
                child.counts.up(message.encoded_len());
                port.push(message, child.offset_us());
            }
            Ok(None) => return,
            Err(status) => {
                if super::is_garbage(&status) {
                    child.end(Status::invalid_argument(
                        "a message of voices can't be read, or is too large",
                    ));
                } else {
                    tracing::debug!(relay = %child.relay, cause = ?status.source(), "carrying ends");
                }
                return;
            }
        }
    }
    ended.disarm();
}
