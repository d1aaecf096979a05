//! What the core has told a relay about itself, as it is kept beside the key.

use serde::{Deserialize, Serialize};
use tributary_contracts::relay::v1::RelaySettings;
use tributary_identifiers::{OrganisationId, RelayId};

use super::IdentityError;

/// What the administrator has set for this relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Its id.
    pub relay_id: RelayId,
    /// Its name; the group of its participants has it too.
    pub relay_name: String,
    /// True if everybody behind it sits in one room.
    pub room: bool,
    /// What its uplink may carry, in kbit/s each way; 0: no limit.
    pub uplink_limit_kbit: u32,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// How many voices it sends up at most (K); 0: as it is configured.
    pub voices_max: u32,
}

/// What is in the file. Unknown keys are kept out of the way of older software.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// As the core has said last.
    #[serde(flatten)]
    pub(super) settings: Settings,
    /// When the core has taken the key, in Unix seconds by this machine's clock.
    pub(super) key_since: u64,
}

impl TryFrom<&RelaySettings> for Settings {
    type Error = IdentityError;

    fn try_from(told: &RelaySettings) -> Result<Self, IdentityError> {
        let bad = |what| move |_| IdentityError::Answer(what);
        Ok(Self {
            relay_id: told.relay_id.parse().map_err(bad("an unusable relay id"))?,
            relay_name: told.relay_name.clone(),
            room: told.room,
            uplink_limit_kbit: told.uplink_limit_kbit,
            organisation: told.organisation.parse().map_err(bad("an unusable organisation"))?,
            voices_max: told.voices_max,
        })
    }
}
