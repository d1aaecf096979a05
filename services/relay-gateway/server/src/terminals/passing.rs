//! Passes on what happens in a meeting, each event once and in order, to a terminal that is among those
//! who are told; first what it has missed, then what is new.

use axum::extract::ws::{CloseCode, close_code};
use tonic::Status;
use tributary_contracts::{
    event::v1::{MeetingEvent, Presence, meeting_event::Body as EventBody},
    terminal::v1::{RefusalCode, Speakers, relay_message::Body},
};
use tributary_identifiers::ParticipantId;
use tributary_message_bus::subjects::MeetingScope;

use super::{
    connection::{Connection, End},
    fate::{Fate, Way, own_fate},
    link::Audience,
    participations::{News, Participation, roster},
    session::Session,
};
use crate::{
    meetings::{After, Happening},
    operations::Unanswered,
    refusal::Refused,
};

/// Whether the terminal is still in the meeting.
type StillIn = bool;

impl Connection {
    pub(super) async fn take_news(&mut self, scope: &MeetingScope, news: News) -> Result<(), End> {
        match news {
            News::Events => self.pass_new(scope).await,
            News::Page(page) => self.pass_page(scope, page).await,
            News::Speakers => self.send_speakers().await,
            News::Replaced => {
                let text = "this terminal has joined by a newer connection";
                let refused = Refused::new(RefusalCode::Replaced, text);
                self.end_participation(scope, refused, close_code::NORMAL).await.map(drop)
            }
        }
    }

    async fn pass_new(&mut self, scope: &MeetingScope) -> Result<(), End> {
        let upstream = &self.session.shared.upstream;
        let Some(participation) = self.session.participations.get_mut(scope) else {
            return Ok(());
        };
        match participation.attachment.hub.after(participation.cursor) {
            After::Here(happenings) => {
                for happening in happenings {
                    if !self.pass_on(scope, &happening).await? {
                        break;
                    }
                }
            }
            After::TooOld => participation.begin_page(upstream, false),
        }
        Ok(())
    }

    /// Passes on what was read from the registry, up to what the hub knows: who is told depends on what
    /// is known here.
    async fn pass_page(
        &mut self,
        scope: &MeetingScope,
        page: Result<Vec<MeetingEvent>, Status>,
    ) -> Result<(), End> {
        let upstream = &self.session.shared.upstream;
        let Some(participation) = self.session.participations.get_mut(scope) else {
            return Ok(());
        };
        participation.page = None;
        let newest = participation.newest.borrow().unwrap_or_default();
        let cursor = participation.cursor;
        let events = match page {
            Ok(events) => events,
            Err(status) => {
                tracing::debug!(code = ?status.code(), "events not read; trying again");
                participation.begin_page(upstream, true);
                return Ok(());
            }
        };
        if cursor < newest && events.first().is_none_or(|event| event.number > cursor + 1) {
            let meeting = scope.meeting;
            tracing::warn!(%meeting, cursor, newest, "events are not there any more");
            if !skip(participation) {
                return self.meet_fate(scope, Fate::TakenOut).await.map(drop);
            }
            match (participation.waiting, &participation.sound) {
                (true, _) => {}
                (false, None) => self.session.attach_media(scope).await,
                // What was missed may have changed it.
                (false, Some(_)) => self.session.put_sound_in_force(scope).await,
            }
            return self.send_roster(scope).await;
        }
        for event in events.into_iter().take_while(|event| event.number <= newest) {
            if !self.pass_on(scope, &Happening::new(event)).await? {
                break;
            }
        }
        Ok(())
    }

    /// Passes an event on, if it is for this terminal; what it changes is in force before.
    async fn pass_on(
        &mut self,
        scope: &MeetingScope,
        happening: &Happening,
    ) -> Result<StillIn, End> {
        let event = &happening.event;
        let Some(participation) = self.session.participations.get_mut(scope) else {
            return Ok(false);
        };
        if event.number <= participation.cursor {
            return Ok(true);
        }
        let is_admitted = participation.note(event);
        let is_told = participation.is_told(event, &self.session.origin.relay);
        let joined_at = participation.joined_at;
        let own = participation.attachment.participant;
        if is_admitted {
            self.session.attach_media(scope).await;
        } else if concerns_sound(event, own) {
            self.session.put_sound_in_force(scope).await;
        }
        if is_told {
            self.write(happening.encoded.clone(), Audience::Many).await?;
        }
        self.send_roster(scope).await?;
        if event.number <= joined_at {
            return Ok(true);
        }
        let Session { shared, origin, .. } = &self.session;
        let fate = own_fate(event, own, Way { relay: &origin.relay, core: &shared.relay });
        self.meet_fate(scope, fate).await
    }

    async fn meet_fate(&mut self, scope: &MeetingScope, fate: Fate) -> Result<StillIn, End> {
        let (code, text, close) = match fate {
            Fate::Stays => return Ok(true),
            Fate::Ended => (RefusalCode::MeetingEnded, "the meeting is over", close_code::NORMAL),
            Fate::Elsewhere => (
                RefusalCode::Replaced,
                "this terminal has joined by another way",
                close_code::NORMAL,
            ),
            Fate::Removed => (
                RefusalCode::Removed,
                "a host has taken you out of the meeting",
                close_code::NORMAL,
            ),
            Fate::SentAway => {
                (RefusalCode::SentAway, "a host has not let you in", close_code::NORMAL)
            }
            Fate::TakenOut => (
                RefusalCode::TryAgain,
                "the relay was out of reach for too long: join again",
                close_code::AGAIN,
            ),
        };
        self.end_participation(scope, Refused::new(code, text), close).await
    }

    /// The terminal is not in a meeting any more, as the registry knows; the connection ends with the
    /// last one.
    async fn end_participation(
        &mut self,
        scope: &MeetingScope,
        refused: Refused,
        code: CloseCode,
    ) -> Result<StillIn, End> {
        let Some(participation) = self.session.participations.take(scope) else {
            return Ok(false);
        };
        self.session.shared.attached.drop_out(&participation.attachment).await;
        self.refuse_in(participation.meeting_id(), refused).await?;
        if self.session.participations.is_empty() {
            return Err(End::Closed(code));
        }
        Ok(false)
    }

    /// Sends a roster that waits until the terminal has all events that are in it.
    async fn send_roster(&mut self, scope: &MeetingScope) -> Result<(), End> {
        let participation = self.session.participations.get_mut(scope);
        let due = participation.and_then(|participation| {
            let cursor = participation.cursor;
            let seen = participation.roster.take_if(|seen| seen.event_number <= cursor)?;
            Some((participation.meeting_id(), seen))
        });
        match due {
            Some((meeting_id, seen)) => self.say(meeting_id, Body::Roster(roster(seen))).await,
            None => Ok(()),
        }
    }

    /// Says who speaks where the terminal is live; behind an uplink its own relay does, which has it
    /// from the route plan.
    pub(super) async fn send_speakers(&mut self) -> Result<(), End> {
        if self.link.is_carried() {
            return Ok(());
        }
        let Some(participation) = self.session.participations.live_mut() else { return Ok(()) };
        if participation.waiting {
            return Ok(());
        }
        let speakers = participation.speakers.borrow_and_update().clone();
        let speaker_ids = speakers.into_iter().map(|speaker| speaker.0).collect();
        let meeting_id = participation.meeting_id();
        self.say(meeting_id, Body::Speakers(Speakers { speaker_ids })).await
    }
}

impl Participation {
    /// Takes an event into account; true if it lets the terminal in from the lobby.
    fn note(&mut self, event: &MeetingEvent) -> bool {
        self.cursor = event.number;
        let own = self.attachment.participant;
        if let Some(cause) = &event.cause
            && cause.participant_id == own.0
        {
            self.unanswered.answer(&cause.operation_id);
        }
        match &event.body {
            Some(EventBody::Joined(joined)) => match &joined.participant {
                Some(participant) if participant.participant_id == own.0 => {
                    let waits = participant.presence() == Presence::Waiting;
                    let waited = std::mem::replace(&mut self.waiting, waits);
                    // What is missed may begin after the waiting. Nobody's coming has a cause but being let
                    // in by a host; and who had a cursor before coming in for the first time has waited.
                    let is_first = event.at.is_some() && event.at == participant.joined_at;
                    let is_admitted = !waits && (waited || event.cause.is_some() || is_first);
                    if is_admitted {
                        self.roster = self.attachment.hub.seen_by(own);
                    }
                    is_admitted
                }
                _ => false,
            },
            Some(EventBody::HostChanged(changed)) => {
                if changed.participant_id == own.0 {
                    // Hosts see who waits, others don't.
                    self.roster = self.attachment.hub.seen_by(own);
                }
                false
            }
            _ => false,
        }
    }

    fn is_told(&mut self, event: &MeetingEvent, relay: &tributary_identifiers::RelayId) -> bool {
        let own = self.attachment.participant;
        if let Some(standing) = self.attachment.hub.standing(own) {
            self.host = standing.host;
        }
        // Of the lobby as the terminal knows it: the hub may be some events ahead.
        let standing =
            crate::meetings::Standing { id: own, waiting: self.waiting, host: self.host };
        standing.is_told(event.audience.as_ref(), relay)
    }
}

/// Goes on with what the hub has, and a roster for what is missing; false if the participant is out.
fn skip(participation: &mut Participation) -> StillIn {
    let own = participation.attachment.participant;
    let Some(look) = participation.attachment.hub.look(own, true) else { return false };
    participation.cursor = look.number;
    participation.waiting = look.standing.waiting;
    participation.host = look.standing.host;
    // Their answers may be among what is missing.
    participation.unanswered = Unanswered::default();
    participation.roster = look.seen;
    true
}

/// Whether an event changes what a participant may be heard in.
fn concerns_sound(event: &MeetingEvent, own: ParticipantId) -> bool {
    let caused = event.cause.as_ref().is_some_and(|cause| cause.participant_id == own.0);
    let about = match &event.body {
        Some(EventBody::Joined(joined)) => {
            joined.participant.as_ref().is_some_and(|p| p.participant_id == own.0)
        }
        Some(EventBody::Muted(muted)) => muted.participant_id == own.0,
        Some(EventBody::TalkChanged(changed)) => changed.participant_id == own.0,
        _ => false,
    };
    caused || about
}
