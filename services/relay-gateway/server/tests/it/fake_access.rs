//! Access control that decides as the test says.

use std::{collections::HashMap, sync::Mutex};

use tonic::{Request, Response, Status, async_trait};
use tributary_contracts::access::v1::{
    CreateShareRequest, CreateShareResponse, DecideRequest, DecideResponse, ListSharesRequest,
    ListSharesResponse, Reason, RevokeShareRequest, RevokeShareResponse, Role, Share, ShareLink,
    Told, access_service_server::AccessService,
};

/// What is decided about a meeting, for everybody.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    Allowed(Role),
    /// What may be told, and the reason that credential gives for programs.
    Refused(Told, &'static str),
}

#[derive(Default)]
pub struct Access {
    verdicts: Mutex<HashMap<String, Verdict>>,
    pub decisions: Mutex<Vec<DecideRequest>>,
    /// Calls besides decisions.
    pub shares: Mutex<usize>,
    /// While it is locked, no share is made.
    pub sharing: tokio::sync::Mutex<()>,
}

impl Access {
    pub fn decide(&self, meeting_id: impl ToString, verdict: Verdict) {
        self.verdicts.lock().unwrap().insert(meeting_id.to_string(), verdict);
    }

    /// Meetings that nothing was said about are absent.
    pub fn verdict(&self, meeting_id: &str) -> Verdict {
        let verdicts = self.verdicts.lock().unwrap();
        verdicts.get(meeting_id).copied().unwrap_or(Verdict::Refused(Told::Nothing, "MAY_NOT_JOIN"))
    }

    fn count_share(&self) {
        *self.shares.lock().unwrap() += 1;
    }
}

#[async_trait]
impl AccessService for Access {
    async fn decide(
        &self,
        request: Request<DecideRequest>,
    ) -> Result<Response<DecideResponse>, Status> {
        let request = request.into_inner();
        let verdict = self.verdict(&request.meeting_id);
        self.decisions.lock().unwrap().push(request);
        Ok(Response::new(match verdict {
            Verdict::Allowed(role) => DecideResponse {
                allowed: true,
                reason: Reason::Member.into(),
                told: Told::Unspecified.into(),
                role: role.into(),
            },
            Verdict::Refused(told, _) => DecideResponse {
                allowed: false,
                reason: Reason::NotShared.into(),
                told: told.into(),
                role: Role::Outsider.into(),
            },
        }))
    }

    async fn create_share(
        &self,
        request: Request<CreateShareRequest>,
    ) -> Result<Response<CreateShareResponse>, Status> {
        self.count_share();
        let _may_go_on = self.sharing.lock().await;
        let request = request.into_inner();
        let url = format!("https://meet.example/#/m/{}/AAECAwQFBgcICQoLDA0ODw", request.meeting_id);
        let share = Share { form: request.form, created_by: request.user_id, ..Share::default() };
        let link = ShareLink { url, text: request.display_name, ..ShareLink::default() };
        Ok(Response::new(CreateShareResponse { share: Some(share), link: Some(link) }))
    }

    async fn list_shares(
        &self,
        _: Request<ListSharesRequest>,
    ) -> Result<Response<ListSharesResponse>, Status> {
        self.count_share();
        Ok(Response::new(ListSharesResponse::default()))
    }

    async fn revoke_share(
        &self,
        _: Request<RevokeShareRequest>,
    ) -> Result<Response<RevokeShareResponse>, Status> {
        self.count_share();
        Ok(Response::new(RevokeShareResponse {}))
    }
}
