//! What the credential service is asked about relays.

use tonic::Status;
use tributary_contracts::{
    credential::v1::{
        EnrolRelayRequest, GetRelayRequest, RelayIdentity, RotateRelayKeyRequest,
        VerifyRelayProofRequest,
    },
    relay::v1::{EnrolRequest, Hello, RotateKeyRequest},
};
use tributary_identifiers::{OrganisationId, RelayId};

use super::Upstream;

impl Upstream {
    pub(crate) async fn enrol_relay(
        &self,
        enrolment: EnrolRequest,
    ) -> Result<Option<RelayIdentity>, Status> {
        let request = EnrolRelayRequest { enrolment: Some(enrolment) };
        Ok(self.relays.clone().enrol_relay(request).await?.into_inner().relay)
    }

    pub(crate) async fn verify_relay(
        &self,
        organisation: &OrganisationId,
        hello: Hello,
    ) -> Result<Option<RelayIdentity>, Status> {
        let organisation = organisation.to_string();
        let request = VerifyRelayProofRequest { organisation, hello: Some(hello) };
        Ok(self.relays.clone().verify_relay_proof(request).await?.into_inner().relay)
    }

    pub(crate) async fn rotate_relay_key(
        &self,
        organisation: &OrganisationId,
        rotation: RotateKeyRequest,
    ) -> Result<(), Status> {
        let organisation = organisation.to_string();
        let request = RotateRelayKeyRequest { organisation, rotation: Some(rotation) };
        self.relays.clone().rotate_relay_key(request).await.map(drop)
    }

    pub(crate) async fn relay(
        &self,
        organisation: &OrganisationId,
        relay: &RelayId,
    ) -> Result<Option<RelayIdentity>, Status> {
        let request =
            GetRelayRequest { organisation: organisation.to_string(), relay_id: relay.to_string() };
        Ok(self.relays.clone().get_relay(request).await?.into_inner().relay)
    }
}
