//! Whether the other side of a connection is still there: by its messages, and by the bytes of one that
//! is still on its way.
//!
//! A large message takes its time on a thin line, and nothing else can come on the same stream
//! meanwhile, not even a heartbeat.

use std::time::Duration;

/// After so long without a message or enough bytes the other side is gone.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);
/// After so long without a whole message it is, whatever else comes.
pub const MESSAGE_TIME_MAX: Duration = Duration::from_secs(60);
/// Fewer bytes are no sign of life: that of a message is a part of it that makes its end likely.
pub const BYTES_MIN: u64 = 2 << 10;
/// Between looks at the bytes: how late it is noticed that there were none, at most.
const LOOK: Duration = Duration::from_millis(500);

/// The other side is gone, or as good as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silent {
    /// Nothing comes.
    #[error("has said nothing for {} s", SILENCE_MAX.as_secs())]
    Nothing,
    /// Bytes come, but no message.
    #[error("has sent no whole message for {} s", MESSAGE_TIME_MAX.as_secs())]
    NoMessage,
}

/// Waits for one message. Times are counted from any moment, the same for all calls; bytes are all that
/// have come over the connection.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    began_at: Duration,
    sign_at: Duration,
    /// How many had come at the last sign of life.
    bytes: u64,
}

impl Silence {
    /// It is waited for from now on.
    #[must_use]
    pub fn new(now: Duration, bytes: u64) -> Self {
        Self { began_at: now, sign_at: now, bytes }
    }

    /// Looks at what has come; says when to look again.
    ///
    /// # Errors
    /// The connection is to be given up.
    pub fn look(&mut self, now: Duration, bytes: u64) -> Result<Duration, Silent> {
        if bytes.saturating_sub(self.bytes) >= BYTES_MIN {
            (self.sign_at, self.bytes) = (now, bytes);
        }
        let message_by = self.began_at + MESSAGE_TIME_MAX;
        let sign_by = self.sign_at + SILENCE_MAX;
        if now >= sign_by {
            return Err(Silent::Nothing);
        }
        if now >= message_by {
            return Err(Silent::NoMessage);
        }
        Ok((now + LOOK).min(sign_by).min(message_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks until it is over, with so many bytes having come after a time; says when, and why.
    fn watched(bytes_at: impl Fn(Duration) -> u64) -> (Duration, Silent) {
        let mut silence = Silence::new(Duration::ZERO, 0);
        let mut now = Duration::ZERO;
        loop {
            match silence.look(now, bytes_at(now)) {
                Ok(next) => {
                    assert!(next > now && next - now <= LOOK);
                    now = next;
                }
                Err(why) => return (now, why),
            }
        }
    }

    #[test]
    fn who_says_nothing_is_gone_after_two_seconds() {
        assert_eq!(watched(|_| 0), (SILENCE_MAX, Silent::Nothing));
    }

    #[test]
    fn who_trickles_is_gone_as_soon() {
        assert_eq!(watched(|now| now.as_secs()), (SILENCE_MAX, Silent::Nothing));
        let a_bit = BYTES_MIN / SILENCE_MAX.as_secs() - 1;
        assert_eq!(watched(|now| now.as_secs() * a_bit), (SILENCE_MAX, Silent::Nothing));
    }

    #[test]
    fn what_arrives_slowly_is_waited_for_but_not_for_ever() {
        let slowly = |now: Duration| 20 * now.as_millis() as u64;
        assert_eq!(watched(slowly), (MESSAGE_TIME_MAX, Silent::NoMessage));
    }

    #[test]
    fn an_end_in_the_middle_of_a_message_is_noticed_as_soon_as_any() {
        let cut = |now: Duration| 20 * now.min(Duration::from_secs(3)).as_millis() as u64;
        let (at, why) = watched(cut);
        let from = Duration::from_secs(3) + SILENCE_MAX;
        assert!((from..from + LOOK).contains(&at), "{at:?}");
        assert_eq!(why, Silent::Nothing);
    }
}
