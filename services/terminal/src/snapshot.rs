//! What a terminal knows of its meeting, kept up to date from what the relay says.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tributary_contracts::{
    event::v1::{MeetingEvent, Participant, meeting_event::Body as Happened},
    terminal::v1::{Joined, RefusalCode, Roster},
};
use tributary_identifiers::ParticipantId;

use crate::Hearing;

/// Somebody who is in the meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its number.
    pub participant_id: ParticipantId,
    /// The name shown to others.
    pub display_name: String,
    /// True for somebody without an account.
    pub guest: bool,
    /// The relay it is attached to.
    pub relay_id: String,
    /// The name of that relay: the group's name.
    pub relay_name: String,
    /// True while the microphone is off.
    pub muted: bool,
}

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
    /// Something happened in the meeting.
    Meeting(Box<MeetingEvent>),
    /// Somebody else speaks now, loudest first.
    Speakers(Vec<ParticipantId>),
    /// The terminal is out for good.
    Ended(EndReason),
}

/// What a terminal knows at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Joined, and audio can flow.
    pub connected: bool,
    /// How often it was connected so far.
    pub connections: u32,
    /// Who it is.
    pub participant_id: Option<ParticipantId>,
    /// The relay it is, or was last, attached to.
    pub relay_id: String,
    /// What the meeting is about.
    pub subject: String,
    /// Everybody who is in, by number.
    pub roster: BTreeMap<ParticipantId, Person>,
    /// Who speaks, loudest first.
    pub speakers: Vec<ParticipantId>,
    /// Who spoke, how long.
    pub speaking: BTreeMap<ParticipantId, SpeakingTime>,
    /// Number of the last event.
    pub cursor: u64,
    /// The own microphone is off.
    pub muted: bool,
    /// Out for good, and why.
    pub ended: Option<EndReason>,
    /// What was heard.
    pub hearing: Hearing,
}

impl Snapshot {
    pub(crate) fn joined(&mut self, joined: Joined) {
        self.participant_id = Some(ParticipantId(joined.participant_id));
        self.subject = joined.meeting.map(|meeting| meeting.subject).unwrap_or_default();
        self.take_roster(joined.roster.unwrap_or_default());
    }

    pub(crate) fn take_roster(&mut self, roster: Roster) {
        let people = roster.participants.into_iter().map(Person::from);
        self.roster = people.map(|person| (person.participant_id, person)).collect();
        self.cursor = roster.event_number;
    }

    /// True if it was news.
    pub(crate) fn apply(&mut self, event: &MeetingEvent) -> bool {
        if event.number <= self.cursor {
            return false;
        }
        self.cursor = event.number;
        match &event.body {
            Some(Happened::Joined(joined)) => {
                if let Some(participant) = joined.participant.clone() {
                    let person = Person::from(participant);
                    self.roster.insert(person.participant_id, person);
                }
            }
            Some(Happened::Left(left)) => {
                self.roster.remove(&ParticipantId(left.participant_id));
            }
            Some(Happened::Muted(muted)) => {
                if let Some(person) = self.roster.get_mut(&ParticipantId(muted.participant_id)) {
                    person.muted = muted.muted;
                }
            }
            Some(Happened::MeetingChanged(changed)) => self.subject.clone_from(&changed.subject),
            Some(
                Happened::Ended(_) | Happened::MembersChanged(_) | Happened::AttachmentsChanged(_),
            )
            | None => {}
        }
        true
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
        self.set_speakers(Vec::new(), now);
    }
}

impl From<Participant> for Person {
    fn from(participant: Participant) -> Self {
        Self {
            participant_id: ParticipantId(participant.participant_id),
            display_name: participant.display_name,
            guest: participant.guest,
            relay_id: participant.relay_id,
            relay_name: participant.relay_name,
            muted: participant.muted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_contracts::event::v1::{ParticipantJoined, ParticipantLeft, ParticipantMuted};

    fn event(number: u64, body: Happened) -> MeetingEvent {
        MeetingEvent { number, body: Some(body), ..MeetingEvent::default() }
    }

    fn participant(participant_id: u32) -> Participant {
        Participant { participant_id, ..Participant::default() }
    }

    #[test]
    fn the_roster_follows_events_and_old_ones_change_nothing() {
        let mut snapshot = Snapshot::default();
        snapshot.take_roster(Roster { participants: vec![participant(1)], event_number: 4 });
        let joined = ParticipantJoined { participant: Some(participant(2)) };
        assert!(snapshot.apply(&event(5, Happened::Joined(joined))));
        let muted = ParticipantMuted { participant_id: 2, muted: true };
        assert!(snapshot.apply(&event(6, Happened::Muted(muted))));
        assert!(snapshot.roster[&ParticipantId(2)].muted);
        let left = ParticipantLeft { participant_id: 1, reason: 1 };
        assert!(!snapshot.apply(&event(4, Happened::Left(left))));
        assert!(snapshot.apply(&event(7, Happened::Left(left))));
        assert_eq!(snapshot.roster.keys().copied().collect::<Vec<_>>(), [ParticipantId(2)]);
        assert_eq!(snapshot.cursor, 7);
    }

    #[test]
    fn speaking_times_add_up() {
        let (a, b) = (ParticipantId(1), ParticipantId(2));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut snapshot = Snapshot::default();
        snapshot.set_speakers(vec![a], at(0));
        snapshot.set_speakers(vec![b, a], at(2));
        snapshot.set_speakers(vec![b], at(5));
        snapshot.set_speakers(vec![a], at(6));
        snapshot.lost(at(10));
        let time = |times, seconds| SpeakingTime {
            times,
            total: Duration::from_secs(seconds),
            since: None,
        };
        assert_eq!((snapshot.speaking[&a], snapshot.speaking[&b]), (time(2, 9), time(1, 4)));
    }
}
