//! Revocations on the wire.

use tributary_contracts::credential::v1::{Revocation as Message, RevokedUser, revocation::What};
use tributary_join_credential::{Revocation, Revoked};

use super::timestamp;

/// As others are told.
pub fn to_proto(revocation: &Revocation) -> Message {
    let what = match &revocation.what {
        Revoked::Token(id) => What::TokenId(id.to_string()),
        Revoked::User(organisation, user_id) => What::User(RevokedUser {
            organisation: organisation.to_string(),
            user_id: user_id.to_string(),
        }),
        Revoked::Key(id) => What::KeyId(id.to_string()),
        Revoked::Terminal(thumbprint) => What::KeyThumbprint(thumbprint.to_string()),
    };
    Message {
        number: revocation.number,
        what: Some(what),
        at: Some(timestamp(revocation.at)),
        forget_at: Some(timestamp(revocation.forget_at)),
    }
}
