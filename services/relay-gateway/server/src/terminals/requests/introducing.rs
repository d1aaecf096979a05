//! Introductions: a page that came from here speaks to a relay in its own network.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tributary_contracts::terminal::v1::{
    Introduce, Introduced, RefusalCode, relay_message::Body as Reply,
};
use tributary_identifiers::RelayId;

use super::super::session::{Pending, Session};
use crate::{refusal::Refused, uplink::IntroductionError};

/// Largest offer, in bytes.
const SDP_BYTES_MAX: usize = 16 << 10;
/// Introductions that one connection may ask for within a minute.
const INTRODUCTIONS_MAX: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// When a connection has asked for introductions.
#[derive(Default)]
pub(crate) struct Introductions(VecDeque<Instant>);

impl Introductions {
    fn take(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            self.0.pop_front();
        }
        if self.0.len() >= INTRODUCTIONS_MAX {
            return false;
        }
        self.0.push_back(now);
        true
    }
}

impl Session {
    /// Begins to introduce the terminal to a relay; the connection answers when that has answered.
    pub(super) fn begin_introducing(
        &mut self,
        request_id: u64,
        introduce: Introduce,
    ) -> Result<(), Refused> {
        if self.origin.carriage.is_some() {
            let text = "introductions are made by core relays";
            return Err(Refused::new(RefusalCode::Unsupported, text));
        }
        if !self.is_known {
            let text = "log in first, or enter as a guest";
            return Err(Refused::new(RefusalCode::NotLoggedIn, text));
        }
        let relay: RelayId = introduce.relay_id.parse().map_err(|_| not_there())?;
        if introduce.sdp.is_empty() || introduce.sdp.len() > SDP_BYTES_MAX {
            let text = "sdp: it must have 1 to 16384 bytes";
            return Err(Refused::new(RefusalCode::Malformed, text));
        }
        if self.introducing.is_some() || !self.introductions.take(Instant::now()) {
            let text = "one introduction at a time, and five a minute: wait";
            return Err(Refused::new(RefusalCode::Limit, text));
        }
        let (shared, address) = (self.shared.clone(), self.origin.address);
        let answer = tokio::spawn(async move {
            match shared.relays.introduce(&relay, introduce.sdp, address).await {
                Ok(sdp) => Ok(Reply::Introduced(Introduced { sdp })),
                Err(IntroductionError::Unknown) => Err(not_there()),
                Err(IntroductionError::NotNow) => Err(Refused::try_again("that relay")),
            }
        });
        self.introducing = Some(Pending { request_id, answer });
        Ok(())
    }
}

fn not_there() -> Refused {
    Refused::new(RefusalCode::NotAdmitted, "no such relay is attached here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_a_minute() {
        let mut introductions = Introductions::default();
        let taken = |introductions: &mut Introductions| {
            (0..10).filter(|_| introductions.take(Instant::now())).count()
        };
        assert_eq!(taken(&mut introductions), INTRODUCTIONS_MAX);
        tokio::time::advance(WINDOW / 2).await;
        assert_eq!(taken(&mut introductions), 0);
        tokio::time::advance(WINDOW / 2).await;
        assert_eq!(taken(&mut introductions), INTRODUCTIONS_MAX);
    }
}
