//! Who is behind a relay that can't be reached for a while: shown as away, and still in.

use super::{State, joining::audience_of};
use crate::{Event, Happening, Refusal, SetReachable, UnixMillis};

impl State {
    pub(super) fn set_reachable(
        &mut self,
        set: &SetReachable,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(nobody) = set.participants.iter().copied().find(|id| !self.has_been(*id)) {
            return Err(Refusal::UnknownParticipant(nobody));
        }
        let mut events = Vec::new();
        for id in &set.participants {
            let Some(present) = self.participants.get_mut(id) else { continue };
            let known = present.participant.unreachable != set.reachable;
            if known || present.relay_session != set.relay_session {
                continue;
            }
            present.set_reachable(set.reachable);
            let audience = audience_of(&present.participant);
            let changed = Happening::PresenceChanged {
                participant: *id,
                presence: present.participant.presence,
                unreachable: present.participant.unreachable,
            };
            events.push(self.tell(audience, changed, now));
        }
        Ok(events)
    }
}
