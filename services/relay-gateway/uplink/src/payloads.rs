//! What many terminals are told is carried once: the last [`PAYLOADS_MAX`] shared payloads are known by
//! number on both sides of a session.
//!
//! **Invariant:** both sides keep the same ones. They hold because numbered messages arrive once and
//! in order; both begin anew with a new session.

use std::collections::VecDeque;

use bytes::Bytes;

/// How many payloads are kept.
pub const PAYLOADS_MAX: usize = 64;

/// How a payload is to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Its number, never 0.
    pub id: u32,
    /// True if it is not known yet: it has to be sent along.
    pub is_new: bool,
}

/// The side that sends.
#[derive(Debug, Default)]
pub struct PayloadSender {
    kept: VecDeque<(u32, Bytes)>,
    last: u32,
}

impl PayloadSender {
    /// The number of a payload. Must be sent in the order of the calls, and none left out.
    pub fn share(&mut self, payload: &Bytes) -> Shared {
        // The newest is by far the likeliest.
        let known = self.kept.iter().rev().find(|(_, kept)| is_same(kept, payload));
        if let Some((id, _)) = known {
            return Shared { id: *id, is_new: false };
        }
        self.last = self.last.checked_add(1).unwrap_or(1);
        keep(&mut self.kept, self.last, payload.clone());
        Shared { id: self.last, is_new: true }
    }
}

/// A payload is referred to that the receiver does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("payload {0} is not known: the session is over")]
pub struct UnknownPayload(pub u32);

/// The side that receives.
#[derive(Debug, Default)]
pub struct PayloadReceiver {
    kept: VecDeque<(u32, Bytes)>,
}

impl PayloadReceiver {
    /// What a message means that came with this number (0: not shared) and payload (empty: the one
    /// that is known).
    ///
    /// # Errors
    /// It is not known: the sides are not in lockstep.
    pub fn take(&mut self, id: u32, payload: Bytes) -> Result<Bytes, UnknownPayload> {
        if id == 0 {
            return Ok(payload);
        }
        if !payload.is_empty() {
            keep(&mut self.kept, id, payload.clone());
            return Ok(payload);
        }
        let known = self.kept.iter().rev().find(|(kept, _)| *kept == id);
        known.map(|(_, payload)| payload.clone()).ok_or(UnknownPayload(id))
    }
}

fn keep(kept: &mut VecDeque<(u32, Bytes)>, id: u32, payload: Bytes) {
    if kept.len() == PAYLOADS_MAX {
        kept.pop_front();
    }
    kept.push_back((id, payload));
}

fn is_same(a: &Bytes, b: &Bytes) -> bool {
    // Clones share their memory: mostly the content need not be looked at.
    (a.as_ptr() == b.as_ptr() && a.len() == b.len()) || a == b
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_goes_by_number() {
        let (mut sender, mut receiver) = (PayloadSender::default(), PayloadReceiver::default());
        let event = Bytes::from_static(b"event");
        assert_eq!(sender.share(&event), Shared { id: 1, is_new: true });
        assert_eq!(sender.share(&event.clone()), Shared { id: 1, is_new: false });
        assert_eq!(sender.share(&Bytes::from(b"event".to_vec())), Shared { id: 1, is_new: false });
        assert_eq!(receiver.take(1, event.clone()), Ok(event.clone()));
        assert_eq!(receiver.take(1, Bytes::new()), Ok(event.clone()));
        assert_eq!(receiver.take(0, event.clone()), Ok(event));
        assert_eq!(receiver.take(2, Bytes::new()), Err(UnknownPayload(2)));
    }

    #[test]
    fn numbers_go_round_without_0() {
        let mut sender = PayloadSender { last: u32::MAX, ..PayloadSender::default() };
        assert_eq!(sender.share(&Bytes::from_static(b"x")).id, 1);
    }

    proptest! {
        #[test]
        fn both_sides_agree_whatever_is_sent(order in prop::collection::vec(0..100u8, 0..500)) {
            let (mut sender, mut receiver) = (PayloadSender::default(), PayloadReceiver::default());
            for content in order {
                let payload = Bytes::from(vec![content; 3]);
                let Shared { id, is_new } = sender.share(&payload);
                let carried = if is_new { payload.clone() } else { Bytes::new() };
                prop_assert_eq!(receiver.take(id, carried), Ok(payload));
            }
        }
    }
}
