//! The right to join, and joining.

use tokio::{sync::watch, time::Instant};
use tributary_contracts::{
    credential::v1::IssueJoinCredentialRequest,
    registry::v1::{JoinRequest, Meeting},
    terminal::v1::{
        Join, JoinCredential, Joined, RefusalCode, RequestJoinCredential,
        relay_message::Body as Reply,
    },
};
use tributary_identifiers::{MeetingId, ParticipantId, TerminalSessionId};
use tributary_join_credential::{JoinClaims, JoinError, Verified, VerifyError};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    super::{
        attached::{Attachment, WasIn},
        participations::{Participation, roster},
        session::Session,
        turns::Who,
    },
    identity::thumbprint,
};
use crate::{
    meetings::Look,
    operations::{Signer, Unanswered},
    refusal::Refused,
    trust::Joining,
    upstream::{CREDENTIAL, REGISTRY},
};

/// Who has come in.
struct Entered {
    attachment: Attachment,
    meeting: Meeting,
}

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
            client_address: self.origin.address.to_string(),
            previous_join_credential: request.previous_join_credential,
        };
        let issued = self.shared.upstream.issue_join_credential(request).await?;
        Ok(Reply::JoinCredential(JoinCredential {
            join_credential: issued.join_credential,
            expires_at: issued.expires_at,
        }))
    }

    pub(super) async fn join(&mut self, join: Join) -> Result<Reply, Refused> {
        let session: TerminalSessionId = join.session_id.parse().map_err(|error| {
            Refused::new(RefusalCode::Malformed, format!("session_id: {error}"))
        })?;
        let verified = self.verify(&join).await?;
        let hold = self.shared.trust.hold(verified.provenance());
        let claims = verified.claims;
        let scope =
            MeetingScope { organisation: claims.organisation.clone(), meeting: claims.meeting_id };
        self.participations.admit(&scope, join.held)?;
        if self.shared.narrowings.outdate(&scope, claims.issued_at).await {
            let text = "who may join this meeting has changed: ask for a new join credential";
            return Err(Refused::new(RefusalCode::CredentialExpired, text));
        }
        let Entered { attachment, meeting } = self.enter(&claims, &join).await?;
        let id = attachment.participant;
        let key = claims.key_thumbprint.clone();
        let signer = Signer { scope: scope.clone(), participant: id, session, key };
        let resumes = join.cursor > 0;
        // From here on the participant is in, and leaves in order if something fails.
        let (newest, look) = match self.catch_up(&attachment, !resumes).await {
            Ok(caught_up) => caught_up,
            Err(refused) => {
                // Whether it is known here that the participant is in is not known.
                self.shared.attached.lose(attachment, hold, Instant::now(), WasIn::Perhaps);
                return Err(refused);
            }
        };
        let waiting = look.standing.waiting;
        let participation = Participation {
            signer,
            hold,
            newest,
            speakers: attachment.hub.speakers.subscribe(),
            cursor: if resumes { join.cursor.min(look.number) } else { look.number },
            joined_at: look.number,
            waiting,
            host: look.standing.host,
            roster: None,
            sound: None,
            unanswered: Unanswered::default(),
            page: None,
            attachment,
        };
        self.participations.add(participation, join.held);
        if !waiting {
            self.attach_media(&scope).await;
        }
        metrics::counter!("tributary_relay_joins_total").increment(1);
        tracing::info!(meeting = %claims.meeting_id, participant = %id, waiting, "joined");
        let roster = look.seen.map(roster);
        let meeting = Some(meeting);
        Ok(Reply::Joined(Joined { participant_id: id.0, meeting, roster, waiting }))
    }

    /// Brings a participant in at the registry and here, when nothing else is told about it.
    async fn enter(&self, claims: &JoinClaims, join: &Join) -> Result<Entered, Refused> {
        let scope =
            MeetingScope { organisation: claims.organisation.clone(), meeting: claims.meeting_id };
        let (user, key) = (claims.user_id.clone(), claims.key_thumbprint.clone());
        let who = Who { scope: scope.clone(), user, key };
        let attached = &self.shared.attached;
        let turn = attached.turn(&who).await;
        let joined = self.shared.upstream.join(self.join_request(claims, join)).await?;
        let (Some(participant), Some(meeting)) = (joined.participant, joined.meeting) else {
            return Err(Refused::try_again(REGISTRY));
        };
        let id = ParticipantId(participant.participant_id);
        let hub = self.shared.meetings.open(&scope);
        let attachment = attached.enter(&hub, id, who, &self.origin, &turn);
        Ok(Entered { attachment, meeting })
    }

    /// Waits until the meeting is known here with the joining in it; then tells the numbers of its
    /// events from then on, and how the participant stands at that moment.
    async fn catch_up(
        &self,
        attachment: &Attachment,
        with_roster: bool,
    ) -> Result<(watch::Receiver<Option<u64>>, Look), Refused> {
        let hub = &attachment.hub;
        let newest = hub.follow(&self.shared.upstream).await;
        let newest = newest.ok_or_else(|| Refused::try_again(REGISTRY))?;
        // Otherwise taken out again in the same moment.
        let look = hub.look(attachment.participant, with_roster);
        Ok((newest, look.ok_or_else(|| Refused::try_again(REGISTRY))?))
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

    fn join_request(&self, claims: &JoinClaims, join: &Join) -> JoinRequest {
        JoinRequest {
            organisation: claims.organisation.to_string(),
            meeting_id: claims.meeting_id.to_string(),
            user_id: claims.user_id.to_string(),
            display_name: claims.display_name.chars().take(NAME_CHARACTERS_MAX).collect(),
            guest: claims.guest,
            key_thumbprint: claims.key_thumbprint.to_string(),
            relay_id: self.origin.relay.to_string(),
            relay_name: self.origin.relay_name.clone(),
            relay_session_id: self.shared.relay_session.to_string(),
            muted: join.muted,
            session_id: join.session_id.clone(),
            held: join.held,
            relay_depth: self.origin.depth,
            relay_itself: self.origin.own,
            relay_path: self.origin.path.clone(),
            core_relay_id: self.shared.relay.to_string(),
        }
    }
}
