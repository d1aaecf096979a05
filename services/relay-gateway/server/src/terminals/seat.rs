//! A participant's place in the media, here and at the relays on the way to its terminal.
//!
//! **Invariant:** what is said about a place whose terminal is behind an uplink goes down the uplink
//! before whatever is told to the terminal after it, so that it is in force there too.

use tributary_contracts::relay::v1::{
    PlaceAttach, PlaceDetach, PlaceSound, PlaceSwitch, place::Body,
};
use tributary_identifiers::ParticipantId;

use crate::{
    media::{Attach, CarriedBy, MediaError, MediaHandle, TerminalId, UplinkId},
    meetings::{Hub, Sound},
    uplink::Carriage,
};

/// One participant's place.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) terminal: TerminalId,
    pub(crate) carriage: Option<Carriage>,
}

impl Seat {
    /// The uplink that the terminal is behind.
    pub(super) fn uplink(&self) -> Option<UplinkId> {
        self.carriage.as_ref().map(Carriage::uplink)
    }

    fn tell(&self, body: Body) {
        if let Some(carriage) = &self.carriage {
            carriage.place(self.terminal, body);
        }
    }

    /// Brings the participant into the media of its meeting; again: a talk ends.
    pub(super) async fn attach(
        &self,
        media: &MediaHandle,
        hub: &Hub,
        participant: ParticipantId,
        muted: bool,
        held: bool,
    ) -> Result<(), MediaError> {
        let carried = self.carriage.as_ref();
        let attach = Attach {
            terminal: self.terminal,
            scope: hub.scope.clone(),
            participant,
            muted,
            held,
            carried: carried.map(|way| CarriedBy { uplink: way.uplink(), room: way.room }),
            speakers: hub.speakers.clone(),
        };
        media.attach(attach).await?;
        if let Some(carriage) = carried {
            self.tell(Body::Attach(PlaceAttach {
                link_id: carriage.link,
                meeting_id: hub.scope.meeting.to_u64(),
                participant_id: participant.0,
                muted,
                held,
            }));
        }
        Ok(())
    }

    /// Brings what the participant is heard in from `last` to `wanted`; returns when it is in force.
    pub(super) async fn set_sound(
        &self,
        media: &MediaHandle,
        last: &Sound,
        wanted: &Sound,
    ) -> Result<(), MediaError> {
        if wanted.muted && !last.muted {
            self.set_muted(media, true, &last.talk).await?;
        }
        if wanted.talk != last.talk {
            // The floor opens last: a talk may have closed it.
            let muted = last.muted || wanted.muted;
            self.tell_sound(muted, &wanted.talk);
            media.set_talk(self.terminal, wanted.talk.clone()).await?;
        }
        if last.muted && !wanted.muted {
            self.set_muted(media, false, &wanted.talk).await?;
        }
        Ok(())
    }

    /// Switches the microphone on the open floor; `talk` goes on.
    pub(super) async fn set_muted(
        &self,
        media: &MediaHandle,
        muted: bool,
        talk: &[ParticipantId],
    ) -> Result<(), MediaError> {
        media.set_muted(self.terminal, muted).await?;
        self.tell_sound(muted, talk);
        Ok(())
    }

    fn tell_sound(&self, muted: bool, talk: &[ParticipantId]) {
        let target_ids = talk.iter().map(|target| target.0).collect();
        self.tell(Body::Sound(PlaceSound { muted, target_ids }));
    }

    /// Takes the sound to another place of the same terminal.
    pub(super) async fn switch(&self, media: &MediaHandle, to: &Self) -> Result<(), MediaError> {
        media.switch(self.terminal, to.terminal).await?;
        self.tell(Body::Switch(PlaceSwitch { to_place_id: to.terminal.0 }));
        Ok(())
    }

    /// Takes the participant out.
    pub(super) async fn detach(&self, media: &MediaHandle) {
        // The thread only ends with the process.
        let _ = media.detach(self.terminal).await;
        self.leave_uplink();
    }

    /// The participant is not behind this uplink any more.
    pub(super) fn leave_uplink(&self) {
        self.tell(Body::Detach(PlaceDetach {}));
    }
}
