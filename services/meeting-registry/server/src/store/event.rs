//! Table `registry_event`: the log of each meeting.

use sea_orm::entity::prelude::*;
use tributary_meeting_registry_core::{Audience, Participant, Presence};

pub const TABLE: &str = "registry_event";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registry_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organisation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// An encoded `tributary.event.v1.MeetingEvent`.
    pub payload: Vec<u8>,
    /// True for what belongs to the chat.
    pub chat: bool,
    /// Who is told, as [`audience_text`] writes it; absent: everybody who is in.
    pub audience: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An audience in a form that can be searched: `,` after each name, and one at the beginning.
pub fn audience_text(audience: &Audience) -> String {
    let mut text = ",".to_owned();
    for id in &audience.participants {
        text.push_str(&id.to_string());
        text.push(',');
    }
    if audience.hosts {
        text.push_str("hosts,");
    }
    if let Some(relay) = &audience.relay {
        text.push_str("relay:");
        text.push_str(relay.as_str());
        text.push(',');
    }
    text
}

/// What of an audience names a participant, as it is now.
pub fn names_of(participant: &Participant) -> Vec<String> {
    let mut names = vec![format!(",{},", participant.id)];
    if participant.presence != Presence::Waiting {
        names.push(format!(",relay:{},", participant.relay_id));
        if participant.host {
            names.push(",hosts,".to_owned());
        }
    }
    names
}
