//! Two meetings at a time: live in one of them.

use tokio::sync::oneshot;
use tributary_identifiers::MeetingId;

use super::{JoinError, Terminal};
use crate::{Target, attendance::Command, protocol::RequestError};

/// Two meetings.
impl Terminal {
    /// Joins another meeting for its events only, offline with the place kept. While there is no
    /// connection it waits for one.
    pub async fn join_held(&self, target: impl Into<Target>) -> Result<MeetingId, JoinError> {
        let (reply, joined) = oneshot::channel();
        self.command(Command::JoinHeld(target.into(), reply)).await?;
        joined.await.map_err(|_| RequestError::Lost)?
    }

    /// Speaks and hears in the other meeting from now on, and says it to both: their `SetPresence`
    /// operations are on their way when this resolves.
    pub async fn switch_to(&self, meeting_id: MeetingId) -> Result<(), RequestError> {
        let (reply, switched) = oneshot::channel();
        self.command(Command::Switch(meeting_id, reply)).await?;
        switched.await.map_err(|_| RequestError::Lost)?
    }

    /// Leaves one meeting and says so. With the last one the stay is over.
    pub async fn leave_meeting(&self, meeting_id: MeetingId) -> Result<(), RequestError> {
        let (reply, left) = oneshot::channel();
        self.command(Command::LeaveMeeting(meeting_id, reply)).await?;
        left.await.map_err(|_| RequestError::Lost)?
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), RequestError> {
        self.commands.send(command).await.map_err(|_| RequestError::Lost)
    }
}
