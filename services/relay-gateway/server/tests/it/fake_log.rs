//! A meeting's numbered log as the fake registry keeps it, and who is in by it.

use std::collections::{BTreeMap, HashMap};

use tributary_contracts::{
    event::v1::{
        Audience, Cause, LeaveReason, MeetingEvent, MeetingState, Participant, ParticipantJoined,
        ParticipantLeft, Presence, Talk, meeting_event::Body,
    },
    operation::v1::OfflineReason,
    registry::v1::{GetRosterResponse, JoinRequest, LeaveRequest},
};

/// The longest page, as the registry has it.
const PAGE: usize = 500;

pub struct Log {
    meeting_id: String,
    /// Newcomers wait.
    pub lobby: bool,
    /// Events up to this one are not there any more.
    pub forgotten: u64,
    events: Vec<MeetingEvent>,
    participants: BTreeMap<u32, Participant>,
    talks: BTreeMap<u32, Vec<u32>>,
    ids: HashMap<(String, String), u32>,
}

/// Who is told.
pub fn only(ids: &[u32]) -> Option<Audience> {
    Some(Audience { participant_ids: ids.to_vec(), ..Audience::default() })
}

pub fn hosts_and(ids: &[u32]) -> Option<Audience> {
    Some(Audience { participant_ids: ids.to_vec(), hosts: true, ..Audience::default() })
}

impl Log {
    pub fn new(meeting_id: &str) -> Self {
        Self {
            meeting_id: meeting_id.to_owned(),
            lobby: false,
            forgotten: 0,
            events: Vec::new(),
            participants: BTreeMap::new(),
            talks: BTreeMap::new(),
            ids: HashMap::new(),
        }
    }

    pub fn participant(&self, id: u32) -> Participant {
        self.participants[&id].clone()
    }

    /// Adds the next event.
    pub fn add(
        &mut self,
        body: Body,
        audience: Option<Audience>,
        cause: Option<Cause>,
    ) -> MeetingEvent {
        match &body {
            Body::Joined(joined) => {
                let participant = joined.participant.clone().unwrap();
                self.participants.insert(participant.participant_id, participant);
            }
            Body::Left(left) => {
                self.participants.remove(&left.participant_id);
            }
            Body::Muted(muted) => {
                self.participants.get_mut(&muted.participant_id).unwrap().muted = muted.muted;
            }
            Body::HostChanged(changed) => {
                self.participants.get_mut(&changed.participant_id).unwrap().host = changed.host;
            }
            Body::TalkChanged(changed) => {
                self.talks.insert(changed.participant_id, changed.target_ids.clone());
            }
            _ => {}
        }
        let event = MeetingEvent {
            organisation: "default".into(),
            meeting_id: self.meeting_id.clone(),
            number: self.events.len() as u64 + 1,
            at: self.now(),
            cause,
            audience,
            body: Some(body),
        };
        self.events.push(event.clone());
        event
    }

    pub fn join(&mut self, request: JoinRequest) -> Participant {
        let next = self.ids.len() as u32 + 1;
        let key = (request.user_id.clone(), request.key_thumbprint);
        let is_new = !self.ids.contains_key(&key);
        let participant_id = *self.ids.entry(key).or_insert(next);
        let before = self.participants.get(&participant_id);
        let was_waiting = before.is_some_and(|p| p.presence() == Presence::Waiting);
        let (presence, reason) = if (self.lobby && is_new) || was_waiting {
            (Presence::Waiting, OfflineReason::Unspecified)
        } else if request.held {
            (Presence::Offline, OfflineReason::OtherMeeting)
        } else {
            (Presence::Online, OfflineReason::Unspecified)
        };
        let participant = Participant {
            participant_id,
            host: before.map_or(request.user_id == "ada", |before| before.host),
            user_id: request.user_id,
            display_name: request.display_name,
            relay_id: request.relay_id,
            relay_name: request.relay_name,
            relay_depth: request.relay_depth,
            relay_path: request.relay_path,
            core_relay_id: request.core_relay_id,
            muted: request.muted,
            presence: presence.into(),
            offline_reason: reason.into(),
            ..Participant::default()
        };
        let joined = ParticipantJoined { participant: Some(participant.clone()) };
        let waits = presence == Presence::Waiting;
        let audience = if waits { hosts_and(&[participant_id]) } else { None };
        self.add(Body::Joined(joined), audience, None);
        participant
    }

    /// Who waits is let in.
    pub fn admit(&mut self, participant_id: u32, by: u32) -> MeetingEvent {
        let cause = Cause { participant_id: by, operation_id: "admit".into() };
        self.let_in(participant_id, Some(cause))
    }

    /// The same, by an answer or because nobody waits any more.
    pub fn let_in(&mut self, participant_id: u32, cause: Option<Cause>) -> MeetingEvent {
        let presence = Presence::Online.into();
        let joined_at = self.now();
        let participant = Participant { presence, joined_at, ..self.participant(participant_id) };
        let joined = ParticipantJoined { participant: Some(participant) };
        self.add(Body::Joined(joined), None, cause)
    }

    /// When the next event is.
    fn now(&self) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds: self.events.len() as i64 + 1, nanos: 0 })
    }

    pub fn leave(&mut self, request: &LeaveRequest) {
        let participant_id = request.participant_id;
        if self.participants.contains_key(&participant_id) {
            let left =
                ParticipantLeft { participant_id, reason: request.reason, last_seen_at: None };
            self.add(Body::Left(left), None, None);
        }
    }

    pub fn roster(&self) -> GetRosterResponse {
        let talk = |(talker, targets): (&u32, &Vec<u32>)| Talk {
            participant_id: *talker,
            target_ids: targets.clone(),
        };
        GetRosterResponse {
            participants: self.participants.values().cloned().collect(),
            event_number: self.events.len() as u64,
            state: Some(MeetingState::default()),
            talks: self.talks.iter().filter(|(_, targets)| !targets.is_empty()).map(talk).collect(),
        }
    }

    pub fn after(&self, cursor: u64) -> Vec<MeetingEvent> {
        let after = usize::try_from(cursor.max(self.forgotten)).unwrap();
        self.events.iter().skip(after).take(PAGE).cloned().collect()
    }
}

pub fn left(participant_id: u32, reason: LeaveReason) -> Body {
    Body::Left(ParticipantLeft { participant_id, reason: reason.into(), last_seen_at: None })
}
