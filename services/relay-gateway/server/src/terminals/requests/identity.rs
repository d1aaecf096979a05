//! Who the user is: log-in, guests, refreshing, log-out, other users.

use tributary_contracts::{
    credential::v1 as credential,
    terminal::v1::{
        BeginOidcLogIn, EnterAsGuest, FindUsers, FinishOidcLogIn, LogIn, LogOut, LoggedOut,
        RefreshIdentity, RefusalCode, relay_message::Body as Reply,
    },
};
use tributary_join_credential::key_thumbprint;

use super::super::session::Session;
use crate::{
    refusal::Refused,
    trust::{Hold, end_of},
};

/// Length of a terminal's public key, in bytes.
const PUBLIC_KEY_BYTES: usize = 65;

impl Session {
    fn organisation(&self) -> String {
        self.shared.organisation.to_string()
    }

    pub(super) async fn log_in_options(&self) -> Result<Reply, Refused> {
        let request = credential::GetLogInOptionsRequest { organisation: self.organisation() };
        Ok(Reply::LogInOptions(self.shared.upstream.log_in_options(request).await?))
    }

    pub(super) async fn log_in(&self, log_in: LogIn) -> Result<Reply, Refused> {
        let request = credential::LogInRequest {
            organisation: self.organisation(),
            user_name: log_in.user_name,
            password: log_in.password,
            key_thumbprint: thumbprint(&log_in.public_key)?,
            client_address: self.origin.address.to_string(),
        };
        Ok(Reply::Identity(self.shared.upstream.log_in(request).await?))
    }

    pub(super) async fn enter_as_guest(&self, guest: EnterAsGuest) -> Result<Reply, Refused> {
        let request = credential::RegisterGuestRequest {
            organisation: self.organisation(),
            display_name: guest.display_name,
            key_thumbprint: thumbprint(&guest.public_key)?,
            client_address: self.origin.address.to_string(),
        };
        Ok(Reply::Identity(self.shared.upstream.register_guest(request).await?))
    }

    pub(super) async fn begin_oidc(&self, begin: BeginOidcLogIn) -> Result<Reply, Refused> {
        let request = credential::BeginOidcLogInRequest {
            organisation: self.organisation(),
            provider_id: begin.provider_id,
            redirect_uri: begin.redirect_uri,
            key_thumbprint: thumbprint(&begin.public_key)?,
            client_address: self.origin.address.to_string(),
        };
        Ok(Reply::OidcRedirect(self.shared.upstream.begin_oidc_log_in(request).await?))
    }

    pub(super) async fn finish_oidc(&self, finish: FinishOidcLogIn) -> Result<Reply, Refused> {
        let request = credential::FinishOidcLogInRequest {
            state: finish.state,
            code: finish.code,
            key_thumbprint: thumbprint(&finish.public_key)?,
            issuer: finish.issuer,
        };
        Ok(Reply::Identity(self.shared.upstream.finish_oidc_log_in(request).await?))
    }

    /// A new token for one that still holds; the connection stands by the new one.
    pub(super) async fn refresh_identity(
        &mut self,
        refresh: RefreshIdentity,
    ) -> Result<Reply, Refused> {
        thumbprint(&refresh.public_key)?;
        let earlier = self.identity(&refresh.identity_token).await?.claims;
        let request = credential::RefreshIdentityRequest {
            identity_token: refresh.identity_token,
            public_key: refresh.public_key,
            signed_at: refresh.signed_at,
            proof: refresh.proof,
        };
        let refreshed = self.shared.upstream.refresh_identity(request).await?;
        let newer = self.identity(&refreshed.identity_token).await?;
        // Notices go on by the new token, if they are of the same user.
        let listening = &mut self.standing.listening;
        if listening.as_ref().is_some_and(|hold| hold.provenance().user_id == earlier.user_id) {
            *listening = Some(self.shared.trust.hold(newer.provenance()));
            if let Some(listening) = &mut self.listening {
                listening.ends_at = end_of(&newer.claims);
            }
        }
        Ok(Reply::Identity(refreshed))
    }

    pub(super) async fn log_out(&mut self, log_out: LogOut) -> Result<Reply, Refused> {
        let request = credential::LogOutRequest { identity_token: log_out.identity_token };
        let token = self.shared.identity(&request.identity_token).await.ok();
        self.shared.upstream.log_out(request).await?;
        // Who logs out stays connected, as nobody; unless it is in a meeting: then the revocation, which
        // is on its way, ends that too.
        if let Some(token) = token
            && self.participations.is_empty()
        {
            // By an older or a newer token of the same log-in as well.
            let is_it = |hold: &Hold| {
                let of = hold.provenance();
                of.user_id == token.claims.user_id
                    && of.key_thumbprint == token.claims.key_thumbprint
            };
            if self.standing.shown.as_ref().is_some_and(is_it) {
                self.standing.shown = None;
            }
            if self.standing.listening.as_ref().is_some_and(is_it) {
                (self.standing.listening, self.listening) = (None, None);
            }
        }
        Ok(Reply::LoggedOut(LoggedOut {}))
    }

    pub(super) async fn find_users(&mut self, find: FindUsers) -> Result<Reply, Refused> {
        self.identity(&find.identity_token).await?;
        let request = credential::FindUsersRequest {
            identity_token: find.identity_token,
            beginning: find.beginning,
            user_ids: find.user_ids,
        };
        Ok(Reply::UsersFound(self.shared.upstream.find_users(request).await?))
    }
}

/// What identifies a terminal's key; refuses what is no such key.
pub(super) fn thumbprint(public_key: &[u8]) -> Result<String, Refused> {
    let malformed = |text: String| Refused::new(RefusalCode::Malformed, text);
    if public_key.len() != PUBLIC_KEY_BYTES {
        return Err(malformed(format!("public_key: it must have {PUBLIC_KEY_BYTES} bytes")));
    }
    key_thumbprint(public_key)
        .map(|thumbprint| thumbprint.to_string())
        .map_err(|error| malformed(format!("public_key: {error}")))
}
