//! Relays that attach to others, as administrators see them.

use anyhow::{Context, Result};
use tonic::transport::Channel;
use tributary_contracts::admin::v1 as admin;
use tributary_contracts::admin::v1::meeting_service_client::MeetingServiceClient;
use tributary_contracts::admin::v1::relay_admin_service_client::RelayAdminServiceClient;

use super::{Directory, ORGANISATION};

impl Directory {
    fn relays_client(&self) -> RelayAdminServiceClient<Channel> {
        RelayAdminServiceClient::new(self.credential.clone())
    }

    /// Allows a relay to be set up, or again; returns the one-time token.
    pub async fn enrolment(&self, relay: admin::Relay) -> Result<String> {
        let request = admin::CreateRelayEnrolmentRequest { relay: Some(relay), valid_for: None };
        let request = self.as_admin(request)?;
        let made = self.relays_client().create_relay_enrolment(request).await;
        Ok(made.context("allow a relay to be set up")?.into_inner().token)
    }

    /// All relays that have been allowed to attach.
    pub async fn relays(&self) -> Result<Vec<admin::Relay>> {
        let request = self.as_admin(admin::ListRelaysRequest {
            organisation: ORGANISATION.to_owned(),
            ..Default::default()
        })?;
        let listed = self.relays_client().list_relays(request).await;
        Ok(listed.context("list the relays")?.into_inner().relays)
    }

    /// Changes a relay.
    pub async fn update_relay(&self, update: admin::UpdateRelayRequest) -> Result<admin::Relay> {
        let organisation = ORGANISATION.to_owned();
        let request = self.as_admin(admin::UpdateRelayRequest { organisation, ..update })?;
        let updated = self.relays_client().update_relay(request).await;
        updated.context("change a relay")?.into_inner().relay.context("no relay in the answer")
    }

    /// Ends a relay's right to attach.
    pub async fn revoke_relay(&self, relay_id: &str) -> Result<()> {
        let request = self.as_admin(admin::RevokeRelayRequest {
            organisation: ORGANISATION.to_owned(),
            relay_id: relay_id.to_owned(),
        })?;
        self.relays_client().revoke_relay(request).await.context("revoke a relay")?;
        Ok(())
    }

    /// Who is in a meeting, relay by relay.
    pub async fn groups(&self, meeting_id: &str) -> Result<Vec<admin::Group>> {
        let request = self.as_admin(admin::GetMeetingRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: meeting_id.to_owned(),
        })?;
        let mut client = MeetingServiceClient::new(self.meeting_registry.clone());
        let got = client.get_meeting(request).await.context("look at a meeting")?.into_inner();
        Ok(got.meeting.context("no meeting in the answer")?.groups)
    }
}
