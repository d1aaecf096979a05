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

#[derive(Debug, Default)]
struct State {
    organisation: OrganisationId,
    places: HashMap<u64, Known>,
    speakers: HashMap<MeetingId, watch::Sender<Vec<ParticipantId>>>,
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
        self.state().places.values().any(|known| known.link == link)
    }

    /// Where a link's microphone is.
    pub(super) fn live_of(&self, link: u32) -> Option<Live> {
        let state = self.state();
        let (place, known) = state.places.iter().find(|(_, p)| p.link == link && p.live)?;
        let speakers = state.speakers.get(&known.meeting)?.subscribe();
        Some(Live { place: *place, meeting: known.meeting, speakers })
    }

    /// The place that a link has in a meeting.
    pub(super) fn of(&self, link: u32, meeting: MeetingId) -> Option<u64> {
        let state = self.state();
        let mut places = state.places.iter();
        let found = places.find(|(_, known)| known.link == link && known.meeting == meeting);
        found.map(|(place, _)| *place)
    }

    /// Another session: whatever was is forgotten here. The media thread is told by its port.
    pub(super) fn forget_all(&self) {
        let mut state = self.state();
        state.places.clear();
        state.speakers.clear();
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
            state.places.insert(id, known);
            let speakers = state.speakers.entry(meeting).or_default().clone();
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
        {
            let mut state = self.state();
            let meeting = state.places.remove(&id).map(|known| known.meeting);
            let State { places, speakers, .. } = &mut *state;
            speakers.retain(|open, _| {
                Some(*open) != meeting || places.values().any(|other| other.meeting == *open)
            });
        }
        self.media.detach(TerminalId(id)).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
