//! Plans of meetings that are not open here yet: a plan may come before whom it is for. Pure.

use std::{collections::HashMap, time::Instant};

use tributary_contracts::relay::v1::RoutePlan;

/// Plans that wait at a time.
const PLANS_MAX: usize = super::super::ports::MEETINGS_MAX;

/// Of each meeting the newest.
#[derive(Default)]
pub(super) struct EarlyPlans(HashMap<u64, (Instant, RoutePlan)>);

impl EarlyPlans {
    /// Keeps one. If there are too many, the oldest goes: whom it was for has not come for longest.
    pub(super) fn keep(&mut self, meeting_id: u64, plan: RoutePlan, now: Instant) {
        if self.0.len() >= PLANS_MAX && !self.0.contains_key(&meeting_id) {
            let oldest = self.0.iter().min_by_key(|(_, (since, _))| *since).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(meeting_id, (now, plan));
    }

    /// A meeting is open here now.
    pub(super) fn take(&mut self, meeting_id: u64) -> Option<RoutePlan> {
        self.0.remove(&meeting_id).map(|(_, plan)| plan)
    }

    /// Another stream: all are told again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_that_nobody_comes_for_do_not_keep_others_out() {
        let (mut early, now) = (EarlyPlans::default(), Instant::now());
        let plan = |version| RoutePlan { version, ..RoutePlan::default() };
        for meeting in 0..=PLANS_MAX as u64 {
            early.keep(meeting, plan(1), now + Duration::from_millis(meeting));
        }
        early.keep(5, plan(2), now + Duration::from_secs(60));
        assert_eq!(early.0.len(), PLANS_MAX);
        assert!(early.take(0).is_none(), "the oldest");
        assert_eq!(early.take(PLANS_MAX as u64).map(|plan| plan.version), Some(1));
        assert_eq!(early.take(5).map(|plan| plan.version), Some(2));
        assert!(early.take(5).is_none());
    }
}
