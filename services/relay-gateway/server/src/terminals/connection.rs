//! One terminal's connection: takes requests in order, passes on what happens in its meetings and what
//! its user is told.

use std::{sync::Arc, time::Instant};

use axum::extract::ws::close_code;
use bytes::Bytes;
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
    link::{Audience, Heard, Link, LinkEnd, Origin},
    session::{Pending, Session},
    wake::{Wake, silent_since},
};
use crate::refusal::Refused;

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

pub(crate) struct Connection {
    pub(super) session: Session,
    pub(super) asked_at: Moment,
    /// When the terminal has last said something.
    pub(super) heard_at: Moment,
    /// The same, moved on by the time in which nobody listened.
    pub(super) silent_since: Moment,
    pub(super) link: Link,
    pub(super) shutdown: CancellationToken,
    allowance: Allowance,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        origin: Origin,
        link: Link,
        shutdown: CancellationToken,
    ) -> Self {
        let now = Moment::now();
        Self {
            session: Session::new(shared, origin),
            asked_at: now,
            heard_at: now,
            silent_since: now,
            link,
            shutdown,
            allowance: Allowance::new(Instant::now()),
        }
    }

    pub(crate) async fn run(mut self) {
        let end = self.serve().await;
        let Self { mut session, link, heard_at, .. } = self;
        let heard_at = link.gone_since().unwrap_or(heard_at);
        // Gone for the terminal, however long the registry takes.
        drop(link);
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
        self.link.close(code).await;
        end
    }

    async fn greet(&mut self) -> Result<(), End> {
        if getrandom::fill(&mut self.session.nonce).is_err() {
            return Err(End::Closed(close_code::ERROR));
        }
        let Session { shared, origin, .. } = &self.session;
        // Who is behind another relay has found it already.
        let suggested_relays = match origin.carriage {
            Some(_) => Vec::new(),
            None => shared.relays.suggested(origin.address),
        };
        let welcome = Welcome {
            nonce: self.session.nonce.to_vec(),
            relay_id: origin.relay.to_string(),
            relay_name: origin.relay_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            suggested_relays,
        };
        self.send(0, Body::Welcome(welcome)).await
    }

    async fn follow(&mut self) -> End {
        loop {
            let wake = self.wake().await;
            let began = Moment::now();
            let heard = matches!(wake, Wake::Heard(Ok(_)));
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
            Wake::Heard(Ok(heard)) => self.handle_message(heard).await,
            Wake::Heard(Err(LinkEnd::TooLarge)) => Err(End::Closed(close_code::SIZE)),
            Wake::Heard(Err(LinkEnd::Lost)) | Wake::Silence => Err(End::Lost),
            Wake::News(scope, news) => self.take_news(&scope, news).await,
            Wake::Told(Ok(told)) => self.tell(&told).await,
            Wake::Told(Err(_)) => self.tell_all().await,
            Wake::Shared(answer) => {
                let pending = self.session.sharing.take();
                self.end_pending(pending, *answer).await
            }
            Wake::Introduced(answer) => {
                let pending = self.session.introducing.take();
                self.end_pending(pending, *answer).await
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

    async fn handle_message(&mut self, heard: Heard) -> Result<(), End> {
        if !self.allowance.take(Instant::now()) {
            let text = "too many messages: send at most 20 a second";
            self.refuse(0, Refused::new(RefusalCode::Limit, text)).await?;
            return Err(End::Closed(close_code::POLICY));
        }
        let payload = match heard {
            Heard::Message(payload) => payload,
            Heard::Nothing => return Ok(()),
            Heard::Text => {
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

    /// Answers what was carried out meanwhile.
    async fn end_pending(
        &mut self,
        pending: Option<Pending>,
        answer: Result<Body, Refused>,
    ) -> Result<(), End> {
        let request_id = pending.map_or(0, |pending| pending.request_id);
        match answer {
            Ok(reply) => self.send(request_id, reply).await,
            Err(refused) => self.refuse(request_id, refused).await,
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
        self.write(message.encode_to_vec().into(), Audience::One).await
    }

    /// Says something about a meeting that nobody has asked for.
    pub(super) async fn say(&mut self, meeting_id: String, body: Body) -> Result<(), End> {
        let message = RelayMessage { in_reply_to: 0, body: Some(body), meeting_id };
        self.write(message.encode_to_vec().into(), Audience::One).await
    }

    pub(super) async fn write(&mut self, message: Bytes, to: Audience) -> Result<(), End> {
        self.link.send(message, to).await.map_err(|_| End::Lost)
    }
}

fn count(refused: &Refused) {
    metrics::counter!("tributary_relay_refusals_total", "code" => refused.code.as_str_name())
        .increment(1);
}
