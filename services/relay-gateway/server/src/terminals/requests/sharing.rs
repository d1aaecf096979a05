//! Sharing a meeting with outsiders. That only organiser and hosts may is looked at here and decided
//! by access control.

use tributary_contracts::{
    access::v1::{CreateShareRequest, ListSharesRequest, RevokeShareRequest},
    terminal::v1::{
        ListShares, RefusalCode, RevokeShare, ShareMeeting, ShareRevoked,
        relay_message::Body as Reply,
    },
};
use tributary_message_bus::subjects::MeetingScope;

use super::super::{
    admit::Identity,
    session::{Pending, Session},
};
use crate::refusal::Refused;

impl Session {
    /// Who asks, and for which meeting, if they are its organiser or a host.
    async fn host_of(
        &mut self,
        identity_token: &str,
        meeting_id: &str,
    ) -> Result<(Identity, MeetingScope), Refused> {
        let identity = self.identity(identity_token).await?;
        let scope = self.shared.scope(meeting_id)?;
        self.shared.admit_host(&identity, &scope, self.origin.address).await?;
        Ok((identity, scope))
    }

    /// Begins to carry a share out; the connection answers when that is done.
    pub(super) async fn begin_sharing(
        &mut self,
        request_id: u64,
        share: ShareMeeting,
    ) -> Result<(), Refused> {
        if self.sharing.is_some() {
            let text = "one share at a time: wait for the answer to the one before";
            return Err(Refused::new(RefusalCode::Limit, text));
        }
        if share.form.as_ref().is_none_or(|form| form.form.is_none()) {
            return Err(Refused::new(RefusalCode::Malformed, "form: it is missing"));
        }
        let (identity, scope) = self.host_of(&share.identity_token, &share.meeting_id).await?;
        let request = CreateShareRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: identity.claims.user_id.to_string(),
            display_name: identity.claims.display_name,
            form: share.form,
            expires_at: share.expires_at,
            language: share.language,
        };
        let upstream = self.shared.upstream.clone();
        let answer = tokio::spawn(async move {
            let shared = upstream.create_share(request).await;
            Ok(Reply::MeetingShared(shared.map_err(Refused::in_meeting)?))
        });
        self.sharing = Some(Pending { request_id, answer });
        Ok(())
    }

    pub(super) async fn list_shares(&mut self, list: ListShares) -> Result<Reply, Refused> {
        let (identity, scope) = self.host_of(&list.identity_token, &list.meeting_id).await?;
        let request = ListSharesRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: identity.claims.user_id.to_string(),
        };
        let shares = self.shared.upstream.list_shares(request).await;
        Ok(Reply::Shares(shares.map_err(Refused::in_meeting)?))
    }

    pub(super) async fn revoke_share(&mut self, revoke: RevokeShare) -> Result<Reply, Refused> {
        let (identity, scope) = self.host_of(&revoke.identity_token, &revoke.meeting_id).await?;
        let request = RevokeShareRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: identity.claims.user_id.to_string(),
            share_id: revoke.share_id,
        };
        self.shared.upstream.revoke_share(request).await.map_err(Refused::in_meeting)?;
        Ok(Reply::ShareRevoked(ShareRevoked {}))
    }
}
