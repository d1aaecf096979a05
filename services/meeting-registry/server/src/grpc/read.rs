//! Reading the fields of requests; a refusal names the field.

use std::{fmt::Display, str::FromStr};

use tonic::Status;
use tributary_identifiers::{OrganisationId, ParticipantId};
use tributary_message_bus::subjects::MeetingScope;

use super::status::invalid;

/// A field that is checked when it is read.
pub fn field<T>(name: &str, text: &str) -> Result<T, Status>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error| invalid(name, &error))
}

/// The organisation; empty means the default one.
pub fn organisation(text: &str) -> Result<OrganisationId, Status> {
    OrganisationId::from_request(text).map_err(|error| invalid("organisation", &error))
}

/// A meeting of an organisation.
pub fn scope(organisation_text: &str, meeting: &str) -> Result<MeetingScope, Status> {
    Ok(MeetingScope {
        organisation: organisation(organisation_text)?,
        meeting: field("meeting_id", meeting)?,
    })
}

/// A participant.
pub fn participant(id: u32) -> Result<ParticipantId, Status> {
    if id == 0 {
        return Err(invalid("participant_id", &"must be a participant's number, from 1"));
    }
    Ok(ParticipantId(id))
}
