//! Keeps this relay attached: attempts that overlap, one connection at a time, and what it carries.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::stream::{FuturesUnordered, StreamExt as _, unfold};
use prost::Message as _;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Channel};
use tributary_contracts::relay::v1::{AttachRequest, AttachResponse, Attached, RelaySettings};
use tributary_relay_uplink::{Attempts, Silence, Silent};
use tributary_speaker_selection::Config as SelectionConfig;

use super::{
    attaching::{Attaching, Connection, Failure},
    bulk::Bulk,
    children::Children,
    connect::Received,
    introductions::Introductions,
    session::{Beginning, Task, Uplink},
    state::{AttachedTo, Hop, unix_ms},
};
use crate::media::{ChildPort, MediaSettings};

/// Between signs of life.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Attempts under way at a time.
const ATTEMPTS_MAX: usize = 16;
/// For the tasks of links whose session is over.
const ENDING_TIME_MAX: Duration = Duration::from_secs(1);
/// Between looks whether the key is old.
const ROTATION_LOOK: Duration = Duration::from_secs(3_600);
/// A connection that did not last so long is not begun anew at once.
const SHORT: Duration = Duration::from_secs(2);
/// Voices that a parent can ask for at most.
const VOICES_MAX: usize = 16;

/// Keeps this relay attached.
pub(super) struct Client {
    pub(super) attaching: Attaching,
    pub(super) uplink: Arc<Uplink>,
    pub(super) port: Arc<ChildPort>,
    pub(super) bulk: Arc<Bulk>,
    pub(super) children: Option<Arc<Children>>,
    pub(super) introductions: Arc<Introductions>,
    /// As it is configured, for as long as nobody says otherwise.
    pub(super) voices_max: usize,
}

impl Client {
    /// Runs until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = self.stay_attached() => {}
            () = self.keep_reporting() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn stay_attached(self: &Arc<Self>) {
        let mut upstream = 0;
        loop {
            let connection = self.attach(upstream).await;
            upstream = connection.upstream;
            let began = Instant::now();
            let why = self.serve(connection).await;
            self.uplink.board.fail(&why);
            self.uplink.set_channel(None);
            if let Err(error) = self.port.set_attached(false).await {
                tracing::error!(%error, "voices are not passed on here");
            }
            if began.elapsed() < SHORT {
                sleep(HEARTBEAT).await;
            }
        }
    }

    /// Tries until one attempt comes through; the others are given up.
    async fn attach(&self, first: usize) -> Connection {
        let lost_at = Instant::now();
        let mut attempts = Attempts::new(self.attaching.connector.upstreams().len(), first);
        let mut under_way = FuturesUnordered::new();
        let mut next = attempts.next(Duration::ZERO, random());
        let mut at = lost_at + next.wait;
        loop {
            tokio::select! {
                Some(ended) = under_way.next(), if !under_way.is_empty() => match ended {
                    (_, Ok(connection)) => return connection,
                    (tried, Err(Failure { text, refused, at_once, revoked })) => {
                        self.uplink.board.fail(&text);
                        self.uplink.board.change(|status| status.revoked |= revoked);
                        if revoked {
                            // Whoever is here is let go: they may come in elsewhere.
                            self.forget(self.uplink.give_up()).await;
                        }
                        if at_once {
                            at = Instant::now();
                        } else if refused {
                            attempts.refuse(tried);
                        }
                    }
                },
                () = sleep_until(at) => {
                    if under_way.len() < ATTEMPTS_MAX {
                        let tried = next.upstream;
                        let attempt = self.attaching.attempt(tried);
                        under_way.push(async move { (tried, attempt.await) });
                    }
                    next = attempts.next(lost_at.elapsed(), random());
                    at = Instant::now() + next.wait;
                }
            }
        }
    }

    /// Carries everything over one connection; says why it ended.
    async fn serve(self: &Arc<Self>, connection: Connection) -> String {
        let Connection { channel, requests, responses, attached, upstream, received } = connection;
        if !self.begin(&attached, upstream, &channel).await {
            return "the parent goes on with a session that is not known here".to_owned();
        }
        let stop = CancellationToken::new();
        let reading = read(self.clone(), responses, received, stop.clone());
        let mut reading = tokio::spawn(reading);
        let why = tokio::select! {
            read = &mut reading => return read.unwrap_or_else(|error| error.to_string()),
            () = self.write(requests) => "the parent does not take what is said to it".to_owned(),
            why = self.carry() => why,
            () = self.uplink.broken() => "the parent acknowledges nothing".to_owned(),
            () = self.keep_key_fresh(&channel) => String::new(),
        };
        // What was taken in is brought to its end, in its order, before anything else is taken in.
        stop.cancel();
        let _ = reading.await;
        why
    }

    /// True if the connection can be used.
    async fn begin(&self, attached: &Attached, upstream: usize, channel: &Channel) -> bool {
        let resumed = match self.uplink.attach(attached, upstream) {
            Beginning::Resumed => true,
            Beginning::New { ending } => {
                self.forget(ending).await;
                false
            }
            Beginning::Impossible => return false,
        };
        let settings = attached.settings.clone().unwrap_or_default();
        self.settle(settings).await;
        let path: Vec<Hop> = attached.path.iter().map(Hop::from).collect();
        let names = self.attaching.connector.upstreams();
        let name = names.get(upstream).map(ToString::to_string).unwrap_or_default();
        tracing::info!(upstream = name, resumed, path = ?path, "attached");
        self.uplink.set_channel(Some(channel.clone()));
        self.uplink.board.change(|status| {
            status.revoked = false;
            status.resumed += u64::from(resumed);
            status.attached = Some(AttachedTo {
                upstream: name,
                parent: path.last().cloned().unwrap_or_default(),
                path,
                version: attached.version.clone(),
                protocol: attached.protocol,
                since_ms: unix_ms(),
                rtt_us: None,
                clock_offset_us: self.uplink.offset_us(),
            });
        });
        true
    }

    /// Another session: nothing is left of the one before.
    async fn forget(&self, ending: Vec<CancellationToken>) {
        if let Some(children) = &self.children {
            children.end_all();
        }
        let ended = async {
            for ending in ending {
                ending.cancelled().await;
            }
        };
        // Who still waits for a terminal that takes nothing has no say any more.
        let _ = timeout(ENDING_TIME_MAX, ended).await;
        self.uplink.places.forget_all();
        if let Err(error) = self.port.forget_all().await {
            tracing::error!(%error, "places of an earlier session may be left");
        }
    }

    /// Takes over what the administrator has set.
    async fn settle(&self, settings: RelaySettings) {
        let Ok(organisation) = settings.organisation.parse() else {
            tracing::error!("the parent names an organisation that can't be");
            return;
        };
        self.uplink.places.set_organisation(organisation);
        let voices_max = match usize::try_from(settings.voices_max) {
            Ok(voices_max @ 1..=VOICES_MAX) => voices_max,
            _ => self.voices_max,
        };
        let selection = SelectionConfig { voices_max, ..SelectionConfig::default() };
        let media = MediaSettings { selection, room: settings.room };
        if let Err(error) = self.uplink.places.media().configure(media).await {
            tracing::error!(%error, "the media thread is not as the administrator has set it");
        }
        self.bulk.set_limit(settings.uplink_limit_kbit);
        self.uplink.board.settle(&settings);
        self.uplink.settle(settings);
    }

    /// Sends what is to be sent, and signs of life.
    async fn write(&self, requests: mpsc::Sender<AttachRequest>) {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(request) = self.uplink.next_unsent() {
                self.bulk.note_up(request.encoded_len());
                if requests.send(request).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = self.uplink.has_unsent() => {}
                _ = heartbeat.tick() => {
                    if requests.send(self.uplink.heartbeat()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Says how the relay is doing. Never returns.
    async fn keep_reporting(&self) {
        let mut due = interval(HEARTBEAT);
        loop {
            due.tick().await;
            let relays = self.children.as_ref().map_or(0, |children| children.count());
            self.uplink.report(relays);
        }
    }

    /// Carries media both ways; says why it ended.
    async fn carry(&self) -> String {
        match self.try_carry().await {
            Ok(()) => "the parent has ended the media stream".to_owned(),
            Err(status) => format!("media: {}", Failure::from(status).text),
        }
    }

    async fn try_carry(&self) -> Result<(), Status> {
        // Taken from the media thread's queue only when the connection takes it: what is too old by then
        // is not sent.
        let over = CancellationToken::new();
        let up = (self.port.clone(), self.bulk.clone(), over.clone());
        // A connection that is dead must not go on taking what the next one is to carry.
        let _over = over.drop_guard();
        let up = unfold(up, async |(port, bulk, over)| {
            let request = tokio::select! {
                biased;
                () = over.cancelled() => return None,
                request = port.next() => request,
            };
            bulk.note_up(request.encoded_len());
            Some((request, (port, bulk, over)))
        });
        let (mut client, request) = self.uplink.in_session(Box::pin(up))?;
        let mut down = client.carry(request).await?.into_inner();
        let attached = self.port.set_attached(true).await;
        attached.map_err(|error| Status::internal(error.to_string()))?;
        while let Some(response) = down.message().await? {
            self.bulk.note_down(response.encoded_len());
            self.port.push(response, self.uplink.offset_us());
        }
        Ok(())
    }

    /// Takes a new key when the own one is old. Never returns.
    async fn keep_key_fresh(&self, channel: &Channel) {
        let mut look = interval(ROTATION_LOOK);
        loop {
            look.tick().await;
            let identity = &self.attaching.identity;
            if !identity.rotation_due(SystemTime::now()) {
                continue;
            }
            match identity.rotate(channel.clone(), &self.uplink.token()).await {
                Ok(()) => tracing::info!("the relay has a new key"),
                Err(error) => self.uplink.board.fail(&format!("a new key: {error}")),
            }
        }
    }

    async fn take(&self, task: Task) {
        match task {
            Task::Place { place, carried, after } => {
                if let Some(after) = after {
                    after.cancelled().await;
                }
                self.uplink.places.put(&place, carried).await;
                if let (Some(_), Some(children)) = (carried, &self.children) {
                    children.pass_place(place);
                }
            }
            Task::Leave { place, by, after } => {
                if let Some(after) = after {
                    after.cancelled().await;
                }
                if let Some(children) = &self.children {
                    children.leave(by, place);
                }
            }
            Task::Introduce(introduction) => self.introductions.take(introduction),
            Task::Settle(settings) => self.settle_of(settings).await,
            Task::Revoke(relay) => {
                if let Some(children) = &self.children {
                    children.revoke(&relay);
                }
            }
        }
    }

    async fn settle_of(&self, settings: RelaySettings) {
        if settings.relay_id == self.uplink.settings().relay_id {
            if let Err(error) = self.attaching.identity.keep(&settings) {
                tracing::warn!(%error, "settings are not kept");
            }
            self.settle(settings).await;
        } else if let Some(children) = &self.children {
            children.settle(settings);
        }
    }
}

/// Takes in what the parent says until it says nothing more; says why. A message that was taken in is
/// brought to its end, whatever happens.
async fn read(
    client: Arc<Client>,
    mut responses: Streaming<AttachResponse>,
    received: Received,
    stop: CancellationToken,
) -> String {
    loop {
        let response = tokio::select! {
            biased;
            () = stop.cancelled() => return String::new(),
            response = responses.message() => response,
            silent = silence(&received) => return format!("the parent {silent}"),
        };
        let response = match response {
            Ok(Some(response)) => response,
            Ok(None) => return "the parent has ended the connection".to_owned(),
            Err(status) => return Failure::from(status).text,
        };
        client.bulk.note_down(response.encoded_len());
        match client.uplink.accept(response) {
            Ok(tasks) => {
                for task in tasks {
                    client.take(task).await;
                }
            }
            Err(violation) => return violation.to_string(),
        }
    }
}

/// Resolves when the next message can't be expected any more.
async fn silence(received: &Received) -> Silent {
    let began = Instant::now();
    let mut silence = Silence::new(Duration::ZERO, received.bytes());
    loop {
        match silence.look(began.elapsed(), received.bytes()) {
            Ok(next) => sleep_until(began + next).await,
            Err(silent) => return silent,
        }
    }
}

/// Any number, for jitter.
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, which is no reason not to try.
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
