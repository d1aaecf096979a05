//! Who is behind which relay, by what the relays say, and whether they send too much.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tributary_identifiers::{ParticipantId, RelayId};

use crate::{
    media::{SendFrame, Sources},
    private::{Homes, Routes, Whisper},
};

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
    /// Where everybody is; the same as is in `relays`, the other way round.
    homes: Homes,
    /// Grows whenever `homes` changes.
    revision: u64,
    /// Not later than when the first relay has been silent for too long.
    silent_at: Option<Instant>,
}

#[derive(Debug)]
struct Relay {
    members: HashMap<ParticipantId, Member>,
    heard: Instant,
    /// Whether everybody behind it sits in one room.
    room: bool,
}

/// What is known of a participant.
#[derive(Debug)]
struct Member {
    /// How many frames were sent in the second since then.
    since: Instant,
    frames: u32,
    /// None for who has not talked privately yet.
    whisper: Option<Box<Whisper>>,
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
    /// Sets who is behind a relay, and whether in one room, and calls `gone` for everybody who was and
    /// no longer is. Says whether anything changed.
    pub fn set(
        &mut self,
        relay: &RelayId,
        participants: &[ParticipantId],
        room: bool,
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
        let entry = self.relays.entry(relay.clone()).or_insert_with(|| Relay {
            members: HashMap::new(),
            heard: now,
            room,
        });
        entry.heard = now;
        let furnished = std::mem::replace(&mut entry.room, room) != room;
        let silent_at = now + RELAY_SILENCE_MAX;
        self.silent_at = Some(self.silent_at.map_or(silent_at, |at| at.min(silent_at)));
        let (mut come, mut left) = (Vec::new(), Vec::new());
        let moved = entry.set_members(participants, now, &mut come, &mut left);
        for who in come {
            self.homes.entry(who).or_default().push(relay.clone());
        }
        self.unhouse(relay, &left);
        self.revision += u64::from(moved);
        gone.extend(left);
        Ok(moved || furnished)
    }

    fn remove(&mut self, relay: &RelayId, gone: &mut Vec<ParticipantId>) -> bool {
        let Some(removed) = self.relays.remove(relay) else { return false };
        let left: Vec<_> = removed.members.into_keys().collect();
        self.unhouse(relay, &left);
        self.revision += 1;
        gone.extend(left);
        if self.relays.is_empty() {
            self.silent_at = None;
        }
        true
    }

    /// These are no longer behind the relay.
    fn unhouse(&mut self, relay: &RelayId, left: &[ParticipantId]) {
        for who in left {
            if let Some(homes) = self.homes.get_mut(who) {
                homes.retain(|home| home != relay);
                if homes.is_empty() {
                    self.homes.remove(who);
                }
            }
        }
    }

    /// Removes relays that have been silent for too long. Says whether there were any.
    pub fn expire(&mut self, now: Instant, gone: &mut Vec<ParticipantId>) -> bool {
        if self.silent_at.is_none_or(|at| now < at) {
            return false;
        }
        let silent =
            |relay: &Relay| now.saturating_duration_since(relay.heard) >= RELAY_SILENCE_MAX;
        let silent: Vec<RelayId> = self
            .relays
            .iter()
            .filter(|(_, relay)| silent(relay))
            .map(|(id, _)| id.clone())
            .collect();
        for relay in &silent {
            self.remove(relay, gone);
        }
        let oldest = self.relays.values().map(|relay| relay.heard).min();
        self.silent_at = oldest.map(|heard| heard + RELAY_SILENCE_MAX);
        !silent.is_empty()
    }

    /// When to call [`Relays::expire`].
    pub fn silent_at(&self) -> Option<Instant> {
        self.silent_at
    }

    /// Whether a frame of `who` from `relay` may pass; counts it.
    pub fn admit(&mut self, relay: &RelayId, who: ParticipantId, now: Instant) -> Admission {
        let relay = self.relays.get_mut(relay);
        let Some(member) = relay.and_then(|relay| relay.members.get_mut(&who)) else {
            return Admission::Foreign;
        };
        if now.saturating_duration_since(member.since) >= Duration::from_secs(1) {
            (member.since, member.frames) = (now, 0);
        }
        member.frames = member.frames.saturating_add(1);
        if member.frames > FRAMES_PER_SECOND_MAX { Admission::Flood } else { Admission::Admitted }
    }

    /// Where a private frame of somebody who was admitted goes, and the stream that it belongs to.
    /// `next` gives a new stream.
    pub fn route_privately(
        &mut self,
        relay: &RelayId,
        frame: &SendFrame,
        now: Instant,
        mut next: impl FnMut() -> u32,
    ) -> Option<(u32, &Routes)> {
        let who = frame.participant;
        let member = self.relays.get_mut(relay)?.members.get_mut(&who)?;
        let whisper = member
            .whisper
            .get_or_insert_with(|| Box::new(Whisper::new(next(), frame.media_time, now)));
        let stream = whisper.stream_of(frame.media_time, now, next);
        let routes = whisper.routes(who, &frame.targets, &self.homes, self.revision);
        Some((stream, routes))
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
    pub fn of(&self, who: ParticipantId) -> &[RelayId] {
        self.homes.get(&who).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether everybody behind this relay sits in one room.
    pub fn is_room(&self, relay: &RelayId) -> bool {
        self.relays.get(relay).is_some_and(|relay| relay.room)
    }

    /// The relay in whose room this participant sits, if in one: that of the relay which said last
    /// that they are behind it.
    pub fn room_of(&self, who: ParticipantId) -> Option<&RelayId> {
        self.of(who).last().filter(|relay| self.is_room(relay))
    }

    /// Those of `speakers` who sit in this relay's room.
    pub fn speakers_in_room(&self, relay: &RelayId, speakers: &Sources) -> Sources {
        speakers.iter().copied().filter(|who| self.room_of(*who) == Some(relay)).collect()
    }

    /// Those of `speakers` who are behind this relay.
    pub fn speakers_behind(&self, relay: &RelayId, speakers: &Sources) -> Sources {
        let Some(relay) = self.relays.get(relay) else { return Sources::EMPTY };
        relay.those_of(speakers).collect()
    }

    /// Whether anybody is there who hears the common track: who is not one of `speakers`, and not in
    /// one room with them.
    pub fn has_listeners(&self, speakers: &Sources) -> bool {
        self.relays.iter().any(|(id, relay)| {
            let in_room = relay.room && !self.speakers_in_room(id, speakers).is_empty();
            !in_room && relay.members.len() > relay.those_of(speakers).count()
        })
    }
}

impl Relay {
    fn those_of(&self, speakers: &Sources) -> impl Iterator<Item = ParticipantId> {
        speakers.iter().copied().filter(|who| self.members.contains_key(who))
    }

    fn set_members(
        &mut self,
        participants: &[ParticipantId],
        now: Instant,
        come: &mut Vec<ParticipantId>,
        left: &mut Vec<ParticipantId>,
    ) -> bool {
        let fresh = |who: &ParticipantId| (*who, Member { since: now, frames: 0, whisper: None });
        let members: HashMap<_, _> = participants.iter().map(fresh).collect();
        let same = members.len() == self.members.len();
        if same && members.keys().all(|who| self.members.contains_key(who)) {
            return false;
        }
        let mut before = std::mem::replace(&mut self.members, members);
        for (who, member) in &mut self.members {
            match before.remove(who) {
                Some(known) => *member = known,
                None => come.push(*who),
            }
        }
        left.extend(before.into_keys());
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
        relays.set(&relay("a"), &participants(&[1]), false, now, &mut Vec::new()).unwrap();
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
            relays.set(&relay("a"), &participants(&ids), false, now, &mut Vec::new()).unwrap();
            let admission = relays.admit(&relay("a"), ParticipantId(1), now);
            assert_eq!(admission == Admission::Flood, frame == FRAMES_PER_SECOND_MAX);
        }
    }

    #[test]
    fn a_participant_named_twice_is_not_taken_for_another() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        relays.set(&relay("a"), &participants(&[3, 4]), false, now, &mut gone).unwrap();
        assert_eq!(
            relays.set(&relay("a"), &participants(&[4, 3]), false, now, &mut gone),
            Ok(false)
        );
        assert_eq!(
            relays.set(&relay("a"), &participants(&[3, 3]), false, now, &mut gone),
            Ok(true)
        );
        assert_eq!(gone, participants(&[4]));
    }

    #[test]
    fn only_those_behind_the_relay_are_admitted() {
        let (mut relays, now) = (Relays::default(), Instant::now());
        relays.set(&relay("a"), &participants(&[1]), false, now, &mut Vec::new()).unwrap();
        assert_eq!(relays.admit(&relay("a"), ParticipantId(2), now), Admission::Foreign);
        assert_eq!(relays.admit(&relay("b"), ParticipantId(1), now), Admission::Foreign);
    }

    #[test]
    fn a_silent_relay_is_gone_with_its_participants() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        relays.set(&relay("a"), &participants(&[1]), false, now, &mut gone).unwrap();
        let later = now + Duration::from_secs(3);
        relays.set(&relay("b"), &participants(&[2]), false, later, &mut gone).unwrap();
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
        assert_eq!(relays.set(&relay("a"), &crowd, false, now, &mut gone), Err(Refused));
        for number in 0..RELAYS_MAX {
            relays.set(&relay(&number.to_string()), &crowd[..1], false, now, &mut gone).unwrap();
        }
        assert_eq!(relays.set(&relay("a"), &crowd[..1], false, now, &mut gone), Err(Refused));
        assert_eq!(relays.set(&relay("7"), &crowd[..1], false, now, &mut gone), Ok(false));
    }

    #[test]
    fn where_somebody_is_follows_every_change() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        let mut at = |relays: &mut Relays, name: &str, who: &[u32], now| {
            relays.set(&relay(name), &participants(who), false, now, &mut gone).unwrap();
        };
        at(&mut relays, "a", &[1, 2], now);
        at(&mut relays, "b", &[2, 3], now);
        let who = ParticipantId(2);
        assert_eq!(relays.of(who), [relay("a"), relay("b")]);
        at(&mut relays, "a", &[1], now);
        assert_eq!(relays.of(who), [relay("b")]);
        at(&mut relays, "b", &[], now);
        assert_eq!(relays.of(who), []);
        at(&mut relays, "a", &[2], now);
        assert_eq!(relays.of(ParticipantId(1)), []);
        relays.expire(now + RELAY_SILENCE_MAX, &mut Vec::new());
        assert_eq!(relays.of(who), []);
        assert!(relays.homes.is_empty());
    }

    #[test]
    fn who_sits_in_a_room_with_a_speaker_does_not_hear_the_common_track() {
        let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
        let speakers: Sources = participants(&[1, 5]).into_iter().collect();
        relays.set(&relay("a"), &participants(&[1, 2]), true, now, &mut gone).unwrap();
        assert!(!relays.has_listeners(&speakers));
        let left_room = relays.set(&relay("a"), &participants(&[1, 2]), false, now, &mut gone);
        assert_eq!(left_room, Ok(true), "a change");
        assert!(relays.has_listeners(&speakers));
        relays.set(&relay("a"), &participants(&[2]), true, now, &mut gone).unwrap();
        assert!(relays.has_listeners(&speakers), "a room with no speaker");
        assert_eq!(relays.room_of(ParticipantId(2)), Some(&relay("a")));
        relays.set(&relay("b"), &participants(&[2]), false, now, &mut gone).unwrap();
        assert_eq!(relays.room_of(ParticipantId(2)), None, "has left it");
    }
}
