//! The places that participants behind this relay have in its media, as the core has them.
//!
//! **Invariant:** what the core has said about a place is in force in the media thread when [`Places::put`]
//! returns. A terminal that has asked for silence is silent at once, and stays so until that is answered.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use tributary_contracts::relay::v1::{Place, PlaceAttach, PlaceSound, place::Body};
use tributary_identifiers::{MeetingId, OrganisationId, ParticipantId};
use tributary_message_bus::subjects::MeetingScope;

use crate::media::{Attach, CarriedBy, MediaError, MediaHandle, TerminalId};

/// Places at a time, those behind relays that are attached here included: the parent takes fewer links.
pub(super) const PLACES_MAX: usize = 16_384;

/// What a place is heard in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sound {
    muted: bool,
    talk: Vec<ParticipantId>,
}

#[derive(Clone, Debug)]
struct Known {
    link: u32,
    meeting: MeetingId,
    live: bool,
    /// As the core has it.
    wanted: Sound,
    /// As the media thread has it.
    in_force: Sound,
    /// The terminal has asked for it, and has no answer yet.
    silenced: bool,
}

/// A meeting that somebody has a place in.
#[derive(Debug, Default)]
struct Open {
    speakers: watch::Sender<Vec<ParticipantId>>,
    places: usize,
}

/// **Invariant:** `of_link` and `meetings` say of the same places as `places`.
#[derive(Debug, Default)]
struct State {
    organisation: OrganisationId,
    places: HashMap<u64, Known>,
    /// A link has two at most, if the core keeps to the protocol.
    of_link: HashMap<u32, Vec<u64>>,
    meetings: HashMap<MeetingId, Open>,
}

impl State {
    /// Puts a place in, or in the place of what was known of it. Gives where its meeting's speakers are
    /// said; none if there are too many.
    fn insert(&mut self, id: u64, known: Known) -> Option<watch::Sender<Vec<ParticipantId>>> {
        if self.places.len() >= PLACES_MAX && !self.places.contains_key(&id) {
            return None;
        }
        let (link, meeting) = (known.link, known.meeting);
        // Counted before the place is taken out of it: a meeting that stays open is the same one.
        let open = self.meetings.entry(meeting).or_default();
        open.places += 1;
        let speakers = open.speakers.clone();
        self.remove(id);
        self.places.insert(id, known);
        self.of_link.entry(link).or_default().push(id);
        Some(speakers)
    }

    fn remove(&mut self, id: u64) {
        let Some(known) = self.places.remove(&id) else { return };
        if let Some(of_link) = self.of_link.get_mut(&known.link) {
            of_link.retain(|place| *place != id);
            if of_link.is_empty() {
                self.of_link.remove(&known.link);
            }
        }
        if let Some(open) = self.meetings.get_mut(&known.meeting) {
            open.places = open.places.saturating_sub(1);
            if open.places == 0 {
                self.meetings.remove(&known.meeting);
            }
        }
    }

    /// The places of a link.
    fn of(&self, link: u32) -> impl Iterator<Item = (u64, &Known)> {
        let ids = self.of_link.get(&link).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.places.get(id)?)))
    }
}

/// The place that a terminal's microphone is in.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) place: u64,
    pub(super) meeting: MeetingId,
    pub(super) speakers: watch::Receiver<Vec<ParticipantId>>,
}

/// All of this relay.
pub(super) struct Places {
    media: MediaHandle,
    state: Mutex<State>,
}

impl Places {
    pub(super) fn new(media: MediaHandle) -> Self {
        Self { media, state: Mutex::default() }
    }

    pub(super) fn media(&self) -> &MediaHandle {
        &self.media
    }

    /// Whose meetings these are, from now on.
    pub(super) fn set_organisation(&self, organisation: OrganisationId) {
        self.state().organisation = organisation;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.state().places.len()
    }

    /// True if a link has any: then its terminal is in a meeting.
    pub(super) fn has_any(&self, link: u32) -> bool {
        self.state().of_link.contains_key(&link)
    }

    /// Where a link's microphone is.
    pub(super) fn live_of(&self, link: u32) -> Option<Live> {
        let state = self.state();
        let (place, known) = state.of(link).find(|(_, known)| known.live)?;
        let speakers = state.meetings.get(&known.meeting)?.speakers.subscribe();
        Some(Live { place, meeting: known.meeting, speakers })
    }

    /// The place that a link has in a meeting.
    pub(super) fn of(&self, link: u32, meeting: MeetingId) -> Option<u64> {
        let state = self.state();
        let found = state.of(link).find(|(_, known)| known.meeting == meeting);
        found.map(|(place, _)| place)
    }

    /// Another session: whatever was is forgotten here. The media thread is told by its port.
    pub(super) fn forget_all(&self) {
        let mut state = self.state();
        state.places.clear();
        state.of_link.clear();
        state.meetings.clear();
    }

    /// Does what the core has said about a place; returns when it is in force.
    pub(super) async fn put(&self, place: &Place, carried: Option<CarriedBy>) {
        let id = place.place_id;
        let done = match &place.body {
            Some(Body::Attach(attach)) => self.attach(id, attach, carried).await,
            Some(Body::Sound(sound)) => self.sound(id, sound).await,
            Some(Body::Switch(switch)) => self.switch(id, switch.to_place_id).await,
            Some(Body::Detach(_)) => self.detach(id).await,
            // From a newer parent: it does not say so to who can't know it.
            None => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(place = id, %error, "a place is not as the core has it");
        }
    }

    async fn attach(
        &self,
        id: u64,
        attach: &PlaceAttach,
        carried: Option<CarriedBy>,
    ) -> Result<(), MediaError> {
        let Ok(meeting) = MeetingId::try_from(attach.meeting_id) else {
            tracing::error!(
                meeting = attach.meeting_id,
                "the parent names a meeting that can't be"
            );
            return Ok(());
        };
        let (scope, speakers) = {
            let mut state = self.state();
            let sound = Sound { muted: attach.muted, talk: Vec::new() };
            let known = Known {
                link: attach.link_id,
                meeting,
                live: !attach.held,
                wanted: sound.clone(),
                in_force: sound,
                silenced: false,
            };
            let Some(speakers) = state.insert(id, known) else {
                tracing::error!(place = id, "there are more places than there can be");
                return Ok(());
            };
            (MeetingScope { organisation: state.organisation.clone(), meeting }, speakers)
        };
        let attach = Attach {
            terminal: TerminalId(id),
            scope,
            participant: ParticipantId(attach.participant_id),
            muted: attach.muted,
            held: attach.held,
            carried,
            speakers,
        };
        self.media.attach(attach).await
    }

    async fn sound(&self, id: u64, sound: &PlaceSound) -> Result<(), MediaError> {
        let talk = sound.target_ids.iter().copied().map(ParticipantId).collect();
        if let Some(known) = self.state().places.get_mut(&id) {
            known.wanted = Sound { muted: sound.muted, talk };
        }
        self.enforce(id).await
    }

    /// Silences a place until the terminal's wish is answered, or no longer.
    pub(super) async fn silence(&self, id: u64, silenced: bool) {
        if let Some(known) = self.state().places.get_mut(&id) {
            known.silenced = silenced;
        }
        if let Err(error) = self.enforce(id).await {
            tracing::error!(place = id, %error, "a place is not silenced as its terminal wishes");
        }
    }

    async fn enforce(&self, id: u64) -> Result<(), MediaError> {
        let (last, wanted) = {
            let mut state = self.state();
            let Some(known) = state.places.get_mut(&id) else { return Ok(()) };
            let mut wanted = known.wanted.clone();
            wanted.muted |= known.silenced;
            if !known.live {
                wanted.talk.clear();
            }
            (std::mem::replace(&mut known.in_force, wanted.clone()), wanted)
        };
        let terminal = TerminalId(id);
        if wanted.muted && !last.muted {
            self.media.set_muted(terminal, true).await?;
        }
        if wanted.talk != last.talk {
            self.media.set_talk(terminal, wanted.talk.clone()).await?;
        }
        // The floor opens last: a talk may have closed it.
        if last.muted && !wanted.muted {
            self.media.set_muted(terminal, false).await?;
        }
        Ok(())
    }

    async fn switch(&self, from: u64, to: u64) -> Result<(), MediaError> {
        self.media.switch(TerminalId(from), TerminalId(to)).await?;
        let mut state = self.state();
        for (id, live) in [(from, false), (to, true)] {
            if let Some(known) = state.places.get_mut(&id) {
                known.live = live;
                // A talk ends with every switch.
                known.in_force.talk.clear();
                known.wanted.talk.clear();
            }
        }
        Ok(())
    }

    async fn detach(&self, id: u64) -> Result<(), MediaError> {
        self.state().remove(id);
        self.media.detach(TerminalId(id)).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(link: u32, meeting: u64, live: bool) -> Known {
        Known {
            link,
            meeting: MeetingId::try_from(1 << 60 | meeting).unwrap(),
            live,
            wanted: Sound::default(),
            in_force: Sound::default(),
            silenced: false,
        }
    }

    fn of(state: &State, link: u32) -> Vec<u64> {
        state.of(link).map(|(place, _)| place).collect()
    }

    #[test]
    fn the_places_of_a_link_are_known_wherever_they_go() {
        let mut state = State::default();
        state.insert(1, known(7, 1, true)).unwrap();
        state.insert(2, known(7, 2, false)).unwrap();
        state.insert(3, known(8, 1, true)).unwrap();
        assert_eq!((of(&state, 7), of(&state, 8), of(&state, 9)), (vec![1, 2], vec![3], vec![]));
        state.insert(1, known(9, 1, true)).unwrap();
        assert_eq!((of(&state, 7), of(&state, 9)), (vec![2], vec![1]));
        for place in [1, 2, 3, 3] {
            state.remove(place);
        }
        assert!(state.places.is_empty() && state.of_link.is_empty() && state.meetings.is_empty());
    }

    #[test]
    fn who_listens_to_a_meeting_goes_on_when_its_only_place_is_told_again() {
        let mut state = State::default();
        let said = state.insert(1, known(7, 1, true)).unwrap();
        let mut heard = said.subscribe();
        drop(said);
        let again = state.insert(1, known(8, 1, true)).unwrap();
        again.send_replace(vec![ParticipantId(5)]);
        assert!(heard.has_changed().unwrap());
        assert_eq!(*heard.borrow_and_update(), [ParticipantId(5)]);
        state.remove(1);
        drop(again);
        assert!(heard.has_changed().is_err(), "the meeting is over here");
    }

    #[test]
    fn there_are_no_more_than_there_can_be() {
        let mut state = State::default();
        for place in 0..PLACES_MAX as u64 {
            assert!(state.insert(place, known(7, 1, false)).is_some());
        }
        assert!(state.insert(u64::MAX, known(7, 1, false)).is_none());
        assert!(state.insert(5, known(8, 2, false)).is_some(), "that one is there");
        assert_eq!((state.places.len(), of(&state, 8)), (PLACES_MAX, vec![5]));
    }
}
