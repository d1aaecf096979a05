//! When signing keys are made, sign, and go.
//!
//! A key is *next* (published, does not sign), then *active* (signs), then *retired* (verifies what
//! it has signed), then removed. Which of them it is follows from the keys and the time alone, so
//! that all replicas see the same without talking.
//!
//! **Invariants:** a planned key is published for at least the publish-ahead time before it signs;
//! a key verifies until the last token that it can have signed is over; there is never more than
//! one next key, and never more keys than a key set holds.

use tributary_join_credential::{KEYS_MAX, LEEWAY_SECONDS};

use crate::tokens::TOKEN_LIFE_MAX_SECONDS;

/// A replica that has not read the keys for so long does not sign, in seconds.
pub const KEYS_UNREAD_MAX_SECONDS: u64 = 3600;

/// How long a key verifies after another has taken over from it, in seconds: a replica may have
/// signed with it until [`KEYS_UNREAD_MAX_SECONDS`] after that, and then the token has its life.
pub const VERIFY_SECONDS: u64 =
    TOKEN_LIFE_MAX_SECONDS + KEYS_UNREAD_MAX_SECONDS + 2 * LEEWAY_SECONDS;

/// How often keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long a key signs, in seconds.
    pub rotate_seconds: u64,
    /// How long a key is published before it signs, in seconds; shorter than `rotate_seconds`.
    pub publish_ahead_seconds: u64,
}

/// A key that was not revoked, as far as planning goes. Times are in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    /// Its place in the order of keys, from 1.
    pub generation: i32,
    /// When it was made.
    pub created_at: u64,
    /// From when on it signs.
    pub active_from: u64,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Does not sign any more, and still verifies.
    Retired,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// A key is to be made.
    Make(KeyTimes),
    /// A key that waits is to sign from now on.
    Activate(KeyTimes),
    /// The key of this generation is to go.
    Remove(i32),
}

/// No key can be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{KEYS_MAX} keys are in use already; wait until the oldest is removed")]
pub struct TooManyKeys;

/// The key that signs, if there is one.
#[must_use]
pub fn active(keys: &[KeyTimes], now: u64) -> Option<KeyTimes> {
    keys.iter().copied().filter(|key| key.active_from <= now).max_by_key(|key| key.generation)
}

/// What a key among `keys` is used for.
#[must_use]
pub fn state(key: KeyTimes, keys: &[KeyTimes], now: u64) -> KeyState {
    match active(keys, now) {
        Some(active) if active.generation > key.generation => KeyState::Retired,
        Some(active) if active.generation == key.generation => KeyState::Active,
        _ => KeyState::Next,
    }
}

/// When a key goes; never, as long as it is the newest.
#[must_use]
pub fn removed_at(key: KeyTimes, keys: &[KeyTimes]) -> Option<u64> {
    keys.iter()
        .filter(|other| other.generation > key.generation)
        .map(|successor| successor.active_from.saturating_add(VERIFY_SECONDS))
        .min()
}

/// What is due. `last_generation` is the highest that was ever used, 0 for none.
#[must_use]
pub fn due(
    keys: &[KeyTimes],
    last_generation: i32,
    policy: RotationPolicy,
    now: u64,
) -> Vec<KeyStep> {
    let mut steps: Vec<_> = keys
        .iter()
        .filter(|key| removed_at(**key, keys).is_some_and(|at| at <= now))
        .map(|key| KeyStep::Remove(key.generation))
        .collect();
    let kept = keys.len() - steps.len();
    let make = |active_from| {
        let generation = last_generation.saturating_add(1);
        KeyStep::Make(KeyTimes { generation, created_at: now, active_from })
    };
    match newest(keys) {
        // Nobody knows another key, so nobody has to hear of this one first.
        None => steps.push(make(now)),
        Some(newest) => {
            let end = newest.active_from.saturating_add(policy.rotate_seconds);
            let ahead = now.saturating_add(policy.publish_ahead_seconds);
            if ahead >= end && kept < KEYS_MAX {
                steps.push(make(end.max(ahead)));
            }
        }
    }
    steps
}

/// What is to be done when somebody wants a new key now: none if one is waiting already.
///
/// # Errors
/// There are too many keys.
pub fn rotate(
    keys: &[KeyTimes],
    last_generation: i32,
    policy: RotationPolicy,
    now: u64,
) -> Result<Option<KeyStep>, TooManyKeys> {
    if newest(keys).is_some_and(|newest| newest.active_from > now) {
        return Ok(None);
    }
    if keys.len() >= KEYS_MAX {
        return Err(TooManyKeys);
    }
    Ok(Some(KeyStep::Make(KeyTimes {
        generation: last_generation.saturating_add(1),
        created_at: now,
        active_from: now.saturating_add(policy.publish_ahead_seconds),
    })))
}

/// What is to be done besides when the key of this generation is revoked: there must be another
/// that signs at once, and never one that has been retired.
#[must_use]
pub fn replace(keys: &[KeyTimes], revoked: i32, last_generation: i32, now: u64) -> Option<KeyStep> {
    if active(keys, now).is_some_and(|active| active.generation != revoked) {
        return None;
    }
    let waiting = newest(keys).filter(|newest| newest.generation > revoked);
    Some(match waiting {
        Some(key) => KeyStep::Activate(KeyTimes { active_from: now, ..key }),
        None => KeyStep::Make(KeyTimes {
            generation: last_generation.saturating_add(1),
            created_at: now,
            active_from: now,
        }),
    })
}

fn newest(keys: &[KeyTimes]) -> Option<KeyTimes> {
    keys.iter().copied().max_by_key(|key| key.generation)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RotationPolicy =
        RotationPolicy { rotate_seconds: 30 * 86_400, publish_ahead_seconds: 600 };
    const START: u64 = 1_800_000_000;

    fn key(generation: i32, active_from: u64) -> KeyTimes {
        KeyTimes { generation, created_at: active_from, active_from }
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(due(&[], 0, POLICY, START), [KeyStep::Make(key(1, START))]);
        assert_eq!(due(&[key(1, START)], 1, POLICY, START), []);
    }

    #[test]
    fn a_key_is_next_then_active_then_retired_then_removed() {
        let end = START + POLICY.rotate_seconds;
        let first = key(1, START);
        assert_eq!(due(&[first], 1, POLICY, end - 601), []);
        let second = KeyTimes { generation: 2, created_at: end - 600, active_from: end };
        assert_eq!(due(&[first], 1, POLICY, end - 600), [KeyStep::Make(second)]);
        let keys = [first, second];
        let states = |now| (state(first, &keys, now), state(second, &keys, now));
        assert_eq!(states(end - 1), (KeyState::Active, KeyState::Next));
        assert_eq!(states(end), (KeyState::Retired, KeyState::Active));
        assert_eq!(removed_at(first, &keys), Some(end + VERIFY_SECONDS));
        assert_eq!(removed_at(second, &keys), None);
        assert_eq!(due(&keys, 2, POLICY, end + VERIFY_SECONDS - 1), []);
        assert_eq!(due(&keys, 2, POLICY, end + VERIFY_SECONDS), [KeyStep::Remove(1)]);
    }

    #[test]
    fn after_a_long_sleep_the_new_key_is_published_first_all_the_same() {
        let late = START + 400 * 86_400;
        let steps = due(&[key(1, START)], 1, POLICY, late);
        let made = KeyTimes { generation: 2, created_at: late, active_from: late + 600 };
        assert_eq!(steps, [KeyStep::Make(made)]);
    }

    #[test]
    fn whoever_rotates_twice_gets_one_key() {
        let first = key(1, START);
        let made = KeyTimes { generation: 2, created_at: START + 9, active_from: START + 609 };
        assert_eq!(rotate(&[first], 1, POLICY, START + 9), Ok(Some(KeyStep::Make(made))));
        assert_eq!(rotate(&[first, made], 2, POLICY, START + 10), Ok(None));
        let many: Vec<_> = (1..=16).map(|generation| key(generation, START)).collect();
        assert_eq!(rotate(&many, 16, POLICY, START + 10), Err(TooManyKeys));
    }

    #[test]
    fn another_signs_when_the_one_that_signs_is_revoked() {
        let (first, second, third) = (key(1, START), key(2, START + 10), key(3, START + 99));
        let now = START + 20;
        let at_once = |key: KeyTimes| KeyTimes { active_from: now, ..key };
        let step = |keys: &[KeyTimes], revoked| replace(keys, revoked, 3, now);
        assert_eq!(step(&[first, second, third], 1), None);
        assert_eq!(step(&[first, second, third], 3), None);
        assert_eq!(step(&[first, second, third], 2), Some(KeyStep::Activate(at_once(third))));
        // A retired key is not taken back.
        let made = KeyTimes { generation: 4, created_at: now, active_from: now };
        assert_eq!(step(&[first, second], 2), Some(KeyStep::Make(made)));
        assert_eq!(step(&[second], 2), Some(KeyStep::Make(made)));
    }

    proptest! {
        /// A life of a service: time passes, somebody rotates, somebody revokes.
        #[test]
        fn whatever_happens_one_key_signs_and_what_it_signed_verifies(
            events in prop::collection::vec((1..40_000_u64, 0..8_u8), 1..120),
            rotate_hours in 24..200_u64,
            ahead in 60..3600_u64,
        ) {
            let policy = RotationPolicy {
                rotate_seconds: rotate_hours * 3600,
                publish_ahead_seconds: ahead,
            };
            let (mut keys, mut last, mut now) = (Vec::new(), 0, START);
            // Generation and end of life of each token.
            let mut signed: Vec<(i32, u64)> = Vec::new();
            let mut urgent = Vec::new();
            for (pause, event) in events {
                now += pause;
                let mut steps = due(&keys, last, policy, now);
                if event == 0 && steps.is_empty() {
                    steps.extend(rotate(&keys, last, policy, now).ok().flatten());
                }
                if event == 1 && steps.is_empty() {
                    let revoked = active(&keys, now).unwrap().generation;
                    let step = replace(&keys, revoked, last, now).unwrap();
                    keys.retain(|key| key.generation != revoked);
                    signed.retain(|(generation, _)| *generation != revoked);
                    if let KeyStep::Make(key) | KeyStep::Activate(key) = step {
                        urgent.push(key.generation);
                    }
                    steps.push(step);
                }
                for step in steps {
                    match step {
                        KeyStep::Make(key) => {
                            prop_assert_eq!(key.generation, last + 1);
                            last = key.generation;
                            keys.push(key);
                        }
                        KeyStep::Activate(changed) => {
                            let key = keys
                                .iter_mut()
                                .find(|key| key.generation == changed.generation)
                                .unwrap();
                            *key = changed;
                        }
                        KeyStep::Remove(generation) => {
                            keys.retain(|key| key.generation != generation);
                        }
                    }
                }
                prop_assert!(keys.len() <= KEYS_MAX);
                let signs = active(&keys, now).unwrap();
                let planned = signs.generation > 1 && !urgent.contains(&signs.generation);
                prop_assert!(!planned || signs.active_from >= signs.created_at + ahead);
                signed.retain(|(_, end)| *end > now);
                for (generation, _) in &signed {
                    prop_assert!(keys.iter().any(|key| key.generation == *generation));
                }
                signed.push((signs.generation, now + TOKEN_LIFE_MAX_SECONDS + LEEWAY_SECONDS));
                let waiting = keys.iter().filter(|key| key.active_from > now).count();
                prop_assert!(waiting <= 1);
            }
        }
    }
}
