//! Creating accounts, for the admin API, for the configured ones and for log-ins at providers.

use tributary_credential_core::{
    Account, DisplayName, InvalidPassword, NUMBERED_NAMES, Profile, UserName, account_id,
    check_new_password, suffixed,
};
use tributary_identifiers::{InvalidTextId, OrganisationId, UserId};
use tributary_password_hash::{HashError, Hasher};

use crate::store::{ProviderSubject, Store, StoreError};

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

/// What an account is to be called.
pub struct Names {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The log-in name.
    pub user_name: UserName,
    /// The name shown to others.
    pub display_name: DisplayName,
}

/// Creates an account with a new id and a password. `now` is in Unix seconds.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    store: &Store,
    hasher: &Hasher,
    names: Names,
    password: &str,
    now: u64,
) -> Result<Account, CreateError> {
    check_new_password(password)?;
    let password_hash = hasher.hash(password).await?;
    let account = account(names, true, now)?;
    store.create_account(&account, &password_hash).await?;
    Ok(account)
}

/// Finds the account of somebody at a provider, or creates it at the first log-in. None if it was
/// there and has been removed. `now` is in Unix seconds.
///
/// # Errors
/// See [`CreateError`].
pub async fn find_or_create_linked(
    store: &Store,
    subject: &ProviderSubject,
    profile: &Profile,
    now: u64,
) -> Result<Option<Account>, CreateError> {
    if let Some(user_id) = store.linked_account(subject).await? {
        return Ok(store.account(&subject.organisation, &user_id).await?);
    }
    let wished = profile.user_name().ok_or(CreateError::Random)?;
    let display_name = profile.display_name(&wished).ok_or(CreateError::Random)?;
    for attempt in 0..=NUMBERED_NAMES {
        let user_name = match attempt {
            0 => Some(wished.clone()),
            NUMBERED_NAMES => suffixed(&wished, &random_suffix()?),
            attempt => suffixed(&wished, &(attempt + 1).to_string()),
        };
        let names = Names {
            organisation: subject.organisation.clone(),
            user_name: user_name.ok_or(CreateError::Random)?,
            display_name: display_name.clone(),
        };
        let account = account(names, false, now)?;
        match store.create_linked_account(&account, subject).await {
            Ok(()) => {
                tracing::info!(user_id = %account.user_id, "created an account at a first log-in");
                return Ok(Some(account));
            }
            // The name is taken, or this person logs in twice at the same moment.
            Err(StoreError::NameTaken) => {
                if let Some(user_id) = store.linked_account(subject).await? {
                    return Ok(store.account(&subject.organisation, &user_id).await?);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::NameTaken.into())
}

fn account(names: Names, has_password: bool, created_at: u64) -> Result<Account, CreateError> {
    let Names { organisation, user_name, display_name } = names;
    let user_id = new_id(account_id)?;
    Ok(Account { organisation, user_id, user_name, display_name, created_at, has_password })
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

fn random_suffix() -> Result<String, CreateError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| CreateError::Random)?;
    Ok(format!("{:016x}", u64::from_be_bytes(random)))
}
