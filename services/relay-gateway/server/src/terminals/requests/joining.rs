//! The right to join, and joining.

use std::sync::Arc;

use tokio::sync::broadcast;
use tributary_contracts::{
    credential::v1::IssueJoinCredentialRequest,
    registry::v1::JoinRequest,
    terminal::v1::{
        Join, JoinCredential, Joined, RefusalCode, RequestJoinCredential, Roster,
        relay_message::Body as Reply,
    },
};
use tributary_identifiers::{MeetingId, ParticipantId};
use tributary_join_credential::{JoinClaims, JoinError, Verified, VerifyError};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    super::connection::{Following, Session},
    identity::thumbprint,
    in_meeting::media_refused,
};
use crate::{
    media::Attach,
    meetings::{Happening, Hub, Snapshot},
    refusal::Refused,
    trust::Joining,
    upstream::{CREDENTIAL, REGISTRY},
};

/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

impl Session {
    pub(super) async fn request_credential(
        &mut self,
        request: RequestJoinCredential,
    ) -> Result<Reply, Refused> {
        let key_thumbprint = thumbprint(&request.public_key)?;
        self.identity(&request.identity_token).await?;
        let scope = self.shared.scope(&request.meeting_id)?;
        let request = IssueJoinCredentialRequest {
            identity_token: request.identity_token,
            meeting_id: scope.meeting.to_string(),
            password: request.password,
            key_thumbprint,
            share_secret: request.share_secret,
            client_address: self.address.to_string(),
            previous_join_credential: request.previous_join_credential,
        };
        let issued = self.shared.upstream.issue_join_credential(request).await?;
        Ok(Reply::JoinCredential(JoinCredential {
            join_credential: issued.join_credential,
            expires_at: issued.expires_at,
        }))
    }

    pub(super) async fn join(&mut self, join: Join) -> Result<Reply, Refused> {
        if self.following.is_some() {
            let text = "this connection has joined already: leave first, or open another one";
            return Err(Refused::new(RefusalCode::OutOfOrder, text));
        }
        let verified = self.verify(&join).await?;
        let hold = self.shared.trust.hold(verified.provenance());
        let claims = verified.claims;
        let scope =
            MeetingScope { organisation: claims.organisation.clone(), meeting: claims.meeting_id };
        if self.shared.narrowings.outdate(&scope, claims.issued_at).await {
            let text = "who may join this meeting has changed: ask for a new join credential";
            return Err(Refused::new(RefusalCode::CredentialExpired, text));
        }
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
                self.shared.attached.lose(attachment, Some(hold));
                return Err(refused);
            }
        };
        self.standing.joined = Some(hold);
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

    async fn verify(&self, join: &Join) -> Result<Verified<JoinClaims>, Refused> {
        let joining = Joining {
            credential: &join.join_credential,
            public_key: &join.public_key,
            nonce: &self.nonce,
            proof: &join.proof,
        };
        let bad = |text: String| Refused::new(RefusalCode::BadCredential, text);
        let verified =
            self.shared.trust.verify_joining(&joining).await.map_err(|error| match error {
                // There are no keys at all yet: the credential may well be good.
                JoinError::Credential(VerifyError::UnknownKey)
                    if !self.shared.trust.are_known() =>
                {
                    Refused::try_again(CREDENTIAL)
                }
                JoinError::Credential(VerifyError::Revoked) => Refused::revoked(),
                JoinError::Credential(VerifyError::Expired) => Refused::new(
                    RefusalCode::CredentialExpired,
                    "the join credential has expired: ask for a new one",
                ),
                error => bad(format!("the join credential is not accepted: {error}")),
            })?;
        let claims = &verified.claims;
        if claims.organisation != self.shared.organisation {
            return Err(bad("the join credential is of another organisation".to_owned()));
        }
        let asked = &join.meeting_id;
        if !asked.is_empty() && asked.parse::<MeetingId>().ok() != Some(claims.meeting_id) {
            return Err(bad("the join credential is for another meeting".to_owned()));
        }
        Ok(verified)
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
}
