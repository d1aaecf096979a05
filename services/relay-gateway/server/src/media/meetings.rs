//! The meetings of this relay in the media thread: the way up, subscriptions, what goes up, needs.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use prost::Message as _;
use tokio::{sync::watch, task::AbortHandle};
use tributary_contracts::media::v1 as media;
use tributary_identifiers::{ParticipantId, RelayId};
use tributary_message_bus::{MediaBus, MediaInbox, SequenceGaps, Subject, subjects::MeetingScope};
use tributary_relay_gateway_core::{Dropped, Entry, Meeting, UplinkId, Voice};
use tributary_speaker_selection::Config as SelectionConfig;

use super::{MediaConfig, MediaSettings, TerminalId, ports::ChildLanes, wire};

/// Sign of life to the mixer.
const NEEDS_INTERVAL: Duration = Duration::from_secs(1);

/// Names a meeting in the media thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MeetingKey(u64);

/// What a message from the bus or the parent is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topic {
    Common(MeetingKey),
    Own(MeetingKey),
    Plan(MeetingKey),
    /// All of it.
    Parent(MeetingKey),
}

impl Topic {
    pub(super) fn meeting(self) -> MeetingKey {
        match self {
            Self::Common(key) | Self::Own(key) | Self::Plan(key) | Self::Parent(key) => key,
        }
    }
}

/// Where voices go and tracks come from.
pub(super) enum Way {
    /// A core relay's: NATS, and what has come from there.
    Bus(MediaBus, MediaInbox<Topic>),
    /// An edge relay's.
    Parent(Arc<ChildLanes>),
}

/// The same of one meeting.
enum Road {
    Bus {
        up: Subject,
        need: Subject,
        subscriptions: AbortHandle,
        /// Whether the mixer was told last that somebody is here.
        told: bool,
    },
    /// Nothing of its own: the parent is told by the control stream who is here.
    Parent,
}

impl Drop for Road {
    fn drop(&mut self) {
        if let Self::Bus { subscriptions, .. } = self {
            subscriptions.abort();
        }
    }
}

/// One meeting.
pub(super) struct MeetingMedia {
    pub(super) core: Meeting<TerminalId>,
    /// Its number.
    pub(super) meeting_id: u64,
    /// Places here, those that are held too.
    pub(super) attached: usize,
    pub(super) speakers: watch::Sender<Vec<ParticipantId>>,
    pub(super) common_gaps: SequenceGaps,
    pub(super) own_gaps: SequenceGaps,
    road: Road,
    batch: media::SendBatch,
    /// While nobody above takes what goes up: what would.
    pub(super) stranded: Vec<(Voice, Vec<ParticipantId>)>,
    needs_due: Option<Instant>,
}

/// All meetings.
pub(super) struct Meetings {
    relay: RelayId,
    way: Way,
    selection: SelectionConfig,
    /// The room that terminals of this relay itself stand in.
    own_room: Option<u32>,
    /// Whether somebody takes what goes up.
    attached: bool,
    by_scope: HashMap<MeetingScope, MeetingKey>,
    /// By the meetings' numbers, for what comes from a parent: all are of one organisation there.
    by_number: HashMap<u64, MeetingKey>,
    by_key: HashMap<MeetingKey, MeetingMedia>,
    next_key: u64,
    buffer: BytesMut,
}

impl Meetings {
    pub(super) fn new(config: &MediaConfig, way: Way) -> Self {
        Self {
            relay: config.relay.clone(),
            attached: matches!(way, Way::Bus(..)),
            way,
            selection: config.selection,
            own_room: config.room.then(|| config.relay.room_id()),
            by_scope: HashMap::new(),
            by_number: HashMap::new(),
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
        let meeting_id = scope.meeting.to_u64();
        let mut core = Meeting::new(self.selection);
        core.set_attached(self.attached, Instant::now());
        let meeting = MeetingMedia {
            core,
            meeting_id,
            attached: 0,
            speakers,
            common_gaps: SequenceGaps::default(),
            own_gaps: SequenceGaps::default(),
            road: self.road(scope, key),
            batch: media::SendBatch::default(),
            stranded: Vec::new(),
            needs_due: None,
        };
        self.by_scope.insert(scope.clone(), key);
        self.by_number.insert(meeting_id, key);
        self.by_key.insert(key, meeting);
        key
    }

    fn road(&self, scope: &MeetingScope, key: MeetingKey) -> Road {
        let Way::Bus(bus, inbox) = &self.way else { return Road::Parent };
        let (bus, inbox) = (bus.clone(), inbox.clone());
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
        Road::Bus {
            up: scope.up(&self.relay),
            need: scope.need(&self.relay),
            subscriptions: task.abort_handle(),
            told: false,
        }
    }

    /// Takes in what the administrator has changed.
    pub(super) fn configure(&mut self, settings: &MediaSettings) {
        self.own_room = settings.room.then(|| self.relay.room_id());
        let reselect = self.selection != settings.selection;
        self.selection = settings.selection;
        for meeting in self.by_key.values_mut() {
            meeting.core.set_own_room(self.own_room);
            if reselect {
                meeting.core.select(self.selection);
            }
            meeting.needs_due = None;
        }
    }

    /// Whether somebody takes what goes up, from now on.
    pub(super) fn set_attached(&mut self, attached: bool, now: Instant) {
        self.attached = attached;
        if let (Way::Parent(lanes), false) = (&self.way, attached) {
            lanes.forget();
        }
        for meeting in self.by_key.values_mut() {
            meeting.core.set_attached(attached, now);
            meeting.batch.frames.clear();
            meeting.stranded.clear();
            meeting.common_gaps = SequenceGaps::default();
            meeting.announce_speakers();
        }
    }

    pub(super) fn own_room(&self) -> Option<u32> {
        self.own_room
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut MeetingMedia> {
        self.by_key.values_mut()
    }

    pub(super) fn key_of(&self, scope: &MeetingScope) -> Option<MeetingKey> {
        self.by_scope.get(scope).copied()
    }

    pub(super) fn by_number(&self, meeting_id: u64) -> Option<MeetingKey> {
        self.by_number.get(&meeting_id).copied()
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
                meeting.say_needs(&self.relay, &self.way);
            }
            self.by_scope.retain(|_, other| *other != key);
            self.by_number.retain(|_, other| *other != key);
        }
    }

    /// Sends up what has been collected since the last call, one message per meeting. Says how many
    /// frames went to a parent.
    pub(super) fn send_up(&mut self, key: MeetingKey, now: Instant) -> u64 {
        let Self { by_key, way, buffer, .. } = self;
        let Some(meeting) = by_key.get_mut(&key) else { return 0 };
        if meeting.batch.frames.is_empty() {
            return 0;
        }
        meeting.batch.sequence += 1;
        match (&*way, &meeting.road) {
            (Way::Bus(bus, _), Road::Bus { up, .. }) => {
                // Writing to a BytesMut only fails when memory ends.
                let _ = meeting.batch.encode(buffer);
                meeting.batch.frames.clear();
                bus.publish(up, buffer.split().freeze());
                0
            }
            (Way::Parent(lanes), _) => {
                let frames = std::mem::take(&mut meeting.batch.frames);
                let sent = frames.len() as u64;
                let batch = media::SendBatch { sequence: meeting.batch.sequence, frames };
                lanes.send(meeting.meeting_id, batch, now);
                sent
            }
            (Way::Bus(..), Road::Parent) => 0,
        }
    }

    /// Says who is here, for all meetings whose time has come.
    pub(super) fn publish_needs(&mut self, now: Instant) {
        let Self { by_key, relay, way, .. } = self;
        for meeting in by_key.values_mut() {
            if meeting.needs_due.is_none_or(|due| due <= now) {
                meeting.needs_due = Some(now + NEEDS_INTERVAL);
                meeting.say_needs(relay, way);
            }
        }
    }
}

impl MeetingMedia {
    /// Says who is here; that nobody is, only once.
    fn say_needs(&mut self, relay: &RelayId, way: &Way) {
        let somebody = !self.core.is_empty();
        let (Way::Bus(bus, _), Road::Bus { need, told, .. }) = (way, &mut self.road) else {
            return;
        };
        if somebody || *told {
            let needs = wire::needs(relay, &self.core.needs());
            bus.publish(need, needs.encode_to_vec().into());
        }
        *told = somebody;
    }

    /// Says who speaks, if that has changed.
    pub(super) fn announce_speakers(&self) {
        let speakers = self.core.speakers();
        self.speakers.send_if_modified(|announced| {
            let changed = announced != speakers;
            if changed {
                *announced = speakers.to_vec();
            }
            changed
        });
    }

    /// Whether what comes down is of use to anybody: a meeting in which all are held is only kept warm.
    pub(super) fn is_heard(&self) -> bool {
        !self.core.is_empty()
    }

    /// Brings a terminal into the sound.
    pub(super) fn enter(&mut self, entry: Entry<TerminalId>, now: Instant) {
        if self.core.is_empty() {
            // What nobody listened to is not lost.
            self.common_gaps = SequenceGaps::default();
            self.own_gaps = SequenceGaps::default();
        }
        self.core.attach(entry, now);
    }

    /// Takes a voice of a terminal in; what is to go up is collected until [`Meetings::send_up`].
    pub(super) fn handle_audio(
        &mut self,
        section: usize,
        frame: Voice,
        now: Instant,
    ) -> Result<(), Dropped> {
        let Self { core, batch, stranded, .. } = self;
        let cut_off = core.is_cut_off();
        core.handle_audio(section, frame, now, &mut |frame, targets| {
            collect(frame, targets, cut_off, batch, stranded);
        })
    }

    /// The same of a voice that an attached relay has sent.
    pub(super) fn handle_carried(
        &mut self,
        uplink: UplinkId,
        frame: Voice,
        targets: &[ParticipantId],
        now: Instant,
    ) -> Result<(), Dropped> {
        let Self { core, batch, stranded, .. } = self;
        let cut_off = core.is_cut_off();
        core.handle_carried(uplink, frame, targets, now, &mut |frame, targets| {
            collect(frame, targets, cut_off, batch, stranded);
        })
    }
}

fn collect(
    frame: Voice,
    targets: &[ParticipantId],
    cut_off: bool,
    batch: &mut media::SendBatch,
    stranded: &mut Vec<(Voice, Vec<ParticipantId>)>,
) {
    if cut_off {
        stranded.push((frame, targets.to_vec()));
    } else {
        batch.frames.push(wire::send_frame(frame, targets));
    }
}
