//! What the credential service is asked.

use tributary_contracts::credential::v1::{
    BeginOidcLogInRequest, BeginOidcLogInResponse, FindUsersRequest, FindUsersResponse,
    FinishOidcLogInRequest, GetLogInOptionsRequest, GetLogInOptionsResponse, Identity,
    IssueJoinCredentialRequest, IssueJoinCredentialResponse, LogInRequest, LogOutRequest,
    RefreshIdentityRequest, RegisterGuestRequest,
};

use super::{CREDENTIAL, Upstream, answered, present};
use crate::refusal::Refused;

impl Upstream {
    pub(crate) async fn log_in_options(
        &self,
        request: GetLogInOptionsRequest,
    ) -> Result<GetLogInOptionsResponse, Refused> {
        answered(CREDENTIAL, self.credential.clone().get_log_in_options(request).await)
    }

    pub(crate) async fn log_in(&self, request: LogInRequest) -> Result<Identity, Refused> {
        let answer = answered(CREDENTIAL, self.credential.clone().log_in(request).await)?;
        present(CREDENTIAL, answer.identity)
    }

    pub(crate) async fn register_guest(
        &self,
        request: RegisterGuestRequest,
    ) -> Result<Identity, Refused> {
        let answer = answered(CREDENTIAL, self.credential.clone().register_guest(request).await)?;
        present(CREDENTIAL, answer.identity)
    }

    pub(crate) async fn begin_oidc_log_in(
        &self,
        request: BeginOidcLogInRequest,
    ) -> Result<BeginOidcLogInResponse, Refused> {
        answered(CREDENTIAL, self.credential.clone().begin_oidc_log_in(request).await)
    }

    pub(crate) async fn finish_oidc_log_in(
        &self,
        request: FinishOidcLogInRequest,
    ) -> Result<Identity, Refused> {
        let answer = self.credential.clone().finish_oidc_log_in(request).await;
        present(CREDENTIAL, answered(CREDENTIAL, answer)?.identity)
    }

    pub(crate) async fn refresh_identity(
        &self,
        request: RefreshIdentityRequest,
    ) -> Result<Identity, Refused> {
        let answer = answered(CREDENTIAL, self.credential.clone().refresh_identity(request).await)?;
        present(CREDENTIAL, answer.identity)
    }

    pub(crate) async fn log_out(&self, request: LogOutRequest) -> Result<(), Refused> {
        answered(CREDENTIAL, self.credential.clone().log_out(request).await).map(drop)
    }

    pub(crate) async fn find_users(
        &self,
        request: FindUsersRequest,
    ) -> Result<FindUsersResponse, Refused> {
        answered(CREDENTIAL, self.credential.clone().find_users(request).await)
    }

    pub(crate) async fn issue_join_credential(
        &self,
        request: IssueJoinCredentialRequest,
    ) -> Result<IssueJoinCredentialResponse, Refused> {
        answered(CREDENTIAL, self.credential.clone().issue_join_credential(request).await)
    }
}
