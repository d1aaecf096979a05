//! Keeps the media thread with what the meeting has decided: who is in its sound, muted or not, and to
//! whom alone it talks.

use tokio::time::Instant;
use tributary_identifiers::ParticipantId;
use tributary_message_bus::subjects::MeetingScope;

use super::{participations::Participation, session::Session};
use crate::{
    media::{MediaError, MediaHandle},
    meetings::Sound,
};

impl Session {
    /// Brings a participant into the media thread, which it is not in yet or live again.
    pub(super) async fn attach_media(&mut self, scope: &MeetingScope) {
        let held = !self.participations.is_live(scope);
        let media = self.shared.media.clone();
        let Some(participation) = self.participations.get_mut(scope) else { return };
        if let Err(error) = participation.attach(&media, held).await {
            // The thread only ends with the process.
            tracing::error!(%error, "not attached");
        }
        self.put_sound_in_force(scope).await;
    }

    /// What was asked for and has waited too long for an answer silences nobody any more.
    pub(super) async fn end_silences(&mut self, now: Instant) {
        for scope in self.participations.lapse(now) {
            self.put_sound_in_force(&scope).await;
        }
    }

    /// Tells the media thread what has changed, and waits until that is in force.
    pub(super) async fn put_sound_in_force(&mut self, scope: &MeetingScope) {
        let is_live = self.participations.is_live(scope);
        let media = self.shared.media.clone();
        let Some(participation) = self.participations.get_mut(scope) else { return };
        if let Err(error) = participation.update_sound(&media, is_live).await {
            tracing::error!(%error, "sound is not as the meeting has it");
        }
    }
}

impl Participation {
    pub(super) async fn attach(
        &mut self,
        media: &MediaHandle,
        held: bool,
    ) -> Result<(), MediaError> {
        let hub = &self.attachment.hub;
        let known = hub.sound_of(self.attachment.participant);
        // Until it is known, nobody is heard.
        let muted = known.is_none_or(|sound| sound.muted) || self.unanswered.silences();
        let own = self.attachment.participant;
        self.attachment.seat.attach(media, hub, own, muted, held).await?;
        // A talk ends with every attaching.
        self.sound = Some(Sound { muted, talk: Vec::new() });
        Ok(())
    }

    async fn update_sound(&mut self, media: &MediaHandle, is_live: bool) -> Result<(), MediaError> {
        let Some(last) = self.sound.clone() else { return Ok(()) };
        let own = self.attachment.participant;
        let Some(mut wanted) = self.attachment.hub.sound_of(own) else { return Ok(()) };
        wanted.muted |= self.unanswered.silences();
        if !is_live {
            wanted.talk.clear();
        }
        self.attachment.seat.set_sound(media, &last, &wanted).await?;
        self.sound = Some(wanted);
        Ok(())
    }

    /// The talk that was in force has ended in the media thread.
    pub(super) fn note_talk_ended(&mut self) {
        if let Some(sound) = &mut self.sound {
            sound.talk = Vec::<ParticipantId>::new();
        }
    }
}
