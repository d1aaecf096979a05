//! Sharing meetings.

use tributary_contracts::{
    access::v1::{
        CreateShareResponse, EmailForm, LinkForm, Share, ShareForm, ShareLink, UsersForm,
        share_form::Form,
    },
    terminal::v1::{
        ListShares, RevokeShare, ShareMeeting, relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::MeetingId;

use super::Account;
use crate::protocol::RequestError;

impl Account {
    /// Shares a meeting. The identity token is filled in.
    pub async fn share(&self, share: ShareMeeting) -> Result<CreateShareResponse, RequestError> {
        let share = ShareMeeting { identity_token: self.token().await?, ..share };
        match self.request(Body::ShareMeeting(share)).await? {
            Reply::MeetingShared(shared) => Ok(shared),
            _ => Err(RequestError::WrongKind),
        }
    }

    async fn share_by(
        &self,
        meeting: MeetingId,
        form: Form,
    ) -> Result<CreateShareResponse, RequestError> {
        let (meeting_id, form) = (meeting.to_string(), Some(ShareForm { form: Some(form) }));
        self.share(ShareMeeting { meeting_id, form, ..ShareMeeting::default() }).await
    }

    /// Shares a meeting by a link.
    pub async fn share_link(&self, meeting: MeetingId) -> Result<(Share, ShareLink), RequestError> {
        let shared = self.share_by(meeting, Form::Link(LinkForm {})).await?;
        shared.share.zip(shared.link).ok_or(RequestError::WrongKind)
    }

    /// Shares a meeting with named users.
    pub async fn share_with_users(
        &self,
        meeting: MeetingId,
        user_ids: &[&str],
    ) -> Result<Share, RequestError> {
        let user_ids = user_ids.iter().map(|user| (*user).to_owned()).collect();
        let shared = self.share_by(meeting, Form::Users(UsersForm { user_ids })).await?;
        shared.share.ok_or(RequestError::WrongKind)
    }

    /// Shares a meeting by e-mail.
    pub async fn share_by_email(
        &self,
        meeting: MeetingId,
        addresses: &[&str],
    ) -> Result<Share, RequestError> {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        let shared = self.share_by(meeting, Form::Email(EmailForm { addresses })).await?;
        shared.share.ok_or(RequestError::WrongKind)
    }

    /// The shares of a meeting, newest first.
    pub async fn shares(&self, meeting: MeetingId) -> Result<Vec<Share>, RequestError> {
        let (identity_token, meeting_id) = (self.token().await?, meeting.to_string());
        match self.request(Body::ListShares(ListShares { identity_token, meeting_id })).await? {
            Reply::Shares(shares) => Ok(shares.shares),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Takes a share back; an empty id: all of the meeting.
    pub async fn revoke_share(
        &self,
        meeting: MeetingId,
        share_id: &str,
    ) -> Result<(), RequestError> {
        let (identity_token, meeting_id) = (self.token().await?, meeting.to_string());
        let share_id = share_id.to_owned();
        let revoke = RevokeShare { identity_token, meeting_id, share_id };
        match self.request(Body::RevokeShare(revoke)).await? {
            Reply::ShareRevoked(_) => Ok(()),
            _ => Err(RequestError::WrongKind),
        }
    }
}
