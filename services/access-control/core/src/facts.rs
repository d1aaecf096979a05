//! What a decision is made from.
//!
//! Every type lists all its values in `ALL`, for the test that goes through all combinations.

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Enter the meeting.
    Join,
    /// Read what it is about, who is in it and what is attached.
    Read,
}

/// What is known about a user and a meeting at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Of the user in the meeting.
    pub role: Role,
    /// Of the meeting.
    pub meeting: MeetingState,
    /// Of the user's client.
    pub count: Count,
    /// Of the meeting.
    pub shares: ShareState,
    /// Of what the user showed.
    pub proof: ShareProof,
    /// Of what the user typed.
    pub password: PasswordCheck,
    /// Of the installation.
    pub counting: Counting,
    /// Of the organisation.
    pub secret_policy: SecretPolicy,
    /// Of the user in the meeting.
    pub removed: Removed,
}

/// What the user is on the member list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Created the meeting.
    Organiser,
    /// May run the meeting.
    Host,
    /// On the list.
    Member,
    /// Not on the list.
    Outsider,
}

/// How far a meeting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeetingState {
    /// There is none in the user's organisation.
    Absent,
    /// It can be entered.
    Open,
    /// It is over, and outsiders may still read about it.
    Ended,
    /// It is over for longer than outsiders may read about it.
    EndedLongAgo,
}

/// Whether the client, or the place it asks from, has used up a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// There is room.
    Within,
    /// A budget of accesses or of misses is used up.
    Over,
}

/// Whether the organiser has shared the meeting with outsiders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareState {
    /// Never.
    Never,
    /// Every share was revoked.
    Revoked,
    /// Every share that was not revoked has expired.
    Expired,
    /// At least one share holds.
    Live,
}

/// Whether the user has shown that a share which holds was meant for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareProof {
    /// The secret of such a share was shown, or the share names the user.
    Held,
    /// Neither.
    Missing,
}

/// What the meeting's password says about what the user typed. It concerns outsiders only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PasswordCheck {
    /// The meeting has no password.
    NotNeeded,
    /// It is the password.
    Right,
    /// Nothing was typed.
    Untyped,
    /// It is not the password.
    Wrong,
    /// Too many wrong ones were tried at this meeting, so that none is looked at.
    Locked,
}

/// Whether a host has taken the user out of the meeting. It concerns outsiders only: who is on the
/// list again is not removed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Removed {
    /// Nobody has.
    No,
    /// A host has.
    ByHost,
}

/// Whose accesses are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counting {
    /// Those of outsiders.
    Outsiders,
    /// Those of members too.
    Everybody,
}

/// Whether the organisation wants outsiders to show the secret of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretPolicy {
    /// Once a meeting is shared, its id is enough, and its password if it has one.
    Optional,
    /// Outsiders come by a link or because a share names them.
    Required,
}

impl Action {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Join, Self::Read];
}

impl Role {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Organiser, Self::Host, Self::Member, Self::Outsider];

    /// Whether it stands on the member list.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::Outsider)
    }

    /// Whether it may share the meeting, and take shares back.
    #[must_use]
    pub const fn may_share(self) -> bool {
        matches!(self, Self::Organiser | Self::Host)
    }
}

impl MeetingState {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Absent, Self::Open, Self::Ended, Self::EndedLongAgo];

    /// The state of a meeting that ended at `ended_at` (none: it has not), when outsiders may read
    /// about it for `readable_for` after that. All in milliseconds, times since 1970.
    #[must_use]
    pub const fn at(ended_at: Option<u64>, readable_for: u64, now: u64) -> Self {
        match ended_at {
            None => Self::Open,
            Some(ended_at) if now.saturating_sub(ended_at) <= readable_for => Self::Ended,
            Some(_) => Self::EndedLongAgo,
        }
    }
}

impl Count {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Within, Self::Over];
}

impl ShareState {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Never, Self::Revoked, Self::Expired, Self::Live];
}

impl ShareProof {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Held, Self::Missing];
}

impl PasswordCheck {
    /// All values.
    pub const ALL: [Self; 5] =
        [Self::NotNeeded, Self::Right, Self::Untyped, Self::Wrong, Self::Locked];
}

impl Removed {
    /// All values.
    pub const ALL: [Self; 2] = [Self::No, Self::ByHost];
}

impl Counting {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Outsiders, Self::Everybody];
}

impl SecretPolicy {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Optional, Self::Required];
}
