//! What everybody may do: the own microphone, hand, presence and name, checking in, writing, and
//! talking to some only.

use std::collections::BTreeSet;

use tributary_identifiers::ParticipantId;

use super::State;
use crate::{
    Audience, ChatMessage, ChatText, DisplayName, Event, Happening, OperationRefusal as Why,
    Presence, Present, Refused, TARGETS_MAX, UnixMillis,
};

/// What an act has caused, or why it is refused.
pub(super) type Acted = Result<Vec<Event>, Refused>;

impl State {
    /// Somebody's microphone, by themselves or by a host.
    pub(super) fn mute(
        &mut self,
        who: &Present,
        muted: bool,
        by: Option<ParticipantId>,
        now: UnixMillis,
    ) -> Acted {
        let id = who.participant.id;
        if who.participant.muted == muted {
            return Ok(Vec::new());
        }
        self.change(id, |present| present.participant.muted = muted);
        Ok(vec![self.happen(Happening::Muted { participant: id, muted, by }, now)])
    }

    pub(super) fn set_hand(&mut self, actor: &Present, raised: bool, now: UnixMillis) -> Acted {
        let id = actor.participant.id;
        if (actor.participant.hand_raised > 0) == raised {
            return Ok(Vec::new());
        }
        Ok(vec![self.move_hand(id, raised, None, now)])
    }

    /// Raises or lowers a hand; hands are in the order of the events by which they were raised.
    pub(super) fn move_hand(
        &mut self,
        id: ParticipantId,
        raised: bool,
        by: Option<ParticipantId>,
        now: UnixMillis,
    ) -> Event {
        let event = self.happen(Happening::HandChanged { participant: id, raised, by }, now);
        let hand_raised = if raised { event.number } else { 0 };
        self.change(id, |present| present.participant.hand_raised = hand_raised);
        event
    }

    pub(super) fn check_in(&mut self, actor: &Present, now: UnixMillis) -> Acted {
        let id = actor.participant.id;
        self.change(id, |present| present.participant.checked_in_at = Some(now));
        Ok(vec![self.happen(Happening::CheckedIn { participant: id }, now)])
    }

    pub(super) fn send_chat(
        &mut self,
        actor: &Present,
        text: &str,
        to: &[ParticipantId],
        now: UnixMillis,
    ) -> Acted {
        let invalid = "a message must be 1 to 4,000 characters, without control characters";
        let text: ChatText = text.parse().map_err(|_| Refused(Why::Invalid, invalid))?;
        let from = actor.participant.id;
        let to = targets(from, to)?;
        for id in &to {
            // Who has left finds it when they come back.
            let reachable = self.place(*id).is_some_and(|place| place.admitted);
            if !self.has_been(*id) {
                return Err(Refused(Why::Invalid, "there is no participant of that number"));
            }
            if !reachable {
                return Err(Refused(
                    Why::NotPossible,
                    "who waits in the lobby can't be written to",
                ));
            }
        }
        let audience = (!to.is_empty()).then(|| Audience::of(to.iter().copied().chain([from])));
        let name = actor.participant.display_name.clone();
        let message = Happening::ChatMessage(ChatMessage { from, name, text, to });
        Ok(vec![self.tell(audience, message, now)])
    }

    pub(super) fn set_presence(
        &mut self,
        actor: &Present,
        presence: Presence,
        now: UnixMillis,
    ) -> Acted {
        let id = actor.participant.id;
        if presence == Presence::Waiting {
            return Err(Refused(Why::Invalid, "nobody goes into the lobby by choice"));
        }
        if actor.chosen == presence {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        if matches!(presence, Presence::Offline(_)) {
            events.extend(self.end_talk(id, now));
        }
        self.change(id, |present| present.choose(presence));
        // Also if it is shown as before, because it can't be reached: what it has chosen is another.
        let unreachable = actor.participant.unreachable;
        let presence = presence.shown(unreachable);
        let changed = Happening::PresenceChanged { participant: id, presence, unreachable };
        events.push(self.happen(changed, now));
        Ok(events)
    }

    /// Told again even if the targets are the same: a relay that has forgotten them puts them in
    /// force again by it.
    pub(super) fn talk_to(
        &mut self,
        actor: &Present,
        to: &[ParticipantId],
        now: UnixMillis,
    ) -> Acted {
        let id = actor.participant.id;
        let to = targets(id, to)?;
        if to.is_empty() && actor.talk.is_empty() {
            return Ok(Vec::new());
        }
        if !to.is_empty() && matches!(actor.participant.presence, Presence::Offline(_)) {
            return Err(Refused(Why::NotPossible, "who is offline can't talk; be online first"));
        }
        for target in &to {
            self.find_in(*target)?;
        }
        let told = to.iter().chain(&actor.talk).copied().chain([id]);
        let audience = Audience::of(told);
        self.change(id, |present| present.talk.clone_from(&to));
        let talk = Happening::TalkChanged { participant: id, targets: to };
        Ok(vec![self.tell(Some(audience), talk, now)])
    }

    pub(super) fn set_name(&mut self, actor: &Present, name: &str, now: UnixMillis) -> Acted {
        let id = actor.participant.id;
        let invalid = "a name must be 1 to 64 characters, without control characters";
        let name: DisplayName = name.parse().map_err(|_| Refused(Why::Invalid, invalid))?;
        if actor.participant.display_name == name {
            return Ok(Vec::new());
        }
        self.change(id, |present| {
            present.participant.display_name = name.clone();
            present.renamed = true;
        });
        Ok(vec![self.happen(Happening::NameChanged { participant: id, name }, now)])
    }

    /// One who is in and not in the lobby.
    pub(super) fn find_in(&self, id: ParticipantId) -> Result<&Present, Refused> {
        let present = self.find_place(id)?;
        if present.participant.presence == Presence::Waiting {
            return Err(Refused(Why::NotPossible, "that participant waits in the lobby"));
        }
        Ok(present)
    }

    /// One who is in, or in the lobby.
    pub(super) fn find_place(&self, id: ParticipantId) -> Result<&Present, Refused> {
        match self.participants.get(&id) {
            Some(present) => Ok(present),
            None if self.has_been(id) => {
                Err(Refused(Why::NotPossible, "that participant has left"))
            }
            None => Err(Refused(Why::Invalid, "there is no participant of that number")),
        }
    }

    pub(super) fn change(&mut self, id: ParticipantId, how: impl FnOnce(&mut Present)) {
        if let Some(present) = self.participants.get_mut(&id) {
            how(present);
        }
    }
}

/// Whom an operation names, each once.
fn targets(
    actor: ParticipantId,
    named: &[ParticipantId],
) -> Result<BTreeSet<ParticipantId>, Refused> {
    if named.len() > TARGETS_MAX {
        return Err(Refused(Why::Invalid, "at most 32 participants can be named"));
    }
    if named.contains(&actor) {
        return Err(Refused(Why::Invalid, "nobody can name themselves"));
    }
    Ok(named.iter().copied().collect())
}
