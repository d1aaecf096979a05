//! What tokens say, and how long they live.

use tributary_identifiers::{KeyThumbprint, MeetingId, OrganisationId, UserId};
use tributary_join_credential::{IdentityClaims, JoinClaims, LEEWAY_SECONDS, RECONNECT_SECONDS};
use tributary_shown_text::DisplayName;

use crate::account::Account;

/// How long an identity token holds, in seconds: an hour. Who is there gets a new one before, by
/// proving to hold the key; who was revoked or has left does not.
pub const IDENTITY_LIFE_SECONDS: u64 = 60 * 60;

/// How long a join credential can be used to come in, in seconds; who is in stays in.
pub const JOIN_LIFE_SECONDS: u64 = 5 * 60;

/// The longest that anything signed is of use, in seconds: a join credential, which shows long
/// after its end that somebody comes back.
pub const TOKEN_LIFE_MAX_SECONDS: u64 = JOIN_LIFE_SECONDS + RECONNECT_SECONDS;

const _: () = assert!(IDENTITY_LIFE_SECONDS < TOKEN_LIFE_MAX_SECONDS);

/// The identity of somebody who has logged in with an account, on the terminal with this key.
#[must_use]
pub fn identity_of_account(
    account: &Account,
    key_thumbprint: KeyThumbprint,
    now: u64,
) -> IdentityClaims {
    IdentityClaims {
        organisation: account.organisation.clone(),
        user_id: account.user_id.clone(),
        display_name: account.display_name.as_str().to_owned(),
        guest: false,
        key_thumbprint,
        issued_at: now,
        expires_at: now.saturating_add(IDENTITY_LIFE_SECONDS),
    }
}

/// The identity of a guest, whose id is from [`guest_id`](crate::guest_id), on the terminal with
/// this key.
#[must_use]
pub fn identity_of_guest(
    organisation: OrganisationId,
    user_id: UserId,
    display_name: &DisplayName,
    key_thumbprint: KeyThumbprint,
    now: u64,
) -> IdentityClaims {
    IdentityClaims {
        organisation,
        user_id,
        display_name: display_name.as_str().to_owned(),
        guest: true,
        key_thumbprint,
        issued_at: now,
        expires_at: now.saturating_add(IDENTITY_LIFE_SECONDS),
    }
}

/// The same identity for a whole life from `now` on.
#[must_use]
pub fn renewed(identity: IdentityClaims, now: u64) -> IdentityClaims {
    IdentityClaims {
        issued_at: now,
        expires_at: now.saturating_add(IDENTITY_LIFE_SECONDS),
        ..identity
    }
}

/// What a join credential says about somebody who may join, bound to the key of the identity. It
/// may outlive the identity token it was got with, by less than its own life.
#[must_use]
pub fn join_claims(identity: IdentityClaims, meeting_id: MeetingId, now: u64) -> JoinClaims {
    JoinClaims {
        organisation: identity.organisation,
        user_id: identity.user_id,
        display_name: identity.display_name,
        guest: identity.guest,
        meeting_id,
        key_thumbprint: identity.key_thumbprint,
        issued_at: now,
        expires_at: now.saturating_add(JOIN_LIFE_SECONDS),
    }
}

/// Whether somebody who wants to join was in this meeting on this terminal before.
#[must_use]
pub fn comes_back(previous: &JoinClaims, identity: &IdentityClaims, meeting_id: MeetingId) -> bool {
    previous.organisation == identity.organisation
        && previous.user_id == identity.user_id
        && previous.key_thumbprint == identity.key_thumbprint
        && previous.meeting_id == meeting_id
}

/// From when on nothing can be concerned any more by a revocation of this moment, in Unix seconds.
#[must_use]
pub const fn revocation_end(now: u64) -> u64 {
    // Clocks of replicas differ, so something may have been issued after it.
    now.saturating_add(TOKEN_LIFE_MAX_SECONDS + 2 * LEEWAY_SECONDS)
}

/// From when on an identity token with this end can't be used any more, in Unix seconds.
#[must_use]
pub const fn token_end(expires_at: u64) -> u64 {
    expires_at.saturating_add(2 * LEEWAY_SECONDS)
}

/// The time of issue for somebody whose earlier tokens are revoked until some moment: later than
/// that, so that the new token holds.
#[must_use]
pub fn issue_time(now: u64, revoked_until: Option<u64>) -> u64 {
    revoked_until.map_or(now, |until| now.max(until.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> IdentityClaims {
        let (organisation, user_id) = ("acme".parse().unwrap(), "guest-1".parse().unwrap());
        let (name, key) = ("Zoë".parse().unwrap(), "thumb".parse().unwrap());
        identity_of_guest(organisation, user_id, &name, key, 1000)
    }

    #[test]
    fn a_join_credential_is_about_the_same_person_and_key_and_lives_five_minutes() {
        assert_eq!(guest().expires_at, 1000 + 3600);
        let claims = join_claims(guest(), "77".parse().unwrap(), 2000);
        assert_eq!(claims.organisation.as_str(), "acme");
        assert_eq!((claims.user_id.as_str(), claims.display_name.as_str()), ("guest-1", "Zoë"));
        assert_eq!(claims.key_thumbprint.as_str(), "thumb");
        assert!(claims.guest);
        assert_eq!((claims.issued_at, claims.expires_at), (2000, 2300));
    }

    #[test]
    fn who_comes_back_is_the_same_person_on_the_same_terminal_in_the_same_meeting() {
        let meeting: MeetingId = "77".parse().unwrap();
        let previous = join_claims(guest(), meeting, 1000);
        assert!(comes_back(&previous, &guest(), meeting));
        assert!(!comes_back(&previous, &guest(), "78".parse().unwrap()));
        let elsewhere = IdentityClaims { key_thumbprint: "other".parse().unwrap(), ..guest() };
        assert!(!comes_back(&previous, &elsewhere, meeting));
        let somebody = IdentityClaims { user_id: "guest-2".parse().unwrap(), ..guest() };
        assert!(!comes_back(&previous, &somebody, meeting));
        let abroad = IdentityClaims { organisation: "other".parse().unwrap(), ..guest() };
        assert!(!comes_back(&previous, &abroad, meeting));
    }

    #[test]
    fn what_is_issued_after_a_revocation_is_issued_later() {
        assert_eq!(issue_time(10, None), 10);
        assert_eq!(issue_time(10, Some(5)), 10);
        assert_eq!(issue_time(10, Some(10)), 11);
        assert_eq!(issue_time(10, Some(13)), 14);
    }

    #[test]
    fn a_renewed_identity_is_the_same_for_another_hour() {
        let renewed = renewed(guest(), 4000);
        assert_eq!((renewed.issued_at, renewed.expires_at), (4000, 7600));
        let times = |claims| IdentityClaims { issued_at: 0, expires_at: 0, ..claims };
        assert_eq!(times(renewed), times(guest()));
    }
}
