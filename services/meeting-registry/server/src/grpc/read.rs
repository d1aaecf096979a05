//! Reading the fields of requests; a refusal names the field.

use std::{fmt::Display, str::FromStr};

use prost_types::Timestamp;
use tonic::Status;
use tributary_identifiers::{OrganisationId, ParticipantId};
use tributary_meeting_registry_core::{Caller, DisplayName, UnixMillis, optional_name};
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

/// Who asks; empty means the platform.
pub fn caller(user_id: &str) -> Result<Caller, Status> {
    if user_id.is_empty() {
        return Ok(Caller::Platform);
    }
    Ok(Caller::User(field("user_id", user_id)?))
}

/// A name that may be left out.
pub fn name(field: &str, text: &str) -> Result<Option<DisplayName>, Status> {
    optional_name(text).map_err(|error| invalid(field, &error))
}

/// A point in time that may be left out; parts of a millisecond are cut off.
pub fn time(field: &str, time: Option<&Timestamp>) -> Result<Option<UnixMillis>, Status> {
    let Some(time) = time else { return Ok(None) };
    let millis = || {
        let seconds = u64::try_from(time.seconds).ok()?;
        let nanos = u64::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)
    };
    millis().map(Some).ok_or_else(|| invalid(field, &"must be a time after 1970"))
}

/// A list that is not empty and not too long.
pub fn bounded<'a, T>(field: &str, list: &'a [T], max: usize) -> Result<&'a [T], Status> {
    if (1..=max).contains(&list.len()) {
        return Ok(list);
    }
    Err(invalid(field, &format!("must be 1 to {max}, not {}", list.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_milliseconds() {
        let read = |seconds, nanos| {
            time("at", Some(&Timestamp { seconds, nanos })).map_err(|status| status.code())
        };
        assert_eq!(read(1_800_000_000, 999_999_999), Ok(Some(1_800_000_000_999)));
        assert_eq!(time("at", None).unwrap(), None);
        for (seconds, nanos) in [(-1, 0), (i64::MAX, 0), (0, -1), (0, 1_000_000_000)] {
            assert_eq!(
                read(seconds, nanos),
                Err(tonic::Code::InvalidArgument),
                "{seconds} {nanos}"
            );
        }
    }
}
