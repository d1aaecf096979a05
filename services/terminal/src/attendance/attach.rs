//! Into all meetings of a terminal by one connection: the live one first.

use std::sync::atomic::Ordering;

use tokio::time::timeout;
use tributary_identifiers::MeetingId;

use super::{Attendance, Found};
use crate::{
    JoinError,
    admission::{Admission, Ticket, Wish},
    board::{Board, Entry},
    protocol::{Connection, RequestError},
    random_id,
};

impl Attendance {
    pub(super) async fn attach(&mut self) -> Result<(Connection, Vec<MeetingId>), JoinError> {
        let connection = self.connect().await?;
        self.tickets.sort_by_key(|ticket| ticket.held);
        let mut joined = Vec::new();
        let mut at = 0;
        while let Some(ticket) = self.tickets.get_mut(at) {
            match join(&mut self.admission, ticket, &connection, &self.board).await {
                Ok(meeting_id) => {
                    joined.push(meeting_id);
                    at += 1;
                }
                Err(error) => {
                    // One of two meetings may be over; then the other goes on.
                    let is_last = self.tickets.len() == 1;
                    let Some(end) = error.end_of_stay().filter(|_| !is_last) else {
                        return Err(error);
                    };
                    if let Some(gone) = self.tickets.remove(at).meeting_id() {
                        self.board.ended_in(gone, &end);
                    }
                }
            }
        }
        Ok((connection, joined))
    }

    async fn connect(&mut self) -> Result<Connection, JoinError> {
        if let Some(Found { url, connection }) = self.found.take() {
            self.relays.go_to(&url);
            return Ok(connection);
        }
        let connecting = Connection::connect(self.relays.current());
        let Some(patience) = self.relays.patience() else { return Ok(connecting.await?) };
        Ok(timeout(patience, connecting).await.map_err(|_| JoinError::TimedOut)??)
    }
}

/// Joins one meeting, first or again.
pub(super) async fn join(
    admission: &mut Admission,
    ticket: &mut Ticket,
    connection: &Connection,
    board: &Board,
) -> Result<MeetingId, JoinError> {
    let cursor = ticket.meeting_id().map_or(0, |meeting_id| board.cursor(meeting_id));
    if ticket.meeting_id().is_some_and(|meeting_id| board.wants_new_session(meeting_id)) {
        ticket.session_id = random_id::session();
    }
    let muted = board.desk.muted.load(Ordering::Relaxed);
    let joined = admission.join(ticket, connection, Wish { muted, cursor }).await?;
    let meeting_id = ticket.meeting_id().ok_or(RequestError::WrongKind)?;
    board.entered(Entry {
        meeting_id,
        session_id: ticket.session_id.clone(),
        credential: ticket.credential().to_owned(),
        relay_id: connection.welcome().relay_id.clone(),
        asked_from: cursor,
        held: ticket.held,
        joined,
    });
    Ok(meeting_id)
}
