//! A meeting as it is created and as it is described.

use std::collections::BTreeMap;

use tributary_identifiers::{InvalidTextId, MeetingId, OrganisationId, UserId};

use crate::{
    DisplayName, InvalidStart, InvalidText, Invitation, MEMBERS_MAX, Role, Subject, UnixMillis,
    check_start,
};

/// The longest meeting password, in characters.
pub const PASSWORD_LENGTH_MAX: usize = 128;

/// What is known of a meeting beside who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// Its id.
    pub id: MeetingId,
    /// The organisation that owns it.
    pub organisation: OrganisationId,
    /// What it is about.
    pub subject: Subject,
    /// The user who created it.
    pub organiser: UserId,
    /// The name of that user as it was then, if it was given.
    pub organiser_name: Option<DisplayName>,
    /// The hash of its password in PHC form.
    pub password_hash: Option<String>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// When it is to begin, if it is scheduled; it runs from its creation otherwise.
    pub starts_at: Option<UnixMillis>,
    /// The beginning for which its members have not been invited yet.
    pub invites_at: Option<UnixMillis>,
    /// Whether outsiders wait until somebody lets them in.
    pub lobby: bool,
    /// When it ended, if it has.
    pub ended_at: Option<UnixMillis>,
}

/// A meeting that somebody asks to create, as it is said.
#[derive(Clone, Copy, Default)]
pub struct Proposal<'a> {
    /// What it is about.
    pub subject: &'a str,
    /// Who creates it.
    pub organiser: &'a str,
    /// The organiser's name; may be empty.
    pub organiser_name: &'a str,
    /// Further members.
    pub members: &'a [String],
    /// Which of them are hosts; who is not among them comes onto the list too.
    pub hosts: &'a [String],
    /// The password of outsiders; empty: none.
    pub password: &'a str,
    /// When it is to begin.
    pub starts_at: Option<UnixMillis>,
    /// Whether outsiders wait in the lobby.
    pub lobby: bool,
}

/// A meeting that is to be created, checked. Its password is checked too, but not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is about.
    pub subject: Subject,
    /// Who creates it.
    pub organiser: UserId,
    /// The organiser's name.
    pub organiser_name: Option<DisplayName>,
    /// The member list, each once, with the organiser.
    pub members: BTreeMap<UserId, Role>,
    /// When it is to begin.
    pub starts_at: Option<UnixMillis>,
    /// Whether outsiders wait in the lobby.
    pub lobby: bool,
}

/// The meeting can't be created like that; each case is a field of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDraft {
    /// The subject.
    #[error("{0}")]
    Subject(#[from] InvalidText),
    /// The organiser.
    #[error("{0}")]
    Organiser(#[source] InvalidTextId),
    /// The organiser's name.
    #[error("{0}")]
    OrganiserName(#[source] InvalidText),
    /// One of the members.
    #[error("{source}")]
    Member {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        source: InvalidTextId,
    },
    /// One of the hosts.
    #[error("{source}")]
    Host {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        source: InvalidTextId,
    },
    /// Too many members.
    #[error("at most {MEMBERS_MAX} members, not {0}")]
    Members(usize),
    /// The start.
    #[error("{0}")]
    Start(#[from] InvalidStart),
    /// The password.
    #[error("at most {PASSWORD_LENGTH_MAX} characters")]
    Password,
}

impl InvalidDraft {
    /// The field of the request.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            Self::Subject(_) => "subject".into(),
            Self::Organiser(_) => "organiser_user_id".into(),
            Self::Member { index, .. } => format!("member_user_ids[{index}]"),
            Self::OrganiserName(_) => "organiser_display_name".into(),
            Self::Host { index, .. } => format!("host_user_ids[{index}]"),
            Self::Members(_) => "member_user_ids".into(),
            Self::Start(_) => "starts_at".into(),
            Self::Password => "password".into(),
        }
    }
}

/// A name that need not be given.
///
/// # Errors
/// It can't be shown.
pub fn optional_name(text: &str) -> Result<Option<DisplayName>, InvalidText> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// The password is longer than [`PASSWORD_LENGTH_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {PASSWORD_LENGTH_MAX} characters")]
pub struct PasswordTooLong;

/// Checks a password that a meeting is to have.
///
/// # Errors
/// It is too long.
pub fn check_password(password: &str) -> Result<(), PasswordTooLong> {
    let length = password.chars().take(PASSWORD_LENGTH_MAX + 1).count();
    if length > PASSWORD_LENGTH_MAX { Err(PasswordTooLong) } else { Ok(()) }
}

impl Draft {
    /// Checks a request to create a meeting; the organiser comes onto the member list.
    ///
    /// # Errors
    /// A field is not acceptable.
    pub fn read(proposal: &Proposal<'_>, now: UnixMillis) -> Result<Self, InvalidDraft> {
        let Proposal { members, hosts, starts_at, lobby, .. } = *proposal;
        let subject = proposal.subject.parse()?;
        let organiser: UserId = proposal.organiser.parse().map_err(InvalidDraft::Organiser)?;
        let organiser_name =
            optional_name(proposal.organiser_name).map_err(InvalidDraft::OrganiserName)?;
        check_password(proposal.password).map_err(|_| InvalidDraft::Password)?;
        starts_at.map_or(Ok(()), |starts_at| check_start(starts_at, now))?;

        let asked = members.len().max(hosts.len());
        if asked > MEMBERS_MAX as usize {
            return Err(InvalidDraft::Members(asked));
        }
        let mut list = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            let member = member.parse().map_err(|source| InvalidDraft::Member { index, source })?;
            list.insert(member, Role::Member);
        }
        for (index, host) in hosts.iter().enumerate() {
            let host = host.parse().map_err(|source| InvalidDraft::Host { index, source })?;
            list.insert(host, Role::Host);
        }
        list.insert(organiser.clone(), Role::Organiser);
        if list.len() > MEMBERS_MAX as usize + 1 {
            return Err(InvalidDraft::Members(list.len() - 1));
        }
        Ok(Self { subject, organiser, organiser_name, members: list, starts_at, lobby })
    }

    /// The meeting that this becomes.
    #[must_use]
    pub fn meeting(
        &self,
        id: MeetingId,
        organisation: OrganisationId,
        password_hash: Option<String>,
        created_at: UnixMillis,
    ) -> Meeting {
        Meeting {
            id,
            organisation,
            subject: self.subject.clone(),
            organiser: self.organiser.clone(),
            organiser_name: self.organiser_name.clone(),
            password_hash,
            created_at,
            starts_at: self.starts_at,
            invites_at: self.starts_at,
            lobby: self.lobby,
            ended_at: None,
        }
    }
}

impl Meeting {
    /// The invitation of those who are on the list from the beginning, if it has begun.
    #[must_use]
    pub fn invitation_at_creation(&self) -> Option<Invitation> {
        self.invitation_of_added(self.organiser(), self.created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 1_800_000_000_000;
    const DAY: UnixMillis = 24 * 3600 * 1000;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("user-{index}")).collect()
    }

    fn proposal() -> Proposal<'static> {
        Proposal { subject: "s", organiser: "ann", ..Proposal::default() }
    }

    #[test]
    fn everybody_is_listed_once_with_the_highest_role_that_was_named() {
        let members = ["bob", "ann", "bob", "cleo"].map(str::to_owned);
        let hosts = ["cleo", "dan", "ann"].map(str::to_owned);
        let proposal =
            Proposal { subject: " Planning ", members: &members, hosts: &hosts, ..proposal() };
        let draft = Draft::read(&proposal, NOW).unwrap();
        let list: Vec<_> =
            draft.members.iter().map(|(user, role)| (user.as_str(), *role)).collect();
        let expected = [
            ("ann", Role::Organiser),
            ("bob", Role::Member),
            ("cleo", Role::Host),
            ("dan", Role::Host),
        ];
        assert_eq!((draft.subject.as_str(), list.as_slice()), ("Planning", &expected[..]));
    }

    #[test]
    fn ten_thousand_members_are_accepted_and_one_more_is_not() {
        let check = |members: usize, hosts: usize| {
            let (members, all) = (names(members), names(members + hosts));
            let hosts = &all[members.len()..];
            let draft = Draft::read(&Proposal { members: &members, hosts, ..proposal() }, NOW);
            draft.map(|draft| draft.members.len())
        };
        assert_eq!(check(10_000, 0), Ok(10_001));
        assert_eq!(check(10_001, 0), Err(InvalidDraft::Members(10_001)));
        assert_eq!(check(5_000, 5_000), Ok(10_001));
        assert_eq!(check(5_000, 5_001), Err(InvalidDraft::Members(10_001)));
    }

    #[test]
    fn a_start_is_within_the_next_year() {
        let check = |starts_at| {
            Draft::read(&Proposal { starts_at: Some(starts_at), ..proposal() }, NOW).is_ok()
        };
        for good in [NOW - 60_000, NOW, NOW + 365 * DAY] {
            assert!(check(good), "{good}");
        }
        for bad in [0, NOW - 600_000, NOW + 367 * DAY, u64::MAX] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn a_refusal_names_its_field() {
        let bad = ["b b".to_owned()];
        let check = |proposal: Proposal<'_>, field: &str| {
            let error = Draft::read(&proposal, NOW).unwrap_err();
            assert_eq!(error.field(), field, "{error}");
        };
        check(Proposal { subject: "", ..proposal() }, "subject");
        check(Proposal { organiser: "a b", ..proposal() }, "organiser_user_id");
        check(Proposal { organiser_name: "a\nb", ..proposal() }, "organiser_display_name");
        check(Proposal { members: &bad, ..proposal() }, "member_user_ids[0]");
        check(Proposal { hosts: &bad, ..proposal() }, "host_user_ids[0]");
        check(Proposal { starts_at: Some(1), ..proposal() }, "starts_at");
        check(Proposal { password: &"王".repeat(129), ..proposal() }, "password");
        let longest = "王".repeat(128);
        assert!(Draft::read(&Proposal { password: &longest, ..proposal() }, NOW).is_ok());
    }
}
