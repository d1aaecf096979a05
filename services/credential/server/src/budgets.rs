//! How much may be tried: log-ins with a password, guests, searches, refreshes, tokens of relays.
//!
//! **Invariant:** of any number of guesses at one account's password, made at once or one after the
//! other and at whatever replica, no more are looked at than the budget allows.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_join_credential::{IdentityClaims, LEEWAY_SECONDS, REFRESH_WINDOW_SECONDS};
use tributary_sliding_window::{Budgets, Claim, Outcome, Spend};

use crate::{clock::Clock, config::Limits, store::StoreError};

/// Attempts are remembered for so long; longer than every window.
pub const REMEMBERED_MILLIS: u64 = 2 * 3600 * 1000;

const HOUR_SECONDS: u64 = 3600;
const MINUTE_SECONDS: u64 = 60;

/// How often one user may refresh in an hour, on all terminals together.
const REFRESHES_PER_HOUR: u32 = 240;
/// How often one user may log out in an hour. Each takes a token that holds, so that more than come
/// by refreshing can only be used up by who knows the password, to fill the list of revocations.
const LOG_OUTS_PER_HOUR: u32 = 1000;
const _: () = assert!(LOG_OUTS_PER_HOUR > 2 * REFRESHES_PER_HOUR);
/// A refresh proof is good once for longer than its time of making is good anywhere: from a minute
/// before to a minute after, by replicas whose clocks differ.
const PROOF_SECONDS: u64 = 2 * REFRESH_WINDOW_SECONDS + LEEWAY_SECONDS;
/// How many log-ins may be begun at one provider in ten minutes, which is how long each is kept:
/// a bound of the memory.
const OIDC_BEGINS: u32 = 20_000;

/// How many wrong enrolment tokens of relays are answered in ten minutes.
const WRONG_ENROLMENTS: u32 = 600;
/// How long a wrong one counts.
const WRONG_ENROLMENT_SECONDS: u64 = 600;

/// The service's budgets. Clones share everything.
#[derive(Clone)]
pub struct Attempts {
    budgets: Budgets,
    limits: Limits,
    clock: Clock,
}

/// Who tries a password, as far as budgets go.
pub struct Guess {
    user: String,
    /// So many passwords of the account were right; each begins a new row of tries.
    log_ins: u64,
    prefix: String,
}

impl Guess {
    /// At the log-in name as it was typed, from this prefix.
    pub fn new(organisation: &str, user_name: &str, log_ins: u64, prefix: &str) -> Self {
        // Hashed, as what was typed can be anything, a password too.
        let typed = [organisation.as_bytes(), &[0], user_name.as_bytes()].concat();
        let user = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &typed));
        Self { user, log_ins, prefix: prefix.to_owned() }
    }

    fn tries(&self) -> String {
        format!("log-in-tries/{}/{}", self.user, self.log_ins)
    }

    fn wrong(&self) -> String {
        format!("log-in-wrong/{}", self.user)
    }

    fn wrong_from(&self) -> String {
        format!("log-in-wrong-from/{}", self.prefix)
    }
}

/// Whether somebody gets a new token for an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Yes.
    Granted,
    /// The proof has been used before.
    UsedProof,
    /// The user has got too many.
    TooMany,
}

/// Which budget of a guess is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The account's.
    User,
    /// The address prefix's.
    Prefix,
}

impl Attempts {
    /// In these budgets.
    pub const fn new(budgets: Budgets, limits: Limits, clock: Clock) -> Self {
        Self { budgets, limits, clock }
    }

    async fn claim(&self, claims: &[Claim]) -> Result<Outcome, StoreError> {
        Ok(self.budgets.claim(claims, self.clock.millis()).await?)
    }

    async fn one(&self, key: String, limit: u32, window_seconds: u64) -> Result<bool, StoreError> {
        let claim = Claim { key, limit, window_seconds, spend: Spend::One };
        Ok(self.claim(&[claim]).await? == Outcome::Granted)
    }

    /// Before a password is looked at: takes a try, and says what is locked. A row of tries ends
    /// with a right password; wrong ones are counted besides, and go on counting after it.
    pub async fn begin_guess(&self, guess: &Guess) -> Result<Option<Locked>, StoreError> {
        let user = |key, spend| self.claim_of_user(key, spend);
        let outcome = self
            .claim(&[
                user(guess.tries(), Spend::One),
                user(guess.wrong(), Spend::Nothing),
                self.claim_of_prefix(guess.wrong_from(), Spend::Nothing),
            ])
            .await?;
        Ok(match outcome {
            Outcome::Granted => None,
            Outcome::Exhausted { key_index: 2 } => Some(Locked::Prefix),
            Outcome::Exhausted { .. } => Some(Locked::User),
        })
    }

    /// Notes that a password was wrong.
    pub async fn was_wrong(&self, guess: &Guess) -> Result<(), StoreError> {
        // Each by itself: one that is full must not keep the other from filling.
        self.claim(&[self.claim_of_user(guess.wrong(), Spend::One)]).await?;
        self.claim(&[self.claim_of_prefix(guess.wrong_from(), Spend::One)]).await?;
        Ok(())
    }

    fn claim_of_user(&self, key: String, spend: Spend) -> Claim {
        let limit = self.limits.wrong_passwords_per_user;
        Claim { key, limit, window_seconds: self.limits.lockout_seconds(), spend }
    }

    fn claim_of_prefix(&self, key: String, spend: Spend) -> Claim {
        let limit = self.limits.wrong_passwords_per_prefix;
        Claim { key, limit, window_seconds: self.limits.lockout_seconds(), spend }
    }

    /// Whether one more guest may come from this prefix.
    pub async fn guest(&self, prefix: &str) -> Result<bool, StoreError> {
        self.one(format!("guests/{prefix}"), self.limits.guests_per_hour, HOUR_SECONDS).await
    }

    /// Notes a wrong enrolment token; whether it is told as such, or that there were too many.
    pub async fn wrong_enrolment(&self) -> Result<bool, StoreError> {
        let key = "wrong-enrolments".to_owned();
        self.one(key, WRONG_ENROLMENTS, WRONG_ENROLMENT_SECONDS).await
    }

    /// Whether this user may search once more.
    pub async fn search(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
    ) -> Result<bool, StoreError> {
        let key = format!("search/{organisation}/{user_id}");
        self.one(key, self.limits.searches_per_minute, MINUTE_SECONDS).await
    }

    /// Whether this user may refresh once more, and by this verified proof, which is used up by it.
    pub async fn refresh(
        &self,
        identity: &IdentityClaims,
        proof: &[u8],
    ) -> Result<Refresh, StoreError> {
        let IdentityClaims { organisation, user_id, key_thumbprint, .. } = identity;
        // Its first half, `r`: from one signature everybody can make a second by negating `s`.
        let half = proof.get(..proof.len() / 2).unwrap_or(proof);
        let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, half));
        let claims = [
            Claim {
                key: format!("refresh-proof/{key_thumbprint}/{hash}"),
                limit: 1,
                window_seconds: PROOF_SECONDS,
                spend: Spend::One,
            },
            Claim {
                key: format!("refreshes/{organisation}/{user_id}"),
                limit: REFRESHES_PER_HOUR,
                window_seconds: HOUR_SECONDS,
                spend: Spend::One,
            },
        ];
        Ok(match self.claim(&claims).await? {
            Outcome::Granted => Refresh::Granted,
            Outcome::Exhausted { key_index: 0 } => Refresh::UsedProof,
            Outcome::Exhausted { .. } => Refresh::TooMany,
        })
    }

    /// Whether this user may log out once more. Refreshing does not use it up.
    pub async fn log_out(
        &self,
        organisation: &OrganisationId,
        user_id: &UserId,
    ) -> Result<bool, StoreError> {
        let key = format!("log-outs/{organisation}/{user_id}");
        self.one(key, LOG_OUTS_PER_HOUR, HOUR_SECONDS).await
    }

    /// Whether one more log-in may be begun at this provider, from this prefix.
    pub async fn begin_oidc(
        &self,
        organisation: &OrganisationId,
        provider_id: &str,
        prefix: &str,
        window_seconds: u64,
    ) -> Result<bool, StoreError> {
        let one = |key, limit| Claim { key, limit, window_seconds, spend: Spend::One };
        // What is refused for the prefix takes nothing from the rest of the world.
        let outcome = self
            .claim(&[
                one(format!("oidc-from/{prefix}"), self.limits.oidc_log_ins_per_prefix),
                one(format!("oidc/{organisation}/{provider_id}"), OIDC_BEGINS),
            ])
            .await?;
        Ok(outcome == Outcome::Granted)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tributary_database::{
        connect, migrate,
        scratch::{self, ScratchDatabase},
    };
    use tributary_service_runtime::{CancellationToken, Readiness};

    use super::*;
    use crate::store::{BUDGETS, Migrations};

    async fn attempts(database: &ScratchDatabase) -> Attempts {
        let dependency = Readiness::new().dependency("database");
        let shutdown = CancellationToken::new();
        let connection =
            connect(database.config(), "credential", &dependency, &shutdown).await.unwrap();
        migrate::<Migrations>(&connection).await.unwrap();
        Attempts::new(Budgets::new(connection, BUDGETS), Limits::default(), Clock::System)
    }

    async fn looked_at(database: ScratchDatabase) -> usize {
        let attempts = attempts(&database).await;
        let guesses = (0..100).map(|_| async {
            let guess = Guess::new("default", "zoe", 0, "192.0.2.1");
            attempts.begin_guess(&guess).await.unwrap()
        });
        join_all(guesses).await.into_iter().filter(Option::is_none).count()
    }

    #[tokio::test]
    async fn of_many_guesses_at_once_ten_are_looked_at() {
        assert_eq!(looked_at(scratch::sqlite()).await, 10);
        assert_eq!(looked_at(scratch::postgres().await).await, 10);
    }

    #[tokio::test]
    async fn a_guess_that_is_refused_unseen_spends_nothing() {
        let attempts = attempts(&scratch::sqlite()).await;
        let of = |name: &str, prefix: &str| Guess::new("default", name, 0, prefix);
        for number in 0..100 {
            attempts.was_wrong(&of(&number.to_string(), "192.0.2.1")).await.unwrap();
        }
        for _ in 0..20 {
            let locked = attempts.begin_guess(&of("zoe", "192.0.2.1")).await.unwrap();
            assert_eq!(locked, Some(Locked::Prefix));
        }
        assert_eq!(attempts.begin_guess(&of("zoe", "192.0.2.2")).await.unwrap(), None);
    }
}
