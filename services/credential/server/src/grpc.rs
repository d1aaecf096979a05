//! From requests to the domain and back.

mod credential_service;
mod keys;
mod status;
mod user_service;

pub use credential_service::CredentialApi;
pub use keys::Keys;
pub use user_service::UserApi;
