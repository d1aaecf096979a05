//! Between the contract's types and the domain's.

use std::net::IpAddr;

use tonic::Status;
use tributary_access_control_core::{
    Action, AddressPrefix, Decision, Entitlement, Refusal, Role, Told,
};
use tributary_contracts::access::v1::{
    Action as ProtoAction, DecideRequest, EmailForm, LinkForm, Reason, Role as ProtoRole, Share,
    ShareForm, Told as ProtoTold, UsersForm, share_form::Form,
};
use tributary_identifiers::{KeyThumbprint, OrganisationId, UserId};
use tributary_message_bus::subjects::MeetingScope;

use super::status::invalid;
use crate::{
    deciding::Question,
    store::{KeptShare, Recipients},
    wire,
};

/// The question of a request.
pub fn question(request: DecideRequest) -> Result<Question, Status> {
    Ok(Question {
        action: action(request.action())?,
        scope: scope(&request.organisation, &request.meeting_id)?,
        user: user_id("user_id", &request.user_id)?,
        guest: request.guest,
        client: client(&request.client_id)?,
        prefix: prefix(&request.client_address)?,
        reconnect: request.reconnect,
        password: request.password,
        share_secret: request.share_secret,
    })
}

fn action(action: ProtoAction) -> Result<Action, Status> {
    match action {
        ProtoAction::Join => Ok(Action::Join),
        ProtoAction::Read => Ok(Action::Read),
        ProtoAction::Share => Err(invalid("action", &"must be join or read")),
        ProtoAction::Unspecified => Err(invalid("action", &"must be a known action")),
    }
}

/// The organisation of a request; empty means the default one.
pub fn organisation(text: &str) -> Result<OrganisationId, Status> {
    OrganisationId::from_request(text).map_err(|error| invalid("organisation", &error))
}

/// The meeting of a request.
pub fn scope(organisation_text: &str, meeting_id: &str) -> Result<MeetingScope, Status> {
    Ok(MeetingScope {
        organisation: organisation(organisation_text)?,
        meeting: meeting_id.parse().map_err(|error| invalid("meeting_id", &error))?,
    })
}

/// A user in this field of a request.
pub fn user_id(field: &str, text: &str) -> Result<UserId, Status> {
    text.parse().map_err(|error| invalid(field, &error))
}

fn client(text: &str) -> Result<Option<KeyThumbprint>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| invalid("client_id", &error))
}

fn prefix(text: &str) -> Result<Option<AddressPrefix>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let address: IpAddr = text.parse().map_err(|error| invalid("client_address", &error))?;
    Ok(Some(AddressPrefix::of(address)))
}

/// An action, as the contract has it.
pub const fn proto_action(action: Action) -> ProtoAction {
    match action {
        Action::Join => ProtoAction::Join,
        Action::Read => ProtoAction::Read,
    }
}

/// A decision as an answer: whether, and why.
pub const fn decision(decision: Decision) -> (bool, Reason) {
    match decision {
        Decision::Allowed(Entitlement::Member) => (true, Reason::Member),
        Decision::Allowed(Entitlement::Shared) => (true, Reason::Shared),
        Decision::Refused(refusal) => (false, reason(refusal)),
    }
}

const fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::OverCount => Reason::OverCount,
        Refusal::Absent => Reason::Absent,
        Refusal::NotShared => Reason::NotShared,
        Refusal::ShareRevoked => Reason::ShareRevoked,
        Refusal::ShareExpired => Reason::ShareExpired,
        Refusal::SecretRequired => Reason::SecretRequired,
        Refusal::Ended => Reason::Ended,
        Refusal::EndedLongAgo => Reason::EndedLongAgo,
        Refusal::PasswordLocked => Reason::PasswordLocked,
        Refusal::WrongPassword => Reason::WrongPassword,
        Refusal::Removed => Reason::Removed,
    }
}

/// Whether somebody of `role` may share a meeting (if it is `present`), and why.
pub const fn sharing(present: bool, role: Role) -> (bool, Reason) {
    match (present, role.may_share()) {
        (false, _) => (false, Reason::Absent),
        (true, false) => (false, Reason::NotAHost),
        (true, true) => (true, Reason::Member),
    }
}

/// What may be told, as the contract has it.
pub const fn told(told: Option<Told>) -> ProtoTold {
    match told {
        None => ProtoTold::Unspecified,
        Some(Told::Nothing) => ProtoTold::Nothing,
        Some(Told::WrongPassword) => ProtoTold::WrongPassword,
        Some(Told::Ended) => ProtoTold::Ended,
        Some(Told::TryLater) => ProtoTold::TryLater,
    }
}

/// A role, as the contract has it.
pub const fn role(role: Role) -> ProtoRole {
    match role {
        Role::Organiser => ProtoRole::Organiser,
        Role::Host => ProtoRole::Host,
        Role::Member => ProtoRole::Member,
        Role::Outsider => ProtoRole::Outsider,
    }
}

/// A share, as the contract has it.
pub fn share(kept: KeptShare) -> Share {
    let form = match kept.recipients {
        Recipients::Link => Form::Link(LinkForm {}),
        Recipients::Users(users) => {
            Form::Users(UsersForm { user_ids: users.iter().map(ToString::to_string).collect() })
        }
        Recipients::Email(addresses) => Form::Email(EmailForm {
            addresses: addresses.iter().map(ToString::to_string).collect(),
        }),
    };
    Share {
        share_id: kept.share_id,
        form: Some(ShareForm { form: Some(form) }),
        created_by: kept.created_by,
        created_at: Some(wire::timestamp(kept.created_at)),
        expires_at: kept.expires_at.map(wire::timestamp),
        revoked_at: kept.revoked_at.map(wire::timestamp),
    }
}
