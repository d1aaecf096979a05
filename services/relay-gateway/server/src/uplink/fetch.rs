//! HTTP requests of terminals behind a child: head first, then the body in pieces, both ways.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};
use tonic::{Status, Streaming};
use tributary_contracts::relay::v1::{
    FetchRequest, FetchRequestHead, FetchResponse, FetchResponseHead, fetch_request, fetch_response,
};

use super::{backend::FetchBody, child::Child};

/// Requests of one child at a time.
pub(super) const FETCHES_MAX: usize = 32;
/// How long the head of a request may take.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the next piece of a body may take, and how long it may wait to be taken; either way.
const PIECE_TIME_MAX: Duration = Duration::from_secs(30);
/// Pieces on the way between two.
const PIECES_AHEAD: usize = 4;
/// Largest piece, in bytes.
const PIECE_BYTES_MAX: usize = 16 << 10;
/// Longest path and query, and all headers, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

pub(super) type FetchStream = Pin<Box<dyn Stream<Item = Result<FetchResponse, Status>> + Send>>;

/// A place for one request.
pub(super) fn place(child: &Arc<Child>) -> Result<OwnedSemaphorePermit, Status> {
    child.fetches.clone().try_acquire_owned().map_err(|_| {
        let text = format!("{FETCHES_MAX} requests of this relay are on their way: wait for one");
        Status::resource_exhausted(text)
    })
}

/// Reads the head of a request, and begins with its body.
pub(super) async fn open(
    child: &Arc<Child>,
    mut parts: Streaming<FetchRequest>,
) -> Result<(FetchRequestHead, FetchBody), Status> {
    let first = timeout(HEAD_TIME_MAX, parts.message()).await;
    let first =
        first.map_err(|_| Status::deadline_exceeded("the head of the request is late"))??;
    let Some(fetch_request::Part::Head(head)) = first.and_then(|first| first.part) else {
        return Err(Status::invalid_argument("the first part must be the head of the request"));
    };
    check_head(&head)?;
    Ok((head, copy(child, pieces_of(parts))))
}

fn check_head(head: &FetchRequestHead) -> Result<(), Status> {
    let headers = head.headers.iter().map(|header| header.name.len() + header.value.len());
    let bytes = head.path.len() + headers.sum::<usize>();
    if head.headers.len() > HEADERS_MAX || bytes > HEAD_BYTES_MAX {
        return Err(Status::invalid_argument("the head of the request is too large"));
    }
    if !matches!(head.method.as_str(), "GET" | "POST") {
        return Err(Status::invalid_argument("method: it must be GET or POST"));
    }
    if !is_of_a_meeting(&head.path) {
        return Err(Status::invalid_argument("path: it must be below /meetings/"));
    }
    Ok(())
}

/// Whether a path and query is one of those that terminals may fetch.
pub(crate) fn is_of_a_meeting(path: &str) -> bool {
    let only_path = path.split(['?', '#']).next().unwrap_or_default();
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    // Nothing that another reader might take for a step upwards.
    let steps = only_path.split('/').any(|part| {
        part == "."
            || part == ".."
            || part.contains('\\')
            || part.to_ascii_lowercase().contains("%2e")
            || part.to_ascii_lowercase().contains("%2f")
    });
    only_path.starts_with("/meetings/") && is_plain && !steps
}

/// The pieces of a request's body.
fn pieces_of(parts: Streaming<FetchRequest>) -> impl Stream<Item = Result<Bytes, Status>> + Send {
    stream::unfold(parts, async |mut parts| {
        let piece = match timeout(PIECE_TIME_MAX, parts.message()).await {
            Ok(Ok(None)) => return None,
            Ok(Ok(Some(part))) => match part.part {
                Some(fetch_request::Part::Body(piece)) if piece.len() <= PIECE_BYTES_MAX => {
                    Ok(piece)
                }
                _ => Err(Status::invalid_argument("a part is no piece of at most 16 KiB")),
            },
            Ok(Err(status)) => Err(status),
            Err(_) => Err(Status::deadline_exceeded("the body of the request is late")),
        };
        Some((piece, parts))
    })
}

/// Copies a body as fast as it is read, until its end or its first error, or until the reader or the
/// child's session is gone.
pub(crate) fn copy(
    child: &Arc<Child>,
    body: impl Stream<Item = Result<Bytes, Status>> + Send + 'static,
) -> FetchBody {
    let (pieces, copied) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(copy_to(child.clone(), body, pieces));
    copied
}

async fn copy_to(
    child: Arc<Child>,
    body: impl Stream<Item = Result<Bytes, Status>>,
    pieces: mpsc::Sender<Result<Bytes, Status>>,
) {
    // An end without an error is a whole body: there is always room for an error.
    let Ok(for_error) = pieces.clone().reserve_owned().await else { return };
    let mut body = pin!(body);
    let copying = async {
        while let Some(piece) = body.next().await {
            match timeout(PIECE_TIME_MAX, pieces.send(Ok(piece?))).await {
                Ok(Ok(())) => {}
                // Nobody reads on when the request is answered already.
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(Status::deadline_exceeded("the body is not taken")),
            }
        }
        Ok(())
    };
    let copied = tokio::select! {
        biased;
        () = child.over() => Err(child.why()),
        copied = copying => copied,
    };
    if let Err(status) = copied {
        for_error.send(Err(status));
    }
}

/// What is left of an answer.
struct Answer {
    child: Arc<Child>,
    body: FetchBody,
    /// The rest of a piece that was too large for one part.
    rest: Bytes,
    _place: OwnedSemaphorePermit,
}

/// The parts of an answer, at the pace of the child's limit.
pub(super) fn answer(
    child: Arc<Child>,
    head: FetchResponseHead,
    body: FetchBody,
    place: OwnedSemaphorePermit,
) -> FetchStream {
    let head = FetchResponse { part: Some(fetch_response::Part::Head(head)) };
    let answer = Answer { child, body, rest: Bytes::new(), _place: place };
    let body = stream::unfold(Some(answer), |answer| async {
        let mut answer = answer?;
        while answer.rest.is_empty() {
            match timeout(PIECE_TIME_MAX, answer.body.recv()).await {
                Ok(Some(Ok(piece))) => answer.rest = piece,
                Ok(Some(Err(status))) => return Some((Err(status), None)),
                Ok(None) => return None,
                Err(_) => {
                    let late = Status::deadline_exceeded("the body of the answer is late");
                    return Some((Err(late), None));
                }
            }
        }
        let piece = answer.rest.split_to(answer.rest.len().min(PIECE_BYTES_MAX));
        answer.child.files.take(piece.len()).await;
        let part = FetchResponse { part: Some(fetch_response::Part::Body(piece)) };
        Some((Ok(part), Some(answer)))
    });
    let head = stream::once(std::future::ready(Ok(head)));
    Box::pin(head.chain(body))
}

#[cfg(test)]
mod tests {
    use tributary_contracts::relay::v1::RelaySettings;

    use super::*;
    use crate::media::UplinkId;

    fn child() -> Arc<Child> {
        let relay = "edge".parse().unwrap();
        Arc::new(Child::new(UplinkId(1), relay, RelaySettings::default()).unwrap())
    }

    fn endless() -> impl Stream<Item = Result<Bytes, Status>> + Send {
        stream::repeat_with(|| Ok(Bytes::from_static(b"x")))
    }

    async fn read(mut body: FetchBody) -> (usize, Option<Status>) {
        let mut pieces = 0;
        while let Some(piece) = body.recv().await {
            match piece {
                Ok(_) => pieces += 1,
                Err(status) => return (pieces, Some(status)),
            }
        }
        (pieces, None)
    }

    #[tokio::test]
    async fn a_whole_body_ends_without_an_error_and_another_with_its_own() {
        let child = child();
        let (pieces, error) = read(copy(&child, endless().take(20))).await;
        assert_eq!((pieces, error.is_none()), (20, true));
        let broken = endless().take(3).chain(stream::iter([Err(Status::aborted("cut off"))]));
        let (pieces, error) = read(copy(&child, broken.chain(endless()))).await;
        assert_eq!((pieces, error.unwrap().code()), (3, tonic::Code::Aborted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_takes_is_given_up_and_does_not_look_whole() {
        let body = copy(&child(), endless());
        tokio::time::sleep(PIECE_TIME_MAX + Duration::from_secs(1)).await;
        let (pieces, error) = read(body).await;
        assert!(pieces < PIECES_AHEAD);
        assert_eq!(error.unwrap().code(), tonic::Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn an_answer_goes_out_at_the_pace_of_the_limit() {
        let settings = RelaySettings { uplink_limit_kbit: 800, ..RelaySettings::default() };
        let relay = "edge".parse().unwrap();
        let child = Arc::new(Child::new(UplinkId(1), relay, settings).unwrap());
        let piece = Bytes::from(vec![0; PIECE_BYTES_MAX]);
        let body = copy(&child, stream::repeat_with(move || Ok(piece.clone())));
        let place = place(&child).unwrap();
        let mut parts = answer(child.clone(), FetchResponseHead::default(), body, place);
        assert!(parts.next().await.unwrap().is_ok(), "the head waits for nothing");
        let begin = std::time::Instant::now();
        for _ in 0..3 {
            assert!(parts.next().await.unwrap().is_ok());
        }
        // Of 48 KiB half may go at once, and the rest takes a quarter of a second.
        assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
        child.set_settings(&child.relay, RelaySettings::default());
        for _ in 0..1_000 {
            assert!(parts.next().await.unwrap().is_ok(), "without a limit nothing waits");
        }
    }

    #[tokio::test]
    async fn a_body_ends_with_the_session() {
        let child = child();
        let body = copy(&child, stream::pending());
        child.end(Status::permission_denied("revoked"));
        let (pieces, error) = read(body).await;
        assert_eq!((pieces, error.unwrap().code()), (0, tonic::Code::PermissionDenied));
    }

    #[test]
    fn only_what_is_below_meetings_is_fetched() {
        for good in ["/meetings/a/attachments?name=a%20b", "/meetings/a/attendance.csv"] {
            assert!(is_of_a_meeting(good), "{good}");
        }
        for bad in [
            "/",
            "/terminal/v1",
            "/meetings",
            "meetings/a",
            "http://other/meetings/a",
            "/meetings/../status",
            "/meetings/%2e%2e/status",
            "/meetings/a\\b",
            "/meetings/a b",
            "/meetings/a%2F..",
            "//meetings/a",
            "/meetings/ä",
        ] {
            assert!(!is_of_a_meeting(bad), "{bad}");
        }
    }
}
