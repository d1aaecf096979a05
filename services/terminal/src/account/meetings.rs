//! Meetings from outside: made, read, changed.

use tributary_contracts::{
    registry::v1::{Meeting, Member, MemberRole},
    terminal::v1::{
        ChangeMembers, CreateMeeting, DeleteAttachment, JoinCredential, ListMyMeetings,
        MeetingCreated, MeetingDetails, ReadMeeting, RequestJoinCredential, UpdateMeeting,
        relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::MeetingId;

use super::Account;
use crate::{Target, protocol::RequestError};

impl Account {
    /// Creates a meeting. The identity token is filled in.
    pub async fn create_meeting(
        &self,
        create: CreateMeeting,
    ) -> Result<MeetingCreated, RequestError> {
        let create = CreateMeeting { identity_token: self.token().await?, ..create };
        match self.request(Body::CreateMeeting(create)).await? {
            Reply::MeetingCreated(created) => Ok(created),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// The own meetings that are not over.
    pub async fn meetings(&self) -> Result<Vec<Meeting>, RequestError> {
        let identity_token = self.token().await?;
        match self.request(Body::ListMyMeetings(ListMyMeetings { identity_token })).await? {
            Reply::Meetings(meetings) => Ok(meetings.meetings),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// What a meeting is about, who is in it and what is attached.
    pub async fn read(&self, target: impl Into<Target>) -> Result<MeetingDetails, RequestError> {
        let Target { meeting_id, share_secret, password } = target.into();
        let meeting_id = meeting_id.to_string();
        let identity_token = self.token().await?;
        let read = ReadMeeting { identity_token, meeting_id, password, share_secret };
        match self.request(Body::ReadMeeting(read)).await? {
            Reply::MeetingDetails(details) => Ok(details),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// The right to join, without joining.
    pub async fn join_credential(
        &self,
        target: impl Into<Target>,
    ) -> Result<JoinCredential, RequestError> {
        let Target { meeting_id, share_secret, password } = target.into();
        let request = RequestJoinCredential {
            identity_token: self.token().await?,
            meeting_id: meeting_id.to_string(),
            password,
            public_key: self.public_key(),
            share_secret,
            previous_join_credential: String::new(),
        };
        match self.request(Body::RequestJoinCredential(request)).await? {
            Reply::JoinCredential(credential) => Ok(credential),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Changes a meeting. The identity token is filled in.
    pub async fn update_meeting(&self, update: UpdateMeeting) -> Result<Meeting, RequestError> {
        let update = UpdateMeeting { identity_token: self.token().await?, ..update };
        match self.request(Body::UpdateMeeting(update)).await? {
            Reply::MeetingUpdated(updated) => updated.meeting.ok_or(RequestError::WrongKind),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Puts users on the member list, or gives them another role; says how many are on it.
    pub async fn set_members(
        &self,
        meeting: MeetingId,
        members: &[(&str, MemberRole)],
    ) -> Result<u32, RequestError> {
        let member = |(user, role): &(&str, MemberRole)| Member {
            user_id: (*user).to_owned(),
            role: (*role).into(),
        };
        let set = members.iter().map(member).collect();
        self.change_members(meeting, set, Vec::new()).await
    }

    /// Takes users off the member list; says how many are on it.
    pub async fn remove_members(
        &self,
        meeting: MeetingId,
        user_ids: &[&str],
    ) -> Result<u32, RequestError> {
        let remove = user_ids.iter().map(|user| (*user).to_owned()).collect();
        self.change_members(meeting, Vec::new(), remove).await
    }

    async fn change_members(
        &self,
        meeting: MeetingId,
        set: Vec<Member>,
        remove_user_ids: Vec<String>,
    ) -> Result<u32, RequestError> {
        let (identity_token, meeting_id) = (self.token().await?, meeting.to_string());
        let change = ChangeMembers { identity_token, meeting_id, set, remove_user_ids };
        match self.request(Body::ChangeMembers(change)).await? {
            Reply::MembersChanged(changed) => Ok(changed.members),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Takes a file away.
    pub async fn delete_attachment(
        &self,
        meeting: MeetingId,
        attachment_id: &str,
    ) -> Result<(), RequestError> {
        let delete = DeleteAttachment {
            identity_token: self.token().await?,
            meeting_id: meeting.to_string(),
            attachment_id: attachment_id.to_owned(),
        };
        match self.request(Body::DeleteAttachment(delete)).await? {
            Reply::AttachmentDeleted(_) => Ok(()),
            _ => Err(RequestError::WrongKind),
        }
    }
}
