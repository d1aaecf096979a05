//! Reading a meeting's log: all of it for relays, what was written for one participant.

use prost::Message as _;
use tonic::Status;
use tributary_contracts::{
    event::v1::MeetingEvent,
    registry::v1::{ListChatRequest, ListEventsRequest},
};

use super::{
    read,
    status::{malformed_event, of_store},
};
use crate::registry::Registry;

/// The most events of a log in one answer; the store bounds their bytes.
const EVENTS_MAX: u32 = 500;
/// How many messages are in one answer if it is not said.
const MESSAGES_DEFAULT: u32 = 50;
/// The most messages in one answer.
const MESSAGES_MAX: u32 = 100;

/// Events after a cursor.
pub async fn events(
    registry: &Registry,
    request: &ListEventsRequest,
) -> Result<Vec<MeetingEvent>, Status> {
    let scope = read::scope(&request.organisation, &request.meeting_id)?;
    let limit = limit(request.limit, EVENTS_MAX, EVENTS_MAX);
    decode(&registry.store().events(&scope, request.after, limit).await.map_err(of_store)?)
}

/// What was written and may be read by one participant.
pub async fn chat(
    registry: &Registry,
    request: &ListChatRequest,
) -> Result<Vec<MeetingEvent>, Status> {
    let scope = read::scope(&request.organisation, &request.meeting_id)?;
    let reader = read::participant(request.participant_id)?;
    let limit = limit(request.limit, MESSAGES_DEFAULT, MESSAGES_MAX);
    let before = (request.before != 0).then_some(request.before);
    let found = registry.store().chat(&scope, reader, before, limit).await;
    decode(&found.map_err(of_store)?)
}

fn limit(asked: u32, default: u32, max: u32) -> u64 {
    match asked {
        0 => default,
        asked => asked.min(max),
    }
    .into()
}

fn decode(payloads: &[Vec<u8>]) -> Result<Vec<MeetingEvent>, Status> {
    let events = payloads.iter().map(|payload| MeetingEvent::decode(payload.as_slice()));
    events.collect::<Result<_, _>>().map_err(|error| malformed_event(&error))
}
