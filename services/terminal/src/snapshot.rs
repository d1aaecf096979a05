//! What a terminal knows of one of its meetings, kept up to date from what the relay says.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use tributary_contracts::{
    event::v1::{MeetingEvent, MeetingState, Talk, meeting_event::Body as Happened},
    terminal::v1::{Joined, RefusalCode, Roster},
};
use tributary_identifiers::{MeetingId, OperationId, ParticipantId};

use crate::{Hearing, Outcome, Person, SECTIONS, person::system_time};

/// Lines of chat that are kept.
pub const CHAT_LINES_MAX: usize = 1_000;

/// How long and how often somebody was among the speakers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpeakingTime {
    /// How often somebody began.
    pub times: u32,
    /// For how long in all.
    pub total: Duration,
    /// Since when, if it goes on.
    pub since: Option<Instant>,
}

/// Something that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// Number of its event.
    pub number: u64,
    /// Who wrote it; `None`: the platform.
    pub participant_id: Option<ParticipantId>,
    /// The name at that time.
    pub name: String,
    /// What.
    pub text: String,
    /// To whom; empty: to everybody.
    pub to: Vec<ParticipantId>,
}

/// How many operations of this terminal in this meeting are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationCounts {
    /// No result yet.
    pub pending: usize,
    /// Changed something.
    pub applied: u64,
    /// Changed nothing.
    pub nothing_changed: u64,
    /// Refused by the registry.
    pub refused: u64,
    /// Refused by the relay for good.
    pub not_taken: u64,
}

impl OperationCounts {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Applied { .. } => &mut self.applied,
            Outcome::NothingChanged => &mut self.nothing_changed,
            Outcome::Refused { .. } => &mut self.refused,
            Outcome::NotTaken { .. } => &mut self.not_taken,
        } += 1;
    }
}

/// Why a terminal is out for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// By its own wish.
    Left,
    /// The relay does not let it come back; a program's code and a reader's reason.
    Refused(RefusalCode, String),
}

/// Something that happened to a terminal.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Joined, or joined again, and audio can flow.
    Connected,
    /// The connection was lost; the terminal tries to come back.
    Lost,
    /// The terminal waits in the lobby of this meeting.
    Waiting(MeetingId),
    /// It was let in.
    Admitted(MeetingId),
    /// It is live in this meeting now.
    Switched(MeetingId),
    /// Something happened in a meeting.
    Meeting(Box<MeetingEvent>),
    /// Somebody else speaks now in the live meeting, loudest first.
    Speakers(Vec<ParticipantId>),
    /// An own operation can't be lost any more.
    OperationReceived {
        /// Where.
        meeting_id: MeetingId,
        /// Which.
        id: OperationId,
    },
    /// The result of an own operation is there.
    OperationAnswered {
        /// Where.
        meeting_id: MeetingId,
        /// Which.
        id: OperationId,
        /// The result.
        outcome: Outcome,
    },
    /// The terminal is out of one of its two meetings for good.
    EndedIn(MeetingId, EndReason),
    /// The terminal is out for good.
    Ended(EndReason),
}

/// What a terminal knows of one meeting at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The meeting; known as soon as it is joined.
    pub meeting_id: Option<MeetingId>,
    /// Joined, and audio can flow; in a meeting that is only held: joined.
    pub connected: bool,
    /// How often it was connected so far.
    pub connections: u32,
    /// The terminal speaks and hears here, not in the other meeting.
    pub live: bool,
    /// In the lobby.
    pub waiting: bool,
    /// Who it is.
    pub participant_id: Option<ParticipantId>,
    /// The relay it is, or was last, attached to.
    pub relay_id: String,
    /// That relay has lost its own uplink: people behind it hear each other and nobody else.
    pub uplink_lost: bool,
    /// What the meeting is about.
    pub subject: String,
    /// Nobody else is let in.
    pub locked: bool,
    /// Who is shown to everybody.
    pub spotlight: Option<ParticipantId>,
    /// Everybody who is in, by number.
    pub roster: BTreeMap<ParticipantId, Person>,
    /// Who speaks, loudest first.
    pub speakers: Vec<ParticipantId>,
    /// Who spoke, how long.
    pub speaking: BTreeMap<ParticipantId, SpeakingTime>,
    /// The private talk that the terminal takes part in: who talks, to whom.
    pub talks: BTreeMap<ParticipantId, Vec<ParticipantId>>,
    /// To whom alone the terminal talks; empty: to everybody.
    pub talking_to: Vec<ParticipantId>,
    /// What was written, the last [`CHAT_LINES_MAX`] lines.
    pub chat: VecDeque<ChatLine>,
    /// How often the terminal was asked to unmute.
    pub asked_to_unmute: u32,
    /// Number of the last event.
    pub cursor: u64,
    /// Events that came again, with a number that was there before; they change nothing.
    pub repeated_events: u64,
    /// The own operations.
    pub operations: OperationCounts,
    /// The own microphone is off.
    pub muted: bool,
    /// The roster of this stay is there.
    pub(crate) has_roster: bool,
    /// Out for good, and why.
    pub ended: Option<EndReason>,
    /// What was heard, all sections together.
    pub hearing: Hearing,
    /// What was heard on each section, by its [index](crate::Section::index).
    pub heard: [Hearing; SECTIONS],
}

impl Snapshot {
    pub(crate) fn joined(&mut self, joined: Joined) {
        self.uplink_lost = false;
        let me = ParticipantId(joined.participant_id);
        if self.participant_id.replace(me).is_some_and(|before| before != me) {
            self.talking_to.clear();
        }
        if let Some(meeting) = joined.meeting {
            self.subject = meeting.subject;
        }
        self.waiting = joined.waiting;
        self.has_roster &= !joined.waiting;
        if let Some(roster) = joined.roster.filter(|_| !joined.waiting) {
            self.take_roster(roster);
        }
    }

    pub(crate) fn take_roster(&mut self, roster: Roster) {
        let people = roster.participants.into_iter().map(Person::from);
        self.roster = people.map(|person| (person.participant_id, person)).collect();
        let MeetingState { locked, spotlight_participant_id } = roster.state.unwrap_or_default();
        self.locked = locked;
        self.spotlight = named(spotlight_participant_id);
        self.talks = roster.talks.into_iter().map(talk).collect();
        self.note_own_talk();
        self.has_roster = true;
        // Never back: what came after it would be taken twice.
        self.cursor = self.cursor.max(roster.event_number);
    }

    /// True if it was news.
    pub(crate) fn apply(&mut self, event: &MeetingEvent) -> bool {
        if event.number <= self.cursor {
            self.repeated_events += 1;
            return false;
        }
        self.cursor = event.number;
        if let Some(body) = &event.body {
            self.apply_to_people(event, body);
            self.apply_to_meeting(event, body);
        }
        true
    }

    fn apply_to_people(&mut self, event: &MeetingEvent, body: &Happened) {
        match body {
            Happened::Joined(joined) => {
                if let Some(participant) = joined.participant.clone() {
                    let person = Person::from(participant);
                    self.roster.insert(person.participant_id, person);
                }
            }
            Happened::Left(left) => {
                let gone = ParticipantId(left.participant_id);
                self.roster.remove(&gone);
                self.talks.remove(&gone);
            }
            Happened::Muted(muted) => {
                self.change(muted.participant_id, |person| person.muted = muted.muted);
            }
            Happened::PresenceChanged(changed) => {
                self.change(changed.participant_id, |person| {
                    person.presence = changed.presence();
                    person.offline_reason = changed.reason();
                    person.unreachable = changed.unreachable;
                });
            }
            Happened::HandChanged(changed) => self.change(changed.participant_id, |person| {
                person.hand_raised = if changed.raised { event.number } else { 0 };
            }),
            Happened::CheckedIn(checked_in) => self.change(checked_in.participant_id, |person| {
                person.checked_in = event.at.map(system_time);
            }),
            Happened::HostChanged(changed) => {
                self.change(changed.participant_id, |person| person.host = changed.host);
            }
            Happened::NameChanged(changed) => self.change(changed.participant_id, |person| {
                person.display_name.clone_from(&changed.display_name);
            }),
            _ => {}
        }
    }

    fn apply_to_meeting(&mut self, event: &MeetingEvent, body: &Happened) {
        match body {
            Happened::MeetingChanged(changed) => self.subject.clone_from(&changed.subject),
            Happened::LockChanged(changed) => self.locked = changed.locked,
            Happened::SpotlightChanged(changed) => self.spotlight = named(changed.participant_id),
            Happened::TalkChanged(changed) => {
                let participant_id = changed.participant_id;
                let target_ids = changed.target_ids.clone();
                let (id, targets) = talk(Talk { participant_id, target_ids });
                if targets.is_empty() {
                    self.talks.remove(&id);
                } else {
                    self.talks.insert(id, targets);
                }
                self.note_own_talk();
            }
            Happened::AskedToUnmute(asked) => {
                let me = named(asked.participant_id) == self.participant_id;
                self.asked_to_unmute += u32::from(me);
            }
            Happened::ChatMessage(message) => self.write(ChatLine {
                number: event.number,
                participant_id: named(message.participant_id),
                name: message.display_name.clone(),
                text: message.text.clone(),
                to: message.to_participant_ids.iter().copied().map(ParticipantId).collect(),
            }),
            Happened::Announcement(announcement) => self.write(ChatLine {
                number: event.number,
                participant_id: None,
                name: String::new(),
                text: announcement.text.clone(),
                to: Vec::new(),
            }),
            _ => {}
        }
    }

    fn change(&mut self, participant_id: u32, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.roster.get_mut(&ParticipantId(participant_id)) {
            change(person);
        }
    }

    fn write(&mut self, line: ChatLine) {
        if self.chat.len() == CHAT_LINES_MAX {
            self.chat.pop_front();
        }
        self.chat.push_back(line);
    }

    fn note_own_talk(&mut self) {
        let own = self.participant_id.and_then(|me| self.talks.get(&me));
        self.talking_to = own.cloned().unwrap_or_default();
    }

    pub(crate) fn set_speakers(&mut self, speakers: Vec<ParticipantId>, now: Instant) {
        for (id, time) in &mut self.speaking {
            if !speakers.contains(id)
                && let Some(since) = time.since.take()
            {
                time.total += now.saturating_duration_since(since);
            }
        }
        for id in &speakers {
            let time = self.speaking.entry(*id).or_default();
            if time.since.is_none() {
                time.times += 1;
                time.since = Some(now);
            }
        }
        self.speakers = speakers;
    }

    pub(crate) fn lost(&mut self, now: Instant) {
        self.connected = false;
        self.uplink_lost = false;
        self.set_speakers(Vec::new(), now);
    }

    pub(crate) fn end(&mut self, reason: &EndReason) {
        self.lost(Instant::now());
        self.live = false;
        self.waiting = false;
        self.operations.pending = 0;
        self.ended = Some(reason.clone());
    }
}

/// A participant, if a number names one.
fn named(participant_id: u32) -> Option<ParticipantId> {
    (participant_id != 0).then_some(ParticipantId(participant_id))
}

fn talk(talk: Talk) -> (ParticipantId, Vec<ParticipantId>) {
    let targets = talk.target_ids.into_iter().map(ParticipantId).collect();
    (ParticipantId(talk.participant_id), targets)
}

#[cfg(test)]
mod tests;
