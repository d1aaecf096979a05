//! The meetings of this relay in the media thread: subscriptions, what goes up, needs.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use prost::Message as _;
use tokio::{sync::watch, task::AbortHandle};
use tributary_contracts::media::v1 as media;
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::{MediaBus, MediaInbox, SequenceGaps, Subject, subjects::MeetingScope};
use tributary_relay_gateway_core::{Dropped, Meeting, Voice};
use tributary_speaker_selection::Config as SelectionConfig;

use super::{MediaConfig, TerminalId, wire};

/// Sign of life to the mixer.
const NEEDS_INTERVAL: Duration = Duration::from_secs(1);

/// Names a meeting in the media thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MeetingKey(u64);

/// What a message from the bus is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topic {
    Common(MeetingKey),
    Own(MeetingKey),
    Plan(MeetingKey),
}

/// One meeting.
pub(super) struct MeetingMedia {
    pub(super) core: Meeting<TerminalId>,
    /// Terminals here, those that are held too.
    pub(super) attached: usize,
    /// Whether the mixer was told last that somebody is here.
    told: bool,
    pub(super) speakers: watch::Sender<Vec<ParticipantId>>,
    pub(super) common_gaps: SequenceGaps,
    pub(super) own_gaps: SequenceGaps,
    up: Subject,
    need: Subject,
    batch: media::SendBatch,
    needs_due: Option<Instant>,
    subscriptions: AbortHandle,
}

impl Drop for MeetingMedia {
    fn drop(&mut self) {
        self.subscriptions.abort();
    }
}

/// All meetings.
pub(super) struct Meetings {
    relay: RelayId,
    bus: MediaBus,
    inbox: MediaInbox<Topic>,
    selection: SelectionConfig,
    room: bool,
    by_scope: HashMap<MeetingScope, MeetingKey>,
    by_key: HashMap<MeetingKey, MeetingMedia>,
    next_key: u64,
    buffer: BytesMut,
}

impl Meetings {
    pub(super) fn new(config: &MediaConfig, bus: MediaBus, inbox: MediaInbox<Topic>) -> Self {
        Self {
            relay: config.relay.clone(),
            bus,
            inbox,
            selection: config.selection,
            room: config.room,
            by_scope: HashMap::new(),
            by_key: HashMap::new(),
            next_key: 0,
            buffer: BytesMut::new(),
        }
    }

    /// The meeting's place, made and subscribed to if it is new here.
    pub(super) fn open(
        &mut self,
        scope: &MeetingScope,
        speakers: watch::Sender<Vec<ParticipantId>>,
    ) -> MeetingKey {
        if let Some(key) = self.by_scope.get(scope).copied() {
            if let Some(meeting) = self.by_key.get_mut(&key) {
                speakers.send_replace(meeting.core.speakers().to_vec());
                meeting.speakers = speakers;
            }
            return key;
        }
        let key = MeetingKey(self.next_key);
        self.next_key += 1;
        let meeting = MeetingMedia {
            core: Meeting::new(self.selection, self.room),
            attached: 0,
            told: false,
            speakers,
            common_gaps: SequenceGaps::default(),
            own_gaps: SequenceGaps::default(),
            up: scope.up(&self.relay),
            need: scope.need(&self.relay),
            batch: media::SendBatch::default(),
            needs_due: None,
            subscriptions: self.subscribe(scope, key),
        };
        self.by_scope.insert(scope.clone(), key);
        self.by_key.insert(key, meeting);
        key
    }

    fn subscribe(&self, scope: &MeetingScope, key: MeetingKey) -> AbortHandle {
        let (bus, inbox) = (self.bus.clone(), self.inbox.clone());
        let (common, own) = (scope.down_common(), scope.down_relay(&self.relay));
        let plan = scope.plan(&self.relay);
        // A task, because subscribing waits while the connection is down. It holds the
        // subscriptions until the meeting closes.
        let task = tokio::spawn(async move {
            let _common = bus.subscribe(common, Topic::Common(key), &inbox).await;
            let _own = bus.subscribe(own, Topic::Own(key), &inbox).await;
            let _plan = bus.subscribe(plan, Topic::Plan(key), &inbox).await;
            std::future::pending::<()>().await;
        });
        task.abort_handle()
    }

    pub(super) fn get_mut(&mut self, key: MeetingKey) -> Option<&mut MeetingMedia> {
        self.by_key.get_mut(&key)
    }

    /// Says on the bus who is here, at the next [`Self::publish_needs`].
    pub(super) fn needs_changed(&mut self, key: MeetingKey, now: Instant) {
        if let Some(meeting) = self.by_key.get_mut(&key) {
            meeting.needs_due = Some(now);
        }
    }

    /// Forgets a meeting that nobody here is in, nor held in, and tells the mixer.
    pub(super) fn close_if_empty(&mut self, key: MeetingKey) {
        if self.by_key.get(&key).is_some_and(|meeting| meeting.attached == 0) {
            if let Some(mut meeting) = self.by_key.remove(&key) {
                meeting.say_needs(&self.relay, &self.bus);
            }
            self.by_scope.retain(|_, other| *other != key);
        }
    }

    /// Sends up what has been collected since the last call, one message per meeting.
    pub(super) fn publish_up(&mut self, key: MeetingKey) {
        let Some(meeting) = self.by_key.get_mut(&key) else { return };
        if meeting.batch.frames.is_empty() {
            return;
        }
        meeting.batch.sequence += 1;
        // Writing to a BytesMut only fails when memory ends.
        let _ = meeting.batch.encode(&mut self.buffer);
        meeting.batch.frames.clear();
        self.bus.publish(&meeting.up, self.buffer.split().freeze());
    }

    /// Says who is here, for all meetings whose time has come.
    pub(super) fn publish_needs(&mut self, now: Instant) {
        let Self { by_key, relay, bus, .. } = self;
        for meeting in by_key.values_mut() {
            if meeting.needs_due.is_none_or(|due| due <= now) {
                meeting.needs_due = Some(now + NEEDS_INTERVAL);
                meeting.say_needs(relay, bus);
            }
        }
    }
}

impl MeetingMedia {
    /// Says who is here; that nobody is, only once.
    fn say_needs(&mut self, relay: &RelayId, bus: &MediaBus) {
        let somebody = !self.core.is_empty();
        if somebody || self.told {
            let needs = wire::needs(relay, &self.core.needs());
            bus.publish(&self.need, needs.encode_to_vec().into());
        }
        self.told = somebody;
    }

    /// Whether what comes down is of use to anybody: a meeting in which all are held is only kept warm.
    pub(super) fn is_heard(&self) -> bool {
        !self.core.is_empty()
    }

    /// Brings a terminal into the sound.
    pub(super) fn enter(
        &mut self,
        terminal: TerminalId,
        who: ParticipantId,
        muted: bool,
        now: Instant,
    ) {
        if self.core.is_empty() {
            // What nobody listened to is not lost.
            self.common_gaps = SequenceGaps::default();
            self.own_gaps = SequenceGaps::default();
        }
        self.core.attach(who, terminal, muted, now);
    }

    /// Takes a local voice in; what is to go up is collected until [`Meetings::publish_up`].
    pub(super) fn handle_audio(
        &mut self,
        section: usize,
        frame: Voice,
        now: Instant,
    ) -> Result<(), Dropped> {
        let Self { core, batch, .. } = self;
        core.handle_audio(section, frame, now, &mut |frame, targets| {
            batch.frames.push(wire::send_frame(frame, targets));
        })
    }
}
