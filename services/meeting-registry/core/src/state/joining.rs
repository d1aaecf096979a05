//! Who comes in, waits in the lobby, comes back, leaves and is lost.

use std::collections::BTreeSet;

use tributary_identifiers::{KeyThumbprint, ParticipantId, RelaySessionId, UserId};

use super::{PARTICIPANTS_MAX, State, WAITING_MAX};
use crate::{
    Audience, Event, Happening, Join, Leave, LeaveReason, OfflineReason, Participant, Presence,
    Present, Refusal, UnixMillis,
};

/// A participant leaves.
struct Leaving {
    id: ParticipantId,
    reason: LeaveReason,
    /// How long ago it was last there, in ms.
    silent: UnixMillis,
}

impl State {
    pub(super) fn join(&mut self, join: Join, now: UnixMillis) -> Result<Vec<Event>, Refusal> {
        if self.meeting.ended_at.is_some() {
            return Err(Refusal::Ended);
        }
        if self.removed.contains(&join.user_id) {
            return Err(Refusal::Removed);
        }
        let listed_host = self.members.get(&join.user_id).is_some_and(|role| role.manages());
        let known = self.with_key(&join.key).cloned();
        match known {
            Some(known) if known.participant.user_id == join.user_id => {
                Ok(self.come_back(known, join, listed_host, now))
            }
            // A participant is one user: another user at the same terminal is another participant.
            other => {
                let returning = self.gone_with(&join.key, &join.user_id).cloned();
                let was_in = returning.as_ref().is_some_and(|one| one.admitted);
                let host = returning.as_ref().map_or(listed_host, |one| one.host_now(listed_host));
                if self.floor.locked && !was_in && !host {
                    return Err(Refusal::Locked);
                }
                let outsider = !self.members.contains_key(&join.user_id);
                let waits = self.meeting.lobby && outsider && !was_in && !host;
                self.check_room(waits, other.as_ref())?;
                let id = match &returning {
                    Some(returning) => returning.participant.id,
                    None => self.next_participant_id()?,
                };
                let mut events = Vec::new();
                if let Some(other) = other {
                    let id = other.participant.id;
                    let leaving = Leaving { id, reason: LeaveReason::Left, silent: 0 };
                    events.extend(self.remove(&leaving, now));
                }
                let mut present = join.present(id, now);
                if let Some(returning) = returning {
                    present.keep(returning);
                }
                (present.participant.host, present.listed_host) = (host, listed_host);
                if waits {
                    present.choose(Presence::Waiting);
                }
                present.admitted = !waits;
                events.push(self.come_in(present, now));
                Ok(events)
            }
        }
    }

    /// Who waits takes no place of those who are in, so that guests can't keep members out.
    /// `leaving` makes room for who comes.
    fn check_room(&self, waits: bool, leaving: Option<&Present>) -> Result<(), Refusal> {
        let left = u32::from(leaving.is_some_and(|one| one.waits() == waits));
        if waits {
            let waiting = self.counters.waiting.saturating_sub(left);
            return if waiting < WAITING_MAX { Ok(()) } else { Err(Refusal::LobbyFull) };
        }
        let places = self.in_and_not_waiting().saturating_sub(left);
        if places < PARTICIPANTS_MAX { Ok(()) } else { Err(Refusal::Full) }
    }

    const fn in_and_not_waiting(&self) -> u32 {
        self.counters.present.saturating_sub(self.counters.waiting)
    }

    /// Whether there is a place for one more who is in.
    pub(super) const fn has_room(&self) -> bool {
        self.in_and_not_waiting() < PARTICIPANTS_MAX
    }

    /// The next id; the last number is never given out, so that there always is a next.
    const fn next_participant_id(&self) -> Result<ParticipantId, Refusal> {
        match self.counters.next_participant {
            u32::MAX => Err(Refusal::Full),
            id => Ok(ParticipantId(id)),
        }
    }

    /// Who was in as this user with this key; of several, from before ids were kept for ever, the
    /// last.
    fn gone_with(&self, key: &KeyThumbprint, user: &UserId) -> Option<&Present> {
        let theirs = |one: &&Present| one.key == *key && one.participant.user_id == *user;
        self.gone.values().rev().find(theirs)
    }

    fn come_in(&mut self, present: Present, now: UnixMillis) -> Event {
        let id = present.participant.id;
        if self.gone.remove(&id).is_none() {
            self.counters.next_participant += 1;
        }
        self.counters.present += 1;
        self.counters.waiting += u32::from(present.waits());
        self.put(present, now)
    }

    /// Somebody is in as from now on; those in the lobby are hosts' business only.
    fn put(&mut self, present: Present, now: UnixMillis) -> Event {
        let participant = present.participant.clone();
        let audience = audience_of(&participant);
        self.participants.insert(participant.id, present);
        self.tell(audience, Happening::Joined(participant), now)
    }

    /// Somebody who is in comes again: under another relay, after a reload, or just once more.
    fn come_back(
        &mut self,
        known: Present,
        join: Join,
        listed_host: bool,
        now: UnixMillis,
    ) -> Vec<Event> {
        let before = known.clone();
        let same_run = known.session == join.session;
        let same_place = same_run && known.relay_session == join.relay_session;
        let mut present = join.present(known.participant.id, now);
        let held = present.held;
        let (was, host) = (known.chosen, known.host_now(listed_host));
        (present.participant.hand_raised, present.admitted) =
            (known.participant.hand_raised, known.admitted);
        if same_place {
            present.talk.clone_from(&known.talk);
        }
        present.keep(known);
        (present.participant.host, present.listed_host) = (host, listed_host);
        present.choose(match was {
            Presence::Waiting => Presence::Waiting,
            _ if held => Presence::Offline(OfflineReason::OtherMeeting),
            Presence::Away | Presence::Offline(OfflineReason::Interrupted) if same_run => was,
            _ => Presence::Online,
        });
        if held && !present.talk.is_empty() {
            present.talk = BTreeSet::new();
        }
        if present == before {
            return Vec::new();
        }
        let mut events = Vec::new();
        if present.talk != before.talk {
            events.extend(self.end_talk(before.participant.id, now));
        }
        events.push(self.put(present, now));
        events
    }

    /// Lets somebody in who waits; `None` if they do not, or there is no room: they go on waiting.
    pub(super) fn let_in(&mut self, id: ParticipantId, now: UnixMillis) -> Option<Event> {
        if !self.has_room() {
            return None;
        }
        let present = self.participants.get_mut(&id)?;
        if present.chosen != Presence::Waiting {
            return None;
        }
        present.choose(Presence::coming(present.held));
        present.participant.joined_at = now;
        present.admitted = true;
        let participant = present.participant.clone();
        self.counters.waiting = self.counters.waiting.saturating_sub(1);
        Some(self.happen(Happening::Joined(participant), now))
    }

    pub(super) fn leave(&mut self, leave: &Leave, now: UnixMillis) -> Result<Vec<Event>, Refusal> {
        let Leave { participant: id, reason, silent, .. } = *leave;
        match self.participants.get(&id) {
            Some(present) if present.relay_session == leave.relay_session => {
                Ok(self.remove(&Leaving { id, reason, silent }, now))
            }
            None if !self.has_been(id) => Err(Refusal::UnknownParticipant(id)),
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn end(&mut self, now: UnixMillis) -> Vec<Event> {
        if self.meeting.ended_at.is_some() {
            return Vec::new();
        }
        // Private talk and the spotlight end with who leaves; at the end nobody is told that too.
        let everybody = self.ids_of(|_| true);
        let mut events: Vec<_> = everybody
            .into_iter()
            .filter_map(|id| {
                self.take_out(&Leaving { id, reason: LeaveReason::MeetingEnded, silent: 0 }, now)
            })
            .collect();
        self.floor.spotlight = None;
        self.meeting.ended_at = Some(now);
        self.meeting.invites_at = None;
        events.push(self.happen(Happening::Ended, now));
        events
    }

    pub(super) fn lose_relay(
        &mut self,
        relay_session: &RelaySessionId,
        silent: UnixMillis,
        now: UnixMillis,
    ) -> Vec<Event> {
        let reason = LeaveReason::RelayLost;
        self.ids_of(|one| one.relay_session == *relay_session)
            .into_iter()
            .flat_map(|id| self.remove(&Leaving { id, reason, silent }, now))
            .collect()
    }

    /// Takes somebody out at once, for a reason of the hosts.
    pub(super) fn send_away(
        &mut self,
        id: ParticipantId,
        reason: LeaveReason,
        now: UnixMillis,
    ) -> Vec<Event> {
        self.remove(&Leaving { id, reason, silent: 0 }, now)
    }

    /// Takes somebody out, with the private talk and the spotlight.
    fn remove(&mut self, leaving: &Leaving, now: UnixMillis) -> Vec<Event> {
        let mut events: Vec<_> = self.end_talk(leaving.id, now).into_iter().collect();
        events.extend(self.take_out(leaving, now));
        if self.floor.spotlight == Some(leaving.id) {
            self.floor.spotlight = None;
            let nobody = Happening::SpotlightChanged { participant: None };
            events.push(self.happen(nobody, now));
        }
        events
    }

    fn take_out(&mut self, leaving: &Leaving, now: UnixMillis) -> Option<Event> {
        let Leaving { id, reason, silent } = *leaving;
        let mut present = self.participants.remove(&id)?;
        self.counters.present = self.counters.present.saturating_sub(1);
        let waited = u32::from(present.waits());
        self.counters.waiting = self.counters.waiting.saturating_sub(waited);
        let audience = audience_of(&present.participant);
        let last_seen_at = now.saturating_sub(silent).max(present.participant.joined_at);
        let last_seen_at = (silent > 0).then_some(last_seen_at);
        present.participant.hand_raised = 0;
        present.talk = BTreeSet::new();
        present.set_reachable(true);
        self.gone.insert(id, present);
        let left = Happening::Left { participant: id, reason, last_seen_at };
        Some(self.tell(audience, left, now))
    }

    /// Ends somebody's private talk; `None` if there is none.
    pub(super) fn end_talk(&mut self, id: ParticipantId, now: UnixMillis) -> Option<Event> {
        let present = self.participants.get_mut(&id)?;
        let before = std::mem::take(&mut present.talk);
        if before.is_empty() {
            return None;
        }
        let audience = Audience::of(before.into_iter().chain([id]));
        let talk = Happening::TalkChanged { participant: id, targets: BTreeSet::new() };
        Some(self.tell(Some(audience), talk, now))
    }

    /// The ids of some of those who are in.
    pub(super) fn ids_of(&self, which: impl Fn(&Present) -> bool) -> Vec<ParticipantId> {
        let some = self.participants.values().filter(|present| which(present));
        some.map(|present| present.participant.id).collect()
    }
}

/// Who is told that somebody comes or goes: of those in the lobby only hosts and themselves.
pub(super) fn audience_of(participant: &Participant) -> Option<Audience> {
    (participant.presence == Presence::Waiting)
        .then(|| Audience { hosts: true, ..Audience::of([participant.id]) })
}

impl Presence {
    const fn coming(held: bool) -> Self {
        if held { Self::Offline(OfflineReason::OtherMeeting) } else { Self::Online }
    }
}

impl Present {
    /// Whether it waits in the lobby.
    fn waits(&self) -> bool {
        self.participant.presence == Presence::Waiting
    }

    /// Whether it is a host now: what it was, unless the member list says something new.
    const fn host_now(&self, listed_host: bool) -> bool {
        if self.listed_host == listed_host { self.participant.host } else { listed_host }
    }

    /// Keeps what stays with a participant for ever.
    fn keep(&mut self, before: Self) {
        let known = before.participant;
        self.participant.joined_at = known.joined_at;
        self.participant.checked_in_at = known.checked_in_at;
        if self.session == before.session {
            self.last_sequence = before.last_sequence;
            // A host may have muted it while it was away: in one session only its own operation
            // unmutes it.
            self.participant.muted |= known.muted;
        }
        if before.renamed {
            self.participant.display_name = known.display_name;
            self.renamed = true;
        }
    }
}

impl Join {
    fn present(self, id: ParticipantId, joined_at: UnixMillis) -> Present {
        let participant = Participant {
            id,
            user_id: self.user_id,
            display_name: self.display_name,
            guest: self.guest,
            relay_id: self.relay_id,
            relay_name: self.relay_name,
            relay_depth: self.relay_depth,
            relay_path: self.relay_path,
            core_relay: self.core_relay,
            relay_itself: self.relay_itself,
            muted: self.muted,
            joined_at,
            presence: Presence::coming(self.held),
            unreachable: false,
            hand_raised: 0,
            checked_in_at: None,
            host: false,
        };
        Present {
            participant,
            chosen: Presence::coming(self.held),
            key: self.key,
            relay_session: self.relay_session,
            session: self.session,
            last_sequence: 0,
            talk: BTreeSet::new(),
            listed_host: false,
            held: self.held,
            admitted: true,
            renamed: false,
        }
    }
}
