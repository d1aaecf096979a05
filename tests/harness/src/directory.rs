//! Users and meetings of a world, by the gRPC interfaces that services and administrators use.

mod relays;

use anyhow::{Context, Result};
use tonic::transport::Channel;
use tonic::{Code, Request};
use tributary_contracts::access::v1 as access;
use tributary_contracts::access::v1::access_service_client::AccessServiceClient;
use tributary_contracts::admin::v1 as admin;
use tributary_contracts::admin::v1::audit_service_client::AuditServiceClient;
use tributary_contracts::admin::v1::credential_admin_service_client::CredentialAdminServiceClient;
use tributary_contracts::admin::v1::meeting_service_client::MeetingServiceClient;
use tributary_contracts::admin::v1::user_service_client::UserServiceClient;
use tributary_contracts::event::v1::{MeetingEvent, Participant};
use tributary_contracts::registry::v1 as registry;
use tributary_contracts::registry::v1::registry_service_client::RegistryServiceClient;

/// The organisation that everything in a world belongs to.
pub const ORGANISATION: &str = "default";

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Chosen by the credential service.
    pub user_id: String,
    /// The log-in name.
    pub user_name: String,
    /// The password.
    pub password: String,
}

/// Clients of credential, meeting-registry and access-control.
#[derive(Clone)]
pub struct Directory {
    pub(crate) credential: Channel,
    pub(crate) meeting_registry: Channel,
    pub(crate) access_control: Channel,
    pub(crate) service_token: String,
    pub(crate) admin_token: String,
}

fn with_token<T>(message: T, token: &str) -> Result<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    Ok(request)
}

impl Directory {
    pub(crate) fn as_admin<T>(&self, message: T) -> Result<Request<T>> {
        with_token(message, &self.admin_token)
    }

    pub(crate) fn as_service<T>(&self, message: T) -> Result<Request<T>> {
        with_token(message, &self.service_token)
    }

    /// Creates an account, or finds the one of that name.
    pub async fn user(&self, user_name: &str, display_name: &str, password: &str) -> Result<User> {
        let mut client = UserServiceClient::new(self.credential.clone());
        let request = self.as_admin(admin::CreateUserRequest {
            organisation: ORGANISATION.to_owned(),
            user_name: user_name.to_owned(),
            display_name: display_name.to_owned(),
            password: password.to_owned(),
        })?;
        let user_id = match client.create_user(request).await {
            Ok(response) => response.into_inner().user.context("no user in the answer")?.user_id,
            Err(status) if status.code() == Code::AlreadyExists => {
                let request = self
                    .as_admin(admin::ListUsersRequest { page_size: 500, ..Default::default() })?;
                let users = client.list_users(request).await?.into_inner().users;
                let found = users.into_iter().find(|user| user.user_name == user_name);
                found.context("the account exists but is not listed")?.user_id
            }
            Err(status) => return Err(status).context("create a user"),
        };
        Ok(User { user_id, user_name: user_name.to_owned(), password: password.to_owned() })
    }

    /// Creates a meeting; whoever knows its id may join if it is `shared`, only its organiser else.
    pub async fn meeting(&self, organiser: &User, subject: &str, shared: bool) -> Result<String> {
        let meeting_id = self
            .create_meeting(admin::CreateMeetingRequest {
                organisation: ORGANISATION.to_owned(),
                subject: subject.to_owned(),
                organiser_user_id: organiser.user_id.clone(),
                ..Default::default()
            })
            .await?;
        if shared {
            self.share_link(organiser, &meeting_id).await?;
        }
        Ok(meeting_id)
    }

    /// Creates a meeting as it is described; returns its id.
    pub async fn create_meeting(&self, meeting: admin::CreateMeetingRequest) -> Result<String> {
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        let response = client.create_meeting(self.as_admin(meeting)?).await;
        let response = response.context("create a meeting")?.into_inner();
        Ok(response.meeting.context("no meeting in the answer")?.meeting_id)
    }

    /// Shares a meeting by a link.
    pub async fn share_link(&self, by: &User, meeting_id: &str) -> Result<access::ShareLink> {
        let form = access::share_form::Form::Link(access::LinkForm {});
        let request = self.as_service(access::CreateShareRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
            user_id: by.user_id.clone(),
            display_name: by.user_name.clone(),
            form: Some(access::ShareForm { form: Some(form) }),
            ..Default::default()
        })?;
        let mut client = AccessServiceClient::new(self.access_control.clone());
        let response = client.create_share(request).await.context("share a meeting")?;
        response.into_inner().link.context("no link in the answer")
    }

    /// Asks for a decision as a service would.
    pub async fn decide(&self, question: access::DecideRequest) -> Result<access::DecideResponse> {
        let mut client = AccessServiceClient::new(self.access_control.clone());
        let response = client.decide(self.as_service(question)?).await.context("ask to decide")?;
        Ok(response.into_inner())
    }

    /// Decisions of the audit log, newest first, at most 500.
    pub async fn decisions(
        &self,
        question: admin::ListDecisionsRequest,
    ) -> Result<Vec<admin::AuditedDecision>> {
        let mut client = AuditServiceClient::new(self.access_control.clone());
        let question = admin::ListDecisionsRequest { page_size: 500, ..question };
        let response = client.list_decisions(self.as_admin(question)?).await;
        Ok(response.context("read the audit log")?.into_inner().decisions)
    }

    /// Gives users a role in a meeting.
    pub async fn set_members(
        &self,
        meeting_id: &str,
        members: &[(&User, registry::MemberRole)],
    ) -> Result<()> {
        let members = members.iter().map(|(user, role)| registry::Member {
            user_id: user.user_id.clone(),
            role: (*role).into(),
        });
        let request = self.as_admin(admin::SetMembersRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
            members: members.collect(),
        })?;
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        client.set_members(request).await.context("put users on the member list")?;
        Ok(())
    }

    /// Revokes all that a user holds.
    pub async fn revoke_user(&self, user_id: &str) -> Result<()> {
        let request = self.as_admin(admin::RevokeUserRequest {
            organisation: ORGANISATION.to_owned(),
            user_id: user_id.to_owned(),
        })?;
        let mut client = CredentialAdminServiceClient::new(self.credential.clone());
        client.revoke_user(request).await.context("revoke a user")?;
        Ok(())
    }

    /// Makes a new signing key; returns its id.
    pub async fn rotate_signing_key(&self) -> Result<String> {
        let mut client = CredentialAdminServiceClient::new(self.credential.clone());
        let request = self.as_admin(admin::RotateSigningKeyRequest {})?;
        let response =
            client.rotate_signing_key(request).await.context("rotate the signing key")?;
        Ok(response.into_inner().key.context("no key in the answer")?.key_id)
    }

    /// The signing keys, newest first.
    pub async fn signing_keys(&self) -> Result<Vec<admin::SigningKey>> {
        let mut client = CredentialAdminServiceClient::new(self.credential.clone());
        let request = self.as_admin(admin::ListSigningKeysRequest {})?;
        let response = client.list_signing_keys(request).await.context("list signing keys")?;
        Ok(response.into_inner().keys)
    }

    /// Takes a signing key out of use at once.
    pub async fn revoke_signing_key(&self, key_id: &str) -> Result<()> {
        let mut client = CredentialAdminServiceClient::new(self.credential.clone());
        let request =
            self.as_admin(admin::RevokeSigningKeyRequest { key_id: key_id.to_owned() })?;
        client.revoke_signing_key(request).await.context("revoke a signing key")?;
        Ok(())
    }

    /// Who is in a meeting, as the registry says.
    pub async fn roster(&self, meeting_id: &str) -> Result<Vec<Participant>> {
        let request = self.as_service(registry::GetRosterRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
        })?;
        let response = RegistryServiceClient::new(self.meeting_registry.clone())
            .get_roster(request)
            .await
            .context("read the roster")?;
        Ok(response.into_inner().participants)
    }

    /// Ends a meeting.
    pub async fn end_meeting(&self, meeting_id: &str) -> Result<()> {
        let request = self.as_service(registry::EndMeetingRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
        })?;
        let mut client = RegistryServiceClient::new(self.meeting_registry.clone());
        client.end_meeting(request).await.context("end the meeting")?;
        Ok(())
    }

    /// A meeting's whole log, as the registry has it in its database.
    pub async fn log(&self, meeting_id: &str) -> Result<Vec<MeetingEvent>> {
        self.log_after(meeting_id, 0).await
    }

    /// The events of a meeting's log with higher numbers than this.
    pub async fn log_after(&self, meeting_id: &str, mut after: u64) -> Result<Vec<MeetingEvent>> {
        let mut client = RegistryServiceClient::new(self.meeting_registry.clone());
        let mut log = Vec::new();
        loop {
            let request = self.as_service(registry::ListEventsRequest {
                organisation: ORGANISATION.to_owned(),
                meeting_id: meeting_id.to_owned(),
                after,
                limit: 0,
            })?;
            let page = client.list_events(request).await.context("read a meeting's log")?;
            let events = page.into_inner().events;
            let Some(last) = events.last() else { return Ok(log) };
            after = last.number;
            log.extend(events);
        }
    }

    /// Who was there from when to when.
    pub async fn attendance(&self, meeting_id: &str) -> Result<Vec<admin::Attendance>> {
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        let request = self.as_admin(admin::ListAttendanceRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
            page_size: 500,
            page_token: String::new(),
        })?;
        let response = client.list_attendance(request).await.context("read the attendance")?;
        Ok(response.into_inner().attendances)
    }

    /// The same as one text.
    pub async fn attendance_text(
        &self,
        meeting_id: &str,
        format: registry::AttendanceFormat,
    ) -> Result<String> {
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        let request = self.as_admin(admin::ExportAttendanceRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
            format: format.into(),
        })?;
        let response = client.export_attendance(request).await.context("export the attendance")?;
        let mut pieces = response.into_inner();
        let mut text = Vec::new();
        while let Some(piece) = pieces.message().await.context("read the next piece")? {
            text.extend(piece.data);
        }
        String::from_utf8(text).context("a report is UTF-8")
    }

    /// Lets the platform say something in a meeting, to all or to some; returns the event's number.
    pub async fn announce(
        &self,
        meeting_id: &str,
        request_id: &str,
        participant_ids: Vec<u32>,
        text: &str,
    ) -> Result<u64> {
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        let request = self.as_admin(admin::AnnounceRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
            request_id: request_id.to_owned(),
            participant_ids,
            relay_id: String::new(),
            text: text.to_owned(),
        })?;
        let response = client.announce(request).await.context("announce")?;
        Ok(response.into_inner().event_number)
    }
}
