//! What the user is told outside of meetings.

use tributary_contracts::{
    registry::v1::DismissNoticeRequest,
    terminal::v1::{
        DismissNotice, NoticeDismissed, Notices, ReceiveNotices, relay_message::Body as Reply,
    },
};

use super::super::session::{Listening, Session};
use crate::{notices::Sent, refusal::Refused, trust::end_of};

impl Session {
    /// All that the user was told and has not dealt with; from now on what is new is pushed.
    pub(super) async fn receive_notices(
        &mut self,
        receive: ReceiveNotices,
    ) -> Result<Reply, Refused> {
        let identity = self.identity(&receive.identity_token).await?;
        let organisation = self.shared.organisation.clone();
        let user = identity.claims.user_id.clone();
        // Listened to first: nothing falls between the two.
        let feed = self.shared.notices.open(&organisation, &user);
        let told = feed.listen();
        let notices = self.shared.upstream.notices(&organisation, &user).await?;
        let mut sent = Sent::default();
        for notice in &notices {
            sent.note(&notice.notice_id);
        }
        self.standing.listening = Some(self.shared.trust.hold(identity.provenance()));
        let ends_at = end_of(&identity.claims);
        self.listening = Some(Listening { organisation, user, told, sent, ends_at, _feed: feed });
        Ok(Reply::Notices(Notices { notices }))
    }

    pub(super) async fn dismiss_notice(
        &mut self,
        dismiss: DismissNotice,
    ) -> Result<Reply, Refused> {
        let identity = self.identity(&dismiss.identity_token).await?;
        let request = DismissNoticeRequest {
            organisation: self.shared.organisation.to_string(),
            user_id: identity.claims.user_id.to_string(),
            notice_id: dismiss.notice_id,
        };
        self.shared.upstream.dismiss_notice(request).await.map_err(Refused::in_meeting)?;
        Ok(Reply::NoticeDismissed(NoticeDismissed {}))
    }
}
