//! Meetings and their logs, as far as a stub has them: each operation once, each with one answer.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost::Message as _;
use tributary_contracts::{
    event::v1::{
        Audience, Cause, ChatMessage, HandChanged, MeetingEvent, OperationDone, OperationRefusal,
        OperationRefused, Participant, ParticipantMuted, Presence, PresenceChanged, TalkChanged,
        meeting_event::Body as Happened,
    },
    operation::v1::{Operation, SignedOperation, operation::Body},
    registry::v1,
    terminal::v1::{Join, Joined, RefusalCode, Roster, relay_message::Body as Reply},
};
use tributary_identifiers::MeetingId;
use tributary_join_credential::{verify_join_proof, verify_operation};

use super::{Guest, NONCE, Seat, Shared, refusal};

/// A meeting.
#[derive(Default)]
pub struct Meeting {
    id: String,
    /// By key.
    participants: HashMap<Vec<u8>, u32>,
    log: Vec<MeetingEvent>,
    /// Ids of operations that were carried out.
    known: HashSet<String>,
    kept: Vec<Operation>,
    /// Who talks to whom alone.
    pub talks: BTreeMap<u32, Vec<u32>>,
    muted: HashMap<u32, bool>,
}

impl Meeting {
    pub fn number(&self) -> u64 {
        self.log.len() as u64
    }

    /// The events after one that concern a participant.
    pub fn since(&self, after: u64, me: u32) -> Vec<MeetingEvent> {
        let is_for_me = |event: &&MeetingEvent| {
            let audience = event.audience.as_ref();
            event.number > after
                && audience.is_none_or(|audience| audience.participant_ids.contains(&me))
        };
        self.log.iter().filter(is_for_me).cloned().collect()
    }

    pub fn happen(&mut self, body: Happened) {
        self.append(body, None, None);
    }

    fn append(&mut self, body: Happened, cause: Option<Cause>, to: Option<Vec<u32>>) {
        self.log.push(MeetingEvent {
            meeting_id: self.id.clone(),
            number: self.number() + 1,
            cause,
            audience: to.map(|participant_ids| Audience { participant_ids, ..Audience::default() }),
            body: Some(body),
            ..MeetingEvent::default()
        });
    }

    pub fn keep(&mut self, operation: Operation) {
        self.kept.push(operation);
    }

    pub fn carry_out_kept(&mut self) {
        for operation in std::mem::take(&mut self.kept) {
            self.carry_out(operation);
        }
    }

    /// What comes again does nothing.
    pub fn carry_out(&mut self, operation: Operation) {
        let Operation { operation_id, participant_id: me, body, .. } = operation;
        if !self.known.insert(operation_id.clone()) {
            return;
        }
        let cause = Some(Cause { participant_id: me, operation_id });
        let done = || (Happened::OperationDone(OperationDone {}), Some(vec![me]));
        let (body, to) = match body.unwrap() {
            Body::SetMuted(set) => {
                if self.muted.insert(me, set.muted) == Some(set.muted) {
                    done()
                } else {
                    let (participant_id, muted, by_participant_id) = (me, set.muted, 0);
                    let muted = ParticipantMuted { participant_id, muted, by_participant_id };
                    (Happened::Muted(muted), None)
                }
            }
            Body::SetHand(set) => {
                let (participant_id, raised, by_participant_id) = (me, set.raised, 0);
                let hand = HandChanged { participant_id, raised, by_participant_id };
                (Happened::HandChanged(hand), None)
            }
            Body::SendChat(chat) => {
                let to_participant_ids = chat.to_participant_ids;
                let message = ChatMessage {
                    participant_id: me,
                    text: chat.text,
                    to_participant_ids,
                    ..ChatMessage::default()
                };
                (Happened::ChatMessage(message), None)
            }
            Body::SetPresence(set) => {
                let presence = Presence::try_from(set.presence).unwrap();
                let (participant_id, presence, reason) = (me, presence.into(), set.reason);
                let changed = PresenceChanged {
                    participant_id,
                    presence,
                    reason,
                    ..PresenceChanged::default()
                };
                (Happened::PresenceChanged(changed), None)
            }
            Body::TalkTo(talk) => {
                let before = self.talks.insert(me, talk.participant_ids.clone());
                let to = [vec![me], talk.participant_ids.clone(), before.unwrap_or_default()];
                let (participant_id, target_ids) = (me, talk.participant_ids);
                let changed = TalkChanged { participant_id, target_ids };
                (Happened::TalkChanged(changed), Some(to.concat()))
            }
            Body::End(_) => {
                let (reason, message) = (OperationRefusal::NotHost.into(), "not a host".into());
                let refused = OperationRefused { reason, message };
                (Happened::OperationRefused(refused), Some(vec![me]))
            }
            _ => done(),
        };
        self.append(body, cause, to);
    }

    fn roster(&self) -> Roster {
        let participant = |id: &u32| Participant {
            participant_id: *id,
            display_name: format!("Participant {id}"),
            muted: self.muted.get(id).copied().unwrap_or_default(),
            ..Participant::default()
        };
        let participants = self.participants.values().map(participant).collect();
        Roster { participants, event_number: self.number(), ..Roster::default() }
    }
}

/// What a signed operation says, if it is signed by its key.
pub fn verified(signed: &SignedOperation) -> Option<Operation> {
    let SignedOperation { envelope, public_key, signature } = signed;
    verify_operation(public_key, envelope, signature).ok()?;
    Operation::decode(envelope.as_slice()).ok()
}

impl Shared {
    pub(super) fn join(&self, join: Join, guest: &mut Guest) -> Reply {
        let credential = &join.join_credential;
        if verify_join_proof(&join.public_key, &NONCE, credential, &join.proof).is_err() {
            return refusal(RefusalCode::BadCredential);
        }
        let meeting_id: MeetingId = join.meeting_id.parse().unwrap();
        assert!(join.held || guest.live().is_none(), "live in two meetings");
        assert!(!join.session_id.is_empty());
        let mut state = self.state.lock().unwrap();
        state.joins.push(join.clone());
        let waiting = state.lobby;
        let meeting = state.meetings.entry(meeting_id).or_default();
        meeting.id = meeting_id.to_string();
        let next = u32::try_from(meeting.participants.len()).unwrap() + 1;
        let me = *meeting.participants.entry(join.public_key).or_insert(next);
        meeting.muted.insert(me, join.muted);
        let resumes = join.cursor > 0;
        let told = if resumes { join.cursor } else { meeting.number() };
        guest.seats.insert(meeting_id, Seat { me, told, held: join.held });
        guest.note_place();
        Reply::Joined(Joined {
            participant_id: me,
            meeting: Some(v1::Meeting { subject: "Tests".into(), ..v1::Meeting::default() }),
            roster: (!resumes && !waiting).then(|| meeting.roster()),
            waiting,
        })
    }
}
