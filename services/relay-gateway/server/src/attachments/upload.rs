//! Attaching a file.

use std::{future::ready, net::SocketAddr};

use axum::{
    body::{Body, BodyDataStream},
    extract::{
        ConnectInfo, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use tributary_contracts::{
    registry::v1::{AttachmentHeader, PutAttachmentRequest, put_attachment_request::Part},
    terminal::v1::RefusalCode,
};

use super::{
    Transfers, answer,
    spool::{Spool, SpoolError, discard},
};
use crate::{refusal::Refused, upstream::REGISTRY};

#[derive(Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    name: String,
}

pub(super) async fn upload(
    State(state): State<Transfers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    meeting_id: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut body = body.into_data_stream();
    // What can't be read is as good as empty.
    let meeting_id = meeting_id.map(|Path(id)| id).unwrap_or_default();
    let name = parameters.map(|Query(parameters)| parameters.name).unwrap_or_default();
    let uploaded = attach(&state, peer, &meeting_id, name, &headers, &mut body).await;
    let response = match uploaded {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    };
    if !response.status().is_success() {
        discard(&mut body).await;
    }
    response
}

async fn attach(
    state: &Transfers,
    peer: SocketAddr,
    meeting_id: &str,
    file_name: String,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Response, Refused> {
    let identity = state.identity(headers).await?;
    let scope = state.shared.scope(meeting_id)?;
    if file_name.is_empty() {
        let text = "name: it is missing: POST /meetings/<id>/attachments?name=<file name>";
        return Err(Refused::new(RefusalCode::Malformed, text));
    }
    let _place = state.uploads.take(&identity.claims.user_id)?;
    let hold = state.shared.trust.hold(identity.provenance());
    let address = state.address(peer, headers);
    state.shared.admit_member(&identity, &scope, address).await?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|size| size > state.bytes_max) {
        let error = SpoolError::TooLarge(state.bytes_max);
        return Ok(answer::too_large(&error.to_string()));
    }
    let collected = tokio::select! {
        biased;
        () = hold.revoked() => return Err(Refused::revoked()),
        collected = Spool::collect(body, state.bytes_max) => collected,
    };
    let spool = match collected {
        Ok(spool) => spool,
        Err(error @ SpoolError::TooLarge(_)) => return Ok(answer::too_large(&error.to_string())),
        Err(error @ SpoolError::Incomplete) => {
            return Err(Refused::new(RefusalCode::Malformed, error.to_string()));
        }
        Err(SpoolError::Disk(error)) => {
            tracing::error!(%error, "a temporary file can't be written");
            return Err(Refused::try_again("this relay's disk"));
        }
    };
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let header = AttachmentHeader {
        organisation: scope.organisation.to_string(),
        meeting_id: scope.meeting.to_string(),
        user_id: identity.claims.user_id.to_string(),
        file_name,
        media_type: media_type.unwrap_or_default().to_owned(),
    };
    put(state, header, spool).await
}

async fn put(
    state: &Transfers,
    header: AttachmentHeader,
    spool: Spool,
) -> Result<Response, Refused> {
    let part = |part| PutAttachmentRequest { part: Some(part) };
    let data = spool.pieces().map(move |piece| part(Part::Data(piece.into())));
    let parts = stream::once(ready(part(Part::Header(header)))).chain(data);
    match state.shared.upstream.put_attachment(parts).await {
        Ok(attachment) => Ok(answer::attached(&attachment)),
        Err(status) => match Refused::from_status(REGISTRY, &status).in_meeting() {
            Refused { code: RefusalCode::Limit, message } => Ok(answer::too_large(&message)),
            refused => Err(refused),
        },
    }
}
