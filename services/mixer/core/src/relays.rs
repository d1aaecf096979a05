//! Who is behind which relay, by what the relays say, and whether they send too much.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tributary_identifiers::{ParticipantId, RelayId};

use crate::media::Sources;

/// The most relays in a meeting.
pub const RELAYS_MAX: usize = 4096;
/// The most participants behind one relay.
pub const PARTICIPANTS_PER_RELAY_MAX: usize = 8192;
/// A relay that says nothing for this long is gone; it speaks once a second.
pub const RELAY_SILENCE_MAX: Duration = Duration::from_secs(5);
/// The most frames of a participant that are looked at in a second: twice as many as frames of
/// 10 ms are.
pub const FRAMES_PER_SECOND_MAX: u32 = 200;

/// The relays of a meeting.
#[derive(Debug, Default)]
pub struct Relays {
    relays: HashMap<RelayId, Relay>,
    /// Not later than when the first relay has been silent for too long.
    silent_at: Option<Instant>,
}

#[derive(Debug)]
struct Relay {
    members: HashMap<ParticipantId, Allowance>,
    heard: Instant,
}

/// How many frames a participant has sent in the current second.
#[derive(Debug)]
struct Allowance {
    since: Instant,
    frames: u32,
}

/// What became of a frame at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may pass.
    Admitted,
    /// Its sender is not behind the relay.
    Foreign,
    /// Its sender sends too many.
    Flood,
}

/// The limit on relays or participants is reached.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

impl Relays {
    /// Sets who is behind a relay and calls `gone` for everybody who was and no longer is. Says
    /// whether anything changed.
    pub fn set(
        &mut self,
        relay: &RelayId,
        participants: &[ParticipantId],
        now: Instant,
        gone: &mut Vec<ParticipantId>,
    ) -> Result<bool, Refused> {
        if participants.is_empty() {
            return Ok(self.remove(relay, gone));
        }
        let full = self.relays.len() >= RELAYS_MAX && !self.relays.contains_key(relay);
        if full || participants.len() > PARTICIPANTS_PER_RELAY_MAX {
            // Too many now; those who were there before are still heard.
            if let Some(known) = self.relays.get_mut(relay) {
                known.heard = now;
            }
            return Err(Refused);
        }
        let entry = self
            .relays
            .entry(relay.clone())
            .or_insert_with(|| Relay { members: HashMap::new(), heard: now });
        entry.heard = now;
        let silent_at = now + RELAY_SILENCE_MAX;
        self.silent_at = Some(self.silent_at.map_or(silent_at, |at| at.min(silent_at)));
        Ok(entry.set_members(participants, now, gone))
    }

    fn remove(&mut self, relay: &RelayId, gone: &mut Vec<ParticipantId>) -> bool {
        let Some(removed) = self.relays.remove(relay) else { return false };
        gone.extend(removed.members.keys());
        if self.relays.is_empty() {
            self.silent_at = None;
        }
        true
    }

    /// Removes relays that have been silent for too long. Says whether there were any.
    pub fn expire(&mut self, now: Instant, gone: &mut Vec<ParticipantId>) -> bool {
        if self.silent_at.is_none_or(|at| now < at) {
            return false;
        }
        let before = self.relays.len();
        self.relays.retain(|_, relay| {
            let alive = now.saturating_duration_since(relay.heard) < RELAY_SILENCE_MAX;
            if !alive {
                gone.extend(relay.members.keys());
            }
            alive
        });
        let oldest = self.relays.values().map(|relay| relay.heard).min();
        self.silent_at = oldest.map(|heard| heard + RELAY_SILENCE_MAX);
        self.relays.len() != before
    }

    /// When to call [`Relays::expire`].
    pub fn silent_at(&self) -> Option<Instant> {
        self.silent_at
    }

    /// Whether a frame of `who` from `relay` may pass; counts it.
    pub fn admit(&mut self, relay: &RelayId, who: ParticipantId, now: Instant) -> Admission {
        let relay = self.relays.get_mut(relay);
        let Some(allowance) = relay.and_then(|relay| relay.members.get_mut(&who)) else {
            return Admission::Foreign;
        };
        if now.saturating_duration_since(allowance.since) >= Duration::from_secs(1) {
            *allowance = Allowance { since: now, frames: 0 };
        }
        allowance.frames = allowance.frames.saturating_add(1);
        if allowance.frames > FRAMES_PER_SECOND_MAX {
            Admission::Flood
        } else {
            Admission::Admitted
        }
    }

    /// Whether no relay is there.
    pub fn is_empty(&self) -> bool {
        self.relays.is_empty()
    }

    /// All relays.
    pub fn ids(&self) -> impl Iterator<Item = &RelayId> {
        self.relays.keys()
    }

    /// The relays that this participant is behind.
    pub fn of(&self, who: ParticipantId) -> impl Iterator<Item = &RelayId> {
        let holds = move |entry: &(&RelayId, &Relay)| entry.1.members.contains_key(&who);
        self.relays.iter().filter(holds).map(|(id, _)| id)
    }

    /// Those of `speakers` who are behind this relay.
    pub fn speakers_behind(&self, relay: &RelayId, speakers: &Sources) -> Sources {
        let Some(relay) = self.relays.get(relay) else { return Sources::EMPTY };
        speakers.iter().copied().filter(|who| relay.members.contains_key(who)).collect()
    }

    /// Whether anybody is there who is not one of `speakers`.
    pub fn has_listeners(&self, speakers: &Sources) -> bool {
        self.relays.values().any(|relay| {
            let speaking = speakers.iter().filter(|who| relay.members.contains_key(who)).count();
            relay.members.len() > speaking
        })
    }
}

impl Relay {
    fn set_members(
        &mut self,
        participants: &[ParticipantId],
        now: Instant,
        gone: &mut Vec<ParticipantId>,
    ) -> bool {
        let fresh = |who: &ParticipantId| (*who, Allowance { since: now, frames: 0 });
        let members: HashMap<_, _> = participants.iter().map(fresh).collect();
        let same = members.len() == self.members.len();
        if same && members.keys().all(|who| self.members.contains_key(who)) {
            return false;
        }
        let before = std::mem::replace(&mut self.members, members);
        for (who, allowance) in before {
            match self.members.get_mut(&who) {
                Some(kept) => *kept = allowance,
                None => gone.push(who),
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(name: &str) -> RelayId {
        name.parse().unwrap()
    }

    fn participants(ids: &[u32]) -> Vec<ParticipantId> {
        ids.iter().copied().map(ParticipantId).collect()
    }

    #[test]
    fn a_flood_is_cut_to_the_limit_and_forgiven_after_a_second() {
        let (mut relays, now) = (Relays::default(), Instant::now());
        relays.set(&relay("a"), &participants(&[1]), now, &mut Vec::new()).unwrap();
        let mut admitted = |now| relays.admit(&relay("a"), ParticipantId(1), now);
        for _ in 0..FRAMES_PER_SECOND_MAX {
            assert_eq!(admitted(now), Admission::Admitted);
        }
        assert_eq!(admitted(now), Admission::Flood);
        assert_eq!(admitted(now + Duration::from_secs(1)), Admission::Admitted);
    }

    #[test]
    fn a_repeated_need_gives_no_new_allowance() {
        let (mut relays, now) = (Relays::default(), Instant::now());
        for frame in 0..=FRAMES_PER_SECOND_MAX {
            let ids = if frame % 2 == 0 { vec![1] } else { vec![1, 2] };
            relays.set(&relay("a"), &participants(&ids), now, &mut Vec::new()).unwrap();
            let admission = relays.admit(&relay("a"), ParticipantId(1), now);
            assert_eq!(admission == Admission::Flood, frame == FRAMES_PER_SECOND_MAX);
        }
    }

    #[test]
    fn a_participant_named_twice_is_not_taken_for_another() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        relays.set(&relay("a"), &participants(&[3, 4]), now, &mut gone).unwrap();
        assert_eq!(relays.set(&relay("a"), &participants(&[4, 3]), now, &mut gone), Ok(false));
        assert_eq!(relays.set(&relay("a"), &participants(&[3, 3]), now, &mut gone), Ok(true));
        assert_eq!(gone, participants(&[4]));
    }

    #[test]
    fn only_those_behind_the_relay_are_admitted() {
        let (mut relays, now) = (Relays::default(), Instant::now());
        relays.set(&relay("a"), &participants(&[1]), now, &mut Vec::new()).unwrap();
        assert_eq!(relays.admit(&relay("a"), ParticipantId(2), now), Admission::Foreign);
        assert_eq!(relays.admit(&relay("b"), ParticipantId(1), now), Admission::Foreign);
    }

    #[test]
    fn a_silent_relay_is_gone_with_its_participants() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        relays.set(&relay("a"), &participants(&[1]), now, &mut gone).unwrap();
        let later = now + Duration::from_secs(3);
        relays.set(&relay("b"), &participants(&[2]), later, &mut gone).unwrap();
        assert!(!relays.expire(now + RELAY_SILENCE_MAX - Duration::from_millis(1), &mut gone));
        assert!(relays.expire(now + RELAY_SILENCE_MAX, &mut gone));
        assert_eq!(gone, participants(&[1]));
        assert_eq!(relays.silent_at(), Some(later + RELAY_SILENCE_MAX));
        assert!(relays.expire(later + RELAY_SILENCE_MAX, &mut gone));
        assert!(relays.is_empty());
        assert_eq!(relays.silent_at(), None);
    }

    #[test]
    fn too_many_relays_or_participants_are_refused() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        let crowd: Vec<_> = (0..=PARTICIPANTS_PER_RELAY_MAX as u32).map(ParticipantId).collect();
        assert_eq!(relays.set(&relay("a"), &crowd, now, &mut gone), Err(Refused));
        for number in 0..RELAYS_MAX {
            relays.set(&relay(&number.to_string()), &crowd[..1], now, &mut gone).unwrap();
        }
        assert_eq!(relays.set(&relay("a"), &crowd[..1], now, &mut gone), Err(Refused));
        assert_eq!(relays.set(&relay("7"), &crowd[..1], now, &mut gone), Ok(false));
    }
}
