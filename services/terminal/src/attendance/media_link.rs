//! The peer connection of a visit: made when the terminal is let in, waited for, and missed when it is gone.

use std::time::{Duration, Instant};

use super::{Visited, visit::Visit};
use crate::{
    JoinError,
    media::{Command, LinkState},
    protocol::local_address_towards,
};

/// How long ICE and DTLS may take.
const LINK_TIME_MAX: Duration = Duration::from_secs(10);

/// The peer connection of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    None,
    /// To be there until then.
    Connecting {
        number: u64,
        due: Instant,
    },
    Connected {
        number: u64,
    },
}

impl Link {
    pub(super) fn is_connected(self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    pub(super) fn due(self) -> Option<Instant> {
        match self {
            Self::Connecting { due, .. } => Some(due),
            Self::None | Self::Connected { .. } => None,
        }
    }
}

impl Visit<'_> {
    /// Begins to make the peer connection if there is a live meeting and none yet.
    pub(super) async fn keep_link(&mut self) -> Result<(), Visited> {
        if self.link.due().is_some_and(|due| Instant::now() >= due) {
            return Err(Visited::Failed(JoinError::NoAudio));
        }
        let Some(media) = &self.stay.media else { return Ok(()) };
        let live = self.joined.iter().map(|id| self.stay.board.is_live_or_waiting(*id));
        let is_wanted = live.into_iter().any(|(live, waiting)| live && !waiting);
        if self.link != Link::None || !is_wanted {
            return Ok(());
        }
        let local = match media.local_address {
            any if any.is_unspecified() => local_address_towards(self.stay.relays.current()).await,
            address => Ok(address),
        };
        let local = local.map_err(|error| Visited::Failed(error.into()))?;
        let link = self.stay.admission.link(&self.connection, local).await;
        let link = link.map_err(Visited::Failed)?;
        let number = link.number;
        let using = media.commands.send(Command::Use(Box::new(link)));
        using.await.map_err(|_| Visited::Failed(JoinError::NoAudio))?;
        self.link = Link::Connecting { number, due: Instant::now() + LINK_TIME_MAX };
        Ok(())
    }

    /// The peer connection is in another state.
    pub(super) fn take_link(&mut self) -> Result<(), Visited> {
        let Some(media) = &mut self.stay.media else { return Ok(()) };
        let state = *media.link.borrow_and_update();
        let number = match self.link {
            Link::Connecting { number, .. } | Link::Connected { number } => number,
            Link::None => return Ok(()),
        };
        match state {
            LinkState::Connected(of) if of == number => self.link = Link::Connected { number },
            LinkState::Gone(of) if of == number => return self.link_gone(),
            _ => {}
        }
        Ok(())
    }

    fn link_gone(&mut self) -> Result<(), Visited> {
        if self.stay.board.live().is_none() {
            // With nothing to be heard the relay may end it.
            self.link = Link::None;
            return Ok(());
        }
        if self.arrived { Err(self.lost()) } else { Err(Visited::Failed(JoinError::NoAudio)) }
    }
}
