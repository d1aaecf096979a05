//! Join credentials: asked of access-control, issued here.

use tonic::{Code, Status};
use tributary_contracts::{
    access::v1::{Action, DecideRequest, Told, access_service_client::AccessServiceClient},
    credential::v1::{IssueJoinCredentialRequest, IssueJoinCredentialResponse},
};
use tributary_credential_core::{address_prefix, comes_back, join_claims};
use tributary_identifiers::MeetingId;
use tributary_join_credential::IdentityClaims;
use tributary_password_hash::PASSWORD_LENGTH_MAX;
use tributary_service_runtime::ServiceChannel;

use super::{Identities, identities::Asker, read_thumbprint, status, timestamp};
use crate::metrics;

/// Longer than any share secret, in bytes.
const SHARE_SECRET_LENGTH_MAX: usize = 64;

/// Issues a join credential for who may join, bound to the key that the identity is bound to.
pub async fn issue(
    identities: &Identities,
    access: &AccessServiceClient<ServiceChannel>,
    request: IssueJoinCredentialRequest,
) -> Result<IssueJoinCredentialResponse, Status> {
    let meeting_id: MeetingId =
        request.meeting_id.parse().map_err(|error| status::invalid("meeting_id", &error))?;
    let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
    check_length("password", &request.password, PASSWORD_LENGTH_MAX)?;
    check_length("share_secret", &request.share_secret, SHARE_SECRET_LENGTH_MAX)?;
    address_prefix(&request.client_address)
        .map_err(|error| status::invalid("client_address", &error))?;
    let Asker { claims: identity, since } = identities.identify_by(&request.identity_token).await?;
    if identity.key_thumbprint != key_thumbprint {
        return Err(status::other_key());
    }
    let question = DecideRequest {
        organisation: identity.organisation.to_string(),
        meeting_id: meeting_id.to_string(),
        user_id: identity.user_id.to_string(),
        action: Action::Join.into(),
        reconnect: is_reconnect(identities, &request, &identity, meeting_id),
        password: request.password,
        share_secret: request.share_secret,
        guest: identity.guest,
        client_id: identity.key_thumbprint.to_string(),
        client_address: request.client_address,
    };
    ask(access, question).await?;
    let claims = join_claims(identity, meeting_id, since);
    let key = identities.signing_key(identities.clock.seconds())?;
    let join_credential = key.issue_join(&claims).map_err(status::of_signing)?;
    metrics::join_credential("issued");
    let expires_at = Some(timestamp(claims.expires_at));
    Ok(IssueJoinCredentialResponse { join_credential, expires_at })
}

/// Whether the terminal shows that it was in this meeting. What does not show it counts as nothing.
fn is_reconnect(
    identities: &Identities,
    request: &IssueJoinCredentialRequest,
    identity: &IdentityClaims,
    meeting_id: MeetingId,
) -> bool {
    let previous = &request.previous_join_credential;
    if previous.is_empty() {
        return false;
    }
    let now = identities.clock.seconds();
    let trust = identities.authority.trust();
    trust
        .verify(|verifier| verifier.verify_previous_join(previous, now))
        .is_ok_and(|previous| comes_back(&previous.claims, identity, meeting_id))
}

/// Asks access-control. An answer that is no answer counts as none: nobody gets in by a fault.
async fn ask(
    access: &AccessServiceClient<ServiceChannel>,
    question: DecideRequest,
) -> Result<(), Status> {
    let (meeting_id, user_id) = (question.meeting_id.clone(), question.user_id.clone());
    match access.clone().decide(question).await {
        Ok(answer) if answer.get_ref().allowed => Ok(()),
        Ok(answer) => {
            let reason = answer.get_ref().reason().as_str_name();
            tracing::debug!(meeting_id, user_id, reason, "access-control refused");
            metrics::join_credential("refused");
            Err(match answer.get_ref().told() {
                Told::Unspecified | Told::Nothing => status::may_not_join(),
                Told::WrongPassword => status::wrong_meeting_password(),
                Told::Ended => status::meeting_ended(),
                Told::TryLater => status::try_later("too many attempts were made"),
            })
        }
        Err(error) => {
            metrics::join_credential("unavailable");
            if error.code() == Code::ResourceExhausted {
                return Err(status::busy());
            }
            tracing::warn!(code = ?error.code(), message = error.message(),
                "access-control did not decide");
            Err(status::access_control_unavailable())
        }
    }
}

fn check_length(field: &str, text: &str, length_max: usize) -> Result<(), Status> {
    if text.len() > length_max {
        return Err(status::invalid(field, &format!("must be at most {length_max} bytes")));
    }
    Ok(())
}
