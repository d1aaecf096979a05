//! Is this operation this participant's own? What a relay can see of it cheaply; the registry looks at
//! everything again. Pure.

use prost::Message as _;
use tributary_contracts::{
    operation::v1::{Operation, SignedOperation, operation::Body},
    terminal::v1::RefusalCode,
};
use tributary_identifiers::{KeyThumbprint, OperationId, ParticipantId, TerminalSessionId};
use tributary_join_credential::verify_operation;
use tributary_message_bus::subjects::MeetingScope;

use crate::refusal::Refused;

/// Largest envelope, in bytes.
const ENVELOPE_BYTES_MAX: usize = 12 << 10;

/// As whom a terminal has joined a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) scope: MeetingScope,
    pub(crate) participant: ParticipantId,
    pub(crate) session: TerminalSessionId,
    /// Of the key that it joined with.
    pub(crate) key: KeyThumbprint,
}

/// An operation that is what it says.
#[derive(Debug, PartialEq)]
pub(crate) struct Checked {
    pub(crate) id: OperationId,
    /// True for what takes the talker off the open floor: it is muted here without waiting.
    pub(crate) silences: bool,
}

/// Reads an envelope without believing it.
///
/// # Errors
/// `MALFORMED`: it is too long, or can't be read.
pub(crate) fn read(signed: &SignedOperation) -> Result<Operation, Refused> {
    if signed.envelope.len() > ENVELOPE_BYTES_MAX {
        return Err(malformed("operation.envelope is longer than 12 KiB: write less at once"));
    }
    let text = "operation.envelope is not an encoded tributary.operation.v1.Operation";
    Operation::decode(signed.envelope.as_slice()).map_err(|_| malformed(text))
}

/// Looks whether an operation is of this participant, in this meeting and session, and signed with the
/// key that it joined with.
///
/// # Errors
/// `MALFORMED` if it lacks something, `FORBIDDEN` if it is somebody else's.
pub(crate) fn check(
    signed: &SignedOperation,
    operation: &Operation,
    signer: &Signer,
) -> Result<Checked, Refused> {
    let id: OperationId = operation
        .operation_id
        .parse()
        .map_err(|error| malformed(&format!("operation_id: {error}")))?;
    if operation.client_sequence == 0 {
        return Err(malformed("client_sequence: operations are counted from 1"));
    }
    if operation.not_after.is_none() {
        return Err(malformed("not_after: it is missing"));
    }
    let own = [
        (operation.organisation == signer.scope.organisation.as_str(), "organisation"),
        (operation.meeting_id == signer.scope.meeting.to_string(), "meeting_id"),
        (operation.participant_id == signer.participant.0, "participant_id"),
        (operation.session_id == signer.session.as_str(), "session_id"),
    ];
    if let Some((_, field)) = own.iter().find(|(is_own, _)| !is_own) {
        return Err(forbidden(&format!("{field}: it is not what this terminal has joined as")));
    }
    match verify_operation(&signed.public_key, &signed.envelope, &signed.signature) {
        Ok(key) if key == signer.key => {}
        Ok(_) => return Err(forbidden("it is signed with another key than was joined with")),
        Err(error) => return Err(forbidden(&format!("its signature is not accepted: {error}"))),
    }
    Ok(Checked { id, silences: silences(operation) })
}

fn silences(operation: &Operation) -> bool {
    match &operation.body {
        Some(Body::SetMuted(set)) => set.muted,
        Some(Body::TalkTo(talk)) => !talk.participant_ids.is_empty(),
        _ => false,
    }
}

fn malformed(text: &str) -> Refused {
    Refused::new(RefusalCode::Malformed, text)
}

fn forbidden(text: &str) -> Refused {
    Refused::new(RefusalCode::Forbidden, format!("this is not your operation: {text}"))
}

#[cfg(test)]
mod tests {
    use tributary_contracts::operation::v1::{CheckIn, SetMuted, TalkTo};
    use tributary_identifiers::{MeetingId, OrganisationId};
    use tributary_join_credential::TerminalKey;

    use super::*;

    fn signer(key: &TerminalKey) -> Signer {
        let meeting = MeetingId::try_from(1 << 60 | 7).unwrap();
        Signer {
            scope: MeetingScope { organisation: OrganisationId::default(), meeting },
            participant: ParticipantId(3),
            session: "6f1c2f0e-8a55-4a53-9c55-0f3f7f0a1b2c".parse().unwrap(),
            key: key.thumbprint().clone(),
        }
    }

    fn operation(signer: &Signer, body: Body) -> Operation {
        Operation {
            operation_id: "0b0f2f4e-3c5d-4f7a-8b9c-0d1e2f3a4b5c".into(),
            client_sequence: 1,
            organisation: signer.scope.organisation.to_string(),
            meeting_id: signer.scope.meeting.to_string(),
            participant_id: signer.participant.0,
            session_id: signer.session.to_string(),
            not_after: Some(prost_types::Timestamp { seconds: 9, nanos: 0 }),
            body: Some(body),
        }
    }

    fn signed(key: &TerminalKey, operation: &Operation) -> SignedOperation {
        let envelope = operation.encode_to_vec();
        let signature = key.sign_operation(&envelope).unwrap();
        SignedOperation { envelope, public_key: key.public_key().to_vec(), signature }
    }

    fn code(signed: &SignedOperation, signer: &Signer) -> Option<RefusalCode> {
        let operation = match read(signed) {
            Ok(operation) => operation,
            Err(refused) => return Some(refused.code),
        };
        check(signed, &operation, signer).err().map(|refused| refused.code)
    }

    #[test]
    fn an_own_operation_is_taken_and_it_is_seen_whether_it_silences() {
        let key = TerminalKey::generate().unwrap();
        let signer = signer(&key);
        for (body, silences) in [
            (Body::CheckIn(CheckIn {}), false),
            (Body::SetMuted(SetMuted { muted: true }), true),
            (Body::SetMuted(SetMuted { muted: false }), false),
            (Body::TalkTo(TalkTo { participant_ids: vec![4] }), true),
            (Body::TalkTo(TalkTo { participant_ids: vec![] }), false),
        ] {
            let signed = signed(&key, &operation(&signer, body));
            let checked = check(&signed, &read(&signed).unwrap(), &signer).unwrap();
            assert_eq!(checked.silences, silences);
        }
    }

    #[test]
    fn nothing_of_somebody_else_passes() {
        let (key, other) = (TerminalKey::generate().unwrap(), TerminalKey::generate().unwrap());
        let signer = signer(&key);
        let own = operation(&signer, Body::CheckIn(CheckIn {}));
        assert_eq!(code(&signed(&key, &own), &signer), None);
        let foreign = [
            Operation { organisation: "other".into(), ..own.clone() },
            Operation { meeting_id: "1152921504606846984".into(), ..own.clone() },
            Operation { participant_id: 4, ..own.clone() },
            Operation { session_id: "another".into(), ..own.clone() },
        ];
        for operation in foreign {
            assert_eq!(code(&signed(&key, &operation), &signer), Some(RefusalCode::Forbidden));
        }
        assert_eq!(code(&signed(&other, &own), &signer), Some(RefusalCode::Forbidden));
        let mut changed = signed(&key, &own);
        changed.envelope = Operation { client_sequence: 2, ..own.clone() }.encode_to_vec();
        assert_eq!(code(&changed, &signer), Some(RefusalCode::Forbidden));
        let mut no_key = signed(&key, &own);
        no_key.public_key.clear();
        assert_eq!(code(&no_key, &signer), Some(RefusalCode::Forbidden));
    }

    #[test]
    fn what_lacks_something_or_is_too_long_is_malformed() {
        let key = TerminalKey::generate().unwrap();
        let signer = signer(&key);
        let own = operation(&signer, Body::CheckIn(CheckIn {}));
        for lacking in [
            Operation { operation_id: String::new(), ..own.clone() },
            Operation { client_sequence: 0, ..own.clone() },
            Operation { not_after: None, ..own.clone() },
            Operation { session_id: "x".repeat(ENVELOPE_BYTES_MAX), ..own },
        ] {
            assert_eq!(code(&signed(&key, &lacking), &signer), Some(RefusalCode::Malformed));
        }
        let no_operation = SignedOperation { envelope: vec![0xff], ..<_>::default() };
        assert_eq!(code(&no_operation, &signer), Some(RefusalCode::Malformed));
    }
}
