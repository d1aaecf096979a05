//! Names, units and help of the service's metrics, and the handles of those that are counted for
//! each decision.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use tributary_access_control_core::{Action, Decision, Entitlement, Refusal};

const DECISIONS: &str = "tributary.access_control.decisions";
const UNDECIDED: &str = "tributary.access_control.undecided";
const CACHE_HITS: &str = "tributary.access_control.cache_hits";
const CACHE_MISSES: &str = "tributary.access_control.cache_misses";
const MISSES: &str = "tributary.access_control.misses";
const RECENT_MISSES: &str = "tributary.access_control.recent_misses";
const MISS_ALARM: &str = "tributary.access_control.miss_alarm";
const AUDIT_QUEUE: &str = "tributary.access_control.audit_queue";
const SHARES: &str = "tributary.access_control.shares";

/// Says what the metrics mean; before their first use.
pub fn describe() {
    describe_counter!(DECISIONS, Unit::Count, "Decisions, by action, result and reason");
    describe_counter!(UNDECIDED, Unit::Count, "Questions that could not be decided");
    describe_counter!(CACHE_HITS, Unit::Count, "Facts that were known, by cache");
    describe_counter!(CACHE_MISSES, Unit::Count, "Facts that had to be looked up, by cache");
    describe_counter!(MISSES, Unit::Count, "Refusals of outsiders, by this process");
    describe_gauge!(
        RECENT_MISSES,
        Unit::Count,
        "Refusals of outsiders in the alarm's window, by all"
    );
    describe_gauge!(MISS_ALARM, Unit::Count, "1 while outsiders are refused unusually often");
    describe_gauge!(AUDIT_QUEUE, Unit::Count, "Decisions that wait to be written down");
    describe_counter!(SHARES, Unit::Count, "Shares carried out, by form");
}

/// The reasons of refusals, in the order of [`place`].
const REFUSALS: [Refusal; 10] = [
    Refusal::OverCount,
    Refusal::Absent,
    Refusal::NotShared,
    Refusal::ShareRevoked,
    Refusal::ShareExpired,
    Refusal::SecretRequired,
    Refusal::Ended,
    Refusal::EndedLongAgo,
    Refusal::PasswordLocked,
    Refusal::WrongPassword,
];

/// Handles that are found once, as finding one costs a lock.
#[derive(Clone)]
pub struct DecisionMetrics {
    join: Row,
    read: Row,
    undecided: Counter,
    misses: Counter,
}

#[derive(Clone)]
struct Row {
    member: Counter,
    shared: Counter,
    refused: [Counter; REFUSALS.len()],
}

impl Row {
    fn new(action: &'static str) -> Self {
        let counter = |result: &'static str, reason: &'static str| counter!(DECISIONS, "action" => action, "result" => result, "reason" => reason);
        Self {
            member: counter("allowed", "member"),
            shared: counter("allowed", "shared"),
            refused: REFUSALS.map(|refusal| counter("refused", name(refusal))),
        }
    }

    fn of(&self, decision: Decision) -> Option<&Counter> {
        match decision {
            Decision::Allowed(Entitlement::Member) => Some(&self.member),
            Decision::Allowed(Entitlement::Shared) => Some(&self.shared),
            Decision::Refused(refusal) => {
                let place = REFUSALS.iter().position(|one| *one == refusal)?;
                self.refused.get(place)
            }
        }
    }
}

impl DecisionMetrics {
    /// Finds all handles; when the recorder is there.
    pub fn new() -> Self {
        Self {
            join: Row::new("join"),
            read: Row::new("read"),
            undecided: counter!(UNDECIDED),
            misses: counter!(MISSES),
        }
    }

    /// Counts a decision.
    pub fn decided(&self, action: Action, decision: Decision) {
        let row = match action {
            Action::Join => &self.join,
            Action::Read => &self.read,
        };
        if let Some(counter) = row.of(decision) {
            counter.increment(1);
        }
    }

    /// Counts a question without an answer.
    pub fn undecided(&self) {
        self.undecided.increment(1);
    }

    /// Counts a refusal of an outsider.
    pub fn missed(&self) {
        self.misses.increment(1);
    }
}

/// The hits and misses of one cache.
#[derive(Clone)]
pub struct CacheMetrics {
    hits: Counter,
    misses: Counter,
}

impl CacheMetrics {
    /// Of the cache of this name.
    pub fn new(cache: &'static str) -> Self {
        Self {
            hits: counter!(CACHE_HITS, "cache" => cache),
            misses: counter!(CACHE_MISSES, "cache" => cache),
        }
    }

    /// It was known.
    pub fn hit(&self) {
        self.hits.increment(1);
    }

    /// It had to be looked up.
    pub fn miss(&self) {
        self.misses.increment(1);
    }
}

/// How many decisions wait to be written.
pub fn audit_queue() -> Gauge {
    gauge!(AUDIT_QUEUE)
}

/// How often outsiders were refused lately, and whether that is too often.
pub fn misses_lately(misses: u64, alarm: bool) {
    gauge!(RECENT_MISSES).set(misses as f64);
    gauge!(MISS_ALARM).set(if alarm { 1.0 } else { 0.0 });
}

/// Counts a share.
pub fn shared(form: &'static str) {
    counter!(SHARES, "form" => form).increment(1);
}

const fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::OverCount => "over_count",
        Refusal::Absent => "absent",
        Refusal::NotShared => "not_shared",
        Refusal::ShareRevoked => "share_revoked",
        Refusal::ShareExpired => "share_expired",
        Refusal::SecretRequired => "secret_required",
        Refusal::Ended => "ended",
        Refusal::EndedLongAgo => "ended_long_ago",
        Refusal::PasswordLocked => "password_locked",
        Refusal::WrongPassword => "wrong_password",
        Refusal::Removed => "removed",
    }
}
