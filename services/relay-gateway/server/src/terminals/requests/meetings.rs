//! Meetings from outside: made, read, changed.
//!
//! Whatever concerns a meeting that exists goes through access control first, so that its answers,
//! counts and times are the same whether or not there is such a meeting.

use tributary_contracts::{
    access::v1::{CreateShareRequest, LinkForm, Role, ShareForm, share_form::Form},
    event::v1::{Participant, Presence},
    registry::v1::{
        CreateMeetingRequest, DeleteAttachmentRequest, Meeting, RemoveMembersRequest,
        SetMembersRequest, UpdateMeetingRequest,
    },
    terminal::v1::{
        AttachmentDeleted, ChangeMembers, CreateMeeting, DeleteAttachment, ListMyMeetings,
        MeetingCreated, MeetingDetails, MeetingUpdated, Meetings, MembersWereChanged, ReadMeeting,
        RefusalCode, UpdateMeeting, relay_message::Body as Reply,
    },
};
use tributary_message_bus::subjects::MeetingScope;

use super::super::{
    admit::{Identity, Shown},
    session::Session,
};
use crate::{refusal::Refused, upstream::REGISTRY};

impl Session {
    pub(super) async fn create_meeting(&mut self, create: CreateMeeting) -> Result<Reply, Refused> {
        let identity = self.identity(&create.identity_token).await?;
        if identity.claims.guest {
            let text = "guests can't create meetings: log in with an account";
            return Err(Refused::forbidden(text));
        }
        let request = CreateMeetingRequest {
            organisation: self.shared.organisation.to_string(),
            subject: create.subject,
            organiser_user_id: identity.claims.user_id.to_string(),
            member_user_ids: create.member_user_ids,
            password: create.password,
            host_user_ids: create.host_user_ids,
            starts_at: create.starts_at,
            lobby: create.lobby,
            organiser_display_name: identity.claims.display_name.clone(),
        };
        let meeting = self.shared.upstream.create_meeting(request).await?;
        let share = if create.shared {
            let shared = self.shared.upstream.create_share(link_to(&meeting, &identity)).await;
            // The meeting is there all the same: its organiser can share it again.
            shared
                .inspect_err(|refused| tracing::warn!(%refused, "a new meeting is not shared"))
                .ok()
        } else {
            None
        };
        let Meeting { meeting_id, subject, .. } = meeting;
        Ok(Reply::MeetingCreated(MeetingCreated { meeting_id, subject, share }))
    }

    pub(super) async fn read_meeting(&mut self, read: ReadMeeting) -> Result<Reply, Refused> {
        let identity = self.identity(&read.identity_token).await?;
        let scope = self.shared.scope(&read.meeting_id)?;
        let shown = Shown { password: read.password, share_secret: read.share_secret };
        let role = self.shared.admit_reader(&identity, &scope, shown, self.origin.address).await?;
        Ok(Reply::MeetingDetails(self.details(&scope, role).await?))
    }

    async fn details(&self, scope: &MeetingScope, role: Role) -> Result<MeetingDetails, Refused> {
        let upstream = &self.shared.upstream;
        let members = async {
            match role {
                Role::Organiser | Role::Host | Role::Member => upstream.members(scope).await,
                Role::Outsider | Role::Unspecified => Ok(Vec::new()),
            }
        };
        let roster = async {
            let roster = upstream.roster(scope).await;
            roster.map_err(|status| Refused::from_status(REGISTRY, &status))
        };
        let (meeting, members, attachments, roster) = tokio::try_join!(
            upstream.meeting(scope),
            members,
            upstream.attachments(scope),
            roster,
        )?;
        let lobby = meeting.lobby;
        Ok(MeetingDetails {
            meeting: Some(meeting),
            role: role.into(),
            members,
            attachments,
            participants: shown(roster.participants, role, lobby),
        })
    }

    pub(super) async fn list_meetings(&mut self, list: ListMyMeetings) -> Result<Reply, Refused> {
        let identity = self.identity(&list.identity_token).await?;
        let (organisation, user) = (&self.shared.organisation, &identity.claims.user_id);
        let meetings = self.shared.upstream.meetings_of(organisation, user).await?;
        Ok(Reply::Meetings(Meetings { meetings }))
    }

    pub(super) async fn update_meeting(&mut self, update: UpdateMeeting) -> Result<Reply, Refused> {
        let identity = self.identity(&update.identity_token).await?;
        let scope = self.shared.scope(&update.meeting_id)?;
        self.shared.admit_host(&identity, &scope, self.origin.address).await?;
        let request = UpdateMeetingRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: identity.claims.user_id.to_string(),
            subject: update.subject,
            starts_at: update.starts_at,
            lobby: update.lobby,
            password: update.password,
        };
        let updated = self.shared.upstream.update_meeting(request).await;
        let meeting = Some(updated.map_err(Refused::in_meeting)?);
        Ok(Reply::MeetingUpdated(MeetingUpdated { meeting }))
    }

    pub(super) async fn change_members(&mut self, change: ChangeMembers) -> Result<Reply, Refused> {
        let identity = self.identity(&change.identity_token).await?;
        let scope = self.shared.scope(&change.meeting_id)?;
        if change.set.is_empty() && change.remove_user_ids.is_empty() {
            let text = "set, remove_user_ids: nobody is named in either";
            return Err(Refused::new(RefusalCode::Malformed, text));
        }
        self.shared.admit_host(&identity, &scope, self.origin.address).await?;
        let members = self.set_and_remove(&identity, &scope, change).await;
        let members = members.map_err(Refused::in_meeting)?;
        Ok(Reply::MembersChanged(MembersWereChanged { members }))
    }

    /// Both can be done again: what is done already changes nothing.
    async fn set_and_remove(
        &self,
        identity: &Identity,
        scope: &MeetingScope,
        change: ChangeMembers,
    ) -> Result<u32, Refused> {
        let upstream = &self.shared.upstream;
        let organisation = scope.organisation.to_string();
        let meeting_id = scope.meeting.to_string();
        let user_id = identity.claims.user_id.to_string();
        let mut members = 0;
        if !change.set.is_empty() {
            let request = SetMembersRequest {
                organisation: organisation.clone(),
                meeting_id: meeting_id.clone(),
                user_id: user_id.clone(),
                display_name: identity.claims.display_name.clone(),
                members: change.set,
            };
            members = upstream.set_members(request).await?;
        }
        if !change.remove_user_ids.is_empty() {
            let user_ids = change.remove_user_ids;
            let request = RemoveMembersRequest { organisation, meeting_id, user_id, user_ids };
            members = upstream.remove_members(request).await?;
        }
        Ok(members)
    }

    pub(super) async fn delete_attachment(
        &mut self,
        delete: DeleteAttachment,
    ) -> Result<Reply, Refused> {
        let identity = self.identity(&delete.identity_token).await?;
        let scope = self.shared.scope(&delete.meeting_id)?;
        // Who attached it may take it away, too: the registry knows.
        self.shared.admit_member(&identity, &scope, self.origin.address).await?;
        let request = DeleteAttachmentRequest {
            organisation: scope.organisation.to_string(),
            meeting_id: scope.meeting.to_string(),
            user_id: identity.claims.user_id.to_string(),
            attachment_id: delete.attachment_id,
        };
        let deleted = self.shared.upstream.delete_attachment(request).await;
        deleted.map_err(Refused::in_meeting)?;
        Ok(Reply::AttachmentDeleted(AttachmentDeleted {}))
    }
}

/// Who is in, as far as it may be known from outside: who waits is shown to hosts, and who must wait
/// sees nobody.
fn shown(mut participants: Vec<Participant>, role: Role, lobby: bool) -> Vec<Participant> {
    match role {
        Role::Organiser | Role::Host => {}
        Role::Outsider | Role::Unspecified if lobby => participants.clear(),
        Role::Member | Role::Outsider | Role::Unspecified => {
            participants.retain(|participant| participant.presence() != Presence::Waiting);
        }
    }
    participants
}

fn link_to(meeting: &Meeting, identity: &Identity) -> CreateShareRequest {
    CreateShareRequest {
        organisation: meeting.organisation.clone(),
        meeting_id: meeting.meeting_id.clone(),
        user_id: identity.claims.user_id.to_string(),
        display_name: identity.claims.display_name.clone(),
        form: Some(ShareForm { form: Some(Form::Link(LinkForm {})) }),
        expires_at: None,
        language: String::new(),
    }
}
