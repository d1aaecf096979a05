//! What verifiers accept, and above all what they refuse.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

mod forge;
mod key_sets;
mod proofs;
mod refreshes;
mod refusals;
mod relay_proofs;
mod revocations;

use tributary_join_credential::{IdentityClaims, JoinClaims};

const NOW: u64 = 1_800_000_000;

fn identity() -> IdentityClaims {
    IdentityClaims {
        organisation: "default".parse().unwrap(),
        user_id: "u-1".parse().unwrap(),
        display_name: "Zoë 王".to_owned(),
        guest: false,
        key_thumbprint: "thumb".parse().unwrap(),
        issued_at: NOW,
        expires_at: NOW + 3600,
    }
}

fn join(key: &str) -> JoinClaims {
    JoinClaims {
        organisation: "default".parse().unwrap(),
        user_id: "u-1".parse().unwrap(),
        display_name: "Zoë 王".to_owned(),
        guest: true,
        meeting_id: "1152921504606846977".parse().unwrap(),
        key_thumbprint: key.parse().unwrap(),
        issued_at: NOW,
        expires_at: NOW + 300,
    }
}
