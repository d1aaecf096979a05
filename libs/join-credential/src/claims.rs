//! What tokens say, as the domain sees it and as it is written into a JWT.

use serde::{Deserialize, Serialize};
use tributary_identifiers::{KeyThumbprint, MeetingId, OrganisationId, UserId};

use crate::TokenId;

pub(crate) const ISSUER: &str = "tributary-credential";
pub(crate) const AUDIENCE: &str = "tributary";

/// Who is logged in, on which terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityClaims {
    /// The tenant.
    pub organisation: OrganisationId,
    /// The account or guest.
    pub user_id: UserId,
    /// The name shown to others.
    pub display_name: String,
    /// True for somebody without an account.
    pub guest: bool,
    /// The terminal's key: what is issued on the token is bound to the same.
    pub key_thumbprint: KeyThumbprint,
    /// Start of the token's life, Unix seconds.
    pub issued_at: u64,
    /// End of the token's life, Unix seconds.
    pub expires_at: u64,
}

/// Who may join which meeting from which terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinClaims {
    /// The tenant.
    pub organisation: OrganisationId,
    /// The account or guest.
    pub user_id: UserId,
    /// The name shown to others.
    pub display_name: String,
    /// True for somebody without an account.
    pub guest: bool,
    /// The meeting, and no other.
    pub meeting_id: MeetingId,
    /// The terminal's key: only who holds it can use the credential.
    pub key_thumbprint: KeyThumbprint,
    /// Start of the credential's life, Unix seconds.
    pub issued_at: u64,
    /// End of the credential's life, Unix seconds.
    pub expires_at: u64,
}

/// The two kinds of token; a token of one kind is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    Join,
}

impl Kind {
    /// The `typ` header (RFC 8725 section 3.11).
    pub(crate) const fn typ(self) -> &'static str {
        match self {
            Self::Identity => "tributary-identity+jwt",
            Self::Join => "tributary-join+jwt",
        }
    }
}

/// The payload of either kind. Nothing has a default: an absent, repeated or wrong-typed claim is
/// refused. `mtg` is there in a join credential, and only there.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub jti: TokenId,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    pub org: OrganisationId,
    pub name: String,
    pub guest: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtg: Option<MeetingId>,
    pub cnf: Confirmation,
}

/// The key that the token is bound to (RFC 7800), by its thumbprint.
#[derive(Serialize, Deserialize)]
pub(crate) struct Confirmation {
    pub jkt: KeyThumbprint,
}

impl Payload {
    pub(crate) fn of_identity(claims: &IdentityClaims, token_id: TokenId) -> Self {
        Self {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: claims.user_id.clone(),
            jti: token_id,
            iat: claims.issued_at,
            nbf: claims.issued_at,
            exp: claims.expires_at,
            org: claims.organisation.clone(),
            name: claims.display_name.clone(),
            guest: claims.guest,
            mtg: None,
            cnf: Confirmation { jkt: claims.key_thumbprint.clone() },
        }
    }

    pub(crate) fn of_join(claims: &JoinClaims, token_id: TokenId) -> Self {
        Self {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: claims.user_id.clone(),
            jti: token_id,
            iat: claims.issued_at,
            nbf: claims.issued_at,
            exp: claims.expires_at,
            org: claims.organisation.clone(),
            name: claims.display_name.clone(),
            guest: claims.guest,
            mtg: Some(claims.meeting_id),
            cnf: Confirmation { jkt: claims.key_thumbprint.clone() },
        }
    }

    pub(crate) fn into_identity(self) -> Option<IdentityClaims> {
        if self.mtg.is_some() {
            return None;
        }
        Some(IdentityClaims {
            organisation: self.org,
            user_id: self.sub,
            display_name: self.name,
            guest: self.guest,
            key_thumbprint: self.cnf.jkt,
            issued_at: self.iat,
            expires_at: self.exp,
        })
    }

    pub(crate) fn into_join(self) -> Option<JoinClaims> {
        Some(JoinClaims {
            organisation: self.org,
            user_id: self.sub,
            display_name: self.name,
            guest: self.guest,
            meeting_id: self.mtg?,
            key_thumbprint: self.cnf.jkt,
            issued_at: self.iat,
            expires_at: self.exp,
        })
    }
}
