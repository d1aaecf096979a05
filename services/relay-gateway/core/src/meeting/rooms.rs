//! Who hears each other without the platform.

use std::collections::BTreeMap;

use tributary_identifiers::ParticipantId;

use super::{Listener, Meeting};
use crate::route::ROOMS_MAX;

/// Participants who sit in one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Names it among the rooms of this relay.
    pub room: u32,
    /// Who, in order of arrival.
    pub participants: Vec<ParticipantId>,
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// From now on those at terminals of this relay itself sit in this room, or in none.
    pub fn set_own_room(&mut self, room: Option<u32>) {
        for listener in self.listeners.iter_mut().filter(|listener| listener.uplink().is_none()) {
            listener.room = room;
        }
    }

    /// The rooms, in order of their numbers; not more than mixers take.
    pub(super) fn rooms(&self) -> Vec<Room> {
        let mut rooms = BTreeMap::<u32, Vec<ParticipantId>>::new();
        for listener in &self.listeners {
            if let Some(room) = listener.room {
                rooms.entry(room).or_default().push(listener.participant);
            }
        }
        let rooms = rooms.into_iter().map(|(room, participants)| Room { room, participants });
        rooms.take(ROOMS_MAX).collect()
    }

    pub(crate) fn room_of(&self, participant: ParticipantId) -> Option<u32> {
        self.listeners.iter().find(|listener| listener.participant == participant)?.room
    }
}

/// Notes the rooms that somebody can be heard from by others in the room anyway.
pub(super) fn heard_rooms<T>(
    sources: &[ParticipantId],
    listeners: &[Listener<T>],
    rooms: &mut Vec<u32>,
) {
    rooms.clear();
    if listeners.iter().all(|listener| listener.room.is_none()) {
        return;
    }
    let heard = listeners.iter().filter(|listener| sources.contains(&listener.participant));
    rooms.extend(heard.filter_map(|listener| listener.room));
}
