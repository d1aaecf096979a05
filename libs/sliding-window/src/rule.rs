//! The rule itself: which claims have room. Pure.

use crate::{Claim, Outcome, Spend};

/// What the database knows about one claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Entries in the claim's window.
    pub used: u64,
    /// Whether the claim's item is among them.
    pub known: bool,
}

/// Looks at claims beside what is counted for each.
pub(crate) fn judge(claims: &[Claim], counted: &[Counted]) -> Outcome {
    let full = claims.iter().zip(counted).position(|(claim, counted)| !has_room(claim, *counted));
    full.map_or(Outcome::Granted, |key_index| Outcome::Exhausted { key_index })
}

fn has_room(claim: &Claim, counted: Counted) -> bool {
    let again = counted.known && matches!(claim.spend, Spend::Distinct(_)) && claim.limit > 0;
    again || counted.used < u64::from(claim.limit)
}

/// The time after which entries are in the window that ends `now`; all in milliseconds.
pub(crate) fn window_begin(now: i64, window_seconds: u64) -> i64 {
    let length = window_seconds.max(1).saturating_mul(1_000);
    now.saturating_sub_unsigned(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(limit: u32, spend: Spend) -> Claim {
        Claim { key: "key".into(), limit, window_seconds: 10, spend }
    }

    #[test]
    fn there_is_room_below_the_limit_and_for_what_is_counted_already() {
        let item = Spend::Distinct(7);
        for (spend, limit, used, known, room) in [
            (Spend::One, 3, 2, false, true),
            (Spend::One, 3, 3, false, false),
            (Spend::One, 0, 0, false, false),
            (Spend::Nothing, 3, 2, false, true),
            (Spend::Nothing, 3, 3, false, false),
            (item, 3, 2, false, true),
            (item, 3, 3, false, false),
            (item, 3, 3, true, true),
            (item, 3, 9, true, true),
            (item, 0, 1, true, false),
        ] {
            let outcome = judge(&[claim(limit, spend)], &[Counted { used, known }]);
            assert_eq!(outcome == Outcome::Granted, room, "{spend:?} {used} of {limit}, {known}");
        }
    }

    #[test]
    fn the_first_without_room_is_named() {
        let claims = [claim(5, Spend::One), claim(1, Spend::One), claim(1, Spend::One)];
        let counted = [1; 3].map(|used| Counted { used, known: false });
        assert_eq!(judge(&claims, &counted), Outcome::Exhausted { key_index: 1 });
        assert_eq!(judge(&[], &[]), Outcome::Granted);
    }

    #[test]
    fn the_window_ends_now_and_never_overflows() {
        assert_eq!(window_begin(10_000, 3), 7_000);
        assert_eq!(window_begin(10_000, 0), 9_000);
        assert_eq!(window_begin(0, u64::MAX), i64::MIN);
    }
}
