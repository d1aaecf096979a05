//! The services that this relay asks on behalf of its terminals.

mod access;
mod credential;
mod registry;
mod relays;

use std::time::Duration;

use tonic::{Response, Status};
use tributary_contracts::{
    access::v1::access_service_client::AccessServiceClient,
    credential::v1::{
        credential_service_client::CredentialServiceClient,
        relay_identity_service_client::RelayIdentityServiceClient,
    },
    registry::v1::registry_service_client::RegistryServiceClient,
};
use tributary_service_runtime::{Error, Peer, Platform, ServiceChannel};

use crate::refusal::Refused;

pub(crate) const CREDENTIAL: &str = "the credential service";
pub(crate) const REGISTRY: &str = "the meeting registry";
pub(crate) const ACCESS: &str = "access control";

/// How long a file may take to reach the registry, and e-mail the mail server.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer of the registry, in bytes: more than the roster of a full meeting with the longest
/// names.
const ROSTER_BYTES_MAX: usize = 8 << 20;

/// Clients of the other services; cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    credential: CredentialServiceClient<ServiceChannel>,
    relays: RelayIdentityServiceClient<ServiceChannel>,
    registry: RegistryServiceClient<ServiceChannel>,
    access: AccessServiceClient<ServiceChannel>,
    /// For calls that take as long as a file or a mail server does.
    patient_registry: RegistryServiceClient<ServiceChannel>,
    patient_access: AccessServiceClient<ServiceChannel>,
}

impl Upstream {
    pub(crate) fn new(platform: &Platform) -> Result<Self, Error> {
        let channel = |peer| platform.channel(peer);
        let patient = |peer| platform.patient_channel(peer, PATIENCE);
        let registry = |channel| {
            RegistryServiceClient::new(channel).max_decoding_message_size(ROSTER_BYTES_MAX)
        };
        Ok(Self {
            credential: CredentialServiceClient::new(channel(Peer::Credential)?),
            relays: RelayIdentityServiceClient::new(channel(Peer::Credential)?),
            registry: registry(channel(Peer::MeetingRegistry)?),
            access: AccessServiceClient::new(channel(Peer::AccessControl)?),
            patient_registry: registry(patient(Peer::MeetingRegistry)?),
            patient_access: AccessServiceClient::new(patient(Peer::AccessControl)?),
        })
    }
}

/// What a service answered, or what that means for the terminal.
fn answered<T>(service: &'static str, answer: Result<Response<T>, Status>) -> Result<T, Refused> {
    answer.map(Response::into_inner).map_err(|status| Refused::from_status(service, &status))
}

/// What every answer of a service has in it.
fn present<T>(service: &'static str, part: Option<T>) -> Result<T, Refused> {
    part.ok_or_else(|| Refused::try_again(service))
}
