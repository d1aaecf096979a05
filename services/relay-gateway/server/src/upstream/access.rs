//! What access control is asked.

use tributary_contracts::access::v1::{
    CreateShareRequest, CreateShareResponse, DecideRequest, ListSharesRequest, ListSharesResponse,
    RevokeShareRequest, Role,
};

use super::{ACCESS, Upstream, answered};
use crate::refusal::Refused;

impl Upstream {
    /// What the user is in the meeting, if the access is allowed.
    pub(crate) async fn decide(&self, request: DecideRequest) -> Result<Role, Refused> {
        let decision = answered(ACCESS, self.access.clone().decide(request).await)?;
        if decision.allowed { Ok(decision.role()) } else { Err(Refused::told(decision.told())) }
    }

    pub(crate) async fn create_share(
        &self,
        request: CreateShareRequest,
    ) -> Result<CreateShareResponse, Refused> {
        answered(ACCESS, self.patient_access.clone().create_share(request).await)
    }

    pub(crate) async fn list_shares(
        &self,
        request: ListSharesRequest,
    ) -> Result<ListSharesResponse, Refused> {
        answered(ACCESS, self.access.clone().list_shares(request).await)
    }

    pub(crate) async fn revoke_share(&self, request: RevokeShareRequest) -> Result<(), Refused> {
        answered(ACCESS, self.access.clone().revoke_share(request).await).map(drop)
    }
}
