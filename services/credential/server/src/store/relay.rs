//! Table `credential_relay`: relays that attach to others, and their keys.

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_credential_core::{Relay, RelayPublicKey, RelayRecord, RelaySetup};
use tributary_identifiers::{OrganisationId, RelayId};

use super::StoreError;

pub const TABLE: &str = "credential_relay";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_relay")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub relay_id: String,
    pub name: String,
    pub room: bool,
    pub uplink_limit_kbit: i64,
    pub voices_max: i64,
    /// Networks with `,` between.
    pub prefixes: String,
    /// An uncompressed P-256 point; absent before it is enrolled.
    pub public_key: Option<Vec<u8>>,
    pub enrolled_at: Option<i64>,
    /// SHA-256 of the token that it was enrolled with last, base64url.
    pub enrolled_by: Option<String>,
    pub key_since: Option<i64>,
    pub revoked_at: Option<i64>,
    pub attached_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The primary key of a relay.
pub fn key(organisation: &OrganisationId, relay: &RelayId) -> (String, String) {
    (organisation.to_string(), relay.to_string())
}

/// What an administrator sets.
pub const SETUP: [Column; 5] =
    [Column::Name, Column::Room, Column::UplinkLimitKbit, Column::VoicesMax, Column::Prefixes];

/// The row of a relay that has not been enrolled.
pub fn row(organisation: &OrganisationId, relay: &RelayId, setup: &RelaySetup) -> ActiveModel {
    ActiveModel {
        organisation: Set(organisation.to_string()),
        relay_id: Set(relay.to_string()),
        name: Set(setup.name.to_string()),
        room: Set(setup.room),
        uplink_limit_kbit: Set(setup.uplink_limit_kbit.into()),
        voices_max: Set(setup.voices_max.into()),
        prefixes: Set(prefixes_text(&setup.prefixes)),
        public_key: Set(None),
        enrolled_at: Set(None),
        enrolled_by: Set(None),
        key_since: Set(None),
        revoked_at: Set(None),
        attached_at: Set(None),
    }
}

/// Networks as they are stored.
pub fn prefixes_text<Network: ToString>(prefixes: &[Network]) -> String {
    prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl TryFrom<Model> for RelayRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::MalformedRow { table: TABLE };
        let number = |value: i64| u32::try_from(value).map_err(|_| malformed());
        let time = |at: Option<i64>| at.map(u64::try_from).transpose().map_err(|_| malformed());
        let prefixes = row.prefixes.split(',').filter(|text| !text.is_empty());
        let setup = RelaySetup {
            name: row.name.parse().map_err(|_| malformed())?,
            room: row.room,
            uplink_limit_kbit: number(row.uplink_limit_kbit)?,
            voices_max: number(row.voices_max)?,
            prefixes: prefixes
                .map(|text| text.parse().map_err(|_| malformed()))
                .collect::<Result<_, _>>()?,
        };
        let public_key = row.public_key.as_deref().map(RelayPublicKey::try_from).transpose();
        Ok(Self {
            relay: Relay {
                organisation: row.organisation.parse().map_err(|_| malformed())?,
                relay_id: row.relay_id.parse().map_err(|_| malformed())?,
                setup,
                enrolled_at: time(row.enrolled_at)?,
                key_since: time(row.key_since)?,
                revoked_at: time(row.revoked_at)?,
                attached_at: time(row.attached_at)?,
            },
            public_key: public_key.map_err(|_| malformed())?,
        })
    }
}
