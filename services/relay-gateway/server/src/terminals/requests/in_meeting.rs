//! What a terminal asks for in the meetings that it has joined.

use prost::Message as _;
use tributary_contracts::{
    event::v1::MeetingEvent,
    registry::v1::ListChatRequest,
    terminal::v1::{
        Chat, MediaAnswer, ReadChat, RefusalCode, SwitchMeeting, Switched,
        relay_message::Body as Reply,
    },
};

use super::super::{participations::Participation, session::Session, socket::MESSAGE_BYTES_MAX};
use crate::{media::MediaError, refusal::Refused};

/// What goes around the messages of an answer.
const CHAT_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 1_024;

impl Session {
    pub(super) async fn media_offer(&self, sdp: String) -> Result<Reply, Refused> {
        if self.origin.carriage.is_some() {
            let text = "a peer connection ends at the relay that the terminal is attached to";
            return Err(Refused::new(RefusalCode::Unsupported, text));
        }
        let Some(participation) = self.participations.live() else {
            let text = "be live in a meeting first: send `join` or `switch_meeting`";
            return Err(Refused::new(RefusalCode::OutOfOrder, text));
        };
        not_waiting(participation)?;
        let terminal = participation.attachment.seat.terminal;
        let sdp = self.shared.media.offer(terminal, sdp).await.map_err(media_refused)?;
        Ok(Reply::MediaAnswer(MediaAnswer { sdp }))
    }

    pub(super) async fn switch_meeting(&mut self, switch: SwitchMeeting) -> Result<Reply, Refused> {
        let to = self.participations.named(&switch.meeting_id)?;
        let (scope, seat) = (to.scope().clone(), to.attachment.seat.clone());
        let switched = Reply::Switched(Switched { meeting_id: scope.meeting.to_string() });
        if self.participations.is_live(&scope) {
            return Ok(switched);
        }
        // Who waits has no place in the media thread.
        if to.sound.is_none() {
            return not_waiting(to).map(|()| switched);
        }
        let from = self.participations.live().filter(|from| from.sound.is_some());
        let from = from.map(|from| (from.scope().clone(), from.attachment.seat.clone()));
        match from {
            Some((left, from)) => {
                from.switch(&self.shared.media, &seat).await.map_err(media_refused)?;
                self.participations.set_live(&scope);
                for scope in [&left, &scope] {
                    if let Some(participation) = self.participations.get_mut(scope) {
                        participation.note_talk_ended();
                    }
                }
                self.put_sound_in_force(&scope).await;
            }
            None => {
                self.participations.set_live(&scope);
                self.attach_media(&scope).await;
            }
        }
        Ok(switched)
    }

    pub(super) async fn read_chat(&self, read: ReadChat) -> Result<Reply, Refused> {
        let participation = self.participations.named(&read.meeting_id)?;
        not_waiting(participation)?;
        let scope = participation.scope();
        let request = ListChatRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            participant_id: participation.attachment.participant.0,
            before: read.before,
            limit: read.limit,
        };
        let meeting_id = scope.meeting.to_string();
        let messages = self.shared.upstream.chat(request).await.map_err(Refused::in_meeting)?;
        Ok(Reply::Chat(Chat { meeting_id, messages: newest_that_fit(messages) }))
    }
}

/// As many of the newest messages as one answer can hold; the terminal asks for what was before them.
fn newest_that_fit(mut messages: Vec<MeetingEvent>) -> Vec<MeetingEvent> {
    let mut bytes = 0;
    // Each with its tag and its length before it.
    let fitting = messages.iter().rev().take_while(|message| {
        bytes += message.encoded_len() + 8;
        bytes <= CHAT_BYTES_MAX
    });
    let fitting = fitting.count();
    messages.drain(..messages.len() - fitting);
    messages
}

/// Refuses who waits in the lobby.
pub(super) fn not_waiting(participation: &Participation) -> Result<(), Refused> {
    if participation.waiting || participation.sound.is_none() {
        let text = "you wait in the lobby: a host must let you in first";
        return Err(Refused::new(RefusalCode::OutOfOrder, text));
    }
    Ok(())
}

pub(crate) fn media_refused(error: MediaError) -> Refused {
    match error {
        MediaError::Description(error) => Refused::new(
            RefusalCode::BadSessionDescription,
            format!("the session description is not usable: {error}"),
        ),
        MediaError::NotAttached | MediaError::NotLive => Refused::new(
            RefusalCode::OutOfOrder,
            "be live in a meeting first: send `join` or `switch_meeting`",
        ),
        error => {
            tracing::error!(%error, "media");
            Refused::try_again("this relay's media")
        }
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::event::v1::{ChatMessage, meeting_event::Body};

    use super::*;

    fn message(number: u64, bytes: usize) -> MeetingEvent {
        let text = "x".repeat(bytes);
        let body = Some(Body::ChatMessage(ChatMessage { text, ..ChatMessage::default() }));
        MeetingEvent { number, body, ..MeetingEvent::default() }
    }

    #[test]
    fn of_too_much_chat_the_newest_is_given_and_an_answer_is_never_too_large() {
        let check = |sizes: &[usize], expected: &[u64]| {
            let messages = (1..).zip(sizes).map(|(number, size)| message(number, *size)).collect();
            let messages = newest_that_fit(messages);
            assert_eq!(messages.iter().map(|m| m.number).collect::<Vec<_>>(), expected);
            assert!(Chat { messages, ..Chat::default() }.encoded_len() <= MESSAGE_BYTES_MAX);
        };
        check(&[], &[]);
        check(&[10, 10, 10], &[1, 2, 3]);
        // The longest that can be written.
        check(&[16_000; 6], &[3, 4, 5, 6]);
        check(&[16_000, 16_000, 10, 16_000, 16_000, 16_000], &[2, 3, 4, 5, 6]);
    }
}
