//! The meetings that a terminal knows.

use tributary_identifiers::MeetingId;

use crate::Snapshot;

/// Meetings that were left and are still known.
const ENDED_MAX: usize = 8;

/// The meetings, the first one first; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Known(pub(super) Vec<Snapshot>);

impl Known {
    /// The live meeting; if there is none, the one that one would ask about.
    pub(crate) fn front(&self) -> Option<&Snapshot> {
        let live = self.0.iter().find(|meeting| meeting.live);
        let in_it = || self.0.iter().find(|meeting| meeting.ended.is_none());
        live.or_else(in_it).or_else(|| self.0.first())
    }

    pub(crate) fn of(&self, meeting_id: MeetingId) -> Option<&Snapshot> {
        self.0.iter().find(|meeting| meeting.meeting_id == Some(meeting_id))
    }

    /// Those that the terminal is in.
    pub(crate) fn meetings(&self) -> Vec<MeetingId> {
        let there = self.0.iter().filter(|meeting| meeting.ended.is_none());
        there.filter_map(|meeting| meeting.meeting_id).collect()
    }

    /// Makes sure that a meeting is known, and not as one that was left.
    pub(super) fn make_room_for(&mut self, id: MeetingId) {
        self.0.retain(|known| known.meeting_id != Some(id) || known.ended.is_none());
        if self.0.iter().any(|known| known.meeting_id == Some(id)) {
            return;
        }
        // The first one is not known by its id before it is joined.
        if let Some(first) = self.0.iter_mut().find(|known| known.meeting_id.is_none()) {
            first.meeting_id = Some(id);
            return;
        }
        if self.0.len() >= ENDED_MAX
            && let Some(at) = self.0.iter().position(|known| known.ended.is_some())
        {
            self.0.remove(at);
        }
        self.0.push(Snapshot { meeting_id: Some(id), ..Snapshot::default() });
    }
}
