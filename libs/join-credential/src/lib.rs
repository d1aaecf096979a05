//! What proves who somebody is: identity tokens and join credentials, both bound to a terminal's
//! key, the proofs that a terminal holds that key, and what was revoked. [`Verifier`] is where a
//! service begins. [`RelayKey`] and the functions beside it do the same for relays that attach to
//! others.
//!
//! Tokens are JWTs (RFC 7519) signed with Ed25519 (RFC 8037) and read as RFC 8725 advises: one
//! algorithm, an explicit type, keys from a known set only, every claim required and of its type.
//!
//! **Invariant:** nothing here reads a clock or opens a connection. The operating system's random
//! generator is used for keys, signatures and token ids, and for nothing else.

mod claims;
mod key_set;
mod proof;
mod provenance;
mod relay_proof;
mod revocation;
mod signing_key;
mod terminal_key;
mod thumbprint;
mod verifier;

pub use claims::{IdentityClaims, JoinClaims};
pub use key_set::{InvalidKeySet, KEYS_MAX, KeySet, VerifyError};
pub use proof::{
    JoinError, ProofError, REFRESH_WINDOW_SECONDS, RefreshError, key_thumbprint, verify_join_proof,
    verify_operation, verify_refresh_proof,
};
pub use provenance::{InvalidKeyId, InvalidTokenId, KeyId, Provenance, TokenId, Verified};
pub use relay_proof::{
    InvalidRelayKey, RELAY_CHALLENGE_LENGTH, RelayKey, RelayProofError, relay_key_thumbprint,
    verify_relay_attach, verify_relay_enrolment, verify_relay_rotation,
};
pub use revocation::{REVOKED_OTHERS_MAX, REVOKED_TOKENS_MAX, Revocation, RevocationList, Revoked};
pub use signing_key::{InvalidSigningKey, SigningError, SigningKey};
pub use terminal_key::TerminalKey;
pub use thumbprint::PUBLIC_KEY_LENGTH;
pub use verifier::Verifier;

/// The longest token that is read or made, in bytes; a real one has about 700.
pub const TOKEN_LENGTH_MAX: usize = 4096;

/// How far clocks of issuer and verifier may be apart, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;

/// How long after its end a join credential still shows that its user was in its meeting, in
/// seconds.
pub const RECONNECT_SECONDS: u64 = 12 * 60 * 60;
