//! The participant that an edge relay itself can be: a room's device that is in a meeting and shows it. It
//! comes by a door of its own, and says here how it fares.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{
    http::Gate,
    state::Status,
    status::{OwnMeeting, Shown},
};
use crate::http;

/// What the relay's own participant needs of the relay, and where it says how it fares.
pub struct OwnParticipant {
    /// Where the relay serves it, and nobody else: on this machine, without TLS, however terminals are
    /// served.
    pub address: SocketAddr,
    /// How the relay is.
    pub status: watch::Receiver<Arc<Status>>,
    shown: watch::Sender<Shown>,
}

impl OwnParticipant {
    /// What the status page shows of it from now on.
    pub fn show(&self, meeting: OwnMeeting) {
        self.shown.send_replace(Some(Arc::new(meeting)));
    }
}

/// The relay's side of it.
#[derive(Default)]
pub(super) struct Own {
    door: Option<TcpListener>,
    shown: watch::Sender<Shown>,
}

impl Own {
    /// Opens the door; before that nobody is taken for the relay itself.
    ///
    /// # Errors
    /// No port is free.
    pub(super) async fn open(
        &mut self,
        status: watch::Receiver<Arc<Status>>,
    ) -> io::Result<OwnParticipant> {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = door.local_addr()?;
        self.door = Some(door);
        Ok(OwnParticipant { address, status, shown: self.shown.clone() })
    }

    /// What the participant shows; none: there is no such participant.
    pub(super) fn shown(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// Serves it until `shutdown`; at once over if there is no door.
    pub(super) async fn serve(self, gate: Gate, shutdown: CancellationToken) {
        if let Some(door) = self.door {
            http::serve(door, None, gate.own().routes(), shutdown).await;
        }
    }
}
