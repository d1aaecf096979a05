//! One terminal's connection: takes requests in order, passes on what happens in its meeting.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use prost::Message as _;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tributary_contracts::{
    event::v1::{LeaveReason, MeetingEvent, meeting_event::Body as EventBody},
    terminal::v1::{
        Draining, RefusalCode, RelayMessage, Roster, Speakers, TerminalMessage, Welcome,
        relay_message::Body,
    },
};
use tributary_identifiers::ParticipantId;

use super::{Shared, attached::Attachment};
use crate::{meetings::Happening, refusal::Refused};

/// A terminal pings every 5 s; silent for so long, it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// A terminal that does not take a message in this time is gone.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);
/// Requests in a row, and a second, before a terminal is told to slow down.
const REQUESTS_BURST: f64 = 60.0;
const REQUESTS_PER_SECOND: f64 = 20.0;
pub(super) const NONCE_BYTES: usize = 32;

/// The connection is at its end.
#[derive(Debug)]
pub(super) enum End {
    /// The terminal went away, or does not answer.
    Lost,
    /// It was told why, if there is a reason, and the connection is closed.
    Closed { code: u16, participation: Participation },
}

/// What becomes of the participant when the connection ends.
#[derive(Debug)]
pub(super) enum Participation {
    /// Stays for a while: the terminal may come back.
    Kept,
    /// Goes at once; the registry knows already.
    Gone,
}

/// What a joined terminal follows.
pub(super) struct Following {
    pub(super) attachment: Attachment,
    pub(super) happenings: broadcast::Receiver<Arc<Happening>>,
    pub(super) speakers: watch::Receiver<Vec<ParticipantId>>,
    /// Events up to this one are in the roster that the terminal got.
    pub(super) cursor: u64,
    pub(super) organiser: bool,
}

/// What a connection has come to: which nonce it was given, and what it follows.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) following: Option<Following>,
}

pub(super) struct Connection {
    pub(super) session: Session,
    socket: WebSocket,
    shutdown: CancellationToken,
    allowance: Allowance,
}

enum Wake {
    Message(Option<Result<Message, axum::Error>>),
    Happening(Result<Arc<Happening>, broadcast::error::RecvError>),
    Speakers,
    Replaced,
    Silence,
    Shutdown,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, socket: WebSocket, shutdown: CancellationToken) -> Self {
        let allowance = Allowance::new(Instant::now());
        let session = Session { shared, nonce: [0; NONCE_BYTES], following: None };
        Self { session, socket, shutdown, allowance }
    }

    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        let following = self.session.following.take();
        let attached = self.session.shared.attached.clone();
        match (end, following) {
            (End::Closed { participation: Participation::Gone, .. }, Some(following)) => {
                attached.leave(following.attachment, None).await;
            }
            (_, Some(following)) => attached.lose(following.attachment),
            (_, None) => {}
        }
    }

    async fn serve(&mut self) -> End {
        let end = match self.greet().await {
            Ok(()) => self.follow().await,
            Err(end) => end,
        };
        if let End::Closed { code, .. } = end {
            let frame = CloseFrame { code, reason: "".into() };
            let close = self.socket.send(Message::Close(Some(frame)));
            // The other side may be gone already.
            let _ = tokio::time::timeout(WRITE_TIME_MAX, close).await;
        }
        end
    }

    async fn greet(&mut self) -> Result<(), End> {
        if getrandom::fill(&mut self.session.nonce).is_err() {
            return Err(End::Closed {
                code: close_code::ERROR,
                participation: Participation::Kept,
            });
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
        let mut last_heard = tokio::time::Instant::now();
        loop {
            let wake = self.wake(last_heard + SILENCE_MAX).await;
            if matches!(wake, Wake::Message(_)) {
                last_heard = tokio::time::Instant::now();
            }
            if let Err(end) = self.handle(wake).await {
                return end;
            }
        }
    }

    async fn wake(&mut self, silent_at: tokio::time::Instant) -> Wake {
        let Self { socket, shutdown, session, .. } = self;
        let happens = async {
            match &mut session.following {
                None => std::future::pending().await,
                Some(Following { attachment, happenings, speakers, .. }) => tokio::select! {
                    happening = happenings.recv() => Wake::Happening(happening),
                    // The sender lives as long as the hub that the attachment holds.
                    _ = speakers.changed() => Wake::Speakers,
                    _ = &mut attachment.replaced => Wake::Replaced,
                },
            }
        };
        tokio::select! {
            message = socket.recv() => Wake::Message(message),
            wake = happens => wake,
            () = tokio::time::sleep_until(silent_at) => Wake::Silence,
            () = shutdown.cancelled() => Wake::Shutdown,
        }
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Message(Some(Ok(message))) => self.handle_message(message).await,
            Wake::Message(Some(Err(error))) => Err(self.too_large_or_lost(&error)),
            Wake::Message(None) | Wake::Silence => Err(End::Lost),
            Wake::Happening(Ok(happening)) => self.pass_on(&happening).await,
            Wake::Happening(Err(_)) => self.send_roster().await,
            Wake::Speakers => self.send_speakers().await,
            Wake::Replaced => {
                // The newer connection holds the participant now.
                self.session.following = None;
                let text = "this terminal has joined by a newer connection";
                self.refuse(0, Refused::new(RefusalCode::Replaced, text)).await?;
                Err(closed(close_code::NORMAL, Participation::Kept))
            }
            Wake::Shutdown => {
                self.send(0, Body::Draining(Draining {})).await?;
                Err(closed(close_code::RESTART, Participation::Kept))
            }
        }
    }

    fn too_large_or_lost(&self, error: &axum::Error) -> End {
        // The library hides the kind; the size limit is the only one with these words.
        let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        if text.contains("too long") || text.contains("too big") || text.contains("Space limit") {
            return closed(close_code::SIZE, Participation::Kept);
        }
        End::Lost
    }

    async fn handle_message(&mut self, message: Message) -> Result<(), End> {
        if !self.allowance.take(Instant::now()) {
            let text = "too many messages: send at most 20 a second";
            self.refuse(0, Refused::new(RefusalCode::Limit, text)).await?;
            return Err(closed(close_code::POLICY, Participation::Kept));
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

    async fn pass_on(&mut self, happening: &Happening) -> Result<(), End> {
        let Some(following) = &mut self.session.following else { return Ok(()) };
        if happening.event.number <= following.cursor {
            return Ok(());
        }
        following.cursor = happening.event.number;
        let own = following.attachment.participant;
        let terminal = following.attachment.terminal;
        if let Some(EventBody::Muted(muted)) = &happening.event.body
            && muted.participant_id == own.0
        {
            // What everybody sees is what is done. The thread only ends with the process.
            let _ = self.session.shared.media.set_muted(terminal, muted.muted).await;
        }
        self.write(Message::Binary(happening.encoded.clone())).await?;
        match own_fate(&happening.event, own, &self.session.shared) {
            Fate::Stays => Ok(()),
            Fate::Ended => {
                let text = "the meeting is over";
                self.refuse(0, Refused::new(RefusalCode::MeetingEnded, text)).await?;
                Err(closed(close_code::NORMAL, Participation::Gone))
            }
            Fate::Elsewhere => Err(closed(close_code::NORMAL, Participation::Gone)),
            Fate::TakenOut => self.taken_out().await,
        }
    }

    async fn send_roster(&mut self) -> Result<(), End> {
        let Some(following) = &mut self.session.following else { return Ok(()) };
        let Some(snapshot) = following.attachment.hub.snapshot() else { return Ok(()) };
        following.cursor = snapshot.event_number;
        let own = following.attachment.participant;
        let is_in = snapshot.participants.iter().any(|other| other.participant_id == own.0);
        let roster =
            Roster { participants: snapshot.participants, event_number: snapshot.event_number };
        self.send(0, Body::Roster(roster)).await?;
        // Its own leaving may be among the events it was too slow for.
        if is_in { Ok(()) } else { self.taken_out().await }
    }

    async fn taken_out(&mut self) -> Result<(), End> {
        let text = "the relay was out of reach for too long: join again";
        self.refuse(0, Refused::new(RefusalCode::TryAgain, text)).await?;
        Err(closed(close_code::AGAIN, Participation::Gone))
    }

    pub(super) async fn send_speakers(&mut self) -> Result<(), End> {
        let Some(following) = &mut self.session.following else { return Ok(()) };
        let speakers = following.speakers.borrow_and_update().clone();
        let speaker_ids = speakers.into_iter().map(|speaker| speaker.0).collect();
        self.send(0, Body::Speakers(Speakers { speaker_ids })).await
    }

    /// Answers a request that was not carried out.
    pub(super) async fn refuse(&mut self, in_reply_to: u64, refused: Refused) -> Result<(), End> {
        metrics::counter!("tributary_relay_refusals_total", "code" => refused.code.as_str_name())
            .increment(1);
        self.send(in_reply_to, Body::Refusal(refused.into_message())).await
    }

    pub(super) async fn send(&mut self, in_reply_to: u64, body: Body) -> Result<(), End> {
        let message = RelayMessage { in_reply_to, body: Some(body) };
        self.write(Message::Binary(message.encode_to_vec().into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(WRITE_TIME_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Lost),
        }
    }
}

pub(super) fn closed(code: u16, participation: Participation) -> End {
    End::Closed { code, participation }
}

enum Fate {
    Stays,
    Ended,
    Elsewhere,
    TakenOut,
}

/// What an event means for the participant of this connection.
fn own_fate(event: &MeetingEvent, own: ParticipantId, shared: &Shared) -> Fate {
    match &event.body {
        Some(EventBody::Ended(_)) => Fate::Ended,
        Some(EventBody::Left(left)) if left.participant_id == own.0 => match left.reason() {
            LeaveReason::MeetingEnded => Fate::Stays,
            _ => Fate::TakenOut,
        },
        Some(EventBody::Joined(joined)) => match &joined.participant {
            Some(participant)
                if participant.participant_id == own.0
                    && participant.relay_id != shared.relay.as_str() =>
            {
                Fate::Elsewhere
            }
            _ => Fate::Stays,
        },
        _ => Fate::Stays,
    }
}

/// A token bucket for requests.
struct Allowance {
    tokens: f64,
    filled_at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { tokens: REQUESTS_BURST, filled_at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * REQUESTS_PER_SECOND).min(REQUESTS_BURST);
        self.filled_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_takes_a_burst_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let burst = (0..1000).filter(|_| allowance.take(start)).count();
        assert_eq!(burst, REQUESTS_BURST as usize);
        let later = start + Duration::from_secs(1);
        let steady = (0..1000).filter(|_| allowance.take(later)).count();
        assert_eq!(steady, REQUESTS_PER_SECOND as usize);
    }
}
