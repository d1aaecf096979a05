//! What a decision is made from.
//!
//! Every type lists all its values in `ALL`, for the test that goes through all combinations.

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Enter the meeting.
    Join,
    /// Read what it is about and who is in it.
    Read,
}

/// What is known about a user and a meeting at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Of the meeting.
    pub meeting: MeetingState,
    /// Of the user in the meeting.
    pub membership: Membership,
    /// Of the meeting.
    pub share_mark: ShareMark,
    /// Of what the user typed.
    pub password: PasswordCheck,
}

/// How far a meeting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeetingState {
    /// There is none in the user's organisation.
    Absent,
    /// It can be entered.
    Open,
    /// It is over.
    Ended,
}

/// Whether the user is on the member list; the organiser is its first member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Membership {
    /// On the list.
    Member,
    /// Not on the list.
    Outsider,
}

/// Whether the organiser has shared the meeting with outsiders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareMark {
    /// Shared.
    Set,
    /// Not shared.
    Unset,
}

/// What the meeting's password says about what the user typed. It concerns outsiders only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PasswordCheck {
    /// The meeting has no password.
    NotNeeded,
    /// It is the password.
    Right,
    /// It is not, or nothing was typed.
    Wrong,
}

impl Action {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Join, Self::Read];
}

impl MeetingState {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Absent, Self::Open, Self::Ended];
}

impl Membership {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Member, Self::Outsider];
}

impl ShareMark {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Set, Self::Unset];
}

impl PasswordCheck {
    /// All values.
    pub const ALL: [Self; 3] = [Self::NotNeeded, Self::Right, Self::Wrong];
}
