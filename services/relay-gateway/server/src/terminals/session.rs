//! What a connection has come to: which nonce it was given, by which tokens it stands, and what it
//! follows.

use std::{net::IpAddr, sync::Arc};

use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tributary_contracts::terminal::v1::relay_message::Body;
use tributary_identifiers::{OrganisationId, UserId};

use super::{Shared, participations::Participations, standing::Standing};
use crate::{
    notices::{Feed, Sent, Told},
    operations::Stored,
    refusal::Refused,
};

pub(super) const NONCE_BYTES: usize = 32;
/// Operations that were stored and are not yet said to be: more than can wait in two meetings.
const STORED_MAX: usize = 128;

/// What a terminal that hears notices follows.
pub(super) struct Listening {
    pub(super) organisation: OrganisationId,
    pub(super) user: UserId,
    pub(super) told: broadcast::Receiver<Arc<Told>>,
    pub(super) sent: Sent,
    /// When the token that it goes by ends.
    pub(super) ends_at: Instant,
    // Ends when nobody listens to it any more.
    pub(super) _feed: Arc<Feed>,
}

/// A share that is being carried out. It waits for other people's mail servers, and meanwhile the
/// connection goes on.
pub(super) struct Sharing {
    pub(super) request_id: u64,
    pub(super) answer: JoinHandle<Result<Body, Refused>>,
}

/// The state of one connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) address: IpAddr,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) standing: Standing,
    pub(super) participations: Participations,
    pub(super) listening: Option<Listening>,
    pub(super) sharing: Option<Sharing>,
    /// Given along with operations.
    pub(super) waits: mpsc::Sender<Stored>,
    pub(super) stored: mpsc::Receiver<Stored>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, address: IpAddr) -> Self {
        let (waits, stored) = mpsc::channel(STORED_MAX);
        Self {
            shared,
            address,
            nonce: [0; NONCE_BYTES],
            standing: Standing::default(),
            participations: Participations::default(),
            listening: None,
            sharing: None,
            waits,
            stored,
        }
    }

    /// Resolves when a token that the connection stands by is revoked.
    pub(super) fn revoked(&self) -> impl Future<Output = ()> + use<> {
        let own = self.standing.revoked();
        let joined = self.participations.revoked();
        async {
            tokio::select! {
                () = own => {}
                () = joined => {}
            }
        }
    }
}
