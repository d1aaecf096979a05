//! What a terminal asks for, and who answers it.

use std::sync::Arc;

use tokio::sync::broadcast;
use tributary_contracts::{
    credential::v1::{IssueJoinCredentialRequest, LogInRequest, RegisterGuestRequest},
    event::v1::LeaveReason,
    registry::v1::{CreateMeetingRequest, JoinRequest, Operation, operation},
    terminal::v1::{
        CreateMeeting, Join, JoinCredential, Joined, Left, MediaAnswer, MeetingCreated,
        MeetingWasEnded, OperationResult, Pong, RefusalCode, RequestJoinCredential, Roster,
        TerminalMessage, relay_message::Body as Reply, terminal_message::Body as Request,
    },
};
use tributary_identifiers::{MeetingId, ParticipantId};
use tributary_join_credential::{
    IdentityClaims, JoinClaims, JoinError, VerifyError, key_thumbprint,
};
use tributary_message_bus::subjects::MeetingScope;

use super::connection::{Connection, End, Following, Participation, Session, closed};
use crate::{
    keys::Joining,
    media::{Attach, MediaError},
    meetings::{Happening, Hub, Snapshot},
    refusal::Refused,
};

const REGISTRY: &str = "the meeting registry";
/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

impl Connection {
    pub(super) async fn handle_request(&mut self, message: TerminalMessage) -> Result<(), End> {
        let id = message.request_id;
        let Some(request) = message.body else {
            let text = "this kind of message is not known to this relay: is it older than you?";
            return self.refuse(id, Refused::new(RefusalCode::Unsupported, text)).await;
        };
        if let Request::Leave(_) = request {
            return self.leave(id).await;
        }
        let joins = matches!(request, Request::Join(_));
        match self.session.answer(request).await {
            Ok(reply) => self.send(id, reply).await?,
            Err(refused) => return self.refuse(id, refused).await,
        }
        // Who speaks at this moment comes after the roster it refers to.
        if joins { self.send_speakers().await } else { Ok(()) }
    }

    async fn leave(&mut self, id: u64) -> Result<(), End> {
        if let Some(following) = self.session.following.take() {
            let reason = Some(LeaveReason::Left);
            self.session.shared.attached.leave(following.attachment, reason).await;
        }
        self.send(id, Reply::Left(Left {})).await?;
        Err(closed(axum::extract::ws::close_code::NORMAL, Participation::Gone))
    }
}

impl Session {
    async fn answer(&mut self, request: Request) -> Result<Reply, Refused> {
        match request {
            Request::LogIn(log_in) => {
                let request = LogInRequest {
                    organisation: self.shared.organisation.to_string(),
                    user_name: log_in.user_name,
                    password: log_in.password,
                };
                Ok(Reply::Identity(self.shared.upstream.log_in(request).await?))
            }
            Request::EnterAsGuest(guest) => {
                let request = RegisterGuestRequest {
                    organisation: self.shared.organisation.to_string(),
                    display_name: guest.display_name,
                };
                Ok(Reply::Identity(self.shared.upstream.register_guest(request).await?))
            }
            Request::CreateMeeting(create) => self.create_meeting(create).await,
            Request::RequestJoinCredential(request) => self.request_credential(request).await,
            Request::Join(join) => self.join(join).await,
            Request::MediaOffer(offer) => self.media_offer(offer.sdp).await,
            Request::Operate(operate) => self.operate(operate.operation).await,
            Request::EndMeeting(_) => self.end_meeting().await,
            Request::Ping(_) => Ok(Reply::Pong(Pong {})),
            Request::Leave(_) => Ok(Reply::Left(Left {})),
        }
    }

    async fn identity(&self, token: &str) -> Result<IdentityClaims, Refused> {
        let claims =
            self.shared.keys.verify_identity(token).await.map_err(|error| match error {
                VerifyError::UnknownKey => Refused::try_again("the credential service"),
                error => Refused::new(RefusalCode::NotLoggedIn, format!("log in again: {error}")),
            })?;
        if claims.organisation != self.shared.organisation {
            let text = "log in again: the identity token is of another organisation";
            return Err(Refused::new(RefusalCode::NotLoggedIn, text));
        }
        Ok(claims)
    }

    async fn create_meeting(&self, create: CreateMeeting) -> Result<Reply, Refused> {
        let identity = self.identity(&create.identity_token).await?;
        if identity.guest {
            let text = "guests can't create meetings: log in with an account";
            return Err(Refused::new(RefusalCode::Forbidden, text));
        }
        let request = CreateMeetingRequest {
            organisation: self.shared.organisation.to_string(),
            subject: create.subject,
            organiser_user_id: identity.user_id.to_string(),
            member_user_ids: create.member_user_ids,
            password: create.password,
        };
        let meeting = self.shared.upstream.create_meeting(request).await?;
        if create.shared {
            self.shared.upstream.share(&meeting).await?;
        }
        let created = MeetingCreated { meeting_id: meeting.meeting_id, subject: meeting.subject };
        Ok(Reply::MeetingCreated(created))
    }

    async fn request_credential(&self, request: RequestJoinCredential) -> Result<Reply, Refused> {
        let thumbprint = key_thumbprint(&request.public_key).map_err(|error| {
            Refused::new(RefusalCode::Malformed, format!("public_key: {error}"))
        })?;
        let request = IssueJoinCredentialRequest {
            identity_token: request.identity_token,
            meeting_id: request.meeting_id,
            password: request.password,
            key_thumbprint: thumbprint.to_string(),
        };
        let issued = self.shared.upstream.issue_join_credential(request).await?;
        Ok(Reply::JoinCredential(JoinCredential {
            join_credential: issued.join_credential,
            expires_at: issued.expires_at,
        }))
    }

    async fn join(&mut self, join: Join) -> Result<Reply, Refused> {
        if self.following.is_some() {
            let text = "this connection has joined already: leave first, or open another one";
            return Err(Refused::new(RefusalCode::OutOfOrder, text));
        }
        let claims = self.verify(&join).await?;
        let scope =
            MeetingScope { organisation: claims.organisation.clone(), meeting: claims.meeting_id };
        let joined = self.shared.upstream.join(self.join_request(&claims, join.muted)).await?;
        let (Some(participant), Some(meeting)) = (joined.participant, joined.meeting) else {
            return Err(Refused::try_again(REGISTRY));
        };
        let id = ParticipantId(participant.participant_id);
        let hub = self.shared.meetings.open(&scope);
        // From here on the participant is in, and leaves in order if something fails.
        let attachment = self.shared.attached.enter(&hub, id);
        let attach = Attach {
            terminal: attachment.terminal,
            scope,
            participant: id,
            muted: join.muted,
            speakers: hub.speakers.clone(),
        };
        let (snapshot, happenings) = match self.follow(&hub, attach).await {
            Ok(followed) => followed,
            Err(refused) => {
                self.shared.attached.lose(attachment);
                return Err(refused);
            }
        };
        self.following = Some(Following {
            attachment,
            happenings,
            speakers: hub.speakers.subscribe(),
            cursor: snapshot.event_number,
            organiser: meeting.organiser_user_id == claims.user_id.as_str(),
        });
        metrics::counter!("tributary_relay_joins_total").increment(1);
        tracing::info!(meeting = %claims.meeting_id, participant = %id, "joined");
        Ok(Reply::Joined(Joined {
            participant_id: id.0,
            meeting: Some(meeting),
            roster: Some(Roster {
                participants: snapshot.participants,
                event_number: snapshot.event_number,
            }),
        }))
    }

    /// Brings a participant into the media thread, and gets a roster that has its joining in it.
    async fn follow(
        &self,
        hub: &Hub,
        attach: Attach,
    ) -> Result<(Snapshot, broadcast::Receiver<Arc<Happening>>), Refused> {
        let participant = attach.participant;
        self.shared.media.attach(attach).await.map_err(media_refused)?;
        let followed = hub.follow(&self.shared.upstream).await;
        let (snapshot, happenings) = followed.ok_or_else(|| Refused::try_again(REGISTRY))?;
        if snapshot.participants.iter().any(|other| other.participant_id == participant.0) {
            Ok((snapshot, happenings))
        } else {
            // Taken out again in the same moment.
            Err(Refused::try_again(REGISTRY))
        }
    }

    async fn verify(&self, join: &Join) -> Result<JoinClaims, Refused> {
        let joining = Joining {
            credential: &join.join_credential,
            public_key: &join.public_key,
            nonce: &self.nonce,
            proof: &join.proof,
        };
        let bad = |text: String| Refused::new(RefusalCode::BadCredential, text);
        let claims =
            self.shared.keys.verify_joining(&joining).await.map_err(|error| match error {
                // There are no keys at all yet: the credential may well be good.
                JoinError::Credential(VerifyError::UnknownKey) if !self.shared.keys.are_known() => {
                    Refused::try_again("the credential service")
                }
                JoinError::Credential(VerifyError::Expired) => Refused::new(
                    RefusalCode::CredentialExpired,
                    "the join credential has expired: ask for a new one",
                ),
                error => bad(format!("the join credential is not accepted: {error}")),
            })?;
        if claims.organisation != self.shared.organisation {
            return Err(bad("the join credential is of another organisation".to_owned()));
        }
        let asked = &join.meeting_id;
        if !asked.is_empty() && asked.parse::<MeetingId>().ok() != Some(claims.meeting_id) {
            return Err(bad("the join credential is for another meeting".to_owned()));
        }
        Ok(claims)
    }

    fn join_request(&self, claims: &JoinClaims, muted: bool) -> JoinRequest {
        JoinRequest {
            organisation: claims.organisation.to_string(),
            meeting_id: claims.meeting_id.to_string(),
            user_id: claims.user_id.to_string(),
            display_name: claims.display_name.chars().take(NAME_CHARACTERS_MAX).collect(),
            guest: claims.guest,
            key_thumbprint: claims.key_thumbprint.to_string(),
            relay_id: self.shared.relay.to_string(),
            relay_name: self.shared.relay_name.clone(),
            relay_session_id: self.shared.relay_session.to_string(),
            muted,
        }
    }

    fn joined(&self) -> Result<&Following, Refused> {
        self.following.as_ref().ok_or_else(|| {
            Refused::new(RefusalCode::OutOfOrder, "join a meeting first: send `join`")
        })
    }

    async fn media_offer(&self, sdp: String) -> Result<Reply, Refused> {
        let terminal = self.joined()?.attachment.terminal;
        let sdp = self.shared.media.offer(terminal, sdp).await.map_err(media_refused)?;
        Ok(Reply::MediaAnswer(MediaAnswer { sdp }))
    }

    async fn operate(&self, operation: Option<Operation>) -> Result<Reply, Refused> {
        let attachment = &self.joined()?.attachment;
        let Some(operation) = operation else {
            return Err(Refused::new(RefusalCode::Malformed, "operation: it is missing"));
        };
        let muted = match &operation.body {
            Some(operation::Body::SetMuted(set)) => set.muted,
            None => {
                let text = "this kind of operation is not known to this relay";
                return Err(Refused::new(RefusalCode::Unsupported, text));
            }
        };
        let operation_id = operation.operation_id.clone();
        let (media, terminal) = (&self.shared.media, attachment.terminal);
        if muted {
            // The microphone is off here at once, whatever becomes of the operation.
            media.set_muted(terminal, true).await.map_err(media_refused)?;
        }
        let (scope, participant) = (&attachment.hub.scope, attachment.participant);
        let event_number = self.shared.upstream.apply(scope, participant, operation).await?;
        // 0: it is on already. A number that is long past: the operation has come again, and what was
        // done since counts.
        if !muted && (event_number == 0 || event_number >= self.joined()?.cursor) {
            media.set_muted(terminal, false).await.map_err(media_refused)?;
        }
        Ok(Reply::OperationResult(OperationResult { operation_id, event_number }))
    }

    async fn end_meeting(&self) -> Result<Reply, Refused> {
        let following = self.joined()?;
        if !following.organiser {
            let text = "only the organiser can end the meeting for everybody";
            return Err(Refused::new(RefusalCode::Forbidden, text));
        }
        self.shared.upstream.end_meeting(&following.attachment.hub.scope).await?;
        Ok(Reply::MeetingWasEnded(MeetingWasEnded {}))
    }
}

fn media_refused(error: MediaError) -> Refused {
    match error {
        MediaError::Description(error) => Refused::new(
            RefusalCode::BadSessionDescription,
            format!("the session description is not usable: {error}"),
        ),
        MediaError::NotAttached => {
            Refused::new(RefusalCode::OutOfOrder, "join a meeting first: send `join`")
        }
        error => {
            tracing::error!(%error, "media");
            Refused::try_again("this relay's media")
        }
    }
}
