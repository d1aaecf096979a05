//! What hosts may do.

use tributary_identifiers::ParticipantId;

use super::{State, acting::Acted};
use crate::{
    Act, Audience, Happening, LeaveReason, OperationRefusal as Why, Presence, Present, Refused,
    UnixMillis,
};

impl State {
    pub(super) fn host_act(&mut self, host: &Present, act: &Act, now: UnixMillis) -> Acted {
        let by = host.participant.id;
        match *act {
            Act::MuteParticipant(id) => {
                let target = self.find_in(id)?.clone();
                self.mute(&target, true, Some(by), now)
            }
            Act::AskToUnmute(id) => self.ask_to_unmute(id, by, now),
            Act::RemoveParticipant(id) => self.remove_user(host, id, now),
            Act::SetLocked(locked) => self.set_locked(locked, now),
            Act::AnswerLobby { participant, admitted } => {
                self.answer_lobby(participant, admitted, now)
            }
            Act::SetHost { participant, host } => self.set_host(participant, host, now),
            Act::SetSpotlight(participant) => self.set_spotlight(participant, now),
            Act::LowerHand(participant) => self.lower_hands(participant, by, now),
            Act::End => Ok(self.end(now)),
            _ => Err(Refused(Why::Unsupported, "this kind is not known here")),
        }
    }

    fn ask_to_unmute(&mut self, id: ParticipantId, by: ParticipantId, now: UnixMillis) -> Acted {
        if !self.find_in(id)?.participant.muted {
            return Ok(Vec::new());
        }
        let asked = Happening::AskedToUnmute { participant: id, by };
        Ok(vec![self.tell(Some(Audience::of([id, by])), asked, now)])
    }

    /// Takes a user out, with all their terminals and their place on the member list: a host of the
    /// list could put themselves on it again.
    fn remove_user(&mut self, host: &Present, id: ParticipantId, now: UnixMillis) -> Acted {
        let user = self.find_place(id)?.participant.user_id.clone();
        if user == self.meeting.organiser {
            return Err(Refused(Why::NotPossible, "the organiser can't be taken out"));
        }
        if user == host.participant.user_id {
            return Err(Refused(Why::NotPossible, "nobody can take themselves out; leave instead"));
        }
        let mut events = Vec::new();
        for id in self.ids_of(|one| one.participant.user_id == user) {
            events.extend(self.send_away(id, LeaveReason::Removed, now));
        }
        if self.members.contains_key(&user) {
            events.push(self.unlist([user.clone()].into(), now));
        }
        self.removed.insert(user);
        Ok(events)
    }

    fn set_locked(&mut self, locked: bool, now: UnixMillis) -> Acted {
        if self.floor.locked == locked {
            return Ok(Vec::new());
        }
        self.floor.locked = locked;
        Ok(vec![self.happen(Happening::LockChanged { locked }, now)])
    }

    fn answer_lobby(&mut self, id: ParticipantId, admitted: bool, now: UnixMillis) -> Acted {
        // Two hosts may have answered at once: who is in already was let in.
        if self.find_place(id)?.participant.presence != Presence::Waiting {
            return if admitted {
                Ok(Vec::new())
            } else {
                Err(Refused(Why::NotPossible, "that participant is in already"))
            };
        }
        if admitted {
            if !self.has_room() {
                return Err(Refused(Why::NotPossible, "the meeting is full"));
            }
            return Ok(self.let_in(id, now).into_iter().collect());
        }
        Ok(self.send_away(id, LeaveReason::NotAdmitted, now))
    }

    fn set_host(&mut self, id: ParticipantId, host: bool, now: UnixMillis) -> Acted {
        let target = self.find_in(id)?;
        if target.participant.host == host {
            return Ok(Vec::new());
        }
        if target.participant.user_id == self.meeting.organiser {
            return Err(Refused(Why::NotPossible, "the organiser stays host"));
        }
        self.change(id, |present| present.participant.host = host);
        Ok(vec![self.happen(Happening::HostChanged { participant: id, host }, now)])
    }

    fn set_spotlight(&mut self, participant: Option<ParticipantId>, now: UnixMillis) -> Acted {
        if let Some(id) = participant {
            self.find_in(id)?;
        }
        if self.floor.spotlight == participant {
            return Ok(Vec::new());
        }
        self.floor.spotlight = participant;
        Ok(vec![self.happen(Happening::SpotlightChanged { participant }, now)])
    }

    fn lower_hands(
        &mut self,
        participant: Option<ParticipantId>,
        by: ParticipantId,
        now: UnixMillis,
    ) -> Acted {
        let raised = match participant {
            Some(id) if self.find_in(id)?.participant.hand_raised == 0 => Vec::new(),
            Some(id) => vec![id],
            None => self.ids_of(|one| one.participant.hand_raised > 0),
        };
        Ok(raised.into_iter().map(|id| self.move_hand(id, false, Some(by), now)).collect())
    }
}
