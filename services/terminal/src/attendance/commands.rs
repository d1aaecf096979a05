//! What the user wants of the connection, and how it is answered.

use tokio::sync::oneshot;
use tributary_contracts::{
    operation::v1::{
        OfflineReason, PresenceWish, SetMuted, SetPresence, operation::Body as OperationBody,
    },
    terminal::v1::{
        Leave, RefusalCode, SwitchMeeting, relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::{MeetingId, OperationId};

use super::{MEETINGS_MAX, Visited, attach::join, ending::is_never_carried, visit::Visit};
use crate::{
    EndReason, JoinError, MeetingTarget, Outcome, Target, admission::Ticket, protocol::RequestError,
};

type Done = oneshot::Sender<Result<(), RequestError>>;

pub(crate) enum Command {
    JoinHeld(Target, oneshot::Sender<Result<MeetingId, JoinError>>),
    Switch(MeetingId, Done),
    LeaveMeeting(MeetingId, Done),
    Request(Box<Body>, oneshot::Sender<Result<Reply, RequestError>>),
    /// Leave all meetings.
    Leave(oneshot::Sender<()>),
}

/// What came back for something that was sent.
pub(super) enum Answered {
    Operation {
        meeting_id: MeetingId,
        id: OperationId,
        result: Result<Reply, RequestError>,
    },
    Switch {
        meeting_id: MeetingId,
        result: Result<Reply, RequestError>,
        done: Done,
    },
    LeaveMeeting {
        meeting_id: MeetingId,
        result: Result<Reply, RequestError>,
        done: Done,
    },
    /// Told to who asked already.
    Request,
}

impl Visit<'_> {
    pub(super) async fn perform(&mut self, command: Command) -> Result<(), Visited> {
        match command {
            Command::JoinHeld(target, reply) => {
                // Who asked may not wait any more.
                let _ = reply.send(self.join_held(target).await);
            }
            Command::Switch(meeting_id, done) => self.switch_to(meeting_id, done).await,
            Command::LeaveMeeting(meeting_id, done) => {
                let leave = Leave { meeting_id: meeting_id.to_string() };
                let requests = self.requests.clone();
                self.answers.spawn(async move {
                    let result = requests.request(Body::Leave(leave)).await;
                    Answered::LeaveMeeting { meeting_id, result, done }
                });
            }
            Command::Request(body, reply) => {
                let requests = self.requests.clone();
                self.answers.spawn(async move {
                    let _ = reply.send(requests.request(*body).await);
                    Answered::Request
                });
            }
            Command::Leave(reply) => {
                for meeting_id in &self.joined {
                    let leave = Leave { meeting_id: meeting_id.to_string() };
                    let left = self.requests.request(Body::Leave(leave)).await;
                    tracing::debug!(?left, "left");
                }
                let _ = reply.send(());
                return Err(Visited::Over(EndReason::Left));
            }
        }
        Ok(())
    }

    async fn join_held(&mut self, target: Target) -> Result<MeetingId, JoinError> {
        if self.joined.contains(&target.meeting_id) {
            return Ok(target.meeting_id);
        }
        if self.stay.tickets.len() >= MEETINGS_MAX {
            let text = "a terminal can be in two meetings: leave one of them first";
            return Err(refused(RefusalCode::Limit, text).into());
        }
        let mut ticket = Ticket::new(MeetingTarget::Existing(target), None, true);
        let stay = &mut *self.stay;
        let joined = join(&mut stay.admission, &mut ticket, &self.connection, &stay.board).await?;
        stay.tickets.push(ticket);
        self.joined.push(joined);
        stay.board.connected_unless_waiting(joined);
        Ok(joined)
    }

    async fn switch_to(&mut self, meeting_id: MeetingId, done: Done) {
        if !self.joined.contains(&meeting_id) {
            let text = "the terminal is not in that meeting: join it first";
            let _ = done.send(Err(refused(RefusalCode::OutOfOrder, text)));
            return;
        }
        if self.stay.board.live() == Some(meeting_id) {
            let _ = done.send(Ok(()));
            return;
        }
        let switch = SwitchMeeting { meeting_id: meeting_id.to_string() };
        let requests = self.requests.clone();
        self.answers.spawn(async move {
            let result = requests.request(Body::SwitchMeeting(switch)).await;
            Answered::Switch { meeting_id, result, done }
        });
    }

    pub(super) fn take_answer(&mut self, answered: Answered) -> Result<(), Visited> {
        match answered {
            Answered::Operation { meeting_id, id, result } => {
                self.take_operated(meeting_id, &id, result);
            }
            Answered::Switch { meeting_id, result, done } => {
                let switched = only(result, |reply| matches!(reply, Reply::Switched(_)));
                if switched.is_ok() {
                    self.switched(meeting_id);
                }
                let _ = done.send(switched);
            }
            Answered::LeaveMeeting { meeting_id, result, done } => {
                let left = only(result, |reply| matches!(reply, Reply::Left(_)));
                let over = left.is_ok().then(|| self.out_of(meeting_id, EndReason::Left));
                let _ = done.send(left);
                return over.unwrap_or(Ok(()));
            }
            Answered::Request => {}
        }
        Ok(())
    }

    fn take_operated(
        &mut self,
        meeting_id: MeetingId,
        id: &OperationId,
        result: Result<Reply, RequestError>,
    ) {
        let board = &self.stay.board;
        match result {
            Ok(Reply::OperationReceived(_)) => board.received(meeting_id, id),
            Err(RequestError::Refused { code, message }) if is_never_carried(code) => {
                board.answered(meeting_id, id, Outcome::NotTaken { code, message });
            }
            Err(RequestError::Refused { code, message }) => {
                tracing::debug!(?code, message, "an operation is sent again later");
                board.put_back(meeting_id, id);
            }
            // Sent again by the next connection.
            Ok(_) | Err(RequestError::Lost | RequestError::TimedOut | RequestError::WrongKind) => {}
        }
    }

    /// The relay has moved the audio; now it is said to both meetings.
    fn switched(&mut self, to: MeetingId) {
        let board = &self.stay.board;
        let from = board.live();
        for ticket in &mut self.stay.tickets {
            ticket.held = ticket.meeting_id() != Some(to);
        }
        board.switched(to);
        let presence = |presence: PresenceWish, reason: OfflineReason| {
            let (presence, reason) = (presence.into(), reason.into());
            OperationBody::SetPresence(SetPresence { presence, reason })
        };
        let other = presence(PresenceWish::Offline, OfflineReason::OtherMeeting);
        let mut to_say: Vec<_> = from.map(|from| (from, other)).into_iter().collect();
        to_say.push((to, presence(PresenceWish::Online, OfflineReason::Unspecified)));
        if let Some(muted) = board.differently_muted(to) {
            to_say.push((to, OperationBody::SetMuted(SetMuted { muted })));
        }
        for (meeting_id, body) in to_say {
            if let Err(error) = board.submit(meeting_id, body, None) {
                tracing::warn!(%error, "a switch is not said to a meeting");
            }
        }
    }
}

fn refused(code: RefusalCode, text: &str) -> RequestError {
    RequestError::Refused { code, message: text.to_owned() }
}

/// An answer of the kind that was asked for.
fn only(
    result: Result<Reply, RequestError>,
    is_right: impl Fn(&Reply) -> bool,
) -> Result<(), RequestError> {
    match result {
        Ok(reply) if is_right(&reply) => Ok(()),
        Ok(_) => Err(RequestError::WrongKind),
        Err(error) => Err(error),
    }
}
