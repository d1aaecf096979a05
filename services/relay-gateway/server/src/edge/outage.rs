//! What terminals are told while this relay can't reach its parent, and when it can again.
//!
//! A short blip is nothing to them. Each terminal is told by whoever serves its link, which remembers what
//! it has told.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tributary_contracts::terminal::v1::{UplinkChanged, relay_message::Body as Reply};

use super::terminal::encode;

/// A loss that is over sooner is not told.
const TOLD_AFTER: Duration = Duration::from_secs(3);
/// What the parent is taken to hold a session for if it does not say.
const HOLD: Duration = Duration::from_secs(30);

/// The uplink is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lost {
    since: Instant,
    hold: Duration,
}

/// Whether the uplink of this relay is lost, and since when.
#[derive(Debug)]
pub(super) struct UplinkWatch(watch::Sender<Option<Lost>>);

impl Default for UplinkWatch {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl UplinkWatch {
    /// There is no connection any more; the parent keeps the session for `hold_ms`.
    pub(super) fn lost(&self, hold_ms: u32) {
        let hold = if hold_ms == 0 { HOLD } else { Duration::from_millis(hold_ms.into()) };
        self.0.send_if_modified(|lost| {
            let is_news = lost.is_none();
            lost.get_or_insert(Lost { since: Instant::now(), hold });
            is_news
        });
    }

    /// There is one.
    pub(super) fn attached(&self) {
        self.0.send_if_modified(|lost| lost.take().is_some());
    }

    /// For one link, of which nothing was told yet.
    pub(super) fn outage(&self) -> Outage {
        Outage { lost: self.0.subscribe(), told: None }
    }
}

/// What a terminal was told last, if not that all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    since: Instant,
    /// Also that nothing is held for it any more.
    over: bool,
}

/// What is to be told to one terminal.
#[derive(Debug)]
pub(super) struct Outage {
    lost: watch::Receiver<Option<Lost>>,
    told: Option<Told>,
}

impl Outage {
    /// The next thing to tell, when it is due. Nothing is lost when this is not waited for to the end.
    pub(super) async fn next(&mut self) -> UplinkChanged {
        loop {
            let lost = *self.lost.borrow_and_update();
            let due = due(self.told, lost);
            let changed = async {
                if self.lost.changed().await.is_err() {
                    // The relay ends; there is nothing more to tell.
                    std::future::pending::<()>().await;
                }
            };
            let Some((at, told)) = due else {
                changed.await;
                continue;
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(at) => {
                    self.told = told;
                    return message(told.and(lost), Instant::now());
                }
            }
        }
    }
}

/// What a terminal that was told this is to be told next, and when.
fn due(told: Option<Told>, lost: Option<Lost>) -> Option<(Instant, Option<Told>)> {
    match (told, lost) {
        (None, None) => None,
        (None, Some(Lost { since, .. })) => {
            Some((since + TOLD_AFTER, Some(Told { since, over: false })))
        }
        (Some(told), Some(Lost { since, hold })) if told.since == since => {
            (!told.over).then_some((since + hold, Some(Told { since, over: true })))
        }
        // That loss is over, even if there is another one since.
        (Some(told), _) => Some((told.since, None)),
    }
}

fn message(lost: Option<Lost>, now: Instant) -> UplinkChanged {
    let Some(Lost { since, hold }) = lost else {
        return UplinkChanged { attached: true, ..UplinkChanged::default() };
    };
    let ms = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    let lost_ms = ms(now.saturating_duration_since(since));
    UplinkChanged { attached: false, hold_ms: ms(hold), lost_ms }
}

/// The message, as a terminal is told it.
pub(super) fn encoded(changed: UplinkChanged) -> Bytes {
    encode(0, String::new(), Reply::UplinkChanged(changed))
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn is_quiet_for(outage: &mut Outage, time: Duration) {
        let told = timeout(time, outage.next()).await;
        assert!(told.is_err(), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_blip_is_not_told() {
        let uplink = UplinkWatch::default();
        let mut outage = uplink.outage();
        is_quiet_for(&mut outage, 100 * SECOND).await;
        for _ in 0..5 {
            uplink.lost(10_000);
            is_quiet_for(&mut outage, 2 * SECOND).await;
            uplink.attached();
            is_quiet_for(&mut outage, SECOND).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_told_and_the_end_of_the_hold_and_the_end_of_the_loss_each_once() {
        let uplink = UplinkWatch::default();
        let mut outage = uplink.outage();
        uplink.lost(10_000);
        advance(SECOND).await;
        // It was lost before, and no attempt since has changed that.
        uplink.lost(10_000);
        let began = Instant::now();
        let told = outage.next().await;
        assert_eq!((told.attached, told.hold_ms), (false, 10_000));
        assert!((3_000..3_100).contains(&told.lost_ms), "{told:?}");
        assert!(began.elapsed() < 3 * SECOND);
        let told = outage.next().await;
        assert!(!told.attached && told.lost_ms >= told.hold_ms, "{told:?}");
        is_quiet_for(&mut outage, 100 * SECOND).await;
        uplink.attached();
        assert!(outage.next().await.attached);
        is_quiet_for(&mut outage, 100 * SECOND).await;
    }

    #[tokio::test(start_paused = true)]
    async fn two_losses_in_a_row_are_told_apart() {
        let uplink = UplinkWatch::default();
        let mut outage = uplink.outage();
        uplink.lost(5_000);
        assert!(!outage.next().await.attached && !outage.next().await.attached);
        uplink.attached();
        advance(SECOND).await;
        uplink.lost(5_000);
        assert!(outage.next().await.attached);
        let told = outage.next().await;
        assert!(!told.attached && told.lost_ms < told.hold_ms, "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_late_is_told_at_once() {
        let uplink = UplinkWatch::default();
        uplink.lost(0);
        advance(20 * SECOND).await;
        let told = timeout(SECOND, uplink.outage().next()).await.unwrap();
        assert!((20_000..20_100).contains(&told.lost_ms) && told.hold_ms == 30_000, "{told:?}");
    }
}
