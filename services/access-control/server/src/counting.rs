//! Counting accesses, refusals and wrong passwords, in budgets that replicas share and restarts
//! don't empty.

use tributary_access_control_core::{AddressPrefix, Charge, PasswordBudget, PasswordCharge};
use tributary_identifiers::{KeyThumbprint, UserId};
use tributary_message_bus::subjects::MeetingScope;
use tributary_sliding_window::{Budgets, Claim, Outcome, Spend};

use crate::{
    config::Config,
    store::{Pulse, StoreError},
};

const HOUR_SECONDS: u64 = 3600;

/// Counts.
#[derive(Clone)]
pub struct Counting {
    budgets: Budgets,
    pulse: Pulse,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Limits {
    accesses: u32,
    misses: u32,
    prefix_misses: u32,
    prefix_guest_accesses: u32,
    window: u64,
    passwords: u32,
    password_window: u64,
}

/// Who is counted, and where.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// What is asked for.
    pub scope: &'a MeetingScope,
    /// By whom.
    pub user: &'a UserId,
    /// The key of the terminal, if known.
    pub client: Option<&'a KeyThumbprint>,
    /// Where the terminal is, if known.
    pub prefix: Option<AddressPrefix>,
    /// Whether it is somebody without an account.
    pub guest: bool,
    /// Whether it is a member of the meeting.
    pub member: bool,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is counted.
    Within,
    /// A budget of accesses or refusals is used up; nothing is counted.
    OverCount,
    /// That of wrong passwords is used up; all else is counted.
    PasswordLocked,
}

impl Counting {
    /// In these budgets, kept in the database with this pulse.
    pub fn new(config: &Config, budgets: Budgets, pulse: Pulse) -> Self {
        let limits = Limits {
            accesses: config.access_limit,
            misses: config.miss_limit,
            prefix_misses: config.prefix_miss_limit,
            prefix_guest_accesses: config.prefix_guest_access_limit,
            window: config.access_window(),
            passwords: config.wrong_password_limit,
            password_window: config.password_window(),
        };
        Self { budgets, pulse, limits }
    }

    /// Counts what `charge` says, all of it or nothing, in one atomic step; what `locked` says
    /// instead if the budget of wrong passwords is used up. `now` in milliseconds since 1970.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn count(
        &self,
        counted: Counted<'_>,
        charge: Charge,
        locked: Charge,
        now: u64,
    ) -> Result<Verdict, StoreError> {
        if charge == Charge::FREE {
            return Ok(Verdict::Within);
        }
        let mut claims = self.claims(counted, charge);
        claims.push(self.password_claim(counted, charge.password));
        let password_index = claims.len() - 1;
        match self.pulse.in_time(self.budgets.claim(&claims, now)).await? {
            Outcome::Granted => return Ok(Verdict::Within),
            Outcome::Exhausted { key_index } if key_index != password_index => {
                self.take_as_long(claims, now).await?;
                return Ok(Verdict::OverCount);
            }
            Outcome::Exhausted { .. } => {}
        }
        // The access is one, whatever was typed.
        let claims = self.claims(counted, locked);
        if claims.is_empty() {
            return Ok(Verdict::PasswordLocked);
        }
        Ok(match self.pulse.in_time(self.budgets.claim(&claims, now)).await? {
            Outcome::Granted => Verdict::PasswordLocked,
            Outcome::Exhausted { .. } => Verdict::OverCount,
        })
    }

    /// What is refused for a used-up budget takes a transaction of the same shape as what is counted,
    /// so that the time doesn't tell. It leaves one entry a key behind, however often it is done.
    async fn take_as_long(&self, mut claims: Vec<Claim>, now: u64) -> Result<(), StoreError> {
        for claim in &mut claims {
            claim.key.insert_str(0, "over/");
            claim.limit = u32::MAX;
            claim.spend = Spend::Distinct(0);
        }
        self.pulse.in_time(self.budgets.claim(&claims, now)).await.map(drop)
    }

    /// Accesses and refusals. An outsider's claims are as many whatever the decision: what is not
    /// spent on is looked at. What others are refused around a member does not matter to them.
    fn claims(&self, counted: Counted<'_>, charge: Charge) -> Vec<Claim> {
        let Counted { scope, guest, member, prefix, .. } = counted;
        let client = client(counted);
        let limits = self.limits;
        let mut claims = Vec::with_capacity(5);
        let mut claim = |key: String, limit: u32, spend: Spend| {
            claims.push(Claim { key, limit, window_seconds: limits.window, spend });
        };
        if !charge.access {
            return claims;
        }
        let miss =
            if charge.miss { Spend::Distinct(scope.meeting.to_i64()) } else { Spend::Nothing };
        claim(format!("accesses/{client}"), limits.accesses, Spend::One);
        if member {
            return claims;
        }
        claim(format!("misses/{client}"), limits.misses, miss);
        if let Some(prefix) = prefix {
            claim(format!("misses-at/{prefix}"), limits.prefix_misses, miss);
            if guest {
                let limit = limits.prefix_guest_accesses;
                claim(format!("guests-at/{prefix}"), limit, Spend::One);
            }
        }
        claims
    }

    /// One claim whether or not there is a password, so that it takes as long.
    fn password_claim(&self, counted: Counted<'_>, charge: PasswordCharge) -> Claim {
        let MeetingScope { organisation, meeting } = counted.scope;
        let client = client(counted);
        let key = |budget| match budget {
            PasswordBudget::Everybody => format!("passwords/{organisation}/{meeting}"),
            PasswordBudget::Returning => {
                format!("passwords-again/{organisation}/{meeting}/{client}")
            }
        };
        let (key, limit, spend) = match charge {
            PasswordCharge::None => (format!("none/{client}"), u32::MAX, Spend::Nothing),
            PasswordCharge::Look(budget) => (key(budget), self.limits.passwords, Spend::Nothing),
            PasswordCharge::One(budget) => (key(budget), self.limits.passwords, Spend::One),
        };
        Claim { key, limit, window_seconds: self.limits.password_window, spend }
    }

    /// Removes what counts nowhere any more.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn forget(&self, longest_window_ms: u64, now: u64) -> Result<u64, StoreError> {
        // Replicas' clocks may differ.
        let slack = HOUR_SECONDS * 1000;
        let before = now.saturating_sub(longest_window_ms).saturating_sub(slack);
        Ok(self.budgets.forget_before(before).await?)
    }
}

/// An account is one client wherever it is logged in; a guest is known by the terminal's key, as a
/// new name costs nothing.
fn client(counted: Counted<'_>) -> String {
    let organisation = &counted.scope.organisation;
    match counted.client {
        Some(client) if counted.guest => format!("{organisation}/key/{client}"),
        _ => format!("{organisation}/user/{}", counted.user),
    }
}
