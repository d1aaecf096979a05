//! One terminal's connection: takes requests in order, passes on what happens in its meetings and what
//! its user is told.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use prost::Message as _;
use tokio::time::Instant as Moment;
use tokio_util::sync::CancellationToken;
use tributary_contracts::{
    event::v1::LeaveReason,
    terminal::v1::{
        Draining, OperationReceived, RefusalCode, RelayMessage, TerminalMessage, Welcome,
        relay_message::Body,
    },
};

use super::{
    Shared,
    allowance::Allowance,
    attached::WasIn,
    session::Session,
    wake::{Wake, silent_since},
};
use crate::refusal::Refused;

/// A terminal that does not take a message in this time is gone.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// The connection is at its end.
#[derive(Debug)]
pub(super) enum End {
    /// The terminal went away, or does not answer; it may come back.
    Lost,
    /// It was told why, if there is a reason, and the connection is closed with this code; the
    /// terminal may come back to the meetings that it is in.
    Closed(u16),
    /// A token that it stands by was revoked: it leaves its meetings.
    Revoked,
}

pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) asked_at: Moment,
    /// When the terminal has last said something.
    pub(super) heard_at: Moment,
    /// The same, moved on by the time in which nobody listened.
    pub(super) silent_since: Moment,
    pub(super) socket: WebSocket,
    pub(super) shutdown: CancellationToken,
    allowance: Allowance,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        address: IpAddr,
        socket: WebSocket,
        shutdown: CancellationToken,
    ) -> Self {
        let now = Moment::now();
        Self {
            session: Session::new(shared, address),
            asked_at: now,
            heard_at: now,
            silent_since: now,
            socket,
            shutdown,
            allowance: Allowance::new(Instant::now()),
        }
    }

    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        let Self { mut session, socket, heard_at, .. } = self;
        // Gone for the terminal, however long the registry takes.
        drop(socket);
        let attached = session.shared.attached.clone();
        for participation in session.participations.take_all() {
            let attachment = participation.attachment;
            if matches!(end, End::Revoked) {
                attached.leave(attachment, LeaveReason::TerminalLost).await;
            } else {
                // It was in when it joined.
                attached.lose(attachment, participation.hold, heard_at, WasIn::Yes);
            }
        }
    }

    async fn serve(&mut self) -> End {
        let end = match self.greet().await {
            Ok(()) => self.follow().await,
            Err(end) => end,
        };
        let code = match end {
            End::Lost => return end,
            End::Closed(code) => code,
            End::Revoked => close_code::POLICY,
        };
        let close = self.socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() })));
        // The other side may be gone already.
        let _ = tokio::time::timeout(WRITE_TIME_MAX, close).await;
        end
    }

    async fn greet(&mut self) -> Result<(), End> {
        if getrandom::fill(&mut self.session.nonce).is_err() {
            return Err(End::Closed(close_code::ERROR));
        }
        let welcome = Welcome {
            nonce: self.session.nonce.to_vec(),
            relay_id: self.session.shared.relay.to_string(),
            relay_name: self.session.shared.relay_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.send(0, Body::Welcome(welcome)).await
    }

    async fn follow(&mut self) -> End {
        loop {
            let wake = self.wake().await;
            let began = Moment::now();
            let heard = matches!(wake, Wake::Message(Some(Ok(_))));
            if heard {
                self.heard_at = began;
            }
            if let Err(end) = self.handle(wake).await {
                return end;
            }
            self.silent_since = silent_since(self.silent_since, began, heard);
        }
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Message(Some(Ok(message))) => self.handle_message(message).await,
            Wake::Message(Some(Err(error))) => Err(too_large_or_lost(&error)),
            Wake::Message(None) | Wake::Silence => Err(End::Lost),
            Wake::News(scope, news) => self.take_news(&scope, news).await,
            Wake::Told(Ok(told)) => self.tell(&told).await,
            Wake::Told(Err(_)) => self.tell_all().await,
            Wake::Shared(answer) => {
                let request_id =
                    self.session.sharing.take().map_or(0, |sharing| sharing.request_id);
                match *answer {
                    Ok(reply) => self.send(request_id, reply).await,
                    Err(refused) => self.refuse(request_id, refused).await,
                }
            }
            Wake::Lapse => {
                self.session.end_silences(Moment::now()).await;
                Ok(())
            }
            Wake::Stored(stored) => {
                self.session.participations.note_stored(&stored.operation, Moment::now());
                let operation_id = stored.operation.to_string();
                let received = Body::OperationReceived(OperationReceived { operation_id });
                self.send(stored.request_id, received).await
            }
            Wake::NoticesEnd => self.end_notices().await,
            Wake::Revoked => self.end_revoked().await,
            Wake::Idle => {
                let text =
                    "nothing was asked for two minutes: connect again when there is something";
                self.refuse(0, Refused::new(RefusalCode::TryAgain, text)).await?;
                Err(End::Closed(close_code::NORMAL))
            }
            Wake::Shutdown => {
                self.send(0, Body::Draining(Draining {})).await?;
                Err(End::Closed(close_code::RESTART))
            }
        }
    }

    async fn handle_message(&mut self, message: Message) -> Result<(), End> {
        if !self.allowance.take(Instant::now()) {
            let text = "too many messages: send at most 20 a second";
            self.refuse(0, Refused::new(RefusalCode::Limit, text)).await?;
            return Err(End::Closed(close_code::POLICY));
        }
        let payload = match message {
            Message::Binary(payload) => payload,
            Message::Close(_) => return Err(End::Lost),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Text(_) => {
                let text = "messages are binary: encode tributary.terminal.v1.TerminalMessage";
                return self.refuse(0, Refused::new(RefusalCode::Malformed, text)).await;
            }
        };
        match TerminalMessage::decode(payload) {
            Ok(message) => self.handle_request(message).await,
            Err(_) => {
                let text = "this is not a tributary.terminal.v1.TerminalMessage";
                self.refuse(0, Refused::new(RefusalCode::Malformed, text)).await
            }
        }
    }

    /// A token that the connection stands by was revoked: its participants go too.
    pub(super) async fn end_revoked(&mut self) -> Result<(), End> {
        // A terminal that does not take this is out all the same.
        let _ = self.refuse(0, Refused::revoked()).await;
        Err(End::Revoked)
    }

    /// Answers a request that was not carried out.
    pub(super) async fn refuse(&mut self, in_reply_to: u64, refused: Refused) -> Result<(), End> {
        count(&refused);
        self.send(in_reply_to, Body::Refusal(refused.into_message())).await
    }

    /// Says that being in a meeting is over, and why.
    pub(super) async fn refuse_in(
        &mut self,
        meeting_id: String,
        refused: Refused,
    ) -> Result<(), End> {
        count(&refused);
        self.say(meeting_id, Body::Refusal(refused.into_message())).await
    }

    pub(super) async fn send(&mut self, in_reply_to: u64, body: Body) -> Result<(), End> {
        let message = RelayMessage { in_reply_to, body: Some(body), ..RelayMessage::default() };
        self.write(Message::Binary(message.encode_to_vec().into())).await
    }

    /// Says something about a meeting that nobody has asked for.
    pub(super) async fn say(&mut self, meeting_id: String, body: Body) -> Result<(), End> {
        let message = RelayMessage { in_reply_to: 0, body: Some(body), meeting_id };
        self.write(Message::Binary(message.encode_to_vec().into())).await
    }

    pub(super) async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(WRITE_TIME_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Lost),
        }
    }
}

fn count(refused: &Refused) {
    metrics::counter!("tributary_relay_refusals_total", "code" => refused.code.as_str_name())
        .increment(1);
}

fn too_large_or_lost(error: &axum::Error) -> End {
    // The library hides the kind; the size limit is the only one with these words.
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if text.contains("too long") || text.contains("too big") || text.contains("Space limit") {
        return End::Closed(close_code::SIZE);
    }
    End::Lost
}
