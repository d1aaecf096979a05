//! The meeting that the relay itself is in, as its page shows it: who is there, by their relays.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// People that are shown at most; of the others only their number.
pub const PEOPLE_SHOWN_MAX: usize = 500;

/// What the relay's own participant shows; none: the relay is to be in no meeting itself.
pub type Shown = Option<Arc<OwnMeeting>>;

/// How far the relay is with its own meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has to be attached first.
    #[default]
    NotAttached,
    /// It is about to join.
    Joining,
    /// It is in.
    In,
    /// It waits in the lobby.
    Lobby,
    /// It was in, and the connection is lost: what is shown is of before.
    Lost,
    /// The core does not let it in; it is never said why.
    NotAdmitted,
    /// The meeting has a password.
    Password,
    /// The hosts let nobody else in for now.
    Locked,
    /// The core, or a service behind it, does not answer now.
    NoAnswer,
    /// It was refused for another reason.
    Refused,
    /// A host has taken it out.
    Removed,
    /// A host has sent it away from the lobby.
    SentAway,
    /// It has joined from elsewhere.
    Replaced,
    /// What it had joined by was revoked.
    Revoked,
    /// The meeting is over.
    Over,
}

impl Standing {
    /// All there are.
    pub const ALL: [Self; 15] = [
        Self::NotAttached,
        Self::Joining,
        Self::In,
        Self::Lobby,
        Self::Lost,
        Self::NotAdmitted,
        Self::Password,
        Self::Locked,
        Self::NoAnswer,
        Self::Refused,
        Self::Removed,
        Self::SentAway,
        Self::Replaced,
        Self::Revoked,
        Self::Over,
    ];

    /// True if it stays so until the relay is started again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Removed | Self::SentAway | Self::Replaced | Self::Revoked | Self::Over)
    }

    /// The same in a sentence, with what to do if it is not as it should be.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotAttached => "The relay joins as soon as it is attached.",
            Self::Joining => "The relay is joining.",
            Self::In => "The relay is in the meeting.",
            Self::Lobby => "The relay waits in the lobby: a host of the meeting has to let it in.",
            Self::Lost => {
                "The connection to the meeting is lost, and what is shown is of before: the relay comes \
                 back by itself."
            }
            Self::NotAdmitted => {
                "The relay is not let in: the link is wrong or not good any more, or the meeting is for \
                 its members only. It tries again every few minutes; if the link is wrong, start it \
                 with the right one (--join)."
            }
            Self::Password => {
                "The meeting wants a password, and a relay has none to give: ask a host to let people \
                 with the link in without one. It tries again every few minutes."
            }
            Self::Locked => {
                "The meeting is locked: its hosts let nobody else in for now. The relay tries again \
                 every few minutes."
            }
            Self::NoAnswer => {
                "The core, or a service behind it, does not answer now: the relay tries again by \
                 itself, at least once a minute."
            }
            Self::Refused => {
                "The relay was not let in. It tries again every few minutes; its log says more."
            }
            Self::Removed => {
                "A host has taken the relay out of the meeting. It does not come back by itself: start \
                 it again if it is wanted there."
            }
            Self::SentAway => {
                "A host has sent the relay away from the lobby. It does not come back by itself: start \
                 it again if it is wanted there."
            }
            Self::Replaced => {
                "Somebody else has joined as this relay. It does not come back by itself: start it \
                 again."
            }
            Self::Revoked => {
                "What the relay had joined by was revoked. It does not come back by itself: start it again \
                 if it is wanted there."
            }
            Self::Over => {
                "The meeting is over. To be in another one, start the relay with the link to that \
                 (--join)."
            }
        }
    }
}

/// Somebody in the meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Someone {
    /// The name shown to others.
    pub name: String,
    /// True for a relay that is in the meeting itself: a room's device, the head of its group.
    pub itself: bool,
    /// May use the host's operations.
    pub host: bool,
    /// The microphone is off.
    pub muted: bool,
    /// Speaks now.
    pub speaking: bool,
    /// The how manyth of the raised hands, from 1; 0: the hand is down.
    pub hand: u32,
    /// Is away, or can't be reached now.
    pub away: bool,
}

/// Those behind one relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The relay's id.
    pub relay_id: String,
    /// Its name.
    pub relay_name: String,
    /// True for the relay that shows it.
    pub own: bool,
    /// Who is there: first the relay itself, if it is in the meeting, then people by their names.
    pub people: Vec<Someone>,
}

/// The meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMeeting {
    /// How far the relay is with it.
    pub standing: Standing,
    /// The same in a sentence that says what to do, if anything.
    pub words: String,
    /// What the meeting is about.
    pub subject: String,
    /// How many people are in it: without relays that are in it themselves, and without who waits in its
    /// lobby.
    pub people: u64,
    /// They, by their relays: this relay's group first, then by the relays' names.
    pub groups: Vec<Group>,
    /// How many are not in `groups`, because there are more than 500.
    pub not_shown: u64,
}

impl OwnMeeting {
    /// Nobody is to be seen.
    #[must_use]
    pub fn at(standing: Standing) -> Self {
        Self { standing, words: standing.words().to_owned(), ..Self::default() }
    }

    /// The same, of before the connection was lost.
    pub(super) fn lost(mut self) -> Self {
        self.standing = Standing::Lost;
        Standing::Lost.words().clone_into(&mut self.words);
        for someone in self.groups.iter_mut().flat_map(|group| &mut group.people) {
            someone.speaking = false;
        }
        self
    }

    /// The same without what is nobody's business but of those who see the page.
    pub(super) fn without_people(mut self) -> Self {
        self.subject.clear();
        self.groups.clear();
        self
    }
}
