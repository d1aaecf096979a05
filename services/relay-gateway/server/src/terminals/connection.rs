//! One terminal's connection: takes requests in order, passes on what happens in its meeting and what
//! its user is told.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use prost::Message as _;
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::Instant as Moment,
};
use tokio_util::sync::CancellationToken;
use tributary_contracts::{
    event::v1::{LeaveReason, meeting_event::Body as EventBody},
    terminal::v1::{
        Draining, RefusalCode, RelayMessage, Roster, Speakers, TerminalMessage, Welcome,
        relay_message::Body,
    },
};
use tributary_identifiers::{OrganisationId, ParticipantId, UserId};

use super::{
    Shared,
    allowance::Allowance,
    attached::Attachment,
    fate::{Fate, own_fate},
    standing::Standing,
};
use crate::{
    meetings::Happening,
    notices::{Feed, Sent, Told},
    refusal::Refused,
    upstream::ACCESS,
};

/// A terminal pings every 5 s; silent for so long, it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Who has not joined and hears no notices must ask for something within this time.
const IDLE_MAX: Duration = Duration::from_secs(120);
/// A terminal that does not take a message in this time is gone.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);
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
    /// Goes at once, and the registry is told.
    Removed,
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

/// What a terminal that hears notices follows.
pub(super) struct Listening {
    pub(super) organisation: OrganisationId,
    pub(super) user: UserId,
    pub(super) told: broadcast::Receiver<Arc<Told>>,
    pub(super) sent: Sent,
    /// When the token that it goes by ends.
    pub(super) ends_at: Moment,
    // Ends when nobody listens to it any more.
    pub(super) _feed: Arc<Feed>,
}

/// What a connection has come to: which nonce it was given, by which tokens it stands, and what it
/// follows.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) address: IpAddr,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) standing: Standing,
    pub(super) following: Option<Following>,
    pub(super) listening: Option<Listening>,
    pub(super) sharing: Option<Sharing>,
}

/// A share that is being carried out. It waits for other people's mail servers, and meanwhile the
/// connection goes on.
pub(super) struct Sharing {
    pub(super) request_id: u64,
    pub(super) answer: JoinHandle<Result<Body, Refused>>,
}

pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) asked_at: Moment,
    socket: WebSocket,
    shutdown: CancellationToken,
    allowance: Allowance,
}

enum Wake {
    Message(Option<Result<Message, axum::Error>>),
    Happening(Result<Arc<Happening>, broadcast::error::RecvError>),
    Speakers,
    Replaced,
    Told(Result<Arc<Told>, broadcast::error::RecvError>),
    Shared(Box<Result<Body, Refused>>),
    NoticesEnd,
    Revoked,
    Silence,
    Idle,
    Shutdown,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        address: IpAddr,
        socket: WebSocket,
        shutdown: CancellationToken,
    ) -> Self {
        let session = Session {
            shared,
            address,
            nonce: [0; NONCE_BYTES],
            standing: Standing::default(),
            following: None,
            listening: None,
            sharing: None,
        };
        let allowance = Allowance::new(Instant::now());
        Self { session, asked_at: Moment::now(), socket, shutdown, allowance }
    }

    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        let Self { mut session, socket, .. } = self;
        // Gone for the terminal, however long the registry takes.
        drop(socket);
        let Some(following) = session.following.take() else { return };
        let attached = session.shared.attached.clone();
        match end {
            End::Closed { participation: Participation::Gone, .. } => {
                attached.leave(following.attachment, None).await;
            }
            End::Closed { participation: Participation::Removed, .. } => {
                attached.leave(following.attachment, Some(LeaveReason::TerminalLost)).await;
            }
            End::Closed { participation: Participation::Kept, .. } | End::Lost => {
                attached.lose(following.attachment, session.standing.joined.take());
            }
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
            return Err(closed(close_code::ERROR, Participation::Kept));
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
        let mut last_heard = Moment::now();
        loop {
            let wake = self.wake(last_heard + SILENCE_MAX).await;
            let heard = matches!(wake, Wake::Message(_));
            if let Err(end) = self.handle(wake).await {
                return end;
            }
            if heard {
                // From here on the terminal has been listened to again.
                last_heard = Moment::now();
            }
        }
    }

    async fn wake(&mut self, silent_at: Moment) -> Wake {
        let revoked = self.session.standing.revoked();
        let idle_at = self.asked_at + IDLE_MAX;
        let Self { socket, shutdown, session, .. } = self;
        let Session { following, listening, sharing, .. } = session;
        let may_be_idle = following.is_none() && listening.is_none();
        let happens = async {
            match following {
                None => std::future::pending().await,
                Some(Following { attachment, happenings, speakers, .. }) => tokio::select! {
                    happening = happenings.recv() => Wake::Happening(happening),
                    // The sender lives as long as the hub that the attachment holds.
                    _ = speakers.changed() => Wake::Speakers,
                    _ = &mut attachment.replaced => Wake::Replaced,
                },
            }
        };
        let is_told = async {
            match listening {
                None => std::future::pending().await,
                Some(listening) => tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(listening.ends_at) => Wake::NoticesEnd,
                    told = listening.told.recv() => Wake::Told(told),
                },
            }
        };
        let is_shared = async {
            match sharing {
                None => std::future::pending().await,
                Some(sharing) => {
                    let answer = (&mut sharing.answer).await.unwrap_or_else(|error| {
                        tracing::error!(%error, "sharing a meeting");
                        Err(Refused::try_again(ACCESS))
                    });
                    Wake::Shared(Box::new(answer))
                }
            }
        };
        let something = async {
            tokio::select! {
                message = socket.recv() => Wake::Message(message),
                wake = happens => wake,
                wake = is_told => wake,
                wake = is_shared => wake,
                () = tokio::time::sleep_until(silent_at) => Wake::Silence,
                () = tokio::time::sleep_until(idle_at), if may_be_idle => Wake::Idle,
                () = shutdown.cancelled() => Wake::Shutdown,
            }
        };
        tokio::select! {
            // Before whatever else there is to do for this terminal.
            biased;
            () = revoked => Wake::Revoked,
            wake = something => wake,
        }
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Message(Some(Ok(message))) => self.handle_message(message).await,
            Wake::Message(Some(Err(error))) => Err(too_large_or_lost(&error)),
            Wake::Message(None) | Wake::Silence => Err(End::Lost),
            Wake::Happening(Ok(happening)) => self.pass_on(&happening).await,
            Wake::Happening(Err(_)) => self.send_roster().await,
            Wake::Speakers => self.send_speakers().await,
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
            Wake::NoticesEnd => self.end_notices().await,
            Wake::Revoked => self.end_revoked().await,
            Wake::Replaced => {
                // The newer connection holds the participant now.
                self.session.following = None;
                let text = "this terminal has joined by a newer connection";
                self.refuse(0, Refused::new(RefusalCode::Replaced, text)).await?;
                Err(closed(close_code::NORMAL, Participation::Kept))
            }
            Wake::Idle => {
                let text =
                    "nothing was asked for two minutes: connect again when there is something";
                self.refuse(0, Refused::new(RefusalCode::TryAgain, text)).await?;
                Err(closed(close_code::NORMAL, Participation::Kept))
            }
            Wake::Shutdown => {
                self.send(0, Body::Draining(Draining {})).await?;
                Err(closed(close_code::RESTART, Participation::Kept))
            }
        }
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

    /// A token that the connection stands by was revoked: the participant goes too.
    pub(super) async fn end_revoked(&mut self) -> Result<(), End> {
        let end = closed(close_code::POLICY, Participation::Removed);
        // A terminal that does not take this is out all the same.
        let _ = self.refuse(0, Refused::revoked()).await;
        Err(end)
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

    pub(super) async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(WRITE_TIME_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Lost),
        }
    }
}

/// What happens in the meeting.
impl Connection {
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
        match own_fate(&happening.event, own, &self.session.shared.relay) {
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
}

fn too_large_or_lost(error: &axum::Error) -> End {
    // The library hides the kind; the size limit is the only one with these words.
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if text.contains("too long") || text.contains("too big") || text.contains("Space limit") {
        return closed(close_code::SIZE, Participation::Kept);
    }
    End::Lost
}

pub(super) fn closed(code: u16, participation: Participation) -> End {
    End::Closed { code, participation }
}
