//! Relays in requests and answers.

use tonic::Status;
use tributary_contracts::{
    admin::v1::Relay as AdminRelay, credential::v1::RelayIdentity, relay::v1::RelaySettings,
};
use tributary_credential_core::{InvalidRelay, Relay};
use tributary_identifiers::RelayId;

use super::{status, timestamp};

/// As a core relay must know it.
pub fn identity(relay: &Relay) -> RelayIdentity {
    RelayIdentity {
        settings: Some(RelaySettings {
            relay_id: relay.relay_id.to_string(),
            relay_name: relay.setup.name.to_string(),
            room: relay.setup.room,
            uplink_limit_kbit: relay.setup.uplink_limit_kbit,
            organisation: relay.organisation.to_string(),
            voices_max: relay.setup.voices_max,
        }),
        prefixes: prefixes(relay),
        key_since: relay.key_since.map(timestamp),
    }
}

/// As administrators see it.
pub fn listed(relay: &Relay) -> AdminRelay {
    AdminRelay {
        organisation: relay.organisation.to_string(),
        relay_id: relay.relay_id.to_string(),
        name: relay.setup.name.to_string(),
        room: relay.setup.room,
        uplink_limit_kbit: relay.setup.uplink_limit_kbit,
        voices_max: relay.setup.voices_max,
        prefixes: prefixes(relay),
        enrolled_at: relay.enrolled_at.map(timestamp),
        key_since: relay.key_since.map(timestamp),
        revoked_at: relay.revoked_at.map(timestamp),
        attached_at: relay.attached_at.map(timestamp),
    }
}

fn prefixes(relay: &Relay) -> Vec<String> {
    relay.setup.prefixes.iter().map(ToString::to_string).collect()
}

/// The id of a relay.
pub fn read_relay_id(text: &str) -> Result<RelayId, Status> {
    text.parse().map_err(|error| status::invalid("relay_id", &error))
}

/// Something can't be set so.
pub fn invalid(error: &InvalidRelay) -> Status {
    status::invalid(error.field(), error)
}
