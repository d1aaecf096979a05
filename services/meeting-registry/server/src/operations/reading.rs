//! Reads an operation as it came from a relay. What is not provably its participant's, or belongs
//! elsewhere, is dropped: there is nobody to whom it could be answered.

use prost::Message as _;
use prost_types::Timestamp;
use sha2::{Digest as _, Sha256};
use tributary_contracts::operation::v1::{
    self as wire, OfflineReason as WireReason, PresenceWish, operation::Body,
};
use tributary_identifiers::ParticipantId;
use tributary_join_credential::verify_operation;
use tributary_meeting_registry_core::{Act, OfflineReason, Operation, Presence, UnixMillis};
use tributary_message_bus::subjects::MeetingScope;

use crate::store::Received;

/// The longest envelope, in bytes.
const ENVELOPE_BYTES_MAX: usize = 12 * 1024;

/// Why an operation is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It is not an operation, or names nobody who could be answered.
    Undecodable,
    /// Its envelope is longer than it may be.
    TooLong,
    /// The signature is not by the key over the envelope, or the key is none.
    BadSignature,
    /// It is for another meeting than the one on whose subject it came.
    Elsewhere,
    /// No participant of that number has joined with that key.
    NotTheirs,
    /// There is no such meeting.
    NoSuchMeeting,
}

impl Dropped {
    /// A word for it, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::TooLong => "too_long",
            Self::BadSignature => "bad_signature",
            Self::Elsewhere => "elsewhere",
            Self::NotTheirs => "not_theirs",
            Self::NoSuchMeeting => "no_such_meeting",
        }
    }
}

/// Reads an encoded `SignedOperation` that came on the subject of a meeting, and proves whose it is.
/// `not_after` in it is as the terminal says it.
pub fn read(payload: &[u8], scope: &MeetingScope) -> Result<Received, Dropped> {
    let undecodable = |_| Dropped::Undecodable;
    let signed = wire::SignedOperation::decode(payload).map_err(undecodable)?;
    if signed.envelope.len() > ENVELOPE_BYTES_MAX {
        return Err(Dropped::TooLong);
    }
    let key = verify_operation(&signed.public_key, &signed.envelope, &signed.signature)
        .map_err(|_| Dropped::BadSignature)?;
    let operation = wire::Operation::decode(signed.envelope.as_slice()).map_err(undecodable)?;
    if operation.organisation != scope.organisation.as_str()
        || operation.meeting_id.parse().ok() != Some(scope.meeting)
    {
        return Err(Dropped::Elsewhere);
    }
    let operation = read_operation(operation).ok_or(Dropped::Undecodable)?;
    Ok(Received { operation, key, hash: Sha256::digest(&signed.envelope).into() })
}

/// `None` if it can't be said to whom its answer belongs.
fn read_operation(operation: wire::Operation) -> Option<Operation> {
    Some(Operation {
        id: operation.operation_id.parse().ok()?,
        sequence: operation.client_sequence,
        session: operation.session_id.parse().ok()?,
        participant: participant(operation.participant_id)?,
        not_after: operation.not_after.as_ref().map_or(0, millis),
        act: operation.body.map_or(Act::Unknown, read_act),
    })
}

fn read_act(body: Body) -> Act {
    match body {
        Body::SetMuted(set) => Act::SetMuted(set.muted),
        Body::SetHand(set) => Act::SetHand(set.raised),
        Body::CheckIn(wire::CheckIn {}) => Act::CheckIn,
        Body::SendChat(send) => match participants(&send.to_participant_ids) {
            Some(to) => Act::SendChat { text: send.text, to },
            None => nobody(),
        },
        Body::SetPresence(set) => read_presence(set),
        Body::TalkTo(talk) => participants(&talk.participant_ids).map_or_else(nobody, Act::TalkTo),
        Body::SetName(set) => Act::SetName(set.display_name),
        Body::MuteParticipant(mute) => with(mute.participant_id, Act::MuteParticipant),
        Body::AskToUnmute(ask) => with(ask.participant_id, Act::AskToUnmute),
        Body::RemoveParticipant(remove) => with(remove.participant_id, Act::RemoveParticipant),
        Body::SetLocked(set) => Act::SetLocked(set.locked),
        Body::AnswerLobby(wire::AnswerLobby { participant_id, admitted }) => {
            with(participant_id, |participant| Act::AnswerLobby { participant, admitted })
        }
        Body::SetHost(wire::SetHost { participant_id, host }) => {
            with(participant_id, |participant| Act::SetHost { participant, host })
        }
        Body::SetSpotlight(set) => Act::SetSpotlight(participant(set.participant_id)),
        Body::LowerHand(lower) => Act::LowerHand(participant(lower.participant_id)),
        Body::End(wire::End {}) => Act::End,
    }
}

fn read_presence(set: wire::SetPresence) -> Act {
    let (wish, reason) = (PresenceWish::try_from(set.presence), WireReason::try_from(set.reason));
    let presence = match wish {
        Ok(PresenceWish::Online) => Presence::Online,
        Ok(PresenceWish::Away) => Presence::Away,
        Ok(PresenceWish::Offline) => Presence::Offline(match reason {
            Ok(WireReason::OtherMeeting) => OfflineReason::OtherMeeting,
            Ok(WireReason::Interrupted) => OfflineReason::Interrupted,
            // A reason from a later version is none that can be shown.
            Ok(WireReason::Unspecified) | Err(_) => OfflineReason::Unsaid,
        }),
        Ok(PresenceWish::Unspecified) | Err(_) => {
            return Act::Malformed("presence must be online, away or offline");
        }
    };
    Act::SetPresence(presence)
}

fn with(id: u32, act: impl FnOnce(ParticipantId) -> Act) -> Act {
    participant(id).map_or_else(nobody, act)
}

const fn nobody() -> Act {
    Act::Malformed("a participant's number is 1 or more")
}

fn participant(id: u32) -> Option<ParticipantId> {
    (id != 0).then_some(ParticipantId(id))
}

/// How many there may be is for the core to say; the length of the envelope bounds them here.
fn participants(ids: &[u32]) -> Option<Vec<ParticipantId>> {
    ids.iter().copied().map(participant).collect()
}

/// Unix milliseconds; 0 for what is before 1970, and the end of time for what no clock shows.
fn millis(time: &Timestamp) -> UnixMillis {
    let Ok(seconds) = u64::try_from(time.seconds) else { return 0 };
    let nanos = u64::try_from(time.nanos).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::{MeetingId, OrganisationId};
    use tributary_join_credential::TerminalKey;

    use super::*;

    fn scope() -> MeetingScope {
        MeetingScope {
            organisation: OrganisationId::default(),
            meeting: MeetingId::try_from(42).unwrap(),
        }
    }

    fn operation(body: Option<Body>) -> wire::Operation {
        wire::Operation {
            operation_id: "op-1".into(),
            client_sequence: 7,
            organisation: "default".into(),
            meeting_id: "42".into(),
            participant_id: 3,
            session_id: "session-1".into(),
            not_after: Some(Timestamp { seconds: 1_800_000_000, nanos: 999_999_999 }),
            body,
        }
    }

    fn sign(key: &TerminalKey, envelope: Vec<u8>) -> wire::SignedOperation {
        let signature = key.sign_operation(&envelope).unwrap();
        wire::SignedOperation { envelope, public_key: key.public_key().to_vec(), signature }
    }

    fn read_signed(operation: &wire::Operation) -> Result<Received, Dropped> {
        let key = TerminalKey::generate().unwrap();
        let signed = sign(&key, operation.encode_to_vec());
        let received = read(&signed.encode_to_vec(), &scope())?;
        assert_eq!(&received.key, key.thumbprint());
        assert_eq!(received.hash, <[u8; 32]>::from(Sha256::digest(&signed.envelope)));
        Ok(received)
    }

    fn act(body: Body) -> Act {
        read_signed(&operation(Some(body))).unwrap().operation.act
    }

    #[test]
    fn an_operation_is_read_as_its_terminal_has_signed_it() {
        let set = Body::SetMuted(wire::SetMuted { muted: true });
        let expected = Operation {
            id: "op-1".parse().unwrap(),
            sequence: 7,
            session: "session-1".parse().unwrap(),
            participant: ParticipantId(3),
            not_after: 1_800_000_000_999,
            act: Act::SetMuted(true),
        };
        assert_eq!(read_signed(&operation(Some(set))).unwrap().operation, expected);
    }

    #[test]
    fn every_kind_is_read() {
        let some = ParticipantId(5);
        let set_presence = |presence: PresenceWish, reason: WireReason| {
            let (presence, reason) = (presence.into(), reason.into());
            act(Body::SetPresence(wire::SetPresence { presence, reason }))
        };
        assert_eq!(act(Body::SetHand(wire::SetHand { raised: true })), Act::SetHand(true));
        assert_eq!(act(Body::CheckIn(wire::CheckIn {})), Act::CheckIn);
        let chat = wire::SendChat { text: "hi".into(), to_participant_ids: vec![5] };
        assert_eq!(act(Body::SendChat(chat)), Act::SendChat { text: "hi".into(), to: vec![some] });
        assert_eq!(
            set_presence(PresenceWish::Away, WireReason::Interrupted),
            Act::SetPresence(Presence::Away)
        );
        assert_eq!(
            set_presence(PresenceWish::Offline, WireReason::OtherMeeting),
            Act::SetPresence(Presence::Offline(OfflineReason::OtherMeeting))
        );
        let talk = wire::TalkTo { participant_ids: vec![5] };
        assert_eq!(act(Body::TalkTo(talk)), Act::TalkTo(vec![some]));
        let name = wire::SetName { display_name: "Ada".into() };
        assert_eq!(act(Body::SetName(name)), Act::SetName("Ada".into()));
        let participant_id = 5;
        for (body, expected) in [
            (
                Body::MuteParticipant(wire::MuteParticipant { participant_id }),
                Act::MuteParticipant(some),
            ),
            (Body::AskToUnmute(wire::AskToUnmute { participant_id }), Act::AskToUnmute(some)),
            (
                Body::RemoveParticipant(wire::RemoveParticipant { participant_id }),
                Act::RemoveParticipant(some),
            ),
            (Body::SetLocked(wire::SetLocked { locked: true }), Act::SetLocked(true)),
            (
                Body::AnswerLobby(wire::AnswerLobby { participant_id, admitted: true }),
                Act::AnswerLobby { participant: some, admitted: true },
            ),
            (
                Body::SetHost(wire::SetHost { participant_id, host: true }),
                Act::SetHost { participant: some, host: true },
            ),
            (
                Body::SetSpotlight(wire::SetSpotlight { participant_id }),
                Act::SetSpotlight(Some(some)),
            ),
            (Body::SetSpotlight(wire::SetSpotlight::default()), Act::SetSpotlight(None)),
            (Body::LowerHand(wire::LowerHand { participant_id }), Act::LowerHand(Some(some))),
            (Body::LowerHand(wire::LowerHand::default()), Act::LowerHand(None)),
            (Body::End(wire::End {}), Act::End),
        ] {
            assert_eq!(act(body.clone()), expected, "{body:?}");
        }
    }

    #[test]
    fn what_says_nothing_sensible_is_kept_so_that_it_is_refused() {
        for body in [
            Body::SetPresence(wire::SetPresence::default()),
            Body::SetPresence(wire::SetPresence { presence: 77, reason: 0 }),
            Body::MuteParticipant(wire::MuteParticipant { participant_id: 0 }),
            Body::TalkTo(wire::TalkTo { participant_ids: vec![1, 0] }),
        ] {
            assert!(matches!(act(body.clone()), Act::Malformed(_)), "{body:?}");
        }
        assert_eq!(read_signed(&operation(None)).unwrap().operation.act, Act::Unknown);
        let long_ago = Timestamp { seconds: -1, nanos: 0 };
        for (not_after, expected) in [
            (None, 0),
            (Some(long_ago), 0),
            (Some(Timestamp { seconds: i64::MAX, nanos: 0 }), u64::MAX),
        ] {
            let late = wire::Operation { not_after, ..operation(None) };
            assert_eq!(read_signed(&late).unwrap().operation.not_after, expected);
        }
    }

    #[test]
    fn any_bit_that_is_changed_on_the_way_makes_it_nobody_s() {
        let key = TerminalKey::generate().unwrap();
        let set = operation(Some(Body::SetMuted(wire::SetMuted { muted: true })));
        let signed = sign(&key, set.encode_to_vec());
        let good = read(&signed.encode_to_vec(), &scope()).unwrap();
        for bit in 0..signed.envelope.len() * 8 {
            let mut edited = signed.clone();
            edited.envelope[bit / 8] ^= 1 << (bit % 8);
            let read = read(&edited.encode_to_vec(), &scope()).err();
            assert_eq!(read, Some(Dropped::BadSignature), "bit {bit}");
        }
        for bit in 0..signed.signature.len() * 8 {
            let mut edited = signed.clone();
            edited.signature[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&edited.encode_to_vec(), &scope()).err(), Some(Dropped::BadSignature));
        }
        let other = TerminalKey::generate().unwrap().public_key().to_vec();
        let edited = wire::SignedOperation { public_key: other, ..signed.clone() };
        assert_eq!(read(&edited.encode_to_vec(), &scope()).err(), Some(Dropped::BadSignature));
        let again = sign(&TerminalKey::generate().unwrap(), signed.envelope.clone());
        let again = read(&again.encode_to_vec(), &scope()).unwrap();
        assert_ne!(again.key, good.key, "who signs it anew is somebody else");
    }

    #[test]
    fn what_belongs_elsewhere_or_nowhere_is_dropped() {
        let dropped = |change: fn(&mut wire::Operation)| {
            let mut changed = operation(None);
            change(&mut changed);
            read_signed(&changed).err()
        };
        let elsewhere = Some(Dropped::Elsewhere);
        assert_eq!(dropped(|operation| operation.meeting_id = "43".into()), elsewhere);
        assert_eq!(dropped(|operation| operation.meeting_id = "x".into()), elsewhere);
        assert_eq!(dropped(|operation| operation.organisation = "other".into()), elsewhere);
        assert_eq!(dropped(|operation| operation.organisation = String::new()), elsewhere);
        let undecodable = Some(Dropped::Undecodable);
        assert_eq!(dropped(|operation| operation.participant_id = 0), undecodable);
        assert_eq!(dropped(|operation| operation.operation_id = String::new()), undecodable);
        assert_eq!(dropped(|operation| operation.operation_id = "a b".into()), undecodable);
        assert_eq!(dropped(|operation| operation.session_id = String::new()), undecodable);
        let key = TerminalKey::generate().unwrap();
        let read = |envelope: Vec<u8>| read(&sign(&key, envelope).encode_to_vec(), &scope()).err();
        assert_eq!(read(vec![0xff; 40]), undecodable);
        assert_eq!(read(vec![0; ENVELOPE_BYTES_MAX + 1]), Some(Dropped::TooLong));
        assert_eq!(super::read(b"nonsense", &scope()).err(), undecodable);
        assert_eq!(super::read(b"", &scope()).err(), Some(Dropped::BadSignature));
    }
}
