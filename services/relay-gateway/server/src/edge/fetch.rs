//! HTTP requests of terminals, over the uplink: attachments and reports. They take what media and
//! control leave of the uplink's limit.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use tributary_contracts::relay::v1::{
    FetchRequest, FetchRequestHead, FetchResponse, FetchResponseHead, fetch_request, fetch_response,
};

use super::{bulk::Bulk, session::Uplink};
use crate::{attachments::TRANSFER_TIME_MAX, uplink::FetchBody};

/// Pieces of a body, in bytes.
const PIECE_BYTES_MAX: usize = 16 << 10;
/// Pieces that wait for who takes them.
const PIECES_MAX: usize = 4;
/// For the beginning of an answer, once the request is sent: a report of a large meeting is made from
/// the log.
const HEAD_TIME_MAX: Duration = TRANSFER_TIME_MAX;

/// Asks the parent; the answer comes in pieces.
///
/// # Errors
/// The parent can't be asked, or refuses, or the request was not brought to its end.
pub(super) async fn fetch(
    uplink: &Arc<Uplink>,
    bulk: &Arc<Bulk>,
    head: FetchRequestHead,
    body: FetchBody,
) -> Result<(FetchResponseHead, FetchBody), Status> {
    let broken = CancellationToken::new();
    let parts = parts(head, body, (uplink.clone(), bulk.clone()), broken.clone());
    let (mut client, request) = uplink.in_session(Box::pin(parts))?;
    let first = async {
        let mut answer = client.fetch(request).await?.into_inner();
        let first = answer.message().await?;
        Ok::<_, Status>((answer, first))
    };
    let first = tokio::select! {
        first = timeout(HEAD_TIME_MAX, first) => first,
        () = broken.cancelled() => return Err(Status::cancelled("the request was not ended")),
    };
    let (answer, first) = first.map_err(|_| Status::deadline_exceeded("no answer in time"))??;
    let Some(fetch_response::Part::Head(head)) = first.and_then(|first| first.part) else {
        return Err(Status::internal("the parent's answer has no head"));
    };
    let (pieces, body) = mpsc::channel(PIECES_MAX);
    tokio::spawn(pass_on(answer, (uplink.clone(), bulk.clone()), pieces, broken));
    Ok((head, body))
}

/// What goes up: the head, then the body in pieces, as fast as it may.
fn parts(
    head: FetchRequestHead,
    body: FetchBody,
    (uplink, bulk): (Arc<Uplink>, Arc<Bulk>),
    broken: CancellationToken,
) -> impl Stream<Item = FetchRequest> + Send + 'static {
    struct State {
        head: Option<FetchRequestHead>,
        body: FetchBody,
        pieces: VecDeque<Bytes>,
        uplink: Arc<Uplink>,
        bulk: Arc<Bulk>,
        broken: CancellationToken,
    }
    let state = State { head: Some(head), body, pieces: VecDeque::new(), uplink, bulk, broken };
    unfold(state, async |mut state| {
        if let Some(head) = state.head.take() {
            let part = Some(fetch_request::Part::Head(head));
            return Some((FetchRequest { part }, state));
        }
        while state.pieces.is_empty() {
            match state.body.recv().await {
                Some(Ok(piece)) => state.pieces = split(piece),
                Some(Err(_)) => {
                    // An end would look like that of a whole body: the call is given up instead.
                    state.broken.cancel();
                    std::future::pending::<()>().await;
                }
                None => return None,
            }
        }
        let piece = state.pieces.pop_front()?;
        state.bulk.take_up(piece.len()).await;
        state.uplink.heard(piece.len());
        Some((FetchRequest { part: Some(fetch_request::Part::Body(piece)) }, state))
    })
}

fn split(mut whole: Bytes) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    while !whole.is_empty() {
        pieces.push_back(whole.split_to(whole.len().min(PIECE_BYTES_MAX)));
    }
    pieces
}

/// What comes down, as fast as it may and is taken.
async fn pass_on(
    mut answer: Streaming<FetchResponse>,
    (uplink, bulk): (Arc<Uplink>, Arc<Bulk>),
    pieces: mpsc::Sender<Result<Bytes, Status>>,
    broken: CancellationToken,
) {
    let passing = async {
        loop {
            let piece = match answer.message().await {
                Ok(Some(FetchResponse { part: Some(fetch_response::Part::Body(piece)) })) => {
                    bulk.take_down(piece.len()).await;
                    Ok(piece)
                }
                Ok(Some(_)) => Err(Status::internal("the parent's answer has two heads")),
                Ok(None) => return,
                Err(status) => Err(status),
            };
            let bytes = piece.as_ref().map_or(0, Bytes::len);
            let is_last = piece.is_err();
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
            uplink.delivered(bytes);
        }
    };
    let in_time = tokio::select! {
        passed = timeout(TRANSFER_TIME_MAX, passing) => passed.is_ok(),
        () = broken.cancelled() => false,
    };
    if !in_time {
        // A body that was not brought to its end must not look whole.
        let _ = pieces.send(Err(Status::deadline_exceeded("it was not ended in time"))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_go_in_small_pieces() {
        let sizes = |bytes: usize| -> Vec<usize> {
            split(Bytes::from(vec![0; bytes])).iter().map(Bytes::len).collect()
        };
        assert_eq!(sizes(0), [] as [usize; 0]);
        assert_eq!(sizes(PIECE_BYTES_MAX), [PIECE_BYTES_MAX]);
        assert_eq!(sizes(PIECE_BYTES_MAX + 1), [PIECE_BYTES_MAX, 1]);
    }
}
