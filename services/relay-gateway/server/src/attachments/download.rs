//! Reading a file.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tributary_contracts::{
    registry::v1::{Attachment, GetAttachmentResponse, get_attachment_response::Part},
    terminal::v1::RefusalCode,
};

use super::{TRANSFER_TIME_MAX, Transfers, answer, disposition, places::Place, shown};
use crate::{refusal::Refused, trust::Hold, upstream::REGISTRY};

/// How long the registry may take for the next piece.
const PIECE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the reader may take for it.
const READER_TIME_MAX: Duration = Duration::from_secs(30);
/// Pieces between the registry and the reader.
const PIECES_AHEAD: usize = 2;

/// The pages of this relay never show a file: it is saved.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

pub(super) async fn download(
    State(state): State<Transfers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let identity = state.identity(&headers).await?;
    let Path((meeting_id, attachment_id)) = path.map_err(|_| Refused::not_admitted())?;
    let scope = state.shared.scope(&meeting_id)?;
    let place = state.place_to_read(&identity.claims.user_id)?;
    let hold = state.shared.trust.hold(identity.provenance());
    let address = state.address(peer, &headers);
    state.shared.admit_reader(&identity, &scope, shown(&headers), address).await?;
    let found = state.shared.upstream.get_attachment(&scope, &attachment_id).await;
    let mut parts = found.map_err(as_absent)?;
    let Some(Part::Attachment(attachment)) = next(&mut parts).await? else {
        return Err(Refused::try_again(REGISTRY));
    };
    let (pieces, body) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(transfer(forward(parts, attachment.size, pieces), hold, place));
    Ok(response(&attachment, Body::from_stream(ReceiverStream::new(body))))
}

/// An id that can't be one is as good as one that is not there.
fn as_absent(refused: Refused) -> Refused {
    match refused.code {
        RefusalCode::Malformed | RefusalCode::MeetingEnded => Refused::not_admitted(),
        _ => refused,
    }
}

async fn next(parts: &mut Streaming<GetAttachmentResponse>) -> Result<Option<Part>, Refused> {
    let part = timeout(PIECE_TIME_MAX, parts.message()).await;
    let part = part.map_err(|_| Refused::try_again(REGISTRY))?;
    let part = part.map_err(|status| as_absent(Refused::from_status(REGISTRY, &status)))?;
    Ok(part.and_then(|part| part.part))
}

/// Lets a file be passed on as long as it may: while its reader's token is not revoked, and not for ever.
async fn transfer(forwarding: impl Future<Output = ()>, hold: Hold, _place: Place) {
    tokio::select! {
        biased;
        () = hold.revoked() => {}
        _ = timeout(TRANSFER_TIME_MAX, forwarding) => {}
    }
}

/// Passes a file on, piece by piece, as fast as it is read. A file that ends early or is not read is cut
/// off, which its reader sees by its length.
async fn forward(
    mut parts: Streaming<GetAttachmentResponse>,
    size: u64,
    pieces: mpsc::Sender<Result<Bytes, Refused>>,
) {
    let mut left = size;
    while left > 0 {
        let piece = match next(&mut parts).await {
            Ok(Some(Part::Data(data))) if data.len() as u64 <= left => Ok(Bytes::from(data)),
            Ok(_) => Err(Refused::try_again(REGISTRY)),
            Err(refused) => Err(refused),
        };
        let is_last = piece.is_err();
        left -= piece.as_ref().map_or(0, |data| data.len() as u64);
        if !matches!(timeout(READER_TIME_MAX, pieces.send(piece)).await, Ok(Ok(()))) || is_last {
            return;
        }
    }
}

fn response(attachment: &Attachment, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_str(&attachment.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_LENGTH, attachment.size.into());
    // Such a text is always a header's value.
    if let Ok(disposition) = disposition::attachment(&attachment.file_name).parse() {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer::keep_nowhere(headers);
    response
}
