//! Users and meetings of a world, by the gRPC interfaces that services and administrators use.

use anyhow::{Context, Result};
use tonic::transport::Channel;
use tonic::{Code, Request};
use tributary_contracts::access::v1 as access;
use tributary_contracts::access::v1::access_service_client::AccessServiceClient;
use tributary_contracts::admin::v1 as admin;
use tributary_contracts::admin::v1::meeting_service_client::MeetingServiceClient;
use tributary_contracts::admin::v1::user_service_client::UserServiceClient;
use tributary_contracts::event::v1::Participant;
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
    fn as_admin<T>(&self, message: T) -> Result<Request<T>> {
        with_token(message, &self.admin_token)
    }

    fn as_service<T>(&self, message: T) -> Result<Request<T>> {
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
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        let request = self.as_admin(admin::CreateMeetingRequest {
            organisation: ORGANISATION.to_owned(),
            subject: subject.to_owned(),
            organiser_user_id: organiser.user_id.clone(),
            ..Default::default()
        })?;
        let response = client.create_meeting(request).await.context("create a meeting")?;
        let meeting = response.into_inner().meeting.context("no meeting in the answer")?;
        if shared {
            let request = self.as_service(access::SetShareMarkRequest {
                organisation: ORGANISATION.to_owned(),
                meeting_id: meeting.meeting_id.clone(),
                user_id: organiser.user_id.clone(),
                shared,
            })?;
            AccessServiceClient::new(self.access_control.clone())
                .set_share_mark(request)
                .await
                .context("set the share mark")?;
        }
        Ok(meeting.meeting_id)
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
}
