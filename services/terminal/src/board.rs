//! What a terminal knows and has to do, shared by who uses it and by what carries it out: the meetings
//! it is in, and its operations in each.

mod known;
mod operating;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
    time::Instant,
};

pub(crate) use self::known::Known;
use tokio::sync::{Notify, broadcast, watch};
use tributary_contracts::{
    event::v1::{
        LeaveReason, MeetingEvent, ParticipantJoined, Presence, meeting_event::Body as Happened,
    },
    terminal::v1::{Joined, RefusalCode, Roster, UplinkChanged},
};
use tributary_identifiers::{MeetingId, OperationId, ParticipantId, TerminalSessionId};
use tributary_join_credential::TerminalKey;

use crate::{
    EndReason, Event, Outcome, Snapshot,
    media::{Desk, Voice, lock},
    post::{Post, Standing},
    records::{Record, RecordLog},
};

/// Events that a slow reader may lag behind before it misses some.
const EVENTS_MAX: usize = 1_024;

pub(crate) struct Board {
    known: watch::Sender<Known>,
    events: broadcast::Sender<Event>,
    records: Option<Mutex<RecordLog>>,
    posts: Mutex<BTreeMap<MeetingId, Post>>,
    /// There is something to be sent.
    pub(crate) work: Notify,
    pub(crate) desk: Arc<Desk>,
    key: Arc<TerminalKey>,
}

/// What an event means for the terminal itself.
#[derive(Default)]
pub(crate) struct Meant {
    /// It is not in the lobby any more.
    pub(crate) admitted: bool,
    /// It is out.
    pub(crate) out: Option<EndReason>,
}

/// How a meeting was joined.
pub(crate) struct Entry {
    pub(crate) meeting_id: MeetingId,
    pub(crate) session_id: TerminalSessionId,
    pub(crate) credential: String,
    pub(crate) relay_id: String,
    pub(crate) asked_from: u64,
    pub(crate) held: bool,
    pub(crate) joined: Joined,
}

impl Board {
    pub(crate) fn new(desk: Arc<Desk>, key: Arc<TerminalKey>, record: bool) -> Self {
        let muted = desk.muted.load(Ordering::Relaxed);
        let first = Snapshot { muted, live: true, ..Snapshot::default() };
        Self {
            known: watch::Sender::new(Known(vec![first])),
            events: broadcast::Sender::new(EVENTS_MAX),
            records: record.then(Mutex::default),
            posts: Mutex::default(),
            work: Notify::new(),
            desk,
            key,
        }
    }

    pub(crate) fn known(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn key(&self) -> &Arc<TerminalKey> {
        &self.key
    }

    pub(crate) fn records_from(&self, index: usize) -> Vec<Record> {
        self.records.as_ref().map(|records| lock(records).from(index)).unwrap_or_default()
    }

    pub(crate) fn live(&self) -> Option<MeetingId> {
        let known = self.known.borrow();
        known.0.iter().find(|meeting| meeting.live)?.meeting_id
    }

    pub(crate) fn cursor(&self, meeting_id: MeetingId) -> u64 {
        let known = self.known.borrow();
        let Some(meeting) = known.of(meeting_id) else { return 0 };
        // Who has no roster has nothing to go on from, and has done nothing yet that has a result.
        if !meeting.has_roster || meeting.ended.is_some() { 0 } else { meeting.cursor }
    }

    fn posts(&self) -> MutexGuard<'_, BTreeMap<MeetingId, Post>> {
        lock(&self.posts)
    }

    fn record(&self, record: impl FnOnce() -> Record) {
        if let Some(records) = &self.records {
            lock(records).push(record());
        }
    }

    fn tell(&self, event: Event) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    fn change<R>(&self, id: MeetingId, change: impl FnOnce(&mut Snapshot) -> R) -> Option<R> {
        let mut result = None;
        self.known.send_modify(|known| {
            let meeting = known.0.iter_mut().find(|known| known.meeting_id == Some(id));
            result = meeting.map(change);
        });
        result
    }

    /// The terminal is in a meeting, first or again.
    pub(crate) fn entered(&self, entry: Entry) {
        let Entry { meeting_id, session_id, credential, relay_id, asked_from, held, joined } =
            entry;
        let participant_id = ParticipantId(joined.participant_id);
        let waiting = joined.waiting;
        let meeting = joined.meeting.as_ref();
        let standing = Standing {
            meeting_id,
            organisation: meeting.map(|meeting| meeting.organisation.clone()).unwrap_or_default(),
            participant_id,
            session_id,
        };
        self.record(|| Record::Joined {
            meeting_id,
            participant_id,
            asked_from,
            roster_at: joined.roster.as_ref().map(|roster| roster.event_number),
            waiting,
            held,
        });
        let pending = self.keep_post(standing, credential);
        self.known.send_modify(|known| known.make_room_for(meeting_id));
        let muted = self.desk.muted.load(Ordering::Relaxed);
        self.change(meeting_id, |snapshot| {
            snapshot.live = !held;
            snapshot.relay_id = relay_id;
            snapshot.operations.pending = pending;
            if !held {
                snapshot.muted = muted;
            }
            snapshot.joined(joined);
        });
        self.tune();
        if waiting {
            self.tell(Event::Waiting(meeting_id));
        }
    }

    /// Operations go on if the participant and its session do. Says how many have no result.
    fn keep_post(&self, standing: Standing, credential: String) -> usize {
        let mut posts = self.posts();
        let post = posts.get_mut(&standing.meeting_id);
        if let Some(post) = post
            && post.goes_on_as(&standing)
        {
            post.credential = credential;
            return post.outbox.len();
        }
        // Who waits for results of an older one is told by its waiter's end.
        let id = standing.meeting_id;
        posts.insert(id, Post::new(standing, credential, self.records.is_some()));
        0
    }

    /// All that makes a stay in a meeting is there.
    pub(crate) fn connected(&self, meeting_id: MeetingId) {
        let is_news = self.known.borrow().of(meeting_id).is_some_and(|known| !known.connected);
        if is_news {
            self.change(meeting_id, |snapshot| {
                snapshot.connected = true;
                snapshot.connections += 1;
            });
        }
    }

    /// The same, if it is not in the lobby.
    pub(crate) fn connected_unless_waiting(&self, meeting_id: MeetingId) {
        if !self.is_live_or_waiting(meeting_id).1 {
            self.connected(meeting_id);
        }
    }

    /// Whether the terminal is live there, and whether it waits in the lobby.
    pub(crate) fn is_live_or_waiting(&self, meeting_id: MeetingId) -> (bool, bool) {
        let known = self.known.borrow();
        known.of(meeting_id).map_or((false, false), |known| (known.live, known.waiting))
    }

    /// Audio can flow; without audio: joined.
    pub(crate) fn arrived(&self) {
        self.record(|| Record::Connected);
        self.tell(Event::Connected);
    }

    /// The connection is gone.
    pub(crate) fn lost(&self, had_arrived: bool) {
        for post in self.posts().values_mut() {
            post.outbox.lost();
        }
        let now = Instant::now();
        self.known.send_modify(|known| known.0.iter_mut().for_each(|meeting| meeting.lost(now)));
        self.record(|| Record::Lost);
        if had_arrived {
            self.tell(Event::Lost);
        }
    }

    /// The relay has lost its own uplink, or has it again.
    pub(crate) fn take_uplink(&self, changed: UplinkChanged) {
        let UplinkChanged { attached, hold_ms, lost_ms } = changed;
        self.record(|| Record::Uplink { attached, hold_ms, lost_ms });
        self.known.send_modify(|known| {
            known.0.iter_mut().for_each(|meeting| meeting.uplink_lost = !attached);
        });
    }

    /// The terminal is live there now, and in the other meeting no more.
    pub(crate) fn switched(&self, meeting_id: MeetingId) {
        let muted = self.desk.muted.load(Ordering::Relaxed);
        self.known.send_modify(|known| {
            for meeting in &mut known.0 {
                meeting.live = meeting.meeting_id == Some(meeting_id);
                if meeting.live {
                    meeting.muted = muted;
                } else {
                    meeting.set_speakers(Vec::new(), Instant::now());
                }
            }
        });
        self.tune();
        self.tell(Event::Switched(meeting_id));
    }

    /// The terminal is out of one meeting for good.
    pub(crate) fn ended_in(&self, meeting_id: MeetingId, reason: &EndReason) {
        self.posts().get_mut(&meeting_id).map(Post::close);
        self.change(meeting_id, |snapshot| snapshot.end(reason));
        self.tune();
        self.tell(Event::EndedIn(meeting_id, reason.clone()));
    }

    /// The terminal is out for good.
    pub(crate) fn ended(&self, reason: EndReason) {
        self.posts().values_mut().for_each(Post::close);
        self.known.send_modify(|known| {
            for meeting in known.0.iter_mut().filter(|meeting| meeting.ended.is_none()) {
                meeting.end(&reason);
            }
        });
        self.tell(Event::Ended(reason));
    }

    pub(crate) fn take_speakers(&self, meeting_id: MeetingId, speakers: Vec<ParticipantId>) {
        let live = self.change(meeting_id, |snapshot| {
            snapshot.set_speakers(speakers.clone(), Instant::now());
            snapshot.live
        });
        if live == Some(true) {
            self.tell(Event::Speakers(speakers));
        }
    }

    /// Takes a roster that came by itself. True if it lets the terminal in.
    pub(crate) fn take_roster(&self, meeting_id: MeetingId, roster: Roster) -> bool {
        let event_number = roster.event_number;
        self.record(|| Record::Roster { meeting_id, event_number });
        let admitted = self.change(meeting_id, |snapshot| {
            snapshot.take_roster(roster);
            std::mem::take(&mut snapshot.waiting)
        });
        self.tune();
        self.tell_admitted(meeting_id, admitted == Some(true))
    }

    fn tell_admitted(&self, meeting_id: MeetingId, admitted: bool) -> bool {
        if admitted {
            self.tell(Event::Admitted(meeting_id));
        }
        admitted
    }

    pub(crate) fn take_event(&self, meeting_id: MeetingId, event: MeetingEvent) -> Meant {
        let Some((news, me)) = self.change(meeting_id, |snapshot| {
            let news = snapshot.apply(&event);
            (news, snapshot.participant_id)
        }) else {
            return Meant::default();
        };
        self.record(|| Record::Event { event: Box::new(event.clone()), news });
        let mut meant = Meant::default();
        if news {
            meant = self.meant(meeting_id, me, &event);
            self.tune();
            self.tell(Event::Meeting(Box::new(event.clone())));
        }
        // A result counts however it comes: a roster may have included its event.
        if let Some(cause) =
            event.cause.as_ref().filter(|cause| me == Some(ParticipantId(cause.participant_id)))
            && let Ok(id) = cause.operation_id.parse::<OperationId>()
        {
            self.answered(meeting_id, &id, Outcome::of(&event));
        }
        meant
    }

    fn meant(&self, meeting: MeetingId, me: Option<ParticipantId>, event: &MeetingEvent) -> Meant {
        let is_me = |id: u32| me == Some(ParticipantId(id));
        let mut meant = Meant::default();
        match &event.body {
            Some(Happened::Joined(ParticipantJoined { participant: Some(participant) }))
                if is_me(participant.participant_id) =>
            {
                let is_in = participant.presence() != Presence::Waiting;
                let admitted =
                    self.change(meeting, |snapshot| is_in && std::mem::take(&mut snapshot.waiting));
                meant.admitted = self.tell_admitted(meeting, admitted == Some(true));
            }
            Some(Happened::Left(left)) if is_me(left.participant_id) => {
                meant.out = out_by(left.reason());
            }
            Some(Happened::Muted(muted)) if is_me(muted.participant_id) => {
                self.take_muted(meeting, muted.muted);
            }
            Some(Happened::Ended(_)) => {
                let text = "the meeting is over".to_owned();
                meant.out = Some(EndReason::Refused(RefusalCode::MeetingEnded, text));
            }
            _ => {}
        }
        meant
    }

    /// The meeting says how the own microphone is: by a host, or by an own operation. What the user
    /// has switched since then counts more.
    fn take_muted(&self, meeting_id: MeetingId, muted: bool) {
        if self.posts().get(&meeting_id).is_some_and(Post::is_switching) {
            return;
        }
        let live = self.change(meeting_id, |snapshot| {
            snapshot.muted = muted;
            snapshot.live
        });
        if live == Some(true) {
            self.desk.muted.store(muted, Ordering::Relaxed);
        }
    }

    /// Gives the microphone to whom the user wants to be heard by, and to nobody else: while wish and
    /// truth differ, to nobody.
    fn tune(&self) {
        // One at a time: the later one knows more.
        let posts = self.posts();
        let known = self.known.borrow();
        let live = known.0.iter().find(|meeting| meeting.live);
        let voice = live.map_or(Voice::Nobody, |live| {
            let wish = live.meeting_id.and_then(|id| posts.get(&id)).map(|post| &post.talk_wish);
            let in_force = live.talking_to.iter().copied().collect();
            match wish {
                Some(wish) if *wish != in_force => Voice::Nobody,
                Some(wish) if !wish.is_empty() => Voice::Private,
                _ => Voice::Meeting,
            }
        });
        self.desk.speak_to(voice);
    }
}

/// What it means to be said to have left; `None`: the terminal is there all the same.
fn out_by(reason: LeaveReason) -> Option<EndReason> {
    let (code, text) = match reason {
        LeaveReason::Removed => (RefusalCode::Removed, "a host has removed this participant"),
        LeaveReason::NotAdmitted => (RefusalCode::SentAway, "a host has not let this one in"),
        // That the meeting has ended is said by an event of its own.
        LeaveReason::MeetingEnded
        | LeaveReason::Unspecified
        | LeaveReason::Left
        | LeaveReason::TerminalLost
        | LeaveReason::RelayLost => return None,
    };
    Some(EndReason::Refused(code, text.to_owned()))
}
