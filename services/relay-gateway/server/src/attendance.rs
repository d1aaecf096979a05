//! Who was there, for hosts: `GET /meetings/<id>/attendance.csv` and `….json`, in the name of who holds
//! the identity token.
//!
//! **Invariants:** access control decides first, as for attachments; that only hosts may is the
//! registry's to say, who knows the hosts of the meeting.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::{sync::mpsc, time::timeout};
use tonic::Streaming;
use tributary_contracts::registry::v1::{
    AttendanceFormat, ExportAttendanceRequest, ExportAttendanceResponse,
};
use tributary_message_bus::subjects::MeetingScope;

use crate::{
    attachments::{TRANSFER_TIME_MAX, Transfers, answer, disposition, shown},
    refusal::Refused,
    upstream::REGISTRY,
};

/// How long the registry may take for the next piece.
const PIECE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the reader may take for it.
const READER_TIME_MAX: Duration = Duration::from_secs(30);
/// Pieces between the registry and the reader.
const PIECES_AHEAD: usize = 2;

/// The routes.
pub(crate) fn routes(transfers: Transfers) -> Router {
    Router::new()
        .route("/meetings/{meeting_id}/attendance.csv", get(csv))
        .route("/meetings/{meeting_id}/attendance.json", get(json))
        .with_state(transfers)
}

/// How a report is written.
#[derive(Clone, Copy)]
struct Form {
    format: AttendanceFormat,
    media_type: &'static str,
    extension: &'static str,
}

const CSV: Form =
    Form { format: AttendanceFormat::Csv, media_type: "text/csv; charset=utf-8", extension: "csv" };
const JSON: Form =
    Form { format: AttendanceFormat::Json, media_type: "application/json", extension: "json" };

type MeetingPath = Result<Path<String>, PathRejection>;

async fn csv(
    State(transfers): State<Transfers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: MeetingPath,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    report(&transfers, peer, path, &headers, CSV).await
}

async fn json(
    State(transfers): State<Transfers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: MeetingPath,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    report(&transfers, peer, path, &headers, JSON).await
}

async fn report(
    transfers: &Transfers,
    peer: SocketAddr,
    path: MeetingPath,
    headers: &HeaderMap,
    form: Form,
) -> Result<Response, Refused> {
    let identity = transfers.identity(headers).await?;
    let Path(meeting_id) = path.map_err(|_| Refused::not_admitted())?;
    let shared = &transfers.shared;
    let scope = shared.scope(&meeting_id)?;
    let place = transfers.place_to_read(&identity.claims.user_id)?;
    let hold = shared.trust.hold(identity.provenance());
    let address = transfers.address(peer, headers);
    // Who was made a host in the meeting may be an outsider of the member list.
    shared.admit_reader(&identity, &scope, shown(headers), address).await?;
    let request = ExportAttendanceRequest {
        organisation: scope.organisation.to_string(),
        meeting_id: scope.meeting.to_string(),
        format: form.format.into(),
        user_id: identity.claims.user_id.to_string(),
    };
    let parts = shared.upstream.attendance(request).await.map_err(Refused::in_meeting)?;
    // Whether there is a report is known with its first piece.
    let mut pieces = Pieces { parts };
    let first = pieces.next().await.map_err(Refused::in_meeting)?;
    let (reader, body) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            biased;
            () = hold.revoked() => {}
            _ = timeout(TRANSFER_TIME_MAX, pieces.forward(first, reader)) => {}
        }
    });
    Ok(response(&scope, form, Body::from_stream(whole(body))))
}

/// `None` is the end of a report that was read to its end.
type Piece = Option<Bytes>;

struct Pieces {
    parts: Streaming<ExportAttendanceResponse>,
}

impl Pieces {
    async fn next(&mut self) -> Result<Piece, Refused> {
        let part = timeout(PIECE_TIME_MAX, self.parts.message()).await;
        let part = part.map_err(|_| Refused::try_again(REGISTRY))?;
        let part = part.map_err(|status| Refused::from_status(REGISTRY, &status))?;
        Ok(part.map(|part| part.data.into()))
    }

    /// Passes a report on, piece by piece, as fast as it is read.
    async fn forward(mut self, first: Piece, reader: mpsc::Sender<Piece>) {
        let mut piece = first;
        loop {
            let is_last = piece.is_none();
            let sent = timeout(READER_TIME_MAX, reader.send(piece)).await;
            if is_last || !matches!(sent, Ok(Ok(()))) {
                return;
            }
            let Ok(next) = self.next().await else { return };
            piece = next;
        }
    }
}

/// What is forwarded, and an error after what was not to its end: its reader sees that it is cut off.
fn whole(body: mpsc::Receiver<Piece>) -> impl Stream<Item = Result<Bytes, Refused>> {
    stream::unfold(Some(body), |body| async {
        let mut body = body?;
        match body.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(body))),
            Some(None) => None,
            None => Some((Err(Refused::try_again(REGISTRY)), None)),
        }
    })
}

fn response(scope: &MeetingScope, form: Form, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type));
    let file_name = format!("attendance-{}.{}", scope.meeting, form.extension);
    // Such a text is always a header's value.
    if let Ok(disposition) = disposition::attachment(&file_name).parse() {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    answer::keep_nowhere(headers);
    response
}
