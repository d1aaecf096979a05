//! One terminal that is attached to this relay: what it says goes up its link, what comes down goes to
//! it. Here are answered only pings and media offers, as peer connections end here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::extract::ws::close_code;
use bytes::Bytes;
use prost::Message as _;
use tokio::time::{Instant as Moment, sleep_until};
use tokio_util::sync::CancellationToken;
use tributary_contracts::{
    relay::v1::CloseLink,
    terminal::v1::{
        Draining, MediaAnswer, Operate, Pong, RefusalCode, RelayMessage, Speakers, TerminalMessage,
        UplinkChanged, relay_message::Body as Reply, terminal_message::Body as Request,
    },
};

use super::{
    links::{Down, Inbox},
    outage::{self, Outage},
    places::Live,
    session::{Full, Uplink},
    silences::{Silences, silences},
    wire::Wire,
};
use crate::{
    media::{MediaError, TerminalId},
    operations::read,
    refusal::Refused,
    terminals::{
        allowance::Allowance,
        link::{Heard, LinkEnd},
    },
};

/// Who is in a meeting pings every second; silent for so long, it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// Who is in none may be a page in the background, whose timers run late.
const SILENCE_OUTSIDE_MAX: Duration = Duration::from_secs(20);

/// How a terminal's connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is gone, or does not answer; it may come back.
    Lost,
    /// By this relay, with this code; the parent is told.
    Closed(u16),
    /// The parent has said so.
    ByParent(u16),
    /// It has to come again: the uplink session is over, or this relay ends.
    Draining,
}

enum Wake {
    Heard(Result<Heard, LinkEnd>),
    Down(Option<Down>),
    Speakers,
    Uplink(UplinkChanged),
    Lapse,
    Silence,
    Over,
}

/// Terminals that are attached, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Census(Arc<AtomicUsize>);

impl Census {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One terminal.
pub(super) struct Terminal {
    uplink: Arc<Uplink>,
    link: u32,
    inbox: Inbox,
    wire: Wire,
    shutdown: CancellationToken,
    heard_at: Moment,
    /// The same, moved on by the time in which nobody listened.
    silent_since: Moment,
    allowance: Allowance,
    silences: Silences,
    live: Option<Live>,
    /// Who speaks is to be said, after the message that it refers to.
    speakers_due: bool,
    outage: Outage,
    /// The core has said welcome, which comes before everything else.
    welcomed: bool,
}

impl Terminal {
    pub(super) fn new(
        uplink: Arc<Uplink>,
        (link, inbox): (u32, Inbox),
        wire: Wire,
        shutdown: CancellationToken,
    ) -> Self {
        let now = Moment::now();
        let outage = uplink.outage();
        Self {
            uplink,
            link,
            inbox,
            wire,
            shutdown,
            heard_at: now,
            silent_since: now,
            allowance: Allowance::new(Instant::now()),
            silences: Silences::default(),
            live: None,
            speakers_due: false,
            outage,
            welcomed: false,
        }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self, census: Census) {
        census.0.fetch_add(1, Ordering::Relaxed);
        self.tell_count(&census);
        let end = self.follow().await;
        census.0.fetch_sub(1, Ordering::Relaxed);
        self.tell_count(&census);
        let silent_ms = u64::try_from(self.heard_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let code = match end {
            End::Lost => close_code::ABNORMAL,
            End::Closed(code) | End::ByParent(code) => code,
            End::Draining => close_code::RESTART,
        };
        let close = CloseLink { link_id: self.link, silent_ms, code: code.into() };
        let say = (!matches!(end, End::ByParent(_))).then_some(close);
        let Self { uplink, link, inbox, mut wire, .. } = self;
        // First what others wait for: a terminal may take its time to hear of its end.
        uplink.end(link, inbox, None, say, |_| {}).await;
        if end == End::Draining {
            let message = encode(0, String::new(), Reply::Draining(Draining {}));
            let _ = wire.send(message).await;
        }
        if end != End::Lost {
            wire.close(code).await;
        }
    }

    fn tell_count(&self, census: &Census) {
        let terminals = census.count();
        self.uplink.board.change(|status| status.terminals = terminals);
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
            // While something else is done, nobody listens.
            self.silent_since =
                if heard { Moment::now() } else { self.silent_since + began.elapsed() };
        }
    }

    async fn wake(&mut self) -> Wake {
        let is_in = self.uplink.places.has_any(self.link);
        let silence_max = if is_in { SILENCE_MAX } else { SILENCE_OUTSIDE_MAX };
        let silent_at = self.silent_since + silence_max;
        let lapses_at = self.silences.lapses_at();
        let Self { inbox, wire, shutdown, live, speakers_due, outage, welcomed, .. } = self;
        let lapse = async {
            match lapses_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let speakers = async {
            if let (Some(live), false) = (live, *speakers_due)
                && live.speakers.changed().await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        let over = inbox.over.clone();
        tokio::select! {
            // What it has said before it is taken for silent.
            biased;
            () = over.cancelled() => Wake::Over,
            () = shutdown.cancelled() => Wake::Over,
            heard = wire.recv() => Wake::Heard(heard),
            () = sleep_until(silent_at) => Wake::Silence,
            () = lapse => Wake::Lapse,
            down = inbox.next() => Wake::Down(down),
            () = speakers => Wake::Speakers,
            changed = outage.next(), if *welcomed => Wake::Uplink(changed),
        }
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Heard(Ok(Heard::Message(message))) => self.take(message).await,
            Wake::Heard(Ok(Heard::Nothing)) => self.allow().await,
            Wake::Heard(Ok(Heard::Text)) => {
                self.allow().await?;
                let text = "messages are binary: encode tributary.terminal.v1.TerminalMessage";
                self.refuse(0, Refused::new(RefusalCode::Malformed, text)).await
            }
            Wake::Heard(Err(LinkEnd::TooLarge)) => Err(End::Closed(close_code::SIZE)),
            Wake::Heard(Err(LinkEnd::Lost)) | Wake::Silence => Err(End::Lost),
            Wake::Down(Some(down)) => self.pass_down(down).await,
            Wake::Down(None) | Wake::Over => Err(End::Draining),
            Wake::Speakers => self.send_speakers().await,
            Wake::Uplink(changed) => self.write(outage::encoded(changed)).await,
            Wake::Lapse => {
                let lapsed = self.silences.lapse(Moment::now());
                unsilence(&self.uplink, lapsed).await;
                Ok(())
            }
        }
    }

    // Up.

    async fn allow(&mut self) -> Result<(), End> {
        if self.allowance.take(Instant::now()) {
            return Ok(());
        }
        let text = "too many messages: send at most 20 a second";
        self.refuse(0, Refused::new(RefusalCode::Limit, text)).await?;
        Err(End::Closed(close_code::POLICY))
    }

    async fn take(&mut self, message: Bytes) -> Result<(), End> {
        self.uplink.heard(message.len());
        self.allow().await?;
        // What this relay can't read may be newer than it: the core says what it makes of it.
        let read = TerminalMessage::decode(message.clone()).unwrap_or_default();
        let id = read.request_id;
        match read.body {
            Some(Request::Ping(_)) => self.reply(id, Reply::Pong(Pong {})).await,
            Some(Request::MediaOffer(offer)) => match self.answer(offer.sdp).await {
                Ok(reply) => self.reply(id, reply).await,
                Err(refused) => self.refuse(id, refused).await,
            },
            Some(Request::Operate(operate)) => {
                self.silence(id, &operate).await;
                self.pass_up(id, message).await
            }
            _ => self.pass_up(id, message).await,
        }
    }

    async fn pass_up(&mut self, id: u64, message: Bytes) -> Result<(), End> {
        match self.uplink.say(self.link, message) {
            Ok(()) => Ok(()),
            Err(Full) => {
                let refused = Refused::try_again("the relay above this one");
                let freed = self.silences.refuse(id);
                unsilence(&self.uplink, freed).await;
                self.refuse(id, refused).await
            }
        }
    }

    async fn answer(&mut self, sdp: String) -> Result<Reply, Refused> {
        let out_of_order = || {
            let text = "be live in a meeting first: send `join` or `switch_meeting`";
            Refused::new(RefusalCode::OutOfOrder, text)
        };
        let live = self.live.as_ref().ok_or_else(out_of_order)?;
        let media = self.uplink.places.media();
        match media.offer(TerminalId(live.place), sdp).await {
            Ok(sdp) => Ok(Reply::MediaAnswer(MediaAnswer { sdp })),
            Err(MediaError::Description(error)) => Err(Refused::new(
                RefusalCode::BadSessionDescription,
                format!("the session description is not usable: {error}"),
            )),
            Err(MediaError::NotAttached | MediaError::NotLive) => Err(out_of_order()),
            Err(error) => {
                tracing::error!(%error, "media");
                Err(Refused::try_again("this relay's media"))
            }
        }
    }

    /// Who asks to be off the open floor is so at once, whatever becomes of it.
    async fn silence(&mut self, request_id: u64, operate: &Operate) {
        let Some(operation) = operate.operation.as_ref().and_then(|signed| read(signed).ok())
        else {
            return;
        };
        let meeting = operation.meeting_id.parse().ok();
        let place = meeting.and_then(|meeting| self.uplink.places.of(self.link, meeting));
        if let Some(place) = place
            && silences(&operation)
            && self.silences.ask(&operation.operation_id, request_id, place)
        {
            self.uplink.places.silence(place, true).await;
        }
    }

    // Down.

    async fn pass_down(&mut self, down: Down) -> Result<(), End> {
        match down {
            Down::Message(message, _) => {
                if !self.silences.is_empty()
                    && let Ok(read) = RelayMessage::decode(message.clone())
                {
                    let freed = self.silences.hear(&read, Moment::now());
                    unsilence(&self.uplink, freed).await;
                }
                self.write(message).await?;
                self.welcomed = true;
                // Who speaks at this moment comes after the roster it refers to.
                if self.speakers_due { self.send_speakers().await } else { Ok(()) }
            }
            Down::Place(place) => {
                self.uplink.places.put(&place, None).await;
                let live = self.uplink.places.live_of(self.link);
                let before = self.live.as_ref().map(|live| (live.place, live.meeting));
                if live.as_ref().map(|live| (live.place, live.meeting)) != before {
                    self.speakers_due = live.is_some();
                    self.live = live;
                }
                Ok(())
            }
            Down::Close(code) => Err(End::ByParent(code)),
            Down::Reached(reached) => {
                // Nobody waits for it any more: that link has ended.
                let _ = reached.send(());
                Ok(())
            }
            Down::Wait(reached) => {
                // An error: the other link has ended.
                let _ = reached.await;
                Ok(())
            }
            // Behind this link is no relay.
            Down::Left(_) => Ok(()),
        }
    }

    async fn send_speakers(&mut self) -> Result<(), End> {
        self.speakers_due = false;
        let Some(live) = &mut self.live else { return Ok(()) };
        let speaker_ids = live.speakers.borrow_and_update().iter().map(|id| id.0).collect();
        let meeting_id = live.meeting.to_string();
        self.write(encode(0, meeting_id, Reply::Speakers(Speakers { speaker_ids }))).await
    }

    async fn refuse(&mut self, in_reply_to: u64, refused: Refused) -> Result<(), End> {
        self.reply(in_reply_to, Reply::Refusal(refused.into_message())).await
    }

    async fn reply(&mut self, in_reply_to: u64, reply: Reply) -> Result<(), End> {
        self.write(encode(in_reply_to, String::new(), reply)).await
    }

    async fn write(&mut self, message: Bytes) -> Result<(), End> {
        let bytes = message.len();
        self.wire.send(message).await.map_err(|_| End::Lost)?;
        self.uplink.delivered(bytes);
        Ok(())
    }
}

async fn unsilence(uplink: &Uplink, places: Vec<u64>) {
    for place in places {
        uplink.places.silence(place, false).await;
    }
}

/// An encoded message to a terminal.
pub(super) fn encode(in_reply_to: u64, meeting_id: String, body: Reply) -> Bytes {
    RelayMessage { in_reply_to, body: Some(body), meeting_id }.encode_to_vec().into()
}
