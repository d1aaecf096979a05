//! Log-in with a password, and guests.

use tonic::{Code, Status};
use tributary_contracts::credential::v1::{Identity, LogInRequest, RegisterGuestRequest};
use tributary_credential_core::{
    DisplayName, UserName, guest_id, identity_of_account, identity_of_guest,
};
use tributary_identifiers::OrganisationId;

use super::{Identities, read_organisation, read_prefix, read_thumbprint, status};
use crate::{
    accounts,
    budgets::{Attempts, Guess, Locked},
    metrics,
    password_checks::PasswordChecks,
    store::{Store, StoredAccount},
};

/// Checks a password. Whatever is wrong with it, or locked, the answer is the same and so is the
/// work: one look for an account, one at the budgets, one hash.
pub async fn with_password(
    identities: &Identities,
    attempts: &Attempts,
    passwords: &PasswordChecks,
    request: LogInRequest,
) -> Result<Identity, Status> {
    let key_thumbprint = read_thumbprint(&request.key_thumbprint)?;
    let prefix = read_prefix(&request.client_address)?;
    // Before a try is spent: who is sent away because the machine has too much to do, or because the
    // password is too long to be one, has not guessed.
    let check = passwords.reserve(&request.password).map_err(status::of_hash)?;
    identities.check_terminal(&key_thumbprint).await?;
    let of_store = |error| status::of_store(&error);
    let user_name = request.user_name.trim().to_ascii_lowercase();
    let found = find_account(&identities.store, &request.organisation, &user_name).await?;
    let log_ins = found.as_ref().map_or(0, |stored| stored.log_ins);
    let organisation = organisation_key(&request.organisation);
    let guess = Guess::new(&organisation, &user_name, log_ins, &prefix);
    let locked = attempts.begin_guess(&guess).await.map_err(of_store)?;
    let hash = found.as_ref().and_then(|stored| stored.password_hash.as_deref());
    let right = check.verify(hash).await.map_err(status::of_hash)?;
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

#[cfg(test)]
mod tests {
    use tributary_database::scratch;

    use super::*;
    use crate::{
        clock::Clock,
        grpc::rig::{PASSWORD, rig, thumbprint},
    };

    #[tokio::test]
    async fn who_is_sent_away_unseen_has_spent_no_try() {
        let database = scratch::sqlite();
        let (identities, attempts) = rig(&database, &Clock::System).await;
        let log_in = async |passwords: &PasswordChecks, password: &str| {
            let request = LogInRequest {
                user_name: "zoe".to_owned(),
                password: password.to_owned(),
                key_thumbprint: thumbprint().to_string(),
                ..LogInRequest::default()
            };
            let answer = with_password(&identities, &attempts, passwords, request).await;
            answer.map_err(|status| status.code())
        };
        let (overloaded, idle) = (PasswordChecks::new(1, 0), PasswordChecks::new(1, 1));
        for _ in 0..30 {
            let busy = log_in(&overloaded, PASSWORD).await;
            assert_eq!(busy.unwrap_err(), Code::ResourceExhausted);
            let long = log_in(&idle, &"x".repeat(5000)).await;
            assert_eq!(long.unwrap_err(), Code::InvalidArgument);
        }
        assert!(log_in(&idle, PASSWORD).await.is_ok());
    }
}
