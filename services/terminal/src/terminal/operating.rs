//! What somebody does in a meeting. An operation is kept, and sent again after every reconnect, until its
//! result is there.

use std::time::SystemTime;

use tributary_contracts::operation::v1::{
    AnswerLobby, CheckIn, End, OfflineReason, PresenceWish, SendChat, SetHand, SetPresence, TalkTo,
    operation::Body as OperationBody,
};
use tributary_identifiers::{MeetingId, OperationId, ParticipantId};

use super::Terminal;
use crate::{OperateError, Outcome, PendingOperation, Submitted};

/// Operations.
impl Terminal {
    /// Begins an operation in the live meeting; it may take ten minutes.
    pub fn submit(&self, body: OperationBody) -> Result<Submitted, OperateError> {
        self.submit_in(self.meeting_id(), body)
    }

    /// Begins an operation in one of the meetings; it may take ten minutes.
    pub fn submit_in(
        &self,
        meeting_id: MeetingId,
        body: OperationBody,
    ) -> Result<Submitted, OperateError> {
        self.board.submit(meeting_id, body, None)
    }

    /// Begins an operation that is not to be applied later than this.
    pub fn submit_until(
        &self,
        meeting_id: MeetingId,
        body: OperationBody,
        not_after: SystemTime,
    ) -> Result<Submitted, OperateError> {
        self.board.submit(meeting_id, body, Some(not_after))
    }

    /// Does something in the live meeting, and waits for the result, however long it takes.
    pub async fn operate(&self, body: OperationBody) -> Result<Outcome, OperateError> {
        self.submit(body)?.outcome().await
    }

    /// The same in one of the meetings.
    pub async fn operate_in(
        &self,
        meeting_id: MeetingId,
        body: OperationBody,
    ) -> Result<Outcome, OperateError> {
        self.submit_in(meeting_id, body)?.outcome().await
    }

    /// The operations without a result, oldest first, of one meeting after the other.
    pub fn pending(&self) -> Vec<PendingOperation> {
        self.board.pending()
    }

    /// The last 10,000 results in a meeting, in the order in which they came.
    pub fn outcomes(&self, meeting_id: MeetingId) -> Vec<(OperationId, Outcome)> {
        self.board.outcomes(meeting_id)
    }

    /// Switches the microphone, here at once and for the live meeting by an operation.
    pub async fn set_muted(&self, muted: bool) -> Result<Outcome, OperateError> {
        self.board.set_muted(muted)?.outcome().await
    }

    /// Talks to some and to nobody else, or to everybody again (nobody named).
    ///
    /// The microphone is silent from the call on, and is given to whom it is meant for when the meeting
    /// says that this is in force. It stays silent if that is refused, or ends without having been
    /// asked to, until this is called again: what is meant for some never goes to all.
    pub async fn talk_to(&self, targets: &[ParticipantId]) -> Result<Outcome, OperateError> {
        let participant_ids = ids(targets);
        self.operate(OperationBody::TalkTo(TalkTo { participant_ids })).await
    }

    /// Raises or lowers the own hand.
    pub async fn raise_hand(&self, raised: bool) -> Result<Outcome, OperateError> {
        self.operate(OperationBody::SetHand(SetHand { raised })).await
    }

    /// Says that one is there, for the record.
    pub async fn check_in(&self) -> Result<Outcome, OperateError> {
        self.operate(OperationBody::CheckIn(CheckIn {})).await
    }

    /// Writes to some, or to everybody (nobody named).
    pub async fn chat(&self, text: &str, to: &[ParticipantId]) -> Result<Outcome, OperateError> {
        let to_participant_ids = ids(to);
        let chat = SendChat { text: text.to_owned(), to_participant_ids };
        self.operate(OperationBody::SendChat(chat)).await
    }

    /// Is online, away, or offline with the place kept.
    pub async fn set_presence(
        &self,
        presence: PresenceWish,
        reason: OfflineReason,
    ) -> Result<Outcome, OperateError> {
        let (presence, reason) = (presence.into(), reason.into());
        self.operate(OperationBody::SetPresence(SetPresence { presence, reason })).await
    }

    /// As a host lets somebody in who waits in the lobby, or sends them away.
    pub async fn admit(
        &self,
        participant: ParticipantId,
        admitted: bool,
    ) -> Result<Outcome, OperateError> {
        let participant_id = participant.0;
        self.operate(OperationBody::AnswerLobby(AnswerLobby { participant_id, admitted })).await
    }

    /// As a host ends the meeting for everybody.
    pub async fn end_meeting(&self) -> Result<Outcome, OperateError> {
        self.operate(OperationBody::End(End {})).await
    }
}

fn ids(participants: &[ParticipantId]) -> Vec<u32> {
    participants.iter().map(|id| id.0).collect()
}
