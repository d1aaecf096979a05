//! What proves who somebody is: identity tokens, join credentials, and the proof that a terminal
//! holds the key its credential is bound to.
//!
//! Tokens are JWTs (RFC 7519) signed with Ed25519 (RFC 8037) and read as RFC 8725 advises: one
//! algorithm, an explicit type, keys from a known set only, every claim required and of its type.
//!
//! **Invariant:** nothing here reads a clock or opens a connection. The operating system's random
//! generator is used for keys, signatures and token ids, and for nothing else.

mod claims;
mod key_set;
mod proof;
mod signing_key;
mod thumbprint;

pub use claims::{IdentityClaims, JoinClaims};
pub use key_set::{InvalidKeySet, KEYS_MAX, KeySet, VerifyError};
pub use proof::{JoinError, ProofError, TerminalKey, key_thumbprint, verify_join_proof};
pub use signing_key::{InvalidSigningKey, SigningError, SigningKey};
pub use thumbprint::PUBLIC_KEY_LENGTH;

/// The longest token that is read or made, in bytes; a real one has about 700.
pub const TOKEN_LENGTH_MAX: usize = 4096;

/// How far clocks of issuer and verifier may be apart, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;
