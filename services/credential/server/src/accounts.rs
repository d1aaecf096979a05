//! Creating accounts, for the admin API and for the configured ones.

use tributary_credential_core::{
    Account, DisplayName, InvalidPassword, UserName, account_id, check_new_password,
};
use tributary_identifiers::{InvalidTextId, OrganisationId, UserId};
use tributary_password_hash::{HashError, Hasher};

use crate::{
    clock::unix_now,
    store::{Store, StoreError, StoredAccount},
};

/// Why an account was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The password is too short or too long.
    #[error(transparent)]
    Password(#[from] InvalidPassword),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The system's random generator failed.
    #[error("no random numbers from the operating system")]
    Random,
    /// The name is taken, or the database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates an account with a new id.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    store: &Store,
    hasher: &Hasher,
    organisation: OrganisationId,
    user_name: UserName,
    display_name: DisplayName,
    password: &str,
) -> Result<Account, CreateError> {
    check_new_password(password)?;
    let password_hash = hasher.hash(password).await?;
    let user_id = new_id(account_id)?;
    let account =
        Account { organisation, user_id, user_name, display_name, created_at: unix_now() };
    let stored = StoredAccount { account, password_hash };
    store.create_account(&stored).await?;
    Ok(stored.account)
}

/// A new id, made by [`account_id`] or [`guest_id`](tributary_credential_core::guest_id).
///
/// # Errors
/// The system's random generator failed.
pub fn new_id(
    make: impl FnOnce([u8; 16]) -> Result<UserId, InvalidTextId>,
) -> Result<UserId, CreateError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| CreateError::Random)?;
    make(random).map_err(|_| CreateError::Random)
}
