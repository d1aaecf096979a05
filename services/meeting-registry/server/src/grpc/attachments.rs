//! Files of meetings over gRPC: a header, then bytes, in both directions.

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tonic::{Status, Streaming};
use tributary_contracts::registry::v1::{
    AttachmentHeader, GetAttachmentRequest, GetAttachmentResponse, PutAttachmentRequest,
    get_attachment_response::Part as Given, put_attachment_request::Part,
};
use tributary_identifiers::AttachmentId;
use tributary_meeting_registry_core::Attachment;
use tributary_message_bus::subjects::MeetingScope;

use super::{
    read,
    status::{invalid, of_attachment, of_file, of_store},
};
use crate::{
    attachments::{Attachments, Intake, NewFile},
    wire,
};

/// The answer of GetAttachment.
pub type Giving = BoxStream<'static, Result<GetAttachmentResponse, Status>>;

/// Attaches a file.
pub async fn put(
    attachments: &Attachments,
    mut parts: Streaming<PutAttachmentRequest>,
) -> Result<Attachment, Status> {
    let Some(Part::Header(header)) = parts.message().await?.and_then(|first| first.part) else {
        return Err(invalid("header", &"must come first"));
    };
    let (scope, new) = read_header(&header)?;
    let pieces = parts.map(|part| match part?.part {
        Some(Part::Data(data)) => Ok(data),
        Some(Part::Header(_)) => Err(invalid("header", &"must come once")),
        None => Err(invalid("data", &"must be given")),
    });
    let attached = attachments.put(&scope, new, Intake::new(pieces)).await;
    let attachment = attached.map_err(of_attachment)?;
    let (id, size) = (&attachment.id, attachment.size);
    tracing::info!(meeting = %scope.meeting, attachment = %id, size, "attached");
    Ok(attachment)
}

fn read_header(header: &AttachmentHeader) -> Result<(MeetingScope, NewFile), Status> {
    let scope = read::scope(&header.organisation, &header.meeting_id)?;
    let new = NewFile {
        by: read::field("user_id", &header.user_id)?,
        name: read::field("file_name", &header.file_name)?,
        media_type: read::field("media_type", &header.media_type)?,
    };
    Ok((scope, new))
}

/// Opens a file, and gives it piece by piece.
pub async fn get(
    attachments: &Attachments,
    request: &GetAttachmentRequest,
) -> Result<Giving, Status> {
    let scope = read::scope(&request.organisation, &request.meeting_id)?;
    let id: AttachmentId = read::field("attachment_id", &request.attachment_id)?;
    let (attachment, pieces) = attachments.open(&scope, &id).await.map_err(of_attachment)?;
    let header = Given::Attachment(wire::attachment(&attachment));
    let bytes = pieces.map(|piece| match piece {
        Ok(piece) => Ok(Given::Data(piece.into())),
        Err(error) => Err(of_file(&error)),
    });
    let parts = stream::iter([Ok(header)]).chain(bytes);
    Ok(parts.map(|part| Ok(GetAttachmentResponse { part: Some(part?) })).boxed())
}

/// What is attached.
pub async fn list(
    attachments: &Attachments,
    scope: &MeetingScope,
) -> Result<Vec<tributary_contracts::registry::v1::Attachment>, Status> {
    let found = attachments.list(scope).await.map_err(of_store)?;
    Ok(found.iter().map(wire::attachment).collect())
}
