//! What lies beneath: for tests that prove what came and what was sent, and for those that attack.

use std::sync::Arc;

use tokio::sync::oneshot;
use tributary_contracts::{
    operation::v1::{Operation, SignedOperation, operation::Body as OperationBody},
    terminal::v1::{relay_message::Body as Reply, terminal_message::Body},
};
use tributary_identifiers::{MeetingId, TerminalSessionId};
use tributary_join_credential::TerminalKey;

use super::Terminal;
use crate::{Record, attendance::Command, protocol::RequestError};

/// Beneath.
impl Terminal {
    /// All that was told and said, from the first joining on; none without
    /// [`record_events`](crate::Options::record_events).
    pub fn records(&self) -> Vec<Record> {
        self.records_from(0)
    }

    /// The same without the first ones.
    pub fn records_from(&self, index: usize) -> Vec<Record> {
        self.board.records_from(index)
    }

    /// The last 10,000 operations of each meeting as they were signed, oldest first, of one meeting after
    /// the other; none without [`record_events`](crate::Options::record_events).
    pub fn signed_operations(&self) -> Vec<SignedOperation> {
        self.board.signed()
    }

    /// The next operation as it would be; its number is not used up. `None`: not in that meeting.
    pub fn draft(&self, meeting_id: MeetingId, body: OperationBody) -> Option<Operation> {
        self.board.draft(meeting_id, body)
    }

    /// The key that it signs with.
    pub fn key(&self) -> Arc<TerminalKey> {
        Arc::clone(self.board.key())
    }

    /// The session in which it is in a meeting.
    pub fn session_in(&self, meeting_id: MeetingId) -> Option<TerminalSessionId> {
        self.board.standing(meeting_id).map(|standing| standing.session_id)
    }

    /// The organisation that owns a meeting, as the relay has said.
    pub fn organisation(&self, meeting_id: MeetingId) -> Option<String> {
        self.board.standing(meeting_id).map(|standing| standing.organisation)
    }

    /// The credential by which it has joined a meeting last.
    pub fn join_credential(&self, meeting_id: MeetingId) -> Option<String> {
        self.board.credential(meeting_id)
    }

    /// Sends any request on the terminal's own connection and waits for its answer. While there is no
    /// connection it waits for one.
    pub async fn request(&self, body: Body) -> Result<Reply, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Request(Box::new(body), reply)).await?;
        answer.await.map_err(|_| RequestError::Lost)?
    }
}
