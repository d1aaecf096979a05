//! One decision, as it waits to be written.

use tributary_access_control_core::{AddressPrefix, Role};
use tributary_contracts::access::v1::{Action, Reason};
use tributary_identifiers::{KeyThumbprint, UserId};
use tributary_message_bus::subjects::MeetingScope;

use crate::{grpc::convert, store::DecisionRow};

/// Who was told what, when and why.
#[derive(Clone, Debug)]
pub struct Record {
    /// When, milliseconds since 1970.
    pub at: u64,
    /// What was asked for.
    pub scope: MeetingScope,
    /// By whom.
    pub user: UserId,
    /// Whether it is somebody without an account.
    pub guest: bool,
    /// The key of the terminal, if known.
    pub client: Option<KeyThumbprint>,
    /// Where the terminal is, if known.
    pub prefix: Option<AddressPrefix>,
    /// What for.
    pub action: Action,
    /// The answer.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// What the user is in the meeting.
    pub role: Role,
}

impl Record {
    /// As it is kept: actions, reasons and roles by their numbers in the contract.
    pub fn row(&self) -> DecisionRow {
        let small = |number: i32| i16::try_from(number).unwrap_or(0);
        DecisionRow {
            id: 0,
            at: i64::try_from(self.at).unwrap_or(i64::MAX),
            organisation: self.scope.organisation.to_string(),
            user_id: self.user.to_string(),
            guest: self.guest,
            client_id: self.client.as_ref().map(ToString::to_string).unwrap_or_default(),
            client_prefix: self.prefix.map(|prefix| prefix.to_string()).unwrap_or_default(),
            meeting_id: self.scope.meeting.to_i64(),
            action: small(self.action.into()),
            reason: small(self.reason.into()),
            role: small(convert::role(self.role).into()),
            allowed: self.allowed,
        }
    }
}
