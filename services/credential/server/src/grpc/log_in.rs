//! Log-in with a password, and guests.

use tonic::{Code, Status};
use tributary_contracts::credential::v1::{Identity, LogInRequest, RegisterGuestRequest};
use tributary_credential_core::{
    DisplayName, UserName, address_prefix, guest_id, identity_of_account, identity_of_guest,
};
use tributary_identifiers::OrganisationId;
use tributary_password_hash::Hasher;

use super::{Identities, read_organisation, read_thumbprint, status};
use crate::{
    accounts,
    budgets::{Attempts, Guess, Locked},
    metrics,
    store::{Store, StoredAccount},
};

/// Checks a password. Whatever is wrong with it, or locked, the answer is the same and so is the
/// work: one look for an account, one at the budgets, one hash.
pub async fn with_password(
    identities: &Identities,
    attempts: &Attempts,
    hasher: &Hasher,
    request: LogInRequest,
) -> Result<Identity, Status> {
    let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
    let prefix = read_prefix(&request.client_address)?;
    identities.check_terminal(&key_thumbprint).await?;
    let of_store = |error| status::of_store(&error);
    let user_name = request.user_name.trim().to_ascii_lowercase();
    let found = find_account(&identities.store, &request.organisation, &user_name).await?;
    let log_ins = found.as_ref().map_or(0, |stored| stored.log_ins);
    let organisation = organisation_key(&request.organisation);
    let guess = Guess::new(&organisation, &user_name, log_ins, &prefix);
    let locked = attempts.begin_guess(&guess).await.map_err(of_store)?;
    let hash = found.as_ref().and_then(|stored| stored.password_hash.as_deref());
    let right = hasher.verify(&request.password, hash).await.map_err(status::of_hash)?;
    if let Some(locked) = locked {
        metrics::locked_out(match locked {
            Locked::User => "user",
            Locked::Prefix => "prefix",
        });
        return Err(status::wrong_user_or_password());
    }
    let Some(stored) = found.filter(|_| right) else {
        attempts.was_wrong(&guess).await.map_err(of_store)?;
        metrics::log_in("refused");
        return Err(status::wrong_user_or_password());
    };
    identities.store.count_log_in(&stored.account).await.map_err(of_store)?;
    metrics::log_in("accepted");
    let now = identities.clock.seconds();
    identities.issue(identity_of_account(&stored.account, key_thumbprint, now))
}

/// Makes a guest.
pub async fn as_guest(
    identities: &Identities,
    attempts: &Attempts,
    request: RegisterGuestRequest,
) -> Result<Identity, Status> {
    let organisation = read_organisation(&request.organisation)?;
    let display_name: DisplayName =
        request.display_name.parse().map_err(|error| status::invalid("display_name", &error))?;
    let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
    let prefix = read_prefix(&request.client_address)?;
    if !identities.guests {
        metrics::guest("refused");
        let message = "guests may not enter here; log in with an account";
        return Err(status::status(Code::PermissionDenied, "NO_GUESTS", message));
    }
    identities.check_terminal(&key_thumbprint).await?;
    if !attempts.guest(&prefix).await.map_err(|error| status::of_store(&error))? {
        metrics::guest("refused");
        return Err(status::try_later("too many guests come from this address"));
    }
    let user_id = accounts::new_id(guest_id).map_err(|error| status::of_create(&error))?;
    let now = identities.clock.seconds();
    let claims = identity_of_guest(organisation, user_id, &display_name, key_thumbprint, now);
    metrics::guest("accepted");
    identities.issue(claims)
}

/// The account that the request names. A name that no account can have is one that no account
/// has, so that the answer is the same.
async fn find_account(
    store: &Store,
    organisation: &str,
    user_name: &str,
) -> Result<Option<StoredAccount>, Status> {
    let organisation = OrganisationId::from_request(organisation);
    let (Ok(organisation), Ok(user_name)) = (organisation, user_name.parse::<UserName>()) else {
        return Ok(None);
    };
    let found = store.account_by_name(&organisation, &user_name).await;
    found.map_err(|error| status::of_store(&error))
}

/// One organisation has one name in the budgets, however it was given.
fn organisation_key(text: &str) -> String {
    OrganisationId::from_request(text).map_or_else(|_| text.to_owned(), |id| id.to_string())
}

fn read_prefix(client_address: &str) -> Result<String, Status> {
    address_prefix(client_address).map_err(|error| status::invalid("client_address", &error))
}
