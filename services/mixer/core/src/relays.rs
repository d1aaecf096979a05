//! Who is behind which relay and in which room, by what the relays say, and whether they send too much.

mod rooms;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tributary_identifiers::{ParticipantId, RelayId};

use crate::{
    media::{SendFrame, Sources},
    private::{Homes, Routes, Whisper},
};
pub use rooms::{ROOMS_PER_RELAY_MAX, Room, RoomRef};
use rooms::{Seats, seats};

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
    /// How many of them sit in which room; none is empty.
    rooms: HashMap<u32, usize>,
}

/// What is known of a participant.
#[derive(Debug)]
struct Member {
    /// How many frames were sent in the second since then.
    since: Instant,
    frames: u32,
    /// Which of the relay's rooms they sit in.
    room: Option<u32>,
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

/// A limit on relays, participants or rooms is reached, or the rooms contradict themselves.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

impl Relays {
    /// Sets who is behind a relay, and who of them sits in which room, and calls `gone` for everybody who
    /// was and no longer is. Says whether anything changed.
    pub fn set(
        &mut self,
        relay: &RelayId,
        participants: &[ParticipantId],
        rooms: &[Room],
        now: Instant,
        gone: &mut Vec<ParticipantId>,
    ) -> Result<bool, Refused> {
        if participants.is_empty() {
            return Ok(self.remove(relay, gone));
        }
        let full = self.relays.len() >= RELAYS_MAX && !self.relays.contains_key(relay);
        let crowded = full || participants.len() > PARTICIPANTS_PER_RELAY_MAX;
        let seats = if crowded { Err(Refused) } else { seats(participants, rooms) };
        let seats = seats.inspect_err(|_| {
            // Those who were there before are still heard.
            if let Some(known) = self.relays.get_mut(relay) {
                known.heard = now;
            }
        })?;
        let entry = self.relays.entry(relay.clone()).or_insert_with(|| Relay {
            members: HashMap::new(),
            heard: now,
            rooms: HashMap::new(),
        });
        entry.heard = now;
        let silent_at = now + RELAY_SILENCE_MAX;
        self.silent_at = Some(self.silent_at.map_or(silent_at, |at| at.min(silent_at)));
        let (mut come, mut left) = (Vec::new(), Vec::new());
        let moved = entry.set_members(participants, now, &mut come, &mut left);
        let seated = entry.set_rooms(&seats);
        for who in come {
            self.homes.entry(who).or_default().push(relay.clone());
        }
        self.unhouse(relay, &left);
        self.revision += u64::from(moved);
        gone.extend(left);
        Ok(moved || seated)
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

    /// The room in which this participant sits, if in one: as the relay says which said last that they
    /// are behind it.
    pub fn room_of(&self, who: ParticipantId) -> Option<RoomRef<'_>> {
        let relay = self.of(who).last()?;
        let id = self.relays.get(relay)?.members.get(&who)?.room?;
        Some(RoomRef { relay, id })
    }

    /// Those of `speakers` who sit in this room.
    pub fn speakers_in_room(&self, room: RoomRef<'_>, speakers: &Sources) -> Sources {
        speakers.iter().copied().filter(|who| self.room_of(*who) == Some(room)).collect()
    }

    /// The rooms of a relay in which any of `speakers` sit, each once, by their numbers.
    pub fn rooms_with(&self, relay: &RelayId, speakers: &Sources) -> Vec<u32> {
        let rooms = speakers.iter().filter_map(|who| self.room_of(*who));
        let mut rooms: Vec<_> = rooms.filter(|room| room.relay == relay).map(|r| r.id).collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }

    /// Those of `speakers` who are behind this relay, and there in none of these rooms.
    pub fn speakers_outside(&self, relay: &RelayId, rooms: &[u32], speakers: &Sources) -> Sources {
        let Some(relay) = self.relays.get(relay) else { return Sources::EMPTY };
        relay.those_outside(rooms, speakers).collect()
    }

    /// Whether anybody is there who hears the common track: who is not one of `speakers`, and not in
    /// one room with them.
    pub fn has_listeners(&self, speakers: &Sources) -> bool {
        self.relays.iter().any(|(id, relay)| {
            let rooms = self.rooms_with(id, speakers);
            let seated: usize = rooms.iter().filter_map(|room| relay.rooms.get(room)).sum();
            relay.members.len() > seated + relay.those_outside(&rooms, speakers).count()
        })
    }
}

impl Relay {
    fn those_outside(
        &self,
        rooms: &[u32],
        speakers: &Sources,
    ) -> impl Iterator<Item = ParticipantId> {
        let outside = |member: &Member| member.room.is_none_or(|room| !rooms.contains(&room));
        speakers.iter().copied().filter(move |who| self.members.get(who).is_some_and(outside))
    }

    /// Says whether anybody sits elsewhere than before.
    fn set_rooms(&mut self, seats: &Seats) -> bool {
        let mut changed = false;
        self.rooms.clear();
        for (who, member) in &mut self.members {
            let room = seats.get(who).copied();
            changed |= std::mem::replace(&mut member.room, room) != room;
            if let Some(room) = room {
                *self.rooms.entry(room).or_default() += 1;
            }
        }
        changed
    }

    fn set_members(
        &mut self,
        participants: &[ParticipantId],
        now: Instant,
        come: &mut Vec<ParticipantId>,
        left: &mut Vec<ParticipantId>,
    ) -> bool {
        let fresh = |who: &ParticipantId| {
            (*who, Member { since: now, frames: 0, room: None, whisper: None })
        };
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
