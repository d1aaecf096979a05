//! Between the contract's types and the domain's.

use tonic::Status;
use tributary_access_control_core::{Action, Decision, Entitlement, Refusal};
use tributary_contracts::access::v1::{Action as ProtoAction, Reason};
use tributary_identifiers::{OrganisationId, UserId};

use super::status;
use crate::facts::Subject;

/// The action of a request.
pub fn action(action: ProtoAction) -> Result<Action, Status> {
    match action {
        ProtoAction::Join => Ok(Action::Join),
        ProtoAction::Read => Ok(Action::Read),
        ProtoAction::Unspecified => Err(status::invalid("action", &"must be a known action")),
    }
}

/// The meeting of a request.
pub fn subject(organisation: &str, meeting_id: &str) -> Result<Subject, Status> {
    Ok(Subject {
        organisation: OrganisationId::from_request(organisation)
            .map_err(|error| status::invalid("organisation", &error))?,
        meeting_id: meeting_id.parse().map_err(|error| status::invalid("meeting_id", &error))?,
    })
}

/// The user of a request.
pub fn user_id(text: &str) -> Result<UserId, Status> {
    text.parse().map_err(|error| status::invalid("user_id", &error))
}

/// A decision as an answer: whether, and why.
pub const fn decision(decision: Decision) -> (bool, Reason) {
    match decision {
        Decision::Allowed(Entitlement::Member) => (true, Reason::Member),
        Decision::Allowed(Entitlement::Shared) => (true, Reason::Shared),
        Decision::Refused(Refusal::Absent) => (false, Reason::Absent),
        Decision::Refused(Refusal::NotShared) => (false, Reason::NotShared),
        Decision::Refused(Refusal::WrongPassword) => (false, Reason::WrongPassword),
        Decision::Refused(Refusal::Ended) => (false, Reason::Ended),
    }
}
