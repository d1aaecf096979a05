//! One channel in the task: its session, its link, what waits, how long it may go on.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tributary_rtc_session::{ChannelEnd, ChannelEvent, ChannelSession, Output, SEND_BUFFER_BYTES};

use super::{CLOSING_MAX, OPENING_MAX, link::LinkEnd};

/// What the runtime's timers can tell apart.
const TIMER_STEP: Duration = Duration::from_millis(1);
/// The processor time that one channel may use of each second. An honest one needs 60 ms for a megabyte;
/// a hostile one, with SCTP streams by the thousand, could use it all. Not optimised, honest ones can
/// need all of it too.
const SHARE: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_millis(600) };

/// Why a channel is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// A side has closed it, or the terminal is gone.
    Gone,
    /// Nobody opened it in time.
    Unopened,
    /// The terminal did what it must not.
    Misuse(&'static str),
    /// The control side did not take what the terminal sent.
    Unread,
    /// It took more than its share of the time.
    Costly,
}

impl Over {
    /// The value of the metric's label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Unopened => "unopened",
            Self::Misuse(_) => "misuse",
            Self::Unread => "unread",
            Self::Costly => "costly",
        }
    }
}

/// A channel.
pub(super) struct Place {
    pub(super) session: ChannelSession,
    link: LinkEnd,
    /// What the session has no room for yet.
    waiting: VecDeque<Bytes>,
    opened: bool,
    closing: bool,
    /// When it is over if it has not opened, or closed, by then.
    expires: Option<Instant>,
    cost: Cost,
}

impl Place {
    pub(super) fn new(session: ChannelSession, link: LinkEnd, now: Instant) -> Self {
        Self {
            session,
            link,
            waiting: VecDeque::new(),
            opened: false,
            closing: false,
            expires: Some(now + OPENING_MAX),
            cost: Cost::default(),
        }
    }

    /// Whether the terminal has opened it.
    pub(super) fn is_open(&self) -> bool {
        self.opened
    }

    /// The control side has sent this.
    pub(super) fn send(&mut self, message: Bytes) {
        self.waiting.push_back(message);
    }

    /// The control side has closed it: it goes on until everything is through.
    pub(super) fn close(&mut self, now: Instant) {
        self.closing = true;
        let end = now + CLOSING_MAX;
        self.expires = Some(self.expires.map_or(end, |at| at.min(end)));
    }

    /// Does what the session wants after it was changed. Returns when it is due again, or that it is
    /// over. `started` is the [`processor_time`] at the beginning of the change.
    pub(super) fn drive(
        &mut self,
        socket: &UdpSocket,
        now: Instant,
        started: Duration,
    ) -> Result<Instant, Over> {
        let driven = self.drive_session(socket, now);
        if !self.cost.spend(now, processor_time().saturating_sub(started)) {
            self.say_goodbye(socket);
            return Err(Over::Costly);
        }
        driven
    }

    fn drive_session(&mut self, socket: &UdpSocket, now: Instant) -> Result<Instant, Over> {
        if self.expires.is_some_and(|at| at <= now) {
            self.say_goodbye(socket);
            return Err(if self.opened { Over::Gone } else { Over::Unopened });
        }
        loop {
            let due = self.drain(socket)?;
            if self.flush(now) {
                continue;
            }
            if self.closing && self.waiting.is_empty() && self.session.waiting() == 0 {
                self.say_goodbye(socket);
                return Err(Over::Gone);
            }
            let due = due.max(now + TIMER_STEP);
            return Ok(self.expires.map_or(due, |at| at.min(due)));
        }
    }

    /// Takes out of the session what it has.
    fn drain(&mut self, socket: &UdpSocket) -> Result<Instant, Over> {
        loop {
            match self.session.poll() {
                Output::Transmit { destination, contents } => {
                    // What the system does not take is sent again, like anything that is lost.
                    let _ = socket.try_send_to(&contents, destination);
                }
                Output::Event(ChannelEvent::Opened) => {
                    self.opened = true;
                    if !self.closing {
                        self.expires = None;
                    }
                    self.link.open();
                }
                Output::Event(ChannelEvent::Message(message)) => {
                    if !self.closing && !self.link.deliver(message) {
                        self.say_goodbye(socket);
                        return Err(Over::Unread);
                    }
                }
                Output::Event(ChannelEvent::Closed(ChannelEnd::Gone)) => return Err(Over::Gone),
                Output::Event(ChannelEvent::Closed(ChannelEnd::Misuse(what))) => {
                    return Err(Over::Misuse(what));
                }
                Output::Timeout(at) => return Ok(at),
            }
        }
    }

    /// Gives the session what it has room for. Says whether that was anything.
    fn flush(&mut self, now: Instant) -> bool {
        if !self.session.is_open() {
            return false;
        }
        let mut flushed = false;
        while let Some(message) = self.waiting.front() {
            if self.session.waiting() + message.len() > SEND_BUFFER_BYTES
                || self.session.send(message, now).is_err()
            {
                break;
            }
            self.link.sent(message.len());
            self.waiting.pop_front();
            flushed = true;
        }
        flushed
    }

    /// Tells the terminal that it is over; what is not through yet is lost.
    fn say_goodbye(&mut self, socket: &UdpSocket) {
        self.session.close();
        loop {
            match self.session.poll() {
                Output::Transmit { destination, contents } => {
                    let _ = socket.try_send_to(&contents, destination);
                }
                Output::Event(_) => {}
                Output::Timeout(_) => return,
            }
        }
    }

    /// Ends it now.
    pub(super) fn end(mut self, socket: &UdpSocket) {
        self.say_goodbye(socket);
    }
}

/// What this thread has used of the processor so far; what other threads and processes take does not
/// count.
pub(super) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// What a channel has used of the current second.
#[derive(Default)]
struct Cost {
    since: Option<Instant>,
    used: Duration,
}

impl Cost {
    /// Adds what was used; false: that is too much.
    fn spend(&mut self, now: Instant, used: Duration) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= Duration::from_secs(1) {
            (self.since, self.used) = (Some(now), Duration::ZERO);
        }
        self.used += used;
        self.used <= SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_each_second() {
        let (mut cost, start) = (Cost::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(cost.spend(at(0), SHARE / 2) && cost.spend(at(999), SHARE / 2));
        assert!(!cost.spend(at(999), Duration::from_micros(1)));
        let mut cost = Cost::default();
        assert!((0..100).all(|second| cost.spend(at(second * 1000), SHARE)));
    }
}
