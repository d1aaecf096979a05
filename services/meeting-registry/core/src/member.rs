//! Who is on a meeting's list, as what, and what that allows.

use std::collections::{BTreeMap, BTreeSet};

use tributary_identifiers::UserId;

use crate::{DisplayName, Invitation};

/// The longest list of members beside the organiser. More are an audience, not a list.
pub const MEMBERS_MAX: u32 = 10_000;

/// How many members are put on the list, or taken off it, by one command.
pub const MEMBERS_PER_COMMAND_MAX: usize = 1_000;

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Created the meeting. Every meeting has one, who stays.
    Organiser,
    /// May run the meeting: change it, its members and what is attached.
    Host,
    /// May come in, read, and attach files.
    Member,
}

impl Role {
    /// Whether this role may change the meeting and its member list.
    #[must_use]
    pub const fn manages(self) -> bool {
        matches!(self, Self::Organiser | Self::Host)
    }
}

/// On whose behalf something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The platform itself, which may do everything: an engineer by the admin API.
    Platform,
    /// A user, who may do what the user's role allows.
    User(UserId),
}

impl Caller {
    /// The user; `None` for the platform.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Platform => None,
            Self::User(user) => Some(user),
        }
    }
}

/// Users are put on the member list, or get another role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMembers {
    /// Who does it.
    pub by: Caller,
    /// The name of who does it, for invitations.
    pub by_name: Option<DisplayName>,
    /// Who, and as what from now on.
    pub members: BTreeMap<UserId, Role>,
}

/// Users are taken off the member list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveMembers {
    /// Who does it.
    pub by: Caller,
    /// Who.
    pub members: BTreeSet<UserId>,
}

/// How a member list has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersChange {
    /// How many are on it now.
    pub members: u32,
    /// Who has come onto it.
    pub added: BTreeMap<UserId, Role>,
    /// Who was on it and has another role now.
    pub changed: BTreeMap<UserId, Role>,
    /// Who is not on it any more.
    pub removed: BTreeSet<UserId>,
    /// The invitation that those get who have come onto it, if they get one now.
    pub invitation: Option<Invitation>,
}
