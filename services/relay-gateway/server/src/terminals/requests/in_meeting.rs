//! What a terminal does in the meeting that it has joined.

use tributary_contracts::{
    registry::v1::{Operation, operation},
    terminal::v1::{
        MediaAnswer, MeetingWasEnded, OperationResult, RefusalCode, relay_message::Body as Reply,
    },
};

use super::super::connection::{Following, Session};
use crate::{media::MediaError, refusal::Refused};

impl Session {
    fn joined(&self) -> Result<&Following, Refused> {
        self.following.as_ref().ok_or_else(|| {
            Refused::new(RefusalCode::OutOfOrder, "join a meeting first: send `join`")
        })
    }

    pub(super) async fn media_offer(&self, sdp: String) -> Result<Reply, Refused> {
        let terminal = self.joined()?.attachment.terminal;
        let sdp = self.shared.media.offer(terminal, sdp).await.map_err(media_refused)?;
        Ok(Reply::MediaAnswer(MediaAnswer { sdp }))
    }

    pub(super) async fn operate(&self, operation: Option<Operation>) -> Result<Reply, Refused> {
        let attachment = &self.joined()?.attachment;
        let Some(operation) = operation else {
            return Err(Refused::new(RefusalCode::Malformed, "operation: it is missing"));
        };
        let muted = match &operation.body {
            Some(operation::Body::SetMuted(set)) => set.muted,
            None => {
                let text = "this kind of operation is not known to this relay";
                return Err(Refused::new(RefusalCode::Unsupported, text));
            }
        };
        let operation_id = operation.operation_id.clone();
        let (media, terminal) = (&self.shared.media, attachment.terminal);
        if muted {
            // The microphone is off here at once, whatever becomes of the operation.
            media.set_muted(terminal, true).await.map_err(media_refused)?;
        }
        let (scope, participant) = (&attachment.hub.scope, attachment.participant);
        let event_number = self.shared.upstream.apply(scope, participant, operation).await?;
        // 0: it is on already. A number that is long past: the operation has come again, and what was
        // done since counts.
        if !muted && (event_number == 0 || event_number >= self.joined()?.cursor) {
            media.set_muted(terminal, false).await.map_err(media_refused)?;
        }
        Ok(Reply::OperationResult(OperationResult { operation_id, event_number }))
    }

    pub(super) async fn end_meeting(&self) -> Result<Reply, Refused> {
        let following = self.joined()?;
        if !following.organiser {
            let text = "only the organiser can end the meeting for everybody";
            return Err(Refused::forbidden(text));
        }
        self.shared.upstream.end_meeting(&following.attachment.hub.scope).await?;
        Ok(Reply::MeetingWasEnded(MeetingWasEnded {}))
    }
}

pub(super) fn media_refused(error: MediaError) -> Refused {
    match error {
        MediaError::Description(error) => Refused::new(
            RefusalCode::BadSessionDescription,
            format!("the session description is not usable: {error}"),
        ),
        MediaError::NotAttached => {
            Refused::new(RefusalCode::OutOfOrder, "join a meeting first: send `join`")
        }
        error => {
            tracing::error!(%error, "media");
            Refused::try_again("this relay's media")
        }
    }
}
