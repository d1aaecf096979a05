//! A meeting as it is created and as it is described.

use std::collections::BTreeSet;

use tributary_identifiers::{InvalidTextId, MeetingId, OrganisationId, UserId};

use crate::{InvalidText, Subject, UnixMillis};

/// The longest list of members beside the organiser. More are an audience, not a list.
pub const MEMBERS_MAX: usize = 10_000;

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
    /// The hash of its password in PHC form.
    pub password_hash: Option<String>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// When it ended, if it has.
    pub ended_at: Option<UnixMillis>,
}

/// A meeting that is to be created, checked. Its password is checked too, but not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is about.
    pub subject: Subject,
    /// Who creates it.
    pub organiser: UserId,
    /// The member list, each once, with the organiser.
    pub members: BTreeSet<UserId>,
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
    /// One of the members.
    #[error("{source}")]
    Member {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        source: InvalidTextId,
    },
    /// Too many members.
    #[error("at most {MEMBERS_MAX} members, not {0}")]
    Members(usize),
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
            Self::Members(_) => "member_user_ids".into(),
            Self::Password => "password".into(),
        }
    }
}

impl Draft {
    /// Checks a request to create a meeting; the organiser becomes a member.
    ///
    /// # Errors
    /// A field is not acceptable.
    pub fn read(
        subject: &str,
        organiser: &str,
        members: &[String],
        password: &str,
    ) -> Result<Self, InvalidDraft> {
        let subject = subject.parse()?;
        let organiser: UserId = organiser.parse().map_err(InvalidDraft::Organiser)?;
        if members.len() > MEMBERS_MAX {
            return Err(InvalidDraft::Members(members.len()));
        }
        if password.chars().take(PASSWORD_LENGTH_MAX + 1).count() > PASSWORD_LENGTH_MAX {
            return Err(InvalidDraft::Password);
        }
        let mut list = BTreeSet::from([organiser.clone()]);
        for (index, member) in members.iter().enumerate() {
            let member = member.parse().map_err(|source| InvalidDraft::Member { index, source })?;
            list.insert(member);
        }
        Ok(Self { subject, organiser, members: list })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("user-{index}")).collect()
    }

    #[test]
    fn the_organiser_is_a_member_and_everybody_is_listed_once() {
        let members = ["bob".to_owned(), "ann".to_owned(), "bob".to_owned()];
        let draft = Draft::read(" Planning ", "ann", &members, "").unwrap();
        let list: Vec<_> = draft.members.iter().map(UserId::as_str).collect();
        assert_eq!((draft.subject.as_str(), list), ("Planning", vec!["ann", "bob"]));
    }

    #[test]
    fn ten_thousand_members_are_accepted_and_one_more_is_not() {
        assert_eq!(Draft::read("s", "ann", &names(10_000), "").unwrap().members.len(), 10_001);
        assert_eq!(Draft::read("s", "ann", &names(10_001), ""), Err(InvalidDraft::Members(10_001)));
    }

    #[test]
    fn a_refusal_names_its_field() {
        let check = |subject, organiser, member: &str, password: &str, field: &str| {
            let error =
                Draft::read(subject, organiser, &[member.to_owned()], password).unwrap_err();
            assert_eq!(error.field(), field, "{error}");
        };
        check("", "ann", "bob", "", "subject");
        check("s", "a b", "bob", "", "organiser_user_id");
        check("s", "ann", "", "", "member_user_ids[0]");
        check("s", "ann", "bob", &"王".repeat(129), "password");
        assert!(Draft::read("s", "ann", &[], &"王".repeat(128)).is_ok());
    }
}
