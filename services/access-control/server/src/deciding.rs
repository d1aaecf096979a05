//! From a question to a decision: facts, rules, budgets, and what is done while a database is down.
//!
//! **Invariant:** for an outsider the same is done whatever the reason: a look at the meeting, a
//! look at its shares, one password hash if something was typed, one claim on the budgets.

use tributary_access_control_core::{
    Action, AddressPrefix, Charge, Count, Decision, Entitlement, Facts, PasswordCheck, Presented,
    Removed, Role, SecretPolicy, ShareProof, ShareState, Told, decide, evaluate, lasts_until, told,
};
use tributary_identifiers::{KeyThumbprint, OrganisationId, UserId};
use tributary_message_bus::subjects::MeetingScope;
use tributary_password_hash::{HashError, Hasher};
use tributary_share_link::{SecretHash, ShareSecret};

use crate::{
    clock::Clock,
    config::Config,
    counting::{Counted, Counting, Verdict},
    facts::{Allow, FactError, FactFinder, MeetingFacts, Moment, RecentAllows, Shares},
};

/// Who asks for what, and what they show.
pub struct Question {
    /// What is asked for.
    pub scope: MeetingScope,
    /// By whom.
    pub user: UserId,
    /// Whether it is somebody without an account.
    pub guest: bool,
    /// What for.
    pub action: Action,
    /// What was typed; empty if nothing.
    pub password: String,
    /// The secret of the link that was opened; empty if none.
    pub share_secret: String,
    /// The key of the terminal, if known.
    pub client: Option<KeyThumbprint>,
    /// Where the terminal is, if known.
    pub prefix: Option<AddressPrefix>,
    /// Whether the user was let in before and comes back.
    pub reconnect: bool,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// What who is refused may learn.
    pub told: Option<Told>,
    /// What the user is in the meeting.
    pub role: Role,
}

/// Why nothing can be decided.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// A fact could not be found out, or an access not counted.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// A password could not be compared.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// Decides. Clones share everything.
#[derive(Clone)]
pub struct Decider {
    facts: FactFinder,
    counting: Counting,
    allows: RecentAllows,
    hasher: Hasher,
    policy: Policy,
    clock: Clock,
}

/// What the installation wants.
#[derive(Clone)]
pub struct Policy {
    counting: tributary_access_control_core::Counting,
    secret: SecretPolicy,
    strict: std::sync::Arc<[OrganisationId]>,
    readable_for: u64,
}

impl Policy {
    /// As configured; `strict` are the organisations that want secrets.
    pub fn new(config: &Config, strict: Vec<OrganisationId>) -> Self {
        Self {
            counting: config.counting(),
            secret: config.secret_policy(),
            strict: strict.into(),
            readable_for: config.ended_read_ms(),
        }
    }

    fn secret_policy(&self, organisation: &OrganisationId) -> SecretPolicy {
        if self.strict.contains(organisation) { SecretPolicy::Required } else { self.secret }
    }
}

impl Decider {
    /// Over its parts.
    pub const fn new(
        facts: FactFinder,
        counting: Counting,
        allows: RecentAllows,
        hasher: Hasher,
        policy: Policy,
        clock: Clock,
    ) -> Self {
        Self { facts, counting, allows, hasher, policy, clock }
    }

    /// Decides.
    ///
    /// # Errors
    /// Nothing can be decided at the moment.
    pub async fn decide(&self, question: &Question) -> Result<Answer, Undecided> {
        let asked = self.allows.now();
        let meeting = self.facts.meeting(&question.scope, &question.user).await?;
        if meeting.present && meeting.role.is_listed() {
            let facts = Facts { role: meeting.role, ..self.bare_facts(question, &meeting) };
            return self.count_or_remember(question, facts, asked, None).await;
        }
        let shares = self.facts.shares(&question.scope).await;
        let password = self.check_password(question, &meeting).await?;
        let bare = Facts { password, ..self.bare_facts(question, &meeting) };
        match shares {
            Ok(shares) => {
                let (facts, until) = self.facts_of_outsider(question, bare, &shares);
                self.count_or_remember(question, facts, asked, until).await
            }
            Err(error) => {
                let as_remembered =
                    Facts { shares: ShareState::Live, proof: ShareProof::Held, ..bare };
                self.decide_from_memory(question, &as_remembered, error).await
            }
        }
    }

    /// Decides on `facts`, found out since `asked`, and counts; an allow is remembered, and given
    /// again while nothing can be counted. The shares that it rests on end at `until`.
    async fn count_or_remember(
        &self,
        question: &Question,
        facts: Facts,
        asked: Moment,
        until: Option<u64>,
    ) -> Result<Answer, Undecided> {
        let facts = match self.count(question, facts).await {
            Ok(facts) => facts,
            Err(error) => return self.decide_from_memory(question, &facts, error).await,
        };
        let answer = answer(question.action, &facts);
        if let Decision::Allowed(entitlement) = answer.decision
            && self.needs_database(entitlement)
        {
            self.allows.remember(self.allow(question, entitlement), asked, until).await;
        }
        Ok(answer)
    }

    /// For members nothing matters but the meeting, so that they get in while the database is down,
    /// unless they are counted.
    const fn needs_database(&self, entitlement: Entitlement) -> bool {
        use tributary_access_control_core::Counting::Everybody;
        matches!((entitlement, self.policy.counting), (Entitlement::Shared, _) | (_, Everybody))
    }

    /// While the database is down: who was let in a moment ago is let in again, unless `facts` (all
    /// that could be found out, and what is remembered) are against it.
    async fn decide_from_memory(
        &self,
        question: &Question,
        facts: &Facts,
        error: FactError,
    ) -> Result<Answer, Undecided> {
        let answer = answer(question.action, facts);
        let Decision::Allowed(entitlement) = answer.decision else { return Err(error.into()) };
        let allow = self.allow(question, entitlement);
        if self.allows.contains(&allow, self.clock.now()).await {
            Ok(answer)
        } else {
            Err(error.into())
        }
    }

    /// The facts about somebody who shows nothing.
    fn bare_facts(&self, question: &Question, meeting: &MeetingFacts) -> Facts {
        Facts {
            role: Role::Outsider,
            meeting: meeting.state(self.policy.readable_for, self.clock.now()),
            count: Count::Within,
            shares: ShareState::Never,
            proof: ShareProof::Missing,
            password: PasswordCheck::Untyped,
            counting: self.policy.counting,
            secret_policy: self.policy.secret_policy(&question.scope.organisation),
            removed: if meeting.removed { Removed::ByHost } else { Removed::No },
        }
    }

    /// With the shares and what was shown of them; and when those end that let in.
    fn facts_of_outsider(
        &self,
        question: &Question,
        bare: Facts,
        shares: &Shares,
    ) -> (Facts, Option<u64>) {
        let secret = question.share_secret.parse::<ShareSecret>().ok();
        let secret_hash: Option<SecretHash> = secret.map(|secret| secret.hash());
        let presented = Presented {
            secret_hash: secret_hash.as_ref(),
            user: (!question.guest).then_some(&question.user),
        };
        let now = self.clock.now();
        let until = lasts_until(shares, &presented, bare.secret_policy, now);
        let (shares, proof) = evaluate(shares, presented, now);
        (Facts { shares, proof, ..bare }, until)
    }

    /// Compares what was typed. Whoever typed something waits for one hash, whatever the meeting,
    /// so that the time it takes tells nothing about it.
    async fn check_password(
        &self,
        question: &Question,
        meeting: &MeetingFacts,
    ) -> Result<PasswordCheck, Undecided> {
        let (typed, hash) = (question.password.as_str(), meeting.password_hash.as_deref());
        let check = if typed.is_empty() {
            PasswordCheck::Untyped
        } else {
            match self.hasher.verify(typed, hash).await {
                Ok(true) => PasswordCheck::Right,
                Ok(false) | Err(HashError::TooLong) => PasswordCheck::Wrong,
                Err(HashError::MalformedHash) => {
                    tracing::error!(meeting = %question.scope.meeting,
                        "the registry has a password hash that can't be read; nobody gets in by it");
                    self.hasher.verify(typed, None).await?;
                    PasswordCheck::Wrong
                }
                Err(error) => return Err(error.into()),
            }
        };
        Ok(if hash.is_some() { check } else { PasswordCheck::NotNeeded })
    }

    /// Counts what the decision costs; the facts with what the budgets say.
    async fn count(&self, question: &Question, facts: Facts) -> Result<Facts, FactError> {
        let decision = decide(question.action, &facts);
        let charge = Charge::of(&facts, decision, question.reconnect);
        let locked_facts = Facts { password: PasswordCheck::Locked, ..facts };
        let locked_decision = decide(question.action, &locked_facts);
        let locked = Charge::of(&locked_facts, locked_decision, question.reconnect);
        let counted = Counted {
            scope: &question.scope,
            user: &question.user,
            client: question.client.as_ref(),
            prefix: question.prefix,
            guest: question.guest,
            member: facts.role.is_listed(),
        };
        Ok(match self.counting.count(counted, charge, locked, self.clock.now()).await? {
            Verdict::Within => facts,
            Verdict::OverCount => Facts { count: Count::Over, ..facts },
            Verdict::PasswordLocked => locked_facts,
        })
    }

    /// How an allow is known again. A member's does not depend on what was shown.
    fn allow(&self, question: &Question, entitlement: Entitlement) -> Allow {
        let (password, secret) = match entitlement {
            Entitlement::Member => ("", ""),
            Entitlement::Shared => (question.password.as_str(), question.share_secret.as_str()),
        };
        let client = question.client.as_ref();
        self.allows.key(&question.scope, &question.user, client, entitlement, password, secret)
    }
}

fn answer(action: Action, facts: &Facts) -> Answer {
    let decision = decide(action, facts);
    let told = match decision {
        Decision::Allowed(_) => None,
        Decision::Refused(refusal) => Some(told(facts, refusal)),
    };
    Answer { decision, told, role: facts.role }
}
