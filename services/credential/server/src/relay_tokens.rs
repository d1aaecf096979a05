//! Enrolment tokens: drawn, and hashed for the database.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tributary_credential_core::{ENROLMENT_RANDOM_BYTES, enrolment_token};

/// A new token. It is shown once and kept nowhere.
///
/// # Errors
/// The system's random generator failed.
pub fn draw() -> Result<String, getrandom::Error> {
    let mut random = [0; ENROLMENT_RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    Ok(enrolment_token(random))
}

/// What is kept of a token: SHA-256, base64url. A token is all random bits, so that nothing slower
/// is needed.
pub fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}
