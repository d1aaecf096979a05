//! From requests to the domain and back.

mod credential_admin_service;
mod credential_service;
mod identities;
mod join;
mod log_in;
mod relay_admin_service;
mod relay_identity_service;
mod relays;
mod revocations;
#[cfg(test)]
mod rig;
mod status;
mod user_service;

pub use credential_admin_service::CredentialAdminApi;
pub use credential_service::{CredentialApi, Parts};
pub use identities::Identities;
pub use relay_admin_service::RelayAdminApi;
pub use relay_identity_service::RelayIdentityApi;
pub use revocations::to_proto as revocation_to_proto;
pub use user_service::UserApi;

use prost_types::Timestamp;
use tonic::Status;
use tributary_credential_core::address_prefix;
use tributary_identifiers::{KeyThumbprint, OrganisationId, UserId};

/// Length of a SHA-256 thumbprint in base64url without padding.
const THUMBPRINT_LENGTH: usize = 43;

fn timestamp(seconds: u64) -> Timestamp {
    Timestamp { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}

fn read_organisation(text: &str) -> Result<OrganisationId, Status> {
    OrganisationId::from_request(text).map_err(|error| status::invalid("organisation", &error))
}

/// The prefix of a terminal's address, as budgets know it.
fn read_prefix(client_address: &str) -> Result<String, Status> {
    address_prefix(client_address).map_err(|error| status::invalid("client_address", &error))
}

fn read_user_id(text: &str) -> Result<UserId, Status> {
    text.parse().map_err(|error| status::invalid("user_id", &error))
}

fn read_thumbprint(text: &str) -> Result<KeyThumbprint, Status> {
    let why = "must be a SHA-256 JWK thumbprint: 43 characters of base64url";
    match text.parse() {
        Ok(thumbprint) if text.len() == THUMBPRINT_LENGTH => Ok(thumbprint),
        _ => Err(status::invalid("key_thumbprint", &why)),
    }
}
