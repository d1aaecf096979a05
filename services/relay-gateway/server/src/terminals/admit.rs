//! Who asks, and may they see this meeting? The same two questions for requests over the WebSocket and
//! over HTTP.
//!
//! **Invariant:** nothing about a meeting is asked of anybody but access control before access control
//! has let the user in, so that its answer, its time and its counts are all that an outsider sees.

use std::net::IpAddr;

use tributary_contracts::access::v1::{Action, DecideRequest, Role};
use tributary_join_credential::{IdentityClaims, Verified, VerifyError};
use tributary_message_bus::subjects::MeetingScope;

use super::Shared;
use crate::{refusal::Refused, upstream::CREDENTIAL};

/// Who is logged in, as the token says.
pub(crate) type Identity = Verified<IdentityClaims>;

/// What an outsider shows to be let in.
#[derive(Default)]
pub(crate) struct Shown {
    /// The meeting's password, empty if none.
    pub(crate) password: String,
    /// The share secret of a link, empty if none.
    pub(crate) share_secret: String,
}

impl Shared {
    /// Verifies an identity token.
    pub(crate) async fn identity(&self, token: &str) -> Result<Identity, Refused> {
        use tributary_contracts::terminal::v1::RefusalCode::NotLoggedIn;
        let identity = self.trust.verify_identity(token).await.map_err(|error| match error {
            // Newer than what this relay has heard. A key that there is not any more is another matter.
            VerifyError::UnknownKey if !self.trust.keys_are_fresh() => {
                Refused::try_again(CREDENTIAL)
            }
            VerifyError::Revoked => Refused::revoked(),
            error => Refused::new(NotLoggedIn, format!("log in again: {error}")),
        })?;
        if identity.claims.organisation != self.organisation {
            let text = "log in again: the identity token is of another organisation";
            return Err(Refused::new(NotLoggedIn, text));
        }
        Ok(identity)
    }

    /// The meeting of this id in the relay's organisation; an id that can't be one is as good as
    /// absent.
    pub(crate) fn scope(&self, meeting_id: &str) -> Result<MeetingScope, Refused> {
        let meeting = meeting_id.parse().map_err(|_| Refused::not_admitted())?;
        Ok(MeetingScope { organisation: self.organisation.clone(), meeting })
    }

    /// What the user is in a meeting that they may read about.
    pub(crate) async fn admit_reader(
        &self,
        identity: &Identity,
        scope: &MeetingScope,
        shown: Shown,
        address: IpAddr,
    ) -> Result<Role, Refused> {
        let request = DecideRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: identity.claims.user_id.to_string(),
            action: Action::Read.into(),
            password: shown.password,
            share_secret: shown.share_secret,
            guest: identity.claims.guest,
            client_id: identity.claims.key_thumbprint.to_string(),
            client_address: address.to_string(),
            reconnect: false,
        };
        self.upstream.decide(request).await
    }

    /// Lets organiser and hosts through.
    pub(crate) async fn admit_host(
        &self,
        identity: &Identity,
        scope: &MeetingScope,
        address: IpAddr,
    ) -> Result<(), Refused> {
        match self.admit_reader(identity, scope, Shown::default(), address).await? {
            Role::Organiser | Role::Host => Ok(()),
            _ => Err(Refused::forbidden("only the organiser and hosts may do this")),
        }
    }

    /// Lets everybody through who is on the member list.
    pub(crate) async fn admit_member(
        &self,
        identity: &Identity,
        scope: &MeetingScope,
        address: IpAddr,
    ) -> Result<(), Refused> {
        match self.admit_reader(identity, scope, Shown::default(), address).await? {
            Role::Organiser | Role::Host | Role::Member => Ok(()),
            _ => Err(Refused::forbidden("only members of the meeting may do this")),
        }
    }
}
