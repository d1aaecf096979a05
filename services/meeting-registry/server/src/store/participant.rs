//! Table `registry_participant`: everybody who is or was in a meeting.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    OfflineReason, Participant, Presence, Present, RelayName, RelayPath,
};
use tributary_message_bus::subjects::MeetingScope;

use super::{StoreError, from_millis, to_millis};

pub const TABLE: &str = "registry_participant";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_participant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: i64,
    pub user_id: String,
    pub display_name: String,
    pub guest: bool,
    pub key_thumbprint: String,
    pub relay_id: String,
    pub relay_name: String,
    pub relay_depth: i32,
    pub relay_itself: bool,
    /// One name per line, which a name can't end; empty: none, or not known.
    pub relay_path: String,
    pub core_relay_id: Option<String>,
    pub relay_session_id: String,
    pub muted: bool,
    pub joined_at: i64,
    /// Absent while it is in.
    pub left_at: Option<i64>,
    /// The run of the terminal.
    pub session_id: String,
    pub last_sequence: i64,
    /// What it has chosen; see [`presence_numbers`].
    pub presence: i32,
    pub offline_reason: i32,
    pub unreachable: bool,
    /// The number of the event by which the hand was raised, 0 while it is down.
    pub hand_raised: i64,
    pub checked_in_at: Option<i64>,
    pub host: bool,
    pub listed_host: bool,
    pub held: bool,
    pub admitted: bool,
    pub renamed: bool,
    /// Numbers with `,` between; empty: it talks to everybody.
    pub talk_targets: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What changes when somebody who is in or was in comes back or does something.
pub const CHANGING: [Column; 25] = [
    Column::DisplayName,
    Column::Guest,
    Column::RelayId,
    Column::RelayName,
    Column::RelayDepth,
    Column::RelayItself,
    Column::RelayPath,
    Column::CoreRelayId,
    Column::RelaySessionId,
    Column::Muted,
    Column::JoinedAt,
    Column::LeftAt,
    Column::SessionId,
    Column::LastSequence,
    Column::Presence,
    Column::OfflineReason,
    Column::Unreachable,
    Column::HandRaised,
    Column::CheckedInAt,
    Column::Host,
    Column::ListedHost,
    Column::Held,
    Column::Admitted,
    Column::Renamed,
    Column::TalkTargets,
];

const ONLINE: i32 = 1;
const AWAY: i32 = 2;
const OFFLINE: i32 = 3;
/// In the lobby.
pub const WAITING: i32 = 4;

/// A presence as it is stored: what, and why if offline.
const fn presence_numbers(presence: Presence) -> (i32, i32) {
    match presence {
        Presence::Online => (ONLINE, 0),
        Presence::Away => (AWAY, 0),
        Presence::Offline(OfflineReason::Unsaid) => (OFFLINE, 0),
        Presence::Offline(OfflineReason::OtherMeeting) => (OFFLINE, 1),
        Presence::Offline(OfflineReason::Interrupted) => (OFFLINE, 2),
        Presence::Waiting => (WAITING, 0),
    }
}

fn read_presence(presence: i32, reason: i32) -> Result<Presence, StoreError> {
    match (presence, reason) {
        (ONLINE, _) => Ok(Presence::Online),
        (AWAY, _) => Ok(Presence::Away),
        (OFFLINE, 0) => Ok(Presence::Offline(OfflineReason::Unsaid)),
        (OFFLINE, 1) => Ok(Presence::Offline(OfflineReason::OtherMeeting)),
        (OFFLINE, 2) => Ok(Presence::Offline(OfflineReason::Interrupted)),
        (WAITING, _) => Ok(Presence::Waiting),
        _ => Err(StoreError::malformed(TABLE)),
    }
}

fn talk_text(talk: &BTreeSet<ParticipantId>) -> String {
    talk.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn read_talk(text: &str) -> Result<BTreeSet<ParticipantId>, StoreError> {
    let numbers = text.split(',').filter(|number| !number.is_empty());
    let malformed = |_| StoreError::malformed(TABLE);
    numbers.map(|number| number.parse().map(ParticipantId).map_err(malformed)).collect()
}

fn path_text(path: &RelayPath) -> String {
    path.names().iter().map(RelayName::as_str).collect::<Vec<_>>().join("\n")
}

/// The row of somebody who is in.
pub fn row(meeting: &MeetingScope, present: &Present) -> Result<ActiveModel, StoreError> {
    let participant = &present.participant;
    let (presence, offline_reason) = presence_numbers(present.chosen);
    let malformed = || StoreError::malformed(TABLE);
    let number = |value: u64| i64::try_from(value).map_err(|_| malformed());
    Ok(ActiveModel {
        organisation: Set(meeting.organisation.to_string()),
        meeting_id: Set(meeting.meeting.to_i64()),
        participant_id: Set(participant.id.0.into()),
        user_id: Set(participant.user_id.to_string()),
        display_name: Set(participant.display_name.to_string()),
        guest: Set(participant.guest),
        key_thumbprint: Set(present.key.to_string()),
        relay_id: Set(participant.relay_id.to_string()),
        relay_name: Set(participant.relay_name.to_string()),
        relay_depth: Set(i32::try_from(participant.relay_depth).map_err(|_| malformed())?),
        relay_itself: Set(participant.relay_itself),
        relay_path: Set(path_text(&participant.relay_path)),
        core_relay_id: Set(participant.core_relay.as_ref().map(ToString::to_string)),
        relay_session_id: Set(present.relay_session.to_string()),
        muted: Set(participant.muted),
        joined_at: Set(from_millis(participant.joined_at)?),
        left_at: Set(None),
        session_id: Set(present.session.to_string()),
        last_sequence: Set(number(present.last_sequence)?),
        presence: Set(presence),
        offline_reason: Set(offline_reason),
        unreachable: Set(participant.unreachable),
        hand_raised: Set(number(participant.hand_raised)?),
        checked_in_at: Set(participant.checked_in_at.map(from_millis).transpose()?),
        host: Set(participant.host),
        listed_host: Set(present.listed_host),
        held: Set(present.held),
        admitted: Set(present.admitted),
        renamed: Set(present.renamed),
        talk_targets: Set(talk_text(&present.talk)),
    })
}

impl TryFrom<Model> for Present {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::malformed(TABLE);
        let id = u32::try_from(row.participant_id).map_err(|_| malformed())?;
        let chosen = read_presence(row.presence, row.offline_reason)?;
        let relay_name: RelayName = row.relay_name.parse().map_err(|_| malformed())?;
        let relay_depth = u32::try_from(row.relay_depth).map_err(|_| malformed())?;
        let path = row.relay_path.split('\n').filter(|name| !name.is_empty());
        let core_relay = row.core_relay_id.map(|id| id.parse().map_err(|_| malformed()));
        let participant = Participant {
            id: ParticipantId(id),
            user_id: row.user_id.parse().map_err(|_| malformed())?,
            display_name: row.display_name.parse().map_err(|_| malformed())?,
            guest: row.guest,
            relay_id: row.relay_id.parse().map_err(|_| malformed())?,
            relay_path: RelayPath::kept(&relay_name, relay_depth, path),
            core_relay: core_relay.transpose()?,
            relay_name,
            relay_depth,
            relay_itself: row.relay_itself,
            muted: row.muted,
            joined_at: to_millis(row.joined_at, TABLE)?,
            presence: chosen.shown(row.unreachable),
            unreachable: row.unreachable,
            hand_raised: u64::try_from(row.hand_raised).map_err(|_| malformed())?,
            checked_in_at: row.checked_in_at.map(|at| to_millis(at, TABLE)).transpose()?,
            host: row.host,
        };
        Ok(Self {
            participant,
            chosen,
            key: row.key_thumbprint.parse().map_err(|_| malformed())?,
            relay_session: row.relay_session_id.parse().map_err(|_| malformed())?,
            session: row.session_id.parse().map_err(|_| malformed())?,
            last_sequence: u64::try_from(row.last_sequence).map_err(|_| malformed())?,
            talk: read_talk(&row.talk_targets)?,
            listed_host: row.listed_host,
            held: row.held,
            admitted: row.admitted,
            renamed: row.renamed,
        })
    }
}
