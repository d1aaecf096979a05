//! What the platform says to who is in a meeting.

use tonic::Status;
use tributary_contracts::event::v1 as wire;
use tributary_identifiers::{ParticipantId, RelayId, RequestId};
use tributary_meeting_registry_core::{Announce, Audience, PARTICIPANTS_MAX};
use tributary_message_bus::subjects::MeetingScope;

use super::{
    read,
    status::{invalid, of_store},
};
use crate::registry::Registry;

/// What is to be said.
pub struct Asked<'a> {
    /// The same one says nothing twice.
    pub request_id: &'a str,
    /// To whom; `None`: to everybody who is in.
    pub audience: Option<Audience>,
    /// What.
    pub text: &'a str,
}

/// Says something; returns the number of the event.
pub async fn announce(
    registry: &Registry,
    scope: &MeetingScope,
    asked: Asked<'_>,
) -> Result<u64, Status> {
    let request: RequestId = read::field("request_id", asked.request_id)?;
    let announce = Announce { text: read::field("text", asked.text)?, audience: asked.audience };
    registry.announce(scope, &request, announce).await.map_err(of_store)
}

/// Who is told, as services say it.
pub fn audience(said: Option<&wire::Audience>) -> Result<Option<Audience>, Status> {
    let Some(said) = said else { return Ok(None) };
    let audience = Audience {
        participants: participants("audience.participant_ids", &said.participant_ids)?,
        hosts: said.hosts,
        relay: relay("audience.relay_id", &said.relay_id)?,
    };
    if audience == Audience::default() {
        let why = "names nobody; leave it out to tell everybody";
        return Err(invalid("audience", &why));
    }
    Ok(Some(audience))
}

/// Who is told, as the admin API says it: everybody, if it names nobody.
pub fn audience_of(participant_ids: &[u32], relay_id: &str) -> Result<Option<Audience>, Status> {
    let audience = Audience {
        participants: participants("participant_ids", participant_ids)?,
        hosts: false,
        relay: relay("relay_id", relay_id)?,
    };
    Ok((audience != Audience::default()).then_some(audience))
}

fn participants(
    field: &str,
    ids: &[u32],
) -> Result<std::collections::BTreeSet<ParticipantId>, Status> {
    if ids.len() > PARTICIPANTS_MAX as usize {
        return Err(invalid(field, &format!("must be {PARTICIPANTS_MAX} at most")));
    }
    let read = |(index, &id): (usize, &u32)| match id {
        0 => Err(invalid(&format!("{field}[{index}]"), &"must be a participant's number, from 1")),
        id => Ok(ParticipantId(id)),
    };
    ids.iter().enumerate().map(read).collect()
}

fn relay(field: &str, id: &str) -> Result<Option<RelayId>, Status> {
    if id.is_empty() { Ok(None) } else { read::field(field, id).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(read: Result<T, Status>) -> String {
        read.err().unwrap().message().to_owned()
    }

    #[test]
    fn an_audience_names_somebody_or_is_left_out() {
        assert_eq!(audience(None).unwrap(), None);
        let nobody = wire::Audience::default();
        assert!(refused(audience(Some(&nobody))).contains("leave it out"));
        let said = wire::Audience {
            participant_ids: vec![2, 1, 2],
            hosts: true,
            relay_id: "office-a".into(),
        };
        let expected = Audience {
            participants: [ParticipantId(1), ParticipantId(2)].into(),
            hosts: true,
            relay: Some("office-a".parse().unwrap()),
        };
        assert_eq!(audience(Some(&said)).unwrap(), Some(expected));
        assert_eq!(audience_of(&[], "").unwrap(), None);
        assert_eq!(audience_of(&[1], "").unwrap(), Some(Audience::of([ParticipantId(1)])));
    }

    #[test]
    fn what_names_nobody_that_can_be_is_refused_by_its_field() {
        assert!(refused(audience_of(&[1, 0], "")).starts_with("participant_ids[1]:"));
        assert!(refused(audience_of(&[], "a b")).starts_with("relay_id:"));
        let many = vec![1; PARTICIPANTS_MAX as usize + 1];
        assert!(refused(audience_of(&many, "")).starts_with("participant_ids:"));
    }
}
