//! Meetings that fewer people may enter than a moment ago: a share was revoked, somebody was taken off
//! the member list. Join credentials that were issued before are stale; who asks for a new one gets a
//! new decision. Who is in stays in.
//!
//! Access control tells it on the bus. What was told while there was no connection is missed, so that
//! whatever was issued before the connection came back is stale too.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::StreamExt as _;
use tributary_identifiers::OrganisationId;
use tributary_message_bus::{
    ControlBus, Link,
    subjects::{self, MeetingScope},
};

/// No join credential lives longer, with leeway, in seconds.
const CREDENTIAL_LIFE_MAX: u64 = 10 * 60;
/// Another replica of access control hears of it a moment later, and may decide by old facts until
/// then, in seconds.
const SLACK: u64 = 1;
/// The most meetings remembered; with more, all are treated alike.
const MEETINGS_MAX: usize = 10_000;

/// When which meeting was narrowed last.
#[derive(Default)]
pub(crate) struct Narrowings(Mutex<Times>);

/// Unix seconds.
#[derive(Debug, Default)]
struct Times {
    everywhere: Option<u64>,
    meetings: HashMap<MeetingScope, u64>,
}

impl Narrowings {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a credential of a meeting is stale that was issued at this time, in Unix seconds. If
    /// so, returns when one that is issued then no longer is: a second is as fine as credentials tell
    /// the time.
    pub(crate) async fn outdate(&self, scope: &MeetingScope, issued_at: u64) -> bool {
        let Some(narrowed_at) = self.times().narrowed(scope) else { return false };
        if issued_at > narrowed_at {
            return false;
        }
        let fresh_from = UNIX_EPOCH + Duration::from_secs(narrowed_at + 1);
        if let Ok(wait) = fresh_from.duration_since(SystemTime::now()) {
            tokio::time::sleep(wait.min(Duration::from_secs(2))).await;
        }
        true
    }

    /// Hears what access control tells about an organisation's meetings; ends when dropped.
    pub(crate) async fn hear(&self, bus: &ControlBus, organisation: &OrganisationId) {
        let mut link = bus.link();
        let mut told = bus.hear(subjects::shares_changed_of(organisation)).await;
        self.follow(*link.borrow_and_update());
        loop {
            let message = async {
                match &mut told {
                    Some(told) => told.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = message => match message {
                    Some(message) if *message.payload == *subjects::NARROWED => {
                        if let Some(scope) = subjects::meeting_of(&message.subject) {
                            self.times().narrow(scope, unix_now() + SLACK);
                        }
                    }
                    Some(_) => {}
                    None => told = None,
                },
                changed = link.changed() => match changed {
                    Ok(()) => self.follow(*link.borrow_and_update()),
                    Err(_) => return std::future::pending().await,
                },
            }
        }
    }
}

impl Narrowings {
    fn follow(&self, link: Link) {
        match link {
            Link { up: false, .. } => {}
            // Who comes in the second in which this relay starts is not sent away.
            Link { times: 0 | 1, .. } => {
                self.times().narrow_everywhere(unix_now().saturating_sub(1))
            }
            Link { .. } => self.times().narrow_everywhere(unix_now()),
        }
    }
}

impl Times {
    fn narrowed(&self, scope: &MeetingScope) -> Option<u64> {
        self.meetings.get(scope).copied().max(self.everywhere)
    }

    fn narrow(&mut self, scope: MeetingScope, now: u64) {
        if self.meetings.len() >= MEETINGS_MAX {
            self.meetings.retain(|_, at| *at + CREDENTIAL_LIFE_MAX > now);
        }
        if self.meetings.len() >= MEETINGS_MAX {
            return self.narrow_everywhere(now);
        }
        self.meetings.insert(scope, now);
    }

    fn narrow_everywhere(&mut self, now: u64) {
        self.meetings.clear();
        self.everywhere = Some(now);
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::MeetingId;

    use super::*;

    fn scope(meeting: u64) -> MeetingScope {
        let meeting = MeetingId::try_from(meeting).unwrap();
        MeetingScope { organisation: OrganisationId::default(), meeting }
    }

    #[tokio::test]
    async fn what_was_issued_before_or_in_the_same_second_is_stale() {
        let narrowings = Narrowings::default();
        assert!(!narrowings.outdate(&scope(1), 100).await);
        narrowings.times().narrow(scope(1), 100);
        assert!(narrowings.outdate(&scope(1), 99).await);
        assert!(narrowings.outdate(&scope(1), 100).await);
        assert!(!narrowings.outdate(&scope(1), 101).await);
        assert!(!narrowings.outdate(&scope(2), 99).await);
        narrowings.times().narrow_everywhere(200);
        assert!(narrowings.outdate(&scope(2), 200).await);
        assert!(!narrowings.outdate(&scope(1), 201).await);
    }

    #[test]
    fn too_many_meetings_to_remember_are_treated_alike() {
        let mut times = Times::default();
        for meeting in 0..MEETINGS_MAX as u64 {
            times.narrow(scope(meeting), 1_000);
        }
        times.narrow(scope(u64::from(u32::MAX)), 1_001);
        assert_eq!(times.narrowed(&scope(5)), Some(1_001));
        assert!(times.meetings.is_empty());
        times.narrow(scope(5), 1_002);
        assert_eq!(
            (times.narrowed(&scope(5)), times.narrowed(&scope(6))),
            (Some(1_002), Some(1_001))
        );
    }
}
