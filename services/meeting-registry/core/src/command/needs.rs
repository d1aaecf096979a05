//! What must be known of a meeting, so that a command or an operation can be applied to a part of it.

use tributary_identifiers::{AttachmentId, KeyThumbprint, ParticipantId, RelaySessionId, UserId};

use crate::{Act, Command, Operation, Presence, Present};

/// What is needed of a meeting beside its counters and its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs<'a> {
    /// Which of those who are or were in.
    pub places: PlacesNeeded<'a>,
    /// Whose place on the member list, and whether a host has taken them out.
    pub users: Vec<&'a UserId>,
    /// The participant whose user's is needed too.
    pub user_of: Option<ParticipantId>,
    /// Which file.
    pub attachment: Option<&'a AttachmentId>,
}

/// Which of those who are or were in are needed: all whom any of these name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacesNeeded<'a> {
    /// Who is or was in with this key.
    pub key: Option<&'a KeyThumbprint>,
    /// Who is or was in by these numbers.
    pub participants: Vec<ParticipantId>,
    /// Who is in as one of these users.
    pub users: Vec<&'a UserId>,
    /// Who is kept in by this run of a relay.
    pub relay_session: Option<&'a RelaySessionId>,
    /// Who waits in the lobby.
    pub waiting: bool,
    /// Everybody who is in.
    pub everybody: bool,
}

impl PlacesNeeded<'_> {
    /// Whether nobody is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == PlacesNeeded::default()
    }

    /// Whether this one is needed; `is_in`: it has not left.
    #[must_use]
    pub fn include(&self, place: &Present, is_in: bool) -> bool {
        let participant = &place.participant;
        let of_those_in = self.everybody
            || self.waiting && participant.presence == Presence::Waiting
            || self.users.contains(&&participant.user_id)
            || self.relay_session == Some(&place.relay_session);
        self.key == Some(&place.key)
            || self.participants.contains(&participant.id)
            || is_in && of_those_in
    }
}

impl Command {
    /// What must be in the state that this is applied to.
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        let mut needs = Needs::default();
        let places = &mut needs.places;
        match self {
            Self::Join(join) => {
                places.key = Some(&join.key);
                needs.users.push(&join.user_id);
            }
            Self::Leave(leave) => places.participants.push(leave.participant),
            Self::End => places.everybody = true,
            Self::SetReachable(set) => places.participants.extend(&set.participants),
            Self::RelayLost { relay_session, .. } => places.relay_session = Some(relay_session),
            Self::Update(update) => {
                // Who waits comes in when the lobby is closed.
                places.waiting = update.lobby == Some(false);
                needs.users.extend(update.by.user());
            }
            Self::SetMembers(set) => {
                places.users.extend(set.members.keys());
                needs.users.extend(set.by.user().into_iter().chain(set.members.keys()));
            }
            Self::RemoveMembers(remove) => {
                places.users.extend(&remove.members);
                needs.users.extend(remove.by.user().into_iter().chain(&remove.members));
            }
            Self::Attach(attach) => needs.users.push(&attach.attachment.by),
            Self::Detach(detach) => {
                needs.attachment = Some(&detach.attachment);
                needs.users.extend(detach.by.user());
            }
            Self::Announce(_) => {}
        }
        needs
    }
}

impl Operation {
    /// What must be in the state that this is applied to.
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        let mut places =
            PlacesNeeded { participants: vec![self.participant], ..PlacesNeeded::default() };
        let mut user_of = None;
        match &self.act {
            Act::SendChat { to: some, .. } | Act::TalkTo(some) => {
                places.participants.extend(some.iter().take(crate::TARGETS_MAX));
            }
            Act::MuteParticipant(one)
            | Act::AskToUnmute(one)
            | Act::AnswerLobby { participant: one, .. }
            | Act::SetHost { participant: one, .. }
            | Act::SetSpotlight(Some(one))
            | Act::LowerHand(Some(one)) => places.participants.push(*one),
            // All terminals of that user.
            Act::RemoveParticipant(one) => {
                places.participants.push(*one);
                places.everybody = true;
                user_of = Some(*one);
            }
            Act::LowerHand(None) | Act::End => places.everybody = true,
            Act::SetMuted(_)
            | Act::SetHand(_)
            | Act::CheckIn
            | Act::SetPresence(_)
            | Act::SetName(_)
            | Act::SetLocked(_)
            | Act::SetSpotlight(None)
            | Act::Malformed(_)
            | Act::Unknown => {}
        }
        Needs { places, user_of, ..Needs::default() }
    }
}
