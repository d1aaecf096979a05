//! The rooms behind a relay: who hears each other without the platform.

use std::collections::{HashMap, hash_map::Entry};

use tributary_identifiers::{ParticipantId, RelayId};

use super::Refused;

/// The most rooms behind one relay.
pub const ROOMS_PER_RELAY_MAX: usize = 512;

/// Participants who sit in one room, as their relay says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Names it among the rooms of the relay, not 0.
    pub id: u32,
    /// Who; each behind the relay, and in no other of its rooms.
    pub participants: Vec<ParticipantId>,
}

/// A room of the meeting: relays number theirs each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomRef<'a> {
    /// The relay that says so.
    pub relay: &'a RelayId,
    /// Its number there.
    pub id: u32,
}

/// Who sits in which room of a relay.
pub(super) type Seats = HashMap<ParticipantId, u32>;

/// Takes in what a relay says of its rooms, or nothing of it: people in two rooms or behind another
/// relay, rooms without a number or with the same.
pub(super) fn seats(participants: &[ParticipantId], rooms: &[Room]) -> Result<Seats, Refused> {
    let seated: usize = rooms.iter().map(|room| room.participants.len()).sum();
    if rooms.len() > ROOMS_PER_RELAY_MAX || seated > participants.len() {
        return Err(Refused);
    }
    if rooms.is_empty() {
        return Ok(Seats::new());
    }
    let mut ids: Vec<u32> = rooms.iter().map(|room| room.id).collect();
    ids.sort_unstable();
    if ids.first() == Some(&0) || ids.windows(2).any(|pair| pair.first() == pair.get(1)) {
        return Err(Refused);
    }
    let mut behind = participants.to_vec();
    behind.sort_unstable();
    let mut seats = Seats::with_capacity(seated);
    for room in rooms {
        for who in &room.participants {
            let Entry::Vacant(seat) = seats.entry(*who) else { return Err(Refused) };
            if behind.binary_search(who).is_err() {
                return Err(Refused);
            }
            seat.insert(room.id);
        }
    }
    Ok(seats)
}
