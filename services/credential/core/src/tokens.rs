//! What tokens say, and how long they live.

use tributary_identifiers::{KeyThumbprint, MeetingId, OrganisationId, UserId};
use tributary_join_credential::{IdentityClaims, JoinClaims};
use tributary_shown_text::DisplayName;

use crate::account::Account;

/// How long somebody stays logged in: a working day.
pub const IDENTITY_LIFE_SECONDS: u64 = 12 * 60 * 60;

/// How long a join credential can be used to come in; who is in stays in. Short, because it can't
/// be called back.
pub const JOIN_LIFE_SECONDS: u64 = 5 * 60;

/// The identity of somebody who has logged in.
#[must_use]
pub fn identity_of_account(account: &Account, now: u64) -> IdentityClaims {
    IdentityClaims {
        organisation: account.organisation.clone(),
        user_id: account.user_id.clone(),
        display_name: account.display_name.as_str().to_owned(),
        guest: false,
        issued_at: now,
        expires_at: now.saturating_add(IDENTITY_LIFE_SECONDS),
    }
}

/// The identity of a guest, whose id is from [`guest_id`](crate::guest_id).
#[must_use]
pub fn identity_of_guest(
    organisation: OrganisationId,
    user_id: UserId,
    display_name: &DisplayName,
    now: u64,
) -> IdentityClaims {
    IdentityClaims {
        organisation,
        user_id,
        display_name: display_name.as_str().to_owned(),
        guest: true,
        issued_at: now,
        expires_at: now.saturating_add(IDENTITY_LIFE_SECONDS),
    }
}

/// What a join credential says about somebody who may join. It may outlive the identity token it
/// was got with, by less than its own life.
#[must_use]
pub fn join_claims(
    identity: IdentityClaims,
    meeting_id: MeetingId,
    key_thumbprint: KeyThumbprint,
    now: u64,
) -> JoinClaims {
    JoinClaims {
        organisation: identity.organisation,
        user_id: identity.user_id,
        display_name: identity.display_name,
        guest: identity.guest,
        meeting_id,
        key_thumbprint,
        issued_at: now,
        expires_at: now.saturating_add(JOIN_LIFE_SECONDS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_credential_is_about_the_same_person_and_lives_five_minutes() {
        let organisation: OrganisationId = "acme".parse().unwrap();
        let identity = identity_of_guest(
            organisation.clone(),
            "guest-1".parse().unwrap(),
            &"Zoë".parse().unwrap(),
            1000,
        );
        assert_eq!(identity.expires_at, 1000 + 43_200);
        let claims = join_claims(identity, "77".parse().unwrap(), "thumb".parse().unwrap(), 2000);
        assert_eq!(claims.organisation, organisation);
        assert_eq!((claims.user_id.as_str(), claims.display_name.as_str()), ("guest-1", "Zoë"));
        assert!(claims.guest);
        assert_eq!((claims.issued_at, claims.expires_at), (2000, 2300));
    }
}
